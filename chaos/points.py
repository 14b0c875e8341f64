"""The points at which a process may die: before and after every commit and every step, counted and hit by name.

Nothing of this is in the product. It is put around the product's two databases and its step runner from outside, in the
process that is going to die: Django's commit and its statements outside of a transaction, the engine's commit, the
engine's call of a step. A commit that changed nothing is no point.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
#: whether a transaction of PostgreSQL has changed anything, without making it one that has
CHANGED = "SELECT pg_current_xact_id_if_assigned()"


class Point(NamedTuple):
    """A point by its name and how many times the name was reached by then in one process."""

    label: str
    n: int

    def __str__(self) -> str:
        return f"{self.label} #{self.n}"


class Points:
    """Counts the points that a process reaches into `trace`, and dies at the one named `at`.

    With `every`, every so many-th commit is refused instead, `most` in all, as by a server whose disk is full.
    """

    def __init__(self, trace: Path, at: Point | None = None, *, every: int = 0, most: int = 0) -> None:
        self._at, self._every, self._most = at, every, most
        self._counts: Counter[str] = Counter()
        self._commits = self.refused = 0
        self._lock = threading.Lock()
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def reach(self, label: str) -> None:
        """A point was reached; one line in the trace before anything else happens."""
        with self._lock:
            self._counts[label] += 1
            point = Point(label, self._counts[label])
            os.write(self._trace, f"{point.label}\t{point.n}\n".encode())
        if point == self._at:
            die()
        if self._every and label.startswith("before") and not label.startswith("before step"):
            self._refuse()

    def _refuse(self) -> None:
        with self._lock:
            self._commits += 1
            refuse = self.refused < self._most and self._commits % self._every == 0
            self.refused += refuse
        if refuse:
            raise psycopg.errors.DiskFull("No space left on device")


def die() -> None:
    """Die as a process dies when its machine does: at once, without a last word."""
    os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(1)


def reached(trace: Path) -> list[Point]:
    """The points of a trace, in their order."""
    lines = trace.read_text(encoding="utf-8").splitlines() if trace.exists() else []
    return [Point(label, int(n)) for label, _tab, n in (line.partition("\t") for line in lines)]


def install(points: Points) -> None:
    """Put the points around the product in this process, which has opened no database yet."""
    from django.db.backends.signals import connection_created

    def opened(connection: Any, **_more: Any) -> None:
        if not hasattr(connection, "chaos_changes"):
            connection.execute_wrappers.append(_statements(points))
        connection.chaos_changes = getattr(connection.connection, "total_changes", 0)

    connection_created.connect(opened, weak=False)
    _commits(points)
    _engine(points)
    _steps(points)


def _statements(points: Points) -> Callable[..., Any]:
    """A statement outside of a transaction commits by itself."""

    def statement(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection = context["connection"]
        if connection.in_atomic_block or not WRITES.match(sql):
            return execute(sql, params, many, context)
        where = f"statement in {_site()}"
        with connection.wrap_database_errors:
            points.reach(f"before {where}")
        result = execute(sql, params, many, context)
        connection.chaos_changes = getattr(connection.connection, "total_changes", 0)
        points.reach(f"after {where}")
        return result

    return statement


def _commits(points: Points) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper

    real: Callable[[Any], Any] = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]  # noqa: SLF001 - there is no public seam

    def commit(self: Any) -> Any:
        if not _wrote(self):
            return real(self)
        where = f"commit in {_site()}"
        with self.wrap_database_errors:
            points.reach(f"before {where}")
        result = real(self)
        points.reach(f"after {where}")
        return result

    BaseDatabaseWrapper._commit = commit  # type: ignore[attr-defined]  # noqa: SLF001


def _wrote(wrapper: Any) -> bool:
    """Whether Django's open transaction has changed anything."""
    driver = wrapper.connection
    if driver is None:
        return False
    if wrapper.vendor == "sqlite":
        before, wrapper.chaos_changes = wrapper.chaos_changes, driver.total_changes
        return bool(before != driver.total_changes)
    return driver.execute(CHANGED).fetchone()[0] is not None


def _engine(points: Points) -> None:
    from yunwei.runs import dbos_engine

    real = dbos_engine.database_engine

    def database_engine(url: str) -> Any:
        engine = real(url)
        dialect: Any = engine.dialect
        really = dialect.do_commit

        def do_commit(connection: Any) -> None:
            if not _engine_wrote(connection):
                really(connection)
                return
            where = f"engine commit in {_site('/dbos/')}"
            points.reach(f"before {where}")
            really(connection)
            points.reach(f"after {where}")

        dialect.do_commit = do_commit
        return engine

    dbos_engine.database_engine = database_engine
    _checkpoints(points)


def _checkpoints(points: Points) -> None:
    """On PostgreSQL a checkpoint is one statement that commits by itself."""
    from yunwei.runs import checkpoints

    real = checkpoints.execute

    def execute(driver: Any, statement: str, values: tuple[Any, ...]) -> Any:
        if not WRITES.match(statement):
            return real(driver, statement, values)
        where = "engine commit in runs/checkpoints.py record"
        points.reach(f"before {where}")
        result = real(driver, statement, values)
        points.reach(f"after {where}")
        return result

    checkpoints.execute = execute


def _engine_wrote(connection: Any) -> bool:
    """Whether the engine's open transaction has changed anything."""
    driver = connection.dbapi_connection
    if hasattr(driver, "total_changes"):
        before = connection.info.get("chaos", 0)
        connection.info["chaos"] = driver.total_changes
        return bool(before != driver.total_changes)
    return driver.execute(CHANGED).fetchone()[0] is not None


def _steps(points: Points) -> None:
    from dbos import DBOS

    from yunwei.runs import dbos_engine

    real = dbos_engine._step  # noqa: SLF001 - the one place through which every step goes

    def step(name: str, fn: Callable[..., Any], *args: Any, retries: int = 0) -> Any:
        def stepped(*inner: Any) -> Any:
            where = f"step {name} of {DBOS.workflow_id}"
            points.reach(f"before {where}")
            result = fn(*inner)
            points.reach(f"after {where}")
            return result

        return real(name, stepped, *args, retries=retries)

    dbos_engine._step = step  # noqa: SLF001


def begun(trace: Path) -> set[tuple[str, str]]:
    """The steps that a process began: (workflow, name of the step)."""
    found = set()
    for point in reached(trace):
        name, of, workflow = point.label.removeprefix("before step ").rpartition(" of ")
        if point.label.startswith("before step ") and of:
            found.add((workflow, name))
    return found


#: frames that say nothing about who commits
PASSED = frozenset({"db_wrapper", "wrapper", "db_retry", "_retry", "inner", "__exit__", "bulk_create"})


def _site(part: str = "/yunwei/") -> str:
    """The innermost function of the product (or of the engine) that is being executed: `duties/running.py submit_due`."""
    frame = sys._getframe(1)  # noqa: SLF001 - the stack is what is asked for
    while frame is not None:
        name = frame.f_code.co_filename
        if part in name and "/chaos/" not in name and frame.f_code.co_name not in PASSED:
            return f"{name.rpartition(part)[2]} {frame.f_code.co_name}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return "elsewhere"
