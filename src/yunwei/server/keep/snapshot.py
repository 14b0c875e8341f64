"""One moment of a running instance: both databases as they were at the same instant, while others go on writing.

SQLite: for a few milliseconds nobody may write to either file; in that time a read transaction begins on both, and each
keeps its moment (WAL) while the online backup API copies it. PostgreSQL: one exported snapshot, for us and for pg_dump; the
engine's tables are in the same database. Artifacts are files that are written before the row that names them and never
changed, so whatever a row of the moment names is there, but for what was redacted since (`take` begins anew then).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from yunwei.kernel.i18n import _
from yunwei.server.keep import facts, postgres
from yunwei.server.keep.errors import KeepError

#: pages of a step of SQLite's backup: how often it says how far it is (16 MB)
STEP = 4096
#: the engine's states of work that has not ended (dbos)
UNENDED = ("PENDING", "ENQUEUED", "DELAYED")
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of both databases: `ask` reads the business one, `dumps` gives what to pack, by the name in the parcel."""

    kind: str  # "sqlite" or "postgresql"
    ask: facts.Ask
    facts: facts.Facts
    engine: dict[str, int]
    unended: int
    size: int  # bytes to pack, about
    dumps: Callable[[], Iterator[tuple[str, IO[bytes]]]]


@contextmanager
def of(folder: Path, url: str) -> Iterator[Moment]:
    """The moment now of the instance in `folder`, whose database is `url` ("" for the embedded one)."""
    with ExitStack() as stack:
        yield stack.enter_context(_postgres(url) if url else _lite(folder))


def asked(folder: Path, url: str, query: str) -> list[tuple[Any, ...]]:
    """The answer to one question as of now."""
    if url:
        with postgres.connected(url) as connection:
            return ask_of(connection)(query)
    with closing(open_lite(folder / "data" / "yunwei.sqlite3")) as lite:
        return ask_of(lite)(query)


def ask_of(connection: Any) -> facts.Ask:
    """A way to ask through a connection of either driver."""
    return lambda query: list(connection.execute(query).fetchall())


def open_lite(path: Path) -> sqlite3.Connection:
    """A SQLite file that must be there, without the driver's own transactions."""
    if not path.is_file():
        raise KeepError(_("找不到数据库文件"), where=str(path))
    return sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True, isolation_level=None, timeout=30)


@contextmanager
def _lite(folder: Path) -> Iterator[Moment]:
    paths = {
        "db/yunwei.sqlite3": folder / "data" / "yunwei.sqlite3",
        "db/engine.sqlite3": folder / "data" / "engine.sqlite3",
    }
    with ExitStack() as stack, _workplace(folder) as work:
        readers = {name: stack.enter_context(closing(open_lite(path))) for name, path in paths.items()}
        with ExitStack() as held:
            for path in paths.values():
                lock = held.enter_context(closing(open_lite(path)))
                lock.execute("BEGIN IMMEDIATE")  # closing without a commit takes it back
            for reader in readers.values():
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it sees this moment
        business, engine = (ask_of(reader) for reader in readers.values())
        size = sum(
            int(r.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0])
            for r in readers.values()
        )

        def dumps() -> Iterator[tuple[str, IO[bytes]]]:
            for name, reader in readers.items():
                copy = work / Path(name).name
                copy_lite(reader, copy)
                with copy.open("rb") as opened:
                    yield name, opened
                copy.unlink()

        yield Moment(
            "sqlite",
            business,
            facts.lite(business),
            facts.engine_tables(engine, embedded=True),
            _unended(engine, ""),
            size,
            dumps,
        )


def copy_lite(reader: sqlite3.Connection, path: Path) -> None:
    """Copy what a connection sees into a new file by the online backup API."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.close(descriptor)
    with closing(sqlite3.connect(path)) as copy:
        copy.execute("PRAGMA synchronous=OFF")
        reader.backup(copy, pages=STEP)


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """A folder of our own beside the databases, as closed as they are; what a crash left of an earlier one goes."""
    for old in (folder / "data").glob(".backup-*"):
        shutil.rmtree(old, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".backup-", dir=folder / "data"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _postgres(url: str) -> Iterator[Moment]:
    with postgres.connected(url, autocommit=False) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot(), pg_database_size(current_database())").fetchone()
        if row is None:
            raise KeepError(_("数据库没有给出快照"), where=postgres.shown(url))
        snapshot, size = str(row[0]), int(row[1])
        ask = ask_of(connection)

        def dumps() -> Iterator[tuple[str, IO[bytes]]]:
            with postgres.dumping(url, snapshot) as stream:
                yield "db/postgres.dump", stream

        engine = facts.engine_tables(ask, embedded=False)
        yield Moment("postgresql", ask, facts.postgres(ask), engine, _unended(ask, "dbos."), size, dumps)


def _unended(ask: facts.Ask, schema: str) -> int:
    """Work of the engine that has not ended."""
    states = ", ".join(f"'{state}'" for state in UNENDED)
    return int(ask(f"SELECT count(*) FROM {schema}workflow_status WHERE status IN ({states})")[0][0])  # noqa: S608 - constants
