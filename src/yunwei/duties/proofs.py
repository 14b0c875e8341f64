"""What people record: trigger events, manual proofs, claims; who may, and what the other side answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, Role
from yunwei.contract.schema import Kind, Obligation
from yunwei.duties import sources
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Cause, Claim, ClaimKind, ClaimState, ManualProof, Occurrence, State, TriggerEvent
from yunwei.duties.papers import NOTE, File, bounded, said, stored
from yunwei.duties.transitions import in_time, locked, move
from yunwei.kernel.money import parse_figures
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact
from yunwei.runs.procedure import registry

JSON = Any
#: the three officers run, guard and watch the system; they take no part in the business (standards §10)
OFFICERS = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITOR})
PARTIES = frozenset({PartyOf.A, PartyOf.B})
#: what may be excused or proven afterwards
UNSETTLED = frozenset({State.DUE, State.UNPROVEN, State.MISSED})
EXCUSABLE = UNSETTLED | {State.LATE}


#: no clock of this contract starts before; the first years of the calendar are no moments in every zone
EARLIEST = 2000


def _business(by: Account) -> str:
    """The side an account acts for. Raises DutyError when it stands on none of the two, or is an officer."""
    if not by.is_active or by.role in OFFICERS or by.party not in PARTIES:
        raise DutyError(_("这个账号不代表合同的任何一方"), where=by.username)
    return by.party


# --- trigger events ---------------------------------------------------------------------------------------------------


def record_event(
    kind: str,
    *,
    at: datetime,
    by: Account | None,
    now: datetime,
    file: File | None = None,
    subject: Mapping[str, str] | None = None,
    note: str = "",
) -> TriggerEvent:
    """Record that something happened which starts clocks. Raises DutyError when `by` may not, or something is missing.

    `by` None: this software saw it itself (a fault that a sweep found), which 乙方 runs and answers for.
    An event that carries an amount (`subject["amount"]`) starts a clock only when it equals its instalment (等额发票).
    """
    detail = sources.event_detail(kind)
    side = _business(by) if by is not None else PartyOf.B
    if side not in detail.by:
        where = by.username if by is not None else kind
        raise DutyError(_("“{title}”由{side}登记").format(title=detail.title, side=detail.by), where=where)
    if at.tzinfo is None or at > now:
        raise DutyError(_("事件的时间须带时区，且不晚于现在"), where=kind)
    if at.year < EARLIEST:
        raise DutyError(_("事件的时间早于 {year} 年").format(year=EARLIEST), where=kind)
    note = bounded(note, kind, most=NOTE)
    artifact = stored(file, kind) if detail.file or file is not None else None
    told = dict(subject or {})
    why = _unequal(detail.instalment, told, kind) if detail.instalment else ""
    if "amount" in told:
        told["amount"] = str(parse_figures(told["amount"]))
    with transaction.atomic():
        row = TriggerEvent.objects.create(
            kind=kind,
            at=at,
            subject=told,
            note=note,
            artifact=artifact.commitment if artifact else "",
            file_name=file.shown if file else "",
            recorded_by=by,
            recorded_at=now,
            starts_clock=not why,
            why=why,
        )
        intake = ledger.record(
            "duties.event.recorded",
            f"event:{row.pk}",
            {"event": kind, "at": at.isoformat(), "subject": told, "note": note, "starts_clock": not why, "why": why},
            at=now,
            actor=by.username if by is not None else "system:desk",
            clauses=(detail.clause,) if detail.clause else (),
            artifacts=(artifact,) if artifact else (),
        )
        row.evidence = intake.pk
        row.save(update_fields=["evidence"])
    return row


def _unequal(instalment_id: str, subject: dict[str, str], where: str) -> str:
    """Why an amount starts no clock; empty when it is the instalment's."""
    if "amount" not in subject:
        raise DutyError(_("需要写明金额"), where=where, hint="amount=12345.00")
    amount = parse_figures(str(subject["amount"]))
    subject["amount"] = str(amount)
    if amount <= 0:
        raise DutyError(_("金额须为正数"), where=where)
    due = _instalment_due(instalment_id)
    if due is not None and due <= 0:  # nothing is owed: a negative balance goes to the parties, never to a clock
        return _("该期应付 {due}，无可支付，待双方协商，不起算期限").format(due=due)
    if due is None or due == amount:
        return ""
    return _("金额 {amount} 与该期应付 {due} 不等，不起算期限").format(amount=amount, due=due)


def _instalment_due(instalment_id: str) -> Decimal | None:
    """What an instalment comes to: the contract's amount, or, once one of its anchors confirmed another final price
    (`subject["amount"]`, 5.2.1b with 5.1), that price less the instalments before it."""
    before = Decimal(0)
    for instalment in sources.folder().contract.instalments:
        if instalment.id == instalment_id:
            confirmed = (
                TriggerEvent.objects.filter(kind__in=instalment.anchors, subject__has_key="amount")
                .exclude(kind__in=[e.id for e in sources.folder().event_details if e.instalment])
                .order_by("-at", "-id")
                .first()
            )
            return parse_figures(confirmed.subject["amount"]) - before if confirmed else instalment.amount
        before += instalment.amount
    return None


# --- manual proof -----------------------------------------------------------------------------------------------------


def state_proof(occurrence_id: int, *, statement: str, file: File | None, by: Account, now: datetime) -> ManualProof:
    """The party that owes says that it was done, with a file. It settles nothing until the receiver confirms it.

    Raises DutyError when a procedure serves the obligation (its run is the proof), when `by` is not of the party that
    owes, when the occurrence is settled, or when a duty without gaps has not reached the end of its period.
    """
    side = _business(by)
    with transaction.atomic():
        row = locked(occurrence_id)
        duty = sources.obligation(row.obligation)
        if duty.procedure in registry():
            raise DutyError(_("这项义务由流程执行并举证，不能人工举证"), where=row.key)
        if side not in row.owes:
            raise DutyError(_("只有负有义务的一方可以举证"), where=row.key)
        if row.state not in UNSETTLED:
            raise DutyError(_("这项履行已是“{state}”").format(state=row.get_state_display()), where=row.key)
        if row.kind == Kind.CONTINUOUS and row.due_at is not None and now < row.due_at:
            raise DutyError(_("持续性义务在本期结束之后才能举证"), where=row.key)
        artifact = stored(file, row.key)
        told = said(statement, row.key)
        try:
            with transaction.atomic():
                proof = ManualProof.objects.create(
                    occurrence=row,
                    statement=told,
                    artifact=artifact.commitment,
                    file_name=file.shown if file else "",
                    stated_by=by,
                    stated_at=now,
                )
        except IntegrityError as e:
            raise DutyError(_("已有一份举证待对方确认"), where=row.key) from e
        _note("duties.proof.stated", proof, row, {"statement": told}, by, now, (artifact,))
    return proof


def answer_proof(proof_id: int, *, confirm: bool, by: Account, now: datetime, answer: str = "") -> ManualProof:
    """The party that received the service confirms or refuses a proof. Confirmed, it settles by when it was *stated*.

    Raises DutyError when `by` is of the stating party (never a colleague) or not the receiver, when it was answered
    already, or when a refusal gives no reason.
    """
    side = _business(by)
    with transaction.atomic():
        proof: ManualProof = _held(ManualProof, proof_id)
        row = locked(proof.occurrence_id)
        duty = sources.obligation(row.obligation)
        if proof.answered_at is not None:
            raise DutyError(_("这份举证已有答复"), where=row.key)
        if _own(side, proof.stated_by, row) or side not in (duty.confirmed_by or "AB"):
            raise DutyError(_("举证由接受服务的一方确认，不能由本方人员确认"), where=row.key)
        answer = bounded(answer, row.key) if confirm else said(answer, row.key)
        proof.confirmed, proof.answer, proof.answered_by, proof.answered_at = confirm, answer, by, now
        proof.save(update_fields=["confirmed", "answer", "answered_by", "answered_at"])
        kind = "duties.proof.confirmed" if confirm else "duties.proof.refused"
        _note(kind, proof, row, {"answer": answer}, by, now)
        if confirm and row.state in UNSETTLED:
            to = State.KEPT if row.kind == Kind.CONTINUOUS else in_time(row, proof.stated_at)
            move(row, to, now=now, actor=by.username, data={"proof": proof.pk}, done_at=proof.stated_at)
    return proof


def withdraw_proof(proof_id: int, *, by: Account, now: datetime, reason: str) -> ManualProof:
    """The side that stated a proof takes it back before it was answered, to state it anew; it settles nothing.

    Raises DutyError for the other side, an answered proof, or without a reason.
    """
    side = _business(by)
    with transaction.atomic():
        proof: ManualProof = _held(ManualProof, proof_id)
        row = locked(proof.occurrence_id)
        if proof.answered_at is not None:
            raise DutyError(_("这份举证已有答复"), where=row.key)
        if side != proof.stated_by.party:
            raise DutyError(_("举证由提出的一方撤回"), where=row.key)
        proof.confirmed, proof.answer, proof.answered_at = False, said(reason, row.key), now
        proof.save(update_fields=["confirmed", "answer", "answered_at"])
        _note("duties.proof.withdrawn", proof, row, {"answer": proof.answer}, by, now)
    return proof


def _own(side: str, said_by: Account, row: Occurrence) -> bool:
    """Whether that side would answer itself: as the side that said it, or, wherever that account stands by now, as the
    only one that owes."""
    return side in (said_by.party, row.owes)


def _held(model: Any, pk: int) -> Any:
    row = model.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        raise DutyError(_("没有这条记录"), where=str(pk))
    return row


def _note(
    kind: str,
    about: ManualProof | Claim,
    row: Occurrence,
    data: dict[str, JSON],
    by: Account,
    now: datetime,
    artifacts: tuple[Artifact, ...] = (),
) -> None:
    told = {"occurrence": row.key, "id": about.pk, **data}
    intake = ledger.record(
        kind, row.key, told, at=now, actor=by.username, clauses=tuple(row.clauses), artifacts=artifacts
    )
    about.evidence = intake.pk
    about.save(update_fields=["evidence"])


# --- claims -----------------------------------------------------------------------------------------------------------


def claim_exemption(
    occurrence_id: int, *, ground: str, statement: str, file: File | None, by: Account, now: datetime
) -> Claim:
    """Claim that an occurrence is excused by a clause of the contract, with proof.

    Raises DutyError for a clause that excuses nothing, one that is a ground on a damage claim only (7.2.10), or one
    that the claiming side cannot invoke.
    """
    clauses = _grounds(ground, _business(by))
    return _claim(occurrence_id, ClaimKind.EXEMPTION, statement, file, by, now, ground=ground, clauses=clauses)


def _grounds(ground: str, side: str) -> tuple[str, ...]:
    named = [c for c in sources.folder().clauses if c.exempts and (c.id == ground or c.id.startswith(f"{ground}."))]
    fitting = tuple(c.id for c in named if c.exempts == "performance")
    if named and not fitting:
        raise DutyError(
            _("{ground} 只能在设备损毁的赔偿请求中主张，不能免除一项履行").format(ground=ground), where=ground
        )
    if not fitting:
        known = "、".join(c.id for c in sources.folder().clauses if c.exempts == "performance")
        raise DutyError(_("{ground} 不是免责条款").format(ground=ground), where=ground, hint=known)
    if not any(side in c.who for c in named if c.id in fitting):
        raise DutyError(_("这一方不能援引 {ground}").format(ground=ground), where=ground)
    return fitting


def claim_cause(
    occurrence_id: int, *, cause: str, statement: str, file: File | None, by: Account, now: datetime
) -> Claim:
    """Claim that 甲方 or a third party answers for what was not proven, with proof (law 1)."""
    if cause not in (Cause.CLIENT, Cause.THIRD):
        raise DutyError(_("原因只能主张为甲方或第三方"), where=cause, hint="client, third")
    return _claim(occurrence_id, ClaimKind.CAUSE, statement, file, by, now, cause=cause)


def _claim(
    occurrence_id: int,
    kind: ClaimKind,
    statement: str,
    file: File | None,
    by: Account,
    now: datetime,
    *,
    ground: str = "",
    cause: str = "",
    clauses: tuple[str, ...] = (),
) -> Claim:
    side = _business(by)
    with transaction.atomic():
        row = locked(occurrence_id)
        if side not in row.owes:
            raise DutyError(_("只有负有义务的一方可以主张"), where=row.key)
        allowed = EXCUSABLE if kind is ClaimKind.EXEMPTION else frozenset({State.UNPROVEN})
        if row.state not in allowed:
            raise DutyError(_("“{state}”的履行不能这样主张").format(state=row.get_state_display()), where=row.key)
        artifact = stored(file, row.key)
        told = said(statement, row.key)
        try:
            with transaction.atomic():
                claim = Claim.objects.create(
                    occurrence=row,
                    kind=kind,
                    ground=ground,
                    cause=cause,
                    statement=told,
                    artifact=artifact.commitment,
                    file_name=file.shown if file else "",
                    claimed_by=by,
                    claimed_at=now,
                )
        except IntegrityError as e:
            raise DutyError(_("已有一项主张待对方答复"), where=row.key) from e
        data = {"claim": kind.value, "ground": ground, "cause": cause, "grounds": list(clauses), "statement": told}
        _note("duties.claim.made", claim, row, data, by, now, (artifact,))
    return claim


def answer_claim(claim_id: int, *, accept: bool, by: Account, now: datetime, answer: str = "") -> Claim:
    """The other side accepts a claim, or disputes it with a reason; disputed, nothing changes and 争议 is shown."""
    side = _business(by)
    with transaction.atomic():
        claim: Claim = _held(Claim, claim_id)
        row = locked(claim.occurrence_id)
        if claim.state != ClaimState.CLAIMED:
            raise DutyError(_("这项主张已有答复"), where=row.key)
        if _own(side, claim.claimed_by, row):
            raise DutyError(_("主张由对方答复，不能由本方人员答复"), where=row.key)
        if accept and row.state == State.RUNNING:  # it settles by its own end: accepting now would change nothing
            raise DutyError(_("这项履行正在执行，结束之后再答复"), where=row.key)
        answer = bounded(answer, row.key) if accept else said(answer, row.key)
        claim.state = ClaimState.ACCEPTED if accept else ClaimState.DISPUTED
        claim.answer, claim.answered_by, claim.answered_at = answer, by, now
        claim.save(update_fields=["state", "answer", "answered_by", "answered_at"])
        _note(f"duties.claim.{claim.state}", claim, row, {"answer": answer}, by, now)
        if accept:
            _grant(claim, row, by, now)
    return claim


def _grant(claim: Claim, row: Occurrence, by: Account, now: datetime) -> None:
    data = {"claim": claim.pk, "ground": claim.ground}
    if claim.kind == ClaimKind.EXEMPTION and row.state in EXCUSABLE:
        move(row, State.EXEMPT, now=now, actor=by.username, data=data)
    elif claim.kind == ClaimKind.CAUSE and row.state == State.UNPROVEN:
        row.cause = claim.cause
        row.save(update_fields=["cause"])


def manual(duty: Obligation) -> bool:
    """Whether no procedure serves this obligation yet, so that people prove it."""
    return duty.procedure not in registry()
