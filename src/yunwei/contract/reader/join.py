"""Broken lines become paragraphs again, before any clause is looked for. One pass, linear."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from yunwei.contract.reader import marks
from yunwei.contract.reader.model import Stray
from yunwei.contract.reader.text import Line
from yunwei.kernel.i18n import _

_ENDS = "。；;！？!?：:…"
_CLOSERS = "”」』）)》】"
_OPEN_ENDS = "，,、（(《“至和及的自于在由与或为对从之将"  # no heading and no sentence ends in these
_OPEN_STARTS = "，,、。；;）)》”％%"  # and no line begins with these
_SUM_GOES_ON = re.compile(r"[（(]\s?(?:[¥￥]|大写|小写|人民币)")
_FURNITURE = re.compile(
    r"(?:第\s*\d{1,4}\s*页[\s，,/]{0,3}(?:共\s*\d{1,4}\s*页)?|共\s*\d{1,4}\s*页|[-—–]{1,3}\s*\d{1,4}\s*[-—–]{1,3}|"
    r"\d{1,4}\s*/\s*\d{1,4}|[Pp]age\s*\d{1,4}.{0,20}|\d{1,3})"
)
_RULE = re.compile(r"[-—–=*:+~\s]{3,}")
_CONTENTS = re.compile(r".{1,60}?(?:[.…·．]{3,}|(?P<gap>\s{3,}))\s*\d{1,3}")
LONELY_DATE = re.compile(r"(?:\d{4}\s*年\s*)?\d{1,2}\s*月\s*\d{1,2}\s*日")
#: labels that stand at the head of a line in the parties' and the signature block
FIELD = re.compile(
    r"(?:(?:甲|乙|丙|丁|买|卖)\s?方|采购人|采购单位|供应商|服务商|承包人|发包人|委托方|受托方|合同各方|签约各方|地\s*址|住\s*所|住\s*址|注册地址|通讯地址|"
    r"邮政编[码号]|邮\s*编|电\s*话|联系电话|手\s*机|传\s*真|联\s*系\s*人|电子邮[箱件]|开户银行|开户行|账\s*号|帐\s*号|银行账号|"
    r"统一社会信用代码|税\s*号|法定代表人|授权代表|委托代理人|负责人|日\s*期|签订日期|签订地点|签字日期|"
    r"合同(?:统一|内部)?编号|项目(?:编号|名称)|合同名称)[^：:，。]{0,20}[：:]"
)
_LONG = 30  # a heading is shorter; a sentence that was broken has come this far
_WRAP_MIN, _WRAP_MAX, _WRAP_LINES, _WRAP_SHARE = 30, 160, 12, 0.25


@dataclass(slots=True)
class Paragraph:
    """A whole paragraph and the line it starts on."""

    line: int
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def last(self) -> str:
        return self.pieces[-1]


def join(lines: Sequence[Line]) -> tuple[list[Paragraph], list[Stray]]:
    """The paragraphs of a text, and the lines that belong to the page and not to the text."""
    wrap = _wrap_width(lines)
    paragraphs: list[Paragraph] = []
    strays: list[Stray] = []
    blank_before = True
    for line in lines:
        if not line.text:
            blank_before = True
            continue
        why = _page_line(line.text)
        if why:
            strays.append(Stray(line.number, line.text[:80], why))
            continue
        if paragraphs and _continues(paragraphs[-1], line, wrap, blank_before):
            previous = paragraphs[-1].last
            gap = " " if previous[-1:].isascii() and previous[-1:].isalnum() and line.text[:1].isascii() else ""
            paragraphs[-1].pieces.append(gap + line.text)
        else:
            paragraphs.append(Paragraph(line.number, [line.text]))
        blank_before = False
    return paragraphs, strays


def heading_like(text: str) -> bool:
    """Short and without a sentence's punctuation."""
    return len(text) <= _LONG and not re.search("[，。；！？：:;,]", text)


def _page_line(text: str) -> str:
    if len(text) > 90:
        return ""
    if _RULE.fullmatch(text):
        return _("分隔线")
    if _FURNITURE.fullmatch(text):
        return _("页码")
    contents = _CONTENTS.fullmatch(text)
    # a gap before a number is also a row of a table: only a numbered line is one of contents
    return _("目录行") if contents and (contents["gap"] is None or marks.find(text)) else ""


def _continues(before: Paragraph, line: Line, wrap: int, blank_before: bool) -> bool:
    """Does this line go on with the paragraph? The number's form outranks all else: a clause always begins anew."""
    if marks.find(line.text) is not None or FIELD.match(line.text):
        return False
    last = before.last
    if last[-1] in _OPEN_ENDS or line.text[0] in _OPEN_STARTS or _SUM_GOES_ON.match(line.text):
        return True
    if last[-1] in _ENDS or (len(before.pieces) == 1 and FIELD.match(last)):
        return False
    if wrap and not blank_before and not line.indent and _width(last) >= wrap - 4:
        return True
    if last[-1] in _CLOSERS:
        return False
    head = marks.find(last) if len(before.pieces) == 1 else None
    words = head.rest if head else last
    has_sentence = re.search("[，。；,;]", words) is not None
    # a label line of a table or a parties' block ("名称：云平台") is whole without a full stop
    label = re.match(r"[^，。；]{1,20}[：:]", words) is not None and len(words) < 2 * _LONG
    return has_sentence or (len(words) > _LONG and not label)


def _wrap_width(lines: Sequence[Line]) -> int:
    """The width in cells a text was broken at, or 0 for one paragraph per line."""
    widths = [line.indent + _width(line.text) for line in lines if line.text]
    longest = max(widths, default=0)
    if not _WRAP_MIN <= longest <= _WRAP_MAX or len(widths) < _WRAP_LINES:
        return 0
    full = sum(w >= longest - 4 for w in widths)
    return longest if full >= _WRAP_SHARE * len(widths) else 0


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)
