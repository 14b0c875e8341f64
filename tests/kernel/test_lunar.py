"""The table of moving feasts, checked from first principles: new moon and solar longitude at 120° E.

Low-precision series (Meeus, Astronomical Algorithms, ch. 25 and 49); errors are minutes, and a row that the error could
move to another day is allowed the neighbouring day, never silently.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from yunwei.kernel.lunar import feasts

BEIJING = timezone(timedelta(hours=8))
J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
TERRESTRIAL_MINUS_UNIVERSAL = timedelta(seconds=75)  # about, for these decades


def _new_moon(k: int) -> datetime:
    t = k / 1236.85
    jde = 2451550.09766 + 29.530588861 * k + 0.00015437 * t * t
    e = 1 - 0.002516 * t
    m, mp, f = (
        math.radians(x) for x in (2.5534 + 29.1053567 * k, 201.5643 + 385.81693528 * k, 160.7108 + 390.67050284 * k)
    )
    jde += (
        -0.40720 * math.sin(mp)
        + 0.17241 * e * math.sin(m)
        + 0.01608 * math.sin(2 * mp)
        + 0.01039 * math.sin(2 * f)
        + 0.00739 * e * math.sin(mp - m)
        - 0.00514 * e * math.sin(mp + m)
        + 0.00208 * e * e * math.sin(2 * m)
    )
    return J2000 + timedelta(days=jde - 2451545.0) - TERRESTRIAL_MINUS_UNIVERSAL


def _sun(at: datetime) -> float:
    t = (at - J2000) / timedelta(days=36525)
    m = math.radians(357.52911 + 35999.05029 * t)
    centre = (
        (1.914602 - 0.004817 * t) * math.sin(m)
        + (0.019993 - 0.000101 * t) * math.sin(2 * m)
        + 0.000289 * math.sin(3 * m)
    )
    omega = math.radians(125.04 - 1934.136 * t)
    return (280.46646 + 36000.76983 * t + centre - 0.00569 - 0.00478 * math.sin(omega)) % 360


def _is_new_moon_day(day: date) -> bool:
    k = round((day - date(2000, 1, 6)).days / 29.530588861)
    slack = timedelta(minutes=20)
    moons = [_new_moon(i).astimezone(BEIJING) for i in (k - 1, k, k + 1)]
    return any((moon + s).date() == day for moon in moons for s in (-slack, timedelta(), slack))


@pytest.mark.parametrize("year", range(2027, 2051))
def test_each_row_stands_where_moon_and_sun_put_it(year: int) -> None:
    row = feasts(year)
    assert row is not None
    for day, nth in ((row.spring, 1), (row.dragon_boat, 5), (row.mid_autumn, 15)):
        assert _is_new_moon_day(day - timedelta(days=nth - 1)), (day, nth)
    # 正月 contains 雨水 (sun at 330°), 五月 夏至 (90°), 八月 秋分 (180°): no month is off by one
    for day, nth, longitude in ((row.spring, 1, 330), (row.dragon_boat, 5, 90), (row.mid_autumn, 15, 180)):
        first = datetime.combine(day - timedelta(days=nth - 1), datetime.min.time(), BEIJING)
        before = (_sun(first) - longitude + 180) % 360 - 180
        after = (_sun(first + timedelta(days=30)) - longitude + 180) % 360 - 180
        # the one exception is the leap eleventh month of 2033: 雨水 of 2034 falls on the eve of 正月初一
        assert before <= (0.1 if year == 2034 else 0.01), day
        assert after >= -0.01, day
    midnight = datetime.combine(row.qingming, datetime.min.time(), BEIJING)
    assert _sun(midnight) <= 15.01
    assert _sun(midnight + timedelta(days=1)) >= 14.99


def test_the_check_finds_a_wrong_row() -> None:
    row = feasts(2031)
    assert row is not None
    assert not _is_new_moon_day(row.spring + timedelta(days=1))
    assert not _is_new_moon_day(row.spring - timedelta(days=1))


def test_the_table_says_where_it_ends() -> None:
    assert feasts(2026) is None
    assert feasts(2051) is None
