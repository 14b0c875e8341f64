"""Importing the State Council's schedule of a later year; provisional due dates are then computed again."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.duties.errors import DutyError
from yunwei.duties.models import CalendarYear
from yunwei.duties.proofs import OFFICERS, PARTIES
from yunwei.kernel.calendar import Calendar, Schedule, parse_schedules
from yunwei.ledger import services as ledger


def import_schedules(text: str, *, by: Account, now: datetime, where: str = "") -> list[Schedule]:
    """Take schedules in from YAML. Raises CalendarError, and imports nothing, when one of them is no schedule; DutyError
    when the account stands on neither side, or is 乙方's and the year is known already.

    The notice's number stands in the ledger with every day, so that either side can hold it against the gazette. A
    year that is imported again (a corrected notice) replaces the earlier one, and both stand in the ledger.
    """
    if by.party not in PARTIES or by.role in OFFICERS:
        raise DutyError(_("这个账号不代表合同的任何一方"), where=by.username)
    schedules = parse_schedules(text, where=where)
    for schedule in schedules:
        if by.party == PartyOf.B and CalendarYear.objects.filter(year=schedule.year).exists():
            # 乙方 owes most of what it would move: what was published is replaced by the other side
            raise DutyError(
                _("{year} 年的放假安排已经导入，更正由甲方导入").format(year=schedule.year), where=by.username
            )
    years = {schedule.year for schedule in schedules}
    kept = [s for s in (_schedule(row) for row in CalendarYear.objects.all()) if s.year not in years]
    Calendar([*kept, *schedules])  # together they must still be one calendar
    with transaction.atomic():
        artifact = ledger.store(text.encode(), "application/yaml")
        for schedule in schedules:
            off, work = _iso(schedule.off.items()), _iso(schedule.work.items())
            CalendarYear.objects.update_or_create(
                year=schedule.year,
                defaults={
                    "notice": schedule.notice,
                    "off": off,
                    "work": work,
                    "imported_by": by,
                    "imported_at": now,
                },
            )
            ledger.record(
                "duties.calendar.imported",
                f"calendar:{schedule.year}",
                {"notice": schedule.notice, "off": off, "work": work},
                at=now,
                actor=by.username,
                artifacts=(artifact,),
            )
    return schedules


def _iso(days: object) -> dict[str, str]:
    return {day.isoformat(): name for day, name in sorted(days)}  # type: ignore[call-overload]


def _schedule(row: CalendarYear) -> Schedule:
    off = {date.fromisoformat(d): name for d, name in row.off.items()}
    work = {date.fromisoformat(d): name for d, name in row.work.items()}
    return Schedule(row.year, row.notice, off, work)
