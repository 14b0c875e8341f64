"""Sessions: from login to the end that the policy, the owner or an officer makes. One account has one, by default.

A session that ends is taken out of Django's store, so its browser is a stranger from that moment on; the row that stays
says why, to the old browser and to the owner. Session times are the machine's (law 3's list).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from yunwei.accounts import wall
from yunwei.accounts.models import Account, Ended, Sitting
from yunwei.accounts.policy import Policy, policy
from yunwei.ledger import services as ledger

#: seconds between two writes of "seen": a page with ten fragments is one visit
TOUCH_S = 30
#: how far "seen" may lag behind who is there: so long a page does not wait for another writer to note it
LAG_S = 2 * TOUCH_S
#: an ended session is kept this long for its owner to see (GB/T 22239-2019: logs at least six months)
KEEP = timedelta(days=200)


def begin(session: SessionBase, account: Account, *, address: str | None, agent: str, at: datetime) -> Sitting:
    """Write a login down; called whenever Django logs somebody in, so that there is no session without its row."""
    session["since"] = session["seen"] = at.timestamp()
    if session.session_key is None:  # logged in over a living session: Django has flushed it and not yet written it
        session.save()
    key = session.session_key or ""
    Sitting.objects.filter(account=account, ended_at__lt=at - KEEP).delete()
    return Sitting.objects.create(
        account=account, key=key, started_at=at, seen_at=at, address=address or None, agent=agent[:120]
    )


def overdue(session: Mapping[str, Any], account: Account, rules: Policy, at: datetime) -> Ended | None:
    """Why the session may not go on at that moment, or None. A session without its marks was not made by a login."""
    try:
        since, seen = float(session["since"]), float(session["seen"])
    except (KeyError, TypeError, ValueError):
        return Ended.TERM
    if at.timestamp() - since >= timedelta(hours=rules.session_hours).total_seconds():
        return Ended.TERM
    if at.timestamp() - seen >= rules.idle(account.party).total_seconds():
        return Ended.IDLE
    return None


def touch(session: SessionBase, at: datetime) -> None:
    """Somebody did something: the idle time begins again.

    A page of somebody who goes on clicking does not wait for that: where SQLite has another writer just now (a sweep
    stores for most of a second), the next page notes it. The first page after a pause waits, as there may be no next.
    """
    before = float(session["seen"])
    since = at.timestamp() - before
    if since < TOUCH_S:
        return
    modified = session.modified
    session["seen"] = at.timestamp()
    try:
        with _now_or_never() if since < LAG_S else nullcontext(), transaction.atomic():
            Sitting.objects.filter(key=session.session_key or "", ended_at=None).update(seen_at=at)
            session.save()
    except OperationalError as error:
        if since >= LAG_S or not _busy(error):
            raise
        session["seen"] = before
    except UpdateError:  # ended meanwhile, or cannot be written: the middleware that writes sessions says so
        return
    session.modified = modified


def _busy(error: OperationalError) -> bool:
    """Whether SQLite had another writer."""
    return getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF == sqlite3.SQLITE_BUSY


@contextmanager
def _now_or_never() -> Iterator[None]:
    """Statements inside raise OperationalError where they would wait for SQLite's one writer."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")


def end(key: str, why: Ended, *, now: datetime, actor: str = "system:accounts") -> None:
    """End one session; nothing happens when it has ended before."""
    _end(Sitting.objects.filter(key=key), why, now=now, actor=actor)


def end_all(account: Account, why: Ended, *, now: datetime, keep: str | None = None) -> int:
    """End every session of an account but `keep`; gives how many that were."""
    return _end(Sitting.objects.filter(account=account).exclude(key=keep or ""), why, now=now, actor="system:accounts")


def end_own(account: Account, sitting: int, *, now: datetime) -> None:
    """The owner ends one of the own sessions."""
    rows = Sitting.objects.filter(pk=sitting, account=account)
    _end(rows, Ended.ELSEWHERE, now=now, actor=account.username)


def _end(rows: QuerySet[Sitting], why: Ended, *, now: datetime, actor: str) -> int:
    with transaction.atomic():
        found = list(rows.filter(ended_at=None).select_related("account").select_for_update(of=("self",)))
        for row in found:
            row.ended, row.ended_at = why, wall.now()
            row.save(update_fields=["ended", "ended_at"])
            SessionStore(row.key).delete()
            kind = "accounts.logout" if why == Ended.LOGOUT else "accounts.session.ended"
            ledger.record(kind, row.account.username, {"why": why.value}, at=now, actor=actor)
    return len(found)


def renamed(old: str, new: str) -> None:
    """The session got a new key (after a change of password) and goes on."""
    Sitting.objects.filter(key=old, ended_at=None).update(key=new)


def why_ended(key: str) -> str:
    """Why the session of a browser ended that comes back with its old key; "" when nothing is known about it."""
    return str(Sitting.objects.filter(key=key).values_list("ended", flat=True).first() or "")


def sweep(*, now: datetime) -> int:
    """End what is over although its browser never came back; gives how many that were. For the worker's tick."""
    rules, at = policy(), wall.now()
    shortest = min(rules.idle("B"), rules.idle("A"))
    rows = Sitting.objects.filter(ended_at=None, seen_at__lte=at - shortest).select_related("account__organisation")
    ended = 0
    for row in rows[:500]:
        # "seen" lags behind by so much; who is just there keeps the session
        late = at - timedelta(seconds=LAG_S)
        marks = {"since": row.started_at.timestamp(), "seen": row.seen_at.timestamp()}
        why = overdue(marks, row.account, rules, late)
        if why is not None:
            ended += _end(Sitting.objects.filter(pk=row.pk), why, now=now, actor="system:accounts")
    return ended
