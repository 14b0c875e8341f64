"""The ledger's hot statements and their values, written by hand: the ORM costs ten times the insert itself.

The tables stay the models'; a test holds that a row written here is the row that the ORM would have written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState

from yunwei.ledger.models import Intake

INTAKE = (
    "WITH claim AS (INSERT INTO ledger_intake (kind, subject, actor, at, clauses, body)"
    " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id)"
    " INSERT INTO ledger_waiting (intake_id) SELECT id FROM claim RETURNING intake_id"
)
#: SQLite has no such statement, and its RETURNING would cost as much as the insert once more
INTAKE_LITE = "INSERT INTO ledger_intake (kind, subject, actor, at, clauses, body) VALUES (?, ?, ?, ?, ?, ?)"
WAITING_LITE = "INSERT INTO ledger_waiting (intake_id) VALUES (last_insert_rowid())"
#: each body looked up by itself: a planner without counts would read both tables side by side from their beginnings
WAITING = (
    "SELECT intake_id, (SELECT body FROM ledger_intake WHERE id = intake_id) FROM ledger_waiting"
    " ORDER BY intake_id LIMIT %s"
)
ANY_WAITING = "SELECT 1 FROM ledger_waiting LIMIT 1"
ENTRY = "INSERT INTO ledger_entry (seq, intake_id, leaf) VALUES (%s, %s, %s)"
#: exactly those that have a number now: a claim committed meanwhile still waits
NUMBERED = "DELETE FROM ledger_waiting WHERE intake_id IN (SELECT intake_id FROM ledger_entry WHERE seq >= %s)"


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
        _lite_clauses(tuple(clauses)) if lite else connection.ops.adapt_json_value(list(clauses), None), body,
    )  # fmt: skip
    connection.validate_no_broken_transaction()
    try:
        with connection.wrap_database_errors:  # the driver's own execute: Django's cursor costs more than the insert
            if lite:
                pk = connection.connection.execute(INTAKE_LITE, values).lastrowid
                connection.connection.execute(WAITING_LITE)
            else:
                pk = connection.connection.execute(INTAKE, values).fetchone()[0]
    except DatabaseError:  # or who catches it could commit a claim that does not wait
        connection.set_rollback(True)
        raise
    return _made(connection.alias, pk, kind, subject, actor, at, list(clauses), body)


def _made(
    alias: str, pk: int, kind: str, subject: str, actor: str, at: datetime, clauses: list[str], body: bytes
) -> Intake:
    """What `Intake.from_db` makes, without its walk over the fields, which costs as much as the insert."""
    row = Intake.__new__(Intake)
    state = row._state = ModelState()  # noqa: SLF001
    state.adding, state.db = False, alias
    row.id, row.kind, row.subject, row.actor, row.at = pk, kind, subject, actor, at
    row.clauses, row.body = clauses, body
    return row


def waiting(most: int) -> tuple[list[tuple[int, bytes]], list[int]]:
    """The oldest claims without a number, their row id and what is hashed; and the row ids of those among them that are gone."""
    with here().cursor() as cursor:
        cursor.execute(WAITING, [most])
        rows = cursor.fetchall()
    return [(pk, bytes(body)) for pk, body in rows if body is not None], [pk for pk, body in rows if body is None]


def any_waiting() -> bool:
    """Whether a claim has no number: asked five times a second, mostly for nothing."""
    with here().cursor() as cursor:
        cursor.execute(ANY_WAITING)
        return cursor.fetchone() is not None


def number(entries: Sequence[tuple[int, int, bytes]]) -> None:
    """Insert (number, intake id, leaf hash), the numbers one after the other; exactly those claims wait no longer."""
    if not entries:
        return
    with here().cursor() as cursor:
        cursor.executemany(ENTRY, entries)
        cursor.execute(NUMBERED, [entries[0][0]])
