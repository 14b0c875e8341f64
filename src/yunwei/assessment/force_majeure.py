"""The file of force majeure: one case holds the event, its notices and certificate, what it hindered, and what is excused.

The notice, the certificate with its time, the notice of the end and the mitigation are obligations that the events
start; nothing here counts days again. What is excused is exactly what the affected side names, one exemption claim for
each occurrence, all of them answered in one act; what was not named stays as it is (合同 11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.assessment.claims import OTHER, binding
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models_claims import Majeure
from yunwei.contract.between import ForceMajeure
from yunwei.contract.schema import Folder
from yunwei.duties import proofs, sources
from yunwei.duties.models import Claim, ClaimState, Occurrence, TriggerEvent
from yunwei.duties.papers import File, bounded, said, stored
from yunwei.ledger import services as ledger

JSON = Any
#: occurrences named in one act; more is named in a second one
MOST = 400


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the case owes by the contract: notice, certificate …; `occurrence` None until it began."""

    obligation: str
    occurrence: Occurrence | None


def rules(folder: Folder) -> ForceMajeure:
    """How force majeure hangs together in this contract. Raises AssessmentError when its folder does not say."""
    found = folder.between.force_majeure if folder.between else None
    if found is None:
        raise AssessmentError(_("合同目录没有写明不可抗力的处理"), where="between.yaml")
    return found


def excusing(folder: Folder) -> tuple[str, ...]:
    """The clauses by which force majeure excuses."""
    ground = rules(folder).ground
    return tuple(c.id for c in folder.clauses if c.exempts and (c.id == ground or c.id.startswith(f"{ground}.")))


def open_case(
    event_id: int, *, statement: str, obligations: Sequence[str], file: File | None, by: Account, now: datetime
) -> Majeure:
    """Open a case for a recorded event: what happened, and which of the own obligations it hinders.

    Raises AssessmentError when `by` binds no side, the event is none of force majeure, this side has a case for it, or
    an obligation is not this side's.
    """
    side, folder = binding(by), sources.folder()
    rule = rules(folder)
    event = TriggerEvent.objects.filter(pk=event_id, kind=rule.occurred).first()
    if event is None:
        raise AssessmentError(_("没有这件不可抗力事件，先在触发事件中登记"), where=str(event_id))
    named = _owed(folder, side, obligations)
    with transaction.atomic():
        artifact = stored(file, str(event_id), AssessmentError)
        try:
            with transaction.atomic():
                row = Majeure.objects.create(
                    occurred=event, side=side, obligations=named, statement=said(statement, str(event_id), AssessmentError),
                    artifact=artifact.commitment, file_name=file.shown if file else "", said_by=by, said_at=now,
                )  # fmt: skip
        except IntegrityError as e:
            raise AssessmentError(_("这一方对这件事件已有卷宗"), where=str(event_id)) from e
        data = {
            "id": row.pk, "event": event.pk, "side": side, "obligations": named, "statement": row.statement,
        }  # fmt: skip
        _record("opened", row, data, by, now, (artifact,))
    return row


def _owed(folder: Folder, side: str, obligations: Sequence[str]) -> list[str]:
    known = {o.id: o for o in folder.obligations}
    named = sorted(set(obligations))
    if not named:
        raise AssessmentError(_("写明受影响的义务"), where="obligations")
    for name in named:
        if name not in known or side not in known[name].owes.value:
            raise AssessmentError(_("{id} 不是本方的义务").format(id=name), where=name)
    return named


def end(case_id: int, event_id: int, *, by: Account, now: datetime) -> Majeure:
    """Link the event that ended it; until then the period is open. Raises AssessmentError."""
    side, rule = binding(by), rules(sources.folder())
    with transaction.atomic():
        row = _held(case_id)
        if side != row.side:
            raise AssessmentError(_("由受影响的一方办理"), where=str(row.pk))
        if row.ended_id is not None:
            raise AssessmentError(_("已登记消除"), where=str(row.pk))
        event = TriggerEvent.objects.filter(pk=event_id, kind=rule.ended or "-", at__gte=row.occurred.at).first()
        if event is None:
            raise AssessmentError(_("没有这件不可抗力消除的事件"), where=str(event_id))
        row.ended = event
        row.save(update_fields=["ended"])
        _record("ended", row, {"id": row.pk, "event": event.pk}, by, now, ())
    return row


def steps(row: Majeure) -> list[Step]:
    """What the case owes by the contract, each with its own clock."""
    rule = rules(sources.folder())
    wanted: list[tuple[str, int | None]] = [
        (name, row.occurred_id) for name in (rule.notice, rule.certificate, rule.mitigate) if name
    ]
    wanted += [(rule.over, row.ended_id)] if rule.over else []
    found = {
        (o.obligation, o.period): o
        for o in Occurrence.objects.filter(
            obligation__in=[name for name, _event in wanted],
            period__in=[f"event:{event}" for _name, event in wanted if event],
        )
    }
    return [Step(name, found.get((name, f"event:{event}"))) for name, event in wanted]


def hindered(row: Majeure, now: datetime) -> list[Occurrence]:
    """The occurrences of the case's obligations that its period touches and that may still be excused."""
    until = row.ended.at if row.ended else now
    rows = Occurrence.objects.filter(
        obligation__in=row.obligations, state__in=proofs.EXCUSABLE, due_at__gte=row.occurred.at, starts_at__lte=until
    ).order_by("due_at", "id")
    return list(rows[:MOST])


def excuse(
    case_id: int, occurrences: Sequence[int], *, statement: str, file: File | None, by: Account, now: datetime
) -> Majeure:
    """Name the occurrences that the case excuses: one exemption claim for each, all of them or none.

    Raises AssessmentError for one that the case does not touch, and for a case that was answered.
    """
    side, folder = binding(by), sources.folder()
    rule = rules(folder)
    if not occurrences or len(set(occurrences)) > MOST:
        raise AssessmentError(_("指明受影响的履行，一次至多 {n} 项").format(n=MOST), where=str(case_id))
    with transaction.atomic():
        row = _held(case_id)
        if side != row.side:
            raise AssessmentError(_("由受影响的一方办理"), where=str(row.pk))
        if row.accepted is not None:
            raise AssessmentError(_("这份卷宗已有答复"), where=str(row.pk))
        touched = {o.pk for o in hindered(row, now)}
        if beyond := sorted(set(occurrences) - touched):
            raise AssessmentError(_("不在这次不可抗力的义务与期间之内"), where=str(beyond[0]))
        made = [
            proofs.claim_exemption(pk, ground=rule.ground, statement=statement, file=file, by=by, now=now).pk
            for pk in sorted(set(occurrences))
        ]
        row.claims = [*row.claims, *made]
        row.save(update_fields=["claims"])
        _record("named", row, {"id": row.pk, "claims": row.claims}, by, now, ())
    return row


def answer(case_id: int, *, accept: bool, text: str, by: Account, now: datetime) -> Majeure:
    """The other side accepts the case, and with it every claim named in it that is still open, or disputes it all.

    Raises AssessmentError for the affected side itself, an answered case, one that names nothing, and a dispute without
    a reason.
    """
    side = binding(by)
    with transaction.atomic():
        row = _held(case_id)
        if side != OTHER[row.side]:
            raise AssessmentError(_("由对方答复，不能由本方答复"), where=str(row.pk))
        if row.accepted is not None:
            raise AssessmentError(_("这份卷宗已有答复"), where=str(row.pk))
        if not row.claims:
            raise AssessmentError(_("卷宗还没有指明受影响的履行"), where=str(row.pk))
        told = (
            bounded(text.strip(), str(row.pk), AssessmentError) if accept else said(text, str(row.pk), AssessmentError)
        )
        waiting = Claim.objects.filter(pk__in=row.claims, state=ClaimState.CLAIMED).order_by("id")
        for claim in list(waiting):
            proofs.answer_claim(claim.pk, accept=accept, by=by, now=now, answer=told)
        row.accepted, row.answer, row.answered_by, row.answered_at = accept, told, by, now
        row.save(update_fields=["accepted", "answer", "answered_by", "answered_at"])
        _record("accepted" if accept else "disputed", row, {"id": row.pk, "answer": told}, by, now, ())
    return row


def _held(case_id: int) -> Majeure:
    row = Majeure.objects.select_for_update(of=("self",)).select_related("occurred", "ended").filter(pk=case_id).first()
    if row is None:
        raise AssessmentError(_("没有这份卷宗"), where=str(case_id))
    return row


def _record(
    step: str, row: Majeure, data: dict[str, JSON], by: Account, now: datetime, artifacts: tuple[Any, ...]
) -> None:
    folder = sources.folder()
    clauses = excusing(folder)
    intake = ledger.record(
        f"assessment.majeure.{step}", f"majeure:{row.pk}", data, at=now, actor=by.username, clauses=clauses,
        artifacts=artifacts,
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
