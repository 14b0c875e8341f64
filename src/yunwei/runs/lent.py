"""Django's connections of the engine's threads: lent for the length of a step, resting between steps, few in all.

Making one costs PostgreSQL a process that knows no table yet, more than most steps; keeping one for every thread that ever
ran a step would use up the server's. So those that rest are taken by whoever comes next, the one used last first. How long
one lives is Django's own CONN_MAX_AGE; with 0, as outside of a worker, none is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

#: seconds of rest after which a connection is asked whether it lives before it is used; one that broke sooner fails its
#: step, which is done again (`patience`)
ASK_S = 1.0
#: seconds of rest after which a connection is closed
REST_S = 60.0

_lock = threading.Lock()
_resting: list[tuple[float, BaseDatabaseWrapper]] = []


@contextmanager
def lent() -> Iterator[None]:
    """A connection for what this thread does with the database in the block; not to be nested."""
    wrapper = _take()
    connections[DEFAULT_DB_ALIAS] = wrapper
    try:
        yield
    finally:
        del connections[DEFAULT_DB_ALIAS]
        _give_back(wrapper)


def _take() -> BaseDatabaseWrapper:
    with _lock:
        if _resting:
            since, wrapper = _resting.pop()
            wrapper.health_check_done = time.monotonic() - since < ASK_S  # type: ignore[attr-defined]  # stubs lack it
            return wrapper
    wrapper = connections.create_connection(DEFAULT_DB_ALIAS)
    wrapper.inc_thread_sharing()  # one thread after the other, never two at once
    return wrapper


def _give_back(wrapper: BaseDatabaseWrapper) -> None:
    """What broke, is too old or is still in a transaction is closed instead."""
    if wrapper.in_atomic_block:
        wrapper.close()
        return
    wrapper.close_if_unusable_or_obsolete()
    if wrapper.connection is not None:
        with _lock:
            _resting.append((time.monotonic(), wrapper))


def sweep(rest_s: float = REST_S) -> int:
    """Close those that have rested so long; returns how many. A worker does now and then, and with 0 at its end."""
    now = time.monotonic()
    with _lock:
        old = [wrapper for since, wrapper in _resting if now - since >= rest_s]
        _resting[:] = [entry for entry in _resting if now - entry[0] < rest_s]
    for wrapper in old:
        wrapper.close()
    return len(old)
