"""A table as a file: CSV and XLSX to rows of text and back. Knows nothing of assets.

Cells that a spreadsheet program would run as a formula are written with an apostrophe in front and read without it;
formulas are never evaluated, a formula cell is an error of its row.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import openpyxl
from django.utils.translation import gettext as _

from yunwei.assets.errors import TableError
from yunwei.kernel import archive

MAX_BYTES = 32 * 2**20
MAX_ROWS = 100_000
MAX_COLUMNS = 64
MAX_CELL = 2000
_RUNS = "=+-@\t\r'"  # what a spreadsheet program runs (OWASP), and the apostrophe itself, so that reading gives it back


@dataclass(slots=True)
class Row:
    """One row: its number as the spreadsheet shows it, the cells, and cells that could not be read (column, why)."""

    number: int
    cells: list[str]
    broken: list[tuple[int, str]] = field(default_factory=list)


def escape(text: str) -> str:
    """The text as it may stand in a cell that a spreadsheet program opens."""
    return f"'{text}" if text[:1] and text[0] in _RUNS else text


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] and text[1] in _RUNS else text


def read(content: bytes, name: str) -> list[Row]:
    """The rows of a CSV or XLSX that hold anything, the heading first. Raises TableError or ArchiveError."""
    if len(content) > MAX_BYTES:
        raise TableError(_("文件过大"), where=name, hint=_("上限 {n} MB").format(n=MAX_BYTES >> 20))
    is_book = content[:4] in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"} or name.lower().endswith((".xlsx", ".xls"))
    rows = list(_limited(_book(content, name) if is_book else _csv(content, name), name))
    if not rows:
        raise TableError(_("表是空的"), where=name, hint=_("第一行须为列名"))
    return rows


def _limited(rows: Iterable[Row], name: str) -> Iterator[Row]:
    for seen, row in enumerate(rows, start=1):
        if seen > MAX_ROWS:
            raise TableError(_("行数过多"), where=name, hint=_("上限 {n} 行，请分成几个文件").format(n=MAX_ROWS))
        for i, cell in enumerate(row.cells):
            if len(cell) > MAX_CELL:
                row.broken.append((i, _("内容过长")))
            elif any(ord(c) < 32 and c not in "\t\n\r" for c in cell):
                row.broken.append((i, _("含控制字符")))
        if any(row.cells) or row.broken:
            yield row


def _csv(content: bytes, name: str) -> Iterator[Row]:
    text = _decode(content, name)
    first = text.partition("\n")[0]
    delimiter = max(",\t;", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            # after a broken quote nobody can say where the next row begins
            hint = _("检查该行的引号；字段内的引号要写两次")
            raise TableError(
                _("CSV 格式错误"), where=f"{name} {_('第 {n} 行').format(n=reader.line_num)}", hint=hint
            ) from e
        number += 1
        if len(cells) > MAX_COLUMNS:
            yield Row(number, cells[:MAX_COLUMNS], [(MAX_COLUMNS - 1, _("列数过多"))])
        else:
            yield Row(number, [unescape(cell.strip()) for cell in cells])


def _decode(content: bytes, name: str) -> str:
    encodings = ("utf-16",) if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TableError(_("不是文本表格，或编码无法识别"), where=name, hint=_("另存为 UTF-8 编码的 CSV，或 XLSX"))


def _book(content: bytes, name: str) -> Iterator[Row]:
    names = archive.check(content, where=name)
    if "xl/workbook.xml" not in names:
        raise TableError(_("不是 XLSX 工作簿"), where=name, hint=_("用办公软件另存为 .xlsx"))
    archive.refuse_doctype(content, where=name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extensions that openpyxl drops (validation lists, colours) are no matter
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # what the file claims may be a million rows
            for number, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS, max_row=MAX_ROWS + 1), start=1):
                yield _book_row(number, cells)
    except TableError:
        raise
    except Exception as e:  # openpyxl raises anything at all on a malformed part
        raise TableError(_("工作簿内容损坏"), where=name, hint=_("用办公软件打开后重新保存")) from e


def _book_row(number: int, cells: Sequence[Any]) -> Row:
    row = Row(number, [])
    for i, cell in enumerate(cells):
        text = ""
        if cell.data_type == "f":
            row.broken.append((i, _("是公式，不会计算")))
        elif cell.data_type == "e":
            row.broken.append((i, _("是错误值 {value}").format(value=cell.value)))
        else:
            text = unescape(_text(cell.value).strip())
        row.cells.append(text)
    while row.cells and not row.cells[-1] and not any(i == len(row.cells) - 1 for i, _why in row.broken):
        row.cells.pop()
    return row


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else str(value)


def write_csv(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as CSV in UTF-8 with the mark that makes Excel read it as UTF-8."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([escape(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def write_xlsx(rows: Iterable[Sequence[str]], title: str) -> bytes:
    """Rows as a workbook of one sheet; every cell is text."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for row in rows:
        sheet.append([escape(cell) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
