"""今日: the first screen. One sentence answers the day; everything on it names its evidence or says that it has none.

The number of SQL statements is fixed whatever the tables hold (tests/ui/test_today.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from yunwei.contract import openitems, period, plans
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import ApprovedPlan, Folder
from yunwei.duties import sources
from yunwei.duties.web import day, looked, own, year
from yunwei.duties.web.pending import side_of, waiting
from yunwei.ledger import heads
from yunwei.ledger.models import Entry, Head, HeadPush, Waiting
from yunwei.runs.services import workers_alive
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.pages import home_of

#: rows a card shows
LOG, ITEMS = 10, 6


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the platform itself is alive; what is not known is not shown as good."""

    number: int
    waiting: int
    head_at: datetime | None
    overdue: list[heads.Overdue]
    pushed_at: datetime | None
    workers: int
    settled: str  # hash of the newest head when no record waits behind it, else ""


def health(now: datetime) -> Health:
    """State of ledger, pushed heads and workers."""
    pushed = HeadPush.objects.filter(ok=True).exclude(address__startswith=heads.HANDOVER).order_by("-id")
    newest = Head.objects.annotate(pushed_at=Subquery(pushed.values("at")[:1])).order_by("-number").first()
    waiting = Waiting.objects.count()
    return Health(
        number=newest.size if newest else 0,
        waiting=waiting,
        head_at=newest.at if newest else None,
        overdue=heads.overdue(now),
        pushed_at=newest.pushed_at if newest else None,
        workers=workers_alive(now),
        settled=newest.hash if newest and not waiting else "",
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger entry."""

    at: str
    what: str
    subject: str
    seq: int


def log_lines(now: datetime, zone: ZoneInfo) -> list[Line]:
    """The newest ledger entries, in words, with their numbers."""
    rows: Iterable[Entry] = Entry.objects.select_related("intake").order_by("-seq")[:LOG]
    return [Line(words.when(e.intake.at, now, zone), words.event(e.intake.kind), e.intake.subject, e.seq) for e in rows]


def _numbers(*groups: Iterable[Any]) -> dict[int, int]:
    """Ledger numbers of the claims on the page, in one query; a claim that still waits has none."""
    ids = {row.evidence for group in groups for row in group if row.evidence is not None}
    return dict(Entry.objects.filter(intake_id__in=ids).values_list("intake_id", "seq"))


def _in_force(versions: list[ApprovedPlan], now: datetime, zone: ZoneInfo) -> ApprovedPlan | None:
    """The version that counts today, of those that are loaded anyway (as contract.plans.plan_at)."""
    today = now.astimezone(zone).date()
    return next((v for v in reversed(versions) if v.counts_from <= today), None)


def _open_items(folder: Folder) -> dict[str, Any]:
    """What the parties still have to agree on, by who owes the answer; what touches money first."""
    items = sorted(openitems.still_open(folder), key=lambda i: not i.blocks.startswith("payment."))
    return {
        "all": len(items),
        "by": [(words.party(who), sum(i.owner == who for i in items)) for who in ("A", "B", "AB")],
        "rows": [
            (i.clause, i.title_en if words.english() else i.title, words.party(i.owner), i.id) for i in items[:ITEMS]
        ],
    }


@dataclass(frozen=True, slots=True)
class Turn:
    """What waits for the reader's own side: statements of the other one to answer, plan versions to decide."""

    answers: int
    plans: int


def turn_of(account: object, folder: Folder) -> Turn | None:
    """The same figures as 合同健康 has; None for who takes no part in the business, or where nothing waits."""
    side = side_of(account)
    if not side:
        return None
    answers = waiting({o.id: o for o in folder.obligations}).by[side]
    proposed = PlanVersion.objects.filter(state=PlanState.PROPOSED).count() if side == "A" else 0
    return Turn(answers, proposed) if answers or proposed else None


def model(now: datetime, account: object = None) -> dict[str, Any]:
    """Everything the page shows."""
    folder = contract_folder()
    zone = ZoneInfo(folder.contract.timezone)
    start = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    end = start + timedelta(days=1)
    alive = health(now)  # before the rest: what is read after it is at least as new as the head it names
    versions = plans.approved_versions()
    plan = _in_force(versions, now, zone)
    counts = day.counts_of(now, start, end)
    rows = day.open_rows()
    duties, duties_all = day.duties(folder, now, start, end, zone)
    clocks = day.clocks(folder, rows, plan, now, zone)
    sweep = looked.sweep_of(start, end)
    faults, faults_all = looked.faults(now, zone)
    stones, today_at, ticks = year.milestones(folder, versions, now, zone)
    slices, figure, caption = year.ring_of(counts)
    span = period.duty_span(folder.contract)
    today = start.date()
    side = side_of(account)
    return {
        "own": own.clocks(folder, side, rows, plan, sources.calendar(), now, zone) if side else [],
        "own_side": words.party(side) if side else "",
        "own_hands": own.hands(side) if side else "",
        "now": now,
        "sentence": day.sentence(counts, sweep),
        "date_line": words.date_line(today, (today - span.start).days + 1, (span.end - span.start).days + 1),
        "plan": plan,
        "turn": turn_of(account, folder),
        "counts": counts,
        "earlier_unproven": counts["unproven"] - counts["today_unproven"],
        "ring_slices": slices,
        "ring_figure": figure,
        "ring_caption": caption,
        "sweep": sweep,
        "duties": duties,
        "duties_all": duties_all,
        "clocks": clocks,
        "heat": year.heat_of(alive.settled, folder, plan, now, zone),
        "faults": faults,
        "faults_all": faults_all,
        "log": log_lines(now, zone),
        "health": alive,
        "stones": stones,
        "today_at": today_at,
        "ticks": ticks,
        "price": folder.contract.price,
        "payments": day.payments(folder, rows, now, zone),
        "open_items": _open_items(folder),
        "number": _numbers(duties, clocks, faults, [sweep]),
    }


def home(request: HttpRequest) -> HttpResponse:
    """The first page: today, or where this role's day is answered (a department, an officer)."""
    first = home_of(request.user)
    return today(request) if first == "today" else redirect(first)


def today(request: HttpRequest) -> HttpResponse:
    """The page."""
    return page(request, "duties/today.jinja", model(now_of_instance(), request.user), here="today")


def body(request: HttpRequest) -> HttpResponse:
    """Its changing part, fetched again when something of it changed, under the same permission check."""
    return page(request, "duties/today_body.jinja", model(now_of_instance(), request.user), here="today")
