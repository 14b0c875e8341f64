"""Columns to rows: the quick way for tables that are even, and the same rows for those that are not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from yunwei.inspect.vendor.compiled import Column, TablePlan
from yunwei.inspect.vendor.reading import SnmpData
from yunwei.inspect.vendor.snmp import _rows, decode

TABLE = TablePlan("t", "1.9", ("1.9.1", "1.9.2", "1.9.3"), (
    Column("one", "1.9.1"), Column("mac", "1.9.2", "mac"), Column("three", "1.9.3"),
))  # fmt: skip
VALUE = st.one_of(
    st.tuples(st.just(2), st.integers(-5, 5)),
    st.tuples(st.just(4), st.binary(max_size=7)),
    st.just((129, None)),
)
COLUMN = st.lists(VALUE, min_size=4, max_size=4).map(lambda found: {str(i): v for i, v in enumerate(found)})
SPARSE = st.dictionaries(st.sampled_from("0123"), VALUE)


@given(st.fixed_dictionaries({}, optional={oid: st.one_of(COLUMN, SPARSE) for oid in TABLE.columns}))
def test_rows_are_what_their_columns_say(columns: dict[str, Any]) -> None:
    scalars = {"name": "sw"}
    expected: dict[str, dict[str, Any]] = {}
    for column in TABLE.fields:
        for index, value in columns.get(column.oid, {}).items():
            if value[1] is not None:
                expected.setdefault(index, {"index": index, "scalar": scalars})[column.name] = decode(
                    value, column.read
                )
    found = _rows(TABLE, SnmpData(columns=columns), scalars)
    assert found == expected
    assert list(found) == list(expected)
