"""A crash at every commit and every step boundary of a contract day, one by one.

An undisturbed play of the day, scene by scene, counts the points. For each of them the moment before its scene is put
back, the scene is played until the process dies there, and another process goes on. Then everything must be as it was after
that scene of the undisturbed day, to the row; a share of the plays goes on to the end of the day.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from chaos import day, machine, mould, state
from chaos.forks import child
from chaos.machine import Bed, Lab, bed
from chaos.model import Ask, Outcome, Scenario
from chaos.points import Point, Points, begun, reached

#: how many points a quick run takes
SAMPLE = 40
#: points for which the first scenes are enough (a look with a fault, a head, two tickets, another tick)
HANDFUL, SHORT = 10, 5
#: share of the crashes after which the day is played to its end, and not only to the end of the scene
TO_THE_END = 0.1
#: the scene in which the morning's fault is mended
REPAIR = next(number for number, scene in enumerate(day.SCENES) if scene.act is day.repair)
State = dict[str, dict[str, int]]
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
        ended = child(None, lambda: Mould(home, lab, ask, kind).every().told(), patience=6 * 3600)
    if ended.problem:
        raise RuntimeError(ended.problem)
    return Outcome(**ended.value)


class At(NamedTuple):
    """A point and the scene in which it is reached."""

    scene: int
    point: Point

    def __str__(self) -> str:
        return f"{day.SCENES[self.scene].name}, {self.point}"


@dataclass
class Mould:
    """A process that has loaded the product and opened nothing: each play is a fork of it.

    `after` is what every table holds after each scene of an undisturbed day.
    """

    home: Bed
    lab: Lab
    ask: Ask
    kind: str
    after: list[State] = field(default_factory=list)

    @property
    def scenes(self) -> int:
        """How much of the day is played: for a handful of points its beginning will do."""
        return SHORT if 0 < self.ask.points <= HANDFUL else len(day.SCENES)

    def every(self) -> Outcome:
        """All points, or a sample of them."""
        mould.warm(self.home)
        state.remember()
        points = self.count()
        chosen = self.choose(points)
        dice = self.ask.dice(f"to-the-end-{self.kind}")
        outcome = Outcome(unit="crashes")
        self.ask.say(f"  {len(points)} points in the day; a crash at {len(chosen)} of them")
        told, to_the_end = time.monotonic(), 0
        for number, at in enumerate(chosen, 1):
            outcome.count += 1
            whole = dice.random() < TO_THE_END
            to_the_end += whole
            for what in self.crash(at, whole=whole):
                outcome.fail(str(at), what)
                self.ask.say(f"  ✗ {at}: {what}")
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                self.ask.say(f"  {number} of {len(chosen)}")
        rows, records = sum(map(len, self.after[-1].values())), sum(self.after[-1]["records"].values())
        outcome.notes += [
            f"{len(points)} points in an undisturbed day: {kinds([at.point for at in points])}",
            f"compared after each: up to {rows} kinds of rows, of them {records} ledger records",
            f"played on to the end of the day: {to_the_end}",
        ]
        return outcome

    def choose(self, points: list[At]) -> list[At]:
        """Every point; for a quick run a sample that follows from the seed, in the order of the day."""
        most = self.ask.points or (SAMPLE if self.ask.quick else 0)
        if not most or most >= len(points):
            return points
        dice = self.ask.dice(f"every-point-{self.kind}")
        return [points[i] for i in sorted(dice.sample(range(len(points)), most))]

    def count(self) -> list[At]:
        """Play the day undisturbed, scene by scene, and once more in one go: its points, and that it comes out the same."""
        self.lab.show(machine.MORNING)
        self.home.restore("morning")
        points: list[At] = []
        for number in range(self.scenes):
            day.enter(self.home, number)
            self.home.save(f"scene_{number}")
            trace = self.trace("undisturbed")
            ended = self.play(trace, number + 1)
            points += [At(number, point) for point in reached(trace)]
            self.after.append(ended["state"])
            state.check_once(self.home, ended["heads"])
        self.lab.show(machine.MORNING)
        self.home.restore("morning")
        again = self.play(self.trace("undisturbed"), self.scenes)
        if unlike := state.differences(self.after[-1], again["state"]):
            raise RuntimeError(f"two undisturbed days differ: {unlike[:5]}")
        return points

    def trace(self, name: str) -> Path:
        """A file for the points that a process reaches, empty."""
        path = self.home.work / name
        path.unlink(missing_ok=True)
        return path

    def play(self, trace: Path, until: int, at: Point | None = None) -> dict[str, Any]:
        """Play up to a scene in a child: what it came to. Raises RuntimeError when that fails or something does not hold."""
        ended = self.home.child(lambda: self.whole(Points(trace, at), until))
        if ended.problem or ended.code or ended.value["wrong"]:
            raise RuntimeError(f"{ended.code} {ended.problem[-900:]} {(ended.value or {}).get('wrong')}")
        told: dict[str, Any] = ended.value
        return told

    def whole(self, points: Points, until: int) -> dict[str, Any]:
        """What a child does: play, then say what is there and whether it proves itself."""
        day.play(self.home, self.lab, points, until=until)
        return {"state": state.taken(), "wrong": state.proven(self.home), "heads": state.heads()}

    def crash(self, at: At, *, whole: bool) -> list[str]:
        """Die at a point, go on to the end of the scene (or of the day), compare; what was wrong."""
        first, second = self.trace("first"), self.trace("second")
        self.home.restore(f"scene_{at.scene}")
        day.enter(self.home, at.scene)
        self.lab.show(machine.MORNING if at.scene <= REPAIR else machine.EVENING)
        until = self.scenes if whole else at.scene + 1
        died = self.home.child(lambda: day.play(self.home, self.lab, Points(first, at.point), until=at.scene + 1))
        if not died.killed:
            return [f"the point was not reached ({died.code}): {died.problem[-600:]}"]
        held = state.checkpoints(self.home)
        try:
            told = self.play(second, until)
        except RuntimeError as error:
            return [f"does not go on: {error}"]
        wrong = [f"step {name} of {workflow} has a result and ran again" for workflow, name in held & begun(second)]
        return wrong + state.differences(self.after[until - 1], told["state"])


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
