"""Charts are pure: the same input gives the same bytes, every text is escaped, no style stands inside, figures add up."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunwei.charts.svg import Milestone, Slice, bar, clock, ring, year_line

EVIL = '<script>alert("1")</script>\'&'
TONES = st.sampled_from(["ok", "info", "warn", "bad", "unp", "mut"])
SLICES = st.lists(st.builds(Slice, st.integers(0, 5000), TONES), max_size=6)
SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing: str) -> ElementTree.Element:
    """Well-formed, or the test fails."""
    return ElementTree.fromstring(drawing)


def drawings(text: str) -> list[str]:
    stone = Milestone(0.5, text, text, past=True)
    return [
        ring([Slice(1, "ok")], text, text, text),
        clock(0.3, "ok"),
        bar([Slice(1, "ok")], 2, text),
        year_line([stone], 0.4, text, text, ticks=[0.1]),
    ]


def test_every_text_is_escaped_and_comes_out_whole():
    for drawing in drawings(EVIL):
        assert "<script" not in drawing
        root = parsed(drawing)
        assert root.get("aria-label") in (EVIL, None)
        assert all(element.text == EVIL for element in root.iter("text"))


def test_nothing_carries_style_or_colour_of_its_own():
    for drawing in drawings("今日"):
        assert "style" not in drawing
        assert not re.search(r'(fill|stroke|color)="', drawing)
        assert not re.search(r"#[0-9a-f]{3,6}\b", drawing)


@given(SLICES)
def test_the_same_input_gives_the_same_bytes(slices):
    assert ring(slices, "1", "2", "3") == ring(slices, "1", "2", "3")
    assert bar(slices, 10, "x") == bar(slices, 10, "x")


@given(SLICES)
def test_the_arcs_of_a_ring_go_round_once_and_follow_each_other(slices):
    root = parsed(ring(slices, "", "", ""))
    arcs = [c for c in root.iter("circle") if "arc" in (c.get("class") or "")]
    shown = [s for s in slices if s.count > 0]
    assert [c.get("class") for c in arcs] == [f"arc s-{s.tone}" for s in shown]
    around, total, turned = 2 * math.pi * 52, sum(s.count for s in shown), 0.0
    for part, arc in zip(shown, arcs, strict=True):
        length = around * part.count / total
        drawn = float((arc.get("stroke-dasharray") or "").split()[0])
        assert drawn == pytest.approx(max(length - 1.5, 0.8), abs=0.006)
        assert -float(arc.get("stroke-dashoffset") or 0) == pytest.approx(turned, abs=0.006)
        turned += length
    assert not shown or turned == pytest.approx(around)


def test_a_ring_of_nothing_is_an_empty_ring():
    root = parsed(ring([], "—", "尚无已结", "x"))
    assert len(list(root.iter("circle"))) == 1


@given(st.floats(-2, 3))
def test_a_clock_never_shows_more_than_all_or_less_than_none(used):
    arc = list(parsed(clock(used, "ok")).iter("circle"))[1]
    left = float((arc.get("stroke-dasharray") or "").split()[0])
    assert left == pytest.approx(2 * math.pi * 14 * min(max(1 - used, 0), 1), abs=0.006)


@given(SLICES)
def test_the_parts_of_a_bar_lie_side_by_side_and_fill_their_share(slices):
    total = sum(s.count for s in slices)
    rects = list(parsed(bar(slices, total, "x")).iter("rect"))
    x = 0.0
    for part, rect in zip([s for s in slices if s.count], rects, strict=True):
        assert float(rect.get("x") or 0) == pytest.approx(x, abs=0.006)
        assert float(rect.get("width") or 0) == pytest.approx(100 * part.count / total, abs=0.006)
        x += 100 * part.count / total
    assert not rects or x == pytest.approx(100)


def test_a_bar_of_nothing_claims_nothing():
    assert list(parsed(bar([Slice(0, "ok")], 0, "x")).iter("rect")) == []


STONES = st.lists(
    st.builds(Milestone, st.floats(0, 1), st.sampled_from(["双方签署", "期满", "方案第 12 版审定", "x"]), st.just("11-26"), st.booleans()),
    max_size=12,
)  # fmt: skip


@given(STONES, st.one_of(st.none(), st.floats(0, 1)), st.sampled_from([760.0, 1200.0]))
def test_captions_of_the_year_never_lie_over_one_another(stones, today, width):
    root = parsed(year_line(stones, today, "今天", "x", width=width))
    assert root.get("viewBox") == f"0 0 {width:g} 92"
    boxes: dict[str, list[tuple[float, float]]] = {}
    for text in root.iter("text"):
        said, x = text.text or "", float(text.get("x") or 0)
        wide = sum(12.5 if ord(c) > 0x2E80 else 12.5 * 0.58 for c in said) * (
            1 if text.get("font-size") == "12.5" else 0.9
        )
        start = {"start": x, "end": x - wide}.get(text.get("text-anchor") or "", x - wide / 2)
        if "today" not in (text.get("class") or ""):
            assert start >= -0.1
            assert start + wide <= width + 0.1
        for a, b in boxes.setdefault(text.get("y") or "", []):
            assert start + wide <= a + 0.1 or start >= b - 0.1, f"{said} over another"
        boxes[text.get("y") or ""].append((start, start + wide))
    assert len(list(root.iter("circle"))) == len(stones), "a milestone is drawn even where its caption has no room"


def test_the_past_of_the_year_reaches_to_today():
    rects = list(parsed(year_line([], 0.25, "今天", "x")).iter("rect"))
    assert float(rects[1].get("width") or 0) == pytest.approx(0.25 * float(rects[0].get("width") or 0))


def test_before_the_term_no_today_is_drawn():
    assert "today" not in year_line([], None, "今天", "x")
