"""合同健康: how the contract is kept by both parties, what is open and who must act. What is open stands first: no share
of what was kept covers it, and what nobody could prove has its own mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yunwei.assessment import waiting as worth
from yunwei.contract import openitems, period, plans
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import ApprovedPlan, Folder, Kind, Obligation, OpenItem
from yunwei.contract.web import terms, tree
from yunwei.duties import sources
from yunwei.duties.models import Occurrence, State
from yunwei.duties.queries import OPEN
from yunwei.duties.web import day, own, year
from yunwei.duties.web.pending import BOTH, Waiting, waiting
from yunwei.duties.web.standing import NOTHING, Standing, standings, worst
from yunwei.kernel.calendar import Calendar
from yunwei.ledger.models import Entry
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.vocabulary import amount

#: rows a card shows; the rest has its count
WORST, NEXT = 10, 7
RANK = {"bad": 0, "unp": 1, "warn": 2}
#: functions whose blanks touch money
MONEY = ("payment.", "claim.", "assessment.", "change.")


@dataclass(frozen=True, slots=True)
class Broken:
    """One obligation of which something was not kept, was not proven, or is late."""

    duty: Obligation
    standing: Standing

    @property
    def title(self) -> str:
        return words.title(self.duty)


@dataclass(frozen=True, slots=True)
class Side:
    """One party: its clocks, its breaches, and what waits for its hand."""

    code: str
    name: str
    title: str
    standing: Standing
    clocks: list[own.Own]
    hands: str  # who of it acts
    running: int
    answers: int
    plan: int  # versions it has to decide on
    items: int  # open items it owes an answer to

    @property
    def acts(self) -> int:
        """What waits for its hand now."""
        return self.overdue + self.answers + self.plan

    @property
    def overdue(self) -> int:
        """What is past its time and still not done; it may still be done, late."""
        return self.standing.overdue + self.standing.missed


def broken(folder: Folder, found: Mapping[str, Standing]) -> list[Broken]:
    """Obligations with something missed, overdue, unproven or late; the worst and most frequent first."""
    rows = [Broken(o, found[o.id]) for o in folder.obligations if o.id in found and found[o.id].tone in RANK]
    rows.sort(key=lambda b: (not b.standing.overdue, RANK[b.standing.tone], -_weight(b.standing), b.duty.id))
    return rows


def _weight(standing: Standing) -> int:
    return standing.overdue + standing.missed + standing.unproven + standing.late


def side(
    code: str, folder: Folder, found: Mapping[str, Standing], rows: Sequence[Occurrence], plan: ApprovedPlan | None,
    open_: Waiting, proposed: int, now: datetime, zone: ZoneInfo, calendar: Calendar,
) -> Side:  # fmt: skip
    """One party with what it owes and what waits for it."""
    party = next(p for p in folder.contract.parties if p.role == code)
    mine = [r for r in rows if code in r.owes]
    running = [r for r in mine if r.period.startswith("event:") and r.due_at and r.state in (*OPEN, State.MISSED)]
    return Side(
        code=code,
        name=words.party(code),
        title=party.name,
        standing=worst(found.get(o.id, NOTHING) for o in folder.obligations if code in o.owes.value),
        clocks=own.clocks(folder, code, mine, plan, calendar, now, zone),
        hands=own.hands(code),
        running=len(running),
        answers=open_.by[code],
        plan=proposed if code == "A" else 0,
        items=len(openitems.still_open(folder, code)),
    )


def sentence(whole: Standing, sides: Sequence[Side]) -> list[tuple[str, str]]:
    """The title: how much was kept how, what is late, and whose turn it is."""
    values: dict[str, tuple[object, str]] = {
        "settled": (whole.settled, "plain"),
        "missed": (whole.missed, "bad" if whole.missed else "mut"),
        "unproven": (whole.unproven, "unp" if whole.unproven else "mut"),
        "late": (whole.late, "warn" if whole.late else "mut"),
        "a": (sides[0].acts, "warn" if sides[0].acts else "mut"),
        "b": (sides[1].acts, "warn" if sides[1].acts else "mut"),
    }
    if not whole.settled:
        text = _("本合同期尚无已结事项；待甲方办理 {a} 件、乙方 {b} 件")
    else:
        text = _(
            "本合同期已结 {settled} 项，其中未履行 {missed}、未证明 {unproven}、迟延 {late}；"
            "待甲方办理 {a} 件、乙方 {b} 件"
        )
    return words.pieces(text, values)


@dataclass(frozen=True, slots=True)
class Item:
    """One open item of the register."""

    item: OpenItem

    @property
    def title(self) -> str:
        return self.item.title_en if words.english() else self.item.title

    @property
    def owner(self) -> str:
        return words.party(self.item.owner)

    @property
    def area(self) -> str:
        return terms.function(self.item.blocks)


def next_due(folder: Folder, now: datetime) -> list[tuple[Obligation, Occurrence]]:
    """What falls due next, of both parties, what recurs every day left aside: it has its own page. One statement."""
    known = {o.id: o for o in folder.obligations}
    rows = (
        Occurrence.objects.filter(state__in=OPEN, due_at__gte=now, counts=True, obligation__in=known)
        .exclude(period__regex=r"^\d{4}-\d{2}-\d{2}$")
        .order_by("due_at", "id")[:NEXT]
    )
    return [(known[row.obligation], row) for row in rows]


def model(now: datetime) -> dict[str, Any]:
    """Everything the page shows."""
    folder = contract_folder()
    zone = ZoneInfo(folder.contract.timezone)
    versions = plans.approved_versions()
    today = now.astimezone(zone).date()
    plan = next((v for v in reversed(versions) if v.counts_from <= today), None)
    found = standings(now)
    known = {o.id: o for o in folder.obligations}
    open_ = waiting(known)
    proposed = list(PlanVersion.objects.filter(state=PlanState.PROPOSED).values_list("version", flat=True))
    rows, calendar = day.open_rows(), sources.calendar()
    sides = [side(c, folder, found, rows, plan, open_, len(proposed), now, zone, calendar) for c in BOTH]
    stones, today_at, ticks = year.milestones(folder, versions, now, zone)
    whole = worst(found.values())
    items = sorted(openitems.still_open(folder), key=lambda i: not i.blocks.startswith(MONEY))
    faults = broken(folder, found)
    span = period.duty_span(folder.contract)
    return {
        "sentence": sentence(whole, sides),
        "term": words.date_line(today, (today - span.start).days + 1, (span.end - span.start).days + 1),
        "whole": whole,
        "share": f"{100 * whole.kept / whole.settled:.1f}" if whole.settled else "—",
        "faults": faults[:WORST],
        "faults_all": len(faults),
        "columns": [
            (_("未履行"), "missed", "bad"), (_("未证明"), "unproven", "unp"),
            (_("迟延"), "late", "warn"), (_("待确认"), "stated", "info"), (_("按期"), "kept", "ok"),
        ],
        "sides": sides,
        "waiting": open_,
        "worth": worth.waiting(folder, now),
        "proposed": proposed,
        "plan": plan,
        "articles": tree.articles(folder, found),
        "ranks": tree.ranks(folder),
        "missing": {i.clause: i for i in items},
        "stones": stones, "today_at": today_at, "ticks": ticks,
        "next": next_due(folder, now),
        "price": folder.contract.price,
        "payments": day.payments(folder, rows, now, zone),
        "instalments": folder.contract.instalments,
        "spans": {i.id: amount(i.days, i.unit) for i in folder.contract.instalments},
        "events": {e.id: e.title_en if words.english() else e.title for e in folder.event_details},
        "blocked": [Item(i) for i in items if i.blocks.startswith(MONEY)],
        "items": [Item(i) for i in items],
        "closed": len(folder.open_items) - len(items),
        "rubric": openitems.blocked(folder, "assessment.rubric"),
        "readings": folder.contract.periods,
        "confirmed": period.confirmed(folder.contract),
        "pays": {o.instalment: o.id for o in folder.obligations if o.kind is Kind.PAY},
        "now": now, "zone": zone,
        "number": _numbers(sides, open_),
    }  # fmt: skip


def _numbers(sides: Sequence[Side], open_: Waiting) -> dict[int, int]:
    """Ledger numbers of the clocks, proofs and claims shown; one statement."""
    said: list[Any] = [*(c.clock for s in sides for c in s.clocks), *open_.proofs, *open_.claims, *open_.disputes]
    ids = {row.evidence for row in said if row.evidence is not None}
    return dict(Entry.objects.filter(intake_id__in=ids).values_list("intake_id", "seq"))


def health(request: HttpRequest) -> HttpResponse:
    """The page."""
    now = now_of_instance()
    return page(request, "contract/health.jinja", model(now), here="contract", as_of=now)


def body(request: HttpRequest) -> HttpResponse:
    """Its changing part, fetched again when something of it changed, under the same permission check."""
    now = now_of_instance()
    return page(request, "contract/health_body.jinja", model(now), here="contract", as_of=now)
