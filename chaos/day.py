"""One contract day, played by the real services on the durable engine; it can be broken off anywhere and goes on.

What people do is written so that they may do it again: a person who did not hear that an act was done looks whether it
was, and acts if not. What the platform does by itself (ticks, runs, numbering, heads) is simply done again, as a worker
does that was started again.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chaos import machine
from chaos.machine import Bed, Lab
from chaos.points import Points, install

log = logging.getLogger(__name__)
#: seconds in which whatever runs must have ended
RUN_S = 60.0
#: seconds between two looks for runs that no engine has, as at a worker's ticks
RECONCILE_S = 1.0
#: seconds between two looks at the engine's queues: more often, and half of the processor's time goes into looking
POLL_S = 0.05
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Play:
    """Who plays where: the instance, the lab, and the clock of this process."""

    home: Bed
    lab: Lab
    clock: Any

    def now(self) -> datetime:
        """The day's present moment."""
        moment: datetime = self.clock.now()
        return moment


def who(name: str) -> Any:
    """An account of the instance."""
    from yunwei.cli import common

    return common.actor_account(name)


def paper(title: str) -> Any:
    """A file that somebody attaches."""
    from yunwei.duties import services as duties

    return duties.File(f"{title}.txt", f"{title}\n".encode(), TEXT)


# --- what happens -----------------------------------------------------------------------------------------------------


def tick(play: Play) -> None:
    """What a worker does every few seconds."""
    from yunwei.duties import services as duties

    duties.tick(play.now())


def push(play: Play) -> None:
    """What a worker does after a run, and hourly."""
    from yunwei.ledger import heads

    heads.push(play.now())


ASKED, APPLIED = "演示：咨询虚拟机扩容流程", "演示：申请新建 4 核 16 GB 主机 2 台"


def _ticket(title: str) -> Any:
    from yunwei.desk.models import Ticket

    return Ticket.objects.filter(title=title).order_by("pk").first()


def _open(play: Play, kind: str, title: str) -> None:
    from yunwei.desk import services as desk

    if _ticket(title) is None:
        desk.open_ticket(kind, title, by=who("tenant"), now=play.now(), body="演示", channel="portal")


def ask(play: Play) -> None:
    """A department asks."""
    _open(play, "request", ASKED)


def apply(play: Play) -> None:
    """A department applies for hosts, which starts the clock of the work."""
    _open(play, "service", APPLIED)


def reply(play: Play) -> None:
    """The desk answers."""
    from yunwei.desk import services as desk

    ticket = _ticket(ASKED)
    if not ticket.history.filter(what="reply").exists():
        desk.reply(ticket.pk, "演示：见附件", by=who("b_engineer"), now=play.now(), file=paper("演示：说明"))


def _move(play: Play, ticket: Any, to: str, by: str, text: str = "") -> None:
    from yunwei.desk import services as desk

    if ticket is not None and not ticket.history.filter(what="moved", state=to).exists():
        desk.move(ticket.pk, to, by=who(by), now=play.now(), text=text)


def resolve(play: Play) -> None:
    """乙方 says that it is done."""
    _move(play, _ticket(ASKED), "resolved", "b_engineer", "演示：已答复")


def close(play: Play) -> None:
    """甲方 closes it, which confirms what was stated."""
    _move(play, _ticket(ASKED), "closed", "a_manager")


def accept(play: Play) -> None:
    """The fault that the morning's look found is taken up."""
    from yunwei.desk.models import Ticket

    _move(play, Ticket.objects.filter(kind="fault").order_by("pk").first(), "accepted", "b_engineer")


def _by_hand() -> Any:
    from yunwei.duties import sources
    from yunwei.duties.models import Occurrence
    from yunwei.duties.proofs import manual

    duties = [o.id for o in sources.folder().obligations if manual(o) and o.owes == "B"]
    today = f"{machine.DAY:%Y-%m-%d}"
    return Occurrence.objects.filter(period=today, obligation__in=duties).order_by("obligation").first()


def prove(play: Play) -> None:
    """乙方 proves a daily duty by hand."""
    from yunwei.duties import services as duties

    row = _by_hand()
    if not row.proofs.exists():
        duties.state_proof(
            row.pk, statement="演示：已完成", file=paper("演示：记录"), by=who("b_engineer"), now=play.now()
        )


def confirm(play: Play) -> None:
    """甲方 confirms it."""
    from yunwei.duties import services as duties

    proof = _by_hand().proofs.get()
    if proof.confirmed is None:
        duties.answer_proof(proof.pk, confirm=True, by=who("a_manager"), now=play.now())


def event(play: Play) -> None:
    """甲方 records something that starts clocks."""
    from yunwei.duties import services as duties
    from yunwei.duties.models import TriggerEvent

    if not TriggerEvent.objects.filter(kind="system_changed").exists():
        file = paper("演示：系统迁址")
        duties.record_event("system_changed", at=play.now(), by=who("a_manager"), now=play.now(), file=file)


LETTER = "演示：工作情况函"


def notice(play: Play) -> None:
    """乙方 sends a document by courier."""
    from yunwei.duties import notices
    from yunwei.duties.models import Notice

    if not Notice.objects.filter(title=LETTER).exists():
        now = play.now()
        notices.send(
            "other", way="courier", title=LETTER, by=who("b_manager"), sent_at=now, now=now, file=paper(LETTER)
        )


def deliver(play: Play) -> None:
    """It is signed for."""
    from yunwei.duties import notices
    from yunwei.duties.models import Notice, NoticeState

    row = Notice.objects.get(title=LETTER)
    if row.state == NoticeState.SENT:
        file, now = paper("演示：签收单"), play.now()
        notices.deliver(row.pk, outcome="signed", at=now, by=who("b_manager"), now=now, file=file)


def repair(play: Play) -> None:
    """The morning's fault is mended, another one shows."""
    play.lab.show(machine.EVENING)


MONTH = f"{machine.DAY:%Y-%m}"


def score(play: Play) -> None:
    """甲方 scores the month that ended."""
    from yunwei.assessment import sheets
    from yunwei.assessment.models import Sheet

    if not Sheet.objects.filter(month=MONTH).exists():
        sheets.score(MONTH, by=who("a_manager"), now=play.now())


def appeal(play: Play) -> None:
    """乙方 appeals against the first line that takes points."""
    from yunwei.assessment import sheets
    from yunwei.assessment.models import Sheet

    row = Sheet.objects.get(month=MONTH)
    line = next((one["key"] for one in row.body["lines"] if float(one["points"]) > 0), None)
    if line is not None and not row.appeals.exists():
        now = play.now()
        sheets.appeal(MONTH, line, statement="演示：已完成", file=paper("演示：申诉"), by=who("b_manager"), now=now)


def decide(play: Play) -> None:
    """甲方 answers it."""
    from yunwei.assessment import sheets
    from yunwei.assessment.models import Appeal

    row = Appeal.objects.first()
    if row is not None and row.decided_at is None:
        sheets.decide(row.pk, grant=False, reason="演示：没有证据", by=who("a_manager"), now=play.now())


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens at an hour."""

    hour: float
    act: Callable[[Play], None]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.act.__name__} at {self.hour:g} h"


SCENES = (
    Scene(0.2, tick), Scene(0.3, push), Scene(9.0, ask), Scene(9.1, apply), Scene(9.2, tick), Scene(9.3, reply),
    Scene(9.5, resolve), Scene(9.6, close), Scene(10.0, prove), Scene(10.3, confirm), Scene(10.6, event),
    Scene(10.7, tick), Scene(10.8, notice), Scene(10.9, deliver), Scene(11.0, accept), Scene(12.0, repair),
    Scene(18.7, tick), Scene(24.2, tick), Scene(24.3, push), Scene(25.5, tick), Scene(33.0, score),
    Scene(33.2, appeal), Scene(33.4, decide), Scene(33.6, push),
)  # fmt: skip


# --- playing it -------------------------------------------------------------------------------------------------------


def play(home: Bed, lab: Lab, points: Points, *, until: int = len(SCENES), tries: int = 1) -> str:
    """Play the day from where it was left up to a scene, in this process, which is the instance's and may die at a point.

    `tries`: how often what fails is tried in this process, as a worker's loops and people do, before it ends with the
    error. Returns the name of the executor. Raises RuntimeError for a run that does not end.
    """
    from yunwei.cli.demo_replay import Steps

    install(points)
    first, ahead = left(home)
    clock = Steps(machine.at(SCENES[first].hour) if ahead is None else machine.real() + timedelta(seconds=ahead))
    with Worker(home, clock) as worker:
        here = Play(home, lab, clock)
        for number in range(first, until):
            clock.jump(machine.at(SCENES[number].hour))
            enter(home, number, clock.ahead_s())
            lab.clock(clock.ahead_s())
            _try(lambda number=number: SCENES[number].act(here), tries)  # type: ignore[misc]
            _try(worker.rest, tries)
    return worker.name


def _try(act: Callable[[], object], tries: int) -> None:
    """Do something; after an error again, with another connection, as the worker's loops do."""
    from django.db import connections

    for left_over in range(tries - 1, -1, -1):
        try:
            act()
        except Exception:
            if not left_over:
                raise
            log.exception("tried again")
            connections.close_all()
            time.sleep(0.02)
        else:
            return


def left(home: Bed) -> tuple[int, float | None]:
    """The scene in which the play was left, which is entered again, and how far ahead of this machine its clock was then:
    time goes on while nobody plays. None where the scene was not yet entered."""
    told: list[Any] = json.loads(home.scene.read_text()) if home.scene.exists() else [0, None]
    return int(told[0]), told[1]


def enter(home: Bed, number: int, ahead_s: float | None = None) -> None:
    """Note the scene and its clock; what time it is is not the product's to remember."""
    new = home.scene.with_suffix(".new")
    new.write_text(json.dumps([number, ahead_s]))
    new.replace(home.scene)


class Worker:
    """The durable part of a worker in this process, as `server.worker` puts it together, waited for instead of ticking."""

    def __init__(self, home: Bed, clock: Any) -> None:
        from yunwei.runs import dbos_engine
        from yunwei.server import instance

        dbos_engine.POLL_S = POLL_S
        self._url, self._clock = instance.engine_url(), clock
        self._embedded = not home.server
        self.name = "solo" if self._embedded else f"chaos-{os.getpid()}"
        self.engine = dbos_engine.DbosEngine(self._url, executor_id=self.name, clock=clock, polling=POLL_S)
        self._takeover: Any = None

    def __enter__(self) -> Worker:
        from yunwei.runs import engine

        if not self._embedded:
            from yunwei.runs.takeover import Takeover

            self._takeover = Takeover(self._url, self.engine, lambda: os._exit(4), period=0.1)
        self.engine.launch()
        engine.use(self.engine)
        if self._takeover is not None:
            self._takeover.start()
        return self

    def __exit__(self, *_error: object) -> None:
        from django.db import connections

        if self._takeover is not None:
            self._takeover.stop()
        self.engine.destroy()
        connections.close_all()

    def rest(self) -> None:
        """Come to rest as a worker does between two ticks: what runs has ended, what followed from it is in the books, and
        everything has its number."""
        from yunwei.duties import services as duties
        from yunwei.ledger import services as ledger

        self._wait()
        duties.tick(self._clock.now())
        self._wait()
        ledger.sequence(self._clock.now())

    def _wait(self) -> None:
        """Hand over what no engine knows, and wait until everything that runs has ended. Raises RuntimeError."""
        from dbos import DBOS

        from yunwei.runs import services as runs
        from yunwei.runs.models import Run

        end, looked = time.monotonic() + RUN_S, 0.0
        while True:
            if time.monotonic() - looked > RECONCILE_S:
                runs.reconcile(self._clock.now())
                looked = time.monotonic()
            waiting = list(Run.objects.filter(ended_at__isnull=True).values_list("pk", flat=True))
            if not waiting:
                busy = DBOS.list_workflows(status=["PENDING", "ENQUEUED"], load_input=False, load_output=False)
                waiting = [one.workflow_id for one in busy]
            if not waiting:
                return
            if time.monotonic() > end:
                raise RuntimeError(f"does not end: {waiting}")
            time.sleep(0.03)
