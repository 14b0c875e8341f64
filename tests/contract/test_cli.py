"""`yunwei contract`: exit codes, JSON alone on stdout, the service plan's life with passwords."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.contract.conftest import CONTRACTS, Spoil
from yunwei.accounts.models import Account, Organisation
from yunwei.cli import common
from yunwei.cli.contract import app
from yunwei.contract.errors import ContractError


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=stdin, env={"COLUMNS": "160"})


@pytest.fixture(autouse=True)
def plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.out, "width", 400)


@pytest.mark.parametrize("name", ["qingpu-2026", "yunting-2027"])
def test_check_of_a_sound_folder_against_the_registered_procedures(name: str) -> None:
    done = run("check", str(CONTRACTS / name))
    assert (done.exit_code, done.stdout) == (0, "✓ 没有发现问题\n")


def test_check_names_file_and_line_and_exits_one(spoil: Spoil) -> None:
    folder = spoil("obligations.yaml", "procedure: hardware.deep", "procedure: hardware.sleep")
    text = (folder / "obligations.yaml").read_text(encoding="utf-8")
    line = text[: text.index("hardware.sleep")].count("\n") + 1
    done = run("check", str(folder))
    assert done.exit_code == 1
    assert f"obligations.yaml:{line}" in done.stdout
    assert "[procedure.unknown]" in done.stdout
    as_json = run("check", str(folder), "--json")
    assert as_json.exit_code == 1
    assert [(p["file"], p["line"], p["code"]) for p in json.loads(as_json.stdout)] == [
        ("obligations.yaml", line, "procedure.unknown")
    ]


def test_show(spoil: Spoil) -> None:
    done = run("show", str(CONTRACTS / "yunting-2027"), "--json")
    assert (done.exit_code, json.loads(done.stdout)["contract"]["id"]) == (0, "yunting-2027")
    people = run("show", str(CONTRACTS / "qingpu-2026"))
    assert people.exit_code == 0
    for word in ("贰佰零玖万壹仟捌佰元整", "尚未确认", "hardware.inspect", "payment.price", "3 个工作日"):
        assert word in people.stdout
    bad = run("show", str(spoil("plan.yaml", "version: 1", "version: one")))
    assert isinstance(bad.exception, ContractError)
    assert "plan.yaml:3" in str(bad.exception)


def test_the_reader_s_command_is_there() -> None:
    assert run("read", "--help").exit_code == 0


PASSWORD = "correct horse battery"


@pytest.mark.django_db
def test_a_plan_from_proposal_to_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CONTRACTS / "qingpu-2026", tmp_path / "contract")
    monkeypatch.setenv("YUNWEI_INSTANCE", str(tmp_path))
    monkeypatch.setattr(common, "open_instance", lambda: None)  # the tests stand on their own database
    monkeypatch.setattr(common, "now", lambda: datetime(2026, 2, 5, 4, 0, tzinfo=UTC))
    for side, role in (("A", "a_manager"), ("B", "b_manager")):
        organisation = Organisation.objects.create(code=side, name=side, party=side)
        Account.objects.create(
            username=role, display_name=role, role=role, organisation=organisation, password=PASSWORD
        )

    def plan(*words: str, password: str = PASSWORD) -> Result:
        return run("plan", *words, stdin=password + "\n")

    assert isinstance(plan("propose", "--by", "b_manager", password="wrong").exception, ContractError)
    assert json.loads(plan("list", "--json").stdout) == []
    assert json.loads(plan("propose", "--by", "b_manager", "--json").stdout)["version"] == 1
    assert isinstance(plan("approve", "1", "--by", "b_manager").exception, ContractError)
    assert isinstance(plan("approve", "1", "--by", "a_manager", password="").exception, ContractError)
    assert "2026-02-05" in plan("approve", "1", "--by", "a_manager").stdout
    looser = tmp_path / "plan.yaml"
    text = (CONTRACTS / "qingpu-2026" / "plan.yaml").read_text(encoding="utf-8")
    looser.write_text(text.replace("warn_high: 0.1, crit_high: 1", "warn_high: 0.5, crit_high: 3"), encoding="utf-8")
    assert "放宽" in plan("propose", str(looser), "--by", "b_manager", "--note", "热").stdout
    assert [c["effect"] for c in json.loads(plan("diff", "2", "--json").stdout)["changes"]] == ["loosens"]
    assert plan("refuse", "2", "--by", "a_manager", "--reason", "不同意").exit_code == 0
    assert [(v["version"], v["state"]) for v in json.loads(plan("list", "--json").stdout)] == [
        (1, "approved"), (2, "refused"),
    ]  # fmt: skip
    assert "已退回" in plan("list").stdout
    both = tmp_path / "both.yaml"
    both.write_text(looser.read_text(encoding="utf-8").replace("warn_high: 20, crit_high: 50", "warn_high: 10, crit_high: 50"),
                    encoding="utf-8")  # fmt: skip
    plan("propose", str(both), "--by", "b_manager")
    told = json.loads(plan("approve", "3", "--by", "a_manager", "--except", "limit clock clock=不行", "--json").stdout)
    assert (told["state"], told["refused"]) == ("approved", {"limit clock clock": "不行"})
