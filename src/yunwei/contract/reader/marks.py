"""Which number, if any, a line begins with. One anchored expression per style, so a line is judged in linear time."""

from __future__ import annotations

import re
from typing import NamedTuple

from yunwei.contract.reader.model import Style
from yunwei.contract.reader.numbers import DIGIT, chinese

#: what follows a number that is a quantity, a date or a reference ("2.2 款", "15 日内") and no clause number
_NOT_A_CLAUSE = re.compile(
    r"\s*(?:[%％‰×*/+=℃~～]|(?:万[元人台套]?|亿元?|元|款|条|项|年|月|日|天|时|小时|分钟|秒|个(?:工作日|月|小时|日历天|自然日)?|"
    r"名|台|套|份|次|倍|米|公里|平方米?|[KMGT]B|[kKMG]?Hz|[kK]?W)"
    # what goes on after a unit; "1.2 台账", "1.2 名词", "1.2 时限" are headings
    r"(?=\s?(?:$|[，,。；;、）)】/]|以[上下内外]|之[内前后]|内|前|后(?!续)|的|起|至|到|左右|所|规定|约定|中[的所]|与|和|及|或|整))|目[所、，])"
)
#: 第三条规定的 …: a reference at the start of a line that was broken there
_REFERENCE = re.compile(r"\s*(?:规定|约定|所述|所列|所称|之|的|第|款|项|[、和及或与至]\s*第|中[的所规约])")
_ORDINAL = re.compile(rf"第\s{{0,2}}([0-9{DIGIT}]{{1,8}})\s{{0,2}}(部分|编|章|节|条)")
_ANNEX = re.compile(r"附(?:件|录|表)\s{0,2}([0-9一二三四五六七八九十]{0,3})\s{0,2}(?:[：:、.．\s]|$)")
_CHINESE = re.compile(r"([一二三四五六七八九十百]{1,5})\s{0,2}[、．.]")
_CHINESE_PAREN = re.compile(r"[（(]\s?([一二三四五六七八九十]{1,3})\s?[）)][、.]?")
_DOTTED = re.compile(r"(\d{1,3}(?:[.．]\d{1,3}){1,6})(?![\d.．]*\d)[.．、]?")
_ARABIC = re.compile(r"(\d{1,3})\s{0,2}(?:、|[.．](?!\d))")
_PAREN = re.compile(r"[（(]\s?(\d{1,3})\s?[）)][、.]?")
_HALF_PAREN = re.compile(r"(\d{1,3})\s?[）)]")
_LETTER = re.compile(r"([A-Za-z])(?:[、)）]|[.．](?![A-Za-z0-9]))")
_CIRCLE = re.compile(r"([①-⑳])")
_BARE = re.compile(r"(\d{1,2})\s+(?=[\u4e00-\u9fff])")
_UNITS = {"部分": Style.PART, "编": Style.PART, "章": Style.CHAPTER, "节": Style.SECTION, "条": Style.ARTICLE}
_ANNEX_LENGTH = 40


class Mark(NamedTuple):
    """A number at the start of a line: `path` has one number, or several for 1.2.3; `rest` is what follows."""

    style: Style
    path: tuple[int, ...]
    printed: str
    rest: str

    @property
    def n(self) -> int:
        """The last number."""
        return self.path[-1]


def find(line: str) -> Mark | None:
    """The number this line begins with, by its form alone; whether it fits the order is the tree's question."""
    if not line:
        return None
    first = line[0]
    if first == "第":
        return _ordinal(line)
    if first == "附":
        return _annex(line)
    return _digits(line) if "0" <= first <= "9" else _other(line)


def _annex(line: str) -> Mark | None:
    match = _ANNEX.match(line) if len(line) <= _ANNEX_LENGTH else None
    return _mark(Style.ANNEX, (chinese(match[1]) or 0,), line, match) if match else None


def _other(line: str) -> Mark | None:
    for style, form in ((Style.CHINESE, _CHINESE), (Style.CHINESE_PAREN, _CHINESE_PAREN), (Style.PAREN, _PAREN)):
        match = form.match(line)
        if match:
            n = chinese(match[1])
            return _mark(style, (n,), line, match) if n and not _NOT_A_CLAUSE.match(line, match.end()) else None
    if match := _LETTER.match(line):
        return _mark(Style.LETTER, (ord(match[1].lower()) - 96,), line, match)
    if match := _CIRCLE.match(line):
        return _mark(Style.CIRCLE, (ord(match[1]) - 0x245F,), line, match)
    return None


def bare(line: str) -> Mark | None:
    """A number with nothing but a space behind it ("1 总则"): a clause only where 1.1 follows, so asked for apart."""
    match = _BARE.match(line)
    if match is None or int(match[1]) == 0 or _NOT_A_CLAUSE.match(line, match.end(1)):
        return None
    return _mark(Style.ARABIC, (int(match[1]),), line, match)


def _mark(style: Style, path: tuple[int, ...], line: str, match: re.Match[str]) -> Mark:
    return Mark(style, path, match[0].strip(), line[match.end() :].strip())


def _ordinal(line: str) -> Mark | None:
    match = _ORDINAL.match(line)
    n = chinese(match[1]) if match else None
    if match is None or not n or _REFERENCE.match(line, match.end()):
        return None
    mark = _mark(_UNITS[match[2]], (n,), line, match)
    return mark._replace(rest=mark.rest.lstrip("：:、. ").strip())


def _digits(line: str) -> Mark | None:
    if match := _DOTTED.match(line):
        numbers = re.split("[.．]", match[1])
        # "1.05" is a decimal, "3.0" a version, "10.5%" a quantity
        if any(n.startswith("0") for n in numbers) or _NOT_A_CLAUSE.match(line, match.end()):
            return None
        return _mark(Style.DOTTED, tuple(int(n) for n in numbers), line, match)
    for style, form in ((Style.ARABIC, _ARABIC), (Style.HALF_PAREN, _HALF_PAREN)):
        match = form.match(line)
        if match:
            usable = int(match[1]) > 0 and not _NOT_A_CLAUSE.match(line, match.end())
            return _mark(style, (int(match[1]),), line, match) if usable else None
    return None
