"""What is due: the duties of the day, the clocks that run, the money that waits. Both parties' with equal weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, Exists, OuterRef, Q, Subquery, When, Window
from django.utils.translation import gettext as _

from yunwei.contract import openitems
from yunwei.contract.schema import ApprovedPlan, Folder, Instalment, Kind, Obligation, Unit
from yunwei.duties.models import Claim, ClaimState, ManualProof, Occurrence, State, TriggerEvent
from yunwei.duties.queries import overdue, stated_in_time
from yunwei.duties.web.looked import Sweep
from yunwei.ui import words

OPEN = (State.DUE, State.RUNNING)
#: rows a card shows; the rest has its count
CLOCKS, DUTIES = 5, 14
#: open rows looked through for clocks and payments: more than a desk can have open at once
MANY = 400
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
#: what asks for a hand first
ORDER = (State.UNPROVEN, State.MISSED, State.LATE, State.RUNNING, State.DUE, State.EXEMPT, State.KEPT)


@dataclass(frozen=True, slots=True)
class Duty:
    """One occurrence of today that recurs."""

    title: str
    code: str
    owner: str
    state: str
    tone: str
    due: str
    note: str
    pending: str  # what the other side has to answer
    who: str
    counts: bool
    occurrence: int
    evidence: int | None


@dataclass(frozen=True, slots=True)
class Clock:
    """One running clock, what started it and the rule it runs by; `owner` is who owes."""

    title: str
    rule: str
    left: str
    due: str
    used: float
    tone: str
    owner: str
    occurrence: int
    evidence: int | None
    due_at: datetime
    working: bool  # its rule counts working days


@dataclass(frozen=True, slots=True)
class Payment:
    """One instalment of the price and where it stands."""

    label: str
    amount: Decimal | None
    note: str
    tone: str


def counts_of(now: datetime, start: datetime, end: datetime) -> dict[str, int]:
    """Occurrences that count, by state and by what they ask for, in one query. A day is (midnight, midnight].

    Overdue today is what a hand can still do something about: what an event started and nobody answered, what is open past
    its time, and what was missed today. A daily duty missed in spring stays missed in the ring; it is not today's work.
    """
    yes, due_today = Q(counts=True), Q(due_at__gt=start, due_at__lte=end)
    named = {str(state.value): Count("id", filter=yes & Q(state=state)) for state in State}
    return Occurrence.objects.aggregate(
        **named,
        overdue=Count("id", filter=yes & still_late(now, start, end)),
        today=Count("id", filter=yes & due_today),
        today_open=Count("id", filter=yes & to_do(now, start, end)),
        today_unproven=Count("id", filter=yes & due_today & Q(state=State.UNPROVEN)),
        today_done=Count("id", filter=yes & due_today & Q(state__in=(State.KEPT, State.LATE))),
        week=Count("id", filter=yes & Q(state__in=OPEN, due_at__gt=end, due_at__lte=end + timedelta(days=7))),
        clocks=Count("id", filter=running()),
        uncounted=Count("id", filter=Q(counts=False, state__in=OPEN) & due_today),
    )


def _event() -> Q:
    return Q(period__startswith="event:")


def still_late(now: datetime, start: datetime, end: datetime) -> Q:
    """What is past its time and can still be done: what an event started, what is open, and what was missed today."""
    return overdue(now) | (Q(state=State.MISSED) & (_event() | Q(due_at__gt=start, due_at__lte=end)))


def to_do(now: datetime, start: datetime, end: datetime) -> Q:
    """What falls due today, is open, and nobody has said that it was done: a proof that waits is the other side's turn."""
    mine = Q(state__in=OPEN, due_at__gt=start, due_at__lte=end, due_at__gte=now)
    return mine & ~Q(stated_in_time())


def running() -> Q:
    """Clocks: what an event started, has a time, and is not settled but for being booked as missed."""
    return _event() & Q(state__in=(*OPEN, State.MISSED), due_at__isnull=False)


def open_rows() -> list[Occurrence]:
    """What an event started and nobody finished, and what is about money: one query. What waits for its answer comes
    behind what runs, and what is booked as missed last, the newest first: last spring does not push today off the card."""
    wanted = (_event() & Q(state__in=(*OPEN, State.MISSED))) | Q(kind=Kind.PAY.value)
    waits = ManualProof.objects.filter(occurrence=OuterRef("pk"), confirmed__isnull=True).order_by("stated_at")
    turn = Case(When(state=State.MISSED, then=2), When(stated_at__isnull=False, then=1), default=0)
    back = Case(When(state=State.MISSED, then="due_at"), default=None)
    return list(
        Occurrence.objects.filter(wanted)
        .annotate(stated_at=Subquery(waits.values("stated_at")[:1]))
        .order_by(turn, back.desc(), "due_at", "id")[:MANY]
    )


def duties(folder: Folder, now: datetime, start: datetime, end: datetime, zone: ZoneInfo) -> tuple[list[Duty], int]:
    """The recurring duties of today, what asks for a hand first; and how many there are in all. One query."""
    known = {o.id: o for o in folder.obligations}
    order = Case(*(When(state=state, then=i) for i, state in enumerate(ORDER)), default=len(ORDER))
    rows = list(
        Occurrence.objects.filter(due_at__gt=start, obligation__in=known)
        .filter(Q(due_at__lte=end) | Q(settled_at__gte=start) | Q(state=State.RUNNING))
        .exclude(_event() | Q(kind=Kind.PAY.value))
        .annotate(
            all=Window(Count("id")),
            stated=Exists(ManualProof.objects.filter(occurrence=OuterRef("pk"), confirmed__isnull=True)),
            claimed=Exists(Claim.objects.filter(occurrence=OuterRef("pk"), state=ClaimState.CLAIMED)),
            contested=Exists(Claim.objects.filter(occurrence=OuterRef("pk"), state=ClaimState.DISPUTED)),
        )
        .order_by(order, "due_at", "id")[:DUTIES]
    )
    shown = [
        _duty(known[row.obligation], row, _pending(row.stated, row.claimed, row.contested), now, zone) for row in rows
    ]
    return shown, rows[0].all if rows else 0


def _pending(stated: bool, claimed: bool, contested: bool) -> str:
    """What waits for the other side."""
    words_for = ((contested, _("争议")), (stated, _("已举证，待对方确认")), (claimed, _("主张待答复")))
    return " · ".join(word for is_so, word in words_for if is_so)


def _duty(obligation: Obligation, row: Occurrence, pending: str, now: datetime, zone: ZoneInfo) -> Duty:
    note = words.stored(row.detail)
    if not row.counts:
        note = " · ".join(part for part in (words.stored(row.why) or _("不计分"), note) if part)
    blamed = row.state == State.UNPROVEN and row.cause
    return Duty(
        title=words.title(obligation),
        code=row.obligation,
        owner=words.party(row.owes),
        state=str(row.get_state_display()),
        tone=TONE[State(row.state)],
        due=words.due(row.due_at, now, zone) if row.due_at else "—",
        note=note,
        pending=pending,
        who=_("责任：{who}").format(who=words.cause(row.cause)) if blamed else "",
        counts=row.counts,
        occurrence=row.pk,
        evidence=row.evidence,
    )


def clocks(
    folder: Folder, rows: Sequence[Occurrence], plan: ApprovedPlan | None, now: datetime, zone: ZoneInfo
) -> list[Clock]:
    """What runs down now: occurrences that an event started, of both parties, and nothing that has no number."""
    known = {o.id: o for o in folder.obligations}
    running = [
        r for r in rows if r.period.startswith("event:") and r.due_at and r.obligation in known and not _paid(r)
    ][:CLOCKS]
    ids = [int(r.period.removeprefix("event:")) for r in running]
    events = {e.pk: e for e in TriggerEvent.objects.filter(pk__in=ids)}
    titles = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    return [_clock(known[r.obligation], r, plan, events, titles, now, zone) for r in running]


def _paid(row: Occurrence) -> bool:
    return row.state not in (*OPEN, State.MISSED)


def _clock(
    obligation: Obligation,
    row: Occurrence,
    plan: ApprovedPlan | None,
    events: Mapping[int, TriggerEvent],
    titles: Mapping[str, str],
    now: datetime,
    zone: ZoneInfo,
) -> Clock:
    event = events.get(int(row.period.removeprefix("event:")))
    what = (event.note or titles.get(event.kind, event.kind)) if event else row.period
    due_at = row.due_at or now
    whole = max((due_at - row.starts_at).total_seconds(), 1.0)
    left = due_at - now
    tone = (
        "bad"
        if left < timedelta(0)
        else "warn"
        if left < min(timedelta(days=1), (due_at - row.starts_at) / 2)
        else "ok"
    )
    said, used = words.left(left), 1 - left.total_seconds() / whole
    stated = getattr(row, "stated_at", None)
    if stated is not None:  # whoever owes has said that it is done: the other side's delay is not shown as theirs
        tone, said = ("info", _("待确认")) if stated <= due_at else ("warn", _("迟延，待确认"))
        used = 0.0
    rule = f"{words.deadline(obligation, row, plan)} · {words.clauses(row.clauses)} · {words.title(obligation)}"
    if not row.counts:
        rule = f"{_('不计分')} · {rule}"
    return Clock(
        title=what,
        rule=rule,
        left=said,
        due=words.due(due_at, now, zone),
        used=used,
        tone=tone,
        owner=words.party(row.owes),
        occurrence=row.pk,
        evidence=event.evidence if event else row.evidence,
        due_at=due_at,
        working=_counts_working_days(obligation, plan),
    )


def _counts_working_days(obligation: Obligation, plan: ApprovedPlan | None) -> bool:
    lines = plan.plan.lines if plan else []
    planned = next((line.deadline for line in lines if line.obligation == obligation.id), None)
    found = obligation.deadline or planned
    return found is not None and found.unit is Unit.WORKING_DAY


def payments(folder: Folder, rows: Sequence[Occurrence], now: datetime, zone: ZoneInfo) -> list[Payment]:
    """The instalments as the contract states them; what is not agreed yet is said to be open, never computed."""
    by_instalment = {o.instalment: o.id for o in folder.obligations if o.instalment}
    paid = {row.obligation: row for row in rows if row.kind == Kind.PAY.value}
    return [
        _payment(folder, part, paid.get(by_instalment.get(part.id, "")), now, zone)
        for part in folder.contract.instalments
    ]


def _payment(folder: Folder, part: Instalment, row: Occurrence | None, now: datetime, zone: ZoneInfo) -> Payment:
    label = f"{part.share.normalize():f} % · {part.clause}"
    if "price_confirmed" in part.anchors and openitems.blocked(folder, "payment.price"):
        amount = f"{part.amount:,.2f}"
        return Payment(label, None, _("上限 ¥ {amount}").format(amount=amount), "warn")
    if row is None:
        return Payment(label, part.amount, _("尚无发票记录"), "mut")
    if row.due_at is None:
        return Payment(label, part.amount, row.why, "mut")
    if row.state in OPEN:
        note = _("{when} 前支付").format(when=words.due(row.due_at, now, zone))
        return Payment(label, part.amount, note, "warn" if row.due_at - now < timedelta(days=3) else "mut")
    return Payment(label, part.amount, str(row.get_state_display()), TONE[State(row.state)])


def sentence(counts: Mapping[str, int], sweep: Sweep) -> list[tuple[str, str]]:
    """The title that answers the day, cut into (text, tone)."""
    values: dict[str, tuple[object, str]] = {
        "overdue": (counts["overdue"], "bad" if counts["overdue"] else "mut"),
        "open": (counts["today_open"], "warn" if counts["today_open"] else "mut"),
        "unproven": (counts["today_unproven"], "unp" if counts["today_unproven"] else "mut"),
        "all": (sweep.agreed, "plain"),
    }
    if sweep.run is None:
        text = _("今天有 {overdue} 项逾期、{open} 项待办、{unproven} 项未证明；巡检尚未开始")
    elif sweep.broken:
        text = _("今天有 {overdue} 项逾期、{open} 项待办、{unproven} 项未证明；巡检没有完成")
    elif sweep.run.ended_at is None:
        text = _("今天有 {overdue} 项逾期、{open} 项待办、{unproven} 项未证明；巡检进行到 {seen} / {all} 台")
        values["seen"] = (sweep.run.done, "plain")
    else:
        text = _("今天有 {overdue} 项逾期、{open} 项待办、{unproven} 项未证明；巡检看清 {seen} / {all} 台")
        values["seen"] = (sweep.proven, "plain" if sweep.proven == sweep.agreed else "unp")
    return words.pieces(text, values)
