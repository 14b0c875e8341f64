"""Deadlines that explain themselves: working days, calendar days (民法典 201-203), years, hours and minutes.

A deadline is a `Deadline`: the last day, the aware moment at which it ends, and the steps day by day. The day of the
event is not counted (民法典 201). A period in days ends at 24:00 of its last day, or at the close of business where
business hours exist (203 II): `ends` says which. When a calendar period ends on a rest day (法定休假日, weekends
included, make-up days not), the first working day after it is the last day (203 I).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from yunwei.kernel.calendar import ONE_DAY, Calendar
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: longest period that is counted; longer ones are a slip of the keyboard
MAX_DAYS = 3660
MIDNIGHT = "24:00"


def end_of(there: datetime) -> str:
    """The moment, in its own zone, at which a period ends: the midnight after a day is that day's 24:00 (民法典 203 II)."""
    if there.time() == time():
        return f"{there - timedelta(days=1):%Y-%m-%d} {MIDNIGHT}"
    return f"{there:%Y-%m-%d %H:%M}"


class DeadlineError(YunweiError):
    """A period that cannot be counted: n below 1, absurdly long, or a moment without a time zone."""


class Counted(StrEnum):
    """The unit a deadline was counted in (same values as contract.schema.Unit)."""

    WORKING_DAY = "working_day"
    CALENDAR_DAY = "calendar_day"
    HOUR = "hour"
    MINUTE = "minute"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Step:
    """One day on the way. `n` is the running count after this day; `why` in the reader's language."""

    date: date
    weekday: int  # 1 = Monday … 7
    counted: bool
    n: int
    why: str
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a period ends. `due` is exclusive midnight for 24:00: the instant the last day is over."""

    start: datetime | date
    n: int
    unit: Counted
    date: date
    due: datetime
    provisional: bool
    notes: tuple[str, ...]
    steps: tuple[Step, ...]


def local_day(moment: datetime | date, tz: ZoneInfo = SHANGHAI) -> date:
    """The calendar day of an event where the contract lives. Raises DeadlineError for a naive datetime."""
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None:
        raise DeadlineError(_("时间没有时区"), hint=_("请写明时区，例如 2026-02-13T09:00+08:00"))
    return moment.astimezone(tz).date()


def at_end(day: date, ends: str = MIDNIGHT, tz: ZoneInfo = SHANGHAI) -> datetime:
    """The moment a day ends: "24:00" is the next midnight, "17:30" a close of business. Raises DeadlineError."""
    hours, minutes = _parse_time(ends)
    midnight = datetime.combine(day, time(), tz)
    # added to local wall time: Shanghai has no change of clocks, and 24:00 is then simply hour 24
    return midnight + timedelta(hours=hours, minutes=minutes)


@lru_cache(maxsize=64)
def _parse_time(text: str) -> tuple[int, int]:
    hours, _colon, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        raise DeadlineError(_("不是时刻：{text}").format(text=text), hint=_("例如 17:30 或 24:00"))
    h, m = int(hours), int(minutes)
    if m > 59 or h * 60 + m > 24 * 60:
        raise DeadlineError(_("不是时刻：{text}").format(text=text), hint=_("例如 17:30 或 24:00"))
    return h, m


def working_days_after(
    start: datetime | date, n: int, calendar: Calendar, *, ends: str = MIDNIGHT, tz: ZoneInfo = SHANGHAI
) -> Deadline:
    """The end of the n-th working day after the day of the event, make-up days counted, days off not."""
    _check(n)
    day, count, steps = local_day(start, tz), 0, []
    steps.append(_event_step(day, calendar))
    while count < n:
        day = _next(day)
        known = calendar.day(day)
        count += known.working
        steps.append(Step(day, day.isoweekday(), known.working, count, known.why, known.provisional))
    return _ended(start, n, Counted.WORKING_DAY, day, steps, ends, tz)


def calendar_days_after(
    start: datetime | date, n: int, calendar: Calendar, *, ends: str = MIDNIGHT, tz: ZoneInfo = SHANGHAI
) -> Deadline:
    """The end of the n-th calendar day after the day of the event; a last day of rest moves on (民法典 203)."""
    _check(n)
    day = local_day(start, tz)
    steps = [_event_step(day, calendar)]
    for count in range(1, n + 1):
        day = _next(day)
        known = calendar.day(day)
        # only the last day's nature matters; the days between are counted whatever they are
        steps.append(Step(day, day.isoweekday(), counted=True, n=count, why=known.why))
    return _moved_on(start, n, Counted.CALENDAR_DAY, steps, calendar, ends, tz)


def years_after(
    start: datetime | date, n: int, calendar: Calendar, *, ends: str = MIDNIGHT, tz: ZoneInfo = SHANGHAI
) -> Deadline:
    """The end of the corresponding day n years on (民法典 202; none: the month's last); a last day of rest moves on."""
    _check(n)
    day = local_day(start, tz)
    steps = [_event_step(day, calendar)]
    if day.year + n > date.max.year:
        raise DeadlineError(_("期限越过了历法的尽头"))
    leap_day = (day.month, day.day) == (2, 29)
    last = date(day.year + n, 3, 1) - ONE_DAY if leap_day else day.replace(year=day.year + n)
    steps.append(Step(last, last.isoweekday(), counted=True, n=n, why=_("届满年度的对应日")))
    return _moved_on(start, n, Counted.YEAR, steps, calendar, ends, tz)


def hours_after(start: datetime, n: int, *, tz: ZoneInfo = SHANGHAI) -> Deadline:
    """n hours later, day and night (7×24)."""
    return _elapsed(start, n, Counted.HOUR, timedelta(hours=1), tz)


def minutes_after(start: datetime, n: int, *, tz: ZoneInfo = SHANGHAI) -> Deadline:
    """n minutes later, day and night (7×24)."""
    return _elapsed(start, n, Counted.MINUTE, timedelta(minutes=1), tz)


def after(
    start: datetime, n: int, unit: str, calendar: Calendar, *, ends: str = MIDNIGHT, tz: ZoneInfo = SHANGHAI
) -> Deadline:
    """A deadline in any unit (values of `Counted`, which are those of the contract's `Unit`)."""
    match Counted(unit):
        case Counted.WORKING_DAY:
            return working_days_after(start, n, calendar, ends=ends, tz=tz)
        case Counted.CALENDAR_DAY:
            return calendar_days_after(start, n, calendar, ends=ends, tz=tz)
        case Counted.YEAR:
            return years_after(start, n, calendar, ends=ends, tz=tz)
        case Counted.HOUR:
            return hours_after(start, n, tz=tz)
        case Counted.MINUTE:
            return minutes_after(start, n, tz=tz)


def _check(n: int, limit: int = MAX_DAYS) -> None:
    if n < 1:
        raise DeadlineError(_("期限至少为 1：{n}").format(n=n))
    if n > limit:
        raise DeadlineError(_("期限太长：{n}").format(n=n))


def _next(day: date) -> date:
    try:
        return day + ONE_DAY
    except OverflowError as e:
        raise DeadlineError(_("期限越过了历法的尽头")) from e


def _event_step(day: date, calendar: Calendar) -> Step:
    why = _("{why}，事件当日不计入").format(why=calendar.day(day).why)
    return Step(day, day.isoweekday(), counted=False, n=0, why=why)


def _moved_on(
    start: datetime | date, n: int, unit: Counted, steps: list[Step], calendar: Calendar, ends: str, tz: ZoneInfo
) -> Deadline:
    """Move a last day of rest on to the first working day after it, one step a day."""
    day = steps[-1].date
    known = calendar.day(day)
    last = steps[-1]
    steps[-1] = Step(last.date, last.weekday, last.counted, last.n, last.why, known.provisional)
    while not known.working:
        day = _next(day)
        known = calendar.day(day)
        why = (_("{why}，末日遇休假顺延至此") if known.working else _("{why}，继续顺延")).format(why=known.why)
        steps.append(Step(day, day.isoweekday(), counted=False, n=n, why=why, provisional=known.provisional))
    return _ended(start, n, unit, day, steps, ends, tz)


def _ended(
    start: datetime | date, n: int, unit: Counted, day: date, steps: list[Step], ends: str, tz: ZoneInfo
) -> Deadline:
    years = sorted({s.date.year for s in steps if s.provisional})
    notes = tuple(_("{year} 年放假安排尚未公布，暂按法定节假日推算").format(year=y) for y in years)
    return Deadline(start, n, unit, day, at_end(day, ends, tz), bool(years), notes, tuple(steps))


def _elapsed(start: datetime, n: int, unit: Counted, one: timedelta, tz: ZoneInfo) -> Deadline:
    _check(n, limit=MAX_DAYS * 24 * 60)
    day = local_day(start, tz)
    try:
        due = (start.astimezone(UTC) + n * one).astimezone(tz)
    except OverflowError as e:
        raise DeadlineError(_("期限越过了历法的尽头")) from e
    why = _("连续计算，不分昼夜与节假日")
    steps = (
        Step(day, day.isoweekday(), counted=True, n=0, why=why),
        Step(due.date(), due.isoweekday(), counted=True, n=n, why=why),
    )
    return Deadline(start, n, unit, due.date(), due, provisional=False, notes=(), steps=steps)
