"""A crash at every commit and every step boundary of a contract day, one by one.

An undisturbed play of the day counts the points. For each of them the morning is put back, the day is played until the
process dies there, and another process goes on. Then everything must be as in the undisturbed day, to the row.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos import day, machine, mould, state
from chaos.forks import child
from chaos.machine import Bed, Lab, bed
from chaos.model import Ask, Outcome, Scenario
from chaos.points import Point, Points, begun, reached

#: how many points a quick run takes
SAMPLE = 40
#: seconds between two lines that tell how far it is
TELL_S = 15.0


def sqlite(ask: Ask) -> Outcome:
    """A crash at every commit and step boundary of a day, on SQLite"""
    return crashes("sqlite", ask)


def postgres(ask: Ask) -> Outcome:
    """A crash at every commit and step boundary of a day, on PostgreSQL"""
    return crashes("postgres", ask)


def crashes(kind: str, ask: Ask) -> Outcome:
    """The scenario on one kind of database."""
    with Lab() as lab, bed(kind) as home:
        machine.prepare(home, lab)
        ended = child(None, lambda: Mould(home, lab, ask, kind).every(), patience=6 * 3600)
    if ended.problem:
        raise RuntimeError(ended.problem)
    return Outcome(**ended.value)


@dataclass
class Mould:
    """A process that has loaded the product and opened nothing: each play is a fork of it."""

    home: Bed
    lab: Lab
    ask: Ask
    kind: str
    wanted: dict[str, dict[str, int]] = field(default_factory=dict)

    def every(self) -> dict[str, Any]:
        """All points, or a sample of them."""
        mould.warm(self.home)
        points = self.count()
        chosen = self.choose(points)
        self.ask.say(f"  {len(points)} points in the day; {len(chosen)} of them, one crash each")
        outcome = Outcome(unit="crashes")
        outcome.notes.append(f"{len(points)} points in an undisturbed day: {kinds(points)}")
        records = sum(self.wanted["records"].values())
        outcome.notes.append(f"compared: {sum(map(len, self.wanted.values()))} kinds of rows, {records} ledger records")
        told = time.monotonic()
        for number, point in enumerate(chosen, 1):
            outcome.count += 1
            for what in self.crash(point):
                outcome.fail(str(point), what)
                self.ask.say(f"  ✗ {point}: {what}")
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                self.ask.say(f"  {number} of {len(chosen)}")
        return outcome.told()

    def choose(self, points: list[Point]) -> list[Point]:
        """Every point; for a quick run a sample that follows from the seed, in the order of the day."""
        most = self.ask.points or (SAMPLE if self.ask.quick else 0)
        if not most or most >= len(points):
            return points
        dice = self.ask.dice(f"every-point-{self.kind}")
        return [points[i] for i in sorted(dice.sample(range(len(points)), most))]

    def count(self) -> list[Point]:
        """Play the day twice undisturbed: its points, and that it comes out the same."""
        told = []
        for number in (1, 2):
            self.morning()
            trace = self.home.work / f"undisturbed-{number}"
            trace.unlink(missing_ok=True)
            ended = self.home.child(lambda trace=trace: self.whole(trace))  # type: ignore[misc]
            if ended.problem or ended.value["wrong"]:
                raise RuntimeError(f"the undisturbed day fails: {ended.problem} {ended.value}\n{self.home.log()}")
            told.append(ended.value["state"])
            self.ask.say(f"  undisturbed: {ended.value['seconds']}")
        if unlike := state.differences(told[0], told[1]):
            raise RuntimeError(f"two undisturbed days differ: {unlike[:5]}")
        self.wanted = told[0]
        return reached(self.home.work / "undisturbed-1")

    def morning(self) -> None:
        """Everything as it was before the day began."""
        self.home.restore("morning")
        self.lab.show(machine.MORNING)

    def whole(self, trace: Path) -> dict[str, Any]:
        """Play to the end of the day and say what it came to; in a child."""
        a = time.monotonic()
        day.play(self.home, self.lab, Points(trace))
        b = time.monotonic()
        told = state.taken()
        c = time.monotonic()
        wrong = state.proven(self.home)
        d = time.monotonic()
        return {"state": told, "wrong": wrong, "seconds": [b-a, c-b, d-c]}

    def crash(self, point: Point) -> list[str]:
        """Die at a point, go on, compare; what was wrong."""
        first, second = self.home.work / "first", self.home.work / "second"
        for trace in (first, second):
            trace.unlink(missing_ok=True)
        self.morning()
        died = self.home.child(lambda: day.play(self.home, self.lab, Points(first, point)))
        if not died.killed:
            return [f"the point was not reached ({died.code}): {died.problem[-600:]}"]
        held = state.checkpoints(self.home)
        ended = self.home.child(lambda: self.whole(second))
        if ended.problem or ended.code:
            return [f"does not go on ({ended.code}): {ended.problem[-900:]}"]
        wrong = [f"step {name} of {workflow} has a result and ran again" for workflow, name in held & begun(second)]
        wrong += ended.value["wrong"]
        return wrong + state.differences(self.wanted, ended.value["state"])


def kinds(points: list[Point]) -> str:
    """How many points of which kind."""
    told = {
        "business commits": sum(" commit in " in p.label and "engine" not in p.label for p in points),
        "single statements": sum(" statement in " in p.label for p in points),
        "engine commits": sum(" engine commit in " in p.label for p in points),
        "step boundaries": sum(" step " in p.label for p in points),
    }
    return ", ".join(f"{n} at {kind}" for kind, n in told.items())


SCENARIOS: dict[str, Scenario] = {"every-point-sqlite": sqlite, "every-point-postgres": postgres}
