"""Whose limit judges, and what a state may never become."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vendor.tools import BASE, only, read
from yunwei.inspect.observation import State, Target
from yunwei.inspect.vendor.judge import NONE, against, sane, told, worse

TEMP = f"""
include: [defaults]
tables:
  t: {{oid: {BASE}, columns: {{value: 1, high: 2, state: 3, name: 4}}}}
states:
  s: {{1: ok fine, 2: critical failed}}
observe:
  - table: t
    component: temperature/{{index}}
    kind: temperature
    name: "{{name}}"
    value: value
    unit: °C
    limits: {{warn_high: high}}
"""
OWN_STATE = TEMP + "    state: state\n    states: s\n"


def judged(tmp_path, columns, *, body=TEMP, limits=(), **target):  # noqa: ANN003
    terms = {"limits": [dict(limit) for limit in limits]}
    return only(read(tmp_path / "v", body, columns, terms=terms, target=Target("SW-1", "snmp", **target)))


INLET = {"1": {"1": 29}, "4": {"1": "Inlet Temp"}}
CHIP = {"1": {"1": 61}, "4": {"1": "Chip"}}


def test_a_default_of_the_house_judges_an_inlet_and_leaves_a_chip_alone(tmp_path):
    inlet = judged(tmp_path, INLET)
    assert (inlet.state, inlet.limit) == (State.WARNING, "vendor file: warn>=27 crit>=32")
    chip = judged(tmp_path, CHIP)
    assert (chip.state, chip.limit) == (State.UNKNOWN, "")  # a number nobody limits is neither green nor red


def test_the_devices_own_threshold_comes_before_the_default(tmp_path):
    inlet = judged(tmp_path, {**INLET, "2": {"1": 38}})
    assert (inlet.state, inlet.limit) == (State.OK, "device: warn>=38")


def test_the_plan_is_more_specific_than_the_device(tmp_path):
    limit = {"kind": "temperature", "component": "temperature/*", "warn_high": 28, "crit_high": 29}
    inlet = judged(tmp_path, {**INLET, "2": {"1": 38}}, limits=[limit])
    assert (inlet.state, inlet.limit) == (State.CRITICAL, "plan: warn>=28 crit>=29")


def test_a_general_limit_of_the_plan_replaces_the_default_and_not_the_device(tmp_path):
    general = {"kind": "temperature", "warn_high": 40}
    assert judged(tmp_path, INLET, limits=[general]).limit == "plan: warn>=40"
    assert judged(tmp_path, {**INLET, "2": {"1": 25}}, limits=[general]).limit == "device: warn>=25"


def test_of_the_plans_limits_the_most_specific_counts(tmp_path):
    place = {"kind": "temperature", "place": "A101", "warn_high": 10}
    device = {"kind": "temperature", "device": "SW-1", "warn_high": 20}
    component = {"kind": "temperature", "component": "temperature/1", "warn_high": 30}
    other = {"kind": "temperature", "device": "SW-2", "component": "temperature/1", "crit_high": 1}
    at = {"place": "A101"}
    assert judged(tmp_path, INLET, limits=[other, place], **at).limit == "plan: warn>=10"
    assert judged(tmp_path, INLET, limits=[place, device], **at).limit == "plan: warn>=20"
    assert judged(tmp_path, INLET, limits=[place, device, component], **at).limit == "plan: warn>=30"
    assert judged(tmp_path, INLET, limits=[place], place="B202").limit.startswith("vendor file")


def test_a_plan_can_loosen_a_number_and_cannot_unsay_a_fault(tmp_path):
    loose = {"kind": "temperature", "component": "temperature/1", "warn_high": 90}
    fine = judged(tmp_path, {**INLET, "2": {"1": 20}, "3": {"1": 1}}, body=OWN_STATE, limits=[loose])
    assert fine.state is State.OK
    failed = judged(tmp_path, {**INLET, "2": {"1": 20}, "3": {"1": 2}}, body=OWN_STATE, limits=[loose])
    assert failed.state is State.CRITICAL


def test_a_device_that_judges_itself_needs_no_default(tmp_path):
    assert judged(tmp_path, {**INLET, "3": {"1": 1}}, body=OWN_STATE).state is State.OK


def test_an_unknown_word_is_neither_red_nor_green(tmp_path):
    seen = judged(tmp_path, {**CHIP, "3": {"1": 77}}, body=OWN_STATE)
    assert (seen.state, seen.raw) == (State.UNKNOWN, "77")


def test_thresholds_that_mean_not_set_judge_nothing(tmp_path):
    assert judged(tmp_path, {**CHIP, "2": {"1": 0}}).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((0, 0, 0, 0), (None, None, 0, 0)),
        ((40, 50, 45, 5), NONE),
        ((50, 40, None, None), (40, None, None, None)),
        ((None, 47, 3, -7), (None, 47, 3, -7)),
    ],
)
def test_sane(limits, expected):
    assert sane(limits) == expected


NUMBER = st.none() | st.floats(-1e6, 1e6)


@given(value=st.floats(-1e6, 1e6), limits=st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), tighter=st.floats(0, 1e3))
def test_a_tighter_limit_never_makes_a_reading_better(value, limits, tighter):
    rank = {State.OK: 0, State.WARNING: 1, State.CRITICAL: 2}
    wh, ch, wl, cl = limits
    tight = (
        None if wh is None else wh - tighter,
        None if ch is None else ch - tighter,
        None if wl is None else wl + tighter,
        None if cl is None else cl + tighter,
    )
    assert rank[against(value, tight)] >= rank[against(value, limits)]


@given(a=st.sampled_from(State), b=st.sampled_from(State))
def test_the_worse_of_two_states(a, b):
    faults = {State.WARNING, State.CRITICAL}
    assert (worse(a, b) in faults) == bool({a, b} & faults)
    if State.OK in (a, b) and not {a, b} & faults:
        assert worse(a, b) is State.OK or {a, b} == {State.OK}


def test_limits_are_told_to_people():
    assert told("device", (42, 47, None, -7)) == "device: warn>=42 crit>=47 crit<=-7"
