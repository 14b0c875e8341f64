"""Backup, restore, upgrade and the move on a real PostgreSQL, by its own pg_dump and pg_restore."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.keep.kit import ON_POSTGRES, backed_up, inside, laid_out, make, phrase, refused, said, work
from tests.keep.test_upgrade import OLDER
from tests.server.test_instance import PASSWORD
from yunwei.server import instance
from yunwei.server.keep import facts, postgres, snapshot, unpack
from yunwei.server.keep.errors import KeepError

pytestmark = [
    pytest.mark.component,
    pytest.mark.django_db,  # so that the run on PostgreSQL takes this file too
    pytest.mark.skipif(not ON_POSTGRES, reason="runs beside a PostgreSQL: scripts/with_postgres.py"),
]
SERVER = os.environ.get("YUNWEI_TEST_DATABASE", "")


class Databases:
    """Databases of one test on the server that the tests run beside."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, name: str) -> str:
        name = f"keep_{name}_{os.getpid()}_{len(self.made)}"
        self.made.append(name)
        run(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return postgres.conninfo_url(SERVER, name)

    def drop(self) -> None:
        for name in self.made:
            run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def run(statement: str) -> None:
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(sql.SQL(statement))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def database() -> Iterator[Databases]:
    made = Databases()
    yield made
    made.drop()


@pytest.fixture(scope="module")
def served(database: Databases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance on PostgreSQL; what a test adds to it stays."""
    return make(tmp_path_factory.mktemp("served"), database("site"))


def url_of(site: Path) -> str:
    return str(instance.settings_in(site)["database_url"])


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.SQL(query)).fetchall()  # type: ignore[arg-type]


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [name for _schema, name in postgres.tables(connection)]


def test_backup_restore_and_upgrade(served, database, tmp_path):
    words = ("--passphrase-file", phrase(tmp_path))
    inside(served, OLDER)
    with psycopg.connect(url_of(served), application_name="yunwei worker"):
        told = refused("upgrade", "--to", tmp_path / "before", *words, instance=served)
    assert "正在运行" in told
    assert "yunwei worker" in told
    upgraded = said("upgrade", "--to", tmp_path / "before", *words, instance=served)
    assert upgraded["migrations"] == ["ledger.0002_restored", "ledger.0003_waiting"]
    assert not rows(SERVER, "SELECT datname FROM pg_database WHERE datname LIKE '%rehearsal%'")

    file = said("backup", tmp_path / "safe", *words, instance=served)["file"]
    work(served, 100, 5)
    restore = ("restore", file, tmp_path / "new", *words, "--why", "机房停电后磁盘损坏", "--by", "b_manager")
    target = database("target")
    assert "口令不对" in refused(*restore, "--database", target, stdin="wrong password 1\n")
    assert tables(target) == []
    assert not (tmp_path / "new").exists()
    told = said(*restore, "--database", target, stdin=PASSWORD + "\n")
    assert told["lost"] == 6
    assert postgres.MARK not in tables(target)
    assert rows(target, "SELECT lost FROM ledger_restored") == [(6,)]
    assert rows(target, "SELECT count(*) FROM dbos.dbos_migrations") == [(1,)]
    assert said("evidence", "audit", instance=tmp_path / "new")["differences"] == []
    work(tmp_path / "new", 500, 2)  # the sequences go on behind the highest keys


def test_only_an_empty_database_is_filled_and_what_a_crash_left_is_taken_away(served, database, tmp_path):
    file = backed_up(served, tmp_path / "safe").path
    full = database("full")
    with psycopg.connect(full) as connection:
        connection.execute("CREATE TABLE mine (x int)")
    with pytest.raises(KeepError, match="不是空的"):
        laid_out(file, tmp_path / "one", full)
    assert tables(full) == ["mine"]
    with pytest.raises(KeepError, match="标记"):
        postgres.clear(full)
    target = database("target")
    postgres.claim(target)
    with psycopg.connect(target) as connection:
        connection.execute("CREATE TABLE ledger_head (half int)")
    laid = laid_out(file, tmp_path / "two", target)
    assert postgres.MARK in tables(target)  # until everything is whole
    assert unpack.facts_of(laid).head == laid.manifest["head"]
    assert url_of(tmp_path / "two") == target


def test_a_damaged_dump_leaves_the_database_empty(served, database, tmp_path, monkeypatch):
    made = backed_up(served, tmp_path / "safe")
    real = unpack._writer

    def half(pieces: Any) -> Any:
        """The stream ends in the middle of the dump."""
        return real(iter([next(pieces)[:200_000]]))

    monkeypatch.setattr(unpack, "_writer", half)
    target = database("target")
    with pytest.raises(KeepError, match="pg_restore"):
        laid_out(made.path, tmp_path / "new", target)
    assert tables(target) == []


def test_a_backup_is_of_one_snapshot_while_others_write(served, tmp_path):
    with snapshot.of(served, url_of(served)) as moment:
        inside(
            served,
            "from yunwei.server import instance\ninstance.setup()\nfrom yunwei.ledger.models import Intake\nprint(1)",
        )
        work(served, 900, 3)
        for _name, stream in moment.dumps():
            (tmp_path / "dump").write_bytes(stream.read())
        assert moment.facts == facts.postgres(moment.ask)
    listed = subprocess.run(
        [postgres.tool("pg_restore", url_of(served)), "--data-only", "--table=ledger_entry", "--file=-", tmp_path / "dump"],
        capture_output=True, check=True,
    )  # fmt: skip
    lines = listed.stdout.split(b"FROM stdin;\n")[1].split(b"\\.\n")[0].splitlines()
    assert len(lines) == moment.facts.tables["ledger_entry"]


def test_a_password_is_in_the_environment_and_never_on_the_command_line():
    env = postgres.environment("postgresql://u:geheim@h:5433/d?sslmode=require")
    assert (env["PGPASSWORD"], env["PGHOST"], env["PGPORT"], env["PGSSLMODE"]) == ("geheim", "h", "5433", "require")
    assert "geheim" not in postgres.shown("postgresql://u:geheim@h:5433/d")


# --- the move from SQLite ------------------------------------------------------------------------------------------------
def counted(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as db:
        names = [
            n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        ]
        return {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def test_every_row_is_moved_and_work_goes_on(site, database, tmp_path):
    before = counted(site / "data" / "yunwei.sqlite3")
    target = database("moved")
    told = said("move", "--to", target, instance=site)
    assert told["rows"] > 100
    assert told["records"] == before["ledger_entry"]
    grown = {
        "ledger_intake",
        "ledger_entry",
        "ledger_head",
        "ledger_node",
        "django_migrations",
    }  # the record of the move
    for name in set(before) - grown:
        assert rows(target, f'SELECT count(*) FROM "{name}"') == [(before[name],)], name
    assert rows(target, "SELECT count(*) FROM ledger_intake WHERE kind = 'instance.moved'") == [(1,)]
    assert sorted(p.name for p in (site / "data").glob("*.sqlite3*")) == [
        "engine.sqlite3.moved",
        "yunwei.sqlite3.moved",
    ]
    work(site, 700, 5)
    assert said("evidence", "audit", instance=site)["differences"] == []
    bundle = tmp_path / "after.zip"
    said("evidence", "export", "--out", bundle, instance=site)
    assert said("evidence", "verify", bundle, instance=site)["findings"] == []
    assert "已经在 PostgreSQL" in refused("move", "--to", target, instance=site)


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


def test_a_move_that_is_refused_changes_nothing(site, database):
    business, engine = (site / "data" / name for name in ("yunwei.sqlite3", "engine.sqlite3"))
    target = database("target")
    columns = "workflow_uuid, status, name, executor_id, created_at, updated_at"
    change(engine, f"INSERT INTO workflow_status ({columns}) VALUES ('w', 'PENDING', 'yunwei.run', 'solo', 1, 1)")
    assert "没有结束" in refused("move", "--to", target, instance=site)
    change(business, "CREATE TABLE strange (x int)")
    assert "不认识的表" in refused("move", "--to", target, "--again", instance=site)
    assert tables(target) == []
    assert "database_url" not in (site / "yunwei.toml").read_text()
    change(business, "DROP TABLE strange")
    assert said("move", "--to", target, "--again", instance=site)["again"] == 1


def test_a_copy_that_differs_is_taken_back(site, database):
    """A row that is lost on its way: the counts inside of the transaction tell, and nothing stays."""
    target = database("lossy")
    code = """
import sys
from yunwei.server import instance
instance.setup()
from yunwei.server.keep import move
real = move._rows
move._rows = lambda ask, table, quoted: (r for i, r in enumerate(real(ask, table, quoted)) if i or table != "ledger_mention")
try:
    move.move(sys.argv[1])
except move.KeepError as error:
    print(error)
"""
    told = inside(site, code, target)
    assert "已撤销" in told
    assert "ledger_mention" in told
    assert tables(target) == []
    assert (site / "data" / "yunwei.sqlite3").exists()
