"""Prior consent: asked by the side that owes it, answered by the other; what it covers, and what was done without it.

An act is covered by a consent that was granted *before* it, whose window holds the act's moment, and that was not taken
back by then. Where this software does the act itself it asks `require` first and refuses; what people do elsewhere they
record (`record_act`), and without a consent it is told as a breach. No later consent heals it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract.closings import SIGNERS
from yunwei.contract.schema import Folder, Kind, Obligation
from yunwei.duties import sources
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Consent, ConsentAct
from yunwei.duties.moments import past, window
from yunwei.duties.papers import File, said, stored
from yunwei.duties.proofs import _business as business
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

JSON = Any
#: characters of what a consent is for
SUBJECT = 120


@dataclass(frozen=True, slots=True)
class Grant:
    """A consent as far as covering goes: when it was answered, its window, when it was taken back."""

    answered_at: datetime
    starts: datetime
    ends: datetime
    revoked_at: datetime | None = None


def covers(grant: Grant, at: datetime) -> bool:
    """Whether an act that starts at `at` had this consent before: after the answer, inside the window (its end is out),
    and not taken back by then."""
    inside = grant.starts <= at < grant.ends
    return inside and grant.answered_at < at and (grant.revoked_at is None or at < grant.revoked_at)


def asked_under(folder: Folder) -> list[Obligation]:
    """The obligations under which consent is asked: those of prior consent, but what a mere notice performs, and the
    bans that a permission lifts."""
    service = folder.contract.service
    noticed = {kind.performs for kind in service.kinds} if service else set()
    return [o for o in folder.obligations if (o.kind is Kind.CONSENT and o.id not in noticed) or o.permission]


def _duty(obligation_id: str) -> Obligation:
    for duty in asked_under(sources.folder()):
        if duty.id == obligation_id:
            return duty
    raise DutyError(_("“{id}”不是须事先同意的义务").format(id=obligation_id[:40]), where=obligation_id[:40])


def ask(
    obligation_id: str,
    *,
    subject: str,
    what: str,
    starts: datetime,
    ends: datetime,
    by: Account,
    now: datetime,
    file: File | None = None,
) -> Consent:
    """Ask for a prior consent. Raises DutyError when `by` does not stand for the side that needs it, when the window is
    none or lies behind, or when it is not said what it is for."""
    duty = _duty(obligation_id)
    if business(by) not in duty.owes:
        raise DutyError(_("由须取得同意的一方申请"), where=duty.id)
    window(starts, ends, duty.id)
    if ends <= now:
        raise DutyError(_("这段时间已经过去：事先同意不能补办"), where=duty.id)
    about = said(subject, duty.id, most=SUBJECT)
    told = said(what, duty.id)
    artifact = stored(file, duty.id) if file is not None else None
    with transaction.atomic():
        row = Consent.objects.create(
            obligation=duty.id, subject=about, what=told, starts=starts, ends=ends, asked_by=by, asked_at=now,
            artifact=artifact.commitment if artifact else "", file_name=file.shown if file else "",
        )  # fmt: skip
        data = {
            "obligation": duty.id,
            "subject": about,
            "what": told,
            "starts": starts.isoformat(),
            "ends": ends.isoformat(),
        }
        _record("asked", row, duty, data, by, now, artifact)
    return row


def answer(
    consent_id: int, *, grant: bool, by: Account, now: datetime, reason: str = "", file: File | None = None
) -> Consent:
    """The other side grants or refuses. Where the contract wants it written, a grant brings the signed paper.

    Raises DutyError for who binds no party, for the asking side, for a second answer, for a refusal without a reason and
    for a grant of a window that is over.
    """
    if not by.is_active or by.role not in SIGNERS.get(PartyOf(by.party), frozenset()):
        raise DutyError(_("同意由对方的负责人作出"), where=by.username)
    with transaction.atomic():
        row = _held(consent_id)
        duty = _duty(row.obligation)
        if row.granted is not None or row.withdrawn_at is not None:
            raise DutyError(_("这项申请已有结论"), where=duty.id)
        if by.party == row.asked_by.party:
            raise DutyError(_("同意由对方作出，不能由本方作出"), where=duty.id)
        if grant and row.ends <= now:
            raise DutyError(_("这段时间已经过去：事先同意不能补办"), where=duty.id)
        needs = grant and duty.written
        artifact = stored(file, duty.id) if needs or file is not None else None
        row.reason = said(reason, duty.id) if not grant or reason.strip() else ""
        row.granted, row.answered_by, row.answered_at = grant, by, now
        row.answer_artifact, row.answer_file_name = (artifact.commitment, file.shown) if artifact and file else ("", "")
        row.save()
        _record("granted" if grant else "refused", row, duty, {"reason": row.reason}, by, now, artifact)
    return row


def withdraw(consent_id: int, *, by: Account, now: datetime) -> Consent:
    """The side that asked takes it back before it was answered."""
    with transaction.atomic():
        row = _held(consent_id)
        duty = _duty(row.obligation)
        if business(by) != row.asked_by.party:
            raise DutyError(_("由申请的一方撤回"), where=duty.id)
        if row.granted is not None or row.withdrawn_at is not None:
            raise DutyError(_("这项申请已有结论"), where=duty.id)
        row.withdrawn_at = now
        row.save(update_fields=["withdrawn_at"])
        _record("withdrawn", row, duty, {}, by, now, None)
    return row


def revoke(consent_id: int, *, by: Account, now: datetime, reason: str) -> Consent:
    """The side that granted takes its consent back, from now on; what was done under it stays covered."""
    with transaction.atomic():
        row = _held(consent_id)
        duty = _duty(row.obligation)
        if not by.is_active or by.role not in SIGNERS.get(PartyOf(by.party), frozenset()):
            raise DutyError(_("同意由作出一方的负责人收回"), where=by.username)
        if row.answered_by is None or by.party != row.answered_by.party:
            raise DutyError(_("同意由作出的一方收回"), where=duty.id)
        if not row.granted or row.revoked_at is not None or row.ends <= now:
            raise DutyError(_("没有可以收回的同意"), where=duty.id)
        row.revoked_at, row.revoked_by = now, by
        row.save(update_fields=["revoked_at", "revoked_by"])
        _record("revoked", row, duty, {"reason": said(reason, duty.id)}, by, now, None)
    return row


def covered(obligation_id: str, at: datetime, subject: str) -> Consent | None:
    """The consent that an act at `at` about `subject` had; None without one."""
    rows = Consent.objects.filter(obligation=obligation_id, subject=subject, granted=True).order_by("answered_at", "id")
    return next((row for row in rows if covers(_grant(row), at)), None)


def require(obligation_id: str, at: datetime, subject: str) -> Consent:
    """The consent that covers an act. Raises DutyError when there is none: what needs it is not done."""
    if (row := covered(obligation_id, at, subject)) is not None:
        return row
    duty = _duty(obligation_id)
    hint = _("先在“事先同意”中申请：{id}，事项“{subject}”").format(id=duty.id, subject=subject)
    raise DutyError(_("没有事先同意，不能进行：{title}").format(title=duty.title), where=subject, hint=hint)


def record_act(
    obligation_id: str, *, subject: str, what: str, at: datetime, by: Account, now: datetime, file: File | None = None
) -> ConsentAct:
    """Record that something was done that needs a prior consent; either side may. Without one it is a breach."""
    duty = _duty(obligation_id)
    business(by)
    past(at, now, duty.id)
    about, told = said(subject, duty.id, most=SUBJECT), said(what, duty.id)
    artifact = stored(file, duty.id) if file is not None else None
    with transaction.atomic():
        found = covered(duty.id, at, about)
        row = ConsentAct.objects.create(
            obligation=duty.id, subject=about, what=told, at=at, consent=found, recorded_by=by, recorded_at=now,
            artifact=artifact.commitment if artifact else "", file_name=file.shown if file else "",
        )  # fmt: skip
        data = {
            "act": row.pk, "obligation": duty.id, "subject": about, "what": told, "at": at.isoformat(),
            "consent": found.pk if found else None,
        }  # fmt: skip
        intake = ledger.record(
            "duties.act.recorded", f"act:{row.pk}", data, at=now, actor=by.username, clauses=tuple(duty.clauses),
            artifacts=(artifact,) if artifact else (),
        )  # fmt: skip
        row.evidence = intake.pk
        row.save(update_fields=["evidence"])
    return row


def standing(row: Consent, now: datetime) -> str:
    """Where a consent stands: asked, lapsed (never answered), granted, over, refused, revoked, withdrawn."""
    if row.withdrawn_at is not None:
        return "withdrawn"
    if row.granted is None:
        return "asked" if now < row.ends else "lapsed"
    if not row.granted:
        return "refused"
    if row.revoked_at is not None:
        return "revoked"
    return "granted" if now < row.ends else "over"


def breaches(rows: Iterable[ConsentAct]) -> list[ConsentAct]:
    """Those of the acts that no consent covered."""
    return [row for row in rows if row.consent_id is None]


def _grant(row: Consent) -> Grant:
    assert row.answered_at is not None  # noqa: S101 - granted rows have an answer
    return Grant(row.answered_at, row.starts, row.ends, row.revoked_at)


def _held(pk: int) -> Consent:
    row = Consent.objects.select_for_update(of=("self",)).select_related("asked_by__organisation").filter(pk=pk).first()
    if row is None:
        raise DutyError(_("没有这条记录"), where=str(pk))
    return row


def _record(
    step: str,
    row: Consent,
    duty: Obligation,
    data: dict[str, JSON],
    by: Account,
    now: datetime,
    artifact: Artifact | None,
) -> None:
    intake = ledger.record(
        f"duties.consent.{step}", f"consent:{row.pk}", data, at=now, actor=by.username, clauses=tuple(duty.clauses),
        artifacts=(artifact,) if artifact else (),
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
