"""Bringing the table of occurrences up to date with contract, plan, events and calendar: idempotent, self-healing.

Only what has begun is a row. A row that was settled, or whose due time has passed, stays as it was when plan or
contract change; a provisional due date is recomputed whenever the calendar knows better, and never to anyone's cost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Q

from yunwei.contract.schema import Folder
from yunwei.duties import sources
from yunwei.duties.models import Occurrence, Register, State
from yunwei.duties.schedule import Due, occurrences
from yunwei.duties.transitions import move
from yunwei.kernel.i18n import _
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Intake

JSON = Any
ACTOR = "system:duties"
CONTRACT_READ = "duties.contract.read"
#: occurrences listed in one ledger record
LISTED = 500
#: fields that follow the schedule as long as the occurrence is open
FOLLOWS = ("starts_at", "due_at", "provisional", "basis", "counts", "why", "waiting", "plan_version", "coverage_target")
#: of these, what an approval on the due day itself may still change when the work was already done
JUDGED = ("basis", "counts", "why", "plan_version")

#: how much older than another's a caller's moment may be: it waited for the lock meanwhile, at most as long as that is waited for
BEHIND = timedelta(minutes=5)

#: what the last full pass saw, and until when nothing can begin; per process, only to spare work
_seen: dict[str, tuple[object, datetime]] = {}


def bring_up_to_date(now: datetime) -> int:
    """Write what has begun, follow what changed; returns how many rows were made or changed. Doing it twice is once."""
    folder = sources.folder()
    signature, until = _seen.get(folder.contract.id, (None, now))
    current = _signature()
    if signature == current and now < until:
        return 0
    with transaction.atomic():
        register = _register(folder, now)
        _note_contract(folder, now)
        dues = occurrences(folder, sources.plans(), sources.events(), sources.calendar(), now)
        wanted = {due.key: _in_books(due, register) for due in dues if _belongs(due, register)}
        known = set(Occurrence.objects.values_list("obligation", "period"))
        # what lies behind us and is certain follows nothing any more: years of it need not be read again
        alive = Q(due_at__isnull=True) | Q(due_at__gt=now) | Q(provisional=True)
        rows = {(row.obligation, row.period): row for row in Occurrence.objects.filter(alive)}
        changed = (
            _create([due for key, due in wanted.items() if key not in known], now)
            + _follow([(row, wanted[key]) for key, row in rows.items() if key in wanted], now)
            + _withdraw([row for key, row in rows.items() if key not in wanted], now)
        )
        seen = (_signature(), _next_midnight(folder, now))
    _seen[folder.contract.id] = seen  # only now: a commit that failed has written nothing, and is tried again
    return changed


#: what the schedule depends on, in one statement: asked at every tick
DEPENDS_ON = """SELECT
    (SELECT COUNT(*) FROM duties_triggerevent), (SELECT MAX(id) FROM duties_triggerevent),
    (SELECT COUNT(*) FROM contract_planversion), (SELECT MAX(decided_at) FROM contract_planversion),
    (SELECT COUNT(*) FROM duties_calendaryear), (SELECT MAX(imported_at) FROM duties_calendaryear),
    (SELECT COUNT(*) FROM duties_register), (SELECT MAX(opened_at) FROM duties_register),
    (SELECT COUNT(*) FROM duties_occurrence)"""


def _signature() -> object:
    with connection.cursor() as cursor:
        cursor.execute(DEPENDS_ON)
        return sources.stamp(), cursor.fetchone()


def _next_midnight(folder: Folder, now: datetime) -> datetime:
    """Every period begins at a local midnight; an event changes the signature."""
    tz = ZoneInfo(folder.contract.timezone)
    return datetime.combine(now.astimezone(tz).date() + timedelta(days=1), time(), tz)


def _note_contract(folder: Folder, now: datetime) -> None:
    """Enter the contract folder, file by file, when it is not the one entered last: 乙方 can write into it, so what is
    owed may change only where 甲方 sees it. The draft of the plan is 乙方's own and counts for nothing."""
    files = sources.digests()
    last = Intake.objects.filter(kind=CONTRACT_READ, subject=folder.contract.id).order_by("-pk").first()
    if last is not None and json.loads(bytes(last.body))["data"]["files"] == files:
        return
    contents = [ledger.store((sources.contract_dir() / name).read_bytes(), "application/yaml") for name in files]
    ledger.record(
        CONTRACT_READ,
        folder.contract.id,
        {"files": files, "first": last is None},
        at=now,
        actor=ACTOR,
        artifacts=contents,
    )


def _register(folder: Folder, now: datetime) -> Register:
    Register.objects.get_or_create(contract=folder.contract.id, defaults={"opened_at": now})
    return Register.objects.select_for_update().get(contract=folder.contract.id)


def _belongs(due: Due, register: Register) -> bool:
    """What scores nothing and was due before this platform kept books is not invented afterwards."""
    return due.counts or due.due_at is None or due.due_at >= register.opened_at


def _in_books(due: Due, register: Register) -> Due:
    """What the contract owed before this platform kept books is shown, and scores nothing: nobody could prove it here."""
    if due.due_at is None or due.due_at >= register.opened_at:
        return due
    return replace(due, counts=False, why=_("本平台建账之前到期，在此没有证据"))


def _create(dues: list[Due], now: datetime) -> int:
    rows = [
        Occurrence(
            obligation=due.obligation,
            period=due.period,
            clauses=list(due.clauses),
            owes=due.owes,
            kind=due.kind,
            **_fields(due),
        )
        for due in dues
    ]
    Occurrence.objects.bulk_create(rows, batch_size=500)
    _tell("duties.occurrences.due", [[due.obligation, due.period, _iso(due.due_at), due.counts] for due in dues], now)
    return len(rows)


def _fields(due: Due) -> dict[str, JSON]:
    return {name: list(due.waiting) if name == "waiting" else getattr(due, name) for name in FOLLOWS}


def _follow(pairs: Iterable[tuple[Occurrence, Due]], now: datetime) -> int:
    changed: list[tuple[Occurrence, datetime | None, bool]] = []
    for row, due in pairs:
        fields = _may_follow(row, due, now)
        differing = [name for name in fields if getattr(row, name) != fields[name]]
        if not differing:
            continue
        was, counted = row.due_at, row.counts
        for name in differing:
            setattr(row, name, fields[name])
        changed.append((row, was, counted))
    Occurrence.objects.bulk_update([row for row, _was, _counted in changed], FOLLOWS, batch_size=100)
    _tell(
        "duties.occurrences.rescheduled",
        [[r.obligation, r.period, _iso(was), _iso(r.due_at), counted, r.counts] for r, was, counted in changed],
        now,
    )
    for row, was, _counted in changed:
        if row.due_at != was:
            _no_cost(row, now)
    return len(changed)


def _may_follow(row: Occurrence, due: Due, now: datetime) -> dict[str, JSON]:
    """Which fields of a row take the schedule's values now: a plan approved later does not move a time that has passed,
    while the calendar may always correct what was provisional."""
    past = row.due_at is not None and row.due_at <= now
    names = () if past else FOLLOWS if row.state == State.DUE else JUDGED
    if row.provisional:
        names = (*names, "due_at", "provisional")
    fields = _fields(due)
    return {name: fields[name] for name in names}


def _no_cost(row: Occurrence, now: datetime) -> None:
    """A provisional due date that turned out to be later must not have cost anybody anything."""
    if row.due_at is None:
        return
    data = {"reason": "calendar"}
    if row.state == State.MISSED and row.due_at > now:
        move(row, State.DUE, now=now, actor=ACTOR, data=data)
    elif row.state == State.LATE and row.done_at is not None and row.done_at <= row.due_at:
        move(row, State.KEPT, now=now, actor=ACTOR, data=data, done_at=row.done_at)


def _withdraw(rows: list[Occurrence], now: datetime) -> int:
    """Rows that fell out of the schedule (a reading was confirmed, a plan changed) and that nobody has touched. What began a
    moment after ours is another process's, which read the clock later and had the lock sooner: it is not taken back."""
    gone = [
        row
        for row in rows
        if row.state == State.DUE
        and not now < row.starts_at <= now + BEHIND
        and (row.due_at is None or row.due_at > now)
        and not (row.attempts.exists() or row.proofs.exists() or row.claims.exists())
    ]
    _tell("duties.occurrences.withdrawn", [[row.obligation, row.period, _iso(row.due_at)] for row in gone], now)
    Occurrence.objects.filter(pk__in=[row.pk for row in gone]).delete()
    return len(gone)


def _tell(kind: str, rows: list[list[JSON]], now: datetime) -> None:
    rest = iter(rows)
    while chunk := list(islice(rest, LISTED)):
        ledger.record(kind, "occurrences", {"occurrences": chunk}, at=now, actor=ACTOR)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
