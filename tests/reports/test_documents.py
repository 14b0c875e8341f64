"""PDF and DOCX of a real month: they say what the figures say, are archival and tagged, and come out the same twice."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import docx
import pypdf
import pytest
from django.utils import translation
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml.ns import qn

from tests.reports.conftest import World
from tests.reports.month import NOW
from yunwei.gm import sm3
from yunwei.kernel.canonical import canonical
from yunwei.reports import figures, outline, period, services, typeset, word
from yunwei.reports.blocks import Table, walk
from yunwei.reports.evidence import ranges, span

pytestmark = pytest.mark.django_db


def content_of(data: dict[str, Any], edition: int = 1) -> bytes:
    return canonical({"edition": edition, "data": data})


def squeezed(text: str) -> str:
    """Without white space: lines are broken where the page ends, which says nothing."""
    return re.sub(r"[\s\u200b\u00ad]+", "", text)


def text_of(pdf: bytes) -> str:
    return squeezed("".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages))


@pytest.fixture(scope="module")
def data(month: World) -> dict[str, Any]:
    return figures.gather(month.of, NOW)


@pytest.fixture(scope="module")
def made(data: dict[str, Any]) -> services.Made:
    return services.make(content_of(data))


@pytest.fixture(scope="module")
def text(made: services.Made) -> str:
    return text_of(made.pdf)


def test_every_obligations_row_stands_in_the_pdf_with_its_figures_and_evidence(data: dict[str, Any], text: str) -> None:
    rows = [o for o in data["duties"]["obligations"] if o["sum"]["all"]]
    assert len(rows) > 20
    for o in rows:
        s = o["sum"]
        numbers = "".join(str(s[k]) for k in ("all", "kept", "late", "missed", "unproven", "exempt", "overdue", "open"))
        every = [n for group in o["numbers"].values() for n in group]
        assert squeezed(f"{o['id']} {o['title']}{'、'.join(o['clauses'])}{numbers}{span(every)}") in text, o["id"]


def test_the_index_lists_every_number_behind_every_figure(data: dict[str, Any], text: str) -> None:
    for o in data["duties"]["obligations"]:
        for state, numbers in o["numbers"].items():
            if state == "kept":
                assert squeezed(f"{o['id']}按期履行{len(numbers)}{ranges(numbers)}") in text


def test_the_sum_sentence_and_the_key_figures(data: dict[str, Any], text: str) -> None:
    s = data["duties"]["sum"]
    assert (
        f"应履行{s['all']}项：按期履行{s['kept']}项、迟延{s['late']}项、未履行{s['missed']}项、未能证明{s['unproven']}项"
        in text
    )
    sweeps = data["sweeps"]
    assert f"{sweeps['proven']}/{sweeps['agreed']}台次" in text


def test_what_was_not_proven_has_its_own_section_by_cause(data: dict[str, Any], text: str) -> None:
    start = text.index("未能证明既不是履行")
    section = text[start : text.index("四、巡检与覆盖", start)]
    marks = [section.index(squeezed(f"原因：{who}")) for who in ("乙方", "甲方", "第三方", "尚不清楚")]
    assert marks == sorted(marks)
    bounds = dict(
        zip(("vendor", "client", "third", "unknown"), zip(marks, [*marks[1:], len(section)], strict=True), strict=True)
    )
    for row in data["unproven"]["rows"]:
        begin, end = bounds[row["cause"]]
        assert squeezed(f"№ {row['number']}") in section[begin:end]


def test_findings_tickets_and_sweeps_stand_with_their_numbers(data: dict[str, Any], text: str) -> None:
    for found in data["findings"]["rows"]:
        assert squeezed(f"{found['asset_name']} {found['asset']}") in text
        assert f"№{found['number']}" in text
    for ticket in data["tickets"]["rows"]:
        assert ticket["number"] in text
        assert squeezed(ticket["title"]) in text
    for sweep in data["sweeps"]["rows"]:
        assert f"№{sweep['number']}" in text
    assert "阳性对照没有报出" in text  # the scene's twelfth sweep was blind


def test_no_person_stands_in_the_document(month: World, text: str) -> None:
    assert not [name for name in month.people if name in text]


def test_it_is_archival_tagged_chinese_and_has_all_its_fonts(made: services.Made) -> None:
    reader = pypdf.PdfReader(io.BytesIO(made.pdf))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"].lower().startswith("zh")
    assert "/StructTreeRoot" in root
    assert "/OutputIntents" in root
    xmp = root["/Metadata"].get_object().get_data().decode()
    assert re.search(r"pdfaid:part>2<", xmp)
    assert re.search(r"pdfaid:conformance>A<", xmp)
    assert re.search(r"pdfuaid:part>1<", xmp)
    kinds = json.dumps(_tags(root["/StructTreeRoot"]))
    for tag in ("/H1", "/Table", "/TH", "/Figure", "/TOC"):
        assert tag in kinds
    fonts = {f for page in reader.pages for f in page["/Resources"].get("/Font", {}).values()}
    assert fonts
    for font in fonts:
        descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert any(key in descriptor for key in ("/FontFile2", "/FontFile3"))


def _tags(node: Any) -> list[str]:
    out, todo = [], [node]
    while todo:
        one = todo.pop()
        one = one.get_object() if hasattr(one, "get_object") else one
        if isinstance(one, dict):
            out.append(str(one.get("/S", "")))
            kids = one.get("/K", [])
            todo += kids if isinstance(kids, list) else [kids]
    return sorted(set(out))


def test_every_drawing_says_in_words_what_it_shows(data: dict[str, Any]) -> None:
    document = outline.document(data, edition=1)
    charts = [b for _l, s in walk(document.sections) for b in s.blocks if type(b).__name__ == "Chart"]
    assert len(charts) == 3
    assert all(any(c.isdigit() for c in chart.alt) for chart in charts)


ANOTHER = """
import os, sys, json
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
from yunwei.gm import sm3
from yunwei.reports import services
made = services.make(open(sys.argv[1], "rb").read())
print(json.dumps([sm3.hexdigest(made.pdf), sm3.hexdigest(made.docx)]))
"""


def test_another_process_makes_the_same_bytes(data: dict[str, Any], made: services.Made, tmp_path: Path) -> None:
    file = tmp_path / "content.json"
    file.write_bytes(content_of(data))
    env = {**os.environ, "PYTHONHASHSEED": "77", "TZ": "America/Lima", "LANG": "de_DE.UTF-8"}
    run = subprocess.run(
        [sys.executable, "-c", ANOTHER, str(file)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert json.loads(run.stdout) == [sm3.hexdigest(made.pdf), sm3.hexdigest(made.docx)]


def test_kept_and_read_again_the_data_gives_the_same_document(data: dict[str, Any]) -> None:
    again = json.loads(content_of(data))["data"]
    assert outline.document(again, edition=1) == outline.document(data, edition=1)


def test_the_record_of_making_names_data_fonts_and_typesetter(made: services.Made, text: str) -> None:
    assert sm3.hexdigest(made.content) in text
    assert f"typst{typeset.version()}" in text
    assert set(made.fonts["files"]) == {r["file"] for r in made.fonts["roles"].values()} | set(made.fonts["files"])
    assert all(len(d) == 64 for d in made.fonts["files"].values())


# --- DOCX -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(made: services.Made) -> Any:
    return docx.Document(io.BytesIO(made.docx))


def test_docx_has_the_same_tables_cell_by_cell(data: dict[str, Any], document: Any) -> None:
    tree = outline.document(data, edition=1)
    wanted = [b for _l, s in walk(tree.sections) for b in s.blocks if isinstance(b, Table) and b.rows]
    tables = [
        t
        for t in document.tables
        if t.rows[0]._tr.trPr is not None and t.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
    ]
    assert len(tables) == len(wanted) > 10
    for have, want in zip(tables, wanted, strict=True):
        rows = [[c.text for c in row.cells] for row in have.rows]
        assert rows[0] == [c.title for c in want.columns]
        assert rows[1:] == [[c.text for c in row] for row in want.rows]


def test_docx_has_the_same_sections_and_paragraphs(data: dict[str, Any], document: Any) -> None:
    tree = outline.document(data, edition=1)
    heads = [p.text for p in document.paragraphs if p.style.name.startswith("Heading")]
    wanted = [s.number + s.title for _level, s in walk(tree.sections)]
    assert heads[: len(wanted)] == wanted
    assert any(tree.answer in p.text for p in document.paragraphs)
    assert len(document.inline_shapes) == 3


def test_docx_names_a_chinese_font_on_every_style_and_no_theme(document: Any) -> None:
    for style in document.styles:
        if style.type == WD_STYLE_TYPE.LIST:
            continue
        fonts = style.element.rPr.find(qn("w:rFonts"))
        assert fonts.get(qn("w:eastAsia")) in word.FONTS.values(), style.name
        assert not [a for a in fonts.attrib if "Theme" in a]
    defaults = document.styles.element.find(qn("w:docDefaults")).find(qn("w:rPrDefault")).find(qn("w:rPr"))
    assert defaults.find(qn("w:rFonts")).get(qn("w:eastAsia")) == "宋体"


def test_docx_has_fixed_dates_and_page_numbers_for_odd_and_even(made: services.Made, document: Any) -> None:
    with zipfile.ZipFile(io.BytesIO(made.docx)) as archive:
        assert {i.date_time for i in archive.infolist()} == {word.ZIP_DATE}
        assert archive.testzip() is None
    core = document.core_properties
    assert core.created == core.modified == NOW.replace(microsecond=0)
    assert document.settings.odd_and_even_pages_header_footer
    body = document.sections[-1]
    for footer in (body.footer, body.even_page_footer):
        assert " PAGE " in footer._element.xml
    assert not document.sections[0].footer.paragraphs[0].text  # the cover


# --- what may not go wrong --------------------------------------------------------------------------------------------


def test_a_month_without_data_says_so(month: World) -> None:
    empty = figures.gather(period.parse("monthly", "2027-06", "Asia/Shanghai"), NOW)
    made = services.make(content_of(empty))
    text = text_of(made.pdf)
    assert "本期没有数据" in text
    assert "没有看过，就没有结论" in text
    assert "报告期不在合同服务期内" in text
    assert "100.0%" not in text
    assert "本期没有数据" in "".join(p.text for p in docx.Document(io.BytesIO(made.docx)).paragraphs)


def test_a_demo_is_marked_on_the_cover_and_on_every_page(data: dict[str, Any], made: services.Made) -> None:
    plain = pypdf.PdfReader(io.BytesIO(made.pdf))
    assert "演示数据" not in plain.pages[3].extract_text()
    with translation.override("en"):  # documents are Chinese whoever asks for them
        marked = services.make(content_of({**data, "demo": True}, edition=2))
    assert marked.pdf != made.pdf
    pages = [squeezed(p.extract_text()) for p in pypdf.PdfReader(io.BytesIO(marked.pdf)).pages]
    assert "演示" in pages[0]
    assert all("演示数据，不作为履约证明" in page for page in pages[2:])
    paper = docx.Document(io.BytesIO(marked.docx))
    assert "演示" in paper.paragraphs[0].text
    for footer in (paper.sections[-1].footer, paper.sections[-1].even_page_footer):
        assert "演示数据，不作为履约证明" in footer.paragraphs[0].text


HOSTILE = (
    '#set page(width:1cm) #import "@preview/x:0.1.0" #eval("1") $x^2$ *b* _i_ `c` <label> @ref \\ // /* = 标题 #[',
    "a\x00b\x07c\x1b[31md\u202egnp.exe\u2066\ufeff\ue000\U0001f600\ud7ff",
    "A" * 400,
    "]]></w:t><script>alert(1)</script>&amp;{{7*7}}{% raw %}",
    "喆玥琎祎慜曌",
)


def test_hostile_names_are_text_and_stay_on_the_page(data: dict[str, Any]) -> None:
    told = json.loads(json.dumps(data))
    places = [*told["findings"]["rows"], *told["lines"]["hardware"]["failed"]["rows"], *told["tickets"]["rows"]]
    assert len(places) > len(HOSTILE)
    for i, row in enumerate(places):
        row.update({k: HOSTILE[i % len(HOSTILE)] for k in ("asset_name", "name", "title") if k in row})
    told["contract"]["parties"][0]["name"] = HOSTILE[0]
    made = services.make(content_of(told))
    reader = pypdf.PdfReader(io.BytesIO(made.pdf))
    pages = [p.extract_text() for p in reader.pages]
    assert len(pages) < 40
    text = squeezed("".join(pages))
    paper = docx.Document(io.BytesIO(made.docx))
    cells = {c.text for t in paper.tables for row in t.rows for c in row.cells}
    for name in (n for n in HOSTILE if n.isprintable()):
        assert squeezed(name) in text, name
        assert any(name in c for c in cells), name
    assert "‹U+202E›gnp.exe" in text
    assert "‹U+0000›" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", text)
    assert any("‹U+1F600›" in c for c in cells)
    assert _rightmost(reader) < float(reader.pages[0].mediabox.width) - 20
    assert not [
        line
        for page in pages
        for line in page.split("\n")
        if len(line.replace("\u200b", "").strip("A")) < 5 and len(line) > 60
    ]


def _rightmost(reader: pypdf.PdfReader) -> float:
    """How far to the right anything begins on any page, in points."""
    most = 0.0

    def see(text: str, cm: list[float], tm: list[float], _font: Any, _size: float) -> None:
        nonlocal most
        if text.strip():
            most = max(most, tm[4] * cm[0] + cm[4])

    for page in reader.pages:
        page.extract_text(visitor_text=see)
    return most


def test_english_readers_get_the_same_figures_in_their_language(data: dict[str, Any]) -> None:
    chinese = outline.document(data, edition=1)
    with translation.override("en"):
        english = outline.document(data, edition=1)
    digits = [
        [c.text for c in row if c.text.isdecimal()]
        for _l, s in walk(chinese.sections)
        for b in s.blocks
        if isinstance(b, Table)
        for row in b.rows
    ]
    same = [
        [c.text for c in row if c.text.isdecimal()]
        for _l, s in walk(english.sections)
        for b in s.blocks
        if isinstance(b, Table)
        for row in b.rows
    ]
    assert digits == same
    assert english.title != chinese.title
