"""What the contract says about people and third parties, for the register of `accounts.staff`: whose consent a change needs,
and the event by which the client has somebody replaced."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts import staff
from yunwei.accounts.models import Account, StaffMember
from yunwei.contract import openitems
from yunwei.contract.schema import Staffing
from yunwei.duties import consents, sources
from yunwei.duties.errors import DutyError
from yunwei.duties.models import TriggerEvent
from yunwei.duties.papers import File
from yunwei.duties.proofs import record_event

#: while an item blocks this function, nobody is swapped without consent: no list says who is a key person
SWAP = "staff.swap_consent"


def rules() -> Staffing:
    """What this contract says about people. Raises DutyError when its folder says nothing."""
    found = sources.folder().contract.staffing
    if found is None:
        raise DutyError(_("合同目录没有写明人员与第三方的约定"))
    return found


def prior(subject: str, role: str, key_person: bool, now: datetime) -> int | None:
    """The consent that covers a change (`accounts.staff.Prior`). Raises DutyError when one is needed and there is none."""
    found = rules()
    if not role:
        if not key_person and openitems.blocked(sources.folder(), SWAP) is None:
            return None
        return consents.require(found.swap, now, subject).pk
    body = next((b for b in found.bodies if b.id == role), None)
    if body is None:
        raise DutyError(_("合同没有约定这种第三方"), where=role, hint="、".join(b.id for b in found.bodies))
    return consents.require(body.obligation, now, subject).pk


def reject(
    code: str, *, by: Account, now: datetime, reason: str, file: File | None
) -> tuple[StaffMember, TriggerEvent | None]:
    """甲方 demands that a person is replaced: the register marks it and the contract's event starts 乙方's duty to do so."""
    found = rules()
    with transaction.atomic():
        row = staff.demand(code, by=by, now=now, reason=reason)
        if not found.rejected:
            return row, None
        event = record_event(
            found.rejected, at=now, by=by, now=now, file=file, subject={"staff": code}, note=row.demanded_why[:300]
        )
    return row, event
