"""An instance is made whole or not at all, with keys that nobody else may read."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from yunwei.kernel.children import program
from yunwei.server import instance

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
    for where in (None, tmp_path):
        told = yunwei("duty", "list", instance=where)
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


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text + "[web\n", "设置文件读不懂"),
        (lambda text: text.replace("port = 8600", "port = 99999"), "[web] port"),
        (lambda text: text.replace("port = 8600", 'port = "8600"'), "[web] port"),
        (lambda text: text.replace('push = ["heads"]', 'push = "heads"'), "[ledger] push"),
        (lambda text: 'database_url = "mysql://somewhere/x"\n' + text, "database_url"),
        (lambda text: 'ledger = "heads"\n' + text.partition("[ledger]")[0], "[ledger]"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(copy: Path, change: Callable[[str], str], said: str):
    path = copy / "yunwei.toml"
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    for command in ("serve", "doctor", "worker"):
        told = yunwei(command, instance=copy)
        assert told.returncode in (1, 2)
        assert said in told.stdout + told.stderr
        assert "Traceback" not in told.stdout + told.stderr


def test_a_lost_database_is_not_made_anew(copy: Path, tmp_path: Path):
    """What lay beside it (the last commits, in SQLite's log) would be thrown away with it."""
    (copy / "data" / "yunwei.sqlite3").rename(tmp_path / "away")
    for command in ("serve", "doctor", "worker"):
        told = yunwei(command, instance=copy)
        assert told.returncode in (1, 2)
        assert "找不到数据库文件" in told.stdout + told.stderr
    assert not (copy / "data" / "yunwei.sqlite3").exists()


@pytest.mark.parametrize("change", ["DELETE", "INSERT"])
def test_nothing_runs_on_a_schema_of_another_version(copy: Path, change: str):
    with sqlite3.connect(copy / "data" / "yunwei.sqlite3") as db:
        if change == "DELETE":
            db.execute(
                "DELETE FROM django_migrations WHERE id = (SELECT max(id) FROM django_migrations WHERE app = 'desk')"
            )
        else:
            db.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('desk', '9999_later', '2027-01-01')")
    for command in ("serve", "worker"):
        told = yunwei(command, instance=copy)
        assert told.returncode == 2
        assert ("yunwei upgrade" if change == "DELETE" else "desk.9999_later") in told.stderr
    told = yunwei("doctor", "--json", instance=copy)
    assert told.returncode == 1
    found = {one["what"]: one for one in json.loads(told.stdout)}
    assert found["合同"]["state"] != "fault", "the other checks are made all the same"
    assert "fault" in {one["state"] for one in found.values()}


def test_a_database_that_is_in_use_is_no_new_instances(copy: Path, tmp_path: Path):
    url = f"sqlite:///{copy / 'data' / 'yunwei.sqlite3'}"
    words = (
        "init",
        tmp_path / "second",
        "--contract",
        CONTRACT,
        "--client",
        "甲",
        "--vendor",
        "乙",
        "--password-stdin",
    )
    told = yunwei(*words, "--database", url, stdin=FIRST + "\n")
    assert told.returncode == 2
    assert "不是空的" in told.stderr
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    "text", ["[web]\nport = 8600\n", "# ours\n\n[web]\nport = 1\n", 'demo = false\ndatabase_url = "sqlite:///x"\n', ""]
)
def test_another_database_is_written_above_all_tables(tmp_path: Path, text: str):
    (tmp_path / "yunwei.toml").write_text(text)
    before = tomllib.loads(text)
    instance.set_database(tmp_path, "postgres://somebody@127.0.0.1/x")
    told = tomllib.loads((tmp_path / "yunwei.toml").read_text())
    assert told == {**before, "database_url": "postgres://somebody@127.0.0.1/x"}
    instance.set_database(tmp_path, "")
    told = tomllib.loads((tmp_path / "yunwei.toml").read_text())
    assert told == {name: value for name, value in before.items() if name != "database_url"}


def test_a_module_in_the_working_directory_is_not_run(copy: Path, tmp_path: Path):
    (tmp_path / "json.py").write_text("open('ran', 'w')\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))} | {
        "YUNWEI_INSTANCE": str(copy)
    }
    told = subprocess.run(
        [*program("yunwei.cli.main"), "doctor"], cwd=tmp_path, env=env,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "台账" in told.stdout, told.stderr
    assert not (tmp_path / "ran").exists()
