"""Service of documents: what one side tells the other, by which way, and from when it counts as served.

Which ways there are and what serves by each of them is the contract's (`contract.service`). A notice may be the event
that starts the receiver's clocks, from the moment it is served; or it tells of something that happened, and telling it
performs the sender's own duty. Either way the clocks are occurrences, and no second clock is kept here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract import openitems
from yunwei.contract.closings import SIGNERS
from yunwei.contract.schema import Basis, Folder, NoticeKind, Service, Way
from yunwei.duties import sources
from yunwei.duties.books import bring_up_to_date
from yunwei.duties.errors import DutyError
from yunwei.duties.models import ManualProof, Notice, NoticeState, Occurrence, Outcome, TriggerEvent
from yunwei.duties.moments import past
from yunwei.duties.papers import File, said, stored
from yunwei.duties.proofs import UNSETTLED, answer_proof, record_event, state_proof
from yunwei.duties.proofs import _business as business
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

JSON = Any
OTHER = {PartyOf.A.value: PartyOf.B.value, PartyOf.B.value: PartyOf.A.value}
TITLE, ADDRESS = 200, 200


# --- rules ------------------------------------------------------------------------------------------------------------


def effective(way: Way, sent_at: datetime, outcome: str, outcome_at: datetime) -> datetime | None:
    """From when a document counts as served: the moment of an outcome by which its way serves; None when this one does
    not. Raises DutyError for an outcome before the sending.

    A way that the contract counts by the day serves on the day of that moment; clocks in days run from the day either way.
    """
    if outcome_at < sent_at:
        raise DutyError(_("送达不能早于发出"), where=way.id)
    return outcome_at if outcome in way.outcomes else None


def service_of(folder: Folder) -> Service:
    """How documents are served under this contract. Raises DutyError when its folder does not say."""
    if folder.contract.service is None:
        raise DutyError(_("合同目录没有写明送达方式"), where=folder.contract.id)
    return folder.contract.service


def way_of(folder: Folder, name: str) -> Way:
    """The way of that id. Raises DutyError when the contract has none."""
    ways = service_of(folder).ways
    return next((w for w in ways if w.id == name), None) or _none(name, [w.id for w in ways])


def kind_of(folder: Folder, name: str) -> NoticeKind:
    """The kind of notice of that id. Raises DutyError when the contract has none."""
    kinds = service_of(folder).kinds
    return next((k for k in kinds if k.id == name), None) or _none(name, [k.id for k in kinds])


def _none(name: str, known: list[str]) -> NoReturn:
    raise DutyError(_("合同里没有“{id}”").format(id=name[:40]), where=name[:40], hint="、".join(known))


def closed(folder: Folder, way: Way, to: str) -> str:
    """Why a way to that side cannot be taken, with the open item that stands in it; "" when it can."""
    item = openitems.blocked(folder, way.needs[to]) if to in way.needs else None
    if item is None:
        return ""
    return _("{way}不能送达：{title}（未决事项 {id}）；目前：{default}").format(
        way=way.title, title=item.title, id=item.id, default=item.default
    )


def address_of(side: str, at: datetime) -> str:
    """Where a side is served at a moment: the contract's address, or what its last served change of address says; the old
    one holds until the other side has the notice."""
    moved = (
        Notice.objects.filter(sender=side, effective_at__lte=at)
        .exclude(new_address="")
        .order_by("-effective_at", "-id")
    )
    if (newest := moved.first()) is not None:
        return newest.new_address
    return next((p.address for p in sources.folder().contract.parties if p.role == side), "")


# --- acts -------------------------------------------------------------------------------------------------------------


def send(
    kind_id: str,
    *,
    way: str,
    title: str,
    by: Account,
    sent_at: datetime,
    now: datetime,
    text: str = "",
    file: File | None = None,
    happened_at: datetime | None = None,
    event_id: int | None = None,
    new_address: str = "",
) -> Notice:
    """Send a notice. `happened_at` is when what it tells of happened, or `event_id` the event that is recorded already.

    Raises DutyError when this kind is not that side's, when a written one goes by a way the contract does not know, by
    who does not bind the party, or without its file; and when an open item stands in the way (a blank fax number).
    """
    folder = sources.folder()
    kind, by_way, side = kind_of(folder, kind_id), way_of(folder, way), business(by)
    _sendable(folder, kind, by_way, side, by)
    past(sent_at, now, kind.id)
    heading = said(title, kind.id, most=TITLE)
    body = said(text, kind.id) if text.strip() else ""
    moved = said(new_address, kind.id, most=ADDRESS) if kind.address else ""
    artifact = stored(file, kind.id) if kind.written or file is not None else None
    if happened_at is not None and happened_at.tzinfo is not None and happened_at > sent_at:
        raise DutyError(_("告知不能早于所告知的事"), where=kind.id)
    with transaction.atomic():
        told = _told(kind, by, now, happened_at, event_id, file, heading) if kind.of else None
        row = Notice.objects.create(
            kind=kind.id, way=by_way.id, sender=side, title=heading, text=body, new_address=moved,
            to_address=address_of(OTHER[side], sent_at), artifact=artifact.commitment if artifact else "",
            file_name=file.shown if file else "", sent_by=by, sent_at=sent_at, recorded_at=now, event=told,
        )  # fmt: skip
        data = {
            "notice": kind.id, "way": by_way.id, "sender": side, "title": heading, "text": body,
            "sent_at": sent_at.isoformat(), "new_address": moved, "event": told.pk if told else None,
        }  # fmt: skip
        _record("sent", row, kind, data, by, now, artifact)
    bring_up_to_date(now)
    if by_way.at_once:
        return deliver(row.pk, outcome=by_way.outcomes[0], at=sent_at, by=by, now=now)
    return row


def _sendable(folder: Folder, kind: NoticeKind, way: Way, side: str, by: Account) -> None:
    if side not in kind.by:
        raise DutyError(_("“{title}”由{side}发出").format(title=kind.title, side=kind.by), where=by.username)
    if kind.written and way.basis is not Basis.CONTRACT:
        raise DutyError(_("“{title}”须书面送达，不能用“{way}”").format(title=kind.title, way=way.title), where=way.id)
    if kind.written and by.role not in SIGNERS.get(PartyOf(side), frozenset()):
        raise DutyError(_("书面文书由一方的负责人发出"), where=by.username)
    if why := closed(folder, way, OTHER[side]):
        raise DutyError(why, where=way.id)


def _told(
    kind: NoticeKind,
    by: Account,
    now: datetime,
    happened_at: datetime | None,
    event_id: int | None,
    file: File | None,
    note: str,
) -> TriggerEvent:
    """The event that a notice tells of: one recorded before, or recorded with it."""
    if event_id is not None:
        found = TriggerEvent.objects.filter(pk=event_id, kind=kind.of).first()
        if found is None:
            raise DutyError(_("没有这件已登记的事件"), where=kind.of)
        return found
    if happened_at is None:
        raise DutyError(_("请填写发生的时间"), where=kind.id)
    return record_event(kind.of, at=happened_at, by=by, now=now, file=file, note=note)


def deliver(
    notice_id: int, *, outcome: str, at: datetime, by: Account, now: datetime, file: File | None = None
) -> Notice:
    """Say what became of a notice; served, it takes effect: the event it is starts, the duty it performs is stated.

    Either side may say it: the receiver by its own word, the sender with the proof of delivery where the contract names
    the way. Raises DutyError for an outcome that this way cannot have, a moment before the sending, or a second outcome.
    """
    side, folder = business(by), sources.folder()
    with transaction.atomic():
        row = _held(notice_id)
        kind, way = kind_of(folder, row.kind), way_of(folder, row.way)
        if row.state != NoticeState.SENT:
            raise DutyError(_("这份文书已有送达结果"), where=kind.id)
        if outcome not in Outcome.values:
            raise DutyError(_("没有这种送达结果"), where=outcome[:20], hint="、".join(way.outcomes))
        if outcome == Outcome.ACKNOWLEDGED and side == row.sender:
            raise DutyError(_("查收由收到的一方确认"), where=by.username)
        past(at, now, kind.id)
        proven = side == row.sender and way.basis is Basis.CONTRACT
        artifact = stored(file, kind.id) if proven or file is not None else None
        moment = effective(way, row.sent_at, outcome, at)
        row.state = NoticeState.SERVED if moment else NoticeState.FAILED
        row.outcome, row.outcome_at, row.outcome_by, row.effective_at = outcome, at, by, moment
        row.outcome_artifact, row.outcome_file_name = (
            (artifact.commitment, file.shown) if artifact and file else ("", "")
        )
        if side != row.sender and moment:
            row.received, row.answered_by, row.answered_at = True, by, now
        paper = file or File("notice.txt", f"{row.title}\n{row.text}\n".encode(), "text/plain; charset=utf-8")
        if moment:
            _take_effect(row, kind, moment, now, paper)
        row.save()
        data = {
            "outcome": outcome, "at": at.isoformat(), "effective_at": moment.isoformat() if moment else "",
            "started": row.started_id, "proof": row.proof_id,
        }  # fmt: skip
        _record("served" if moment else "failed", row, kind, data, by, now, artifact)
    bring_up_to_date(now)
    return row


def _take_effect(row: Notice, kind: NoticeKind, moment: datetime, now: datetime, paper: File) -> None:
    """Start what the notice starts and state what it performs; both are the sender's acts, effective by the service."""
    note = _("文书 {n}：{title}").format(n=row.pk, title=row.title)[:300]
    if kind.starts:
        row.started = record_event(kind.starts, at=moment, by=row.sent_by, now=now, file=paper, note=note)
    if kind.performs and row.event_id:
        owed = Occurrence.objects.filter(obligation=kind.performs, period=f"event:{row.event_id}").first()
        pending = owed is not None and ManualProof.objects.filter(occurrence=owed, confirmed__isnull=True).exists()
        if owed is not None and owed.state in UNSETTLED and not pending:
            row.proof = state_proof(owed.pk, statement=note, file=paper, by=row.sent_by, now=now)


def reply(notice_id: int, *, received: bool, by: Account, now: datetime, text: str = "") -> Notice:
    """The receiver says that it has the notice, or disputes the service with a reason. Disputed, nothing is undone: the
    dispute is shown, and the statement that the duty was performed is refused."""
    side = business(by)
    with transaction.atomic():
        row = _held(notice_id)
        kind = kind_of(sources.folder(), row.kind)
        if side == row.sender:
            raise DutyError(_("由收到的一方答复"), where=by.username)
        if row.state != NoticeState.SERVED:
            raise DutyError(_("尚未送达，没有可以答复的"), where=kind.id)
        if row.received is not None:
            raise DutyError(_("这份文书已有答复"), where=kind.id)
        row.answer = said(text, kind.id) if not received or text.strip() else ""
        row.received, row.answered_by, row.answered_at = received, by, now
        row.save(update_fields=["received", "answer", "answered_by", "answered_at"])
        data = {"answer": row.answer}
        _record("received" if received else "disputed", row, kind, data, by, now, None)
        if row.proof_id and ManualProof.objects.filter(pk=row.proof_id, confirmed__isnull=True).exists():
            answer_proof(row.proof_id, confirm=received, by=by, now=now, answer=row.answer)
    return row


def _held(pk: int) -> Notice:
    found = Notice.objects.select_for_update(of=("self",)).select_related("sent_by__organisation").filter(pk=pk).first()
    if found is None:
        raise DutyError(_("没有这条记录"), where=str(pk))
    return found


def _record(
    step: str,
    row: Notice,
    kind: NoticeKind,
    data: dict[str, JSON],
    by: Account,
    now: datetime,
    artifact: Artifact | None,
) -> None:
    clauses = tuple(dict.fromkeys((kind.clause, service_of(sources.folder()).clause)))
    intake = ledger.record(
        f"duties.notice.{step}", f"notice:{row.pk}", data, at=now, actor=by.username, clauses=clauses,
        artifacts=(artifact,) if artifact else (),
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
