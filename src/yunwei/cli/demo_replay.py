"""`yunwei demo --since`: the contract from a day on, on a clock that goes from event to event.

Every inspection is done against the farm, every duty and decision goes through the ordinary services; only the clock
jumps. What is played is an ordinary instance, and what was broken off goes on where its ledger ends.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.progress import Progress

from yunwei.cli import common
from yunwei.cli.demo_stage import PEOPLE, DemoError, Stage, Who, create, register, require_demo
from yunwei.inspect.collect.process import Collectors
from yunwei.kernel import heap
from yunwei.kernel.clock import OffsetClock
from yunwei.kernel.i18n import _
from yunwei.lab import district, weather
from yunwei.lab.process import FarmProcess
from yunwei.server import instance

JSON = Any
NOTE = "replay.json"
#: who else acts in a year, beside the people of the demo's day
MORE: tuple[Who, ...] = (
    ("a_leader", "演示·甲方分管领导", "a_leader", "A"),
    ("a_finance", "演示·甲方财务", "a_finance", "A"),
    ("b_desk", "演示·服务台", "b_desk", "B"),
    ("tenant_health", "演示·卫生部门用户", "tenant", "health"),
)
#: local hours at which the worker looks besides those at which something falls due: midnight, the repeated looks
TICKS = (0.001, 0.53, 1.06)
#: local hours at which a head is signed and pushed though nothing happened; a live instance does that hourly
QUIET = (4.0, 12.7, 22.5)
#: local hours of the first day: the instance is made, the inventory is imported, devices are met for the first time
OPENING, CONTACT = 9.0, 11.0
#: a day that is not today is played to this hour, when people have gone home
LAST_HOUR = 18.5
#: collectors beside this process; chunks in hand at once
COLLECTORS, SLOTS = 2, 3


class Steps:
    """A clock that jumps from event to event and runs in between, as far ahead of the machine as the play is."""

    def __init__(self, at: datetime) -> None:
        self._clock = OffsetClock(at - datetime.now(UTC))

    def now(self) -> datetime:
        """The play's present moment."""
        return self._clock.now()

    def jump(self, to: datetime) -> datetime:
        """Go forward to a moment; one that has passed while something was done is not gone back to."""
        if to > self.now():
            self._clock = OffsetClock(to - datetime.now(UTC))
        return self.now()

    def ahead_s(self) -> float:
        """Seconds ahead of this machine (behind, when negative)."""
        return self._clock.offset.total_seconds()


@dataclass(frozen=True)
class Score:
    """What is asked to be played: from which day, to which day (None: to this moment), under which seed, by what equipment."""

    since: date
    until: date | None = None
    seed: str = district.SEED
    items: Sequence[district.Equipment] = ()
    hosts: bool = True

    def equipment(self) -> list[district.Equipment]:
        """The devices that take part."""
        return list(self.items) or district.equipment()

    def end(self, now: datetime) -> datetime:
        """The moment at which the play ends."""
        today = now.astimezone(weather.ZONE).date()
        if self.until is None or self.until == today:
            return now
        return weather.moment(self.until, LAST_HOUR)


@dataclass
class Replay:
    """One play of a year, from where its ledger ends to `end`."""

    score: Score
    folder: Path
    stage: Stage
    farm: FarmProcess
    clock: Steps
    end: datetime
    collectors: Collectors
    stopping: list[int] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    days: int = 0

    def __post_init__(self) -> None:
        from yunwei.cli.demo_diary import pages
        from yunwei.cli.demo_people import People

        last = self.end.astimezone(weather.ZONE).date()
        self.zone: ZoneInfo = weather.ZONE
        self.people = People(self.score.seed, self.zone)
        spells = weather.weather(self.score.equipment(), self.score.seed, self.score.since, last)
        self._changes = weather.changes(spells)
        self._pages = pages(self.score.seed, self.score.since, last)
        self._devices = {e.code: e.device for e in self.score.equipment()}
        self._changed = 0
        self._lock = threading.Lock()
        self._farm_ahead = 0.0

    def play(self, bar: Progress) -> bool:
        """Play to the end; False when somebody stopped it on the way."""
        first = self.clock.now().astimezone(self.zone).date()
        last = self.end.astimezone(self.zone).date()
        total = (last - self.score.since).days + 1
        task = bar.add_task(_("回放合同日"), total=total, completed=(first - self.score.since).days)
        day = first
        while day <= last and not self.stopping:
            self._play_day(day)
            self.days += 1
            bar.update(task, completed=(day - self.score.since).days + 1, description=_("回放至 {day}").format(day=day))
            day += timedelta(days=1)
        return not self.stopping

    def _play_day(self, day: date) -> None:
        """All moments of one day, in order; what falls due in between is stopped at as well."""
        begin = self.clock.now()
        for at, hour, kind in self._timetable(day):
            if at <= begin:
                continue
            while (due := self._next_due(at)) is not None:
                self._step(due, "due", 0.0)
            if at > self.end or self.stopping:
                return
            self._step(at, kind, hour)

    def _timetable(self, day: date) -> Iterator[tuple[datetime, float, str]]:
        from yunwei.cli.demo_people import SESSIONS

        plan = [(h, "due") for h in TICKS] + [(h, "session") for h in SESSIONS] + [(h, "quiet") for h in QUIET]
        begin, end = weather.moment(day, 0), weather.moment(day, 24)
        found = [(weather.moment(day, hour), hour, kind) for hour, kind in plan]
        found += [(p.at, float(i), "page") for i, p in enumerate(self._pages) if begin <= p.at < end]
        yield from sorted(found)

    def _next_due(self, before: datetime) -> datetime | None:
        """When the next open duty falls due, if that is before a moment."""
        from yunwei.duties.models import Occurrence, State

        now = self.clock.now()
        row = Occurrence.objects.filter(state=State.DUE, due_at__gt=now, due_at__lt=min(before, self.end))
        return row.order_by("due_at").values_list("due_at", flat=True).first()

    def _step(self, at: datetime, kind: str, hour: float) -> None:
        """Go to a moment, let the weather and people do theirs, then what a worker does at every tick."""
        from yunwei.cli import demo_people
        from yunwei.duties import services as duties
        from yunwei.ledger import heads
        from yunwei.ledger import services as ledger

        self.weather_until(at)
        self.clock.jump(at)
        if kind == "quiet":
            self._timed("heads", lambda: heads.push(self.clock.now()))
            return
        if kind == "session":
            self._timed("people", lambda: demo_people.session(self.people, hour, self.clock.now()))
        elif kind == "page":
            self._timed("people", lambda: demo_people.turn(self.people, self._pages[int(hour)], self.clock.now()))
        submitted = self._timed("tick", lambda: duties.tick(self.clock.now()))
        if submitted:
            self._timed("heads", lambda: heads.push(self.clock.now()))  # which numbers first
        else:
            self._timed("sequence", lambda: ledger.sequence(self.clock.now()))

    def ahead_s(self) -> float:
        """How far jobs stand off from this machine's clock; the devices are brought there first."""
        with self._lock:
            ahead = self.clock.ahead_s()
            if ahead != self._farm_ahead:
                self.farm.set_clock(ahead)
                self._farm_ahead = ahead
            return ahead

    def _timed(self, what: str, act: Any) -> Any:
        begun = time.perf_counter()
        try:
            return act()
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + time.perf_counter() - begun

    def weather_until(self, at: datetime) -> None:
        """Switch what changed since the last step, each at its own moment of the devices' time: what freezes then stands
        where it stood then."""
        while self._changed < len(self._changes) and self._changes[self._changed].at <= at:
            change = self._changes[self._changed]
            self._changed += 1
            device = self._devices[change.code]
            self._farm_ahead = (change.at - datetime.now(UTC)).total_seconds()
            self.farm.set_clock(self._farm_ahead)
            act = self.farm.set if change.on else self.farm.clear
            act(device.address, change.fault, protocol=device.protocol)


def play(folder: Path, score: Score, *, once: bool, as_json: bool, port: int) -> None:
    """Play the year into an instance folder, or go on with it; print the summary; stay up unless `once`."""
    stage = Stage()
    with ExitStack() as stack:
        stack.callback(stage.stop)
        with common.progress(quiet=as_json) as bar:
            replay = _open(folder, score, stage, stack, port=port)
            common.err.print(_("回放种子：{seed}").format(seed=score.seed), markup=False, highlight=False)
            begun, cpu = time.perf_counter(), cpu_s(replay)
            heap.settle()
            with _interruptible(replay):
                whole = replay.play(bar)
            used = {name: round(s - cpu[name], 1) for name, s in cpu_s(replay).items()}
            spent = {
                "wall_s": round(time.perf_counter() - begun, 1),
                "cpu_s": round(sum(used.values()), 1),
                "cpu_of": used,
            }
        _leave(replay)
        if not whole:
            day = replay.clock.now().astimezone(weather.ZONE).date()
            common.err.print(_("已停在 {day}；再次运行同一命令即从这里继续").format(day=day))
            raise KeyboardInterrupt
        _show(replay, spent, as_json=as_json)
        if not once:
            _stay(replay)


def _open(folder: Path, score: Score, stage: Stage, stack: ExitStack, *, port: int) -> Replay:
    """The instance, new or as it was left, with farm, controls and collectors running."""
    going_on = (folder / "data" / NOTE).exists()
    items = score.equipment()
    farm = stage.start(items, hosts=score.hosts)
    if going_on:
        clock = _go_on(folder, score)
    else:
        if folder.exists():
            raise DemoError(_("这个目录不是回放，不会覆盖"), where=str(folder), hint="--folder")
        clock = Steps(weather.moment(score.since, OPENING))
        create(folder, port=port, now=clock.now(), people=[*PEOPLE, *MORE])
        note = {"seed": score.seed, "since": score.since.isoformat(), "devices": len(items)}
        (folder / "data" / NOTE).write_text(json.dumps(note), encoding="utf-8")
    from yunwei.inspect import collecting  # Django is set up by now
    from yunwei.runs import engine
    from yunwei.runs import services as runs
    from yunwei.runs.inline import InlineEngine

    register(stage, items, clock.now(), own=score.hosts)
    home = instance.folder()
    collectors = Collectors(COLLECTORS, home / "keys", home / "data" / "collector", ahead_s=lambda: replay.ahead_s())  # noqa: PLW0108 - it is made below
    stack.callback(collectors.stop)
    collecting.use(collectors)
    stack.callback(collecting.use, None)
    inline = InlineEngine(clock, slots=SLOTS)
    stack.callback(inline.close)
    engine.use(inline)
    stack.callback(engine.use, None)
    replay = Replay(score, folder, stage, farm, clock, score.end(datetime.now(UTC)), collectors)
    replay.weather_until(clock.now())  # what was broken when the play was left is broken again
    if not going_on:
        _meet(replay)
    runs.reconcile()
    return replay


def _go_on(folder: Path, score: Score) -> Steps:
    """The clock of a play that was left, where its ledger ends. Raises DemoError when it was another play."""
    require_demo(folder)
    note = json.loads((folder / "data" / NOTE).read_text(encoding="utf-8"))
    asked = {"seed": score.seed, "since": score.since.isoformat(), "devices": len(score.equipment())}
    if note != asked:
        raise DemoError(
            _("这个目录里是另一次回放：{note}").format(note=json.dumps(note)), where=str(folder), hint="--folder"
        )
    instance.setup(folder)
    from yunwei.ledger import services as ledger
    from yunwei.ledger.models import Intake

    newest, last = ledger.head(), Intake.objects.order_by("-at").values_list("at", flat=True).first()
    return Steps(max(t for t in (newest.at if newest else None, last) if t is not None) + timedelta(seconds=1))


def _meet(replay: Replay) -> None:
    """The first contact, on the first day: who answers where is pinned and waits for the client."""
    from yunwei.assets.models import Asset
    from yunwei.ledger import services as ledger
    from yunwei.runs import services as runs

    replay.clock.jump(weather.moment(replay.score.since, CONTACT))
    now = replay.clock.now()
    codes = list(Asset.objects.filter(endpoints__isnull=False).distinct().values_list("code", flat=True))
    runs.submit(
        f"contact:first:{now:%Y%m%dT%H%M%S}:1", "hardware.inspect", {"assets": codes}, {"baseline": codes},
        {"why": "first contact"}, now=now,
    )  # fmt: skip
    ledger.sequence(replay.clock.now())


@contextmanager
def _interruptible(replay: Replay) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the play after the step that is under way."""
    before = {n: signal.signal(n, lambda n, _frame: replay.stopping.append(n)) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(replay: Replay) -> None:
    """Number everything, push the head, and let the instance's own clock stand where the play ended."""
    from yunwei.ledger import heads

    heads.push(replay.clock.now())
    behind = replay.end < datetime.now(UTC) - timedelta(hours=12) or replay.end > datetime.now(UTC) or replay.stopping
    instance.set_clock(replay.clock.now() if behind else None)


def cpu_s(replay: Replay) -> dict[str, float]:
    """Seconds of processor time that this process, the farm and the collectors (with what they started) have used."""
    used = {"play": time.process_time(), "farm": 0.0, "collectors": 0.0}
    for name, pids in (("farm", [replay.farm.pid]), ("collectors", replay.collectors.pids())):
        for pid in pids:
            words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            # utime, stime, cutime, cstime in ticks of USER_HZ (proc_pid_stat(5))
            used[name] += sum(int(word) for word in words[11:15]) / 100
    return used


def _show(replay: Replay, spent: dict[str, JSON], *, as_json: bool) -> None:
    from yunwei.cli.demo import show, summary

    told = summary(replay.clock.now())
    told["replay"] = {
        "seed": replay.score.seed,
        "since": replay.score.since.isoformat(),
        "days": replay.days,
        **spent,
        "where_s": {k: round(v, 1) for k, v in sorted(replay.spent.items())},
        "refused": dict(replay.people.problems.most_common(20)),
    }
    show(told, as_json=as_json)


def _stay(replay: Replay) -> None:
    """Hand over to the ordinary processes, on the instance's clock; the farm lives on with it."""
    from yunwei.runs import engine
    from yunwei.server import serve as server

    engine.use(None)
    replay.farm.set_clock(round((instance.clock().now() - datetime.now(UTC)).total_seconds()))
    server.start(replay.stage.children, instance.folder(), given=replay.stage.controls)
    common.err.print(_("演示继续运行，Ctrl-C 结束"))
    server.watch(replay.stage.children, replay.stage.controls, server.asked_to_stop())
