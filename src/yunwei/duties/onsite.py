"""Somebody is always on site: the slots of the plan, who covers each, and which were open. Slots are counted, never people.

The contract says how many at least and not at which hours; the hours are the plan's, and while that is an open item an
open slot is shown and judges nothing.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf, StaffMember
from yunwei.contract import plans
from yunwei.contract.check_dealings import DAYS
from yunwei.contract.schema import Folder
from yunwei.duties import sources
from yunwei.duties.errors import DutyError
from yunwei.duties.models import RosterEntry
from yunwei.duties.papers import NOTE, said
from yunwei.duties.proofs import _business as business
from yunwei.kernel.calendar import Calendar
from yunwei.ledger import services as ledger

HUNDRED = Decimal(100)
#: days that are filled at once
SPAN = 62


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of the day, local times."""

    id: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What the plan says about being on site: which days, which slots, how many people at least."""

    obligation: str
    slots: tuple[Slot, ...]
    days: str = "working_day"
    at_least: int = 1
    approved: bool = False

    def days_of(self, first: date, last: date, calendar: Calendar) -> list[date]:
        """The days from first to last on which the slots stand."""
        all_days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return [d for d in all_days if self.days == "day" or calendar.is_working(d)]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The slots of some days: how many there are, and which nobody covers."""

    total: int
    open: tuple[tuple[date, str], ...]

    @property
    def covered(self) -> int:
        """The slots that are covered."""
        return self.total - len(self.open)

    @property
    def share(self) -> Decimal | None:
        """Per cent, rounded down so that 100 means every slot; None where there is no slot."""
        if not self.total:
            return None
        return (HUNDRED * self.covered / self.total).quantize(Decimal("0.1"), ROUND_DOWN)


def coverage(
    days: Iterable[date], slots: Iterable[Slot], covering: Mapping[tuple[date, str], int], at_least: int = 1
) -> Coverage:
    """Which slots are open. `covering` is how many people stand in a slot; what it says of other slots counts nothing."""
    every = [(day, slot.id) for day in days for slot in slots]
    return Coverage(len(every), tuple(key for key in every if covering.get(key, 0) < at_least))


def terms(folder: Folder) -> Terms | None:
    """The slots of the approved plan, or of the draft while none is approved; None where the contract has no such duty or
    the plan no slots."""
    staffing = folder.contract.staffing
    if staffing is None or not staffing.onsite:
        return None
    versions = plans.approved_versions()
    for plan, approved in ((versions[-1].plan, True), (folder.plan, False)) if versions else ((folder.plan, False),):
        line = next((ln for ln in plan.lines if ln.obligation == staffing.onsite), None)
        if line is not None and (found := _terms(staffing.onsite, line.terms, approved)) is not None:
            return found
    return None


def _terms(obligation: str, given: Mapping[str, Any], approved: bool) -> Terms | None:
    """Free terms of a plan as slots; None where they are none (`contract check` says what is wrong with them)."""
    try:
        slots = tuple(Slot(str(s["id"]), str(s["start"]), str(s["end"])) for s in given["slots"])
    except (KeyError, TypeError):
        return None
    days, least = given.get("days", "working_day"), given.get("at_least", 1)
    if not slots or days not in DAYS or not isinstance(least, int) or least < 1:
        return None
    return Terms(obligation, slots, str(days), least, approved)


def bounds(month: str) -> tuple[date, date]:
    """First and last day of "2026-10". Raises DutyError for what is no month."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise DutyError(_("没有这个月份"), where=month[:20]) from None
    return first, first.replace(day=months.monthrange(first.year, first.month)[1])


def standing(first: date, last: date) -> list[RosterEntry]:
    """The entries of these days that were not taken back, those that 甲方 found empty among them."""
    rows = RosterEntry.objects.filter(day__gte=first, day__lte=last, cleared_at__isnull=True)
    return list(rows.select_related("member", "recorded_by", "empty_by"))


def counted(rows: Iterable[RosterEntry]) -> dict[tuple[date, str], int]:
    """How many people cover each slot."""
    found: dict[tuple[date, str], int] = {}
    for row in rows:
        if row.empty_at is None:
            found[(row.day, row.slot)] = found.get((row.day, row.slot), 0) + 1
    return found


def assign(
    day: date, slot: str, member_code: str, *, by: Account, now: datetime, stand_in: bool = False
) -> RosterEntry:
    """乙方 says who covers a slot. Raises DutyError for a slot the plan does not have, a day on which none stands, a person
    who is not in place then, and a slot which that person covers already."""
    found = _terms_now()
    if business(by) != PartyOf.B:
        raise DutyError(_("值守安排由乙方登记"), where=by.username)
    where = f"{day} {slot}"[:40]
    if slot not in {s.id for s in found.slots} or not found.days_of(day, day, sources.calendar()):
        raise DutyError(_("方案里没有这个时段"), where=where)
    member = StaffMember.objects.filter(code=member_code).first()
    if member is None or not in_place(member, day):
        raise DutyError(_("这个人当天不在岗位名单上"), where=member_code[:20])
    with transaction.atomic():
        try:
            with transaction.atomic():
                row = RosterEntry.objects.create(
                    day=day, slot=slot, member=member, stand_in=stand_in, recorded_by=by, recorded_at=now
                )
        except IntegrityError as e:
            raise DutyError(_("这个时段已经登记了这个人"), where=where) from e
        data = {"day": day.isoformat(), "slot": slot, "member": member.code, "stand_in": stand_in}
        _record("assigned", row, data, by, now)
    return row


def assign_days(
    first: date,
    last: date,
    slots: Iterable[str],
    member_code: str,
    *,
    by: Account,
    now: datetime,
    stand_in: bool = False,
) -> list[RosterEntry]:
    """The same for every day of a span on which slots stand, whole or not at all; at most two months at once."""
    found, wanted = _terms_now(), list(slots)
    if last < first or (last - first).days > SPAN or not wanted:
        raise DutyError(_("请选择时段，日期先后有序，至多 {n} 天").format(n=SPAN), where=f"{first} {last}")
    days = found.days_of(first, last, sources.calendar())
    if not days:
        raise DutyError(_("方案里没有这个时段"), where=f"{first} {last}")
    with transaction.atomic():
        return [assign(d, s, member_code, by=by, now=now, stand_in=stand_in) for d in days for s in wanted]


def in_place(member: StaffMember, day: date) -> bool:
    """Whether a person is confirmed and in place on a day of the contract's zone."""
    zone = ZoneInfo(sources.folder().contract.timezone)
    begun = member.since is not None and member.since.astimezone(zone).date() <= day
    return begun and (member.until is None or member.until.astimezone(zone).date() >= day)


def clear(entry_id: int, *, by: Account, now: datetime) -> RosterEntry:
    """乙方 takes an entry back before its day is over; what is past stays as it was said."""
    with transaction.atomic():
        row = _held(entry_id)
        if business(by) != PartyOf.B:
            raise DutyError(_("值守安排由乙方登记"), where=by.username)
        today = now.astimezone(ZoneInfo(sources.folder().contract.timezone)).date()
        if row.cleared_at is not None or row.empty_at is not None or row.day < today:
            raise DutyError(_("过去的或已有结论的登记不能撤回"), where=str(row))
        row.cleared_at = now
        row.save(update_fields=["cleared_at"])
        _record("cleared", row, {}, by, now)
    return row


def found_empty(entry_id: int, *, by: Account, now: datetime, reason: str) -> RosterEntry:
    """甲方 found nobody there: the slot is open again, with its reason. Raises DutyError before the slot's day."""
    with transaction.atomic():
        row = _held(entry_id)
        if business(by) != PartyOf.A:
            raise DutyError(_("空岗由甲方指出"), where=by.username)
        today = now.astimezone(ZoneInfo(sources.folder().contract.timezone)).date()
        if row.cleared_at is not None or row.empty_at is not None or row.day > today:
            raise DutyError(_("这项登记不能指为空岗"), where=str(row))
        row.empty_at, row.empty_by, row.empty_reason = now, by, said(reason, str(row), most=NOTE)
        row.save(update_fields=["empty_at", "empty_by", "empty_reason"])
        _record("found_empty", row, {"reason": row.empty_reason}, by, now)
    return row


def month(name: str) -> tuple[Terms | None, Coverage, list[RosterEntry]]:
    """The slots of a month with who covers them, and which are open."""
    first, last = bounds(name)
    found, rows = terms(sources.folder()), standing(first, last)
    if found is None:
        return None, Coverage(0, ()), rows
    days = found.days_of(first, last, sources.calendar())
    return found, coverage(days, found.slots, counted(rows), found.at_least), rows


def _terms_now() -> Terms:
    found = terms(sources.folder())
    if found is None:
        raise DutyError(_("服务方案没有写明驻场时段"))
    return found


def _held(pk: int) -> RosterEntry:
    row = RosterEntry.objects.select_for_update().filter(Q(pk=pk)).first()
    if row is None:
        raise DutyError(_("没有这条记录"), where=str(pk))
    return row


def _record(step: str, row: RosterEntry, data: dict[str, Any], by: Account, now: datetime) -> None:
    folder = sources.folder()
    staffing = folder.contract.staffing
    clauses = tuple(sources.obligation(staffing.onsite).clauses) if staffing and staffing.onsite else ()
    intake = ledger.record(
        f"duties.roster.{step}", f"roster:{row.pk}", data, at=now, actor=by.username, clauses=clauses
    )
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
