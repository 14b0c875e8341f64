"""Expressions of vendor files: what they compute, and that nothing else can be said in them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunwei.inspect.vendor.expr import compile_expr, compile_template, num


def run(source, **row):  # noqa: ANN003
    return compile_expr(source)[0](row)


@pytest.mark.parametrize(
    ("source", "row", "expected"),
    [
        ("used / total * 100", {"used": 1, "total": 4}, 25.0),
        ("used / total * 100", {"used": 1, "total": 0}, None),
        ("used / total * 100", {"used": 1}, None),
        ("temp / 10 if temp != 255 else None", {"temp": 255}, None),
        ("0 < t < 200", {"t": 42}, True),
        ("0 < t < 200", {}, None),
        ("oper in (1, None)", {}, True),
        ("Status.Health", {"Status": {"Health": "OK"}}, "OK"),
        ("Status.Health", {"Status": None}, None),
        ("Controllers[0].Firmware", {"Controllers": [{"Firmware": "1.2"}]}, "1.2"),
        ("a['Members@odata.count']", {"a": {"Members@odata.count": 3}}, 3),
        ("first(a, b, 'c')", {"a": "", "b": None}, "c"),
        ("num(text)", {"text": "66.12W"}, 66.12),
        ("num(text)", {"text": "n/a"}, None),
        ("num(text)", {"text": " -5 C"}, -5),
        ("match(text, 'Ctlr (.)')", {"text": "CPU Temperature-Ctlr B"}, "B"),
        ("signed(v, 16)", {"v": 65526}, -10),
        ("bit(v, 2)", {"v": 4}, 1),
        ("part(index, '.', -1)", {"index": "1.3.7"}, "7"),
        (
            "rollup(Status)",
            {"Status": {"HealthRollUp": "Warning", "State": "Enabled"}},
            {"Health": "Warning", "State": "Enabled"},
        ),
        ("rollup(Status)", {"Status": {"HealthRollup": "OK"}}, {"Health": "OK", "State": None}),
        ("rollup(Status)", {"Status": {"Health": "OK"}}, None),
    ],
)
def test_values(source, row, expected):
    assert run(source, **row) == expected


def test_optical_power_in_microwatts():
    assert math.isclose(run("dbm(v)", v=1000), 0.0)
    assert run("dbm(v)", v=0) is None


@pytest.mark.parametrize(
    "source",
    [
        "__import__('os')",
        "().__class__",
        "a.__class__",
        "[x for x in y]",
        "lambda: 1",
        "open('/etc/passwd')",
        "a := 1",
        "f'{a}'",
        "a if",
        "class == 3",
        "num.x()",
        "num(value=1)",
        "a[b]",
        "_row",
        "{1: 2}",
    ],
)
def test_what_is_no_expression_is_refused(source):
    if source == "_row":  # a plain name reads a column of that name, nothing of the engine
        assert run(source, x=1) is None
        return
    with pytest.raises(ValueError, match=r"\w"):
        compile_expr(source)


def test_names_are_reported_in_order():
    assert compile_expr("used / first(total, size)")[1] == ["used", "total", "size"]


ANY = st.none() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=3)


@given(a=ANY, b=ANY)
def test_a_row_can_hold_anything(a, b):
    for source in ("a / b", "a * 10.0 ** b if b is not None and abs(num(b)) < 9 else None", "num(a) + num(b)",
                   "match(a, 'x')", "a < b", "signed(a, 16)", "dbm(a)", "a.x.y", "a[0]", "part(a, '.', 2)"):  # fmt: skip
        compile_expr(source)[0]({"a": a, "b": b})


def test_templates():
    assert compile_template("port/{first(name, index)}")[0]({"index": "7"}) == "port/7"
    assert compile_template("{a} {b}")[0]({"a": None, "b": "x"}) == "x"
    assert compile_template("plain")[0]({}) == "plain"


def test_a_row_of_digits_that_no_float_holds_is_no_number():
    """As the limit of a reading it would break the sentence that names the limit, and with it the whole device."""
    assert num("9" * 400 + " C") is None
    assert num("9" * 400 + ".5") is None
    assert num(" 42 C") == 42


ANY = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", " ", "x", "Fan  1"]), st.lists(st.none())
)


@given(st.fixed_dictionaries({}, optional={"a": ANY, "b": ANY, "c": ANY}))
def test_what_is_compiled_into_one_function_says_what_its_pieces_say(row: dict[str, object]) -> None:
    """`first` of names, equality and templates of them are written out in the code: nothing is called, nothing caught."""
    told = [row.get("a"), row.get("b"), 7]
    first = next(value for value in told if value is not None and value != "")
    assert run("first(a, b, 7)", **row) == first
    assert run("first(a, b)", **row) == next((v for v in told[:2] if v is not None and v != ""), None)
    assert run("a if b == 1 else c", **row) == (row.get("a") if row.get("b") == 1 else row.get("c"))
    assert run("not a and b != ''", **row) == (not row.get("a") and row.get("b") != "")
    assert compile_template("port/{first(a, b, 7)}")[0](row) == f"port/{first}".strip()
    shown = ["" if row.get(name) is None else row.get(name) for name in "ac"]
    assert compile_template("{a} -  {c}")[0](row) == " ".join(f"{shown[0]} -  {shown[1]}".split())


def test_first_of_what_cannot_be_computed_is_still_nothing() -> None:
    assert run("first(a, b + 1)", a=3) is None
    assert compile_template("x{first(a, b + 1)}")[0]({"a": 3}) == "x"
