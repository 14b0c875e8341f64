"""A step whose database is away, or whose disk is full, is done again in its place before it fails.

A step is at-least-once anyway (`procedure.Step`), so nothing can happen twice by that; and a run that failed because the
server restarted for three seconds would leave a day unproven that was looked at.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import sqlalchemy as sa
from django.db import InterfaceError, OperationalError, connection, connections

from yunwei.kernel.errors import first_line

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
#: the business database, and the engine's
AWAY = (OperationalError, InterfaceError, sa.exc.OperationalError, sa.exc.InterfaceError)
#: seconds before each further try: half a minute in all, longer than a server needs to restart
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def patient(step: Callable[P, T]) -> Callable[P, T]:
    """Try a step again while its database or disk fails; what else it raises, and the last failure, is raised.

    Not inside of a caller's transaction, which has failed with it.
    """

    @wraps(step)
    def tried(*args: P.args, **kwargs: P.kwargs) -> T:
        for wait in WAITS:
            try:
                return step(*args, **kwargs)
            except Exception as error:
                if not _passes(error) or connection.in_atomic_block:
                    raise
                cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
                said = f"{type(cause).__name__}: {first_line(cause)}"
                log.warning("%s: %s: tried again in %s s", step.__qualname__, said, wait)
            connections.close_all()
            time.sleep(wait)
        return step(*args, **kwargs)

    return tried


def _passes(error: Exception) -> bool:
    """Whether a failure is one of the database or the disk, and not of what was done."""
    return isinstance(error, AWAY) or isinstance(error.__cause__, OSError)
