"""The rules between a look and a verdict, as properties."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inspect.helpers import NOW

from yunwei.inspect import judging
from yunwei.inspect.observation import DeviceResult, Observation, State
from yunwei.kernel.verdict import Reason, Verdict

STATES = st.sampled_from(list(State))
REASONS = st.sampled_from([None, *Reason])


def result(*states: State, protocol: str = "snmp", **more: object) -> DeviceResult:
    seen = [Observation("a", f"c/{i}", "state", f"c {i}", state=state) for i, state in enumerate(states)]
    at = more.pop("at", NOW)
    return DeviceResult("a", protocol, at, at, observations=seen, **more)  # type: ignore[arg-type]


def judged(*results: DeviceResult, **more: object) -> tuple[Verdict, Reason | None, bool]:
    given_ = {"now": NOW, "before": {}, "fired": {"snmp": True, "redfish": True}, "identity_problem": None, **more}
    return judging.judge(judging.gather("a", results), **given_)  # type: ignore[arg-type]


@settings(max_examples=300)
@given(st.lists(STATES, max_size=5), REASONS, st.booleans(), REASONS, st.booleans())
def test_pass_needs_everything_and_nothing_is_closed_blindly(
    states: list[State], problem: Reason | None, fired: bool, identity: Reason | None, stale: bool
):
    at = NOW - timedelta(days=2) if stale else NOW
    verdict, reason, closes = judged(
        result(*states, problem=problem, at=at), fired={"snmp": fired}, identity_problem=identity
    )
    evaluated = [s for s in states if s in (State.OK, State.WARNING, State.CRITICAL)]
    if verdict is Verdict.PASS:
        assert evaluated
        assert fired
        assert not stale
        assert problem is None
        assert identity is None
        assert set(evaluated) == {State.OK}
    if verdict is Verdict.FAIL:
        assert set(evaluated) - {State.OK}
        assert identity is None
        assert not stale
    if verdict is Verdict.UNPROVEN:
        assert reason is not None
        assert judging.cause_of(reason) in ("vendor", "unknown")
    if closes:
        assert fired
        assert identity is None
        assert not stale


def test_every_protocol_of_an_asset_must_be_whole():
    well = result(State.OK)
    broken = result(protocol="redfish", problem=Reason.NOT_REACHED, detail="x")
    assert judged(well)[0] is Verdict.PASS
    assert judged(well, broken)[:2] == (Verdict.UNPROVEN, Reason.NOT_REACHED)


def test_a_control_covers_its_own_protocol_only():
    assert (
        judged(result(State.OK), result(State.OK, protocol="redfish"), fired={"snmp": True})[1] is Reason.CONTROL_SILENT
    )
    control = result(State.CRITICAL, control=True)
    assert judging.controls([control, result(State.OK, protocol="redfish", control=True)]) == {
        "snmp": True, "redfish": False}  # fmt: skip


def test_a_host_is_covered_by_the_control_of_its_own_bundle():
    check = Observation("a", "control/bundle", "service", "对照", state=State.CRITICAL)
    disk = Observation("a", "disk//", "storage", "/", state=State.OK)
    with_control = DeviceResult("a", "ssh", NOW, NOW, observations=[check, disk])
    without = DeviceResult("a", "ssh", NOW, NOW, observations=[disk])
    assert judged(with_control)[0] is Verdict.PASS
    assert judged(without)[1] is Reason.CONTROL_SILENT
    facts = judging.gather("a", [with_control])
    assert not facts.faults
    assert facts.evaluated == 1


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        ({}, {"up": "5"}, None),
        ({"up": "5"}, {"up": "6"}, True),
        ({"up": "5"}, {"up": "5"}, False),
        ({"up": "5", "octets": "1"}, {"up": "5", "octets": "2"}, True),
        ({"up": "5"}, {"clock": "1"}, None),
        ({"up": "6"}, {"up": "5"}, True),  # a restart is a movement
        ({"up": "5", "@s": "100"}, {"up": "5", "@s": "101"}, None),  # two looks in one moment
        ({"up": "5", "@s": "100"}, {"up": "5", "@s": "160"}, False),
        ({"up": "5", "@s": "100"}, {"up": "6", "@s": "101"}, True),
    ],
)
def test_moving_fields(before: dict[str, str], now: dict[str, str], wanted: bool | None):
    assert judging.moved({"snmp": before}, {"snmp": now}) is wanted


def test_one_protocol_that_stands_still_makes_the_asset_frozen():
    before = {"snmp": {"up": "5"}, "redfish": {"clock": "1"}}
    assert judging.moved(before, {"snmp": {"up": "6"}, "redfish": {"clock": "1"}}) is False


def test_an_observation_from_the_future_is_not_believed():
    assert judged(result(State.OK, at=NOW + timedelta(hours=1)))[1] is Reason.STALE
    assert judged(result(State.OK, at=NOW - timedelta(hours=2)), fresh_s=3600)[1] is Reason.STALE


def test_what_one_protocol_sees_broken_no_other_sees_right():
    facts = judging.gather("a", [result(State.OK, State.OK), result(State.CRITICAL, protocol="redfish")])
    assert facts.ok == {"c/1:state"}


def test_an_asset_is_as_fresh_as_its_oldest_part():
    old = result(State.OK, protocol="redfish", at=NOW - timedelta(days=2))
    assert judged(result(State.OK), old)[1] is judged(old, result(State.OK))[1] is Reason.STALE


def test_no_plan_makes_a_month_old_look_prove_anything():
    seen = result(State.OK, at=NOW - timedelta(days=30))
    assert judged(seen, fresh_s=1e12)[1] is Reason.STALE
    assert judged(result(State.OK, at=NOW - timedelta(days=6)), fresh_s=1e12)[0] is Verdict.PASS


def test_a_look_from_before_the_run_belongs_to_another_run():
    seen = result(State.OK, at=NOW - timedelta(hours=1))
    assert judged(seen, since=NOW - timedelta(hours=1))[0] is Verdict.PASS
    assert judged(seen, since=NOW - timedelta(minutes=45))[1] is Reason.STALE


def test_leaving_the_moving_fields_out_of_a_whole_answer_is_standing_still():
    before = {"snmp": {"up": "5", "@s": "100"}}
    assert judged(result(State.OK), before=before)[1:] == (Reason.FROZEN, False)
    assert judged(result(State.OK, problem=Reason.PARTIAL), before=before)[1] is Reason.PARTIAL
    assert judged(result(State.OK), before={"snmp": {"@s": "100"}})[0] is Verdict.PASS  # it never named one


def test_nothing_is_closed_by_values_that_stand_still():
    seen = result(State.OK, moving={"up": "5"}, counts={"wall_s": 160})
    assert judged(seen, before={"snmp": {"up": "4", "@s": "100"}})[2] is True
    assert judged(seen, before={"snmp": {"up": "5", "@s": "100"}})[2] is False


def test_a_fault_of_an_agreed_asset_is_no_control():
    assert judging.controls([result(State.CRITICAL)]) == {}


def test_a_bundle_whose_own_control_is_well_proves_nothing():
    check = Observation("a", "control/bundle", "service", "对照", state=State.OK)
    disk = Observation("a", "disk//", "storage", "/", state=State.OK)
    assert judged(DeviceResult("a", "ssh", NOW, NOW, observations=[check, disk]))[1] is Reason.CONTROL_SILENT


@pytest.mark.parametrize("reason", [Reason.IDENTITY_CHANGED, Reason.DUPLICATE])
def test_a_fault_that_the_collector_saw_on_another_device_is_no_fault_of_this_one(reason: Reason):
    assert judged(result(State.CRITICAL, problem=reason)) == (Verdict.UNPROVEN, reason, False)


def test_a_missing_part_is_a_fault_like_any_other():
    assert judged(result(State.OK), extra_faults=1)[0] is Verdict.FAIL


@pytest.mark.parametrize("reason", list(Reason))
def test_what_our_own_tools_missed_is_ours_and_nothing_else_is_at_first(reason: Reason):
    ours = {Reason.BUDGET, Reason.CONTROL_SILENT, Reason.COLLECTOR_SILENT, Reason.NOT_SUPPORTED}
    assert judging.cause_of(reason) == ("vendor" if reason in ours else "unknown")
    assert judging.cause_of(None) == ""


def test_a_frozen_device_that_is_looked_at_twice_in_one_moment_stays_frozen():
    contact = {"snmp": {"uptime": "100", judging.WALL: "10"}}
    first = {"snmp": {"uptime": "100", judging.WALL: "14"}}
    second = {"snmp": {"uptime": "100", judging.WALL: "15"}}
    assert judging.moved(contact, first) is False
    after = judging.remembered(contact, first)
    assert judging.moved(after, second) is False, "the daily look right after the deep one excuses nothing"
    running = judging.remembered(after, {"snmp": {"uptime": "101", judging.WALL: "16"}})
    assert running == {"snmp": {"uptime": "101", judging.WALL: "16"}}
    assert judging.moved(running, {"snmp": {"uptime": "101", judging.WALL: "17"}}) is None, "a clock of whole seconds"
    assert judging.remembered({}, contact) == contact


def test_an_answer_that_broke_off_before_the_clock_is_no_recording():
    before = {"redfish": {"clock": "1", "errors": "", judging.WALL: "10"}}
    broken = {"redfish": {"errors": "", judging.WALL: "99"}}
    assert judging.moved(before, broken) is None
    assert judging.moved(before, broken, ["redfish"]) is False, "a whole answer leaves nothing out"
    standing = judging.remembered(before, broken)
    following = {"redfish": {"clock": "1", "errors": "", judging.WALL: "200"}}
    assert judging.moved(standing, following, ["redfish"]) is False, "and excuses no recording at the look after"
    following["redfish"]["clock"] = "2"
    assert judging.moved(standing, following, ["redfish"]) is True
    bare = judging.remembered({"redfish": {"clock": "1", judging.WALL: "10"}}, {"redfish": {"timer": "5"}})
    assert bare == {"redfish": {"timer": "5"}}, "fields that a vendor file no longer reads are forgotten"
