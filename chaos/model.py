"""What a scenario is asked, and what it says: how many times something was broken, and what did not survive it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class NotHere(Exception):  # noqa: N818 - a state of the machine rather than a fault of ours
    """What a scenario needs cannot be had on this machine; the message says what. It then has not passed."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: the seed that everything random follows from, whether a sample is enough, and of how many points
    at most (0: the scenario's own measure).

    `say` prints a line at once: scenarios tell what they do while they do it.
    """

    seed: int
    quick: bool
    points: int = 0
    say: Callable[[str], None] = field(default=lambda _text: None)

    def dice(self, name: str) -> random.Random:
        """A generator of this scenario's own: its choices do not depend on which others ran before it."""
        return random.Random(f"{self.seed}:{name}")  # noqa: S311 - a run that can be had again


@dataclass(slots=True)
class Outcome:
    """What came of a scenario. `count` says how often something was broken, `unit` what that was.

    `failures` are sentences, each naming the point and what was wrong afterwards; none means passed. `notes` are what
    else a reader wants to know: figures, what was compared.
    """

    count: int = 0
    unit: str = "points"
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    name: str = ""
    title: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether something was broken at all and nothing was wrong afterwards."""
        return self.count > 0 and not self.failures

    def fail(self, where: str, what: str) -> None:
        """Note that at a point something was wrong afterwards."""
        self.failures.append(f"{where}: {what}")

    def told(self) -> dict[str, Any]:
        """As JSON, for a process that reports to another one: `Outcome(**told)`."""
        return {"count": self.count, "unit": self.unit, "failures": self.failures, "notes": self.notes}


Scenario = Callable[[Ask], Outcome]
