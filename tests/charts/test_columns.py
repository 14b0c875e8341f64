"""Columns and paper: the drawing is true to its figures, and gets literal colours for documents."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from yunwei.charts import paper, svg
from yunwei.charts.columns import Stack, columns
from yunwei.charts.svg import Milestone, Slice
from yunwei.kernel.errors import YunweiError

NS = "{http://www.w3.org/2000/svg}"
STACKS = [
    Stack("11-01", [Slice(6, "ok"), Slice(0, "warn"), Slice(2, "unp")]),
    Stack("11-02", None),
    Stack("11-03", [Slice(4, "bad")]),
]


def rects(drawing: str, tone: str) -> list[dict[str, str]]:
    root = ET.fromstring(paper.on_paper(drawing, "Noto Sans"))
    return [r.attrib for r in root.iter(f"{NS}rect") if r.get("class") == f"f-{tone}"]


def test_a_column_is_as_tall_as_its_figures_say_and_nothing_is_drawn_for_zero() -> None:
    drawing = columns(STACKS, "label")
    six, four = float(rects(drawing, "ok")[0]["height"]) + 0.6, float(rects(drawing, "bad")[0]["height"]) + 0.6
    assert six / four == pytest.approx(1.5, rel=0.01)
    assert rects(drawing, "warn") == []
    assert float(rects(drawing, "ok")[0]["y"]) > float(rects(drawing, "unp")[0]["y"])  # first part at the bottom


def test_a_day_without_data_is_a_mark_on_the_axis_and_no_column() -> None:
    (mark,) = rects(columns(STACKS, "label"), "mut")
    assert float(mark["height"]) == 2


def test_the_axis_counts_in_whole_steps_and_names_that_would_touch_are_left_out() -> None:
    drawing = columns([Stack(f"{i:02}", [Slice(i, "ok")]) for i in range(1, 32)], "label")
    names = re.findall(r"<text[^>]*middle[^>]*>([^<]*)</text>", drawing)
    assert 10 <= len(names) <= 16
    axis = [int(t) for t in re.findall(r'text-anchor="end"[^>]*>(\d+)<', drawing)]
    assert axis == sorted(axis)
    assert axis[0] == 0
    assert axis[-1] >= 31
    assert columns([], "empty")


def test_texts_are_escaped_and_the_legend_names_its_tones() -> None:
    drawing = columns([Stack("<b>&", [Slice(1, "ok")])], '"><script>', legend=[("ok", "正常"), ("bad", "<i>")])
    assert "<script>" not in drawing
    assert "<b>" not in drawing
    assert "正常" in drawing
    ET.fromstring(paper.on_paper(drawing, "Noto Sans"))


def test_every_class_that_a_drawing_uses_has_a_colour_on_paper() -> None:
    tones = [Slice(1, tone) for tone in ("ok", "info", "warn", "bad", "unp", "mut")]
    drawings = [
        svg.ring(tones, "9", "sub", "label"),
        svg.clock(0.4, "warn"),
        svg.bar(tones, 6, "label"),
        svg.year_line(
            [Milestone(0.2, "a", "b", past=True), Milestone(0.9, "c", "d", past=False)], 0.5, "today", "l", ticks=[0.1]
        ),
        columns([Stack("x", tones)], "label", legend=[("ok", "x")]),
    ]
    rules = paper.sheet("Noto Sans")
    for drawing in drawings:
        for classes in re.findall(r'class="([^"]+)"', drawing):
            for name in classes.split():
                assert f".{name}{{" in rules or f".{name}," in rules or f".{name}." in rules, name


def test_on_paper_only_the_head_and_a_sheet_are_added() -> None:
    drawing = svg.bar([Slice(1, "ok")], 1, "label")
    made = paper.on_paper(drawing, "Noto Sans CJK SC")
    assert (
        made.replace(f"<style>{paper.sheet('Noto Sans CJK SC')}</style>", "").replace(
            ' xmlns="http://www.w3.org/2000/svg"', ""
        )
        == drawing
    )
    assert paper.size(drawing) == (100.0, 10.0)


def test_what_xml_cannot_hold_does_not_cost_the_drawing() -> None:
    ET.fromstring(paper.on_paper(columns([Stack("a\x00\x0b\ufffe", [Slice(1, "ok")])], "l\x1b"), "Noto Sans"))


@pytest.mark.parametrize(
    ("drawing", "family"),
    [("<svg onload=x>", "Noto"), (svg.bar([], 1, ""), 'x"}*{fill:red'), (svg.bar([], 1, ""), "a;b")],
)
def test_foreign_drawings_and_font_names_that_are_rules_are_refused(drawing: str, family: str) -> None:
    with pytest.raises(YunweiError):
        paper.on_paper(drawing, family)


def test_no_drawing_of_ours_is_no_size() -> None:
    with pytest.raises(YunweiError):
        paper.size("<svg>")
