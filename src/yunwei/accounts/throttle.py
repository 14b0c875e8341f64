"""Failed logins: counted by name and by address, whether the name exists or not, so that a lock tells nothing.

A try is charged before the password is looked at and given back when it was right: a hundred tries at once are a hundred
charged tries. Names lock for the policy's minutes; an address is slowed, each further failure waiting twice as long,
because behind one address there may be a whole office. The table holds hashes only and forgets after a while.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from yunwei.accounts.models import Tries
from yunwei.accounts.policy import Policy
from yunwei.gm import sm3
from yunwei.ledger import services as ledger

#: failures are forgotten this long after the last one (and never while a lock stands)
FORGET = timedelta(minutes=30)
LONGEST_WAIT_S = 900
#: the ledger hears of a burst when so many tries failed, and at most so often: an attacker writes no evidence at will
BURST, BURST_EVERY = 50, timedelta(minutes=10)
_BURST = "burst"


@dataclass(frozen=True, slots=True)
class Charge:
    """Whether a try may go on; if not, until when, and whether it is the name that is locked."""

    allowed: bool
    locks: bool = False  # this try, if it fails, locks the name
    until: datetime | None = None
    name: bool = False
    before: int = 0  # failures before this try


def key_of_name(username: str) -> str:
    """The row of a name."""
    return "n:" + sm3.hexdigest(username.encode())


def key_of_address(address: str) -> str:
    """The row of an address; of IPv6 the /64 that one subscriber has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "a:" + sm3.hexdigest(address.encode())
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ipaddress.ip_address(int(ip) >> 64 << 64)
    return "a:" + sm3.hexdigest(str(ip).encode())


def charge(username: str, address: str, rules: Policy, at: datetime) -> Charge:
    """Count one try before it is made. `address` may be empty (a command on the machine itself)."""
    with transaction.atomic():
        Tries.objects.filter(last__lt=at - FORGET).exclude(until__gt=at).exclude(key=_BURST).delete()
        name = _row(key_of_name(username), at)
        place = _row(key_of_address(address), at) if address else None
        if name.until and name.until > at:
            return Charge(allowed=False, until=name.until, name=True)
        if place and place.until and place.until > at:
            return Charge(allowed=False, until=place.until)
        before = 0 if name.until else name.count  # a lock that is over begins anew
        name.count, name.last = before + 1, at
        locks = name.count >= rules.failures
        name.until = at + timedelta(minutes=rules.lock_minutes) if locks else None
        name.save()
        if place:
            place.count, place.last = place.count + 1, at
            over = place.count - rules.address_failures
            place.until = at + timedelta(seconds=min(2.0 ** min(over, 20), LONGEST_WAIT_S)) if over >= 0 else None
            place.save()
        return Charge(allowed=True, locks=locks, until=name.until, before=before)


def _row(key: str, at: datetime) -> Tries:
    Tries.objects.get_or_create(key=key, defaults={"last": at})
    return Tries.objects.select_for_update().get(key=key)


def refund(username: str, address: str) -> None:
    """The try was right: it is not counted. Earlier failures stay until somebody is in (`clear`)."""
    with transaction.atomic():
        for key in filter(None, (key_of_name(username), key_of_address(address) if address else "")):
            row = Tries.objects.select_for_update().filter(key=key).first()
            if row is not None and row.count:
                row.count, row.until = row.count - 1, None
                row.save()


def clear(username: str) -> bool:
    """Forget the failures of a name and open its lock; False when there was nothing."""
    return bool(Tries.objects.filter(key=key_of_name(username)).delete()[0])


def wrong(rules: Policy, *, at: datetime, now: datetime, charge: Charge, known: str = "") -> None:
    """The try failed. `known` is the name where an account has it: its lock is a record; of names that nobody has, a
    burst is told at most every ten minutes, with its number. `now` is the instance's time, for the ledger."""
    with transaction.atomic():
        if charge.locks and known:
            data = {"failures": rules.failures, "minutes": rules.lock_minutes}
            ledger.record("accounts.locked", known, data, at=now, actor="system:accounts")
        row = _row(_BURST, at)  # count: failures since the last record of a burst, which was at `until`
        row.count = row.count + 1 if at - row.last < FORGET else 1
        row.last = at
        if row.count >= BURST and (row.until is None or at - row.until >= BURST_EVERY):
            ledger.record("accounts.login.burst", "login", {"failures": row.count}, at=now, actor="system:accounts")
            row.count, row.until = 0, at
        row.save()


def locked_until(usernames: list[str], at: datetime) -> dict[str, datetime]:
    """Which of these names are locked, and until when."""
    keys = {key_of_name(name): name for name in usernames}
    rows = Tries.objects.filter(key__in=list(keys), until__gt=at)
    return {keys[row.key]: row.until for row in rows if row.until}
