"""The contract reader: from a text to a clause tree with facts, and how a contract folder covers it.

`read(path)` gives a `Reading`, `compare(reading, folder)` a `Coverage`; both are msgspec structs. Written for Chinese
public contracts and tender notices of any numbering, not for one text. All of it runs in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from yunwei.contract.reader import facts, obligations, people, tree
from yunwei.contract.reader.compare import Coverage, compare
from yunwei.contract.reader.join import FIELD, join
from yunwei.contract.reader.model import Clause, Party, ReaderError, Reading, Role
from yunwei.contract.reader.text import Source, load, load_bytes
from yunwei.kernel.i18n import _

__all__ = ["Coverage", "ReaderError", "Reading", "compare", "read", "read_bytes"]

_NUMBER = re.compile(
    r"(?:合同|项目|采购|招标|协议)?(?:统一)?编\s?号(?:\s{0,4}[：:]\s{0,8}|\s{3,8})([A-Za-z0-9〔〕\[\]（）()_/.\-—号第字]{3,60})"
)
_TENDER = re.compile("公告|公示|招标文件|采购文件|磋商文件|谈判文件|询价通知|投标邀请|采购意向")


def read(path: Path | str) -> Reading:
    """Read a .txt or .docx. Raises `ReaderError` or `kernel.archive.ArchiveError` (both YunweiError), nothing else."""
    return _read(load(Path(path)), Path(path).name)


def read_bytes(content: bytes, name: str) -> Reading:
    """As `read`, for content that was uploaded."""
    return _read(load_bytes(content, name), name)


def _read(source: Source, name: str) -> Reading:
    paragraphs, page_lines = join(source.lines)
    if not paragraphs:
        raise ReaderError(_("文件里没有文字"), where=name, hint=_("扫描件请先做文字识别"))
    clauses, strays, odd = tree.build(paragraphs)
    places = facts.locate(paragraphs, clauses, [stray.line for stray in strays])
    title = _title(clauses)
    who = people.parties(places, clauses)
    kind = _kind(title, clauses, who)
    sums = facts.amounts(places)
    shares = facts.instalments(places)
    notes = [*source.notes, *odd]
    notes += [_("{clause}：大写金额写法有误：{text}").format(clause=a.clause, text=a.capitals)
              for a in sums if a.capitals and a.capitals_value is None]  # fmt: skip
    notes += [
        _("{clause}：小写与大写不一致：{text}").format(clause=a.clause, text=a.text) for a in sums if a.agrees is False
    ]
    known = [s.share for s in shares if s.share is not None]
    if known and sum(known, Decimal(0)) != 100 and not any(s.rest for s in shares):
        notes.append(_("各期付款比例合计 {n} %，不是 100 %").format(n=sum(known, Decimal(0))))
    return Reading(
        source=name,
        encoding=source.encoding,
        kind=kind,
        title=title,
        number=_number(clauses),
        clauses=clauses,
        parties=who,
        amounts=sums,
        instalments=shares,
        terms=facts.terms(places),
        periods=facts.periods(places),
        signatures=people.signatures(places),
        blanks=people.blanks(places),
        duties=obligations.duties(clauses, kind),
        strays=sorted([*page_lines, *strays], key=lambda s: s.line),
        notes=notes,
    )


def _title(clauses: Sequence[Clause]) -> str:
    """The first line that is no field, where the text has anything before its first article."""
    if not clauses or clauses[0].role is not Role.PREAMBLE:
        return ""
    lines = clauses[0].text.split("\n")
    return next((line for line in lines[:8] if len(line) <= 60 and not FIELD.match(line) and "。" not in line), "")


def _number(clauses: Sequence[Clause]) -> str:
    for clause in clauses[:6]:
        match = _NUMBER.search(clause.text)
        if match:
            return match[1]
    return ""


def _kind(title: str, clauses: Sequence[Clause], parties: Sequence[Party]) -> str:
    signed = any(clause.role is Role.SIGNATURE for clause in clauses)
    if _TENDER.search(title) and not signed:
        return "tender"
    if re.search("合同|协议", title) or {"A", "B"} <= {party.role for party in parties}:
        return "contract"
    return "other"
