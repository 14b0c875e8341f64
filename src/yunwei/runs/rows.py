"""The run's row as it is submitted, opened and closed, by hand: the ORM asks first and writes then, opens a savepoint, and
builds each statement anew, for every run of a morning's hundreds.

The table stays the model's; a test holds that a row written here is the row that the ORM would have written.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from yunwei.runs.models import Run, RunState

COLUMNS = ("id", "procedure", "scope", "terms", "cause", "state", "submitted_at", "done", "total", "error")
INSERT = (
    f"INSERT INTO runs_run ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608 - constants
    " ON CONFLICT DO NOTHING"
)
#: by name: a plan that is kept in a session and says `*` breaks when an upgrade adds a column meanwhile
FIELDS = ", ".join(str(field.column) for field in Run._meta.concrete_fields)  # noqa: SLF001 - Django's own
OPEN = f"UPDATE runs_run SET state = %s, started_at = %s WHERE id = %s AND state = %s RETURNING {FIELDS}"  # noqa: S608
CLOSE = (
    f"UPDATE runs_run SET state = %s, ended_at = %s, error = %s WHERE id = %s AND state IN (%s, %s) RETURNING {FIELDS}"  # noqa: S608
)


def add(run: Run) -> bool:
    """Insert a new run; False when there is one of that id, which stays as it is."""
    here = connections[DEFAULT_DB_ALIAS]
    lite = here.vendor == "sqlite"

    def said(value: object) -> Any:
        return json.dumps(value) if lite else here.ops.adapt_json_value(value, None)

    values = (
        run.id, run.procedure, said(run.scope), said(run.terms), said(run.cause), str(run.state),
        _time(run.submitted_at), run.done, run.total, run.error,
    )  # fmt: skip
    with here.cursor() as cursor:
        cursor.execute(INSERT, values)
        made = bool(cursor.rowcount == 1)
    if made:
        run._state.adding, run._state.db = False, here.alias  # noqa: SLF001 - as `save` would leave it
    return made


def open_(run_id: str, now: datetime) -> Run | None:
    """A submitted run runs; None when there is none of that id in that state."""
    return _changed(OPEN, [RunState.RUNNING.value, _time(now), run_id, RunState.SUBMITTED.value])


def close(run_id: str, state: RunState, now: datetime, error: str) -> Run | None:
    """A run that was submitted or runs has ended; its row stays locked until the transaction ends. None as above."""
    live = (RunState.SUBMITTED.value, RunState.RUNNING.value)
    return _changed(CLOSE, [state.value, _time(now), error, run_id, *live])


def _changed(statement: str, values: list[object]) -> Run | None:
    found = list(Run.objects.raw(statement, values))
    return found[0] if found else None


def _time(at: datetime) -> Any:
    here = connections[DEFAULT_DB_ALIAS]
    adapted = here.ops.adapt_datetimefield_value(at)
    return str(adapted) if here.vendor == "sqlite" else adapted
