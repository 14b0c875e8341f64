"""What falls due when, as a pure function of contract, approved plans, events and calendar.

Duties run over the union of the period readings until the parties confirm one. What the contract (or a law) itself owes
is owed without a plan; what the plan alone adds counts from the approval day of the version on, and is shown before
that, or without any approval, with `counts=False`. A vague word gives no due date at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from yunwei.contract.period import Span, duty_span
from yunwei.contract.schema import Basis, Cadence, Folder, Kind, Obligation, Plan, PlanLine
from yunwei.duties.periods import Period, due_day, periods
from yunwei.kernel.calendar import Calendar
from yunwei.kernel.deadline import Deadline, after, at_end, calendar_days_after, local_day
from yunwei.kernel.i18n import _

#: nothing falls due for these: a breach or a missing consent is recorded when it happens
WITHOUT_OCCURRENCES = frozenset({Kind.BAN, Kind.CONSENT})
#: documents, answers and money are brought by people: a last day of rest moves on (民法典 203). Machines do not rest.
MOVES_ON = frozenset({Kind.DELIVER, Kind.RESPOND, Kind.PAY, Kind.CONSENT})
#: how a duty without gaps and without a cadence is kept in the books; a bookkeeping period, not a number of anyone
CONTINUOUS = Cadence(every="month", basis=Basis.CONTRACT)
FULL = Decimal(100)


@dataclass(frozen=True, slots=True)
class PlanAt:
    """One version of the service plan; `counts_from` is its approval day, None while it is only proposed."""

    version: int
    plan: Plan
    counts_from: date | None = None


@dataclass(frozen=True, slots=True)
class EventAt:
    """A trigger event that was recorded. One that starts no clock (an invoice of another amount) is not given here."""

    id: str
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """One occurrence: an obligation in one period. `due_at` None: no number anywhere, or still `waiting` for events."""

    obligation: str
    period: str
    clauses: tuple[str, ...]
    owes: str
    kind: str
    basis: str
    counts: bool
    starts_at: datetime
    due_at: datetime | None
    provisional: bool = False
    plan_version: int | None = None
    why: str = ""
    waiting: tuple[str, ...] = ()
    coverage_target: Decimal = FULL

    @property
    def key(self) -> tuple[str, str]:
        """What makes an occurrence the same one."""
        return self.obligation, self.period


@dataclass(frozen=True, slots=True)
class _Segment:
    """The days on which one version is in force. `approved` False: shown only."""

    version: int
    lines: dict[str, PlanLine]
    start: date
    end: date  # first day no longer in it
    approved: bool


@dataclass(frozen=True, slots=True)
class _World:
    folder: Folder
    calendar: Calendar
    span: Span
    tz: ZoneInfo
    segments: tuple[_Segment, ...]
    until: datetime

    def midnight(self, day: date) -> datetime:
        return _midnight(day, self.tz)


@lru_cache(maxsize=4096)
def _midnight(day: date, tz: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tz)


@lru_cache(maxsize=8192)
def _end(day: date, ends: str, tz: ZoneInfo) -> datetime:
    return at_end(day, ends, tz)


def occurrences(
    folder: Folder, plans: Sequence[PlanAt], events: Iterable[EventAt], calendar: Calendar, until: datetime
) -> list[Due]:
    """Every occurrence that has begun by `until`, in order of due time; the same input gives the same list."""
    span = duty_span(folder.contract)
    world = _World(folder, calendar, span, ZoneInfo(folder.contract.timezone), _segments(folder, plans), until)
    by_kind: dict[str, list[EventAt]] = {}
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        by_kind.setdefault(event.kind, []).append(event)
    found = [*_all_recurring(world, list(plans)), *_all_triggered(world, list(plans), by_kind)]
    found = [due for due in found if due.starts_at <= until]
    return sorted(found, key=lambda d: (d.due_at or datetime.max.replace(tzinfo=world.tz), d.key))


#: what recurs as it was computed last, with what it was computed from: an event changes nothing in it
_last: tuple[Folder, list[PlanAt], Calendar, date, list[Due]] | None = None


def _all_recurring(world: _World, plans: list[PlanAt]) -> list[Due]:
    """What recurs and has begun by the end of the month of `until`: the caller leaves out what has not."""
    global _last  # noqa: PLW0603 - a memory of one, for a pure function; a race computes it twice
    month = (local_day(world.until, world.tz).replace(day=1) + timedelta(days=32)).replace(day=1)
    last = _last
    if last and last[0] is world.folder and last[2] is world.calendar and last[3] == month and last[1] == plans:
        return last[4]
    world = replace(world, until=world.midnight(month))
    found: list[Due] = []
    for obligation in world.folder.obligations:
        if obligation.kind not in WITHOUT_OCCURRENCES and not obligation.trigger:
            found += _recurring(world, obligation)
    _last = (world.folder, plans, world.calendar, month, found)
    return found


def _segments(folder: Folder, plans: Sequence[PlanAt]) -> tuple[_Segment, ...]:
    """Which version is in force on which days. Before the first approval the first version approved later is shown,
    and where nothing was ever approved the newest proposal, or the folder's own draft."""
    approved: dict[date, PlanAt] = {}
    for plan in sorted(plans, key=lambda p: p.version):
        if plan.counts_from is not None:
            approved[plan.counts_from] = plan  # two approved on one day: the later version
    ordered = sorted(approved.items())
    if ordered:
        shown = ordered[0][1]
    else:
        shown = max(plans, key=lambda p: p.version, default=PlanAt(folder.plan.version, folder.plan))
    starts = [(date.min, shown, False), *((day, plan, True) for day, plan in ordered)]
    ends = [day for day, _plan, _approved in starts[1:]] + [date.max]
    return tuple(
        _Segment(plan.version, {line.obligation: line for line in plan.plan.lines}, start, end, is_approved)
        for (start, plan, is_approved), end in zip(starts, ends, strict=True)
        if start < end
    )


# --- what recurs ----------------------------------------------------------------------------------------------------


def _recurring(world: _World, obligation: Obligation) -> list[Due]:
    if obligation.cadence is not None:
        # what the contract itself states is owed whatever a plan says
        whole = _Segment(0, {}, date.min, date.max, approved=True)
        return _of_cadences(world, obligation, [(whole, obligation.cadence)])
    runs = [
        (segment, line.cadence)
        for segment in world.segments
        if (line := segment.lines.get(obligation.id)) is not None and line.cadence is not None
    ]
    if runs:
        return _of_cadences(world, obligation, runs)
    if obligation.kind is Kind.CONTINUOUS:
        whole = _Segment(0, {}, date.min, date.max, approved=True)
        return _of_cadences(world, obligation, [(whole, CONTINUOUS)])
    return []


def _of_cadences(world: _World, obligation: Obligation, runs: list[tuple[_Segment, Cadence]]) -> list[Due]:
    """A period belongs to the version in force on its due day: what was due before an approval stays as it was.

    When a new version moves the due day over the day of its own approval, one period would fall due twice or never:
    it falls due once, under the version it began in.
    """
    found: dict[str, Due] = {}
    skipped: list[tuple[_Segment, Cadence, Period, date]] = []
    every = {cadence.every for _segment, cadence in runs}
    for segment, cadence in runs:
        for period in periods(cadence, world.span, world.calendar):
            if world.midnight(period.first) > world.until:
                break
            day = due_day(cadence, period, world.span)
            if day is None:
                continue
            if segment.start <= day < segment.end:
                if period.key not in found:
                    found[period.key] = _of_period(world, obligation, segment, cadence, period, day)
            elif len(runs) > 1 and len(every) == 1:
                skipped.append((segment, cadence, period, day))
    for segment, cadence, period, day in skipped:
        if period.key not in found and segment.start <= period.first < segment.end:
            found[period.key] = _of_period(world, obligation, segment, cadence, period, day)
    return list(found.values())


def _of_period(
    world: _World, obligation: Obligation, segment: _Segment, cadence: Cadence, period: Period, day: date
) -> Due:
    deadline = obligation.deadline
    line = segment.lines.get(obligation.id)
    if deadline is None and line is not None:
        deadline = line.deadline
    provisional = period.provisional
    notes: tuple[str, ...] = ()
    if deadline is not None and not deadline.anchor and deadline.n > 0:
        counted = after(world.midnight(period.first), deadline.n, deadline.unit.value, world.calendar, tz=world.tz)
        due_at, provisional, notes = counted.due, provisional or counted.provisional, counted.notes
    else:
        if obligation.kind in MOVES_ON and cadence.every != "day":
            planned, day = day, _off_rest_days(day, world.calendar)
            provisional = provisional or any(world.calendar.day(d).provisional for d in (planned, day))
            notes = (_("{day} 为休息日，顺延").format(day=planned),) if day != planned else ()
        due_at = _end(day, cadence.due_time, world.tz)
    basis = cadence.basis
    return Due(
        obligation=obligation.id,
        period=period.key,
        clauses=tuple(obligation.clauses),
        owes=obligation.owes.value,
        kind=obligation.kind.value,
        basis=basis.value,
        counts=_counts(basis, segment),
        starts_at=world.midnight(period.first),
        due_at=due_at,
        provisional=provisional,
        plan_version=segment.version or None,
        why=_joined(*notes, _why(basis, segment)),
        coverage_target=line.coverage_target if line is not None else FULL,
    )


def _off_rest_days(day: date, calendar: Calendar) -> date:
    while not calendar.is_working(day):
        day += timedelta(days=1)
    return day


def _counts(basis: Basis, segment: _Segment) -> bool:
    if basis in (Basis.CONTRACT, Basis.STATUTE):
        return True
    return basis is Basis.PLAN and segment.approved


def _joined(*parts: str) -> str:
    return "；".join(part for part in parts if part)


def _why(basis: Basis, segment: _Segment) -> str:
    if basis is Basis.PLATFORM:
        return _("平台默认，不计分")
    if basis is Basis.PLAN and not segment.approved:
        return _("服务方案第 {version} 版当时未经甲方审定，不计分").format(version=segment.version)
    return ""


# --- what an event starts --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Started:
    """What events started, as computed last, with what it was computed from."""

    folder: Folder
    plans: list[PlanAt]
    calendar: Calendar
    awaited: frozenset[str]
    firsts: tuple[EventAt, ...]
    known: dict[tuple[str, EventAt], Due]


_started: _Started | None = None


def _all_triggered(world: _World, plans: list[PlanAt], events: dict[str, list[EventAt]]) -> Iterable[Due]:
    """What events start. A year has thousands of them, and one more changes only what waits for its kind."""
    global _started  # noqa: PLW0603 - a memory of one, for a pure function; a race computes it twice
    last = _started
    same = last and last.folder is world.folder and last.calendar is world.calendar and last.plans == plans
    awaited = last.awaited if last and same else _awaited(world)
    firsts = tuple(events[kind][0] for kind in sorted(awaited) if kind in events)
    if last is None or not same or last.firsts != firsts:
        last = _started = _Started(world.folder, plans, world.calendar, awaited, firsts, {})
    known = last.known
    for obligation in world.folder.obligations:
        if obligation.kind in WITHOUT_OCCURRENCES or not obligation.trigger:
            continue
        for event in events.get(obligation.trigger, ()):
            key = (obligation.id, event)
            due = known.get(key)
            if due is None:
                due = known[key] = _of_event(world, obligation, event, events)
            yield due


def _awaited(world: _World) -> frozenset[str]:
    """The kinds of events that some clock waits for beside its own trigger."""
    lines = [None, *(line for segment in world.segments for line in segment.lines.values())]
    return frozenset(
        name
        for obligation in world.folder.obligations
        for line in lines
        if line is None or line.obligation == obligation.id
        for name in anchors_of(world.folder, obligation, line)
        if name != obligation.trigger
    )


def anchors_of(folder: Folder, obligation: Obligation, line: PlanLine | None = None) -> tuple[str, ...]:
    """The events a clock needs: it starts at the latest of them. The trigger is always one of them."""
    deadline = obligation.deadline or (line.deadline if line is not None else None)
    names = [obligation.trigger]
    if deadline is not None and deadline.anchor:
        names.append(deadline.anchor)
    for instalment in folder.contract.instalments:
        if obligation.instalment and instalment.id == obligation.instalment:
            names += instalment.anchors
    return tuple(dict.fromkeys(names))


def _of_event(world: _World, obligation: Obligation, event: EventAt, events: dict[str, list[EventAt]]) -> Due:
    day = local_day(event.at, world.tz)
    segment = next(s for s in world.segments if s.start <= day < s.end)
    line = segment.lines.get(obligation.id)
    known: list[EventAt] = [event]
    waiting: list[str] = []
    for name in anchors_of(world.folder, obligation, line):
        if name != event.kind:
            # the first one of its kind: acceptance passes once, a contract takes effect once
            (known.append(events[name][0]) if events.get(name) else waiting.append(name))
    start = max(e.at for e in known)
    deadline = obligation.deadline or (line.deadline if line is not None else None)
    common: dict[str, Any] = {
        "obligation": obligation.id,
        "period": f"event:{event.id}",
        "clauses": tuple(obligation.clauses),
        "owes": obligation.owes.value,
        "kind": obligation.kind.value,
        "plan_version": segment.version if obligation.deadline is None and line is not None else None,
        "coverage_target": line.coverage_target if line is not None else FULL,
    }
    if deadline is None:
        why = _("合同与服务方案都没有写明时限")
        return Due(**common, basis=Basis.CONTRACT.value, counts=False, starts_at=event.at, due_at=None, why=why)
    counts, why = _counts(deadline.basis, segment), _why(deadline.basis, segment)
    common |= {"basis": deadline.basis.value, "counts": counts}
    if waiting:
        why = _("等待：{events}").format(events="、".join(waiting))
        return Due(**common, starts_at=event.at, due_at=None, why=why, waiting=tuple(waiting))
    counted = count(start, deadline.n, deadline.unit.value, world.calendar, world.tz)
    return Due(
        **common,
        starts_at=start,
        due_at=counted.due,
        provisional=counted.provisional,
        why=_joined(*counted.notes, why),
    )


def count(start: datetime, n: int, unit: str, calendar: Calendar, tz: ZoneInfo) -> Deadline:
    """A deadline from an event; n = 0 means at the event itself, which a whole day is left for (its 24:00)."""
    if n > 0:
        return after(start, n, unit, calendar, tz=tz)
    day = local_day(start, tz)
    eve = calendar_days_after(day - timedelta(days=1), 1, calendar, tz=tz)
    return Deadline(start, 0, eve.unit, eve.date, eve.due, eve.provisional, eve.notes, eve.steps)
