"""A .docx as lines: one per paragraph, with Word's automatic numbers written out, deleted text left out.

`paragraph.text` of python-docx alone would lose what matters in a contract: automatic clause numbers, inserted
revisions, and blanks that are underlined spaces.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml.ns import qn

from yunwei.contract.reader.model import ReaderError
from yunwei.kernel import archive
from yunwei.kernel.i18n import _

_CN = "零一二三四五六七八九"
_DROP = {qn("w:del"), qn("w:moveFrom"), "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}
_SHORT_CELL = 60  # characters
_FORMULA_KINDS = {qn("w:instrText"), qn("w:delText")}


def read_word(content: bytes, where: str) -> tuple[list[str], list[str]]:
    """Lines and notes of a .docx. Raises `ArchiveError` (broken, bomb, encrypted) or `ReaderError`."""
    names = archive.check(content, where=where)
    if "word/document.xml" not in names:
        hint = _("请用办公软件另存为 .docx")
        raise ReaderError(_("不是 Word 文档"), where=where, hint=hint)
    archive.refuse_doctype(content, where=where)
    try:
        document = docx.Document(io.BytesIO(content))
        body = document.element.body
        numbering = _Numbering(document)
        lines = list(_lines(body, numbering))
    except Exception as e:  # python-docx and lxml raise anything at all on a malformed part
        raise ReaderError(_("Word 文档内容损坏"), where=where, hint=_("请用办公软件打开后重新保存")) from e
    notes = []
    if next(body.iter(qn("w:del"), qn("w:ins"), qn("w:moveFrom")), None) is not None:
        notes.append(_("文件含未接受的修订：按全部接受读取"))
    return lines, notes


def _lines(body: Any, numbering: _Numbering) -> Iterator[str]:
    """Paragraphs in document order. A table row of short cells is one line, its columns four spaces apart, so that
    two parties who sign side by side can be told apart; other cells come one after the other.
    """
    box = qn("w:txbxContent")
    row: Any = None
    cells: list[tuple[Any, list[str]]] = []
    for p in body.iter(qn("w:p")):
        if next(p.iterancestors(box), None) is not None:
            continue  # a text box comes with the paragraph it is anchored in
        current = next(p.iterancestors(qn("w:tr")), None)
        if current is not row:
            yield from _row(cells)
            row, cells = current, []
        lines = _paragraph(p, numbering)
        if row is None:
            yield from lines
        else:
            cells.append((next(p.iterancestors(qn("w:tc")), None), lines))
    yield from _row(cells)


def _row(cells: list[tuple[Any, list[str]]]) -> list[str]:
    columns: dict[Any, list[str]] = {}
    for cell, lines in cells:
        columns.setdefault(cell, []).extend(line for line in lines if line.strip())
    if len(columns) > 1 and all(len(lines) <= 1 and len("".join(lines)) <= _SHORT_CELL for lines in columns.values()):
        return ["    ".join(line for lines in columns.values() for line in lines)]
    return [line for lines in columns.values() for line in lines]


def _paragraph(p: Any, numbering: _Numbering) -> list[str]:
    text = "".join(_pieces(p))
    if not text.strip():
        return [""]  # an empty numbered paragraph shows a number, but holds no clause
    return (numbering.label(p) + text).split("\n")


def _pieces(element: Any) -> Iterator[str]:
    # a stack, not recursion: a hostile document may nest as deep as lxml lets it
    stack = [element]
    while stack:
        node = stack.pop()
        tag = node.tag
        if tag in _DROP or tag in _FORMULA_KINDS:
            continue
        if tag == qn("w:t"):
            yield _blank(node)
        elif tag == qn("w:tab") and node.getparent().tag == qn("w:r"):
            yield "    "
        elif tag in {qn("w:br"), qn("w:cr")}:
            yield "\n"
        elif tag == qn("w:noBreakHyphen"):
            yield "-"
        else:
            stack.extend(reversed(node))


def _blank(t: Any) -> str:
    """The text of a w:t; underlined spaces are a blank to be filled in by hand."""
    text = t.text or ""
    if text.strip() or len(text) < 2:
        return text
    underline = t.getparent().find(f"{qn('w:rPr')}/{qn('w:u')}")
    is_line = underline is not None and underline.get(qn("w:val")) not in {None, "none"}
    return "_" * len(text) if is_line else text


class _Numbering:
    """Counts Word's automatic numbers through the document (ECMA-376 part 1, 17.9)."""

    def __init__(self, document: Any) -> None:
        self.levels: dict[str, dict[int, tuple[str, str, int]]] = {}  # numId → level → (format, text, start)
        self.abstract_of: dict[str, str] = {}
        self.counts: dict[str, dict[int, int]] = {}
        self.styles: dict[str, tuple[str, int]] = {}
        part = next((r.target_part for r in document.part.rels.values() if r.reltype.endswith("/numbering")), None)
        if part is not None:
            self._read(part.element)
        for style in document.styles.element.iter(qn("w:style")):
            number = style.find(f"{qn('w:pPr')}/{qn('w:numPr')}")
            if number is not None:
                self.styles[style.get(qn("w:styleId"))] = self._reference(number)

    def _read(self, root: Any) -> None:
        abstract = {}
        for a in root.findall(qn("w:abstractNum")):
            abstract[a.get(qn("w:abstractNumId"))] = {
                int(v.get(qn("w:ilvl"))): self._level(v) for v in a.findall(qn("w:lvl"))
            }
        for n in root.findall(qn("w:num")):
            ident, base = n.get(qn("w:numId")), n.find(qn("w:abstractNumId")).get(qn("w:val"))
            levels = dict(abstract.get(base, {}))
            own = False
            for o in n.findall(qn("w:lvlOverride")):
                level, start, whole = int(o.get(qn("w:ilvl"))), o.find(qn("w:startOverride")), o.find(qn("w:lvl"))
                if whole is not None:
                    levels[level] = self._level(whole)
                if start is not None and level in levels:
                    levels[level] = (*levels[level][:2], int(start.get(qn("w:val"))))
                    own = True
            self.levels[ident] = levels
            self.abstract_of[ident] = f"num {ident}" if own else base

    @staticmethod
    def _level(v: Any) -> tuple[str, str, int]:
        def value(name: str, default: str) -> str:
            found = v.find(qn(name))
            return default if found is None else (found.get(qn("w:val")) or default)

        return value("w:numFmt", "decimal"), value("w:lvlText", ""), int(value("w:start", "1"))

    @staticmethod
    def _reference(number: Any) -> tuple[str, int]:
        ident, level = number.find(qn("w:numId")), number.find(qn("w:ilvl"))
        return (
            "" if ident is None else ident.get(qn("w:val")) or "",
            0 if level is None else int(level.get(qn("w:val")) or 0),
        )

    def label(self, p: Any) -> str:
        """The number Word shows before this paragraph, with a space, or nothing."""
        ident, level = "", 0
        style = p.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        if style is not None:
            ident, level = self.styles.get(style.get(qn("w:val")), ("", 0))
        own = p.find(f"{qn('w:pPr')}/{qn('w:numPr')}")
        if own is not None:
            number = self._reference(own)
            ident, level = (number[0] or ident, number[1])
        if ident in {"", "0"} or level not in self.levels.get(ident, {}):
            return ""
        levels = self.levels[ident]
        counts = self.counts.setdefault(self.abstract_of[ident], {})
        counts[level] = counts.get(level, levels[level][2] - 1) + 1
        for deeper in [k for k in counts if k > level]:
            del counts[deeper]
        form, text, _start = levels[level]
        if form in {"bullet", "none"}:
            return ""
        for k in range(level + 1):
            if f"%{k + 1}" in text:
                shown = form if k == level else levels.get(k, ("decimal", "", 1))[0]
                # ISO-style levels (1.1 under 一、) are written by Word in decimal when the text asks for several
                text = text.replace(f"%{k + 1}", _number(counts.get(k, levels.get(k, ("", "", 1))[2]), shown))
        return f"{text} "


def _number(n: int, form: str) -> str:
    if form.startswith(("chinese", "japanese", "taiwanese", "ideographTraditional", "ideographDigital")):
        return _chinese(n)
    if form in {"lowerLetter", "upperLetter"}:
        letter = chr(ord("a") + (n - 1) % 26)
        return letter if form == "lowerLetter" else letter.upper()
    if form.startswith("decimalEnclosedCircle") and 1 <= n <= 20:
        return chr(0x2460 + n - 1)
    return str(n)


def _chinese(n: int) -> str:
    if not 0 < n < 100:
        return str(n)
    tens, ones = divmod(n, 10)
    head = "" if tens == 0 else ("十" if tens == 1 else _CN[tens] + "十")
    return head + (_CN[ones] if ones or not tens else "")
