"""Deadlines: every row of the acceptance table, and what holds for all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.test_calendar import SCHEDULE_2027
from yunwei.kernel.calendar import Calendar, parse_schedules
from yunwei.kernel.deadline import (
    SHANGHAI,
    Counted,
    Deadline,
    DeadlineError,
    after,
    at_end,
    calendar_days_after,
    end_of,
    hours_after,
    local_day,
    minutes_after,
    working_days_after,
    years_after,
)
from yunwei.kernel.explain import explain

CALENDAR = Calendar()
D = date.fromisoformat

#: what runs, from, n, by the State Council's calendar, by Monday to Friday (calendar days: without the rest-day rule)
TABLE = [
    ("first payment, invoice of 3 February", "wd", "2026-02-03", 10, "2026-02-24", "2026-02-17"),
    ("first payment, invoice of 10 February", "wd", "2026-02-10", 10, "2026-03-02", "2026-02-24"),
    ("e-mail before the Spring Festival", "wd", "2026-02-13", 3, "2026-02-25", "2026-02-18"),
    ("e-mail before 1 May", "wd", "2026-04-30", 3, "2026-05-08", "2026-05-05"),
    ("e-mail on a Sunday in the May holiday", "wd", "2026-05-03", 3, "2026-05-08", "2026-05-06"),
    ("e-mail before the National Day", "wd", "2026-09-30", 3, "2026-10-10", "2026-10-05"),
    ("written reply to a paper", "wd", "2026-02-10", 15, "2026-03-09", "2026-03-03"),
    ("force-majeure certificate", "cd", "2026-02-03", 15, "2026-02-24", "2026-02-18"),
    ("handover after the term", "wd", "2027-02-03", 10, "2027-02-23", "2027-02-17"),
    ("publish the contract", "wd", "2026-02-03", 2, "2026-02-05", "2026-02-05"),
    ("file a copy", "wd", "2026-02-03", 7, "2026-02-12", "2026-02-12"),
]


def naive_working_days(start: date, n: int) -> date:
    while n:
        start += timedelta(days=1)
        n -= start.isoweekday() < 6
    return start


@pytest.mark.parametrize(("case", "unit", "start", "n", "due", "naive"), TABLE, ids=[row[0] for row in TABLE])
def test_acceptance_table(case: str, unit: str, start: str, n: int, due: str, naive: str) -> None:
    count = working_days_after if unit == "wd" else calendar_days_after
    result = count(D(start), n, CALENDAR)
    assert result.date == D(due)
    assert result.due == datetime.combine(D(due) + timedelta(days=1), datetime.min.time(), SHANGHAI)
    simple = naive_working_days(D(start), n) if unit == "wd" else D(start) + timedelta(days=n)
    assert simple == D(naive)
    assert (simple == result.date) == (case in {"publish the contract", "file a copy"})
    assert result.provisional == (case == "handover after the term")


def test_working_days_of_the_recommended_period() -> None:
    days = [D("2026-02-04") + timedelta(days=n) for n in range(365)]
    assert days[-1] == D("2027-02-03")
    assert sum(CALENDAR.is_working(d) for d in days) == 248


def test_a_provisional_date_says_why_and_moves_when_the_schedule_comes() -> None:
    before = working_days_after(D("2027-02-03"), 10, CALENDAR)
    assert before.notes == ("2027 年放假安排尚未公布，暂按法定节假日推算",)
    now = working_days_after(D("2027-02-03"), 10, Calendar(parse_schedules(SCHEDULE_2027)))
    assert not now.provisional
    assert now.notes == ()
    assert now.date == D("2027-02-24")  # two more days off, one make-up Saturday


def test_a_period_that_only_starts_in_a_published_year_is_provisional() -> None:
    assert working_days_after(D("2026-12-25"), 20, CALENDAR).provisional
    assert calendar_days_after(D("2026-12-25"), 10, CALENDAR).provisional
    assert not calendar_days_after(D("2026-12-20"), 10, CALENDAR).provisional


def test_it_explains_itself_day_by_day() -> None:
    result = working_days_after(D("2026-02-13"), 3, CALENDAR)
    told = [(s.date.isoformat()[5:], s.weekday, s.counted, s.n, s.why) for s in result.steps]
    assert told[0] == ("02-13", 5, False, 0, "工作日，事件当日不计入")
    assert told[1] == ("02-14", 6, True, 1, "调休上班（春节）")
    assert all(row[2:] == (False, 1, "春节") for row in told[2:11])
    assert told[11:] == [("02-24", 2, True, 2, "工作日"), ("02-25", 3, True, 3, "工作日")]


def test_a_last_day_of_rest_moves_on_and_says_so() -> None:
    result = calendar_days_after(D("2026-02-03"), 15, CALENDAR)
    assert [s.why for s in result.steps[-2:]] == ["春节，继续顺延", "工作日，末日遇休假顺延至此"]
    assert not any(s.counted for s in result.steps[16:])
    # a weekend is a rest day as well, a make-up Saturday is not
    assert calendar_days_after(D("2026-03-06"), 1, CALENDAR).date == D("2026-03-09")
    assert calendar_days_after(D("2026-02-13"), 1, CALENDAR).date == D("2026-02-14")


def test_the_day_of_an_event_is_the_local_one() -> None:
    late = datetime(2026, 2, 3, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai
    assert working_days_after(late, 2, CALENDAR).date == D("2026-02-05")
    assert working_days_after(late + timedelta(minutes=1), 2, CALENDAR).date == D("2026-02-06")
    with pytest.raises(DeadlineError, match="时区"):
        local_day(datetime(2026, 2, 3))  # noqa: DTZ001 - the error under test


def test_a_day_ends_at_midnight_or_at_the_close_of_business() -> None:
    assert at_end(D("2026-02-24")).isoformat() == "2026-02-25T00:00:00+08:00"
    assert working_days_after(D("2026-02-03"), 2, CALENDAR, ends="17:30").due.isoformat() == "2026-02-05T17:30:00+08:00"
    for bad in ("24:01", "25:00", "9", "09:5", "-1:00", "aa:bb", "10:60"):
        with pytest.raises(DeadlineError):
            at_end(D("2026-02-24"), bad)


def test_hours_and_minutes_run_day_and_night() -> None:
    start = datetime(2026, 2, 16, 23, 30, tzinfo=SHANGHAI)
    assert hours_after(start, 4).due.isoformat() == "2026-02-17T03:30:00+08:00"
    assert minutes_after(start, 15).due.isoformat() == "2026-02-16T23:45:00+08:00"
    assert hours_after(start, 4).unit is Counted.HOUR
    assert not hours_after(datetime(2027, 2, 6, tzinfo=UTC), 4).provisional  # no calendar is needed


def test_years_end_on_the_corresponding_day() -> None:
    assert years_after(D("2026-02-03"), 1, CALENDAR).date == D("2027-02-03")
    assert years_after(D("2024-02-29"), 1, CALENDAR).date == D("2025-02-28")
    assert years_after(D("2024-02-29"), 4, CALENDAR).date == D("2028-02-29")
    assert years_after(D("2025-02-14"), 1, CALENDAR).date == D("2026-02-14")  # make-up Saturday: no rest day
    assert years_after(D("2025-02-15"), 1, CALENDAR).date == D("2026-02-24")


@pytest.mark.parametrize("n", [0, -1, 10**6])
def test_a_senseless_period_is_an_error(n: int) -> None:
    for count in (working_days_after, calendar_days_after, years_after):
        with pytest.raises(DeadlineError):
            count(D("2026-02-03"), n, CALENDAR)
    with pytest.raises(DeadlineError):
        hours_after(datetime(2026, 2, 3, tzinfo=UTC), n * 1000)


def test_the_end_of_time_is_an_error_for_people() -> None:
    with pytest.raises(DeadlineError, match="尽头"):
        working_days_after(date.max - timedelta(days=3), 30, CALENDAR)
    with pytest.raises(DeadlineError, match="尽头"):
        years_after(date(9990, 1, 1), 20, CALENDAR)
    with pytest.raises(DeadlineError, match="尽头"):
        hours_after(datetime(9999, 12, 31, tzinfo=UTC), 30)


days = st.dates(date(2004, 1, 1), date(2045, 12, 31))
counts = st.integers(1, 60)


@given(days, counts)
def test_exactly_n_working_days_lie_between(start: date, n: int) -> None:
    result = working_days_after(start, n, CALENDAR)
    between = [start + timedelta(days=i) for i in range(1, (result.date - start).days + 1)]
    assert sum(CALENDAR.is_working(d) for d in between) == n
    assert CALENDAR.is_working(result.date)
    _holds_for_all(result, start)


@given(days, counts)
def test_a_calendar_period_is_never_shorter_and_ends_on_a_working_day(start: date, n: int) -> None:
    result = calendar_days_after(start, n, CALENDAR)
    assert result.date >= start + timedelta(days=n)
    assert CALENDAR.is_working(result.date)
    moved = [start + timedelta(days=i) for i in range(n, (result.date - start).days)]
    assert not any(CALENDAR.is_working(d) for d in moved)
    _holds_for_all(result, start)


def _holds_for_all(result: Deadline, start: date) -> None:
    assert result.date > start
    assert result.steps[0].date == start
    assert not result.steps[0].counted
    assert result.steps[-1].date == result.date
    assert result.steps[-1].n == result.n
    assert [s.date for s in result.steps] == [start + timedelta(days=i) for i in range(len(result.steps))]
    assert sum(s.counted for s in result.steps) == result.n
    assert result.provisional == bool(result.notes)
    if result.date.year in (2026, 2025):
        assert not result.provisional


@given(days, counts)
def test_a_later_event_is_never_due_earlier_and_more_days_never_less(start: date, n: int) -> None:
    for count in (working_days_after, calendar_days_after):
        assert count(start, n, CALENDAR).date <= count(start + timedelta(days=1), n, CALENDAR).date
        assert count(start, n, CALENDAR).date <= count(start, n + 1, CALENDAR).date
    assert working_days_after(start, n, CALENDAR).date < working_days_after(start, n + 1, CALENDAR).date


@given(
    st.integers(1_600_000_000, 2_200_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    counts,
    st.sampled_from(Counted),
)
def test_every_unit_by_name(start: datetime, n: int, unit: Counted) -> None:
    result = after(start, n, unit.value, CALENDAR)
    assert result.unit is unit
    assert result.due > start
    assert result.due.utcoffset() == timedelta(hours=8)


def test_the_data_for_json() -> None:
    told = explain(working_days_after(D("2027-02-03"), 1, CALENDAR), CALENDAR)
    assert told["date"] == "2027-02-04"
    assert told["due"] == "2027-02-05T00:00:00+08:00"
    assert told["provisional"] is True
    assert told["sources"] == {"2027": ""}
    assert [s["counted"] for s in told["steps"]] == [False, True]


def test_a_days_end_is_written_as_its_own_24_00() -> None:
    at = datetime(2026, 11, 7, tzinfo=SHANGHAI)
    assert end_of(at) == "2026-11-06 24:00"
    assert end_of(at + timedelta(seconds=1)) == "2026-11-07 00:00"
    assert end_of(at.replace(hour=17, minute=30)) == "2026-11-07 17:30"
