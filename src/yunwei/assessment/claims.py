"""Claims between the parties: an amount or a performance, on the ground of a clause, with files; the other side answers.

A claim is never a payment: damages (9.3, 10) and other loss (7.1.11) stand beside the balance and never in it. Only what
a clause lets 甲方 set off (7.1.2) may come off a payment, and that is an act of its own (`payments.set_off`).
The time to answer is the contract's: handing the claim over is recorded as its event, and the occurrence is its clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models_claims import Demand, DemandKind, Outcome
from yunwei.contract import closings
from yunwei.contract.between import Clock
from yunwei.contract.schema import Clause, Folder
from yunwei.duties import proofs, sources
from yunwei.duties.models import Occurrence
from yunwei.duties.papers import File, bounded, said, stored
from yunwei.kernel.money import share_of, yuan
from yunwei.ledger import services as ledger

JSON = Any
OTHER = {"A": "B", "B": "A"}
#: remedies by which an amount may be claimed
MONEY = frozenset({"damages", "penalty", "set_off"})


@dataclass(frozen=True, slots=True)
class Ground:
    """A clause by which one side may claim an amount from the other; `share` where the clause states one (9.3)."""

    clause: Clause
    set_off: bool
    amount: Decimal | None


def grounds(folder: Folder, side: str) -> list[Ground]:
    """The clauses by which `side` may claim money from the other side."""
    found = []
    for clause in folder.clauses:
        against = [r for r in clause.remedies if r.against == OTHER[side] and r.kind in MONEY]
        if against:
            share = next((r.share for r in against if r.share is not None), None)
            amount = share_of(folder.contract.price.amount, share) if share is not None else None
            found.append(Ground(clause, any(r.kind == "set_off" for r in against), amount))
    return found


def binding(by: Account) -> str:
    """The side that an account binds in writing. Raises AssessmentError when it binds none."""
    if not by.is_active or by.role not in closings.SIGNERS.get(PartyOf(by.party), frozenset()):
        raise AssessmentError(_("由双方的负责人提出与答复"), where=by.username)
    return by.party


def clock_of(folder: Folder, claimed: str) -> Clock | None:
    """How long the claimed side has to answer in writing; None where the contract gives it no time."""
    rules = folder.between.answer if folder.between else []
    return next((c for c in rules if c.side == claimed), None)


def claim(
    kind: str, ground: str, *, statement: str, file: File | None, by: Account, now: datetime,
    amount: Decimal | None = None,
) -> Demand:  # fmt: skip
    """Claim an amount (yuan) or a performance from the other side, on a clause, with a file.

    Raises AssessmentError when `by` binds no side, the clause gives no such claim, the amount is none, or text or file
    is missing.
    """
    side, folder = binding(by), sources.folder()
    _fits(folder, side, kind, ground, amount)
    text = said(statement, ground, AssessmentError)
    with transaction.atomic():
        artifact = stored(file, ground, AssessmentError)
        event = None
        if (clock := clock_of(folder, OTHER[side])) is not None:
            note = _("索赔：{ground}").format(ground=ground)
            event = proofs.record_event(clock.event, at=now, by=by, now=now, file=file, note=note)
        row = Demand.objects.create(
            side=side, kind=kind, ground=ground, amount=amount, statement=text, artifact=artifact.commitment,
            file_name=file.shown if file else "", said_by=by, said_at=now, event=event,
        )  # fmt: skip
        data = {
            "id": row.pk, "side": side, "claim": kind, "ground": ground,
            "amount": str(amount) if amount is not None else None, "statement": text,
            "event": event.pk if event else None,
        }  # fmt: skip
        _record("made", row, data, by, now, (artifact,))
    return row


def _fits(folder: Folder, side: str, kind: str, ground: str, amount: Decimal | None) -> None:
    if kind not in DemandKind.values:
        raise AssessmentError(_("主张的是款项或履行之一"), where=kind[:20])
    if all(c.id != ground for c in folder.clauses):
        raise AssessmentError(_("没有这一条款"), where=ground[:20])
    if kind == DemandKind.PERFORMANCE:
        if amount is not None:
            raise AssessmentError(_("主张履行的不写金额"), where=ground)
        owed = {c for o in folder.obligations if OTHER[side] in o.owes.value for c in o.clauses}
        if ground not in owed:
            raise AssessmentError(_("对方在这一条下没有义务"), where=ground)
        return
    if amount is None or amount <= 0 or amount != yuan(amount):
        raise AssessmentError(_("金额须为正数，至多到分"), where=str(amount))
    if ground not in {g.clause.id for g in grounds(folder, side)}:
        known = "、".join(g.clause.id for g in grounds(folder, side))
        raise AssessmentError(_("{ground} 不是向对方索赔的依据").format(ground=ground), where=ground, hint=known)


def answer(
    demand_id: int, outcome: str, *, text: str, by: Account, now: datetime, agreed: Decimal | None = None,
    file: File | None = None,
) -> Demand:  # fmt: skip
    """The other side accepts, accepts in part (`agreed` yuan, less than what was claimed), or disputes with a reason.

    Where a clock of the contract runs, the answer is stated as its proof at the same time, when a file came with it; the
    claiming side confirms that it received it. Raises AssessmentError.
    """
    side = binding(by)
    if outcome not in (Outcome.ACCEPTED, Outcome.PARTLY, Outcome.DISPUTED):
        raise AssessmentError(_("没有这种答复"), where=outcome[:20])
    with transaction.atomic():
        row = _open(demand_id)
        if side == row.side:
            raise AssessmentError(_("由对方答复，不能由本方答复"), where=str(row.pk))
        taken = _agreed(row, outcome, agreed)
        told = (
            said(text, str(row.pk), AssessmentError)
            if outcome != Outcome.ACCEPTED
            else bounded(text.strip(), str(row.pk), AssessmentError)
        )
        artifact = stored(file, str(row.pk), AssessmentError) if file is not None else None
        row.outcome, row.agreed, row.answer, row.answered_by, row.answered_at = outcome, taken, told, by, now
        if artifact is not None and file is not None:
            row.answer_artifact, row.answer_file = artifact.commitment, file.shown
        row.save()
        data = {"id": row.pk, "agreed": str(taken) if taken is not None else None, "answer": told}
        _record(outcome, row, data, by, now, (artifact,) if artifact else ())
        _prove(row, told, file, by, now)
    return row


def withdraw(demand_id: int, *, reason: str, by: Account, now: datetime) -> Demand:
    """The claiming side takes a claim back before it was answered, with a reason. Raises AssessmentError."""
    side = binding(by)
    with transaction.atomic():
        row = _open(demand_id)
        if side != row.side:
            raise AssessmentError(_("由提出的一方撤回"), where=str(row.pk))
        row.outcome, row.answer, row.answered_at = Outcome.WITHDRAWN, said(reason, str(row.pk), AssessmentError), now
        row.save()
        _record(Outcome.WITHDRAWN, row, {"id": row.pk, "agreed": None, "answer": row.answer}, by, now, ())
    return row


def _open(demand_id: int) -> Demand:
    row = Demand.objects.select_for_update().filter(pk=demand_id).first()
    if row is None:
        raise AssessmentError(_("没有这项索赔"), where=str(demand_id))
    if row.outcome:
        raise AssessmentError(_("这项索赔已有答复"), where=str(demand_id))
    return row


def _agreed(row: Demand, outcome: str, agreed: Decimal | None) -> Decimal | None:
    if outcome == Outcome.ACCEPTED:
        return row.amount
    if outcome == Outcome.DISPUTED or row.amount is None:
        if agreed is not None:
            raise AssessmentError(_("这样的答复不写金额"), where=str(row.pk))
        return None
    if agreed is None or not 0 < agreed < row.amount or agreed != yuan(agreed):
        raise AssessmentError(_("部分认可的金额应大于 0、小于所主张的，至多到分"), where=str(agreed))
    return agreed


def occurrence_of(row: Demand) -> Occurrence | None:
    """The clock of the answer: the occurrence that handing the claim over started."""
    clock = clock_of(sources.folder(), OTHER[row.side])
    if clock is None or row.event_id is None:
        return None
    return Occurrence.objects.filter(obligation=clock.obligation, period=f"event:{row.event_id}").first()


def _prove(row: Demand, text: str, file: File | None, by: Account, now: datetime) -> None:
    """State the written answer as the proof of the clock, so that nobody has to say it twice."""
    found = occurrence_of(row)
    if found is None or file is None or found.state not in proofs.UNSETTLED:
        return
    if found.proofs.filter(confirmed__isnull=True).exists():
        return
    statement = text or _("已书面答复索赔 {n}").format(n=row.pk)
    proofs.state_proof(found.pk, statement=statement, file=file, by=by, now=now)


def _record(
    step: str, row: Demand, data: dict[str, JSON], by: Account, now: datetime, artifacts: tuple[Any, ...]
) -> None:
    intake = ledger.record(
        f"assessment.demand.{step}", f"demand:{row.pk}", data, at=now, actor=by.username, clauses=(row.ground,),
        artifacts=artifacts,
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
