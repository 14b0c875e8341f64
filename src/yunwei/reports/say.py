"""How a report's data is said: moments, shares, states, parties. One place, so that PDF, DOCX and page say the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from yunwei.duties.models import ClaimKind, ClaimState, State
from yunwei.reports.blocks import Cell
from yunwei.reports.evidence import said
from yunwei.reports.period import YEARLY, Kind, Period
from yunwei.ui import words

JSON = Any
#: keeps day and minute on one line of a cell
NBSP = "\u00a0"
#: colour class of a state: unproven has its own, it is neither good nor bad
TONE: Mapping[str, str] = {
    State.KEPT: "ok",
    State.LATE: "warn",
    State.MISSED: "bad",
    State.UNPROVEN: "unp",
    State.EXEMPT: "mut",
    "open": "mut",
    "overdue": "bad",
}
#: the states in which a row of figures counts, in the order they are printed
STATES = (State.KEPT, State.LATE, State.MISSED, State.UNPROVEN, State.EXEMPT, "overdue", "open")


def state_word(state: str) -> str:
    """A state as a column or a cell names it."""
    if state == State.KEPT:
        return _("按期履行")
    if state == "open":
        return _("未到期")
    return _("逾期未履行") if state == "overdue" else str(State(state).label)


def index_word(state: str) -> str:
    """A stored state as the index names it; open ones have no record yet."""
    return state_word(state) if state not in (State.DUE, State.RUNNING) else str(State(state).label)


def at(moment: str | None, zone: str) -> datetime | None:
    """A moment of the data in the contract's zone."""
    return None if moment is None else datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))


def short(moment: str | None, zone: str) -> str:
    """Month, day and minute of something that happened."""
    there = at(moment, zone)
    return "—" if there is None else f"{there:%m-%d}{NBSP}{there:%H:%M}"


def due(moment: str | None, zone: str) -> str:
    """Month, day and minute by which something is due. The midnight after a day is that day's 24:00 (民法典 203)."""
    there = at(moment, zone)
    if there is None:
        return "—"
    if f"{there:%H:%M}" == "00:00":
        return f"{there - timedelta(days=1):%m-%d}{NBSP}24:00"
    return f"{there:%m-%d}{NBSP}{there:%H:%M}"


def clock(moment: str | None, zone: str) -> str:
    """A moment as it was, to the minute."""
    there = at(moment, zone)
    return "—" if there is None else f"{there:%Y-%m-%d %H:%M}"


def day(value: date) -> str:
    """A date as documents write it (GB/T 15835)."""
    return f"{value:%Y-%m-%d}" if words.english() else f"{value.year}年{value.month}月{value.day}日"


def two_lines(word: str) -> str:
    """The head of a narrow column: three or four Chinese letters in two lines."""
    return f"{word[:-2]}\n{word[-2:]}" if len(word) in (3, 4) and not words.english() else word


def month_day(iso: str) -> str:
    """A day of a chart's axis."""
    return iso[5:]


def period_words(of: Period) -> str:
    """The period in words: 2026年11月, 2026年第48周（11月23日至11月29日）, 2026年11月25日."""
    if of.kind in YEARLY:
        return _("{year} 年度").format(year=of.key)
    if of.kind is Kind.MONTHLY:
        return f"{of.first:%Y-%m}" if words.english() else f"{of.first.year}年{of.first.month}月"
    if of.kind is Kind.DAILY:
        return day(of.first)
    year, week, _weekday = of.first.isocalendar()
    return _("{year}年第{week}周（{first}至{last}）").format(
        year=year, week=week, first=day(of.first), last=day(of.last)
    )


def kind_word(kind: str) -> str:
    """日报, 周报, 月报."""
    words_of = {
        Kind.DAILY: _("运维日报"), Kind.WEEKLY: _("运维周报"), Kind.MONTHLY: _("运维月报"),
        Kind.ACCEPTANCE: _("年度验收材料"), Kind.HANDOVER: _("移交清单"),
    }  # fmt: skip
    return words_of[Kind(kind)]


def title(row: Mapping[str, JSON]) -> str:
    """An obligation's title in the reader's language."""
    return str(row["title_en"] if words.english() else row["title"])


def clauses(ids: list[str]) -> str:
    """Clause numbers, as short as a cell needs them."""
    return (", " if words.english() else "、").join(ids) or "—"


def per_cent(part: int, whole: int) -> str:
    """A share, cut off and never rounded up: 59 of 60 is not 100 %, and nothing of nothing is no share."""
    if whole <= 0:
        return "—"
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10} %"


def count(n: int, tone: str = "") -> Cell:
    """A number in a table; zero is muted, so that the eye finds what is not zero."""
    return Cell(str(n), tone if n else "mut")


def state_cell(row: Mapping[str, JSON]) -> Cell:
    """The state of one occurrence, with who answers for what was not proven."""
    state = "overdue" if row["overdue"] else "open" if row["state"] in (State.DUE, State.RUNNING) else row["state"]
    word = state_word(state)
    if row["cause"]:
        word = _("{state}（{who}）").format(state=word, who=words.cause(row["cause"]))
    return Cell(word, TONE[state])


def number(n: int | None) -> Cell:
    """An evidence number."""
    return Cell(said(n), "" if n else "mut")


def claim_word(row: Mapping[str, JSON]) -> str:
    """What is claimed, and where it stands."""
    what = str(ClaimKind(row["kind"]).label)
    about = row["ground"] or (words.cause(row["cause"]) if row["cause"] else "")
    return _("{what}（{about}）").format(what=what, about=about) if about else what


def claim_state(row: Mapping[str, JSON]) -> Cell:
    """Where a claim stands; a dispute is not hidden."""
    tone = {ClaimState.ACCEPTED: "ok", ClaimState.DISPUTED: "bad"}.get(row["state"], "warn")
    return Cell(str(ClaimState(row["state"]).label), tone)


def period_key(key: str) -> str:
    """The period of an occurrence as its own key names it; an event's clock names the event."""
    return _("事件 {n}").format(n=key.removeprefix("event:")) if key.startswith("event:") else key
