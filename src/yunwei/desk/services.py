"""The desk: tickets opened by findings and by people, moved by guarded transitions, with their history in the ledger.

A ticket's clocks are the occurrences that its recorded event started (`duties`): nothing is counted twice, and a reply or
a repair is a manual proof that the receiving side confirms, like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, Organisation, PartyOf, Role
from yunwei.assets.models import Asset, System
from yunwei.contract.schema import Kind
from yunwei.desk.book import DeskError, clocks, create, enter, locked, moved, start_clocks
from yunwei.desk.faults import OWN_FIND, REPORTED, Fault, faults, found, on_run, quiet
from yunwei.desk.models import Entry, Ticket, TicketKind, TicketState
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.ledger import artifacts, reading
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

__all__ = [
    "EVENTS",
    "OWN_FIND",
    "TRANSITIONS",
    "DeskError",
    "Fault",
    "clocks",
    "clocks_of",
    "comment",
    "faults",
    "found",
    "lines_of",
    "move",
    "moves",
    "needs_reason",
    "on_run",
    "open_ticket",
    "quiet",
    "read_file",
    "reply",
    "takes_part",
]

JSON = Any
#: what each kind of ticket is recorded as, in the words of the contract folder; a contract without it has no clock
EVENTS: Mapping[str, str] = {
    TicketKind.FAULT: REPORTED,
    TicketKind.REQUEST: "request_received",
    TicketKind.SERVICE: "service_request_received",
    TicketKind.CRYPTO: "crypto_request_received",
}
#: characters of a title, and of one message; more belongs into a file
TITLE, MOST = 200, 4000

A, B, T = PartyOf.A, PartyOf.B, PartyOf.TENANT
_VENDOR, _RECEIVER, _ALL = frozenset({B}), frozenset({A, T}), frozenset({A, B, T})
#: guarded transitions: from → to → which sides may. Closing is the receiver's, never the resolver's own.
TRANSITIONS: Mapping[str, Mapping[str, frozenset[str]]] = {
    TicketState.NEW: {TicketState.ACCEPTED: _VENDOR, TicketState.REJECTED: _VENDOR, TicketState.WORKING: _VENDOR},
    TicketState.ACCEPTED: {TicketState.WORKING: _VENDOR, TicketState.WAITING: _VENDOR, TicketState.RESOLVED: _VENDOR},
    TicketState.WORKING: {TicketState.WAITING: _VENDOR, TicketState.RESOLVED: _VENDOR},
    TicketState.WAITING: {TicketState.WORKING: _ALL, TicketState.RESOLVED: _VENDOR},
    TicketState.RESOLVED: {TicketState.CLOSED: _RECEIVER, TicketState.WORKING: _ALL},
    TicketState.REJECTED: {TicketState.NEW: _RECEIVER, TicketState.CLOSED: _RECEIVER},
    TicketState.CLOSED: {},
}
#: they run, guard and watch, or assess; the business is not theirs (standards §10)
ONLOOKERS = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITOR, Role.ASSESSOR, Role.A_SUPERIOR})


def takes_part(account: Account) -> bool:
    """Whether an account may act on tickets at all: one of the parties or a department, and no officer of any of them."""
    return account.is_active and account.party in _ALL and account.role not in ONLOOKERS


def moves(ticket: Ticket, by: Account) -> list[TicketState]:
    """Where this account may move a ticket now, in the order of the life of a ticket."""
    if not takes_part(by) or not _sees(ticket, by):
        return []
    allowed = TRANSITIONS[ticket.state]
    return [state for state in TicketState if by.party in allowed.get(state, ())]


def needs_reason(state: str, to: str, side: str) -> bool:
    """Whether a move has to say why, or what is asked for: a refusal, a result, a question, and the receiver's "no"."""
    back = side in _RECEIVER and state in (TicketState.RESOLVED, TicketState.REJECTED) and to != TicketState.CLOSED
    return to in (TicketState.REJECTED, TicketState.RESOLVED, TicketState.WAITING) or back


def _sees(ticket: Ticket, by: Account) -> bool:
    return by.party != T or (ticket.requester_id is not None and ticket.requester_id == by.organisation_id)


def _admit(by: Account, ticket: Ticket | None = None) -> None:
    """Raises DeskError for who takes no part, and for a department before another one's ticket."""
    if not takes_part(by):
        raise DeskError(_("这个账号不办理工单"), where=by.username)
    if ticket is not None and not _sees(ticket, by):
        raise DeskError(_("不是本单位的工单"), where=ticket.number)


def _said(text: str, where: str) -> str:
    """The text, whole or not at all: what was said is evidence and is never cut."""
    if len(text) > MOST or "\x00" in text:
        raise DeskError(_("文字过长或含有不可记录的字符；至多 {n} 字，更多请写入附件").format(n=MOST), where=where)
    return text.strip()


def _kept(file: duties.File | None, where: str) -> Artifact | None:
    if file is None:
        return None
    if not file.content:
        raise DeskError(_("附件是空的"), where=where)
    return ledger.store(file.content, file.kind)


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
    system: System | None = None,
    requester: Organisation | None = None,
    wanted_on: date | None = None,
    file: duties.File | None = None,
) -> Ticket:
    """Open a ticket for a request or a reported fault; its clocks start when it was received (`received_at`).

    Raises DeskError for an unknown kind, an empty title, or a department that asks for another one or about what is
    not its own.
    """
    _admit(by)
    if kind not in TicketKind.values:
        raise DeskError(_("没有这种工单：{kind}").format(kind=kind), hint="、".join(TicketKind.values))
    title = " ".join(_said(title, kind).split())
    if not 0 < len(title) <= TITLE:
        raise DeskError(_("工单需要标题，至多 {n} 字").format(n=TITLE))
    if by.party == T and requester is not None and requester != by.organisation:
        raise DeskError(_("需求单位只能为本单位提出申请"), where=by.username)
    if by.party == T:
        requester = by.organisation
        if (system is not None and system.owner_id != requester.pk) or (asset is not None and not _owns(by, asset)):
            raise DeskError(_("不是本单位的系统或资产"), where=by.username)
    with transaction.atomic():
        ticket = create(
            kind, title, now, by=by, body=_said(body, title), channel=channel, asset=asset, system=system,
            requester=requester, wanted_on=wanted_on,
        )  # fmt: skip
        recorder = by if by.party in (A, B) else None
        start_clocks(ticket, EVENTS[kind], at=received_at or now, by=recorder, now=now)
        if file is not None:
            enter(ticket, "file", now, by=by, artifact=_kept(file, title), file_name=file.shown)
    return ticket


def _owns(by: Account, asset: Asset) -> bool:
    return by.organisation_id in (asset.owner_id, asset.system.owner_id if asset.system else None)


def move(ticket_id: int, to: str, *, by: Account, now: datetime, text: str = "") -> Ticket:
    """Move a ticket. Raises DeskError when the transition is not there or not this side's; a refusal needs a reason.

    Resolving states the repair as proof for its result clocks; closing by 甲方 confirms what was stated since the ticket
    was last taken up again; 甲方's "not received" refuses it. A department's word moves the ticket and is in the ledger;
    what counts in the contract stays for 甲方 to answer (its obligations are owed to 甲方).
    """
    with transaction.atomic():
        ticket = locked(ticket_id)
        allowed = TRANSITIONS[ticket.state].get(to)
        target = TicketState(to) if to in TicketState.values else None
        if allowed is None or target is None:
            raise DeskError(
                _("工单不能从“{a}”变为“{b}”").format(a=ticket.get_state_display(), b=target.label if target else to),
                where=ticket.number,
            )
        if by.party not in allowed:
            raise DeskError(_("这一步不由本方办理"), where=f"{ticket.number} {by.username}")
        _admit(by, ticket)
        text = _said(text, ticket.number)
        if not text and needs_reason(ticket.state, target, by.party):
            raise DeskError(_("需要写明理由或处理结果"), where=ticket.number)
        before, since = ticket.state, taken_up_again(ticket)
        moved(ticket, target, now, by=by, text=text)
        if target == TicketState.RESOLVED:
            _state_proofs(ticket, (Kind.RESULT,), text, by, now, since=since)
        if by.party == A and target == TicketState.CLOSED:
            _answer_proofs(ticket, by, now, since=since)
        if by.party == A and (before, target) == (TicketState.RESOLVED, TicketState.WORKING):
            _answer_proofs(ticket, by, now, refusal=text)
    return ticket


def comment(
    ticket_id: int, text: str, *, by: Account, now: datetime, file: duties.File | None = None, inside: bool = False
) -> Entry:
    """Add a comment, with or without a file. Raises DeskError when both are empty or the ticket is not theirs to see.

    `inside`: between the two parties; what a department says is never inside.
    """
    with transaction.atomic():
        ticket = locked(ticket_id)
        _admit(by, ticket)
        text = _said(text, ticket.number)
        if not text and file is None:
            raise DeskError(_("没有内容"), where=ticket.number)
        artifact = _kept(file, ticket.number)
        return enter(
            ticket, "file" if file else "comment", now, by=by, text=text, artifact=artifact,
            file_name=file.shown if file else "", inside=inside and by.party != T,
        )  # fmt: skip


def reply(ticket_id: int, text: str, *, by: Account, now: datetime, file: duties.File | None = None) -> Entry:
    """Answer the requester, with or without a file: the text is the proof for the answer clocks (R3: 三个工作日), which
    the receiver confirms. Raises DeskError for who is not 乙方, and for an answer without words."""
    if by.party != B:
        raise DeskError(_("由乙方答复"), where=by.username)
    with transaction.atomic():
        ticket = locked(ticket_id)
        _admit(by, ticket)
        text = _said(text, ticket.number)
        if not text:
            raise DeskError(_("答复没有内容"))
        entry = enter(
            ticket, "reply", now, by=by, text=text, artifact=_kept(file, ticket.number),
            file_name=file.shown if file else "",
        )  # fmt: skip
        _state_proofs(ticket, (Kind.RESPOND,), text, by, now)
        if ticket.state == TicketState.NEW:
            moved(ticket, TicketState.ACCEPTED, now, by=by)
    return entry


def read_file(entry_id: int, *, by: Account, now: datetime) -> tuple[Entry, bytes]:
    """The file of one line of history; that it was read is a record of its own, which who brought it can see.

    Raises DeskError when the line has no file or is not theirs to see, LedgerError when the file is redacted or altered.
    """
    entry = Entry.objects.select_related("ticket", "by").filter(pk=entry_id).exclude(artifact="").first()
    if entry is None or not _sees(entry.ticket, by) or (by.party == T and entry.inside):
        raise DeskError(_("没有这个附件"), where=str(entry_id))
    content = artifacts.read(Artifact.objects.get(commitment=entry.artifact))
    brought = [entry.by.username] if entry.by else []
    reading.of_artifact(
        entry.artifact, ledger.number_of(entry.evidence or 0) or 0, brought, reader=by.username, now=now
    )
    return entry, content


def lines_of(ticket: Ticket, by: Account) -> QuerySet[Entry]:
    """The lines of a ticket's history that an account may read, in no order: a department reads neither what the parties
    say between themselves nor what a sweep read from equipment."""
    lines = Entry.objects.filter(ticket=ticket)
    return lines.filter(inside=False).exclude(what="sweep") if by.party == T else lines


def taken_up_again(ticket: Ticket) -> datetime | None:
    """When a ticket that had been resolved was last taken up again; what was stated before then was contradicted."""
    lines = ticket.history.filter(what="moved").order_by("id").values_list("state", "at")
    last, before = None, ""
    for state, at in lines:
        if before == TicketState.RESOLVED and state == TicketState.WORKING:
            last = at
        before = state
    return last


def _state_proofs(
    ticket: Ticket, kinds: Sequence[Kind], text: str, by: Account, now: datetime, since: datetime | None = None
) -> None:
    """State the act as proof of every open clock of these kinds that 乙方 owes.

    A statement from before the ticket was taken up again (`since`) is withdrawn and made anew: it counts from now on,
    not from when a repair was claimed that did not hold.
    """
    duties.bring_up_to_date(now)
    for row in clocks(ticket):
        if row.kind not in kinds or B not in row.owes or row.state not in (State.DUE, State.MISSED, State.UNPROVEN):
            continue
        waiting = ManualProof.objects.filter(occurrence=row, confirmed__isnull=True).first()
        if waiting is not None and since is not None and waiting.stated_at < since and waiting.stated_by.party == B:
            duties.withdraw_proof(waiting.pk, by=by, now=now, reason=_("工单重新处理，按本次办结重新举证"))
            waiting = None
        if waiting is None:
            file = duties.File(f"{ticket.number}.txt", text.encode(), "text/plain; charset=utf-8")
            duties.state_proof(row.pk, statement=text[:1000], file=file, by=by, now=now)


def _answer_proofs(
    ticket: Ticket, by: Account, now: datetime, *, since: datetime | None = None, refusal: str = ""
) -> None:
    """甲方 closes: what was stated since then is confirmed with it. 甲方 sends it back: results are refused with its word;
    an answer that was given stays an answer."""
    waiting = ManualProof.objects.filter(
        occurrence__in=[row.pk for row in clocks(ticket)], confirmed__isnull=True, stated_by__organisation__party=B
    )
    if refusal:
        waiting = waiting.filter(occurrence__kind=Kind.RESULT)
    elif since is not None:
        waiting = waiting.filter(Q(stated_at__gte=since) | ~Q(occurrence__kind=Kind.RESULT))
    for proof in waiting:
        duties.answer_proof(proof.pk, confirm=not refusal, by=by, now=now, answer=refusal[:1000])


def clocks_of(events: Sequence[int]) -> dict[int, list[Occurrence]]:
    """The clocks of many tickets in one statement, by the id of the event that started them; each with `stated`, when the
    proof that waits for an answer was stated."""
    waiting = ManualProof.objects.filter(occurrence=OuterRef("pk"), confirmed__isnull=True).values("stated_at")[:1]
    rows = Occurrence.objects.filter(period__in=[f"event:{pk}" for pk in events]).annotate(stated=Subquery(waiting))
    found: dict[int, list[Occurrence]] = {}
    for row in rows.order_by("due_at", "id"):
        found.setdefault(int(row.period.removeprefix("event:")), []).append(row)
    return found
