"""The small port behind which the durable engine stands. `dbos_engine` and `inline` implement it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from yunwei.kernel.errors import YunweiError


class EngineError(YunweiError):
    """The engine cannot do what was asked."""


class Engine(Protocol):
    """Runs procedures durably. Submitting an id twice is a no-op."""

    def submit(self, run_ids: Sequence[str]) -> None:
        """Start the runs of these ids on some worker, except those that were submitted before."""
        ...

    def known(self, run_ids: list[str]) -> dict[str, bool]:
        """Which of these ids the engine has, and whether it has put them down; the reconciler submits the others again."""
        ...

    def cancel(self, run_id: str) -> None:
        """Stop before the next step."""
        ...


_engine: Engine | None = None


def use(engine: Engine | None) -> None:
    """Set the engine of this process (the doors do, once)."""
    global _engine  # noqa: PLW0603 - one engine a process, set by the door
    _engine = engine


def current() -> Engine | None:
    """The engine of this process; None where one only records (web, commands): a worker's reconciler picks up."""
    return _engine
