"""What was looked at today: the inspection by category, open faults with their tickets, what could not be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, OuterRef, Subquery, When, Window

from yunwei.charts.svg import Slice
from yunwei.desk.models import Ticket, TicketKind, TicketState
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.ledger.models import Intake
from yunwei.runs.models import Run, RunState
from yunwei.ui import words

#: rows a card shows; the rest has its count
FAULTS, NAMED = 7, 4


@dataclass(frozen=True, slots=True)
class Group:
    """Assets of one category in today's inspection."""

    name: str
    passed: int
    failed: int
    unproven: int

    @property
    def total(self) -> int:
        return self.passed + self.failed + self.unproven

    @property
    def bar(self) -> list[Slice]:
        return [Slice(self.passed, "ok"), Slice(self.failed, "bad"), Slice(self.unproven, "unp")]


@dataclass(frozen=True, slots=True)
class Blind:
    """Assets that were not proven for one reason, some of them by name."""

    reason: str
    count: int
    names: list[str]
    more: bool


@dataclass(slots=True)
class Sweep:
    """Today's inspection, or none yet. `silent` are the zones and protocols whose positive control was not found."""

    run: Run | None
    agreed: int = 0
    groups: list[Group] = field(default_factory=list)
    blind: list[Blind] = field(default_factory=list)
    causes: list[tuple[str, int]] = field(default_factory=list)
    controls: int = 0
    silent: list[str] = field(default_factory=list)
    evidence: int | None = None  # ledger intake of the judgement

    @property
    def passed(self) -> int:
        return sum(g.passed for g in self.groups)

    @property
    def failed(self) -> int:
        return sum(g.failed for g in self.groups)

    @property
    def proven(self) -> int:
        return self.passed + self.failed

    @property
    def unproven(self) -> int:
        """What was agreed and is not proven, assets without any row included, once the run has ended."""
        told = sum(g.unproven for g in self.groups)
        return max(self.agreed - self.proven, told) if self.run is not None and self.run.ended_at else told

    @property
    def broken(self) -> bool:
        return self.run is not None and self.run.state in (RunState.FAILED, RunState.CANCELLED)

    @property
    def bar(self) -> list[Slice]:
        return [Slice(self.passed, "ok"), Slice(self.failed, "bad"), Slice(self.unproven, "unp")]


def sweep_of(start: datetime, end: datetime) -> Sweep:
    """The newest inspection that an obligation asked for between two moments. Two queries."""
    judged = Intake.objects.filter(kind="inspect.run.judged", subject=OuterRef("id")).order_by("-id").values("id")[:1]
    run = (
        Run.objects.filter(procedure="hardware.inspect", cause__has_key="obligation")
        .filter(submitted_at__gte=start, submitted_at__lt=end)
        .annotate(judged=Subquery(judged))
        .order_by("-submitted_at")
        .first()
    )
    if run is None:
        return Sweep(None)
    rows = (
        DeviceSweep.objects.filter(run_id=run.id)
        .values_list("asset__category", "verdict", "reason", "cause")
        .annotate(n=Count("id"))
        .order_by()
    )
    by, reasons, causes = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    for category, verdict, reason, cause, n in rows:
        by[category, verdict] += n
        if verdict == "unproven":
            reasons[reason] += n
            causes[cause] += n
    groups = [
        Group(words.category(name), by[name, "pass"], by[name, "fail"], by[name, "unproven"])
        for name in sorted({category for category, _verdict in by})
    ]
    outcome: Mapping[str, Any] = run.outcome or {}
    coverage: Mapping[str, Any] = outcome.get("coverage") or {}
    controls: Mapping[str, bool] = outcome.get("control") or {}
    return Sweep(
        run,
        agreed=int(coverage.get("agreed", len(run.scope.get("assets", ())))),
        groups=groups,
        blind=_blind(coverage.get("unproven") or reasons, coverage.get("not_proven") or ()),
        causes=[(words.cause(code), n) for code, n in causes.most_common()],
        controls=len(controls),
        silent=sorted(name for name, fired in controls.items() if not fired),
        evidence=run.judged,
    )


def _blind(reasons: Mapping[str, int], named: Sequence[Sequence[str]]) -> list[Blind]:
    out = []
    for reason, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        codes = [str(code) for code, why, *_detail in named if why == reason]
        out.append(Blind(words.reason(reason), n, codes[:NAMED], n > NAMED and bool(codes)))
    return out


@dataclass(frozen=True, slots=True)
class Fault:
    """One open finding and the ticket it has."""

    pk: int
    severity: str
    at: str
    title: str
    note: str
    number: str  # of its ticket
    ticket: str
    evidence: int | None
    fresh: bool  # first seen today


def faults(now: datetime, zone: ZoneInfo) -> tuple[list[Fault], int]:
    """Open findings and how many there are in all: what is new today first, then the worst and newest. Two queries."""
    day = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    found = list(
        Finding.objects.filter(closed_at__isnull=True)
        .select_related("asset")
        .annotate(all=Window(Count("id")))
        .order_by(Case(When(opened_at__gte=day, then=0), default=1), "severity", "-opened_at", "id")[:FAULTS]
    )
    tickets = {
        (asset, component): (number, f"{number} {TicketState(state).label}")
        for asset, component, number, state in Ticket.objects.filter(
            kind=TicketKind.FAULT, closed_at__isnull=True, asset__in=[f.asset_id for f in found]
        ).values_list("asset", "component", "number", "state")
    }
    rows = [
        Fault(
            f.pk,
            f.severity,
            words.when(f.opened_at, now, zone),
            f"{f.asset.name} · {f.name}",
            words.finding(f),
            *tickets.get((f.asset_id, f.component), ("", "")),
            f.evidence,
            f.opened_at >= day,
        )
        for f in found
    ]
    return rows, found[0].all if found else 0
