"""A reading over time: nothing is drawn where nobody saw, limits are drawn for as long as they held."""

from __future__ import annotations

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yunwei.charts.series import Day, Point, calendar, figure, line, runs, spark, states

EVIL = '<script>alert("1")</script>\'&'
SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False))
#: a loaded machine is slow at making examples; that is no property of the charts
CALM = settings(suppress_health_check=[HealthCheck.too_slow])
MONTHS = [f"{n}月" for n in range(1, 13)]


def parsed(drawing: str) -> ElementTree.Element:
    """Well-formed, or the test fails."""
    return ElementTree.fromstring(drawing)


def points(*values: float | None, **more: object) -> list[Point]:
    last = max(len(values) - 1, 1)
    return [Point(i / last, v, "ok" if v is not None else "unp", **more) for i, v in enumerate(values)]  # type: ignore[arg-type]


def vertices(drawing: str) -> list[list[tuple[float, float]]]:
    lines = parsed(drawing).iter("polyline")
    return [[tuple(map(float, p.split(","))) for p in (one.get("points") or "").split()] for one in lines]  # type: ignore[misc]


@CALM
@given(st.lists(VALUES, max_size=40))
def test_a_line_joins_looks_that_follow_each_other_and_nothing_else(values):
    seen = points(*values)
    parts = [part for part in runs(seen) if len(part) > 1]
    for drawing in (spark(seen, "x"), line(seen, "x")):
        drawn = vertices(drawing)
        assert [len(one) for one in drawn] == [len(part) for part in parts]
        for one, part in zip(drawn, parts, strict=True):
            inside = [p for p in seen if part[0].at <= p.at <= part[-1].at]
            assert all(p.value is not None for p in inside), "no line passes a look that saw nothing"
            assert one == sorted(one, key=lambda v: v[0])


@CALM
@given(st.lists(VALUES, min_size=1, max_size=40))
def test_each_look_that_saw_nothing_has_its_mark_and_each_figure_lies_inside(values):
    seen = points(*values)
    root = parsed(spark(seen, "x", height=30))
    marks = [r for r in root.iter("rect") if r.get("class") == "f-unp"]
    assert len(marks) == sum(v is None for v in values)
    for one in vertices(spark(seen, "x", height=30)):
        assert all(3 <= y <= 25 and 2 <= x <= 238 for x, y in one)


def test_a_figure_between_two_gaps_is_a_dot():
    root = parsed(spark(points(None, 4.0, None), "x"))
    assert len(list(root.iter("circle"))) == 1
    assert not list(root.iter("polyline"))


def test_what_nobody_asked_for_is_not_told_as_blindness():
    root = parsed(spark([Point(0, None, "mut"), Point(1, None, "unp")], "x"))
    assert [r.get("class") for r in root.iter("rect")] == ["f-line", "f-unp"]


def test_a_limit_is_drawn_as_long_as_it_held():
    before, after = (("warn", 40.0),), (("warn", 45.0), ("bad", 60.0))
    seen = [Point(0.1, 30, limits=before), Point(0.4, 31, limits=before), Point(0.7, 32, limits=after)]
    paths = list(parsed(spark(seen, "x", width=104)).iter("path"))
    spans = [
        (p.get("class"), *map(float, re.findall(r"M([\d.]+) [\d.]+H([\d.]+)", p.get("d") or "")[0])) for p in paths
    ]
    assert spans == [("arc s-warn", 2, 72), ("arc s-warn", 72, 102), ("arc s-bad", 72, 102)]
    heights = {float(re.findall(r"M[\d.]+ ([\d.]+)", p.get("d") or "")[0]) for p in paths}
    assert len(heights) == 3
    assert all(3 <= y <= 25 for y in heights), "a limit far from the reading is still in the picture"


def test_bad_looks_are_dots_and_good_ones_are_the_line():
    seen = [Point(0, 1), Point(0.5, 2, "bad", label="11-25 严重"), Point(1, 3)]
    (small,) = parsed(spark(seen, "x")).iter("circle")
    assert len(small) == 0, "a line in a table has no hints: they would weigh more than it does"
    (dot,) = parsed(line(seen, "x")).iter("circle")
    assert dot.get("class") == "f-bad"
    assert dot[0].text == "11-25 严重"


@pytest.mark.parametrize("values", [(5.0, 5.0), (5.0,), (), (None, None), (-3.0, -3.0, 1e9)])
def test_flat_single_and_empty_series_are_drawn(values):
    for drawing in (spark(points(*values), "x"), line(points(*values), "x", ticks=[(0.5, "11-26")])):
        parsed(drawing)


def test_the_axis_stands_on_whole_steps_around_everything():
    told = [t.text for t in parsed(line(points(41.2, 58.8), "x")).iter("text")]
    assert told == ["40", "45", "50", "55", "60"]


def test_a_state_over_time_is_low_where_it_is_right_and_tall_where_it_is_not():
    seen = [Point(0, None, "ok"), Point(0.5, None, "bad", label="x"), Point(1, None, "unp")]
    root = parsed(states(seen, "x", height=14))
    assert [(r.get("class"), r.get("height")) for r in root.iter("rect")] == [("f-bad", "10"), ("f-unp", "10")]
    assert [p.get("class") for p in root.iter("path")] == ["arc s-ok"]


@CALM
@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.lists(st.sampled_from(["", "ok", "bad", "unp"]), max_size=400))
def test_a_calendar_has_one_cell_a_day_in_its_week(start, tones):
    days = [Day(start + timedelta(days=i), tone, f"{i}") for i, tone in enumerate(tones)]
    root = parsed(calendar(days, MONTHS, "x"))
    told = list(root.iter("rect"))
    blank = "".join(p.get("d") or "" for p in root.iter("path"))
    assert len(told) == sum(bool(t) for t in tones)
    assert blank.count("z") == sum(not t for t in tones), "days on which nobody looked stay visible"
    monday = start - timedelta(days=start.weekday())
    for cell, day in zip(told, [d for d in days if d.tone], strict=True):
        week, weekday = divmod((day.day - monday).days, 7)
        assert (float(cell.get("x") or 0), float(cell.get("y") or 0)) == (week * 11, 14 + weekday * 11)
        assert cell[0].text == day.label


def test_a_cell_has_the_same_size_whatever_part_of_the_year_is_over():
    day = [Day(date(2026, 2, 3), "ok", "x")]
    assert parsed(calendar(day, MONTHS, "x", weeks=54)).get("viewBox") == "0 0 592 89"


def test_every_text_is_escaped_and_nothing_carries_style():
    seen = [Point(0, 1, "bad", (("warn", 2.0),), EVIL), Point(1, None, "unp", (), EVIL)]
    drawings = [
        spark(seen, EVIL),
        line(seen, EVIL, ticks=[(0.5, EVIL)]),
        states(seen, EVIL),
        calendar([Day(date(2026, 2, 1), "bad", EVIL)], [EVIL] * 12, EVIL),
    ]
    for drawing in drawings:
        root = parsed(drawing)
        assert root.get("aria-label") == EVIL
        assert "<script" not in drawing
        assert "style" not in drawing
        assert not re.search(r'(fill|stroke|color)="', drawing)
        assert not re.search(r"#[0-9a-f]{3,6}\b", drawing)
        assert {e.text for e in root.iter("title")} <= {EVIL}
    assert EVIL in {e.text for e in parsed(drawings[1]).iter("title")}


@CALM
@given(st.lists(VALUES, max_size=20))
def test_the_same_input_gives_the_same_bytes(values):
    assert line(points(*values), "x") == line(points(*values), "x")


@pytest.mark.parametrize(
    ("value", "told"),
    [(41.0, "41"), (0.00592, "0.00592"), (12.1734, "12.17"), (1234567.0, "1,234,567"), (98765.4, "98,765"), (0.0, "0")],
)
def test_figures_are_told_as_people_write_them(value, told):
    assert figure(value) == told
