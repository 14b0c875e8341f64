"""Every n-th write of the instance fails while a day is played: disk full and I/O error.

The failing goes on for a while and then ends, as when somebody makes room. Meanwhile people and worker do what they do:
whoever heard an error tries again, in the same process or, when that died, in the next one. It ends sooner than a step of a
run gives up (`runs.patience`), so the day must have come out as an undisturbed one, to the row.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from chaos import day, machine, mould, preloaded, shim, state
from chaos.forks import child
from chaos.machine import Bed, Lab
from chaos.model import Ask, Outcome, Scenario
from chaos.points import Points
from yunwei.cli.demo_stage import free_port

#: how many writes fail in one play before there is room again, or for how many seconds: a step that met the first of them
#: is tried once more after half a minute; tries of a person in each process
FAILURES, ROOM_S, TRIES = 60, 20.0, 100
#: processes that may die in it: one that dies of a write that failed has used one up
LIVES = FAILURES + 10
PLAYS, QUICK = 8, 2
#: seconds of one process: a step of which every try meets a failing write waits up to sixteen seconds between two of them,
#: half a minute in all (`runs.patience`), and the last step of a run is tried six times so
LIFE_S = 300.0
#: from one failing write (on PostgreSQL: commit, of which a day has a hundred) to the next
EVERY = {"sqlite": (7, 300), "postgres": (3, 25)}


def sqlite(ask: Ask) -> Outcome:
    """Every n-th write and flush fails (ENOSPC, EIO) while a day is played, on SQLite"""
    with machine.folder() as folder:
        work = Path(folder)
        environment = shim.build(work, work / "instance")
        return preloaded.begin(f"{__name__}:under_shim", ask, environment, work=folder)


def postgres(ask: Ask) -> Outcome:
    """Every n-th commit is refused (disk full) while a day is played, on PostgreSQL"""
    with machine.bed("postgres") as home:
        return whole(home, ask, "postgres")


def under_shim(ask: Ask, work: str) -> Outcome:
    """The scenario on SQLite, in a process whose writes fail when the switch says so."""
    return whole(Bed(Path(work), "", free_port()), ask, "sqlite")


def whole(home: Bed, ask: Ask, kind: str) -> Outcome:
    """The scenario on one kind of database."""
    with Lab() as lab:
        machine.prepare(home, lab)
        ended = child(None, lambda: Plays(home, lab, ask, kind).all().told(), patience=3600)
    if ended.problem:
        raise RuntimeError(ended.problem)
    return Outcome(**ended.value)


@dataclass
class Plays:
    """Plays of the day with failing writes."""

    home: Bed
    lab: Lab
    ask: Ask
    kind: str
    switches: shim.Switches | None = None
    lives: list[int] = field(default_factory=list)

    def all(self) -> Outcome:
        """All of them, after an undisturbed one."""
        mould.warm(self.home)
        self.switches = shim.Switches.ours() if self.kind == "sqlite" else None
        outcome = Outcome(unit="failed writes")
        wanted, _failed = self.play(0)
        dice = self.ask.dice(f"failing-writes-{self.kind}")
        for number in range(self.ask.points or (QUICK if self.ask.quick else PLAYS)):
            every = dice.randint(*EVERY[self.kind])
            found, failed = self.play(every)
            outcome.count += failed
            self.ask.say(f"  play {number + 1}: every {every}th failed, {failed} in all, {self.lives[-1]} processes")
            wrong = found["wrong"] + state.differences(wanted["state"], found["state"])
            outcome.failures += [f"every {every}th write: {what}" for what in wrong]
        outcome.notes.append(f"processes in a play: {', '.join(map(str, self.lives[1:]))}")
        return outcome

    def play(self, every: int) -> tuple[dict[str, Any], int]:
        """One day: what it came to, and how many writes failed."""
        self.home.restore("morning")
        self.lab.show(machine.MORNING)
        failed, late = 0, time.monotonic() + ROOM_S
        if self.switches is not None:
            self.switches.fail_every(every, most=FAILURES)
        self.lives.append(0)
        for _life in range(LIVES):
            self.lives[-1] += 1
            over = failed >= FAILURES or time.monotonic() > late
            ended = self.home.child(
                partial(self.live, every, FAILURES - failed), patience=LIFE_S, meanwhile=partial(self.room, late)
            )
            failed = self.switches.failed if self.switches is not None else failed + (ended.value or 0)
            if not ended.problem:
                break
            if over and self.switches is not None:
                raise RuntimeError(f"does not go on though writes succeed again: {ended.problem}")
        else:
            raise RuntimeError(f"{LIVES} processes did not get through the day: {ended.problem}")
        if self.switches is not None:
            self.switches.fail_every(0)
        told = self.home.child(lambda: {"state": state.taken(), "wrong": state.proven(self.home)})
        if told.problem:
            raise RuntimeError(told.problem)
        return told.value, failed

    def room(self, late: float) -> None:
        """Somebody makes room in time."""
        if self.switches is not None and time.monotonic() > late:
            self.switches.make_room()

    def live(self, every: int, most: int) -> int:
        """One process's part of the day; in a child."""
        refusing = every if self.switches is None else 0
        points = Points(self.home.work / "trace", every=refusing, most=most)
        day.play(self.home, self.lab, points, tries=TRIES)
        return points.refused


SCENARIOS: dict[str, Scenario] = {"failing-writes-sqlite": sqlite, "failing-writes-postgres": postgres}
