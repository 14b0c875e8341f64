"""Periods of a cadence inside the term: days, weeks, months, quarters, years; which day of each is the due day.

Keys are stable and readable: "2026-11-25", "2026-W48", "2026-11", "2026-Q4", "2026", "once". Pure.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from yunwei.contract.period import Span
from yunwei.contract.schema import Cadence
from yunwei.kernel.calendar import Calendar
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

ONE_DAY = timedelta(days=1)


class CadenceError(YunweiError):
    """A cadence word that means nothing here."""


@dataclass(frozen=True, slots=True)
class Period:
    """A period, cut to the term; `whole_first` is where it would begin without the cut."""

    key: str
    first: date
    last: date
    whole_first: date
    whole_last: date
    provisional: bool = False


def periods(cadence: Cadence, span: Span, calendar: Calendar) -> Iterator[Period]:
    """The periods of a cadence that touch the term, in order. Raises CadenceError for an unknown word."""
    if cadence.every == "once":
        yield Period("once", span.start, span.end, span.start, span.end)
        return
    if cadence.every in ("day", "working_day"):
        yield from _days(span, calendar, only_working=cadence.every == "working_day")
        return
    step = _STEPS.get(cadence.every)
    if step is None:
        raise CadenceError(_("没有这种频次：{every}").format(every=cadence.every))
    day = span.start
    while day <= span.end:
        key, first, last = step(day)
        yield Period(key, max(first, span.start), min(last, span.end), first, last)
        day = last + ONE_DAY


def _days(span: Span, calendar: Calendar, *, only_working: bool) -> Iterator[Period]:
    day = span.start
    while day <= span.end:
        if not only_working or calendar.is_working(day):
            provisional = only_working and calendar.day(day).provisional
            yield Period(day.isoformat(), day, day, day, day, provisional)
        day += ONE_DAY


def _week(day: date) -> tuple[str, date, date]:
    year, week, weekday = day.isocalendar()
    first = day - timedelta(days=weekday - 1)
    return f"{year}-W{week:02}", first, first + timedelta(days=6)


def _month(day: date) -> tuple[str, date, date]:
    return f"{day:%Y-%m}", day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])


def _quarter(day: date) -> tuple[str, date, date]:
    quarter = (day.month - 1) // 3
    last = date(day.year, quarter * 3 + 3, 1)
    return f"{day.year}-Q{quarter + 1}", date(day.year, quarter * 3 + 1, 1), _month(last)[2]


def _year(day: date) -> tuple[str, date, date]:
    return f"{day.year}", date(day.year, 1, 1), date(day.year, 12, 31)


_STEPS: dict[str, Callable[[date], tuple[str, date, date]]] = {
    "week": _week,
    "month": _month,
    "quarter": _quarter,
    "year": _year,
}


def due_day(cadence: Cadence, period: Period, span: Span) -> date | None:
    """The day of the period on which it is due; None when that day lies outside of the term.

    Without a weekday or day it is the period's last day inside the term. A day that a short month does not have is
    its last day. For a quarter or a year, `day` is a day of its last month.
    """
    match cadence.every:
        case "once":
            return period.first + timedelta(days=cadence.offset_days)
        case "week" if cadence.weekday:
            day = period.whole_first + timedelta(days=cadence.weekday - 1)
        case "month" | "quarter" | "year" if cadence.day:
            last = period.whole_last
            day = last.replace(day=min(cadence.day, last.day))
        case _:
            day = period.last
    return day if span.start <= day <= span.end else None
