"""Working days of mainland China: the State Council's yearly schedule, make-up days (调休) included.

Three sources, in this order:

1. a schedule that the instance imported (YAML, `parse_schedules`), for years after the built-in ones;
2. the package `chinesecalendar`, for the years it covers; it raises beyond them, so it is never asked there;
3. the holidays that the law itself names (全国年节及纪念日放假办法, 2024-11-10), for a year whose schedule is not
   published: the answer is then *provisional* (暂定) and says so. It is never an exception and never a silent guess.

Pure: text in, values out; reading the file is for the doors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

import chinese_calendar
import yaml
from chinese_calendar import constants as _packaged

from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.kernel.lunar import feasts

#: years that the package covers whole (its tables name the first and the last holiday it knows)
BUILT_IN = range(min(_packaged.holidays).year, max(_packaged.holidays).year + 1)
BUILT_IN_NOTICE = f"chinesecalendar {getattr(chinese_calendar, '__version__', '')}".strip()
#: a schedule of a year may move days just across the turn of the year (元旦)
_MARGIN = timedelta(days=14)
ONE_DAY = timedelta(days=1)


class CalendarError(YunweiError):
    """A schedule file that cannot be taken in."""


class DayKind(StrEnum):
    """Why a day is worked or not."""

    WORKING = "working"  # Monday to Friday
    WEEKEND = "weekend"
    HOLIDAY = "holiday"  # day off by the schedule (or, provisional, by the law)
    IN_LIEU = "in_lieu"  # provisional only: a holiday that fell on a rest day, made up
    MAKE_UP = "make_up"  # 调休: a weekend day that is worked


@dataclass(frozen=True, slots=True)
class Day:
    """What is known about one day. `provisional`: its year has no published schedule yet."""

    date: date
    kind: DayKind
    holiday: str = ""
    provisional: bool = False
    notice: str = ""

    @property
    def working(self) -> bool:
        """Whether the day counts as a working day."""
        return self.kind in (DayKind.WORKING, DayKind.MAKE_UP)

    @property
    def why(self) -> str:
        """The reason in the reader's language: 工作日, 周末, 春节, 春节补假, 调休上班（春节）."""
        name = _(self.holiday) if self.holiday else ""
        text = {
            DayKind.WORKING: _("工作日"),
            DayKind.WEEKEND: _("周末"),
            DayKind.HOLIDAY: name,
            DayKind.IN_LIEU: _("{holiday}补假").format(holiday=name),
            DayKind.MAKE_UP: _("调休上班（{holiday}）").format(holiday=name) if name else _("调休上班"),
        }[self.kind]
        return _("{why}（暂定）").format(why=text) if self.provisional else text


@dataclass(frozen=True, slots=True)
class Schedule:
    """The published schedule of one year: days off and make-up days with the holiday's name, and its notice."""

    year: int
    notice: str
    off: Mapping[date, str] = field(default_factory=dict)
    work: Mapping[date, str] = field(default_factory=dict)


class Calendar:
    """The working days, over the built-in years plus imported schedules. Immutable; answers are cached."""

    def __init__(self, schedules: Iterable[Schedule] = ()) -> None:
        self._imported: dict[int, Schedule] = {}
        self._days: dict[date, Day] = {}
        moved: dict[date, Day] = {}
        for schedule in schedules:
            _check(schedule)
            if schedule.year in self._imported:
                raise CalendarError(_("{year} 年的放假安排给了两次").format(year=schedule.year))
            self._imported[schedule.year] = schedule
            for kind, days in ((DayKind.HOLIDAY, schedule.off), (DayKind.MAKE_UP, schedule.work)):
                for day, name in days.items():
                    moved[day] = Day(day, kind, name, notice=schedule.notice)
        self._moved = moved

    def published(self, year: int) -> bool:
        """Whether the schedule of the year is known (built in or imported)."""
        return year in BUILT_IN or year in self._imported

    def imported(self) -> tuple[Schedule, ...]:
        """The schedules imported on top of the built-in years, by year."""
        return tuple(self._imported[y] for y in sorted(self._imported))

    def notice(self, year: int) -> str:
        """The source of the year's schedule; empty when it is not published."""
        if year in self._imported:
            return self._imported[year].notice
        return BUILT_IN_NOTICE if year in BUILT_IN else ""

    def day(self, day: date) -> Day:
        """What is known about a day; never raises for any date."""
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._look_up(day)
        return known

    def is_working(self, day: date) -> bool:
        """Whether a day is a working day (provisionally so where its year is not published)."""
        return self.day(day).working

    def _look_up(self, day: date) -> Day:
        moved = self._moved.get(day)
        if moved is not None:
            return moved
        plain = DayKind.WEEKEND if day.isoweekday() > 5 else DayKind.WORKING
        if day.year in self._imported:
            return Day(day, plain, notice=self._imported[day.year].notice)
        if day.year in BUILT_IN:
            return _built_in(day)
        return statutory(day.year).get(day) or Day(day, plain, provisional=True)


def _built_in(day: date) -> Day:
    off, work = _packaged.holidays.get(day), _packaged.workdays.get(day)
    if off is not None:
        return Day(day, DayKind.HOLIDAY, _name(off), notice=BUILT_IN_NOTICE)
    if work is not None:
        return Day(day, DayKind.MAKE_UP, _name(work), notice=BUILT_IN_NOTICE)
    return Day(day, DayKind.WEEKEND if day.isoweekday() > 5 else DayKind.WORKING, notice=BUILT_IN_NOTICE)


@lru_cache(maxsize=32)
def _name(english: str) -> str:
    """The holiday's Chinese name, as notices write it."""
    names = {"清明": "清明节", "端午": "端午节", "中秋": "中秋节"}
    chinese = str(chinese_calendar.Holiday(english).chinese)
    return names.get(chinese, chinese)


@lru_cache(maxsize=64)
def statutory(year: int) -> dict[date, Day]:
    """The days off that the law alone gives in a year, each provisional.

    The law (2024-11-10): 元旦 1, 除夕 and 初一 to 初三, 清明 1, 五一 2, 端午 1, 中秋 1, 国庆 3; a day of them
    that falls on Saturday or Sunday is made up on a working day. It does not say which: here the next one that is
    free after the holiday. Two feasts on one day (中秋 in 国庆) are made up the same way, as the schedule of 2020
    did. Outside the table of `lunar.py` only the fixed feasts are known.
    """
    named = _statutory_days(year)
    off: dict[date, Day] = {}
    owed: list[tuple[date, str]] = []
    for day, name in named:
        if day in off or day.isoweekday() > 5:
            owed.append((max(d for d, n in named if n == name), name))
        if day not in off:
            off[day] = Day(day, DayKind.HOLIDAY, name, provisional=True)
    for last, name in owed:
        day = last
        while day in off or day.isoweekday() > 5:
            day += ONE_DAY
        off[day] = Day(day, DayKind.IN_LIEU, name, provisional=True)
    return off


def _statutory_days(year: int) -> list[tuple[date, str]]:
    days = [(date(year, 1, 1), "元旦")]
    moving = feasts(year)
    if moving is not None:
        days += [(moving.spring + timedelta(days=n), "春节") for n in (-1, 0, 1, 2)]
        days += [(moving.qingming, "清明节")]
    days += [(date(year, 5, d), "劳动节") for d in (1, 2)]
    if moving is not None:
        days += [(moving.dragon_boat, "端午节")]
    days += [(date(year, 10, d), "国庆节") for d in (1, 2, 3)]
    if moving is not None:
        days += [(moving.mid_autumn, "中秋节")]
    return days


def _check(schedule: Schedule) -> None:
    """Refuse what cannot be a schedule of that year. Raises CalendarError."""
    where = str(schedule.year)
    if not schedule.notice.strip():
        raise CalendarError(_("放假安排没有注明公布它的通知文号"), where=where)
    if not schedule.off:
        raise CalendarError(_("放假安排里没有一天放假"), where=where, hint=_("未公布的年份请不要导入"))
    both = set(schedule.off) & set(schedule.work)
    if both:
        raise CalendarError(_("同一天既放假又上班：{day}").format(day=min(both)), where=where)
    first, last = date(schedule.year, 1, 1) - _MARGIN, date(schedule.year, 12, 31) + _MARGIN
    for day in (*schedule.off, *schedule.work):
        if not first <= day <= last:
            raise CalendarError(_("日期不在该年度内：{day}").format(day=day), where=where)
    for day in schedule.work:
        if day.isoweekday() < 6:
            raise CalendarError(_("调休上班日不是周末：{day}").format(day=day), where=where)
    if schedule.year in BUILT_IN:
        _check_agrees(schedule)


def _check_agrees(schedule: Schedule) -> None:
    """An import may add years, never bend a year that is built in: deadlines hang on it (law 2 of the house)."""
    day, last = date(schedule.year, 1, 1), date(schedule.year, 12, 31)
    while day <= last:
        given = day in schedule.work or (day not in schedule.off and day.isoweekday() < 6)
        if given != _built_in(day).working:
            raise CalendarError(
                _("与内置的 {year} 年放假安排不一致：{day}").format(year=schedule.year, day=day),
                where=str(schedule.year),
                hint=_("内置年份无需导入"),
            )
        day += ONE_DAY


def parse_schedules(text: str, *, where: str = "") -> list[Schedule]:
    """Read schedules from YAML; raises CalendarError with `where` (a file name) on anything that is not one.

    ::

        - year: 2027
          notice: 国办发明电〔2026〕N号
          off:  {2027-01-01: 元旦, 2027-02-05: 春节, …}
          work: {2027-02-20: 春节}
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise CalendarError(_("不是有效的 YAML：{error}").format(error=e), where=where) from e
    rows = raw if isinstance(raw, list) else [raw]
    schedules = [_parse_one(row, where=f"{where}[{i}]") for i, row in enumerate(rows)]
    Calendar(schedules)  # meaning, not only shape
    return schedules


def _parse_one(row: Any, *, where: str) -> Schedule:
    if isinstance(row, dict):  # YAML 1.1 reads a bare `off` as false
        row = {"off" if key is False else key: value for key, value in row.items()}
    if not isinstance(row, dict) or type(row.get("year")) is not int or set(row) - {"year", "notice", "off", "work"}:
        raise CalendarError(_("放假安排需要 year、notice、off、work 四项"), where=where)
    notice = row.get("notice") or ""
    if not isinstance(notice, str):
        raise CalendarError(_("通知文号须为文字"), where=where)
    return Schedule(row["year"], notice, _parse_days(row.get("off"), where), _parse_days(row.get("work"), where))


def _parse_days(days: Any, where: str) -> dict[date, str]:
    if days is None:
        return {}
    if not isinstance(days, dict):
        raise CalendarError(_("off 与 work 须写成“日期: 节日名”"), where=where)
    for day, name in days.items():
        if type(day) is not date or not isinstance(name, str) or not name:
            raise CalendarError(_("不是“日期: 节日名”：{item}").format(item=f"{day}: {name}"), where=where)
    return dict(days)
