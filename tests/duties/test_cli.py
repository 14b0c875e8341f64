"""`yunwei duty …` as people type it, each act with the password of the one who acts."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from typer.testing import CliRunner

from tests.duties.conftest import People
from tests.duties.test_books import approve, row
from tests.duties.world import at
from tests.kernel.test_calendar import SCHEDULE_2027
from yunwei.accounts.services import AccountError
from yunwei.cli import common
from yunwei.cli.duties import UsageError, app
from yunwei.duties import services
from yunwei.duties.errors import DutyError
from yunwei.duties.models import CalendarYear, ManualProof, TriggerEvent
from yunwei.kernel.errors import YunweiError

pytestmark = pytest.mark.django_db
NOW = at("2026-03-05 10:00")
PASSWORD = "a long password"


@pytest.fixture(autouse=True)
def instance(contract: Path, procedures: None, monkeypatch: pytest.MonkeyPatch, people: People) -> People:
    """The instance is this test's database; its clock stands."""
    clock = {"now": NOW}
    monkeypatch.setattr(common, "open_instance", lambda: None)
    monkeypatch.setattr(common, "now", lambda: clock["now"])
    monkeypatch.setattr(common.out, "width", 200)
    for account in (people.client, people.vendor):
        account.set_password(PASSWORD)
        account.save()
    services.tick(at("2026-02-27 09:00"))  # the books were open before February ended
    approve(people, "2026-03-02 09:00")
    services.tick(NOW)
    return people


def run(*args: str, password: str = PASSWORD) -> tuple[int, str]:
    result = CliRunner().invoke(app, args, input=password + "\n")
    if isinstance(result.exception, YunweiError):
        raise result.exception
    return result.exit_code, result.output


def test_list_for_machines_and_people() -> None:
    code, output = run("list", "--json")
    assert code == 1  # the hotline's February was closed unproven today
    rows = {(r["obligation"], r["period"]): r for r in json.loads(output)}
    assert rows["look-day", "2026-03-05"]["state"] == "running"
    assert rows["look-day", "2026-03-05"]["due"] == "2026-03-05T10:00:00+00:00"
    assert rows["hotline", "2026-02"]["state"] == "unproven"
    code, output = run("list", "--day", "2026-03-06")
    assert code == 0  # nothing of that day has failed yet
    assert "walk-week" in output
    assert "待履行" in output
    with pytest.raises(UsageError):
        run("list", "--day", "yesterday")


def test_upcoming() -> None:
    code, output = run("upcoming", "--days", "2", "--json")
    assert code == 0
    assert [r["period"] for r in json.loads(output) if r["obligation"] == "look-day"] == ["2026-03-06", "2026-03-07"]


def test_an_event_a_proof_and_its_confirmation(tmp_path: Path) -> None:
    file = tmp_path / "paper.pdf"
    file.write_bytes(b"paper")
    code, output = run(
        "event", "record", "paper", "--at", "2026-02-10T09:00", "--file", str(file), "--by", "vendor", "--json"
    )
    assert code == 0
    key = f"answer:event:{json.loads(output)['id']}"
    assert datetime.fromisoformat(json.loads(output)["at"]) == at("2026-02-10 09:00")
    assert run("proof", "state", key, "--statement", "已答复", "--file", str(file), "--by", "client")[0] == 0
    proof = str(ManualProof.objects.get().pk)
    with pytest.raises(DutyError, match="本方"):
        run("proof", "confirm", proof, "--by", "client")
    code, output = run("proof", "confirm", proof, "--by", "vendor")
    assert "已履行" in output
    assert row(key).state == "kept"
    assert json.loads(run("event", "list", "--json")[1])[0]["file"] == "paper.pdf"


def test_a_name_without_its_password_acts_for_nobody() -> None:
    with pytest.raises(AccountError):
        run("event", "record", "asked", "--by", "vendor", password="guess")
    assert not TriggerEvent.objects.exists()


def test_an_exemption_disputed(tmp_path: Path) -> None:
    file = tmp_path / "proof.txt"
    file.write_text("停电")
    args = ("exempt", "claim", "walk-week:2026-W10", "--statement", "停电", "--file", str(file), "--by", "vendor")
    with pytest.raises(DutyError, match="赔偿"):
        run(*args, "--ground", "9.1")
    assert run(*args, "--ground", "8.2")[0] == 0
    claim = str(row("walk-week:2026-W10").claims.get().pk)
    code, output = run("exempt", "answer", claim, "--dispute", "--reason", "未停电", "--by", "client")
    assert (code, "争议" in output) == (0, True)
    assert run("cause", "claim", "hotline:2026-02", "--cause", "client", "--statement", "断电", "--file", str(file),
               "--by", "vendor")[0] == 0  # fmt: skip


def test_importing_a_schedule(tmp_path: Path) -> None:
    file = tmp_path / "2027.yaml"
    file.write_text(SCHEDULE_2027, encoding="utf-8")
    assert run("calendar", "import", str(file), "--by", "client")[0] == 0
    assert CalendarYear.objects.get().year == 2027
    assert json.loads(run("calendar", "show", "--json")[1])[0]["notice"].startswith("国办")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        run("calendar", "import", str(file), "--by", "client")


@pytest.mark.parametrize("which", ["nothing:2026", "999999", "x"])
def test_an_unknown_occurrence(which: str, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x")
    with pytest.raises(UsageError, match="没有这项履行"):
        run("proof", "state", which, "--statement", "x", "--file", str(file), "--by", "vendor")


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="名=值"):
        run("event", "record", "asked", "--set", "amount", "--by", "vendor")
    with pytest.raises(UsageError, match="不是时刻"):
        run("event", "record", "asked", "--at", "soon", "--by", "vendor")
    with pytest.raises(UsageError, match="读不了"):
        run("event", "record", "paper", "--file", str(tmp_path / "none"), "--by", "vendor")
    assert settings.INSTANCE is not None
