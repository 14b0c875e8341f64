"""One at a time: the writers of one process wait for each other here and not at the database.

SQLite lets one writer in and has the others knock again every tenth of a second, in no order: of eight shares that are
stored one after the other some worker's sequencer, or a share itself, would lose that lottery for half a minute and fail.
PostgreSQL needs none of that: it queues writers by the rows that they write, and lets many commits share a flush. To wait in
line there would make each run that ends wait for the flushes of all others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_turn = threading.Lock()


@contextmanager
def turn() -> Iterator[None]:
    """Wait for this thread's turn to write. Inside a transaction, which has the database's lock already, nobody waits."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with _turn:
        yield
