"""From a file to lines: .txt in UTF-8, UTF-16 with mark or GB18030, and .docx; guarded against hostile files."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import NamedTuple

from yunwei.contract.reader.model import ReaderError
from yunwei.contract.reader.word import read_word
from yunwei.kernel.i18n import _

MAX_TEXT = 8 * 2**20
MAX_LINES = 200_000
_MARKDOWN = re.compile(r"\*\*|^#{1,6}\s+|^>\s+")
_FULLWIDTH = {c: c - 0xFEE0 for c in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), 0xFF05)}
_SPACES = {0xA0: " ", 0x2002: " ", 0x2003: " ", 0x2009: " ", 0x200B: None, 0xFEFF: None, 0xAD: None, 0xFF3F: "_"}
_CLEAN = str.maketrans({**_FULLWIDTH, **_SPACES})
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\x85]")


class Line(NamedTuple):
    """One line of the source; `indent` counts leading cells (an ideographic space is two), `number` is from 1."""

    number: int
    text: str
    indent: int = 0


class Source(NamedTuple):
    """A file as lines, with how it was read."""

    lines: list[Line]
    encoding: str
    notes: list[str]


def load(path: Path) -> Source:
    """The lines of a .txt or .docx. Raises `ReaderError` or `kernel.archive.ArchiveError`, never anything else."""
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ReaderError(_("打不开文件"), where=str(path), hint=_("不是普通文件"))
        size = facts.st_size
        content = path.read_bytes() if size <= 4 * MAX_TEXT else b""
    except (OSError, ValueError) as e:
        raise ReaderError(_("打不开文件"), where=str(path), hint=_("请检查路径和权限")) from e
    if size > 4 * MAX_TEXT:
        raise ReaderError(_("文件过大"), where=str(path), hint=_("上限 {n} MB").format(n=4 * MAX_TEXT >> 20))
    return load_bytes(content, path.name)


def load_bytes(content: bytes, name: str) -> Source:
    """As `load`, from bytes; the content decides (a zip is a docx), the name is for messages."""
    if content[:4] == b"PK\x03\x04" or content[:4] == b"\xd0\xcf\x11\xe0" or name.lower().endswith(".docx"):
        raw, notes = read_word(content, name)
        return Source(_lines(raw, name), "docx", notes)
    if content[:5] == b"%PDF-":
        raise ReaderError(_("暂不能读取 PDF"), where=name, hint=_("请另存为 .docx 或 .txt"))
    text, encoding = decode(content, name)
    return Source(_lines(text.split("\n"), name), encoding, [])


def decode(content: bytes, where: str) -> tuple[str, str]:
    """The text and the encoding it was in; line ends become newlines. Raises ReaderError."""
    if len(content) > MAX_TEXT:
        raise ReaderError(_("文本过大"), where=where, hint=_("上限 {n} MB").format(n=MAX_TEXT >> 20))
    encodings = ("utf-16",) if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _CONTROL.search(text):
            break
        return re.sub(r"\r\n?|\x0b|\x0c|\u2028|\u2029", "\n", text), encoding.removesuffix("-sig")
    hint = _("请另存为 UTF-8 或 GB18030 编码的 .txt，或 .docx")
    raise ReaderError(_("不是文本，或编码无法识别"), where=where, hint=hint)


def _lines(raw: list[str], where: str) -> list[Line]:
    if len(raw) > MAX_LINES:
        raise ReaderError(_("行数过多"), where=where, hint=_("上限 {n} 行").format(n=MAX_LINES))
    lines = []
    for number, text in enumerate(raw, start=1):
        plain = _MARKDOWN.sub("", text.translate(_CLEAN).replace("\t", "    ")).rstrip()
        if "|" in plain:  # a table that was exported as text: its columns, four spaces apart
            plain = re.sub(r"\s*\|\s*", "    ", plain).strip()
        body = plain.lstrip(" \u3000")
        lead = plain[: len(plain) - len(body)]
        lines.append(Line(number, body, len(lead) + lead.count("\u3000")))
    return lines
