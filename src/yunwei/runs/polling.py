"""What the engine asks again and again while there is nothing to do, asked by one small statement.

The engine looks at each of its queues several times a second. As shipped, a look that finds nothing reads the queue's row,
opens a transaction, asks which version of the application is the newest and compiles the claim: five milliseconds, fifteen
times a second, a tenth of a core for an idle worker. Here it is asked first whether anything is waiting at all, by a
statement that the index of waiting workflows answers; and the queue's row, which nobody changes but a worker that starts, is
read once in a while.

What waits is claimed by the engine's own functions, as shipped; so is everything when the small statement fails.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import psycopg
import sqlalchemy as sa

#: seconds between two readings of a queue's row
QUEUE_S = 10.0
#: the second condition on SQLite is the index's own: it is taken for what says so literally
WAITS_LITE = "SELECT 1 FROM workflow_status WHERE queue_name = ? AND status = 'ENQUEUED' AND status IN ('ENQUEUED', 'PENDING') LIMIT 1"
WAITS = "SELECT 1 FROM \"{schema}\".workflow_status WHERE queue_name = %s AND status = 'ENQUEUED' LIMIT 1"


class Polling:
    """Stands before two functions of the engine's database object."""

    def __init__(self, database: Any) -> None:
        """`database` is the engine's own object."""
        self._engine: sa.Engine = database.engine
        self._lite = self._engine.dialect.name == "sqlite"
        self._waits = WAITS_LITE if self._lite else WAITS.format(schema=database.schema)
        self._shipped_scopes = database.dequeue_scopes
        self._shipped_queue = database.get_queue
        self._queues: dict[str, tuple[float, Any]] = {}

    def scopes(self, queue: str) -> Any:
        """The engine's `dequeue_scopes`: none where nothing waits."""
        return self._shipped_scopes(queue) if self.waits(queue) else []

    def queue(self, name: str, **more: Any) -> Any:
        """The engine's `get_queue`, up to `QUEUE_S` old."""
        if more:
            return self._shipped_queue(name, **more)
        read, known = self._queues.get(name, (0.0, None))
        if known is None or time.monotonic() - read > QUEUE_S:
            known = self._shipped_queue(name)
            self._queues[name] = (time.monotonic(), known)
        return known

    def waits(self, queue: str) -> bool:
        """Whether a workflow waits in a queue; True also when that could not be asked."""
        try:
            lent = self._engine.raw_connection()
        except (sa.exc.SQLAlchemyError, psycopg.Error, sqlite3.Error):
            return True  # the engine's own way waits for the server, or says what is wrong
        try:
            driver: Any = lent.dbapi_connection
            if self._lite:  # reads begin no transaction here
                return driver.execute(self._waits, (queue,)).fetchone() is not None
            driver.autocommit = True
            found = driver.execute(self._waits, (queue,)).fetchone() is not None
            driver.autocommit = False  # as the pool knows it
        except (psycopg.Error, sqlite3.Error):
            lent.invalidate()
            return True
        else:
            return found
        finally:
            lent.close()


def stand_before(database: Any) -> None:
    """Put these before the engine's own, of this process's engine."""
    ours = Polling(database)
    database.dequeue_scopes = ours.scopes
    database.get_queue = ours.queue
