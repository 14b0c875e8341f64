"""One moment of both SQLite databases, while others write to both as fast as they can."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from yunwei.server.keep import snapshot

BUSINESS = """
CREATE TABLE ledger_head (number INTEGER, size INTEGER, root BLOB, hash TEXT);
CREATE TABLE ledger_intake (id INTEGER PRIMARY KEY);
CREATE TABLE ledger_waiting (intake_id INTEGER PRIMARY KEY);
CREATE TABLE ledger_artifact (content_hash TEXT, size INTEGER, redacted_at TEXT);
CREATE TABLE django_migrations (id INTEGER, app TEXT, name TEXT);
CREATE TABLE filler (data BLOB);
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The two files of an instance, large enough for a copy of several steps."""
    (tmp_path / "data").mkdir()
    for name, script in (
        ("yunwei", BUSINESS),
        ("engine", "CREATE TABLE workflow_status (id INTEGER PRIMARY KEY, status TEXT)"),
    ):
        with closing(sqlite3.connect(tmp_path / "data" / f"{name}.sqlite3")) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(script)
            if name == "yunwei":
                db.executemany("INSERT INTO filler VALUES (?)", [(bytes(4000),)] * 3000)
            db.commit()
    return tmp_path


@contextmanager
def lockstep(folder: Path) -> Iterator[None]:
    """A claim in one database, then a step in the other, and so on: at any moment the first is ahead by one or by none."""
    stop = threading.Event()
    broken: list[BaseException] = []

    def write() -> None:
        try:
            with (
                closing(snapshot.open_lite(folder / "data" / "yunwei.sqlite3")) as one,
                closing(snapshot.open_lite(folder / "data" / "engine.sqlite3")) as two,
            ):
                for db in (one, two):
                    db.execute("PRAGMA synchronous=OFF")
                while not stop.is_set():
                    one.execute("INSERT INTO ledger_intake DEFAULT VALUES")
                    two.execute("INSERT INTO workflow_status (status) VALUES ('SUCCESS')")
        except BaseException as error:  # noqa: BLE001 - told below
            broken.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not broken


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_both_databases_are_of_one_moment_while_they_are_written(folder, tmp_path):
    with lockstep(folder):
        for turn in range(5):
            with snapshot.of(folder, "") as moment:
                claims, steps = moment.facts.tables["ledger_intake"], moment.engine["workflow_status"]
                assert 0 <= claims - steps <= 1
                copies = {}
                for name, stream in moment.dumps():
                    copies[name] = tmp_path / f"{turn}-{Path(name).name}"
                    copies[name].write_bytes(stream.read())
            assert rows(copies["db/yunwei.sqlite3"], "ledger_intake") == claims
            assert rows(copies["db/engine.sqlite3"], "workflow_status") == steps
        assert rows(folder / "data" / "yunwei.sqlite3", "ledger_intake") > claims  # they went on
    assert not list((folder / "data").glob(".backup-*"))


def test_what_a_crash_left_of_an_earlier_copy_is_taken_away(folder):
    (folder / "data" / ".backup-old").mkdir()
    (folder / "data" / ".backup-old" / "yunwei.sqlite3").write_bytes(b"half")
    with snapshot.of(folder, ""):
        assert not (folder / "data" / ".backup-old").exists()
