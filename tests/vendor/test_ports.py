"""Ports: a port without a cable is no fault, an uplink that the plan names is, errors count by the packets."""

from __future__ import annotations

import pytest

from yunwei.inspect.observation import State, Target
from yunwei.inspect.vendor import SnmpData, apply_snmp, shipped

IF = "1.3.6.1.2.1.2.2.1"


def reading_of(terms=None, moving=None, **columns):  # noqa: ANN003
    numbers = {"descr": 2, "admin": 7, "oper": 8, "in_pkts": 11, "in_errors": 14, "out_pkts": 17, "out_errors": 20}
    data = SnmpData()
    for name, value in columns.items():
        raw = (4, value.encode()) if isinstance(value, str) else (2, value)
        data.columns[f"{IF}.{numbers[name]}"] = {"1": raw}
    return apply_snmp(shipped().get("generic"), data, Target("SW-1", "snmp", moving=moving or {}), terms or {})


def ports(terms=None, moving=None, **columns):  # noqa: ANN003
    return {o.kind: o for o in reading_of(terms, moving, **columns).observations}


@pytest.mark.parametrize(
    ("admin", "oper", "state", "raw", "value"),
    [
        (1, 1, State.OK, "up", 1),
        (1, 2, State.ABSENT, "down", 0),
        (2, 2, State.ABSENT, "admin down", 0),
        (1, 6, State.ABSENT, "notPresent", 0),
        (1, 3, State.UNKNOWN, "testing", 0),
        (1, 9, State.UNKNOWN, "9", 0),
    ],
)
def test_states(admin, oper, state, raw, value):
    port = ports(descr="GE0/1", admin=admin, oper=oper)["port"]
    assert (port.state, port.raw, port.value, port.component) == (state, raw, value, "port/GE0/1")


UPLINK = {"limits": [{"kind": "port", "device": "SW-1", "component": "port/GE0/1", "crit_low": 0}]}


def test_an_uplink_that_the_plan_names_must_be_up():
    assert ports(UPLINK, descr="GE0/1", admin=1, oper=2)["port"].state is State.CRITICAL
    assert ports(UPLINK, descr="GE0/1", admin=1, oper=1)["port"].state is State.OK
    assert ports(UPLINK, descr="GE0/2", admin=1, oper=2)["port"].state is State.ABSENT


@pytest.mark.parametrize(
    ("errors", "packets", "state"),
    [
        (0, 0, State.OK),
        (9, 100_000, State.OK),
        (10, 100_000, State.WARNING),
        (1_000, 100_000, State.CRITICAL),
        (5, 0, State.CRITICAL),
    ],
)
def test_errors_by_the_packets(errors, packets, state):
    seen = ports(descr="p", admin=1, oper=1, in_errors=errors, out_errors=0, in_pkts=packets, out_pkts=0)["errors"]
    assert (seen.state, seen.value) == (state, errors)


def test_errors_without_packets_to_compare_with_are_not_called_fine():
    assert ports(descr="p", admin=1, oper=1, in_errors=5, out_errors=0)["errors"].state is State.UNKNOWN


def test_the_errors_of_a_port_that_is_switched_off_do_not_alarm():
    seen = ports(descr="p", admin=2, oper=2, in_errors=999, out_errors=0, in_pkts=10, out_pkts=0)["errors"]
    assert seen.state is State.ABSENT


def port(errors, packets):
    return {
        "descr": "p",
        "admin": 1,
        "oper": 1,
        "in_errors": errors,
        "out_errors": 0,
        "in_pkts": packets,
        "out_pkts": 0,
    }


@pytest.mark.parametrize(
    ("then", "now", "state"),
    [
        ((500, 1_000), (500, 2_000), State.OK),  # old errors, none new: the finding closes
        ((500, 100_000_000), (600, 100_100_000), State.WARNING),  # a burst that the long run would hide
        ((500, 100_000_000), (501, 100_100_000), State.OK),
        ((0, 100_000_000), (20_000, 100_100_000), State.WARNING),  # no error then: packets were not kept either
        ((500, 1_000_000), (20, 1_000), State.CRITICAL),  # the counters were set back
    ],
)
def test_errors_since_the_last_sweep(then, now, state):
    moving = reading_of(**port(*then)).moving
    assert ports(moving=moving, **port(*now))["errors"].state is state


def test_only_ports_with_errors_are_kept():
    assert reading_of(**port(0, 5)).moving["port_errors"] == ""
    assert reading_of(**port(7, 5)).moving["port_errors"] == "1:7"
    assert reading_of(**port(7, 5)).moving["port_packets"] == "1:5"


def test_what_was_kept_may_be_nonsense():
    assert (
        ports(moving={"port_errors": "x 1: :3 1:y", "port_packets": "1:-5"}, **port(9, 9))["errors"].state
        is State.CRITICAL
    )
