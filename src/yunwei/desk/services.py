"""The desk: tickets opened by findings and by people, moved by guarded transitions, with their history in the ledger.

A ticket's clocks are the occurrences that its recorded event started (`duties`): nothing is counted twice, and a reply or
a repair is a manual proof that the receiving side confirms, like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Length
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, Organisation, PartyOf
from yunwei.assets.models import Asset
from yunwei.contract.schema import Kind
from yunwei.desk.models import Entry, Ticket, TicketKind, TicketState
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.inspect.models import Finding, Origin, Severity
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact
from yunwei.runs.services import RunEvent

JSON = Any
ACTOR = "system:desk"
#: how often a number that another process took first is tried again
TRIES = 8


class DeskError(YunweiError):
    """A ticket cannot be opened, moved or answered like that."""


#: what each kind of ticket is recorded as, in the words of the contract folder; a contract without it has no clock
EVENTS: Mapping[str, str] = {
    TicketKind.FAULT: "fault_reported",
    TicketKind.REQUEST: "request_received",
    TicketKind.SERVICE: "service_request_received",
    TicketKind.CRYPTO: "crypto_request_received",
}
#: what 乙方 finds by itself is a defect it owes notice of, not a fault that 甲方 reported
OWN_FIND = "defect_found"

A, B, T = PartyOf.A, PartyOf.B, PartyOf.TENANT
_VENDOR, _RECEIVER = frozenset({B}), frozenset({A, T})
#: guarded transitions: from → to → which sides may. Closing is the receiver's, never the resolver's own.
TRANSITIONS: Mapping[str, Mapping[str, frozenset[str]]] = {
    TicketState.NEW: {TicketState.ACCEPTED: _VENDOR, TicketState.REJECTED: _VENDOR, TicketState.WORKING: _VENDOR},
    TicketState.ACCEPTED: {TicketState.WORKING: _VENDOR, TicketState.WAITING: _VENDOR, TicketState.RESOLVED: _VENDOR},
    TicketState.WORKING: {TicketState.WAITING: _VENDOR, TicketState.RESOLVED: _VENDOR},
    TicketState.WAITING: {TicketState.WORKING: frozenset({A, B, T}), TicketState.RESOLVED: _VENDOR},
    TicketState.RESOLVED: {TicketState.CLOSED: _RECEIVER, TicketState.WORKING: frozenset({A, B, T})},
    TicketState.REJECTED: {TicketState.NEW: _RECEIVER, TicketState.CLOSED: _RECEIVER},
    TicketState.CLOSED: {},
}
#: states in which a sweep that sees the fault gone may say so
QUIET_FROM = (TicketState.NEW, TicketState.ACCEPTED, TicketState.WORKING, TicketState.WAITING)


# --- people -----------------------------------------------------------------------------------------------------------


def open_ticket(
    kind: str,
    title: str,
    *,
    by: Account,
    now: datetime,
    body: str = "",
    channel: str = "desk",
    received_at: datetime | None = None,
    asset: Asset | None = None,
    requester: Organisation | None = None,
) -> Ticket:
    """Open a ticket for a request or a reported fault; its clocks start when it was received (`received_at`).

    Raises DeskError for an unknown kind, an empty title, or a department that asks for another one.
    """
    if kind not in TicketKind.values:
        raise DeskError(_("没有这种工单：{kind}").format(kind=kind), hint="、".join(TicketKind.values))
    if not title.strip():
        raise DeskError(_("工单需要标题"))
    if by.party == T and requester is not None and requester != by.organisation:
        raise DeskError(_("需求单位只能为本单位提出申请"), where=by.username)
    if by.party == T:
        requester = by.organisation
    with transaction.atomic():
        ticket = _create(kind, title, now, by=by, body=body, channel=channel, asset=asset, requester=requester)
        recorder = by if by.party in (A, B) else None
        _start_clocks(ticket, EVENTS[kind], at=received_at or now, by=recorder, now=now)
    return ticket


def _create(kind: str, title: str, now: datetime, *, by: Account | None, **fields: Any) -> Ticket:
    ticket = _numbered(now, kind=kind, title=title.strip()[:200], opened_at=now, opened_by=by, **fields)
    data = {"kind": kind, "title": ticket.title, "channel": ticket.channel, "severity": ticket.severity}
    if ticket.asset is not None:
        data |= {"asset": ticket.asset.code, "component": ticket.component}
    _enter(ticket, "opened", now, by=by, state=TicketState.NEW, text=ticket.body, data=data)
    return ticket


def _numbered(now: datetime, **fields: Any) -> Ticket:
    """A new ticket under the next free number; who was slower than another process tries the one after it.

    The number is taken inside other people's transactions (a run is settled in it): a collision must not undo those.
    """
    for _again in range(TRIES):
        try:
            with transaction.atomic():
                return Ticket.objects.create(number=_number(now), **fields)
        except IntegrityError:
            continue
    return Ticket.objects.create(number=_number(now), **fields)


def _number(now: datetime) -> str:
    """`T-20261125-0001`: the day in the contract's zone and a count. Unique by the column, taken in a transaction."""
    from zoneinfo import ZoneInfo

    day = now.astimezone(ZoneInfo(sources.folder().contract.timezone)).strftime("%Y%m%d")
    of_day = Ticket.objects.filter(number__startswith=f"T-{day}-").order_by(Length("number").desc(), "-number")
    last = of_day.values_list("number", flat=True).first()
    return f"T-{day}-{int(last.rpartition('-')[2]) + 1 if last else 1:04d}"


def _start_clocks(ticket: Ticket, event: str, *, at: datetime, by: Account | None, now: datetime) -> None:
    """Record the event in the contract's books; its occurrences are the ticket's clocks."""
    if all(known.id != event for known in sources.folder().event_details):
        return
    ticket.event = duties.record_event(
        event, at=at, by=by, now=now, subject={"ticket": ticket.number}, note=ticket.title
    )
    ticket.save(update_fields=["event"])


def move(ticket_id: int, to: str, *, by: Account, now: datetime, text: str = "") -> Ticket:
    """Move a ticket. Raises DeskError when the transition is not there or not this side's; a refusal needs a reason.

    Resolving states the repair as proof for its result clocks; closing by the receiver confirms what was stated.
    """
    with transaction.atomic():
        ticket = _locked(ticket_id)
        allowed = TRANSITIONS[ticket.state].get(to)
        target = TicketState(to) if to in TicketState.values else None
        if allowed is None or target is None:
            raise DeskError(
                _("工单不能从“{a}”变为“{b}”").format(a=ticket.get_state_display(), b=target.label if target else to),
                where=ticket.number,
            )
        if by.party not in allowed:
            raise DeskError(_("这一步不由本方办理"), where=f"{ticket.number} {by.username}")
        if by.party == T and ticket.requester != by.organisation:
            raise DeskError(_("不是本单位的工单"), where=ticket.number)
        if target in (TicketState.REJECTED, TicketState.RESOLVED) and not text.strip():
            raise DeskError(_("需要写明理由或处理结果"), where=ticket.number)
        _move(ticket, target, now, by=by, text=text)
        if target == TicketState.RESOLVED:
            _state_proofs(ticket, (Kind.RESULT,), text, by, now)
        if target == TicketState.CLOSED and by.party == A:
            _confirm_proofs(ticket, by, now)
    return ticket


def _locked(ticket_id: int) -> Ticket:
    ticket = Ticket.objects.select_for_update().filter(pk=ticket_id).first()
    if ticket is None:
        raise DeskError(_("没有这张工单"), where=str(ticket_id))
    return ticket


def _move(ticket: Ticket, to: TicketState, now: datetime, *, by: Account | None, text: str = "") -> None:
    before = ticket.state
    ticket.state = to
    if to == TicketState.RESOLVED:
        ticket.resolved_at, ticket.resolved_by = now, by
    elif to == TicketState.CLOSED:
        ticket.closed_at = now
    elif to == TicketState.WORKING:
        ticket.resolved_at = ticket.resolved_by = None
    if by is not None and by.party == B and ticket.assignee is None:
        ticket.assignee = by
    ticket.save()
    _enter(ticket, "moved", now, by=by, state=to, text=text, data={"from": before, "to": str(to)})


def comment(ticket_id: int, text: str, *, by: Account, now: datetime, file: duties.File | None = None) -> Entry:
    """Add a comment, with or without a file. Raises DeskError when both are empty or the ticket is not theirs to see."""
    with transaction.atomic():
        ticket = _locked(ticket_id)
        if by.party == T and ticket.requester != by.organisation:
            raise DeskError(_("不是本单位的工单"), where=ticket.number)
        if not text.strip() and file is None:
            raise DeskError(_("没有内容"), where=ticket.number)
        artifact = ledger.store(file.content, file.media_type) if file else None
        return _enter(
            ticket, "file" if file else "comment", now, by=by, text=text, artifact=artifact,
            file_name=file.shown if file else "",
        )  # fmt: skip


def reply(ticket_id: int, text: str, *, by: Account, now: datetime) -> Entry:
    """Answer the requester: the text is the proof for the answer clocks (R3: 三个工作日), which the receiver confirms."""
    if by.party != B:
        raise DeskError(_("由乙方答复"), where=by.username)
    if not text.strip():
        raise DeskError(_("答复没有内容"))
    with transaction.atomic():
        ticket = _locked(ticket_id)
        entry = _enter(ticket, "reply", now, by=by, text=text)
        _state_proofs(ticket, (Kind.RESPOND,), text, by, now)
        if ticket.state == TicketState.NEW:
            _move(ticket, TicketState.ACCEPTED, now, by=by)
    return entry


def clocks(ticket: Ticket) -> list[Occurrence]:
    """The occurrences that this ticket's event started, earliest due first."""
    if ticket.event_id is None:
        return []
    return list(Occurrence.objects.filter(period=f"event:{ticket.event_id}").order_by("due_at"))


def _state_proofs(ticket: Ticket, kinds: Sequence[Kind], text: str, by: Account, now: datetime) -> None:
    """State the act as proof of every open clock of these kinds that 乙方 owes."""
    duties.bring_up_to_date(now)
    for row in clocks(ticket):
        waiting = ManualProof.objects.filter(occurrence=row, confirmed__isnull=True).exists()
        if (
            row.kind in kinds
            and B in row.owes
            and row.state in (State.DUE, State.MISSED, State.UNPROVEN)
            and not waiting
        ):
            file = duties.File(f"{ticket.number}.txt", text.encode(), "text/plain; charset=utf-8")
            duties.state_proof(row.pk, statement=text[:1000], file=file, by=by, now=now)


def _confirm_proofs(ticket: Ticket, by: Account, now: datetime) -> None:
    """甲方 closes: what was stated on this ticket is confirmed with it."""
    keys = [row.pk for row in clocks(ticket)]
    for proof in ManualProof.objects.filter(
        occurrence__in=keys, confirmed__isnull=True, stated_by__organisation__party=B
    ):
        duties.answer_proof(proof.pk, confirm=True, by=by, now=now)


def _enter(
    ticket: Ticket,
    what: str,
    now: datetime,
    *,
    by: Account | None,
    state: str = "",
    text: str = "",
    data: Mapping[str, JSON] | None = None,
    artifact: Artifact | None = None,
    file_name: str = "",
) -> Entry:
    """Add one line of history, and the same to the ledger: the words as an artifact, so that they can be redacted."""
    said = ledger.store(text.encode(), "text/plain; charset=utf-8") if text else None
    intake = ledger.record(
        f"desk.ticket.{what}",
        ticket.number,
        dict(data or {}),
        at=now,
        actor=by.username if by else ACTOR,
        artifacts=[a for a in (said, artifact) if a is not None],
    )
    if what == "opened":
        ticket.evidence = intake.pk
        ticket.save(update_fields=["evidence"])
    return Entry.objects.create(
        ticket=ticket, at=now, by=by, what=what, state=state, text=text, file_name=file_name,
        artifact=artifact.commitment if artifact else "", evidence=intake.pk,
    )  # fmt: skip


# --- findings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """All open findings of one component of one asset: one fault, one ticket."""

    asset: Asset
    component: str
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> str:
        worst = any(f.severity == Severity.CRITICAL for f in self.findings)
        return Severity.CRITICAL if worst else Severity.WARNING

    @property
    def title(self) -> str:
        first = next((f for f in self.findings if f.severity == self.severity), self.findings[0])
        return f"{self.asset.name} · {first.name} {first.raw or first.value}".strip()


def on_run(event: RunEvent) -> None:
    """Open, update and quiet tickets by what a finished run found. Registered after inspect and duties (order 30)."""
    if event.kind != "finished":
        return
    seen = Finding.objects.filter(last_run=event.run.id, closed_at__isnull=True).select_related("asset")
    for fault in faults(seen.order_by("asset_id", "component", "id")):
        found(fault, event.now)
    gone = Finding.objects.filter(closed_at=event.now).select_related("asset")
    for asset_id, component in {(f.asset_id, f.component) for f in gone}:
        still = Finding.objects.filter(asset_id=asset_id, component=component, closed_at__isnull=True)
        if not still.exists():
            quiet(asset_id, component, event.now)


def faults(findings: Iterable[Finding]) -> list[Fault]:
    """Group findings by asset and component."""
    groups: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.asset_id, finding.component), []).append(finding)
    return [Fault(group[0].asset, component, tuple(group)) for (_id, component), group in groups.items()]


def found(fault: Fault, now: datetime) -> Ticket:
    """A fault was seen: a new ticket the first time; later only what changed is entered, not one line per sweep."""
    ticket = Ticket.objects.filter(
        kind=TicketKind.FAULT, asset=fault.asset, component=fault.component, closed_at__isnull=True
    ).first()
    if ticket is None:
        own = all(f.origin in (Origin.SWEEP, Origin.VENDOR_REPORT) for f in fault.findings)
        body = "\n".join(f"{f.name}：{f.raw or f.value} {f.limit}".strip() for f in fault.findings)
        ticket = _create(
            TicketKind.FAULT, fault.title, now, by=None, body=body, channel="sweep", asset=fault.asset,
            component=fault.component, severity=fault.severity,
        )  # fmt: skip
        _start_clocks(ticket, OWN_FIND if own else EVENTS[TicketKind.FAULT], at=now, by=None, now=now)
        return ticket
    if ticket.state == TicketState.RESOLVED:
        _move(ticket, TicketState.WORKING, now, by=None, text=_("巡检再次见到这一故障"))
    if ticket.severity != fault.severity:
        before, ticket.severity = ticket.severity, fault.severity
        ticket.save(update_fields=["severity"])
        _enter(ticket, "sweep", now, by=None, text=fault.title, data={"severity": [before, str(fault.severity)]})
    return ticket


def quiet(asset_id: int, component: str, now: datetime) -> None:
    """A fault is no longer seen: the ticket waits for confirmation, it does not close by itself."""
    ticket = Ticket.objects.filter(
        kind=TicketKind.FAULT, asset_id=asset_id, component=component, closed_at__isnull=True, state__in=QUIET_FROM
    ).first()
    if ticket is not None:
        _move(ticket, TicketState.RESOLVED, now, by=None, text=_("巡检已见恢复正常"))
