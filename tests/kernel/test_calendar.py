"""Working days: built-in years, imported years, years that are not published."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunwei.kernel.calendar import (
    BUILT_IN,
    Calendar,
    CalendarError,
    DayKind,
    Schedule,
    parse_schedules,
    statutory,
)

CALENDAR = Calendar()
SCHEDULE_2027 = """
- year: 2027
  notice: 国办发明电〔2026〕测试号
  off:
    2027-01-01: 元旦
    2027-02-05: 春节
    2027-02-06: 春节
    2027-02-07: 春节
    2027-02-08: 春节
    2027-02-09: 春节
    2027-02-10: 春节
    2027-02-11: 春节
    2027-02-12: 春节
  work:
    2027-02-20: 春节
    2026-12-27: 元旦
"""


@pytest.mark.parametrize("year", BUILT_IN)
def test_built_in_years_are_the_published_ones(year: int) -> None:
    day = date(year, 1, 1)
    while day.year == year:
        assert CALENDAR.is_working(day) == chinese_calendar.is_workday(day), day
        assert not CALENDAR.day(day).provisional
        day += timedelta(days=1)
    assert CALENDAR.published(year)
    assert CALENDAR.notice(year).startswith("chinesecalendar ")


def test_each_day_says_why() -> None:
    why = {
        day: CALENDAR.day(date.fromisoformat(day)).why
        for day in (
            "2026-02-14",
            "2026-02-17",
            "2026-02-23",
            "2026-03-07",
            "2026-03-09",
            "2027-02-05",
            "2027-02-09",
            "2027-03-01",
        )
    }
    assert why == {
        "2026-02-14": "调休上班（春节）",
        "2026-02-17": "春节",
        "2026-02-23": "春节",
        "2026-03-07": "周末",
        "2026-03-09": "工作日",
        "2027-02-05": "春节（暂定）",
        "2027-02-09": "春节补假（暂定）",
        "2027-03-01": "工作日（暂定）",
    }


def test_the_statutory_year_2027_makes_up_what_falls_on_a_weekend() -> None:
    off = {d.isoformat(): day.kind for d, day in statutory(2027).items()}
    # 初一 and 初二 are Saturday and Sunday, so are 五一 and 五二, and 国庆 2 and 3
    assert [d for d, kind in off.items() if kind is DayKind.IN_LIEU] == [
        "2027-02-09",
        "2027-02-10",
        "2027-05-03",
        "2027-05-04",
        "2027-10-04",
        "2027-10-05",
    ]
    assert len(off) == 1 + 4 + 1 + 2 + 1 + 1 + 3 + 6


@pytest.mark.parametrize("year", range(2027, 2051))
def test_every_statutory_year_gives_thirteen_days_off_work(year: int) -> None:
    off = [d for d in statutory(year) if d.isoweekday() < 6]
    assert len(off) == 13  # the law's 13 days, none lost to a weekend or to another feast on the same day
    assert all(d.year == year for d in off)


def test_two_feasts_on_one_day_are_both_given() -> None:
    assert date(2031, 10, 1) in statutory(2031)  # 国庆 and 中秋
    assert statutory(2031)[date(2031, 10, 2)].holiday == "国庆节"
    assert any(day.holiday == "中秋节" for day in statutory(2031).values())


@given(st.dates())
def test_no_date_raises_and_unpublished_is_always_marked(day: date) -> None:
    known = CALENDAR.day(day)
    assert known.provisional == (not CALENDAR.published(day.year))
    assert known.working in (True, False)
    assert known.why
    assert ("暂定" in known.why) == known.provisional


def test_beyond_the_lunar_table_fixed_feasts_still_count() -> None:
    assert not CALENDAR.is_working(date(2099, 5, 1))
    assert CALENDAR.day(date(2099, 5, 1)).provisional
    assert not CALENDAR.published(2099)


def test_an_imported_year_is_published_and_replaces_the_guess() -> None:
    schedule = parse_schedules(SCHEDULE_2027)
    calendar = Calendar(schedule)
    assert calendar.published(2027)
    assert not CALENDAR.published(2027)
    assert calendar.notice(2027) == "国办发明电〔2026〕测试号"
    assert calendar.imported() == tuple(schedule)
    assert not calendar.is_working(date(2027, 2, 12))
    assert CALENDAR.is_working(date(2027, 2, 12))
    assert calendar.day(date(2027, 2, 20)).kind is DayKind.MAKE_UP
    assert calendar.day(date(2027, 5, 3)).kind is DayKind.WORKING  # nothing of the guess is left
    assert not calendar.day(date(2027, 5, 3)).provisional
    assert calendar.day(date(2027, 5, 1)).kind is DayKind.WEEKEND


def test_a_schedule_may_reach_across_the_turn_of_the_year() -> None:
    assert Calendar(parse_schedules(SCHEDULE_2027)).day(date(2026, 12, 27)).kind is DayKind.MAKE_UP


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("year: 2027\nnotice: 某号\noff: {}", "没有一天放假"),
        ("year: 2027\noff: {2027-01-01: 元旦}", "通知文号"),
        ("year: 2027\nnotice: 5\noff: {2027-01-01: 元旦}", "须为文字"),
        ("year: 2027\nnotice: 某号\noff: {2028-05-01: 劳动节}", "不在该年度内"),
        ("year: 2027\nnotice: 某号\noff: {2027-02-20: 春节}\nwork: {2027-02-20: 春节}", "既放假又上班"),
        ("year: 2027\nnotice: 某号\noff: {2027-01-01: 元旦}\nwork: {2027-02-17: 春节}", "不是周末"),
        ("year: 2027\nnotice: 某号\noff: {nonsense: 元旦}", "日期: 节日名"),
        ("year: 2027\nnotice: 某号\noff: [2027-01-01]", "日期: 节日名"),
        ("year: 2027\nnotice: 某号\noff: {2027-01-01: 元旦}\nmore: 1", "year、notice"),
        ("- just text", "year、notice"),
        ("{", "YAML"),
        ("- {year: 2027, notice: 某号, off: {2027-01-01: 元旦}}\n" * 2, "两次"),
        ("year: 2026\nnotice: 某号\noff: {2026-01-01: 元旦}", "不一致"),
    ],
)
def test_a_bad_schedule_is_refused_with_its_reason(text: str, says: str) -> None:
    with pytest.raises(CalendarError, match=says):
        parse_schedules(text, where="2027.yaml")


def test_a_built_in_year_may_be_imported_when_it_agrees() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    off = {d: "x" for d in days if not CALENDAR.is_working(d)}
    work = {d: "x" for d in days if CALENDAR.day(d).kind is DayKind.MAKE_UP}
    assert Calendar([Schedule(2026, "某号", off, work)]).published(2026)


@settings(max_examples=30)
@given(st.dates(date(2005, 1, 1), date(2050, 12, 31)))
def test_no_stretch_of_days_off_is_longer_than_the_law_allows(day: date) -> None:
    # two weeks without a working day would be a broken table
    assert any(CALENDAR.is_working(day + timedelta(days=n)) for n in range(11))
