"""A letter keeps the measures of GB/T 9704-2012, read back from the PDF itself."""

from __future__ import annotations

import io
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pypdf
import pytest
from django.conf import settings

from yunwei.reports import letter
from yunwei.reports.errors import ReportError
from yunwei.reports.letter import Letter

MM = 72 / 25.4
#: no punctuation and no Latin letters: those may give way, plain characters stand on the grid
PLAIN = "我公司已按贵中心要求完成全部整改工作并报送相关材料请予审核" * 12


def letter_of(**changes: Any) -> Letter:
    told: dict[str, Any] = {
        "title": "关于报送整改情况的函",
        "to": ["上海市青浦区政务服务中心"],
        "body": [PLAIN, "一、核查情况", PLAIN, "（一）补足备件。" + PLAIN, PLAIN, "特此函复。"],
        "sender": "上海长城电子信息网络有限公司",
        "date": date(2026, 11, 30),
        "attachments": ["部件更换记录", "复检结果"],
        "number": "沪长信函〔2026〕18号",
    }
    return Letter(**(told | changes))


Glyphs = list[tuple[float, float, float, str, str]]  # x, y from the top (points), size, font, text


def glyphs(page: pypdf.PageObject) -> Glyphs:
    out: Glyphs = []
    height = float(page.mediabox.height)

    def see(text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        if text.strip():
            x, y = tm[4] * cm[0] + cm[4], tm[5] * cm[3] + cm[5]
            out.append((x, height - y, size * abs(tm[0]), str(font["/BaseFont"]) if font else "", text.strip()))

    page.extract_text(visitor_text=see)
    return out


@pytest.fixture(scope="module")
def pages() -> list[pypdf.PageObject]:
    return list(pypdf.PdfReader(io.BytesIO(letter.pdf(letter_of()))).pages)


@pytest.fixture(scope="module")
def lines(pages: list[pypdf.PageObject]) -> list[list[tuple[float, str, float]]]:
    """Of each page its lines: (y, text, size), top down."""
    out = []
    for page in pages:
        by: dict[float, list[tuple[float, float, str]]] = {}
        for x, y, size, _font, text in glyphs(page):
            by.setdefault(round(y, 1), []).append((x, size, text))
        out.append([(y, "".join(t for _x, _s, t in sorted(row)), row[0][1]) for y, row in sorted(by.items())])
    return out


def test_it_is_a4_with_the_standards_margins(pages: list[pypdf.PageObject]) -> None:
    assert len(pages) >= 2
    for number, page in enumerate(pages, 1):
        assert float(page.mediabox.width) == pytest.approx(210 * MM, abs=0.1)
        assert float(page.mediabox.height) == pytest.approx(297 * MM, abs=0.1)
        body = [g for g in glyphs(page) if g[1] < (37 + 225) * MM]
        left = (28 if number % 2 else 26) * MM  # bound at the left of odd pages, at the right of even ones
        assert min(g[0] for g in body) == pytest.approx(left, abs=1.2)
        assert min(g[1] - 0.8 * 16 for g in body) >= 37 * MM - 1
        assert max(g[1] for g in body) <= (37 + 225) * MM


def test_a_line_has_28_characters_and_the_page_22_lines(lines: list[list[tuple[float, str, float]]]) -> None:
    full = Counter(len(text) for page in lines for _y, text, _s in page if set(text) <= set(PLAIN))
    assert full.most_common(1)[0][0] == 28
    assert max(full) == 28
    steps = [
        b[0] - a[0] for page in lines for a, b in pairwise(page) if set(b[1]) <= set(PLAIN) and set(a[1]) <= set(PLAIN)
    ]
    assert steps
    for step in steps:
        assert step == pytest.approx(225 * MM / 22, abs=0.3)
    assert sum(1 for y, _t, _s in lines[1] if y < (37 + 225) * MM) <= 22
    assert 225 * MM / (225 * MM / 22) == 22


def test_sizes_and_faces(pages: list[pypdf.PageObject]) -> None:
    first = glyphs(pages[0])
    title = next(g for g in first if g[4].startswith("关于报送"))
    assert title[2] == pytest.approx(22)
    assert "Bold" in title[3] or "小标宋" in title[3] or "XiaoBiao" in title[3]
    body = [g for g in first if set(g[4]) <= set(PLAIN)]
    assert {round(g[2], 1) for g in body} == {16.0}
    heading = next(g for p in pages for g in glyphs(p) if g[4].startswith("一、"))
    assert heading[2] == pytest.approx(16)
    assert heading[3] != body[0][3]


def test_the_order_is_number_title_addressee_body_attachments_sender_date(
    lines: list[list[tuple[float, str, float]]],
) -> None:
    text = "\n".join(t for page in lines for _y, t, _s in page)
    marks = [
        "〔2026〕",
        "关于报送整改情况的函",
        "上海市青浦区政务服务中心：",
        "我公司已按",
        "附件：",
        "上海长城电子信息网络有限公司",
        "2026年11月30日",
    ]
    found = [text.index(m) for m in marks]
    assert found == sorted(found)


def test_the_date_stands_four_characters_from_the_right_and_the_sender_above_its_middle(
    pages: list[pypdf.PageObject],
) -> None:
    last = glyphs(pages[-1])
    day = [g for g in last if "2026" in g[4] and "月" in g[4] and "〔" not in g[4]]
    sender = [g for g in last if g[4].startswith("上海长城")]
    assert len(day) == len(sender) == 1
    edge = (26 if len(pages) % 2 == 0 else 28) * MM + 156 * MM
    wide = len("上海长城电子信息网络有限公司") * 15.79
    assert sender[0][0] + wide <= edge + 1
    assert day[0][1] > sender[0][1]
    assert day[0][0] > sender[0][0]  # the shorter one is centred under the longer


def test_page_numbers_between_dashes_odd_right_even_left(pages: list[pypdf.PageObject]) -> None:
    for number, page in enumerate(pages, 1):
        foot = [g for g in glyphs(page) if g[1] > (37 + 225) * MM]
        assert "".join(g[4] for g in sorted(foot)).replace(" ", "") == f"—{number}—"
        assert {round(g[2]) for g in foot} == {14}
        middle = sum(g[0] for g in foot) / len(foot)
        assert (middle > 105 * MM) == bool(number % 2)


def test_it_is_archival_and_the_same_twice() -> None:
    made = letter.pdf(letter_of())
    assert made == letter.pdf(letter_of())
    xmp = pypdf.PdfReader(io.BytesIO(made)).trailer["/Root"]["/Metadata"].get_object().get_data().decode()
    assert "pdfaid:part>2<" in xmp
    assert "pdfuaid:part>1<" in xmp


def test_a_demo_marks_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "YUNWEI", {**settings.YUNWEI, "demo": True})
    reader = pypdf.PdfReader(io.BytesIO(letter.pdf(letter_of())))
    assert all("演示" in page.extract_text() for page in reader.pages)


def test_one_attachment_has_no_number_and_none_has_no_line() -> None:
    one = (
        pypdf.PdfReader(io.BytesIO(letter.pdf(letter_of(body=["正文。"], attachments=["清单"]))))
        .pages[0]
        .extract_text()
    )
    assert "附件：清单" in one.replace(" ", "").replace("\n", "")
    none = pypdf.PdfReader(io.BytesIO(letter.pdf(letter_of(body=["正文。"], attachments=[])))).pages[0].extract_text()
    assert "附件" not in none


def test_typst_markup_in_a_letter_is_text() -> None:
    text = pypdf.PdfReader(io.BytesIO(letter.pdf(letter_of(body=['#eval("1+1") *重点* $x$']))))
    assert '#eval("1+1")*重点*$x$' in text.pages[0].extract_text().replace(" ", "").replace("\n", "").replace(
        "“", '"'
    ).replace("”", '"')


GOOD = """
title: 关于报送整改情况的函
to: [甲方单位]
body: [正文。]
sender: 乙方单位
date: 2026-11-30
"""


def test_a_file_becomes_a_letter(tmp_path: Path) -> None:
    file = tmp_path / "letter.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert letter.load(file) == Letter("关于报送整改情况的函", ["甲方单位"], ["正文。"], "乙方单位", date(2026, 11, 30))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (GOOD.replace("sender: 乙方单位\n", ""), "sender"),
        (GOOD.replace("乙方单位", '" "'), "sender"),
        (GOOD.replace("2026-11-30", "昨天"), "date"),
        (GOOD + "cc: [某某]\n", "cc"),
        (GOOD + "number: 沪长信[2026]18号\n", "〔2026〕"),
        (GOOD.replace("[正文。]", "[]"), "body"),
        ("title: [", "YAML"),
        ("- 1\n", "title"),
        ("a: &a [*a]\nb: *a", "title"),
    ],
)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "letter.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        letter.load(file)
    assert word in str(caught.value)


def test_a_file_that_is_no_text_or_too_big_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "letter.yaml"
    file.write_bytes(b"\xff\xfe\x00title")
    with pytest.raises(ReportError):
        letter.load(file)
    file.write_bytes(b"#" * (letter.MAX_BYTES + 1))
    with pytest.raises(ReportError):
        letter.load(file)
