"""Taking over the runs of a dead worker on PostgreSQL: the database is the failure detector.

Each worker holds a session advisory lock keyed by its executor id. Once a second every worker tries the locks of
foreign executors that own work in progress: getting one means that its owner's session is gone, so its work goes back
into the queue. No clocks, no heartbeat table. A worker whose own lock session breaks must stop itself, because others
may take over its work from that moment (`on_lost`).
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import psycopg

log = logging.getLogger(__name__)


class Resumable(Protocol):
    """The part of an engine that takeover needs."""

    executor_id: str

    def pending(self) -> dict[str, list[tuple[str, str]]]: ...

    def resume(self, workflow_ids: Sequence[str], queue: str) -> None: ...


def lock_key(executor_id: str) -> int:
    """The advisory lock's signed 64-bit key of an executor."""
    return int.from_bytes(hashlib.sha256(f"yunwei.worker:{executor_id}".encode()).digest()[:8], "big", signed=True)


class Takeover(threading.Thread):
    """Holds this worker's lock and watches the others'."""

    def __init__(self, url: str, engine: Resumable, on_lost: Callable[[], None], *, period: float = 1.0) -> None:
        super().__init__(name="takeover", daemon=True)
        self._url = url
        self._engine = engine
        self._on_lost = on_lost
        self._period = period
        self._stopping = threading.Event()
        self._connection = psycopg.connect(
            url, autocommit=True, keepalives=1, keepalives_idle=20, keepalives_interval=5, keepalives_count=4
        )
        self._connection.execute("SELECT pg_advisory_lock(%s)", (lock_key(engine.executor_id),))

    def run(self) -> None:
        while not self._stopping.wait(self._period):
            try:
                self.look()
            except Exception:
                if self._stopping.is_set():
                    return
                if self._held():  # the engine's own connection failed, say: our lock is ours all the same
                    log.exception("looking for dead workers failed and is tried again")
                    continue
                log.exception("the lock session broke: this worker stops, others take over its work")
                self._on_lost()
                return

    def _held(self) -> bool:
        """Whether the session that holds our lock still answers."""
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def look(self) -> int:
        """One look at all foreign executors; returns how many workflows were put back."""
        self._connection.execute("SELECT 1")
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
        if self.is_alive():
            self.join(5)
        self._connection.close()
