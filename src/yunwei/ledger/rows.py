"""The ledger's hot statements and their values, written by hand: the ORM costs ten times the insert itself.

The tables stay the models'; a test holds that a row written here is the row that the ORM would have written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import DEFAULT_DB_ALIAS, connection, connections

from yunwei.ledger.models import Intake

INTAKE = (
    "INSERT INTO ledger_intake (kind, subject, actor, at, clauses, body, sequenced)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id"
)
INTAKE_LITE = INTAKE.removesuffix(" RETURNING id").replace("%s", "?")
ENTRY = "INSERT INTO ledger_entry (seq, intake_id, leaf) VALUES (%s, %s, %s)"
#: ids in one statement: SQLite's oldest bound on variables is 999
AT_ONCE = 500


def add_intake(row: Intake) -> Intake:
    """Insert a new claim and give it its number in the table."""
    here = connections[DEFAULT_DB_ALIAS]  # once: the usual proxy looks its thread's connection up at every word
    lite = here.vendor == "sqlite"
    clauses = json.dumps(row.clauses) if lite else here.ops.adapt_json_value(row.clauses, None)
    at = here.ops.adapt_datetimefield_value(row.at)
    values = (row.kind, row.subject, row.actor, str(at) if lite else at, clauses, row.body, row.sequenced)
    here.validate_no_broken_transaction()
    with here.wrap_database_errors:  # the driver's own execute: Django's cursor costs more than the insert
        if lite:  # RETURNING would cost as much as the insert once more
            row.pk = here.connection.execute(INTAKE_LITE, values).lastrowid
        else:
            row.pk = here.connection.execute(INTAKE, values).fetchone()[0]
    row._state.adding, row._state.db = False, here.alias  # noqa: SLF001 - as `save` would leave it
    return row


def waiting(most: int) -> list[tuple[int, bytes]]:
    """The oldest claims without a number: their row id and what is hashed."""
    rows = Intake.objects.filter(sequenced=False).order_by("id").values_list("id", "body")[:most]
    return [(pk, bytes(body)) for pk, body in rows]


def number(entries: Sequence[tuple[int, int, bytes]]) -> None:
    """Insert (number, intake id, leaf hash) and mark exactly those claims, so that one committed meanwhile still waits."""
    with connection.cursor() as cursor:
        cursor.executemany(ENTRY, entries)
    for start in range(0, len(entries), AT_ONCE):
        ids = [pk for _seq, pk, _leaf in entries[start : start + AT_ONCE]]
        Intake.objects.filter(pk__in=ids).update(sequenced=True)
