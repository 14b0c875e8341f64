"""The ledger's hot statements and their values, written by hand: the ORM costs ten times the insert itself.

The tables stay the models'; a test holds that a row written here is the row that the ORM would have written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState

from yunwei.ledger.models import Intake

INTAKE = (
    "INSERT INTO ledger_intake (kind, subject, actor, at, clauses, body, sequenced)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id"
)
INTAKE_LITE = INTAKE.removesuffix(" RETURNING id").replace("%s", "?")
WAITING = "SELECT id, body FROM ledger_intake WHERE NOT sequenced ORDER BY id LIMIT %s"
ANY_WAITING = "SELECT 1 FROM ledger_intake WHERE NOT sequenced LIMIT 1"
ENTRY = "INSERT INTO ledger_entry (seq, intake_id, leaf) VALUES (%s, %s, %s)"
#: exactly those that have a number now: a claim committed meanwhile still waits
MARK = "UPDATE ledger_intake SET sequenced = %s WHERE id IN (SELECT intake_id FROM ledger_entry WHERE seq >= %s)"


def here() -> BaseDatabaseWrapper:
    """The connection, to be asked for once: the usual proxy looks its thread's connection up at every word."""
    return connections[DEFAULT_DB_ALIAS]


@lru_cache(maxsize=1024)
def _lite_clauses(clauses: tuple[str, ...]) -> str:
    return json.dumps(clauses)  # as Django's JSONField writes it; the sets of clauses are few


@lru_cache(maxsize=64)  # what one act records, it records at one moment
def _lite_time(stamp: str) -> str:
    """A time as Django writes it to SQLite, from the one that the body has: no T, no Z, no microseconds that are none."""
    return f"{stamp[:10]} {stamp[11:26]}".removesuffix(".000000")


def add_intake(
    connection: BaseDatabaseWrapper,
    *,
    kind: str,
    subject: str,
    actor: str,
    at: datetime,
    stamp: str,
    clauses: Sequence[str],
    body: bytes,
) -> Intake:
    """Insert a new claim; `stamp` is `at` as the body writes it. The row as the ORM would have given it."""
    lite = connection.vendor == "sqlite"
    values = (
        kind, subject, actor, _lite_time(stamp) if lite else at,
        _lite_clauses(tuple(clauses)) if lite else connection.ops.adapt_json_value(list(clauses), None), body, False,
    )  # fmt: skip
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors:  # the driver's own execute: Django's cursor costs more than the insert
        if lite:  # RETURNING would cost as much as the insert once more
            pk = connection.connection.execute(INTAKE_LITE, values).lastrowid
        else:
            pk = connection.connection.execute(INTAKE, values).fetchone()[0]
    return _made(connection.alias, pk, kind, subject, actor, at, list(clauses), body)


def _made(
    alias: str, pk: int, kind: str, subject: str, actor: str, at: datetime, clauses: list[str], body: bytes
) -> Intake:
    """What `Intake.from_db` makes, without its walk over the fields, which costs as much as the insert."""
    row = Intake.__new__(Intake)
    state = row._state = ModelState()  # noqa: SLF001
    state.adding, state.db = False, alias
    row.id, row.kind, row.subject, row.actor, row.at = pk, kind, subject, actor, at
    row.clauses, row.body, row.sequenced = clauses, body, False
    return row


def waiting(most: int) -> list[tuple[int, bytes]]:
    """The oldest claims without a number: their row id and what is hashed."""
    with here().cursor() as cursor:
        cursor.execute(WAITING, [most])
        return [(pk, bytes(body)) for pk, body in cursor.fetchall()]


def any_waiting() -> bool:
    """Whether a claim has no number: asked five times a second, mostly for nothing."""
    with here().cursor() as cursor:
        cursor.execute(ANY_WAITING)
        return cursor.fetchone() is not None


def number(entries: Sequence[tuple[int, int, bytes]]) -> None:
    """Insert (number, intake id, leaf hash), the numbers one after the other, and mark exactly those claims."""
    if not entries:
        return
    with here().cursor() as cursor:
        cursor.executemany(ENTRY, entries)
        cursor.execute(MARK, [True, entries[0][0]])
