"""今日: the first screen. One sentence answers the day; everything on it names its evidence or says that it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.db.models.functions import TruncMonth
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yunwei.charts.svg import Milestone, Slice
from yunwei.contract import openitems, period, plans
from yunwei.contract.schema import Folder
from yunwei.duties.models import Occurrence, State
from yunwei.duties.web import words
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.ledger import heads
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Entry, Intake
from yunwei.runs.models import Run
from yunwei.runs.services import workers_alive
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

#: rows a card shows; the rest has its count
CLOCKS, ALARMS, LOG = 7, 8, 10
OPEN = (State.DUE, State.RUNNING)
#: colour class of a state: unproven has its own, it is neither good nor bad
TONE = {
    State.KEPT: "ok",
    State.RUNNING: "info",
    State.DUE: "mut",
    State.LATE: "warn",
    State.UNPROVEN: "unp",
    State.MISSED: "bad",
    State.EXEMPT: "mut",
}


@dataclass(frozen=True, slots=True)
class Clock:
    """One running clock and the rule it runs by; `owner` is who owes."""

    title: str
    rule: str
    left: str
    used: float
    tone: str
    owner: str


@dataclass(frozen=True, slots=True)
class Group:
    """Assets of one category in today's inspection."""

    name: str
    total: int
    passed: int
    failed: int
    unproven: int


@dataclass(slots=True)
class Sweep:
    """Today's inspection, or none yet."""

    run: Run | None
    agreed: int = 0
    groups: list[Group] = field(default_factory=list)
    reasons: list[tuple[str, int]] = field(default_factory=list)

    @property
    def looked(self) -> int:
        return sum(g.passed + g.failed + g.unproven for g in self.groups)

    @property
    def unproven(self) -> int:
        return sum(g.unproven for g in self.groups)

    @property
    def failed(self) -> int:
        return sum(g.failed for g in self.groups)


def _zone(folder: Folder) -> ZoneInfo:
    return ZoneInfo(folder.contract.timezone)


def _day(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    start = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def sweep_of(now: datetime, zone: ZoneInfo) -> Sweep:
    """The newest inspection run of the day with its assets by category."""
    start, end = _day(now, zone)
    run = (
        Run.objects.filter(procedure="hardware.inspect", cause__has_key="obligation")
        .filter(submitted_at__gte=start, submitted_at__lt=end)
        .order_by("-submitted_at")
        .first()
    )
    if run is None:
        return Sweep(None)
    rows = DeviceSweep.objects.filter(run_id=run.id)
    by = Counter[tuple[str, str]]()
    for category, verdict, n in rows.values_list("asset__category", "verdict").annotate(n=Count("id")):
        by[category, verdict] += n
    groups = [
        Group(
            words.category(name),
            sum(n for (c, _v), n in by.items() if c == name),
            by[name, "pass"],
            by[name, "fail"],
            by[name, "unproven"],
        )
        for name in sorted({c for c, _v in by})
    ]
    reasons = rows.filter(verdict="unproven").values_list("reason").annotate(n=Count("id")).order_by("-n")
    return Sweep(run, len(run.scope.get("assets", ())), groups, [(words.reason(r), n) for r, n in reasons])


def clocks(folder: Folder, now: datetime) -> list[Clock]:
    """What runs down now: occurrences that an event started, of both parties, and nothing that has no number."""
    titles = {o.id: o for o in folder.obligations}
    rows = Occurrence.objects.filter(state__in=OPEN, period__startswith="event:", due_at__isnull=False).order_by(
        "due_at"
    )
    out = []
    for row in rows[:CLOCKS]:
        if (obligation := titles.get(row.obligation)) is None or row.due_at is None:
            continue
        whole = max((row.due_at - row.starts_at).total_seconds(), 1.0)
        left = row.due_at - now
        tone = "bad" if left < timedelta(0) else "warn" if left < timedelta(days=1) else "ok"
        rule = f"{words.deadline(folder, row, plans.plan_at(now))} · {words.clauses(row.clauses)}"
        used = 1 - left.total_seconds() / whole
        title = obligation.title_en if words.english() else obligation.title
        out.append(Clock(title, rule, words.left(left), used, tone, words.party(row.owes)))
    return out


def heat(folder: Folder, now: datetime) -> tuple[list[str], int, list[tuple[str, str, str, list[dict[str, str]]]]]:
    """Obligations × months of the term: what share of what was settled was kept. One query."""
    span = period.duty_span(folder.contract)
    months = _months(span.start, span.end)
    zone = _zone(folder)
    rows = (
        Occurrence.objects.filter(counts=True, due_at__isnull=False)
        .annotate(month=TruncMonth("due_at", tzinfo=zone))
        .values_list("obligation", "month", "state")
        .annotate(n=Count("id"))
    )
    table: dict[tuple[str, date], Counter[str]] = {}
    for obligation, month, state, n in rows:
        table.setdefault((obligation, month.date()), Counter())[state] += n
    current = now.astimezone(zone).date().replace(day=1)
    out = []
    for obligation in folder.obligations:
        cells = [_cell(table.get((obligation.id, month), Counter()), month, current) for month in months]
        if any(cell["level"] not in ("hn", "hf") for cell in cells):
            title = obligation.title_en if words.english() else obligation.title
            out.append((obligation.id, title, words.cadence(folder, obligation.id, plans.plan_at(now)), cells))
    labels = [words.month(m) for m in months]
    return labels, months.index(current) if current in months else -1, out


def _months(start: date, end: date) -> list[date]:
    out, month = [], start.replace(day=1)
    while month <= end:
        out.append(month)
        month = (month.replace(day=28) + timedelta(days=7)).replace(day=1)
    return out


def _cell(states: Counter[str], month: date, current: date) -> dict[str, str]:
    """Level by share kept: 100 / ≥ 99 / ≥ 97 / ≥ 93 / less; unproven without any miss is shown as such."""
    settled = sum(states[s] for s in (State.KEPT, State.LATE, State.MISSED, State.UNPROVEN))
    if not settled:
        return {"level": "hf" if month > current or states else "hn", "text": "", "label": _("尚无已结事项")}
    share = 100 * states[State.KEPT] / settled
    label = _("{kept}/{all} 按期履行").format(kept=states[State.KEPT], all=settled)
    if share < 100 and not (states[State.MISSED] or states[State.LATE]):
        return {"level": "hu", "text": f"{states[State.UNPROVEN]}", "label": label}
    level = "h5" if share == 100 else "h4" if share >= 99 else "h3" if share >= 97 else "h2" if share >= 93 else "h1"
    return {"level": level, "text": "" if share >= 97 else f"{share:.0f}", "label": label}


def milestones(folder: Folder, now: datetime) -> tuple[list[Milestone], float | None]:
    """The contract year from its facts: signatures, approvals of the plan, the ends of the period readings."""
    span = period.duty_span(folder.contract)
    days = max((span.end - span.start).days, 1)
    today = now.astimezone(_zone(folder)).date()

    def at(day: date) -> float:
        return min(max((day - span.start).days / days, 0.0), 1.0)

    points = {max(s.date for s in folder.contract.signatures): _("双方签署")}
    for version in plans.approved_versions():
        points.setdefault(version.counts_from, _("方案第 {n} 版审定").format(n=version.version))
    ends = sorted({reading.end for reading in folder.contract.periods})
    points.setdefault(ends[0], _("期满（最早读法）") if len(ends) > 1 else _("期满"))
    points.setdefault(ends[-1], _("期满（最晚读法）"))
    stones = [Milestone(at(day), title, day.isoformat(), day <= today) for day, title in sorted(points.items())]
    return stones, at(today) if span.start <= today <= span.end else None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One open fault, or one asset that was not seen."""

    tone: str
    at: datetime
    title: str
    note: str


def alarms(sweep: Sweep) -> tuple[list[Alarm], int]:
    """Open findings, the worst first, then what today's inspection could not see."""
    found = Finding.objects.filter(closed_at__isnull=True).select_related("asset")
    total = found.count()
    rows = [
        Alarm(f.severity, f.opened_at, f"{f.asset.name} · {f.name}", words.finding(f))
        for f in found.order_by("severity", "-opened_at")[:ALARMS]
    ]
    if sweep.run is not None and len(rows) < ALARMS:
        blind = DeviceSweep.objects.filter(run_id=sweep.run.id, verdict="unproven").select_related("asset")
        rows += [
            Alarm("unp", s.observed_at, f"{s.asset.name} · {words.reason(s.reason)}", s.detail)
            for s in blind.order_by("asset__code")[: ALARMS - len(rows)]
        ]
    return rows, total


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the platform itself is alive; what is not known is not shown as good."""

    number: int
    waiting: int
    head_at: datetime | None
    overdue: bool
    workers: int


def health(now: datetime) -> Health:
    """State of ledger, pushed heads and workers."""
    newest = ledger.head()
    return Health(
        number=newest.size if newest else 0,
        waiting=Intake.objects.filter(sequenced=False).count(),
        head_at=newest.at if newest else None,
        overdue=bool(heads.overdue(now)),
        workers=workers_alive(now),
    )


def sentence(counts: Mapping[str, int], sweep: Sweep) -> list[tuple[str, str]]:
    """The title: (text, tone) pieces that answer the day."""
    pieces: list[tuple[str, str]] = [(_("今天有 "), ""), (str(counts["overdue"]), "bad" if counts["overdue"] else "ok")]
    pieces += [
        (_(" 项逾期、"), ""),
        (str(counts["unproven"]), "unp" if counts["unproven"] else "ok"),
        (_(" 项未证明、"), ""),
    ]
    pieces += [(str(counts["today"]), "warn" if counts["today"] else "ok"), (_(" 项今日到期；"), "")]
    if sweep.run is None:
        return [*pieces, (_("今日巡检尚未开始"), "")]
    if sweep.run.ended_at is None:
        return [*pieces, (_("巡检进行到 {n} / {all}").format(n=sweep.run.done, all=sweep.agreed), "")]
    seen = sweep.looked - sweep.unproven
    return [*pieces, (_("巡检看清 {n} / {all} 台").format(n=seen, all=sweep.agreed), "")]


def counts_of(now: datetime, end: datetime) -> dict[str, int]:
    """Occurrences that count, by state, in one query."""
    yes = Q(counts=True)
    return Occurrence.objects.aggregate(
        kept=Count("id", filter=yes & Q(state=State.KEPT)),
        late=Count("id", filter=yes & Q(state=State.LATE)),
        missed=Count("id", filter=yes & Q(state=State.MISSED)),
        unproven=Count("id", filter=yes & Q(state=State.UNPROVEN)),
        exempt=Count("id", filter=yes & Q(state=State.EXEMPT)),
        overdue=Count("id", filter=yes & Q(state__in=OPEN, due_at__lt=now))
        + Count("id", filter=yes & Q(state=State.MISSED)),
        today=Count("id", filter=yes & Q(state__in=OPEN, due_at__gte=now, due_at__lte=end)),
        week=Count("id", filter=yes & Q(state__in=OPEN, due_at__gt=end, due_at__lte=end + timedelta(days=7))),
        uncounted=Count("id", filter=Q(counts=False, state__in=OPEN, due_at__gte=now, due_at__lte=end)),
    )


def ring_of(counts: Mapping[str, int]) -> tuple[list[Slice], str, str]:
    """The ring of what has been settled so far; a share is shown only of something that exists."""
    order = (("kept", "ok"), ("late", "warn"), ("unproven", "unp"), ("missed", "bad"), ("exempt", "mut"))
    slices = [Slice(counts[name], tone) for name, tone in order]
    settled = sum(counts[name] for name in ("kept", "late", "unproven", "missed"))
    figure = f"{100 * counts['kept'] / settled:.1f}" if settled else "—"
    return slices, figure, _("已结事项按期履行 %") if settled else _("尚无已结事项")


def log_lines() -> list[tuple[datetime, str, int]]:
    """The newest ledger entries, in words, with their numbers."""
    rows: Iterable[Entry] = Entry.objects.select_related("intake").order_by("-seq")[:LOG]
    return [(e.intake.at, words.event(e.intake.kind, e.intake.subject), e.seq) for e in rows]


def model(now: datetime) -> dict[str, Any]:
    """Everything the page shows."""
    folder = contract_folder()
    zone = _zone(folder)
    _start, end = _day(now, zone)
    counts = counts_of(now, end)
    sweep = sweep_of(now, zone)
    alarm_rows, open_findings = alarms(sweep)
    labels, current, rows = heat(folder, now)
    stones, today_at = milestones(folder, now)
    slices, figure, caption = ring_of(counts)
    price = openitems.blocked(folder, "price.final")
    span = period.duty_span(folder.contract)
    today = now.astimezone(zone).date()
    return {
        "now": now,
        "sentence": sentence(counts, sweep),
        "date_line": words.date_line(today, (today - span.start).days + 1, (span.end - span.start).days + 1),
        "plan": plans.plan_at(now),
        "counts": counts,
        "ring_slices": slices,
        "ring_figure": figure,
        "ring_caption": caption,
        "sweep": sweep,
        "bars": [[Slice(g.passed, "ok"), Slice(g.failed, "bad"), Slice(g.unproven, "unp")] for g in sweep.groups],
        "clocks": clocks(folder, now),
        "months": labels,
        "current_month": current,
        "heat": rows,
        "alarms": alarm_rows,
        "open_findings": open_findings,
        "log": log_lines(),
        "health": health(now),
        "stones": stones,
        "today_at": today_at,
        "price_open": price,
        "amount": folder.contract.price.amount,
    }


def today(request: HttpRequest) -> HttpResponse:
    """The page."""
    return page(request, "duties/today.jinja", model(now_of_instance()), here="today")


def body(request: HttpRequest) -> HttpResponse:
    """Its changing part, fetched again every few seconds under the same permission check."""
    return page(request, "duties/today_body.jinja", model(now_of_instance()), here="today")
