"""The machine's clock jumps forward a day and back, under the platform as it runs.

The wall clock of all its processes stands off (`faults.c`), as after a broken time server or a virtual machine that was
restored. What the platform did on the wrong day it did; nothing of it may be lost, done twice, or cost anybody anything
once the clock is right again, and the ledger must say when time ran back and when it had caught up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from chaos import machine, mould, served, shim, state
from chaos.forks import child
from chaos.machine import Bed, Lab
from chaos.model import Ask, Outcome, Scenario
from chaos.served import Platform
from yunwei.cli.demo_stage import free_port

HOUR = 13.0
DAY_S = 24 * 3600
PATIENCE_S = 60.0


def jump(ask: Ask) -> Outcome:
    """The clock jumps forward a day and back under a served platform, then the day really passes"""
    with machine.folder() as folder, Lab() as lab:
        home = Bed(Path(folder), "", free_port())
        machine.prepare(home, lab)
        environment = shim.build(home.work, home.folder)
        switches = shim.Switches(Path(environment["CHAOS_CONTROL"]))
        ended = child(None, lambda: Clock(home, lab, ask, environment, switches).all().told(), patience=1800)
    if ended.problem:
        raise RuntimeError(ended.problem)
    return Outcome(**ended.value)


@dataclass
class Clock:
    """The phases: right, a day ahead, right again, a day later."""

    home: Bed
    lab: Lab
    ask: Ask
    environment: dict[str, str]
    switches: shim.Switches
    ahead: int = 0
    token: str = ""

    def all(self) -> Outcome:
        """All phases, each with people and a look, and what must hold in it."""
        mould.warm(self.home)
        self.home.restore("morning")
        self.lab.show(machine.MORNING)
        self.token = self.done(self.begin)
        outcome = Outcome(unit="jumps")
        with Platform(self.home, more=self.environment) as platform:
            platform.wait(self.settled, "the day's own runs")
            self.work(platform, 1)
            before = self.done(duties)
            self.jump(platform, outcome, DAY_S)
            self.work(platform, 2)
            self.jump(platform, outcome, 0)
            self.reopened(platform, before, outcome)
            self.work(platform, 3)
            self.done(self.prove)
            self.jump(platform, outcome, DAY_S + 3600)
            self.work(platform, 4)
        self.judge(outcome)
        return outcome

    def begin(self) -> str:
        """The instance's clock, and a key for the department's program; in a child."""
        from yunwei.accounts import tokens
        from yunwei.cli import common
        from yunwei.server import instance

        instance.set_clock(machine.at(HOUR))
        now = instance.clock().now()
        self.lab.clock((now - machine.real()).total_seconds())
        return tokens.make(common.actor_account("tenant"), "chaos", ["read", "tickets"], 30, now=now)[1]

    def jump(self, platform: Platform, outcome: Outcome, ahead: int) -> None:
        """The clock stands otherwise from now on; waited for until a worker has looked at it."""
        self.ask.say(f"  the clock stands {ahead / 3600:+.0f} h")
        self.switches.ahead(ahead)
        self.ahead = ahead
        outcome.count += 1
        seen = self.done(self.seen)
        platform.wait(lambda: bool(self.done(self.seen) != seen), "a worker's tick", seconds=PATIENCE_S)
        platform.wait(lambda: bool(self.done(self.seen_now)), "a tick by the new clock", seconds=PATIENCE_S)

    def seen(self) -> str:
        """When the worker told of itself; in a child."""
        from yunwei.runs.models import Worker

        return str(list(Worker.objects.values_list("seen_at", flat=True)))

    def seen_now(self) -> bool:
        """Whether the worker told of itself by the clock as it stands; in a child."""
        from yunwei.runs.models import Worker

        newest = Worker.objects.latest("seen_at").seen_at
        return bool(abs((newest - self.now()).total_seconds()) < PATIENCE_S)

    def now(self) -> Any:
        """The instance's moment as its processes see it."""
        from yunwei.server import instance

        return instance.clock().now() + timedelta(seconds=self.ahead)

    def work(self, platform: Platform, phase: int) -> None:
        """A look by a command and a ticket over the web."""
        self.done(lambda: submit(f"look:chaos:{phase:03d}:1", self.now()))
        self.done(lambda: served.ask_for(self.home.port, self.token, f"演示：第 {phase} 段"))
        platform.wait(self.settled, f"the end of phase {phase}", seconds=PATIENCE_S)

    def reopened(self, platform: Platform, before: dict[str, str], outcome: Outcome) -> None:
        """What was closed because its time seemed to have passed is open again: its time has not passed."""

        def lost() -> list[str]:
            now = self.done(duties)
            return [f"{key} was {was} and is {now.get(key)}" for key, was in before.items() if was != now.get(key)]

        try:
            platform.wait(lambda: not lost(), "what was due before the jump to be due again", seconds=PATIENCE_S)
        except RuntimeError:
            outcome.failures += [f"cost by the jump: {what}" for what in lost()]

    def prove(self) -> None:
        """A duty of the day is proven by hand in time and confirmed; in a child."""
        from yunwei.cli import common
        from yunwei.duties import services as duties
        from yunwei.duties import sources
        from yunwei.duties.models import Occurrence
        from yunwei.duties.proofs import manual

        by_hand = [o.id for o in sources.folder().obligations if manual(o) and o.owes == "B"]
        of_day = Occurrence.objects.filter(period=f"{machine.DAY:%Y-%m-%d}", obligation__in=by_hand)
        row = of_day.filter(due_at__gt=self.now(), state="due").order_by("due_at", "pk")[0]
        file = duties.File("chaos.txt", b"done\n", "text/plain")
        proof = duties.state_proof(
            row.pk, statement="演示：已完成", file=file, by=common.actor_account("b_engineer"), now=self.now()
        )
        duties.answer_proof(proof.pk, confirm=True, by=common.actor_account("a_manager"), now=self.now())
        row.refresh_from_db()
        if row.state != "kept":
            raise RuntimeError(f"{row.key} was proven in time and is {row.state}")

    def judge(self, outcome: Outcome) -> None:
        """What must hold at the end."""
        told = self.done(
            lambda: {"state": state.taken(by_title=True), "wrong": state.proven(self.home), "said": said()}
        )
        outcome.failures += [what for what in told["wrong"] if "clock that ran back" not in what]
        if told["said"] != {"ledger.clock.back": 1, "ledger.clock.recovered": 1}:
            outcome.fail("the ledger's word on the clock", str(told["said"]))
        for table in ("runs", "tickets", "occurrences", "results", "attempts"):
            twice = [row for row, n in told["state"][table].items() if n > 1 and '"event:#"' not in row]
            outcome.failures += [f"{table}: twice {row[:200]}" for row in twice]
        looks = [row for row in told["state"]["runs"] if '"look:chaos:' in row]
        done = [row for row in looks if '"done", 3, 3' in row]
        if (len(looks), len(done)) != (4, 4):
            outcome.fail("the looks that were asked for", f"{len(looks)} of 4, {len(done)} done: {looks}")
        asked = [row for row in told["state"]["tickets"] if "段" in row]
        if len(asked) != 4:
            outcome.fail("the tickets that were asked for", str(asked))

    def settled(self) -> bool:
        """Whether every run has ended and every claim has its number."""
        ((runs,),) = self.home.rows("SELECT count(*) FROM runs_run WHERE ended_at IS NULL")
        ((of_day,),) = self.home.rows("SELECT count(*) FROM duties_attempt")
        ((waiting,),) = self.home.rows("SELECT count(*) FROM ledger_waiting")
        return bool(of_day > 0 and runs == 0 and waiting == 0)

    def done(self, act: Any) -> Any:
        """Something done in a child, which must succeed."""
        ended = self.home.child(act)
        if ended.problem:
            raise RuntimeError(ended.problem)
        return ended.value


def submit(run_id: str, now: Any) -> None:
    """Ask for a look, as a command does; in a child."""
    from yunwei.runs import services as runs

    codes = list(machine.DEVICES)
    runs.submit(run_id, "hardware.inspect", {"assets": codes}, {"baseline": codes}, {"why": "chaos"}, now=now)


def duties() -> dict[str, str]:
    """The state of every occurrence that was not the platform's to settle; in a child."""
    from yunwei.duties.models import Occurrence

    return {row.key: row.state for row in Occurrence.objects.filter(attempts__isnull=True)}


def said() -> dict[str, int]:
    """What the ledger says of the clock; in a child."""
    from collections import Counter

    from yunwei.ledger.models import Intake

    return dict(Counter(Intake.objects.filter(kind__startswith="ledger.clock.").values_list("kind", flat=True)))


SCENARIOS: dict[str, Scenario] = {"clock-jumps": jump}
