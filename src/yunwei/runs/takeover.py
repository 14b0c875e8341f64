"""Taking over the runs of a dead worker on PostgreSQL: the database is the failure detector.

Each worker holds a session advisory lock keyed by its executor id. Once a second every worker tries the locks of
foreign executors that own work in progress: getting one means that its owner's session is gone, so its work goes back
into the queue. No clocks, no heartbeat table. A worker whose own lock session breaks must stop itself, because others
may take over its work from that moment (`on_lost`). That session is asked in a thread of its own: while the database is away
the engine waits for it, minutes if need be, and a look at others with it.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import psycopg

from yunwei.kernel.failing import Failing
from yunwei.runs.patience import AWAY

log = logging.getLogger(__name__)


class Resumable(Protocol):
    """The part of an engine that takeover needs."""

    executor_id: str

    def pending(self) -> dict[str, list[tuple[str, str]]]: ...

    def resume(self, workflow_ids: Sequence[str], queue: str) -> None: ...


def lock_key(executor_id: str) -> int:
    """The advisory lock's signed 64-bit key of an executor."""
    return int.from_bytes(hashlib.sha256(f"yunwei.worker:{executor_id}".encode()).digest()[:8], "big", signed=True)


class Takeover:
    """Holds this worker's lock and watches the others', from `start` to `stop`."""

    def __init__(self, url: str, engine: Resumable, on_lost: Callable[[], None], *, period: float = 1.0) -> None:
        self._url = url
        self._engine = engine
        self._on_lost = on_lost
        self._period = period
        self._stopping = threading.Event()
        self._connection = psycopg.connect(
            url, autocommit=True, keepalives=1, keepalives_idle=20, keepalives_interval=5, keepalives_count=4
        )
        self._connection.execute("SELECT pg_advisory_lock(%s)", (lock_key(engine.executor_id),))
        self._threads = [
            threading.Thread(target=self._hold, name="lock", daemon=True),
            threading.Thread(target=self._watch, name="takeover", daemon=True),
        ]

    def start(self) -> None:
        """From now on."""
        for thread in self._threads:
            thread.start()

    def _hold(self) -> None:
        """Ask our own session, and nothing else, whether it is still there."""
        while not self._stopping.wait(self._period):
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                if not self._stopping.is_set():
                    log.exception("the lock session broke: this worker stops, others take over its work")
                    self._on_lost()
                return

    def _watch(self) -> None:
        failing = Failing(log, "looking for dead workers", *AWAY, psycopg.OperationalError, psycopg.InterfaceError)
        while not self._stopping.wait(self._period):
            try:
                self.look()
                failing.worked()
            except Exception as error:  # noqa: BLE001 - told; where our own connection broke, by the other thread
                if self._stopping.is_set() or self._connection.closed:
                    return
                failing.failed(error)

    def look(self) -> int:
        """One look at all foreign executors; returns how many workflows were put back."""
        moved = 0
        for executor, work in self._engine.pending().items():
            if executor in ("", self._engine.executor_id) or not self._dead(executor):
                continue
            try:
                moved += self._put_back(executor, work)
            finally:
                self._connection.execute("SELECT pg_advisory_unlock(%s)", (lock_key(executor),))
        return moved

    def _dead(self, executor: str) -> bool:
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (lock_key(executor),)).fetchone()
        return bool(row and row[0])

    def _put_back(self, executor: str, seen: list[tuple[str, str]]) -> int:
        """Only what is *still* pending now that we hold the dead owner's lock: another survivor may have been first."""
        still = dict(self._engine.pending().get(executor, []))
        moved = 0
        for queue in sorted(set(still.values())):
            ids = [workflow_id for workflow_id, _ in seen if still.get(workflow_id) == queue]
            if ids:
                log.warning("taking over %d runs of dead worker %s", len(ids), executor)
                self._engine.resume(ids, queue)
                moved += len(ids)
        return moved

    def stop(self) -> None:
        """Give the lock back and stop looking."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(5)
        self._connection.close()
