"""大屏: the wall. What is kept, what runs down, what was seen today, and whether this picture is still true.

No person's name, no ranking, no text that somebody typed (a ticket's title may hold a name): obligations, equipment,
counts. Both parties' clocks and breaches stand side by side (law 4). Unproven has its own figure. What is old says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yunwei.contract import period, plans
from yunwei.contract.schema import ApprovedPlan, Folder, Obligation
from yunwei.duties.models import Occurrence, State
from yunwei.duties.queries import overdue
from yunwei.duties.web import day, looked, today, year
from yunwei.inspect.models import Finding, Severity
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

#: rows that fit on the canvas
CLOCKS, HEAT, FAULTS, BLIND = 3, 15, 3, 3
#: a head is signed at least hourly; a wall whose newest head is older shows a platform that stands still
OLD = timedelta(minutes=65)


@dataclass(frozen=True, slots=True)
class Side:
    """One party: what it kept and broke in this contract, what it owes now, its clocks that end first."""

    name: str
    kept: int
    late: int
    missed: int
    unproven: int
    running: int
    overdue: int
    clocks: list[Clock]


@dataclass(frozen=True, slots=True)
class Clock:
    """The clocks of one duty, told by the one that ends first: the rule it runs by, what is left, how many run."""

    title: str
    count: int
    rule: str
    left: str
    used: float
    tone: str


def sides(folder: Folder, rows: Sequence[Occurrence], plan: ApprovedPlan | None, now: datetime) -> list[Side]:
    """Both parties, by the same measures. One statement beside the rows given; what both owe counts for each."""
    yes = Q(counts=True)
    counted: dict[str, Mapping[str, Any]] = {
        row["owes"]: row
        for row in Occurrence.objects.values("owes")
        .order_by()
        .annotate(
            kept=Count("id", filter=yes & Q(state=State.KEPT)),
            late=Count("id", filter=yes & Q(state=State.LATE)),
            missed=Count("id", filter=yes & Q(state=State.MISSED)),
            unproven=Count("id", filter=yes & Q(state=State.UNPROVEN)),
            overdue=Count("id", filter=yes & overdue(now)),
        )
    }
    known = {o.id: o for o in folder.obligations}
    open_ones = [r for r in rows if r.state in day.OPEN and r.due_at and r.obligation in known]
    return [_side(party, counted, open_ones, known, plan, now) for party in ("A", "B")]


def _side(
    party: str,
    counted: Mapping[str, Mapping[str, Any]],
    rows: Sequence[Occurrence],
    known: Mapping[str, Obligation],
    plan: ApprovedPlan | None,
    now: datetime,
) -> Side:
    def total(what: str) -> int:
        return sum(int(counted[owes][what]) for owes in (party, "AB") if owes in counted)

    mine = [r for r in rows if party in r.owes]
    alike: dict[str, list[Occurrence]] = {}
    for row in mine:  # in the order in which they end
        alike.setdefault(row.obligation, []).append(row)
    first = [_clock(known[of], found, plan, now) for of, found in list(alike.items())[:CLOCKS]]
    return Side(
        name=words.party(party),
        kept=total("kept"),
        late=total("late"),
        missed=total("missed"),
        unproven=total("unproven"),
        running=len(mine),
        overdue=total("overdue"),
        clocks=first,
    )


def _clock(obligation: Obligation, rows: Sequence[Occurrence], plan: ApprovedPlan | None, now: datetime) -> Clock:
    row = rows[0]
    due = row.due_at or now
    whole, left = max(due - row.starts_at, timedelta(seconds=1)), due - now
    tone = "bad" if left < timedelta(0) else "warn" if left < min(timedelta(days=1), whole / 2) else "ok"
    rule = f"{' '.join(row.clauses)} · {words.deadline(obligation, row, plan)}"
    return Clock(words.title(obligation), len(rows), rule, words.left(left), 1 - left / whole, tone)


def worst_first(heat: year.Heat) -> tuple[list[year.HeatRow], list[year.HeatRow]]:
    """The rows that fit, in the contract's order, and those left out: the more months were not wholly kept, the sooner a
    row is shown."""
    chosen = sorted(heat.rows, key=lambda row: -not_kept(row))[:HEAT]
    return [row for row in heat.rows if row in chosen], [row for row in heat.rows if row not in chosen]


def not_kept(row: year.HeatRow) -> int:
    """Months in which something of it was not kept, or not proven."""
    return sum(cell.level not in ("h5", "hn", "hf") for cell in row.cells)


def old(health: today.Health, now: datetime) -> list[str]:
    """Why this picture may not be the present, in words for large letters."""
    said = []
    if not health.workers:
        said.append(_("工作进程没有应答：义务不会自动执行，画面不再更新"))
    if health.head_at is None:
        said.append(_("台账还没有签名头"))
    elif now - health.head_at > OLD:
        minutes = int((now - health.head_at).total_seconds() // 60)
        said.append(_("台账已有 {n} 分钟没有签名").format(n=minutes))
    return said


def model(now: datetime) -> dict[str, Any]:
    """Everything on the wall; the number of statements is fixed whatever the tables hold."""
    folder = contract_folder()
    zone = ZoneInfo(folder.contract.timezone)
    start = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    end = start + timedelta(days=1)
    versions = plans.approved_versions()
    plan = next((v for v in reversed(versions) if v.counts_from <= start.date()), None)
    counts = day.counts_of(now, start, end)
    sweep = looked.sweep_of(start, end)
    faults, _all = looked.faults(now, zone)
    heat = year.heat(folder, plan, now, zone)
    rows, left_out = worst_first(heat)
    slices, figure, caption = year.ring_of(counts)
    health, span = today.health(now), period.duty_span(folder.contract)
    clauses = {o.id: o.clauses[0] if o.clauses else "" for o in folder.obligations}
    return {
        "now": now,
        "at_ms": int(now.timestamp() * 1000),
        "zone": folder.contract.timezone,
        "day_n": (start.date() - span.start).days + 1,
        "days": (span.end - span.start).days + 1,
        "counts": counts,
        "settled": sum(counts[name] for name in ("kept", "late", "missed", "unproven")),
        "ring_slices": slices,
        "ring_figure": figure,
        "ring_caption": caption,
        "sides": sides(folder, day.open_rows(), plan, now),
        "sweep": sweep,
        "blind": sweep.blind[:BLIND],
        "faults": faults[:FAULTS],
        "severity": faults_by_severity(),
        "heat": heat,
        "heat_rows": rows,
        "left_out": len(left_out),
        "left_out_bad": sum(not_kept(row) > 0 for row in left_out),
        "clause_of": clauses,
        "health": health,
        "old": old(health, now),
        "plan": plan,
    }


def faults_by_severity() -> dict[str, int]:
    """Open findings in all and the critical ones. One statement."""
    return Finding.objects.filter(closed_at__isnull=True).aggregate(
        all=Count("id"), critical=Count("id", filter=Q(severity=Severity.CRITICAL))
    )


def screen(request: HttpRequest) -> HttpResponse:
    """The wall."""
    now = now_of_instance()
    return page(request, "duties/screen.jinja", model(now), here="screen", title=_("运维与履约态势"), as_of=now)


def body(request: HttpRequest) -> HttpResponse:
    """What changes on it, under the same gate."""
    return page(request, "duties/screen_body.jinja", model(now_of_instance()), here="screen")
