"""Acceptance of a contract year (合同 4.3.2-4.3.3): 乙方 submits, examiners find, departments give their opinion, 甲方 decides,
乙方 countersigns or its refusal is recorded. The decision is the contract's own event, which starts the price's clocks
or the rectification's. What the decision rests on is `pack`, derived anew each time."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, Role
from yunwei.assessment import rectify, year
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models_year import Acceptance, Opinion, Speaker
from yunwei.contract.schema import Folder
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.papers import File, bounded, said, stored
from yunwei.kernel.canonical import canonical
from yunwei.ledger import services as ledger

#: who may record what an examiner found: 甲方, or the examining body itself
RECORDERS = year.CLIENT | {Role.ASSESSOR}


def rounds(folder: Folder) -> list[Acceptance]:
    """The rounds of this contract's year, the first one first."""
    rows = Acceptance.objects.filter(year=year.of(folder).key)
    return list(rows.select_related("submitted_by", "decided_by", "answered_by", "event").prefetch_related("opinions"))


def submit(*, statement: str, file: File | None, by: Account, now: datetime) -> Acceptance:
    """乙方 submits the year for acceptance. Raises AssessmentError while a round runs, when the year was accepted, without
    words or file. A round after a failed one is the proof that what failed was rectified."""
    year.may(by, year.VENDOR, _("验收由乙方项目经理提交"))
    folder = sources.folder()
    ends, key = year.end_of(folder), year.of(folder).key
    told, paper = said(statement, key, AssessmentError), stored(file, key, AssessmentError)
    with transaction.atomic():
        last = Acceptance.objects.select_for_update().filter(year=key).order_by("-round").first()
        if last is not None and last.passed is not False:
            raise AssessmentError(
                _("这个年度已经通过验收") if last.passed else _("已有一次验收待甲方决定"), where=_name(last)
            )
        try:
            with transaction.atomic():
                row = Acceptance.objects.create(
                    year=key, round=last.round + 1 if last else 1, statement=told, artifact=paper.commitment,
                    file_name=file.shown if file else "", submitted_by=by, submitted_at=now,
                )  # fmt: skip
        except IntegrityError as e:
            raise AssessmentError(_("已有一次验收待甲方决定"), where=key) from e
        data = {"year": key, "round": row.round, "statement": told}
        year.note("acceptance.submitted", row, _subject(row), data, by, now, ends.acceptance_clauses, (paper,))
        if last is not None and file is not None:
            duties.bring_up_to_date(now)
            year.state_on(year.clock(ends.rectify_failed, last.event), told, file, by, now)
    return row


def opine(
    acceptance_id: int,
    *,
    speaker: str,
    organisation: str,
    name: str,
    qualification: str = "",
    about: str = "",
    conforming: bool,
    text: str,
    file: File | None,
    by: Account,
    now: datetime,
) -> Opinion:
    """Record what an examiner found, or a department's opinion, with the file that they signed.

    `about` is a requirement's id, or "" for the whole. Raises AssessmentError when 乙方 would record or be the examiner,
    for an examiner without qualification, for a finding against without words, without a file.
    """
    if not by.is_active or by.role not in RECORDERS or by.party == PartyOf.B:
        raise AssessmentError(_("检查意见由甲方或受托的测评单位登记"), where=by.username)
    if speaker not in Speaker.values or (by.role == Role.ASSESSOR and speaker != Speaker.TESTER):
        raise AssessmentError(_("没有这种意见"), where=speaker[:20])
    folder = sources.folder()
    ends = year.end_of(folder)
    who = {
        "organisation": said(organisation, "organisation", AssessmentError, 120),
        "name": said(name, "name", AssessmentError, 60),
    }
    if who["organisation"] in {p.name for p in folder.contract.parties if p.role == PartyOf.B}:
        raise AssessmentError(_("乙方不能检查自己的工作"), where=who["organisation"])
    if speaker == Speaker.TESTER:
        qualification = said(qualification, _("资质"), AssessmentError, 200)
    if about and about not in {r.id for r in ends.requirements}:
        raise AssessmentError(_("没有这项标准要求"), where=about[:40])
    told = (
        bounded(text.strip(), who["organisation"], AssessmentError)
        if conforming
        else said(text, who["organisation"], AssessmentError)
    )
    paper = stored(file, who["organisation"], AssessmentError)
    identity = ledger.store(canonical({"qualification": qualification, **who}), "application/json")
    with transaction.atomic():
        row = _running(acceptance_id)
        made = Opinion.objects.create(
            acceptance=row, speaker=speaker, qualification=qualification, about=about, conforming=conforming, text=told,
            identity=identity.commitment, artifact=paper.commitment, file_name=file.shown if file else "",
            recorded_by=by, recorded_at=now, **who,
        )  # fmt: skip
        data = {
            "id": made.pk, "year": row.year, "round": row.round, "speaker": speaker, "organisation": who["organisation"],
            "about": about, "conforming": conforming, "text": told,
        }  # fmt: skip
        year.note("acceptance.examined", made, _subject(row), data, by, now, ends.acceptance_clauses, (identity, paper))
    return made


def decide(
    acceptance_id: int, *, passed: bool, reason: str, file: File | None, by: Account, now: datetime
) -> Acceptance:
    """甲方 decides: passed, or not passed with a reason; the contract's event is recorded with the signed file.

    Raises AssessmentError without an examiner, without a file, without a reason where it failed or where somebody spoke
    against, and, to pass, while a rectification order does not conform (it says which).
    """
    year.may(by, year.CLIENT, _("验收由甲方项目负责人或分管领导决定"))
    ends = year.end_of(sources.folder())
    with transaction.atomic():
        row = _running(acceptance_id)
        opinions = list(row.opinions.all())
        if not any(o.speaker == Speaker.TESTER for o in opinions):
            raise AssessmentError(_("还没有测试与检查人的意见"), where=_name(row))
        left = rectify.unfinished(rectify.everything(), now)
        if passed and left:
            raise AssessmentError(_("还有整改未符合，不能通过验收"), where="、".join(rectify.name(o) for o in left))
        against = not passed or any(not o.conforming for o in opinions)
        text = (
            said(reason, _name(row), AssessmentError)
            if against
            else bounded(reason.strip(), _name(row), AssessmentError)
        )
        paper = stored(file, _name(row), AssessmentError)
        kind = ends.passed if passed else ends.failed
        event = duties.record_event(kind, at=now, by=by, now=now, file=file, note=text[: rectify.NOTE])
        row.passed, row.reason, row.event, row.decided_by, row.decided_at = passed, text, event, by, now
        row.save(update_fields=["passed", "reason", "event", "decided_by", "decided_at"])
        data = {
            "year": row.year,
            "round": row.round,
            "reason": text,
            "event": event.pk,
            "opinions": [o.pk for o in opinions],
        }
        step = "acceptance.passed" if passed else "acceptance.failed"
        year.note(step, row, _subject(row), data, by, now, ends.acceptance_clauses, (paper,))
        before = Acceptance.objects.filter(year=row.year, round=row.round - 1).select_related("event").first()
        if before is not None:
            year.answer_on(year.clock(ends.rectify_failed, before.event), by, now, confirm=passed, text=text)
    return row


def answer(acceptance_id: int, *, sign: bool, text: str, by: Account, now: datetime) -> Acceptance:
    """乙方 countersigns the decision, or its refusal is recorded with a reason; the decision stands either way."""
    year.may(by, year.VENDOR, _("验收结论由乙方项目经理签认"))
    ends = year.end_of(sources.folder())
    with transaction.atomic():
        row = _locked(acceptance_id)
        if row.passed is None:
            raise AssessmentError(_("甲方还没有决定"), where=_name(row))
        if row.signed is not None:
            raise AssessmentError(_("已有签认或拒签"), where=_name(row))
        row.answer = (
            bounded(text.strip(), _name(row), AssessmentError) if sign else said(text, _name(row), AssessmentError)
        )
        row.signed, row.answered_by, row.answered_at = sign, by, now
        row.save(update_fields=["signed", "answer", "answered_by", "answered_at"])
        data = {"year": row.year, "round": row.round, "answer": row.answer}
        step = "acceptance.signed" if sign else "acceptance.unsigned"
        year.note(step, row, _subject(row), data, by, now, ends.acceptance_clauses)
    return row


def _locked(acceptance_id: int) -> Acceptance:
    row = Acceptance.objects.select_for_update().filter(pk=acceptance_id).first()
    if row is None:
        raise AssessmentError(_("没有这次验收"), where=str(acceptance_id))
    return row


def _running(acceptance_id: int) -> Acceptance:
    row = _locked(acceptance_id)
    if row.passed is not None:
        raise AssessmentError(_("这次验收已有结论"), where=_name(row))
    return row


def _name(row: Acceptance) -> str:
    return _("{year} 年度第 {n} 次验收").format(year=row.year, n=row.round)


def _subject(row: Acceptance) -> str:
    return f"acceptance:{row.year}/{row.round}"
