"""SNMP answers to rows: joins, names that repeat, values that are not there, text in any code, tables unfinished."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vendor.tools import BASE, only, read
from yunwei.inspect.observation import State, Target
from yunwei.inspect.vendor import SnmpData, apply_snmp, shipped
from yunwei.inspect.vendor.snmp import decode
from yunwei.kernel.verdict import Reason

BODY = f"""
tables:
  t: {{oid: {BASE}, columns: {{state: 1, name: 2}}}}
states:
  s: {{1: ok fine, 2: critical failed, 3: absent gone}}
observe:
  - {{table: t, component: "fan/{{name}}", kind: state, name: "{{name}}", state: state, states: s}}
"""


def test_two_rows_of_one_name_stay_two_components(tmp_path):
    found = read(tmp_path / "v", BODY, {"1": {"1.4": 1, "1.9": 2}, "2": {"1.4": "Fan", "1.9": "Fan"}}).observations
    assert [(o.component, o.state) for o in found] == [("fan/Fan", State.OK), ("fan/Fan#1.9", State.CRITICAL)]


def test_the_source_is_the_oid_with_its_index(tmp_path):
    assert only(read(tmp_path / "v", BODY, {"1": {"1.4": 1}, "2": {"1.4": "F"}})).source == f"{BASE}.1.1.4"


def test_a_value_that_the_device_does_not_have_makes_no_row(tmp_path):
    assert read(tmp_path / "v", BODY, {"1": {"1": None}}).observations == []


def test_a_column_that_was_not_finished_makes_the_reading_partial(tmp_path):
    reading = read(tmp_path / "v", BODY, {"1": {"1": 1}, "2": {"1": "F"}}, partial=["2"])
    assert reading.problem is Reason.PARTIAL
    assert "t.name" in reading.detail


def test_a_column_that_no_rule_needs_may_be_unfinished(tmp_path):
    assert read(tmp_path / "v", BODY, {"1": {"1": 1}}, partial=["77"]).problem is None


def test_joins_by_index_and_by_column(tmp_path):
    body = f"""
    tables:
      other: {{oid: {BASE}.5, columns: {{label: 1, code: 2}}}}
      t:
        oid: {BASE}
        columns: {{state: 1, name: 2}}
        join:
          - {{of: other, take: {{by_index: label}}}}
          - {{of: other, where: code, equals: name, take: {{by_code: label}}}}
    states:
      s: {{1: ok fine}}
    observe:
      - {{table: t, component: "{{by_index}}/{{by_code}}", kind: state, name: n, state: state, states: s}}
    """
    columns = {"1": {"1": 1}, "2": {"1": "KEY"}, "5.1": {"1": "mine", "9": "theirs"}, "5.2": {"9": "key"}}
    assert only(read(tmp_path / "v", body, columns)).component == "mine/theirs"


@pytest.mark.parametrize(
    ("raw", "read_as", "expected"),
    [
        ((4, "风扇".encode()), "", "风扇"),
        ((4, "电源".encode("gb18030")), "", "电源"),
        ((4, b"PSU\x00\x00\x00"), "", "PSU"),
        ((4, b"  two\r\n words "), "", "two words"),
        ((4, bytes.fromhex("02005e100001")), "mac", "02:00:5e:10:00:01"),
        ((4, b"\x80"), "bits", 128),
        ((4, bytes.fromhex("07ea0302080000")), "hex", "07ea0302080000"),
        ((4, bytes.fromhex("07ea030208000000")), "date", "2026-03-02T08:00:00"),
        ((129, None), "", None),
        ((5, None), "", None),
        ((2, -5), "", -5),
        ((6, "1.3.6.1"), "", "1.3.6.1"),
    ],
)
def test_decode(raw, read_as, expected):
    assert decode(raw, read_as) == expected


VALUE = st.one_of(
    st.tuples(st.sampled_from([2, 65, 66, 67, 70]), st.integers(-(2**63), 2**64)),
    st.tuples(st.just(4), st.binary(max_size=24)),
    st.tuples(st.just(6), st.just("1.3.6.1.4.1.1")),
    st.tuples(st.sampled_from([5, 128, 129, 130]), st.none()),
    st.tuples(st.just(0x9F78), st.floats()),
)


@given(data=st.data())
def test_no_answer_breaks_the_judge(data):
    vendor = shipped().get(data.draw(st.sampled_from(sorted(shipped().files))))
    columns = [c for t in vendor.snmp_tables for c in t.columns]
    rows = st.dictionaries(st.sampled_from(["1", "2", "1.1", "0"]), VALUE, max_size=3)
    chosen = data.draw(st.dictionaries(st.sampled_from(columns), rows, max_size=12)) if columns else {}
    scalars = (
        data.draw(st.dictionaries(st.sampled_from(vendor.snmp_scalars), VALUE, max_size=6))
        if vendor.snmp_scalars
        else {}
    )
    reading = apply_snmp(vendor, SnmpData(scalars, chosen), Target("a", "snmp"), {})
    keys = [(o.component, o.kind) for o in reading.observations]
    assert len(keys) == len(set(keys))
    assert all(isinstance(o.state, State) for o in reading.observations)


@pytest.mark.parametrize(
    ("object_id", "descr", "name"),
    [
        ("1.3.6.1.4.1.2011.2.23.291", "S5720", "huawei-vrp"),
        ("1.3.6.1.4.1.2011.2.235.1.1", "", "huawei-ibmc"),
        ("1.3.6.1.4.1.2011.10.1.89", "H3C", "h3c-comware"),
        ("1.3.6.1.4.1.25506.11.1.120", "", "h3c-comware"),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux host", "linux"),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux HUAWEI UPS5000-E", "huawei-ups"),
        ("1.3.6.1.4.1.674", "DELL EMC ME4084", "dell-powervault"),
        ("1.3.6.1.4.1.674.10892.5", "", "dell-idrac"),
        ("1.3.6.1.4.1.20119.1", "", "generic"),
        ("1.3.6.1.4.1.52642.1", "", "fs-ruijie"),
        ("", "", "generic"),
    ],
)
def test_which_file_fits(object_id, descr, name):
    assert shipped().match_snmp(object_id, descr).name == name
