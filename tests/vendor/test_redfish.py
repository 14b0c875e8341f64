"""Redfish: judged by the set of values, the leaf and not the rollup, absent is neutral, both models of 2020."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunwei.inspect.observation import FAULTS, State, Target
from yunwei.inspect.vendor import apply_redfish, shipped
from yunwei.inspect.vendor.observe import health
from yunwei.inspect.vendor.replay import of_redfish

OK = {"State": "Enabled", "Health": "OK"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({"Health": "OK", "State": "Enabled"}, State.OK),
        ({"Health": "Ok", "State": "Enabled"}, State.OK),  # iDRAC 8
        ({"Health": "Warning", "State": "Enabled"}, State.WARNING),
        ({"Health": "Critical"}, State.CRITICAL),
        ({"Health": "Enabled", "State": "Enabled"}, State.UNKNOWN),  # H3C HDM 1.85.02, check_redfish #200
        ({"Health": "Enabled", "State": "OK"}, State.UNKNOWN),
        ({"Health": "Enabled", "State": "Critical"}, State.CRITICAL),
        ({"Health": None, "State": "Enabled"}, State.UNKNOWN),
        ({"Health": None, "State": "Absent"}, State.ABSENT),
        ({"Health": "Critical", "State": "Absent"}, State.ABSENT),
        ({"Health": None, "State": "Disabled"}, State.ABSENT),
        ({"Health": "Fine", "State": "Enabled"}, State.UNKNOWN),
        ({}, State.UNKNOWN),
        (None, State.UNKNOWN),
        ("OK", State.UNKNOWN),
    ],
)
def test_health(status, state):
    assert health(status)[0] is state


WORDS = (
    st.none()
    | st.sampled_from(["OK", "Ok", "Warning", "Critical", "Enabled", "Absent", "Disabled"])
    | st.text(max_size=9)
)


@given(own=WORDS, where=WORDS)
def test_green_only_by_a_health_that_says_so_and_red_only_by_a_word_that_says_so(own, where):
    state, _raw = health({"Health": own, "State": where})
    if state is State.OK:
        assert str(own).lower() == "ok"
    if state in FAULTS:
        assert state.value in {str(own).lower(), str(where).lower()}


def tree(system=None, **resources):  # noqa: ANN003
    out = {
        "/redfish/v1": {"@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot", "Vendor": "Example"},
        "/redfish/v1/Systems/1": {
            "@odata.type": "#ComputerSystem.v1_5_0.ComputerSystem",
            "Id": "1",
            "Status": system or OK,
        },
    }
    return out | {f"/redfish/v1/{k.replace('__', '/')}": v for k, v in resources.items()}


def seen(tree_):
    return {(o.component, o.kind): o for o in of_redfish(tree_).reading.observations}


def drive(**status):  # noqa: ANN003
    return {"@odata.type": "#Drive.v1_5_0.Drive", "Id": "0", "Name": "Drive 0", "Status": status}


def test_a_leaf_explains_the_rollup_above_it():
    found = seen(
        tree(
            {**OK, "Health": "Critical", "HealthRollup": "Critical"},
            Systems__1__Storage__R__Drives__0=drive(Health="Critical"),
        )
    )
    assert found["disk/Drive 0", "state"].state is State.CRITICAL
    assert [o.component for o in found.values() if o.state in FAULTS] == ["disk/Drive 0"]
    assert found["system/1", "rollup"].limit == "explained by: disk/Drive 0"


def test_a_rollup_that_no_leaf_explains_is_the_fault():
    found = seen(tree({**OK, "HealthRollUp": "Critical"}, Systems__1__Storage__R__Drives__0=drive(Health="OK")))
    assert found["system/1", "rollup"].state is State.CRITICAL


def test_a_milder_leaf_does_not_explain_a_worse_rollup():
    found = seen(tree({**OK, "HealthRollup": "Critical"}, Systems__1__Storage__R__Drives__0=drive(Health="Warning")))
    assert found["system/1", "rollup"].state is State.CRITICAL


def test_two_systems_behind_one_bmc_are_two():
    other = {"@odata.type": "#ComputerSystem.v1_5_0.ComputerSystem", "Id": "HGX", "Status": {"Health": "Critical"}}
    found = seen(tree(Systems__HGX=other))
    assert found["system/1", "state"].state is State.OK
    assert found["system/HGX", "state"].state is State.CRITICAL


def thermal(**fan):  # noqa: ANN003
    return {"@odata.type": "#Thermal.v1_0_2.Thermal", "Fans": [{"Name": "Fan 1", **fan}]}


def test_a_fan_below_its_own_threshold_is_a_fault_though_its_health_says_nothing():
    fan = seen(tree(Chassis__1__Thermal=thermal(Reading=300, LowerThresholdCritical=600, Status={"State": "Enabled"})))
    assert fan["fan/Fan 1", "fan_speed"].state is State.CRITICAL


def test_an_empty_bay_is_neutral_whatever_its_reading():
    fan = seen(tree(Chassis__1__Thermal=thermal(Reading=0, LowerThresholdCritical=600, Status={"State": "Absent"})))
    assert fan["fan/Fan 1", "fan_speed"].state is State.ABSENT


@pytest.mark.parametrize(
    "garbage",
    [None, 5, "text", [], {"Fans": 7}, {"@odata.type": 3}, {"@odata.type": "#Thermal.x", "Fans": [None, 3, "x"]}],
)
def test_garbage_in_a_tree_breaks_nothing_else(garbage):
    bodies = tree(Chassis__1__Thermal=garbage)
    found = apply_redfish(shipped().get("generic"), bodies, Target("a", "redfish"), {})
    assert any(o.component == "system/1" and o.state is State.OK for o in found.observations)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["Status", "Health", "State", "Name", "Reading"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    value=JSON,
    key=st.sampled_from(["Fans", "Temperatures", "Status", "Name", "PowerSupplies", "Thresholds"]),
    kind=st.sampled_from(["Thermal", "Power", "Sensor", "Drive", "Memory", "Chassis"]),
)
def test_no_tree_breaks_the_judge(value, key, kind):
    body = {"@odata.type": f"#{kind}.v1_0_0.{kind}", "Id": "1", key: copy.deepcopy(value)}
    reading = of_redfish(tree(Chassis__1__X=body)).reading
    keys = [(o.component, o.kind) for o in reading.observations]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("root", "system", "name"),
    [
        ({"Vendor": "Dell"}, {"Manufacturer": "Dell Inc.", "Model": "PowerEdge R750"}, "dell-idrac"),
        ({"Vendor": "HPE"}, {"Manufacturer": "HPE", "Model": "ProLiant DL380 Gen10"}, "hpe-ilo"),
        ({"Oem": {"Hp": {}}}, {"Manufacturer": "HP"}, "hpe-ilo"),
        ({}, {"Manufacturer": "Supermicro"}, "supermicro"),
        ({}, {"Manufacturer": "XFUSION", "Model": "2288H V6"}, "huawei-ibmc"),
        ({"Oem": {"Huawei": {}}}, {}, "huawei-ibmc"),
        ({}, {"Manufacturer": "Contoso", "Model": "3500"}, "generic"),
        ({}, {"Manufacturer": "Shphere"}, "generic"),
    ],
)
def test_which_file_fits(root, system, name):
    assert shipped().match_redfish(root, [system]).name == name
