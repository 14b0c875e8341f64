"""How duties, clocks and records are said to people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from yunwei.contract.schema import ApprovedPlan, Deadline, Kind, Obligation
from yunwei.duties.models import Occurrence
from yunwei.inspect.models import Finding
from yunwei.ui.vocabulary import (
    BASIS,
    CATEGORIES,
    CAUSES,
    EVENTS,
    EVERY,
    LIMITS,
    PARTIES,
    REASONS,
    amount,
)

WEEKDAYS = (
    gettext_lazy("星期一"),
    gettext_lazy("星期二"),
    gettext_lazy("星期三"),
    gettext_lazy("星期四"),
    gettext_lazy("星期五"),
    gettext_lazy("星期六"),
    gettext_lazy("星期日"),
)
MONTHS = (
    gettext_lazy("1月"),
    gettext_lazy("2月"),
    gettext_lazy("3月"),
    gettext_lazy("4月"),
    gettext_lazy("5月"),
    gettext_lazy("6月"),
    gettext_lazy("7月"),
    gettext_lazy("8月"),
    gettext_lazy("9月"),
    gettext_lazy("10月"),
    gettext_lazy("11月"),
    gettext_lazy("12月"),
)


def english() -> bool:
    """Whether this request reads English."""
    return (translation.get_language() or "").startswith("en")


def pieces(template: str, values: Mapping[str, tuple[object, str]]) -> list[tuple[str, str]]:
    """A sentence cut at its placeholders: (text, tone) so that the figures can be set apart in any language."""
    out: list[tuple[str, str]] = []
    for text, name, _spec, _conversion in Formatter().parse(template):
        if text:
            out.append((text, ""))
        if name:
            value, tone = values[name]
            out.append((str(value), tone))
    return out


def _named(names: Mapping[Any, Any], key: str) -> str:
    return str(names.get(key, key))


def reason(code: str) -> str:
    """Why something is unproven."""
    return _named(REASONS, code)


def cause(code: str) -> str:
    """Who answers for something unproven."""
    return _named(CAUSES, code)


def category(code: str) -> str:
    """A category of assets."""
    return _named(CATEGORIES, code)


def party(code: str) -> str:
    """甲方, 乙方, 双方."""
    return _named(PARTIES, code)


def event(kind: str) -> str:
    """What a ledger record tells of."""
    return _named(EVENTS, kind)


def title(obligation: Obligation) -> str:
    """An obligation's title in the reader's language."""
    return obligation.title_en if english() else obligation.title


#: texts that a service wrote once, in Chinese, with figures in them
_COVERED = re.compile(r"覆盖 (\d+)/(\d+)，目标 ([\d.]+)%")


def stored(text: str) -> str:
    """A text that a service wrote, in the reader's language where that is known; what people wrote is never given here."""
    if not text or not english():
        return text
    if found := _COVERED.fullmatch(text):
        return _("覆盖 {proven}/{agreed}，目标 {target}%").format(proven=found[1], agreed=found[2], target=found[3])
    return _(text)


def listed(names: Iterable[object]) -> str:
    """Names one after the other."""
    return (", " if english() else "、").join(str(name) for name in names)


def clauses(ids: Sequence[str]) -> str:
    """Clause numbers as people cite them."""
    return _("条款 {ids}").format(ids=listed(ids))


def deadline(obligation: Obligation, row: Occurrence, plan: ApprovedPlan | None) -> str:
    """The rule a clock runs by, and whose number it is."""
    found: Deadline | None = obligation.deadline
    if found is None and plan is not None:
        found = next((line.deadline for line in plan.plan.lines if line.obligation == row.obligation), None)
    if found is None:
        return _("合同与方案均无数字")
    said = amount(found.n, found.unit)
    basis = str(BASIS[found.basis])
    if row.provisional:
        return _("{rule}（{basis}，暂定）").format(rule=said, basis=basis)
    return _("{rule}（{basis}）").format(rule=said, basis=basis)


def cadence(obligation: Obligation, plan: ApprovedPlan | None) -> str:
    """How often, in one word: "按需" for what an event starts, "持续" for a state held without gaps."""
    found = obligation.cadence
    if found is None and plan is not None:
        found = next((line.cadence for line in plan.plan.lines if line.obligation == obligation.id), None)
    if found is not None:
        return str(EVERY[found.every])
    return _("持续") if obligation.kind is Kind.CONTINUOUS else _("按需")


def left(delta: timedelta) -> str:
    """Time that is left, or by how much it is over."""
    seconds = int(abs(delta.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        text = _("{d} 天 {h} 小时").format(d=days, h=hours)
    elif hours:
        text = _("{h} 小时 {m} 分").format(h=hours, m=minutes)
    else:
        text = ngettext("{m} 分", "{m} 分", minutes).format(m=minutes)
    return (_("超过 {time}") if delta < timedelta(0) else _("剩 {time}")).format(time=text)


def month(day: date) -> str:
    """A month's short name."""
    return str(MONTHS[day.month - 1])


def date_line(day: date, number: int, days: int) -> str:
    """The date in words and where in the term it lies."""
    when = _("{y} 年 {m} 月 {d} 日 {weekday}").format(
        y=day.year, m=day.month, d=day.day, month=month(day), weekday=WEEKDAYS[day.weekday()]
    )
    return f"{when} · " + _("合同第 {n} / {all} 天").format(n=number, all=days)


def when(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Time of day for today, the date for what is older or later."""
    there = at.astimezone(zone)
    return f"{there:%H:%M}" if there.date() == now.astimezone(zone).date() else f"{there:%m-%d}"


def due(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A due moment. The midnight after a day is that day's 24:00, as the contract's days end (民法典 203)."""
    there = at.astimezone(zone)
    clock = f"{there:%H:%M}"
    if clock == "00:00":
        there, clock = there - timedelta(days=1), "24:00"
    return clock if there.date() == now.astimezone(zone).date() else f"{there:%m-%d} {clock}"


#: how a rollup names the part that explains it (inspect.vendor.observe)
EXPLAINED = "explained by: "


def limit(told: str) -> str:
    """A limit as people read it: whose it is, and where it warns. What has no figures is said as it is."""
    if told.startswith(EXPLAINED):
        return _("见 {part}").format(part=told.removeprefix(EXPLAINED))
    owner, colon, rest = told.partition(": ")
    if not colon or owner not in LIMITS:
        return told
    said = re.sub(r"warn([<>])=(\S+)", lambda m: _("{sign}{n} 警告").format(sign=_sign(m[1]), n=m[2]), rest)
    said = re.sub(r"crit([<>])=(\S+)", lambda m: _("{sign}{n} 严重").format(sign=_sign(m[1]), n=m[2]), said)
    return f"{LIMITS[owner]} {said}"


def limits_in(text: str) -> str:
    """A text that a sweep wrote, with the limit at the end of a line as people read it (desk.faults)."""
    owners = "|".join(sorted(LIMITS, key=len, reverse=True))
    return re.sub(rf"(?m)(?<= )(?:{owners}): \S.*$", lambda m: limit(m[0]), text)


def _sign(sign: str) -> str:
    return "≤" if sign == "<" else "≥"


def finding(found: Finding) -> str:
    """What a finding says: how bad, what was read, whose limit judged it, how it came to light, how often it was seen."""
    read = found.value if found.limit and found.value else found.raw or found.value
    parts = [str(found.get_severity_display()), read, limit(found.limit), str(found.get_origin_display())]
    if found.times > 1:
        parts.append(_("见 {n} 次").format(n=found.times))
    return " · ".join(part for part in parts if part)
