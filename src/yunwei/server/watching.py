"""Hears that the database changed, whoever changed it, and says which topics that are: one thread for all streams.

PostgreSQL says so itself (NOTIFY by trigger, ui/migrations); of SQLite we ask `PRAGMA data_version`, which costs
microseconds and changes with every commit of another connection. Then both are looked at in the same way.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

from django.db import InterfaceError, OperationalError, connection

from yunwei.kernel.failing import Failing
from yunwei.server import instance
from yunwei.ui import live

log = logging.getLogger(__name__)

#: seconds between two questions to SQLite, and the least between two looks at either database
STEP_S = 0.25
#: seconds after which a row that still has no number is told all the same
UNSURE_S = 1.0
#: seconds after which it is looked although nothing was heard: a connection may die without a word
QUIET_S = 30.0
#: seconds until a database that does not answer is tried again
AGAIN_S = 1.0


class Watcher(threading.Thread):
    """Calls `tell(topics)` from its own thread whenever something changed, until `stop`; `sees(False)` when it cannot
    look, `sees(True)` when it can again."""

    def __init__(self, tell: Callable[[set[str]], None], sees: Callable[[bool], None]) -> None:
        super().__init__(name="watcher", daemon=True)
        self._tell, self._sees = tell, sees
        self._stop_asked = threading.Event()
        self._at: live.Position | None = None
        self._failing = Failing(log, "watching the database", OperationalError, InterfaceError)

    def stop(self) -> None:
        """Ask it to end; it does within a step."""
        self._stop_asked.set()

    def run(self) -> None:
        """Watch; a database that is away is waited for, and what changed meanwhile is told then."""
        while not self._stop_asked.is_set():
            try:
                self._watch()
            except Exception as error:  # noqa: BLE001 - told; a watcher that is gone must not look like a quiet house
                self._failing.failed(error)
                self._sees(False)
                self._stop_asked.wait(AGAIN_S)
            finally:
                connection.close()

    def _watch(self) -> None:
        changed = _postgres if connection.vendor == "postgresql" else _sqlite
        if self._at is None:
            self._at = live.position()
        owed, looked = True, 0.0  # a look is owed after every start: nothing was heard before it
        for news in changed():
            if self._stop_asked.is_set():
                return
            if news or owed or time.monotonic() - looked >= (UNSURE_S if self._at.unsure else QUIET_S):
                before, looked = self._at.seq, time.monotonic()
                topics, self._at = live.look(self._at)
                owed = self._at.seq - before >= live.ROWS
                self._sees(True)
                self._failing.worked()
                if topics:
                    self._tell(topics)
            self._stop_asked.wait(STEP_S)


def _sqlite() -> Iterator[bool]:
    """Whether another connection committed since the last question, again and again."""
    last = -1
    while True:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            (version,) = cursor.fetchone()
        yield version != last
        last = version


def _postgres() -> Iterator[bool]:
    """Whether a notice came since the last question; waits for one for a step."""
    import psycopg

    url = instance.postgres_url(connection.settings_dict)
    with (
        connection.wrap_database_errors,
        psycopg.connect(
            url, autocommit=True, keepalives_idle=15, keepalives_interval=5, keepalives_count=3
        ) as listening,
    ):
        listening.execute("LISTEN yunwei")
        while True:
            yield bool(list(listening.notifies(timeout=STEP_S, stop_after=1)))
