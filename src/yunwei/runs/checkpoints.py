"""The engine's checkpoints on PostgreSQL in one statement each.

As shipped, a step costs the engine two transactions: four statements, two BEGIN and two COMMIT, each compiled anew and
each a round trip. What they ask is here one statement, and what they write another, both in autocommit and prepared:

- writing a step's result asks in the same statement, under the same row lock, whether this execution still owns the
  workflow; nothing is written when it does not;
- what that write has just proved (nobody else can have written the next step, and nobody cancelled) is not asked again
  before the next step, when that follows at once.

These are shortcuts of the usual case only. Whatever else is found (a result that is there already, a workflow that was
cancelled, put back or taken over, a connection that broke) goes to the engine's own functions, which decide as shipped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import sqlalchemy as sa

#: seconds after a checkpoint within which the next step follows at once
AT_ONCE_S = 0.05

LOOK = """
SELECT s.status <> 'CANCELLED' AND o.function_id IS NULL
FROM "{schema}".workflow_status s
LEFT JOIN "{schema}".operation_outputs o ON o.workflow_uuid = s.workflow_uuid AND o.function_id = %s::integer
WHERE s.workflow_uuid = %s::text"""

WRITE = """
INSERT INTO "{schema}".operation_outputs (workflow_uuid, function_id, function_name, output, error, serialization,
    started_at_epoch_ms, completed_at_epoch_ms, application_name, retention_timestamp)
SELECT s.workflow_uuid, %s::integer, %s::text, %s::text, %s::text, %s::text,
    %s::bigint, %s::bigint, %s::text, CAST(EXTRACT(epoch FROM now()) * 1000 AS bigint)
FROM "{schema}".workflow_status s WHERE s.workflow_uuid = %s::text AND s.owner_xid = %s::text
FOR NO KEY UPDATE
ON CONFLICT DO NOTHING
RETURNING 1"""


class Checkpoints:
    """Stands before two functions of the engine's database object."""

    def __init__(self, database: Any, owner: Callable[[str], str | None]) -> None:
        """`database` is the engine's own object; `owner` gives the calling execution's token of a workflow."""
        self._look = LOOK.format(schema=database.schema)
        self._write = WRITE.format(schema=database.schema)
        self._engine: sa.Engine = database.engine
        self._application = database.app_name
        self._owner = owner
        self._shipped_check = database.check_operation_execution
        self._shipped_record = database.record_operation_result
        self._here = threading.local()

    def check(self, workflow: str, step: int, name: str, **more: Any) -> Any:
        """The engine's `check_operation_execution`: None when the step is to be done."""
        if self._follows(workflow, step):
            return None
        if not more and self._one(self._look, (step, workflow)):
            return None
        return self._shipped_check(workflow, step, name, **more)

    def record(self, result: Any, *, completed_at_epoch_ms: int | None = None, **more: Any) -> None:
        """The engine's `record_operation_result`."""
        workflow, step = result["workflow_uuid"], result["function_id"]
        # one time for both ways: the engine knows a row of its own by it when the first answer was lost
        at = int(time.time() * 1000) if completed_at_epoch_ms is None else completed_at_epoch_ms
        owner = None if more or result["child_workflow_id"] is not None else self._owner(workflow)
        if owner is not None:
            values = (
                step, result["function_name"], result["output"], result["error"], result["serialization"],
                result["started_at_epoch_ms"], at, self._application, workflow, owner,
            )  # fmt: skip
            if self._one(self._write, values):
                self._here.next = (workflow, step + 1, time.monotonic() + AT_ONCE_S)
                return
        self._shipped_record(result, completed_at_epoch_ms=at, **more)

    def _follows(self, workflow: str, step: int) -> bool:
        """Whether this thread has just written the step before; says so once."""
        known = getattr(self._here, "next", None)
        self._here.next = None
        return known is not None and known[:2] == (workflow, step) and time.monotonic() < known[2]

    def _one(self, statement: str, values: tuple[Any, ...]) -> Any:
        """The statement's one value; None without a row, or when the database failed: the engine's own way tries again.

        On a connection of the engine's pool, by the driver: a row of one value needs no more.
        """
        try:
            lent = self._engine.raw_connection()
        except (sa.exc.SQLAlchemyError, psycopg.Error):  # a pool hands on what the driver says who cannot connect
            return None
        try:
            driver: Any = lent.dbapi_connection
            driver.autocommit = True
            row = execute(driver, statement, values)
            driver.autocommit = False  # as the pool knows it
        except psycopg.Error:
            lent.invalidate()
            return None
        finally:
            lent.close()
        return row and row[0]


def execute(driver: Any, statement: str, values: tuple[Any, ...]) -> Any:
    """The statement's one row."""
    return driver.execute(statement, values).fetchone()


def stand_before(database: Any, owner: Callable[[str], str | None]) -> None:
    """Put these before the engine's own, of this process's engine."""
    ours = Checkpoints(database, owner)
    database.check_operation_execution = ours.check
    database.record_operation_result = ours.record
