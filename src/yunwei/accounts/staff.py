"""The register of the people whom 乙方 puts on the contract, and of the third parties it brings in.

乙方 enters, with proof of employment and certificates; 甲方 confirms, and may demand that somebody goes. Nobody takes another
one's place and no third party starts without the prior consent that the contract asks for: who knows the contract is
asked by `on_change` (this room stands below it), and as long as nobody answers that question nothing is changed.
The ledger holds codes, posts and files, never names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Body, Certificate, PartyOf, Role, StaffMember
from yunwei.accounts.services import OFFICERS
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

JSON = Any
#: who confirms for 甲方 (standards §10: 项目负责人 consents to staff)
CONFIRMERS = frozenset({Role.A_LEADER, Role.A_MANAGER})
NAME, POST, MOST = 40, 60, 1000
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}")


class Paper(Protocol):
    """A file that somebody brings (duties.papers.File)."""

    @property
    def content(self) -> bytes:
        """What is in it."""
        ...

    @property
    def kind(self) -> str:
        """Its media type."""
        ...

    @property
    def shown(self) -> str:
        """Its name as it is kept."""
        ...


#: asked before a change: (what it is about, the role of a body or "", key person, when) → the number of the consent that
#: covers it, None where the contract asks for none. Raises when it asks for one and there is none.
Prior = Callable[[str, str, bool, datetime], int | None]
_prior: list[Prior] = []


def on_change(ask: Prior) -> None:
    """Register who knows whether a change has the consent it needs."""
    _prior[:] = [ask]


def _consent(subject: str, role: str, key_person: bool, now: datetime) -> int | None:
    if not _prior:
        raise AccountError(_("没有合同可依，人员与第三方不能变更"), where=subject)
    return _prior[0](subject, role, key_person, now)


# --- people -----------------------------------------------------------------------------------------------------------


def enter(
    code: str, name: str, position: str, *, key_person: bool, file: Paper | None, by: Account, now: datetime
) -> StaffMember:
    """乙方 enters a person, with proof of employment. In place from 甲方's confirmation on (or by taking a place).

    Raises AccountError for the other side, a code in use, or without the file."""
    _vendor(by)
    code, name, position = code.strip(), name.strip(), position.strip()
    _new(code, name, position, StaffMember.objects.filter(code=code).exists())
    artifact = _stored(file, code)
    with transaction.atomic():
        row = StaffMember.objects.create(
            code=code, name=name, position=position, key_person=key_person, artifact=artifact.commitment,
            file_name=file.shown if file else "", entered_by=by, entered_at=now,
        )  # fmt: skip
        _record("staff.entered", row, {"position": position, "key": key_person}, by, now, artifact)
    return row


def certify(
    code: str, title: str, *, expires: date | None, file: Paper | None, by: Account, now: datetime
) -> Certificate:
    """乙方 adds a certificate of a person, with its last day (None: it does not end)."""
    _vendor(by)
    artifact, told = _stored(file, code), _said(title, code, 120)
    with transaction.atomic():
        member = _member(code)
        row = Certificate.objects.create(
            member=member, title=told, expires=expires, artifact=artifact.commitment,
            file_name=file.shown if file else "", added_by=by, added_at=now,
        )  # fmt: skip
        data = {"certificate": row.pk, "title": told, "expires": expires.isoformat() if expires else ""}
        intake = ledger.record("accounts.staff.certified", code, data, at=now, actor=by.username, artifacts=(artifact,))
        row.evidence = intake.pk
        row.save(update_fields=["evidence"])
    return row


def confirm(code: str, *, accept: bool, by: Account, now: datetime, reason: str = "") -> StaffMember:
    """甲方 confirms a person of the list, who is in place from then on, or refuses with a reason."""
    _client(by)
    with transaction.atomic():
        row = _member(code)
        if row.confirmed is not None:
            raise AccountError(_("这个人已有结论"), where=code)
        row.answer = _said(reason, code) if not accept or reason.strip() else ""
        row.confirmed, row.answered_by, row.answered_at = accept, by, now
        row.since = now if accept else None
        row.save()
        _record("staff.confirmed" if accept else "staff.refused", row, {"reason": row.answer}, by, now)
    return row


def demand(code: str, *, by: Account, now: datetime, reason: str) -> StaffMember:
    """甲方 does not accept a person any more; 乙方 has to replace them, and may without another consent take them away."""
    _client(by)
    with transaction.atomic():
        row = _in_place(code)
        if row.demanded_at is not None:
            raise AccountError(_("已经要求更换这个人"), where=code)
        row.demanded_at, row.demanded_why = now, _said(reason, code)
        row.save(update_fields=["demanded_at", "demanded_why"])
        _record("staff.demanded", row, {"reason": row.demanded_why}, by, now)
    return row


def swap_subject(old: str, new: str) -> str:
    """What a consent to a swap is for: this person for that one, and no other pair."""
    return f"{old}>{new}"


def replace(old_code: str, new_code: str, *, by: Account, now: datetime, reason: str) -> StaffMember:
    """乙方 puts a person in another one's place, at this moment. Raises what the contract's side raises without the prior
    consent to this very swap; the consent is also 甲方's confirmation of the new one.
    """
    _vendor(by)
    told = _said(reason, old_code)
    with transaction.atomic():
        old, new = _in_place(old_code), _member(new_code)
        if new.confirmed is False or new.since is not None:
            raise AccountError(_("接替的人须是已登记、未在岗、未被甲方否定的人"), where=new_code)
        consent = _consent(swap_subject(old.code, new.code), "", old.key_person, now)
        if consent is None and not new.confirmed:
            raise AccountError(_("接替的人还没有经甲方确认"), where=new_code)
        old.until, old.why_left, old.consent = now, told, consent
        old.save(update_fields=["until", "why_left", "consent"])
        new.since, new.confirmed, new.taken_from, new.consent = now, True, old, consent
        new.key_person = new.key_person or old.key_person
        new.save(update_fields=["since", "confirmed", "taken_from", "consent", "key_person"])
        data = {"by": new.code, "consent": consent, "reason": told, "key": new.key_person}
        _record("staff.replaced", old, data, by, now, also=new)
    return new


def leave(code: str, *, by: Account, now: datetime, reason: str) -> StaffMember:
    """乙方 takes a person away without another in the place: with prior consent, or because 甲方 demanded it."""
    _vendor(by)
    told = _said(reason, code)
    with transaction.atomic():
        row = _in_place(code)
        asked = row.demanded_at is not None
        consent = None if asked else _consent(swap_subject(row.code, ""), "", row.key_person, now)
        row.until, row.why_left, row.consent = now, told, consent or row.consent
        row.save(update_fields=["until", "why_left", "consent"])
        _record("staff.left", row, {"consent": row.consent, "reason": told, "demanded": asked}, by, now)
    return row


def expiring(today: date, days: int) -> list[Certificate]:
    """The certificates of people in place, or about to be, that end within so many days or have ended."""
    rows = Certificate.objects.filter(expires__lte=today + timedelta(days=days), member__until__isnull=True)
    return list(rows.exclude(member__confirmed=False).select_related("member").order_by("expires", "id"))


# --- third parties ----------------------------------------------------------------------------------------------------


def enter_body(code: str, name: str, role: str, *, file: Paper | None, by: Account, now: datetime) -> Body:
    """乙方 enters a third party with the proof of its qualification; it is engaged only later, with consent."""
    _vendor(by)
    code, name = code.strip(), name.strip()
    _new(code, name, role, Body.objects.filter(code=code).exists(), longest=120)
    artifact = _stored(file, code)
    with transaction.atomic():
        row = Body.objects.create(
            code=code, name=name, role=role, artifact=artifact.commitment, file_name=file.shown if file else "",
            entered_by=by, entered_at=now,
        )  # fmt: skip
        _record("body.entered", row, {"name": name, "role": role}, by, now, artifact)
    return row


def engage(code: str, *, by: Account, now: datetime) -> Body:
    """乙方 engages a third party, at this moment. Raises what the contract's side raises without the prior consent."""
    _vendor(by)
    with transaction.atomic():
        row = _body(code)
        if row.engaged_at is not None:
            raise AccountError(_("这家单位已经委托"), where=code)
        row.consent, row.engaged_at = _consent(row.code, row.role, False, now), now
        if row.consent is None:
            raise AccountError(_("没有同意可依，不能委托"), where=code)
        row.save(update_fields=["consent", "engaged_at"])
        _record("body.engaged", row, {"consent": row.consent}, by, now)
    return row


def end(code: str, *, by: Account, now: datetime) -> Body:
    """乙方 ends the engagement of a third party."""
    _vendor(by)
    with transaction.atomic():
        row = _body(code)
        if row.engaged_at is None or row.ended_at is not None:
            raise AccountError(_("这家单位没有在委托中"), where=code)
        row.ended_at = now
        row.save(update_fields=["ended_at"])
        _record("body.ended", row, {}, by, now)
    return row


# --- inside -----------------------------------------------------------------------------------------------------------


def _vendor(by: Account) -> None:
    if not by.is_active or by.party != PartyOf.B or by.role in OFFICERS:
        raise AccountError(_("人员与第三方由乙方登记"), where=by.username)


def _client(by: Account) -> None:
    if not by.is_active or by.party != PartyOf.A or by.role not in CONFIRMERS:
        raise AccountError(_("由甲方负责人确认"), where=by.username)


def _new(code: str, name: str, post: str, there: bool, longest: int = NAME) -> None:
    if not _CODE.fullmatch(code):
        raise AccountError(_("编号为 1 至 20 个字母、数字或连字符"), where=code[:20])
    if not 0 < len(name) <= longest or not 0 < len(post) <= POST or not (name + post).isprintable():
        raise AccountError(_("需要写明名称与岗位或角色"), where=code)
    if there:
        raise AccountError(_("编号“{code}”已被使用").format(code=code), where=code)


def _stored(file: Paper | None, where: str) -> Artifact:
    if file is None or not file.content:
        raise AccountError(_("需要附上文件作为证明"), where=where)
    return ledger.store(file.content, file.kind)


def _said(text: str, where: str, most: int = MOST) -> str:
    told = text.strip()
    if not told or len(told) > most or "\x00" in told:
        raise AccountError(_("需要写明理由，至多 {n} 字").format(n=most), where=where)
    return told


def _member(code: str) -> StaffMember:
    row = StaffMember.objects.select_for_update().filter(code=code).first()
    if row is None:
        raise AccountError(_("没有这个人"), where=code[:20])
    return row


def _in_place(code: str) -> StaffMember:
    row = _member(code)
    if row.since is None or row.until is not None:
        raise AccountError(_("这个人不在岗"), where=code)
    return row


def _body(code: str) -> Body:
    row = Body.objects.select_for_update().filter(code=code).first()
    if row is None:
        raise AccountError(_("没有这家单位"), where=code[:20])
    return row


def _record(
    step: str,
    row: StaffMember | Body,
    data: dict[str, JSON],
    by: Account,
    now: datetime,
    artifact: Artifact | None = None,
    also: StaffMember | None = None,
) -> None:
    intake = ledger.record(
        f"accounts.{step}", row.code, data, at=now, actor=by.username, artifacts=(artifact,) if artifact else ()
    )
    for one in (row, also):
        if one is not None:
            one.evidence = intake.pk
            one.save(update_fields=["evidence"])
