"""`yunwei move`: the business data of an embedded instance into an empty PostgreSQL database, in one transaction, compared.

The instance stands still and SQLite's write lock is held, so nothing is added under the copy. Every table is copied as its columns
hold it, through COPY; the sequences go on behind the highest key; rows of every table and the newest head are compared before the
commit. The engine's tables are not moved: work that has not ended is finished first, or (`again`) handed to the new engine from
its first step, as after any loss of the engine's file (ADR 1). The SQLite files stay, under another name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from yunwei.kernel.i18n import _
from yunwei.server import instance
from yunwei.server.keep import facts, postgres, snapshot
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.facts import FRAMEWORK, Facts
from yunwei.server.keep.stopped import stopped
from yunwei.server.keep.take import Tell, _silent

KIND = "instance.moved"
ALIAS = "moving_to"
#: rows asked for at once: bounds the memory
WINDOW = 2000
#: what the SQLite files are called afterwards, so that no process takes them for the instance's
ASIDE = ".moved"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a model: its name, its fields, the model."""

    name: str
    fields: list[Any]
    model: Any


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: rows by table, the newest head, and how many unfinished runs the new engine begins again."""

    tables: dict[str, int]
    head: dict[str, Any] | None
    again: int


def move(url: str, *, again: bool = False, tell: Tell = _silent) -> Moved:
    """Move this process's instance to the empty PostgreSQL database `url`. Raises KeepError; then nothing has changed here and
    the database is empty again."""
    from django.db import connections

    folder = instance.folder()
    if instance.database_url(folder):
        raise KeepError(_("这个实例已经在 PostgreSQL 上"), where=str(folder))
    if not url.startswith(("postgres://", "postgresql://")):
        raise KeepError(_("目标须是 postgres://… 的地址"), hint="postgres://USER:PASSWORD@HOST/DATABASE")
    connections.close_all()
    with stopped(folder), closing(snapshot.open_lite(folder / "data" / "yunwei.sqlite3")) as source:
        source.execute("BEGIN IMMEDIATE")  # nobody writes until we are done
        ask = snapshot.ask_of(source)
        before, left = facts.lite(ask), _unended(folder)
        if left and not again:
            raise KeepError(
                _("还有 {n} 项工作没有结束").format(n=left), where=str(folder),
                hint=_("先运行 yunwei serve 到它们结束；或加 --again，让新引擎从第一步重新执行"),
            )  # fmt: skip
        postgres.claim(url)
        try:
            after = _copy(url, ask, before, tell)
            postgres.release(url)
        except BaseException:
            connections.close_all()
            postgres.clear(url)
            raise
        source.close()  # takes its lock back; the last one to leave a file clears its side files away
        _switch(folder, url)
    return Moved(after.tables, after.head, left)


def _unended(folder: Path) -> int:
    with closing(snapshot.open_lite(folder / "data" / "engine.sqlite3")) as engine:
        states = ", ".join(f"'{state}'" for state in snapshot.UNENDED)
        query = f"SELECT count(*) FROM workflow_status WHERE status IN ({states})"  # noqa: S608 - constants
        return int(engine.execute(query).fetchone()[0])


def _copy(url: str, ask: facts.Ask, before: Facts, tell: Tell) -> Facts:
    """Make the schema, then copy everything in one transaction and compare inside of it."""
    from django.core.management import call_command
    from django.db import connections, transaction

    from yunwei.runs import dbos_engine
    from yunwei.server.settings import database

    connections.settings[ALIAS] = connections.configure_settings({"default": {}, ALIAS: database(url)})[ALIAS]
    call_command("migrate", database=ALIAS, verbosity=0, interactive=False)
    target = connections[ALIAS]
    with postgres.connected(url) as plain:
        made = facts.postgres(snapshot.ask_of(plain))
    if sorted(made.migrations) != sorted(before.migrations):
        raise KeepError(_("数据库还没有升级到本程序的版本"), hint=_("先 yunwei upgrade，再迁移"))
    copied = _models(before)
    total, done = sum(before.tables[table.name] for table in copied), 0
    with transaction.atomic(using=ALIAS):
        with target.cursor() as cursor:
            names = ", ".join(target.ops.quote_name(table.name) for table in copied)
            cursor.execute(f"TRUNCATE {names} CASCADE")  # what migrations put there by themselves
            for table in copied:
                done = _table(cursor, table, ask, done, lambda n: tell(n, total))
            _sequences(cursor, target, [table.model for table in copied])
            after = facts.postgres(_asking(cursor))
        if found := facts.differences(before, after, but=("django_migrations", "sqlite_sequence")):
            raise KeepError(_("迁移后与原来不符，已撤销：{what}").format(what="；".join(found[:5])))
    connections.close_all()
    dbos_engine.migrate(instance.postgres_url(database(url)))
    return after


def _asking(cursor: Any) -> facts.Ask:
    def ask(query: str) -> list[tuple[Any, ...]]:
        cursor.execute(query)
        return list(cursor.fetchall())

    return ask


def _models(before: Facts) -> list[Table]:
    """The tables of all models. Raises KeepError for a table that is nobody's: it would be lost."""
    from django.apps import apps

    found = {}
    for model in apps.get_models(include_auto_created=True):
        meta: Any = model._meta  # noqa: SLF001 - Django documents it
        if meta.managed and not meta.proxy:
            found[str(meta.db_table)] = Table(str(meta.db_table), list(meta.local_concrete_fields), model)
    stray = sorted(set(before.tables) - set(found) - {"django_migrations"} - FRAMEWORK)
    if stray:
        raise KeepError(
            _("库里有不认识的表：{names}").format(names="、".join(stray[:5])), hint=_("先移走它们，或升级程序")
        )
    return [found[name] for name in sorted(set(found) & set(before.tables))]


def _table(cursor: Any, table: Table, ask: facts.Ask, done: int, tell: Callable[[int], None]) -> int:
    """Copy one table by COPY; gives how many rows are done now."""
    quoted = ", ".join(f'"{f.column}"' for f in table.fields)
    with cursor.copy(f'COPY "{table.name}" ({quoted}) FROM STDIN') as copy:
        for row in _rows(ask, table.name, quoted):
            copy.write_row([_plain(field, value) for field, value in zip(table.fields, row, strict=True)])
            done += 1
            if done % WINDOW == 0:
                tell(done)
    tell(done)
    return done


def _rows(ask: facts.Ask, table: str, quoted: str) -> Iterator[tuple[Any, ...]]:
    """The rows in pieces, by SQLite's own row number: it has an index whatever the key is."""
    last = -(1 << 63)
    while True:
        found = ask(f'SELECT rowid, {quoted} FROM "{table}" WHERE rowid > {last} ORDER BY rowid LIMIT {WINDOW}')  # noqa: S608
        for _rowid, *values in found:
            yield tuple(values)
        if len(found) < WINDOW:
            return
        last = int(found[-1][0])


def _plain(field: Any, value: Any) -> Any:
    """A value of SQLite as PostgreSQL's COPY takes it in text: SQLite keeps moments, booleans and JSON in its own ways."""
    if value is None:
        return None
    match _kind(field):
        case "BooleanField":
            return bool(value)
        case "DateTimeField":
            return _moment(str(value))
        case "JSONField":
            return json.dumps(json.loads(value), ensure_ascii=False)
        case "BinaryField":
            return bytes(value)
        case _:
            return value


def _kind(field: Any) -> str:
    """The field's type; a foreign key has that of what it points to."""
    while field.remote_field is not None:
        field = field.target_field
    return str(field.get_internal_type())


def _moment(text: str) -> datetime:
    """A moment as Django writes it to SQLite: UTC, without saying so."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _sequences(cursor: Any, target: Any, models: list[Any]) -> None:
    """Let every key that counts go on behind the highest one there is."""
    from django.core.management.color import no_style

    for statement in target.ops.sequence_reset_sql(no_style(), models):
        cursor.execute(statement)


def _switch(folder: Path, url: str) -> None:
    """Let the instance use the new database, and put the old files aside; in that order both are whole whatever happens."""
    paths = [folder / "data" / name for name in ("yunwei.sqlite3", "engine.sqlite3")]
    for path in paths:
        with closing(snapshot.open_lite(path)) as lite:  # what is still in the side file goes into the main one
            if lite.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise KeepError(_("数据库文件还有人在读"), where=str(path), hint=_("停下全部 yunwei 进程再试"))
    instance.set_database(folder, url)
    for path in paths:
        path.rename(path.with_name(path.name + ASIDE))


def entered(folder: Path, done: Moved) -> None:
    """Enter the move in the ledger at its new place: for a process that was started on the instance after it."""
    from django.db import transaction

    from yunwei.ledger import services as ledger

    now = instance.clock().now()
    with transaction.atomic():
        said: Mapping[str, Any] = {"tables": len(done.tables), "rows": sum(done.tables.values()), "again": done.again,
                                   "head": done.head["number"] if done.head else 0}  # fmt: skip
        ledger.record(KIND, str(folder.name), said, at=now, actor="system:move")
    ledger.sequence(now)
