"""Random kill -9 of a served platform's processes, with people at work and devices being looked at."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from chaos import machine, mould, served, state
from chaos.forks import child
from chaos.machine import Bed, Lab, bed
from chaos.model import Ask, Outcome, Scenario
from chaos.served import Platform

KILLS, QUICK = 30, 4
#: what is killed, evenly
TARGETS = ("worker", "web", "group")
ROLE = {"worker": "worker", "web": "web", "group": "worker"}
#: tickets that a department opens in each round, and looks that are asked for
TICKETS, LOOKS = 4, 1
#: local hour at which it begins: nothing falls due for hours
HOUR = 13.0
#: what a start of the platform records by itself
STARTS = ("assets.credential",)


def sqlite(ask: Ask) -> Outcome:
    """30 random kill -9 of worker, web and the whole group, on SQLite"""
    return kills("sqlite", 1, ask)


def postgres(ask: Ask) -> Outcome:
    """30 random kill -9 of workers, web and the whole group, on PostgreSQL"""
    return kills("postgres", 2, ask)


def kills(kind: str, workers: int, ask: Ask) -> Outcome:
    """The scenario on one kind of database."""
    with Lab() as lab, bed(kind) as home:
        machine.prepare(home, lab)
        ended = child(None, lambda: Rounds(home, lab, ask, kind, workers).all(), patience=3 * 3600)
    if ended.problem:
        raise RuntimeError(ended.problem)
    return Outcome(**ended.value)


@dataclass
class Rounds:
    """Rounds of work, the same with and without kills."""

    home: Bed
    lab: Lab
    ask: Ask
    kind: str
    workers: int
    token: str = ""
    acknowledged: dict[str, str] = field(default_factory=dict)

    def all(self) -> dict[str, Any]:
        """Undisturbed, then with kills, then compared."""
        mould.warm(self.home)
        count = self.ask.points or (QUICK if self.ask.quick else KILLS)
        dice = self.ask.dice(f"random-kills-{self.kind}")
        targets = [TARGETS[n % len(TARGETS)] for n in range(count)]
        dice.shuffle(targets)
        plan = [(target, dice.uniform(0.0, 6.0)) for target in targets]
        wanted = self.play(plan, kill=False)
        outcome = Outcome(unit="kills")
        found = self.play(plan, kill=True, outcome=outcome)
        for title, number in self.acknowledged.items():
            if found["numbers"].get(title) != [number]:
                outcome.fail("a ticket that was acknowledged", f"{title} {number} is {found['numbers'].get(title)}")
        outcome.failures += [*found["wrong"], *state.differences(wanted["state"], found["state"])]
        outcome.notes.append(
            f"{len(self.acknowledged)} tickets acknowledged over the web, {count * LOOKS} looks of 3 devices"
        )
        return outcome.told()

    def play(self, plan: list[tuple[str, float]], *, kill: bool, outcome: Outcome | None = None) -> dict[str, Any]:
        """All rounds from the morning on; what they came to."""
        self.home.restore("morning")
        self.lab.show(machine.MORNING)
        self.token = self.home.child(self.begin).value
        self.acknowledged.clear()
        hit: dict[str, int] = {}
        with Platform(self.home, workers=self.workers) as platform:
            platform.wait(self.settled, "the day's own runs")
            for number, (target, after) in enumerate(plan, 1):
                people = self.home.running(lambda number=number: self.work(number))  # type: ignore[misc]
                if kill:
                    platform.wait(lambda target=target: bool(platform.pids(ROLE[target])), target)  # type: ignore[misc]
                    time.sleep(after)
                    hit[target] = hit.get(target, 0) + bool(platform.kill(target))
                    if outcome is not None:
                        outcome.count += 1
                while not people_done(people, platform):
                    time.sleep(0.1)
                ended = people.wait()
                if ended.problem:
                    raise RuntimeError(f"people could not work: {ended.problem}\n{platform.log()}")
                self.acknowledged.update(ended.value)
                platform.wait(self.settled, f"the end of round {number}")
                platform.wait(platform.answers, "the console")
                if kill and number % 5 == 0:
                    self.ask.say(f"  {number} of {len(plan)} kills, {platform.starts} starts")
            starts = platform.starts
        if kill and outcome is not None:
            outcome.notes.append(
                f"killed: {', '.join(f'{name} {n}' for name, n in sorted(hit.items()))}; {starts} starts"
            )
        ended = self.home.child(self.told)
        if ended.problem:
            raise RuntimeError(f"cannot be compared: {ended.problem}")
        told: dict[str, Any] = ended.value
        return told

    def begin(self) -> str:
        """The instance's clock, and a key for the department's program; in a child."""
        from yunwei.accounts import tokens
        from yunwei.cli import common
        from yunwei.server import instance

        instance.set_clock(machine.at(HOUR))
        clock = instance.clock()
        self.lab.clock((clock.now() - machine.real()).total_seconds())
        return tokens.make(common.actor_account("tenant"), "chaos", ["read", "tickets"], 30, now=clock.now())[1]

    def work(self, number: int) -> dict[str, str]:
        """What people do in a round: looks are asked for by a command, tickets over the web; in a child."""
        from yunwei.runs import services as runs
        from yunwei.server import instance

        for look in range(LOOKS):
            codes = list(machine.DEVICES)
            runs.submit(
                f"look:chaos:{number:03d}:{look + 1}", "hardware.inspect", {"assets": codes}, {"baseline": codes},
                {"why": "chaos"}, now=instance.clock().now(),
            )  # fmt: skip
        told = {}
        for n in range(TICKETS):
            title = f"演示：第 {number} 轮第 {n + 1} 件"
            told[title] = served.ask_for(self.home.port, self.token, title)
            time.sleep(0.5)
        return told

    def settled(self) -> bool:
        """Whether the platform has come to rest."""
        return served.settled(self.home)

    def told(self) -> dict[str, Any]:
        """What it came to, after one more look at what is due, as a worker takes every few seconds; in a child."""
        from yunwei.desk.models import Ticket
        from yunwei.duties import services as duties
        from yunwei.ledger import services as ledger
        from yunwei.server import instance

        duties.tick(instance.clock().now())
        ledger.sequence(instance.clock().now())

        numbers: dict[str, list[str]] = {}
        for title, number in Ticket.objects.values_list("title", "number"):
            numbers.setdefault(title, []).append(number)
        return {
            "state": state.taken(by_title=True, without=STARTS),
            "wrong": state.proven(self.home),
            "numbers": numbers,
        }


def people_done(people: Any, platform: Platform) -> bool:
    """Whether the people of a round are through, while the platform is tended."""
    platform.tend()
    return bool(people.ended())


SCENARIOS: dict[str, Scenario] = {"random-kills-sqlite": sqlite, "random-kills-postgres": postgres}
