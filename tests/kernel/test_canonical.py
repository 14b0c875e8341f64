"""Canonical JSON: the vectors of RFC 8785 and what holds for every value."""

from __future__ import annotations

import json
import math
import re
import struct
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunwei.kernel.canonical import CanonicalError, _slowly, canonical, number

#: RFC 8785 appendix B: IEEE 754 bits and their JSON number
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_of_appendix_b(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert number(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_not_a_number_is_refused(value: float) -> None:
    with pytest.raises(CanonicalError, match="NaN"):
        canonical({"a": [value]})


def test_sample_of_section_3_2_2() -> None:
    text = r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(json.loads(text)) == expected.encode()


def test_keys_are_sorted_by_utf16_code_units() -> None:
    keys = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = list(json.loads(canonical(keys)).values())
    assert order == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.parametrize(
    "bad", [{1: 2}, {"a": {2}}, b"x", 2**53 + 1, -(2**63) - 1, 10**21, 10**400, "\ud800", {"\udc00": 1}, object()]
)
def test_what_json_cannot_say_is_refused_with_its_place(bad: Any) -> None:
    with pytest.raises(CanonicalError) as caught:
        canonical({"outer": [0, bad]})
    assert caught.value.where.startswith("$.outer[1]")


def test_depth_is_bounded() -> None:
    value: Any = []
    for _ in range(1000):
        value = [value]
    with pytest.raises(CanonicalError, match="deep"):
        canonical(value)


text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)


@given(values)
def test_it_reads_back_and_is_a_fixed_point(value: Any) -> None:
    once = canonical(value)
    assert json.loads(once, parse_int=float) == value
    assert canonical(json.loads(once)) == once


@given(st.dictionaries(text, st.integers(0, 9)))
def test_order_of_insertion_does_not_matter(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_the_same_double(value: float) -> None:
    assert float(number(value)) == value


class Word(str, Enum):  # noqa: UP042 - as Django's choices are
    """What a model's choices are: a str, and not exactly one."""

    A = "甲"


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()  # lone surrogates among it
    | st.sampled_from([Word.A, Decimal("1.5"), uuid.UUID(int=1), datetime(2026, 1, 1, tzinfo=UTC), b"x", {1, 2}]),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers() | st.just(Word.A), inner)
    ),
    max_leaves=12,
)


@given(anything)
def test_the_fast_way_and_the_careful_one_never_differ(value: Any) -> None:
    """Bytes or refusal: whatever reaches the log by one would have reached it by the other."""
    try:
        careful = _slowly(value)
    except CanonicalError as refused:
        with pytest.raises(CanonicalError, match=re.escape(refused.message)):
            canonical(value)
    else:
        assert canonical(value) == careful
