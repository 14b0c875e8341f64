"""Work that is tried again and again: its failure is one line in the log, told once and again while it lasts, and its end
is told too. A database that restarts is no fault of the program; what is one comes with its traceback, every time."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable

from yunwei.kernel.errors import YunweiError, first_line

#: seconds after which the same failure is told again
AGAIN_S = 60.0


class Failing:
    """One such work, `what` in the log's words; `ordinary` are the errors that are no fault of the program."""

    def __init__(
        self, log: logging.Logger, what: str, *ordinary: type[Exception], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._what, self._clock = log, what, clock
        self._ordinary = (YunweiError, OSError, *ordinary)
        self._said, self._at, self._silent = "", 0.0, 0

    def failed(self, error: Exception) -> None:
        """It failed and will be tried again."""
        ordinary = isinstance(error, self._ordinary) and not _wrong(error)
        said = f"{type(error).__name__}: {first_line(error)}"
        now = self._clock()
        if ordinary and said == self._said and now - self._at < AGAIN_S:
            self._silent += 1
            return
        more = f" ({self._silent} times more meanwhile)" if self._silent else ""
        self._log.error(
            "%s failed and is tried again: %s%s", self._what, said, more, exc_info=None if ordinary else error
        )
        self._said, self._at, self._silent = said, now, 0

    def worked(self) -> None:
        """It was done."""
        if self._said:
            self._log.warning("%s works again", self._what)
            self._said, self._silent = "", 0


def _wrong(error: Exception) -> bool:
    """Whether SQLite found a statement wrong (no such table, bad syntax): its driver gives that the same class as a full
    disk or another writer."""
    return any(getattr(one, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR for one in (error, error.__cause__))
