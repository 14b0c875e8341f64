"""Getting in: name and password, then the second factor where the account has one. Every way in passes here.

What is told is the same whatever was wrong, and the same work is done, so that nobody learns which names exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.contrib.auth import authenticate
from django.db import transaction

from yunwei.accounts import sessions, throttle, totp, wall
from yunwei.accounts.models import Account, Ended
from yunwei.accounts.policy import policy
from yunwei.ledger import services as ledger

#: what is typed as a name is counted and looked up only so far
LONGEST_NAME = 80


class Refused(StrEnum):
    """Why somebody did not get in, as far as it is told."""

    WRONG = "wrong"
    LOCKED = "locked"  # the name, whether anybody has it or not
    SLOWED = "slowed"  # the address


@dataclass(frozen=True, slots=True)
class Answer:
    """What a try came to: an account, or why not (and, for a wait, until when by the machine's clock)."""

    account: Account | None = None
    refused: Refused | None = None
    until: datetime | None = None
    failed_before: int = 0
    second: str = ""  # how the second factor was given: totp, recovery; "" where none was asked


def by_password(username: str, password: str, *, address: str, now: datetime) -> Answer:
    """Try a name and a password. Earlier failures stay counted until `entered`: a second factor may still fail."""
    username = username.replace("\0", "")[:LONGEST_NAME]
    at, rules = wall.now(), policy()
    charge = throttle.charge(username, address, rules, at)
    if not charge.allowed:
        return Answer(refused=Refused.LOCKED if charge.name else Refused.SLOWED, until=charge.until)
    account = authenticate(None, username=username, password=password)
    if isinstance(account, Account):
        throttle.refund(username, address)
        return Answer(account=account, failed_before=charge.before)
    return _wrong(username, charge, now=now)


def by_code(account: Account, code: str, *, address: str, now: datetime) -> Answer:
    """Try a second factor; it is counted like a password, under the same name."""
    at, rules = wall.now(), policy()
    charge = throttle.charge(account.username, address, rules, at)
    if not charge.allowed:
        return Answer(refused=Refused.LOCKED if charge.name else Refused.SLOWED, until=charge.until)
    fresh = Account.objects.select_related("organisation").filter(pk=account.pk, is_active=True).first()
    second = totp.verify(fresh, code, wall=at, now=now) if fresh else ""
    if fresh is None or not second:
        return _wrong(account.username, charge, now=now)
    throttle.refund(account.username, address)
    return Answer(account=fresh, failed_before=charge.before, second=second)


def _wrong(username: str, charge: throttle.Charge, *, now: datetime) -> Answer:
    at, rules = wall.now(), policy()
    known = username if Account.objects.filter(username=username).exists() else ""
    throttle.wrong(rules, at=at, now=now, charge=charge, known=known)
    return Answer(refused=Refused.LOCKED if charge.locks else Refused.WRONG, until=charge.until)


def entered(account: Account, *, how: str, second: str, failed_before: int, key: str, now: datetime) -> None:
    """Somebody is in with the session `key`: free the name, end the account's other sessions, write it down."""
    with transaction.atomic():
        throttle.clear(account.username)
        others = sessions.end_all(account, Ended.REPLACED, now=now, keep=key) if policy().one_session else 0
        Account.objects.filter(pk=account.pk).update(last_login=now)
        ledger.record(
            "accounts.login", account.username,
            {"how": how, "second": second or "none", "failed_before": failed_before, "ended": others},
            at=now, actor=account.username,
        )  # fmt: skip
