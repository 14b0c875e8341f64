"""Parties, sums, instalments, time limits, period, signatures and blanks: what the text says, nothing filled in."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from yunwei.contract.reader.join import Paragraph
from yunwei.contract.reader.model import Amount, Clause, Period, Share, Term
from yunwei.contract.reader.numbers import DIGIT, chinese
from yunwei.kernel.money import MoneyError, parse_capitals

_FIGURE = re.compile(
    r"(?P<sign>[¥￥]|人民币|RMB)?\s{0,4}(?P<n>\d{1,3}(?:[,，]\d{3}){1,5}(?:\.\d{1,6})?|\d{1,15}(?:\.\d{1,6})?)"
    r"\s{0,4}(?P<unit>万|亿)?\s{0,4}(?P<yuan>[元圆](?![器件素]))?"
)
_CAPITALS = re.compile(r"[零〇壹贰貳叁參肆伍陆陸柒捌玖][零〇壹贰貳叁參肆伍陆陸柒捌玖拾佰仟万亿]{0,40}[元圆]"
                       r"(?:零?[壹贰叁肆伍陆柒捌玖]角)?(?:零?[壹贰叁肆伍陆柒捌玖]分)?[整正]?")  # fmt: skip
_UNITS = {"": 1, "万": 10**4, "亿": 10**8}
_PAIR_GAP = 30  # characters between a figure and its capitals
_SENTENCE = re.compile(r"[^。；;\n]+")
_PERCENT = re.compile(rf"(\d{{1,3}}(?:\.\d{{1,4}})?)\s{{0,3}}[%％]|百分之([{DIGIT}]{{1,5}})")
_PAYS = re.compile("支付|付款|付至|拨付|结算|付清|付合同")
_NOT_PRICE = re.compile("违约金|赔偿|罚|滞纳金|保证金|利息|扣除|扣减")
_PRICE = re.compile("合同|中标|成交|总价|价款|总额|金额|费用|款项")
_REST = re.compile("尾款|余款|剩余(?:合同|款|价|的|部分|费)?|其余款")
_CUMULATIVE = re.compile(r"(?:付至|支付至|累计)[^，,]{0,20}$")
_TERM = re.compile(
    rf"(?<![\d.第{DIGIT}])(\d{{1,4}}|[{DIGIT}]{{1,5}})\s{{0,3}}(?:个\s?)?(工作日|日历天|日历日|自然日|日|天|小时|分钟|月|年)"
    r"\s?(?:以内|之内|内|以前|前)"
)
_ALWAYS = re.compile(r"7\s?[×xX*╳]\s?24")
_TERM_UNITS = {"工作日": "working_day", "小时": "hour", "分钟": "minute", "月": "month", "年": "year"}
_DATE = re.compile(
    rf"(\d{{4}}|[{DIGIT}○]{{4}})\s?[年./-]\s?(\d{{1,2}}|[{DIGIT}]{{1,3}})\s?[月./-]\s?(\d{{1,2}}|[{DIGIT}]{{1,3}})"
)
_PERIOD = re.compile(
    r"(?:服务期限?|运维期限?|运维服务期限?|合同期限?|合同履行期限|履约期限?|履行期限|维保期限?|实施周期|工期|合同有效期|服务时间|服务周期)(?!内|间内|满|届满|结束)"
)
_DURATION = re.compile(
    rf"(?:共|为|期|满|计|起)[^，。；\d{DIGIT}]{{0,6}}(\d{{1,3}}|[{DIGIT}]{{1,4}})\s{{0,3}}(?:周)?(年|个月|个日历月)"
)
_ANCHOR = re.compile(r"(?:自|从)([^，。；自从]{2,24}?)起")
_OPEN = re.compile(r"_{2,}|[：:]\s{0,4}(?:[。；;]|$)|年\s{1,20}月\s{1,20}日")


class Located(NamedTuple):
    """A paragraph with the clause it belongs to."""

    clause: str
    line: int
    text: str


def locate(paragraphs: Sequence[Paragraph], clauses: Sequence[Clause], strays: Sequence[int]) -> list[Located]:
    """Every paragraph with its clause's id; stray lines are left out."""
    starts, skip = [c.line for c in clauses], set(strays)
    found = []
    for paragraph in paragraphs:
        at = bisect_right(starts, paragraph.line) - 1
        if at >= 0 and paragraph.line not in skip:
            found.append(Located(clauses[at].id, paragraph.line, paragraph.text))
    return found


def dates(text: str) -> list[date]:
    """All real calendar dates in a text; 2026年2月30日 is none."""
    found = []
    for match in _DATE.finditer(text):
        numbers = [chinese(group) for group in match.groups()]
        if None in numbers:
            continue
        try:
            found.append(date(*(n or 0 for n in numbers)))
        except ValueError:
            continue
    return found


def amounts(places: Sequence[Located]) -> list[Amount]:
    """Sums in figures and capitals; neighbours of either order are taken as one sum said twice."""
    found: list[Amount] = []
    for place in places:
        waiting: tuple[int, Amount] | None = None
        for start, end, amount in _sums(place):
            partner = waiting[1] if waiting and start - waiting[0] <= _PAIR_GAP else None
            if partner is not None and bool(partner.capitals) != bool(amount.capitals):
                figure, written = (partner, amount) if amount.capitals else (amount, partner)
                found[-1] = Amount(
                    place.clause,
                    f"{figure.text} / {written.capitals}",
                    figure.value,
                    written.capitals,
                    written.capitals_value,
                )
                waiting = None
            else:
                found.append(amount)
                waiting = (end, amount)
    return found


def _sums(place: Located) -> Iterator[tuple[int, int, Amount]]:
    tokens = sorted(
        [*_FIGURE.finditer(place.text), *_CAPITALS.finditer(place.text)], key=lambda m: (m.start(), -m.end())
    )
    for match in tokens:
        if match.re is _CAPITALS:
            yield match.start(), match.end(), Amount(place.clause, match[0], None, match[0], capitals_value(match[0]))
        elif match["yuan"] or (match["sign"] in {"¥", "￥"}):
            value = Decimal(re.sub("[,，]", "", match["n"])) * _UNITS[match["unit"] or ""]
            yield match.start(), match.end(), Amount(place.clause, match[0].strip(), value)


def capitals_value(text: str) -> Decimal | None:
    """What capitals say, or None where they are miswritten: a fact to show, not to repair."""
    try:
        return parse_capitals(text)
    except MoneyError:
        return None


def instalments(places: Sequence[Located]) -> list[Share]:
    """The parts in which the price is paid. 付至 90 % counts from what was paid before; 尾款 is what is left of 100."""
    found: list[Share] = []
    paid = Decimal(0)
    for place in places:
        for sentence in _SENTENCE.finditer(place.text):
            words = sentence[0]
            if not _PAYS.search(words) or _NOT_PRICE.search(words) or not _PRICE.search(words):
                continue
            start = 0
            shares = list(_PERCENT.finditer(words))
            for match in shares:
                share = _per_cent(match)
                if share is None or not 0 < share <= 100:
                    continue
                if _CUMULATIVE.search(words[start : match.start()]):
                    share -= paid
                if share <= 0:
                    continue
                paid += share
                found.append(_share(place.clause, words[start : match.end() + 20], share=share))
                start = match.end()
            rest = _REST.search(words)
            if rest and not any(m.start() > rest.start() for m in shares):
                found.append(_share(place.clause, words[start:], rest=True))
    left = 100 - paid
    if sum(s.rest for s in found) == 1 and 0 < left < 100:
        found = [Share(s.clause, s.text, left, True, s.days, s.unit) if s.rest else s for s in found]
    return found


def _per_cent(match: re.Match[str]) -> Decimal | None:
    if match[1]:
        return Decimal(match[1])
    n = chinese(match[2])
    return None if n is None else Decimal(n)


def _share(clause: str, text: str, *, share: Decimal | None = None, rest: bool = False) -> Share:
    term = next(iter(_terms(Located(clause, 0, text))), None)
    return Share(clause, text.strip("，, ")[:120], share, rest, term.n if term else None, term.unit if term else "")


def terms(places: Sequence[Located]) -> list[Term]:
    """Every numeric time limit; 日 and 天 are calendar days, only 工作日 are working days."""
    return [term for place in places for term in _terms(place)]


def _terms(place: Located) -> Iterator[Term]:
    for match in _TERM.finditer(place.text):
        n = chinese(match[1])
        if n:
            unit = _TERM_UNITS.get(match[2], "calendar_day")
            yield Term(place.clause, _near(place.text, match), n, unit)
    for match in _ALWAYS.finditer(place.text):
        yield Term(place.clause, _near(place.text, match), 0, "always")


def periods(places: Sequence[Located]) -> list[Period]:
    """What the text says about how long the service lasts; where it left the dates open, `blank`."""
    found: list[Period] = []
    for place in places:
        head = _PERIOD.search(place.text)
        if head is None:
            continue
        words = place.text[head.start() : head.start() + 200]
        days = dates(words)
        duration, anchor = _DURATION.search(words), _ANCHOR.search(words)
        months = None
        if duration:
            n = chinese(duration[1])
            months = n * 12 if n and duration[2] == "年" else n
        blank = _OPEN.search(words) is not None
        if len(days) < 2 and months is None and not blank:
            continue
        start, end = (days[0], days[1]) if len(days) > 1 else (None, None)
        found.append(Period(place.clause, words, start, end, months, anchor[1] if anchor else "", blank))
    return found


def _near(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - 16) : match.end() + 12]
