"""The weather of a replayed year: it follows from its seed, a longer span begins like a shorter one, the farm can show it."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.conftest import SNMP, farm_of, snmp
from yunwei.lab import district, weather
from yunwei.lab.farm import Farm
from yunwei.lab.overlay import FAULTS
from yunwei.snmp.client import SnmpClient, V2c

ITEMS = district.equipment()
FIRST, LAST = date(2026, 2, 3), date(2026, 11, 25)
YEAR = weather.weather(ITEMS, district.SEED, FIRST, LAST)
UPTIME = "1.3.6.1.2.1.1.3.0"


def test_the_same_seed_gives_the_same_year_and_another_seed_another():
    assert weather.weather(ITEMS, district.SEED, FIRST, LAST) == YEAR
    assert weather.weather(ITEMS, "another", FIRST, LAST) != YEAR


@settings(max_examples=40)
@given(st.dates(FIRST, LAST))
def test_a_longer_span_begins_like_a_shorter_one(last: date):
    short = weather.weather(ITEMS, district.SEED, FIRST, last)
    assert short == [s for s in YEAR if s.start.astimezone(weather.ZONE).date() <= last]


def test_a_year_has_many_kinds_and_every_month_some():
    kinds = Counter(s.fault for s in YEAR)
    assert {"fan_failed", "psu_lost", "disk_predicted", "dead", "frozen", "unauthorized", "identity_changed"} <= set(
        kinds
    )
    months = Counter(f"{s.start.astimezone(weather.ZONE):%m}" for s in YEAR)
    assert set(months) == {f"{m:02d}" for m in range(2, 12)}
    assert min(months.values()) >= 5


def test_the_farm_can_show_every_fault_of_any_seed():
    farm = Farm(district.farm())
    for item in ITEMS:
        wanted = {*(weather.ONLY.get(item.model.sample) or weather.BREAKS[item.model.category])}
        wanted |= {*weather.HIDES[item.model.protocol], "dead", "identity_changed"}
        sample = farm.tree if item.model.protocol == "redfish" else farm.sample
        for fault in wanted:
            assert fault in FAULTS
            sample(item.device.sample).variant({fault})


def test_one_device_has_one_thing_at_a_time():
    by_code: dict[str, list[weather.Spell]] = {}
    stormy = {code for storm in weather.STORMS for code in storm.codes}
    for spell in YEAR:
        by_code.setdefault(spell.code, []).append(spell)
    for code, spells in by_code.items():
        if code in stormy:
            continue
        for one, two in pairwise(spells):
            assert one.end is None or one.end <= two.start, (one, two)


def test_switchings_are_in_order_and_each_end_follows_its_beginning():
    told = weather.changes(YEAR)
    assert [c.at for c in told] == sorted(c.at for c in told)
    standing: Counter[tuple[str, str]] = Counter()
    for change in told:
        standing[change.code, change.fault] += 1 if change.on else -1
        assert standing[change.code, change.fault] in (0, 1)


@pytest.mark.parametrize("days", [1, 200])
async def test_what_moves_follows_the_farm_s_clock(days: int):
    async with farm_of(snmp()) as farm, SnmpClient() as client:
        session = client.session(SNMP, farm.snmp_port, V2c(farm.spec.devices[0].community), timeout=2, retries=1)
        begun = time.time()
        before = int((await session.get([UPTIME]))[UPTIME].as_int() or 0)
        farm.set_clock(days * 86400.0)
        after = int((await session.get([UPTIME]))[UPTIME].as_int() or 0)
        lasted = time.time() - begun
    moved = (after - before) % 2**32 / 100
    assert days * 86400 <= moved + 0.02 <= days * 86400 + lasted + 0.05
