"""An instance is made whole or not at all, with keys that nobody else may read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "contracts" / "qingpu-2026"
FIRST = "correct horse battery"
PASSWORD = "Correct horse 2 battery"


def yunwei(*words: str | Path, instance: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command in a process of its own: settings belong to one instance a process."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
    if instance is not None:
        env["YUNWEI_INSTANCE"] = str(instance)
    command = [sys.executable, "-m", "yunwei.cli.main", *map(str, words)]
    return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=120)


def init(folder: Path, contract: Path = CONTRACT, password: str = FIRST) -> subprocess.CompletedProcess[str]:
    words = ("init", folder, "--contract", contract, "--client", "甲", "--vendor", "乙", "--password-stdin", "--json")
    return yunwei(*words, stdin=password + "\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "yunwei"
    told = init(folder)
    assert told.returncode == 0, told.stderr
    return folder


@pytest.fixture(scope="module")
def ready(made: Path) -> Path:
    """Its people have passwords of their own."""
    for name in ("sysadmin", "b_manager"):
        changed = yunwei("account", "password", name, instance=made, stdin=f"{FIRST}\n{PASSWORD}\n")
        assert changed.returncode == 0, changed.stderr
    return made


def test_everything_is_there_and_keys_are_closed(made: Path):
    assert {p.name for p in made.iterdir()} == {"yunwei.toml", "keys", "contract", "data", "heads"}
    settings = tomllib.loads((made / "yunwei.toml").read_text())
    assert settings["demo"] is False
    for key in (made / "keys").iterdir():
        assert key.stat().st_mode & 0o077 == 0, key.name
    assert (made / "keys").stat().st_mode & 0o077 == 0
    database = (made / "data" / "yunwei.sqlite3").read_bytes()
    assert PASSWORD.encode() not in database
    assert FIRST.encode() not in database
    for key in (made / "keys").iterdir():
        assert key.read_bytes()[:40] not in database, "keys are not in the database"
    told = yunwei("doctor", "--json", instance=made)
    assert told.returncode == 0, told.stdout


def test_a_folder_in_use_is_left_alone(made: Path):
    before = sorted(made.rglob("*"))
    told = init(made)
    assert told.returncode == 2
    assert "不是空的" in told.stderr
    assert sorted(made.rglob("*")) == before


def test_nothing_is_left_of_what_could_not_be_made(tmp_path: Path):
    contract = tmp_path / "contract"
    shutil.copytree(CONTRACT, contract)
    (contract / "plan.yaml").write_text("version: x\n", encoding="utf-8")
    told = init(tmp_path / "site", contract)
    assert told.returncode == 2
    assert "contract check" in told.stderr
    assert not (tmp_path / "site").exists()


def test_a_first_password_is_made_and_opens_nothing_but_its_own_change(tmp_path: Path):
    words = ("init", tmp_path / "site", "--contract", CONTRACT, "--client", "甲", "--vendor", "乙", "--json")
    first = json.loads(yunwei(*words).stdout)["first_password"]
    assert len(first) >= 16
    words = ("account", "activate", "b_manager", "--by", "secadmin")
    told = yunwei(*words, instance=tmp_path / "site", stdin=first + "\n")
    assert told.returncode == 2
    assert "先更改口令" in told.stderr


def test_a_short_password_is_refused_before_anything_is_made(tmp_path: Path):
    told = init(tmp_path / "site", password="short")
    assert told.returncode == 2
    assert not (tmp_path / "site").exists()


def test_a_command_without_an_instance_says_what_to_do(tmp_path: Path):
    for instance in (None, tmp_path):
        told = yunwei("duty", "list", instance=instance)
        assert told.returncode == 2
        assert "Traceback" not in told.stderr
        assert "实例" in told.stderr


def test_an_account_is_made_by_the_system_officer_only(ready: Path):
    words = ("account", "add", "li", "--name", "李", "--role", "b_engineer", "--organisation", "B", "--by")
    refused = yunwei(*words, "b_manager", instance=ready, stdin=PASSWORD + "\n")
    assert refused.returncode == 2
    assert "系统管理员" in refused.stderr
    wrong = yunwei(*words, "sysadmin", instance=ready, stdin="wrong password 1\n")
    assert wrong.returncode == 2
    told = yunwei(*words, "sysadmin", instance=ready, stdin=PASSWORD + "\n")
    assert told.returncode == 0, told.stderr
    combined = yunwei(
        "account", "add", "wang", "--name", "王", "--role", "a_manager", "--organisation", "B", "--by", "sysadmin",
        instance=ready, stdin=PASSWORD + "\n",
    )  # fmt: skip
    assert combined.returncode == 2
    assert "甲方" in combined.stderr


def test_loopback_equipment_is_refused_in_a_real_instance(ready: Path, tmp_path: Path):
    table = tmp_path / "t.csv"
    table.write_text(
        "code,name,kind,zone,zone_name,protocol,address\nD1,d,device,z,z,snmp,127.0.0.1\n", encoding="utf-8"
    )
    told = yunwei("asset", "import", table, "--by", "b_manager", instance=ready, stdin=PASSWORD + "\n")
    assert told.returncode == 1
    assert "环回" in told.stdout + told.stderr
