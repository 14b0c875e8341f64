"""A ticket's clocks as people read them: the rule, whose number it is, what is left, and the days one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast, Substr
from django.utils import translation
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.contract import plans
from yunwei.contract.schema import ApprovedPlan, Deadline, Folder, Obligation
from yunwei.desk.services import takes_part
from yunwei.duties import sources
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.duties.proofs import UNSETTLED, manual
from yunwei.duties.schedule import count
from yunwei.kernel.calendar import Calendar
from yunwei.kernel.deadline import Deadline as Counted
from yunwei.kernel.i18n import speaking
from yunwei.ui import words
from yunwei.ui.context import contract_folder

OPEN = (State.DUE, State.RUNNING)
#: what still runs or is owed after its time
RUNNING = (*OPEN, State.MISSED)
TONE = {
    State.KEPT: "ok",
    State.RUNNING: "info",
    State.DUE: "info",
    State.LATE: "warn",
    State.UNPROVEN: "unp",
    State.MISSED: "bad",
    State.EXEMPT: "mut",
}
SOON = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class World:
    """What every clock is explained with, read once a request."""

    folder: Folder
    known: Mapping[str, Obligation]
    plans: Mapping[int, ApprovedPlan]
    zone: ZoneInfo
    now: datetime
    #: rules said already: a list names few of them, many times
    said: dict[tuple[str, int | None, bool], str] = field(default_factory=dict)

    def rule(self, duty: Obligation, row: Occurrence) -> str:
        """The rule a clock runs by, and whose number it is."""
        key = (row.obligation, row.plan_version, row.provisional)
        if key not in self.said:
            self.said[key] = words.deadline(duty, row, self.plans.get(row.plan_version or 0))
        return self.said[key]


@dataclass(frozen=True, slots=True)
class Proof:
    """A statement that it was done, and what the other side answered. `may_answer`: this account is the other side."""

    id: int
    stated_at: datetime
    by: str  # side
    statement: str
    answer: str
    state: str
    tone: str
    may_answer: bool
    intake: int | None


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of one ticket."""

    row: Occurrence
    title: str
    rule: str
    owner: str
    state: str
    tone: str
    left: str  # the figure: what is left, by how much it is over, or how it ended
    due: str
    used: float
    running: bool  # it still asks for something
    stated: bool  # said to be done, waiting for the other side
    note: str
    proofs: Sequence[Proof] = ()
    may_state: bool = False


def world(now: datetime) -> World:
    """One statement: the approved plans."""
    folder = contract_folder()
    return World(
        folder,
        {o.id: o for o in folder.obligations},
        {p.version: p for p in plans.approved_versions()},
        ZoneInfo(folder.contract.timezone),
        now,
    )


def clock(row: Occurrence, w: World, stated: datetime | None = None) -> Clock | None:
    """One occurrence as a clock. `stated`: when its waiting proof was stated; it counts by then, so nothing runs down."""
    duty = w.known.get(row.obligation)
    if duty is None:
        return None
    tone, left, used = _reading(row, w, stated)
    return Clock(
        row=row,
        title=words.title(duty),
        rule=w.rule(duty, row),
        owner=words.party(row.owes),
        state=str(row.get_state_display()),
        tone=tone,
        left=left,
        due=words.due(row.due_at, w.now, w.zone) if row.due_at else "—",
        used=used,
        running=row.state in RUNNING,
        stated=row.state in RUNNING and stated is not None,
        note="" if row.counts else _("不计分"),
    )


def _reading(row: Occurrence, w: World, stated: datetime | None) -> tuple[str, str, float]:
    """Tone, figure, and the share of the time that is gone."""
    if row.state not in RUNNING:
        return TONE[State(row.state)], str(row.get_state_display()), 0.0
    if row.due_at is None:
        return "mut", _("没有写明时限"), 0.0
    if stated is not None:
        in_time = stated <= row.due_at
        return ("info" if in_time else "warn"), _("待确认") if in_time else _("迟延，待确认"), 0.0
    left, whole = row.due_at - w.now, row.due_at - row.starts_at
    tone = "bad" if left < timedelta(0) else "warn" if left < min(SOON, whole / 2) else "ok"
    return tone, words.left(left), 1 - left.total_seconds() / max(whole.total_seconds(), 1.0)


def clocks(rows: Iterable[Occurrence], w: World, viewer: Account) -> list[Clock]:
    """The clocks of one ticket with their proofs; two statements."""
    found: list[Clock] = []
    rows = list(rows)
    by_row: dict[int, list[ManualProof]] = {}
    proofs = ManualProof.objects.filter(occurrence__in=[r.pk for r in rows]).select_related("stated_by__organisation")
    for proof in proofs.order_by("id"):
        by_row.setdefault(proof.occurrence_id, []).append(proof)
    for row in rows:
        mine = by_row.get(row.pk, [])
        waiting = next((p.stated_at for p in mine if p.confirmed is None), None)
        one = clock(row, w, waiting)
        if one is not None:
            found.append(_with_proofs(one, mine, w, viewer))
    return found


def _with_proofs(one: Clock, mine: Sequence[ManualProof], w: World, viewer: Account) -> Clock:
    duty, row = w.known[one.row.obligation], one.row
    acts = takes_part(viewer) and viewer.party in ("A", "B")
    waiting = any(p.confirmed is None for p in mine)
    may_state = acts and viewer.party in row.owes and row.state in UNSETTLED and not waiting and manual(duty)
    return replace(one, proofs=[_proof(p, duty, row, viewer if acts else None) for p in mine], may_state=may_state)


def _proof(proof: ManualProof, duty: Obligation, row: Occurrence, viewer: Account | None) -> Proof:
    side = proof.stated_by.party
    may = viewer is not None and proof.confirmed is None
    may = may and viewer is not None and viewer.party not in (side, row.owes)
    may = may and viewer is not None and viewer.party in (duty.confirmed_by or "AB")
    if proof.confirmed is None:
        said, tone = _("待{side}确认").format(side=words.party(duty.confirmed_by or "AB")), "warn"
    elif proof.confirmed:
        said, tone = _("已确认"), "ok"
    else:
        said, tone = (_("不予确认"), "bad") if proof.answered_by_id else (_("已撤回"), "mut")
    return Proof(
        proof.pk, proof.stated_at, words.party(side), proof.statement, proof.answer, said, tone, may, proof.evidence
    )


def rule_of(row: Occurrence, w: World) -> Deadline | None:
    """The number a clock runs by: the contract's, or that of the plan version it began under."""
    duty, plan = w.known.get(row.obligation), w.plans.get(row.plan_version or 0)
    if duty is not None and duty.deadline is not None:
        return duty.deadline
    lines = plan.plan.lines if plan is not None else ()
    return next((line.deadline for line in lines if line.obligation == row.obligation), None)


def calendar_here() -> Calendar:
    """The calendar in the reader's language; the shared one keeps its words as they were first looked up."""
    shared = sources.calendar()
    return Calendar(shared.imported()) if words.english() else shared


def explained(row: Occurrence, w: World) -> tuple[Counted, list[str]] | None:
    """The days of a clock one by one, as `yunwei deadline` tells them, and the notices they rest on."""
    rule = rule_of(row, w)
    if rule is None or row.due_at is None:
        return None
    with speaking(translation.get_language() or "zh-hans"):
        calendar = calendar_here()
        counted = count(row.starts_at, rule.n, rule.unit.value, calendar, w.zone)
        years = sorted({step.date.year for step in counted.steps})
        colon = ": " if words.english() else "："
        notices = [f"{year}{colon}{calendar.notice(year) or _('尚未公布')}" for year in years]
    return counted, notices


def overdue(now: datetime) -> QuerySet[Occurrence, int]:
    """The ids of the events of which a clock is over and nobody has stated in time that it was done."""
    over = Q(state__in=OPEN, due_at__lt=now) | Q(state=State.MISSED)
    stated = ManualProof.objects.filter(
        occurrence=OuterRef("pk"), confirmed__isnull=True, stated_at__lte=OuterRef("due_at")
    )
    return (
        Occurrence.objects.filter(over, ~Exists(stated), period__startswith="event:")
        .annotate(of=Cast(Substr("period", len("event:") + 1), BigIntegerField()))
        .values_list("of", flat=True)
    )


def most_urgent(rows: Iterable[Occurrence], w: World) -> Clock | None:
    """The clock a list shows: the one that runs out first, else one that waits for the other side, else how the last one
    ended. `rows` as `services.clocks_of` gives them."""
    found = [one for row in rows if (one := clock(row, w, row.stated)) is not None]  # type: ignore[attr-defined]
    running = [one for one in found if one.running and one.row.due_at is not None]
    first = sorted(running, key=lambda one: (one.stated, not one.row.counts))
    return first[0] if first else found[-1] if found else None
