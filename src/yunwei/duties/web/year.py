"""The long view: the share kept by obligation and month, the contract year as a line, the ring of what is settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, IntegerField, Q, Value, When
from django.utils.translation import gettext as _

from yunwei.charts.svg import Milestone, Slice
from yunwei.contract import period
from yunwei.contract.schema import ApprovedPlan, Folder
from yunwei.duties.models import Occurrence, State
from yunwei.ui import words

SETTLED = (State.KEPT, State.LATE, State.MISSED, State.UNPROVEN)
#: plan versions drawn on the year line: the newest; all of them are in the ledger
VERSIONS = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """One obligation in one month. `level`: h5 … h1 by share kept, hu all unproven, hn nothing settled, hf to come."""

    level: str
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One obligation over the months of the term."""

    code: str
    title: str
    every: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Heat:
    """The whole map; `current` is the index of this month, -1 outside of the term."""

    months: list[str]
    current: int
    rows: list[HeatRow]


#: the map as it was last drawn, by what it follows from: the folder, the ledger's head, the plan, the month, the language
_drawn: dict[str, tuple[Folder, tuple[Any, ...], Heat]] = {}


def heat_of(head: str, folder: Folder, plan: ApprovedPlan | None, now: datetime, zone: ZoneInfo) -> Heat:
    """The whole map under a head that no record waits behind; drawn anew only when the ledger went on.

    An occurrence changes only with its record in the same transaction, so the same head means the same map. `head` is the
    head's hash, "" where there is none or a record waits: then nothing is remembered.
    """
    language = "en" if words.english() else "zh"
    key = (head, plan.version if plan else 0, now.astimezone(zone).date().replace(day=1))
    kept = _drawn.get(language)
    if head and kept is not None and kept[0] is folder and kept[1] == key:
        return kept[2]
    drawn = heat(folder, plan, now, zone)
    if head:
        _drawn[language] = (folder, key, drawn)
    return drawn


def heat(folder: Folder, plan: ApprovedPlan | None, now: datetime, zone: ZoneInfo, only: str = "") -> Heat:
    """Obligations (or one alone) × months of the term: what share of what was settled was kept. One query."""
    span = period.duty_span(folder.contract)
    months = _months(span.start, span.end)
    rows = (
        Occurrence.objects.filter(counts=True, due_at__isnull=False, **({"obligation": only} if only else {}))
        .annotate(month=_month_of(months, zone))
        .values_list("obligation", "month", "state")
        .annotate(n=Count("id"))
        .order_by()
    )
    table: dict[str, dict[int, Counter[str]]] = {}
    for obligation_id, index, state, n in rows:
        if index is not None:
            table.setdefault(obligation_id, {}).setdefault(index, Counter())[state] += n
    current = now.astimezone(zone).date().replace(day=1)
    empty = _("尚无已结事项")
    out = []
    for obligation in folder.obligations:
        found = table.get(obligation.id, {})
        if not any(states.get(s) for states in found.values() for s in SETTLED):
            continue
        cells = [_cell(found.get(i, {}), month, current, empty) for i, month in enumerate(months)]
        out.append(HeatRow(obligation.id, words.title(obligation), words.cadence(obligation, plan), cells))
    return Heat([words.month(m) for m in months], months.index(current) if current in months else -1, out)


def _month_of(months: Sequence[date], zone: ZoneInfo) -> Case:
    """The index of the month that an occurrence belongs to, by plain comparisons (a truncation of dates would be a call
    of Python for each row of SQLite, half of the page's time).

    What is due at the end of a month is due at the next midnight: it belongs to the month that ended; and what was done
    before its time belongs to the month it was done in.
    """
    first = [datetime(m.year, m.month, 1, tzinfo=zone) for m in [*months, _next(months[-1])]]
    early = Q(settled_at__lt=F("due_at"))
    whens = []
    for i, (start, end) in enumerate(pairwise(first)):
        whens.append(When(early & Q(settled_at__gte=start, settled_at__lt=end), then=Value(i)))
        whens.append(When(Q(due_at__gt=start, due_at__lte=end), then=Value(i)))
    return Case(*whens, default=None, output_field=IntegerField())


def _next(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=7)).replace(day=1)


def _months(start: date, end: date) -> list[date]:
    out, month = [], start.replace(day=1)
    while month <= end:
        out.append(month)
        month = _next(month)
    return out


def _cell(states: Mapping[str, int], month: date, current: date, empty: str) -> Cell:
    """Level by share kept: 100 / ≥ 99 / ≥ 97 / ≥ 93 / less; hatched when some of it is unproven, all of it is `hu`."""
    kept, unproven = states.get(State.KEPT, 0), states.get(State.UNPROVEN, 0)
    settled = sum(states.get(s, 0) for s in SETTLED)
    if not settled:
        return Cell("hf" if month > current or states else "hn", "", empty)
    label = _("按期 {kept}、迟延 {late}、未履行 {missed}、未证明 {unproven}").format(
        kept=kept, late=states.get(State.LATE, 0), missed=states.get(State.MISSED, 0), unproven=unproven
    )
    if unproven == settled:
        return Cell("hu", str(unproven), label)
    share = 100 * kept / settled
    level = "h5" if share == 100 else "h4" if share >= 99 else "h3" if share >= 97 else "h2" if share >= 93 else "h1"
    if unproven:
        return Cell(f"{level} some", str(unproven), label)
    return Cell(level, "" if share >= 97 else f"{share:.0f}", label)


def milestones(
    folder: Folder, versions: Sequence[ApprovedPlan], now: datetime, zone: ZoneInfo
) -> tuple[list[Milestone], float | None, list[float]]:
    """The contract year from its facts: signatures, approvals of the plan, the ends of the period readings.

    Also where today lies (None outside of the term) and where each month begins.
    """
    span = period.duty_span(folder.contract)
    days = max((span.end - span.start).days, 1)
    today = now.astimezone(zone).date()

    def at(day: date) -> float:
        return min(max((day - span.start).days / days, 0.0), 1.0)

    points: dict[date, list[str]] = {}
    if folder.contract.signatures:
        points.setdefault(max(s.date for s in folder.contract.signatures), []).append(_("双方签署"))
    for version in versions[-VERSIONS:]:
        points.setdefault(version.counts_from, []).append(_("方案第 {n} 版审定").format(n=version.version))
    ends = sorted({reading.end for reading in folder.contract.periods})
    points.setdefault(ends[0], []).append(_("期满（最早读法）") if len(ends) > 1 else _("期满"))
    if len(ends) > 1:
        points.setdefault(ends[-1], []).append(_("期满（最晚读法）"))
    stones = [
        Milestone(at(day), " · ".join(titles), f"{day:%m-%d}", day <= today) for day, titles in sorted(points.items())
    ]
    ticks = [at(month) for month in _months(span.start, span.end) if month > span.start]
    return stones, at(today) if span.start <= today <= span.end else None, ticks


def ring_of(counts: Mapping[str, int]) -> tuple[list[Slice], str, str]:
    """The ring of what has been settled so far; a share is shown only of something that exists."""
    order = (("kept", "ok"), ("late", "warn"), ("unproven", "unp"), ("missed", "bad"))
    slices = [Slice(counts[name], tone) for name, tone in order]
    settled = sum(part.count for part in slices)
    return (
        slices,
        f"{100 * counts['kept'] / settled:.1f}" if settled else "—",
        _("按期履行 %") if settled else _("尚无已结"),
    )
