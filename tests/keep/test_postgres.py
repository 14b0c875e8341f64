"""Backup, restore, upgrade and the move on a real PostgreSQL, by its own pg_dump and pg_restore."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.keep.kit import ON_POSTGRES, inside, make, phrase, refused, said, work
from tests.keep.test_upgrade import OLDER, free_port
from tests.server.test_instance import PASSWORD, yunwei
from yunwei.server.keep import postgres

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


@pytest.fixture
def database() -> Iterator[Databases]:
    made = Databases()
    yield made
    made.drop()


@pytest.fixture
def site(database: Databases, tmp_path: Path) -> Path:
    made = make(tmp_path / "site", tmp_path / "client", database("site"))
    settings = made / "yunwei.toml"
    settings.write_text(re.sub(r"port = \d+", f"port = {free_port()}", settings.read_text()))
    return made


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.SQL(query)).fetchall()  # type: ignore[arg-type]


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [name for _schema, name in postgres.tables(connection)]


def test_backup_restore_and_upgrade(site, database, tmp_path):
    words = ("--passphrase-file", phrase(tmp_path))
    inside(site, OLDER)
    upgraded = said("upgrade", "--to", tmp_path / "before", *words, instance=site)
    assert upgraded["migrations"] == ["ledger.0002_restored"]
    assert not [name for (name,) in rows(SERVER, "SELECT datname FROM pg_database WHERE datname LIKE '%rehearsal%'")]

    file = said("backup", tmp_path / "safe", *words, instance=site)["file"]
    work(site, 100, 5)
    full = database("full")
    with psycopg.connect(full) as connection:
        connection.execute("CREATE TABLE mine (x int)")
    declared = ("--why", "机房停电后磁盘损坏", "--by", "b_manager")
    restore = ("restore", file, tmp_path / "new", *words, *declared)
    assert "不是空的" in refused(*restore, "--database", full, stdin=PASSWORD + "\n")
    assert tables(full) == ["mine"]
    target = database("target")
    assert "口令不对" in refused(*restore, "--database", target, stdin="wrong password 1\n")
    assert tables(target) == []
    assert not (tmp_path / "new").exists()
    told = said(*restore, "--database", target, stdin=PASSWORD + "\n")
    assert told["lost"] == 6
    assert postgres.MARK not in tables(target)
    assert rows(target, "SELECT lost FROM ledger_restored") == [(6,)]
    assert rows(target, "SELECT count(*) FROM dbos.dbos_migrations") == [(1,)]
    assert yunwei("evidence", "audit", instance=tmp_path / "new").returncode == 0
    assert yunwei("doctor", instance=tmp_path / "new").returncode == 0
    work(tmp_path / "new", 500, 2)  # the sequences go on behind the highest keys


def test_what_a_killed_restore_left_in_the_database_is_taken_away(site, database, tmp_path):
    words = ("--passphrase-file", phrase(tmp_path))
    file = said("backup", tmp_path / "safe", *words, instance=site)["file"]
    target = database("target")
    postgres.claim(target)
    with psycopg.connect(target) as connection:
        connection.execute("CREATE TABLE ledger_head (half int)")
    assert said("restore", file, tmp_path / "new", *words, "--database", target)["lost"] == 0
    with pytest.raises(postgres.KeepError, match="标记"):
        postgres.clear(target)


def test_a_running_instance_is_not_upgraded(site, tmp_path):
    inside(site, OLDER)
    url = re.search(r'database_url = "([^"]+)"', (site / "yunwei.toml").read_text())[1]  # type: ignore[index]
    with psycopg.connect(url, application_name="yunwei worker"):
        told = refused("upgrade", "--to", tmp_path / "safe", "--passphrase-file", phrase(tmp_path), instance=site)
    assert "正在运行" in told
    assert "yunwei worker" in told


def test_a_password_is_in_the_environment_and_never_on_the_command_line():
    env = postgres.environment("postgresql://u:geheim@h:5433/d?sslmode=require")
    assert (env["PGPASSWORD"], env["PGHOST"], env["PGPORT"], env["PGSSLMODE"]) == ("geheim", "h", "5433", "require")
    assert "geheim" not in postgres.shown("postgresql://u:geheim@h:5433/d")


# --- the move from SQLite ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def embedded_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("embedded")
    return make(place / "site", place / "client")


@pytest.fixture
def embedded(embedded_made: Path, tmp_path: Path) -> Path:
    shutil.copytree(embedded_made, tmp_path / "embedded")
    settings = tmp_path / "embedded" / "yunwei.toml"
    settings.write_text(re.sub(r"port = \d+", f"port = {free_port()}", settings.read_text()))
    return tmp_path / "embedded"


def counted(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as db:
        names = [
            n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        ]
        return {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def test_every_row_is_moved_and_work_goes_on(embedded, database, tmp_path):
    before = counted(embedded / "data" / "yunwei.sqlite3")
    bundle = tmp_path / "before.zip"
    said("evidence", "export", "--out", bundle, instance=embedded)
    before["ledger_intake"] += 1
    target = database("moved")
    told = said("move", "--to", target, instance=embedded)
    assert told["rows"] > 100
    for name, count in before.items():
        extra = {"ledger_entry": 1, "ledger_intake": 1}.get(name)
        if extra is None and not name.startswith(("ledger_", "django_")):
            assert rows(target, f'SELECT count(*) FROM "{name}"') == [(count,)], name
    assert rows(target, "SELECT count(*) FROM ledger_intake WHERE kind = 'instance.moved'") == [(1,)]
    assert sorted(p.name for p in (embedded / "data").glob("*.sqlite3*")) == [
        "engine.sqlite3.moved",
        "yunwei.sqlite3.moved",
    ]
    assert yunwei("evidence", "audit", instance=embedded).returncode == 0
    work(embedded, 700, 5)
    after = tmp_path / "after.zip"
    said("evidence", "export", "--out", after, instance=embedded)
    assert yunwei("evidence", "verify", after, instance=embedded).returncode == 0
    assert yunwei("doctor", instance=embedded).returncode == 0
    assert "已经在 PostgreSQL" in refused("move", "--to", target, instance=embedded)


def test_a_move_that_is_refused_changes_nothing(embedded, database, tmp_path):
    full = database("full")
    with psycopg.connect(full) as connection:
        connection.execute("CREATE TABLE mine (x int)")
    assert "不是空的" in refused("move", "--to", full, instance=embedded)
    target = database("target")
    with closing(sqlite3.connect(embedded / "data" / "engine.sqlite3")) as db:
        columns = "workflow_uuid, status, name, executor_id, created_at, updated_at"
        db.execute(f"INSERT INTO workflow_status ({columns}) VALUES ('w', 'PENDING', 'yunwei.run', 'solo', 1, 1)")
        db.commit()
    assert "没有结束" in refused("move", "--to", target, instance=embedded)
    assert tables(target) == []
    with closing(sqlite3.connect(embedded / "data" / "yunwei.sqlite3")) as db:
        db.execute("CREATE TABLE strange (x int)")
        db.commit()
    assert "不认识的表" in refused("move", "--to", target, "--again", instance=embedded)
    assert tables(target) == []
    assert "database_url" not in (embedded / "yunwei.toml").read_text()
    with closing(sqlite3.connect(embedded / "data" / "yunwei.sqlite3")) as db:
        db.execute("DROP TABLE strange")
        db.commit()
    assert said("move", "--to", target, "--again", instance=embedded)["again"] == 1


def test_a_copy_that_differs_is_taken_back(embedded, database):
    """A trigger drops rows on their way in: the counts inside of the transaction tell, and nothing stays."""
    target = database("lossy")
    code = """
import sys
from yunwei.server import instance
instance.setup()
from yunwei.server.keep import move
real = move._rows
move._rows = lambda ask, table, quoted: (r for i, r in enumerate(real(ask, table, quoted)) if i or table != "ledger_intake")
try:
    move.move(sys.argv[1])
except move.KeepError as error:
    print(error)
"""
    told = inside(embedded, code, target)
    assert "与原来不符" in told or "数据库不可用" in told or "ledger_intake" in told
    assert tables(target) == []
    assert (embedded / "data" / "yunwei.sqlite3").exists()
