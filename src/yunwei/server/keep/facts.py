"""What a database holds, in numbers that can be compared: rows of every table, the newest head, the migrations.

Asked in plain SQL through any connection, because the schema may be older or newer than the models of this program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from yunwei.kernel.i18n import _
from yunwei.server.keep.errors import KeepError

Ask = Callable[[str], list[tuple[Any, ...]]]
FORMAT = "yunwei-backup/1"
#: tables of the framework whose rows a migration adds by itself
FRAMEWORK = frozenset({"django_migrations", "django_content_type", "auth_permission", "sqlite_sequence"})
_LITE = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
_POSTGRES = "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = '{schema}' ORDER BY tablename"


@dataclass(frozen=True, slots=True)
class Facts:
    """One database: `tables` is name → rows, `head` the newest signed head, `waiting` the claims without a number."""

    tables: dict[str, int]
    head: dict[str, Any] | None
    waiting: int
    migrations: list[str] = field(default_factory=list)


def program() -> str:
    """The version of this program."""
    return version("yunwei")


def lite(ask: Ask) -> Facts:
    """The facts of a SQLite database."""
    return _facts(ask, [name for (name,) in ask(_LITE) if not name.startswith("sqlite_")])


def postgres(ask: Ask, schema: str = "public") -> Facts:
    """The facts of the business tables of a PostgreSQL database."""
    return _facts(ask, [name for (name,) in ask(_POSTGRES.format(schema=schema))])


def counted(ask: Ask, names: Iterable[str], schema: str = "") -> dict[str, int]:
    """Rows of each table."""
    place = f'"{schema}".' if schema else ""
    return {name: int(ask(f'SELECT count(*) FROM {place}"{name}"')[0][0]) for name in names}  # noqa: S608 - catalogue names


def _facts(ask: Ask, names: list[str]) -> Facts:
    if "ledger_head" not in names:
        raise KeepError(_("这个数据库里没有云维的台账"))
    rows = ask("SELECT number, size, root, hash FROM ledger_head ORDER BY number DESC LIMIT 1")
    head = None
    if rows:
        number, size, root, digest = rows[0]
        head = {"number": number, "size": size, "root": bytes(root).hex(), "hash": digest}
    mark = "ledger_intake WHERE NOT sequenced"  # before ledger.0003
    waits = "ledger_waiting" if "ledger_waiting" in names else mark
    waiting = ask(f"SELECT count(*) FROM {waits}")[0][0]  # noqa: S608 - names from here
    applied = [f"{app}.{name}" for app, name in ask("SELECT app, name FROM django_migrations ORDER BY id")]
    return Facts(counted(ask, [n for n in names if n != "yunwei_being_filled"]), head, int(waiting), applied)


def engine_tables(ask: Ask, *, embedded: bool) -> dict[str, int]:
    """Rows of the engine's tables."""
    if embedded:
        return counted(ask, [name for (name,) in ask(_LITE) if not name.startswith("sqlite_")])
    return counted(ask, [name for (name,) in ask(_POSTGRES.format(schema="dbos"))], "dbos")


def differences(before: Facts, after: Facts, *, but: Iterable[str] = FRAMEWORK) -> list[str]:
    """What of `before` is not the same in `after`, in words; tables that are new are none."""
    found = []
    for name, rows in before.tables.items():
        now = after.tables.get(name)
        if name not in but and now != rows:
            found.append(
                _("表 {name}：{a} 行变为 {b}").format(name=name, a=rows, b=_("没有了") if now is None else now)
            )
    if before.head != after.head:
        found.append(_("台账的最新签名头变了：{a} 变为 {b}").format(a=_told(before.head), b=_told(after.head)))
    if before.waiting != after.waiting:
        found.append(_("待编号的登记：{a} 变为 {b}").format(a=before.waiting, b=after.waiting))
    return found


def _told(head: dict[str, Any] | None) -> str:
    return f"{head['number']}@{head['size']} {head['hash'][:16]}" if head else "—"
