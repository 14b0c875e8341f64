"""The same report as DOCX: editable tables, the fonts of Chinese offices by name, the same bytes for the same input.

Word's fonts are the reader's: the file names 宋体, 黑体, 楷体_GB2312, 仿宋_GB2312 as every Chinese office has them, on every
style, because a style without `w:eastAsia` falls back to whatever the reader's system likes. Drawings are PNG by typst.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import docx
from django.utils.translation import gettext as _
from docx.enum.section import WD_SECTION
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_BREAK
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor

from yunwei.reports.typeset import Press

JSON = Any
LATIN = "Times New Roman"
#: role → the font that Chinese offices have
FONTS = {
    "song": "宋体",
    "hei": "黑体",
    "kai": "楷体_GB2312",
    "fangsong": "仿宋_GB2312",
    "xiaobiaosong": "方正小标宋简体",
}
COLOURS = {
    "": "17212B", "ok": "1F7A5C", "info": "2F6698", "warn": "8F5A00", "bad": "C0352B", "unp": "6A4C93", "mut": "57626B",
}  # fmt: skip
#: A4 less the margins
LINE_MM = 156.0
TWIPS = 56.6929  # a millimetre
#: the one date of every member of the archive (the first that zip knows)
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def render(told: Mapping[str, JSON], press: Press, *, author: str, at: datetime) -> bytes:
    """The document (render.printable) as DOCX bytes."""
    document = docx.Document()
    _styles(document)
    _properties(document, told, author, at)
    _page(document.sections[0])
    _cover(document, told)
    if told["toc"]:
        _contents(document, told["sections"])
        body = document.add_section(WD_SECTION.NEW_PAGE)
        _number_from_one(body)
    _headers(document, told)
    for section in told["sections"]:
        _section(document, section, 1, press)
    return _fixed(document)


# --- the frame --------------------------------------------------------------------------------------------------------


def _styles(document: Any) -> None:
    """Chinese fonts on the defaults and on every style; theme fonts would override them and are taken out."""
    defaults = document.styles.element.find(qn("w:docDefaults"))
    _fonts(defaults.find(qn("w:rPrDefault")).find(qn("w:rPr")), "song")
    looks = {
        "Normal": ("song", 12.0), "Title": ("xiaobiaosong", 26.0), "Subtitle": ("hei", 18.0), "Caption": ("hei", 10.5),
        "Heading 1": ("hei", 16.0), "Heading 2": ("kai", 14.0), "Heading 3": ("hei", 12.0),
    }  # fmt: skip
    for style in document.styles:
        if style.type == WD_STYLE_TYPE.LIST:
            continue
        role, size = looks.get(style.name, ("song", 0.0))
        _fonts(style.element.get_or_add_rPr(), role)
        if size:
            style.font.size = Pt(size)
            style.font.bold = style.font.italic = False
            style.font.color.rgb = RGBColor.from_string(COLOURS[""])
    for name, before, after in (("Heading 1", 18, 9), ("Heading 2", 12, 7), ("Heading 3", 10, 6), ("Caption", 10, 4)):
        form = document.styles[name].paragraph_format
        form.space_before, form.space_after, form.keep_with_next = Pt(before), Pt(after), True
    for border in list(document.styles["Title"].element.iter(qn("w:pBdr"))):
        border.getparent().remove(border)


def _fonts(properties: Any, role: str) -> None:
    """Name the fonts of run properties, for Latin and for Chinese letters."""
    fonts = properties.find(qn("w:rFonts"))
    if fonts is None:
        fonts = parse_xml(f"<w:rFonts {nsdecls('w')}/>")
        properties.insert(0, fonts)
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    for name, value in (("ascii", LATIN), ("hAnsi", LATIN), ("cs", LATIN), ("eastAsia", FONTS[role])):
        fonts.set(qn(f"w:{name}"), value)


def _properties(document: Any, told: Mapping[str, JSON], author: str, at: datetime) -> None:
    core = document.core_properties
    core.title, core.subject, core.author = told["title"] + told["name"], told["subtitle"], author
    core.last_modified_by, core.comments, core.keywords, core.category = author, told["mark"], "", ""
    core.created = core.modified = core.last_printed = at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    core.revision, core.language, core.identifier, core.version = 1, "zh-CN", "", ""


def _page(section: Any) -> None:
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin = Mm(30), Mm(27)
    section.left_margin, section.right_margin = Mm(28), Mm(26)


def _number_from_one(section: Any) -> None:
    kind = section._sectPr.find(qn("w:pgNumType"))  # noqa: SLF001 - python-docx has no word for it
    if kind is None:
        kind = parse_xml(f"<w:pgNumType {nsdecls('w')}/>")
        section._sectPr.find(qn("w:cols")).addprevious(kind)  # noqa: SLF001 - the schema's order
    kind.set(qn("w:start"), "1")


def _headers(document: Any, told: Mapping[str, JSON]) -> None:
    """Page numbers with 一字线, odd right and even left, on the body; the cover has none."""
    document.settings.odd_and_even_pages_header_footer = True
    body = document.sections[-1]
    for part in (body.header, body.footer, body.even_page_header, body.even_page_footer):
        part.is_linked_to_previous = False
    for header in (body.header, body.even_page_header):
        line = header.paragraphs[0]
        line.text = f"{told['title']}　{told['name']}　{told['subtitle']}"
        line.runs[0].font.size = Pt(9)
    for footer, odd in ((body.footer, True), (body.even_page_footer, False)):
        line = footer.paragraphs[0]
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT if odd else WD_ALIGN_PARAGRAPH.LEFT
        texts = (
            ((f"{told['footer']}　　", 9.0), (None, 14.0)) if odd else ((None, 14.0), (f"　　{told['footer']}", 9.0))
        )
        for text, size in texts:
            _page_number(line, size) if text is None else _run(line, text, size, "bad" if told["mark"] else "mut")


def _run(paragraph: Any, text: str, size: float, tone: str = "", role: str = "") -> Any:
    run = paragraph.add_run(text)
    run.font.size = Pt(size)
    run.font.color.rgb = RGBColor.from_string(COLOURS[tone])
    if role:
        _fonts(run._r.get_or_add_rPr(), role)  # noqa: SLF001
    return run


def _page_number(paragraph: Any, size: float) -> None:
    _run(paragraph, "— ", size)
    field = f'<w:fldSimple {nsdecls("w")} w:instr=" PAGE "><w:r><w:rPr><w:sz w:val="{int(size * 2)}"/></w:rPr><w:t>1</w:t></w:r></w:fldSimple>'
    paragraph._p.append(parse_xml(field))  # noqa: SLF001
    _run(paragraph, " —", size)


def _cover(document: Any, told: Mapping[str, JSON]) -> None:
    if told["mark"]:
        line = document.add_paragraph()
        line.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        _run(line, f"【{told['mark']}】", 14, "bad", "hei")
    for n in range(5 if told["toc"] else 0):
        del n
        document.add_paragraph()
    for text, style in ((told["title"], "Title"), (told["name"], "Title"), (told["subtitle"], "Subtitle")):
        document.add_paragraph(text, style=style).alignment = WD_ALIGN_PARAGRAPH.CENTER
    for n in range(5 if told["toc"] else 0):
        del n
        document.add_paragraph()
    rows = [[{"text": f["name"], "tone": "mut"}, {"text": f["value"], "tone": ""}] for f in told["cover"]]
    _append(document, _table_xml([], [22.0, 90.0], ["left", "left"], rows, size=12))


def _contents(document: Any, sections: Sequence[Mapping[str, JSON]]) -> None:
    """A contents field: its entries stand there already, page numbers come when the reader updates it (F9)."""
    document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph(_("目　录"), style="Subtitle").alignment = WD_ALIGN_PARAGRAPH.CENTER
    entries = [(1, s) for s in sections]
    for i, (_level, section) in enumerate(entries):
        line = document.add_paragraph()
        if i == 0:
            for piece in (
                '<w:fldChar w:fldCharType="begin"/>', '<w:instrText xml:space="preserve"> TOC \\o "1-2" \\h \\z \\u </w:instrText>',
                '<w:fldChar w:fldCharType="separate"/>',
            ):  # fmt: skip
                line._p.append(parse_xml(f"<w:r {nsdecls('w')}>{piece}</w:r>"))  # noqa: SLF001
        _run(line, section["number"] + section["title"], 12)
        if i == len(entries) - 1:
            line._p.append(parse_xml(f'<w:r {nsdecls("w")}><w:fldChar w:fldCharType="end"/></w:r>'))  # noqa: SLF001


# --- the body ---------------------------------------------------------------------------------------------------------


def _section(document: Any, section: Mapping[str, JSON], level: int, press: Press) -> None:
    document.add_paragraph(section["number"] + section["title"], style=f"Heading {min(level, 3)}")
    for block in section["blocks"]:
        _BLOCKS[block["type"]](document, block, press)
    for inner in section["sections"]:
        _section(document, inner, level + 1, press)


def _para(document: Any, block: Mapping[str, JSON], _press: Press) -> None:
    line = document.add_paragraph()
    line.paragraph_format.first_line_indent = Pt(24)
    line.paragraph_format.line_spacing = 1.4
    _run(line, block["text"], 12, block["tone"])


def _note(document: Any, block: Mapping[str, JSON], _press: Press) -> None:
    line = document.add_paragraph()
    colour = COLOURS[block["tone"]]
    edge = f'<w:pBdr {nsdecls("w")}><w:left w:val="single" w:sz="18" w:space="8" w:color="{colour}"/></w:pBdr>'
    line._p.get_or_add_pPr().append(parse_xml(edge))  # noqa: SLF001
    _run(line, block["text"], 10.5)


def _facts(document: Any, block: Mapping[str, JSON], _press: Press) -> None:
    rows = [
        [
            {"text": f["name"], "tone": "mut"},
            {"text": f["value"], "tone": f["tone"]},
            {"text": f["evidence"], "tone": "mut"},
        ]
        for f in block["rows"]
    ]
    _append(document, _table_xml([], [28.0, 88.0, 40.0], ["left", "left", "right"], rows, size=10.5))


def _tiles(document: Any, block: Mapping[str, JSON], _press: Press) -> None:
    tiles = block["rows"]
    wide = min(len(tiles), 4)
    rows: list[list[Mapping[str, JSON]]] = []
    for start in range(0, len(tiles), wide):
        part = [*tiles[start : start + wide], *[None] * (wide - len(tiles[start : start + wide]))]
        rows.append(
            [{"text": t["value"] if t else "", "tone": t["tone"] if t else "", "size": 18, "role": "hei"} for t in part]
        )
        rows.append(
            [{"text": "\n".join(x for x in (t["name"], t["under"]) if x) if t else "", "tone": "mut"} for t in part]
        )
    _append(document, _table_xml([], [LINE_MM / wide] * wide, ["left"] * wide, rows, size=9))


def _table(document: Any, block: Mapping[str, JSON], _press: Press) -> None:
    if block["title"]:
        document.add_paragraph(block["title"], style="Caption").alignment = WD_ALIGN_PARAGRAPH.CENTER
    if not block["rows"]:
        line = document.add_paragraph()
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
        _run(line, block["empty"], 10.5, "mut")
        return
    whole = sum(c["width"] for c in block["columns"]) or 1.0
    widths = [LINE_MM * c["width"] / whole for c in block["columns"]]
    heads = [c["title"] for c in block["columns"]]
    _append(
        document,
        _table_xml(heads, widths, [c["align"] for c in block["columns"]], block["rows"], totals=block["totals"]),
    )


def _chart(document: Any, block: Mapping[str, JSON], press: Press) -> None:
    if block["title"]:
        document.add_paragraph(block["title"], style="Caption").alignment = WD_ALIGN_PARAGRAPH.CENTER
    png = press.picture(block["svg"], width_mm=LINE_MM, height_mm=block["height"])
    height = Mm(block["height"]) if block["height"] else None
    picture = document.add_picture(io.BytesIO(png), width=Mm(LINE_MM), height=height)
    picture._inline.docPr.set("descr", block["alt"])  # noqa: SLF001 - what a screen reader says
    document.paragraphs[-1].alignment = WD_ALIGN_PARAGRAPH.CENTER


_BLOCKS = {"para": _para, "note": _note, "facts": _facts, "tiles": _tiles, "table": _table, "chart": _chart}


def _append(document: Any, xml: str) -> None:
    """A table, and the empty line after it that keeps two tables apart."""
    document.add_paragraph()._p.addprevious(parse_xml(xml))  # noqa: SLF001
    document.paragraphs[-1].paragraph_format.space_after = Pt(2)


def _table_xml(
    heads: Sequence[str], widths: Sequence[float], aligns: Sequence[str], rows: Sequence[Sequence[Mapping[str, JSON]]],
    *, size: float = 9, totals: int = 0,
) -> str:  # fmt: skip
    """A table as WordprocessingML, all at once: python-docx looks every cell up anew, which is slow for long tables."""
    grid = "".join(f'<w:gridCol w:w="{round(w * TWIPS)}"/>' for w in widths)
    line = '<w:{side} w:val="single" w:sz="{size}" w:space="0" w:color="{colour}"/>'
    edges = "".join(
        line.format(side=side, size=8 if heads else 2, colour="17212B" if heads else "C9CFCC")
        for side in ("top", "bottom")
    )
    edges += line.format(side="insideH", size=2, colour="C9CFCC")
    body = []
    if heads:
        cells = "".join(
            _cell({"text": h, "tone": "", "role": "hei"}, w, "center", size) for h, w in zip(heads, widths, strict=True)
        )
        body.append(f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{cells}</w:tr>")
    for i, row in enumerate(rows):
        role = "hei" if i >= len(rows) - totals else ""
        cells = "".join(_cell({"role": role, **c}, w, a, size) for c, w, a in zip(row, widths, aligns, strict=True))
        body.append(f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>")
    return (
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblW w:w="{round(sum(widths) * TWIPS)}" w:type="dxa"/><w:jc w:val="center"/>'
        f'<w:tblBorders>{edges}</w:tblBorders><w:tblLayout w:type="fixed"/>'
        f'<w:tblCellMar><w:left w:w="60" w:type="dxa"/><w:right w:w="60" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        f"<w:tblGrid>{grid}</w:tblGrid>{''.join(body)}</w:tbl>"
    )


def _cell(cell: Mapping[str, JSON], width: float, align: str, size: float) -> str:
    fonts = ""
    if cell.get("role"):
        fonts = f'<w:rFonts w:ascii="{LATIN}" w:hAnsi="{LATIN}" w:cs="{LATIN}" w:eastAsia="{FONTS[cell["role"]]}"/>'
    points = cell.get("size", size)
    look = f'<w:rPr>{fonts}<w:color w:val="{COLOURS[cell["tone"]]}"/><w:sz w:val="{round(points * 2)}"/><w:szCs w:val="{round(points * 2)}"/></w:rPr>'
    texts = "<w:br/>".join(f'<w:t xml:space="preserve">{escape(part)}</w:t>' for part in cell["text"].split("\n"))
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{round(width * TWIPS)}" w:type="dxa"/><w:vAlign w:val="center"/></w:tcPr>'
        f'<w:p><w:pPr><w:spacing w:before="20" w:after="20"/><w:jc w:val={quoteattr(align)}/></w:pPr><w:r>{look}{texts}</w:r></w:p></w:tc>'
    )


def _fixed(document: Any) -> bytes:
    """The file with the same date on every member, so that equal input gives equal bytes."""
    raw = io.BytesIO()
    document.save(raw)
    out = io.BytesIO()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            member = zipfile.ZipInfo(item.filename, ZIP_DATE)
            member.compress_type, member.external_attr, member.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            target.writestr(member, source.read(item.filename), compresslevel=6)
    return out.getvalue()
