"""What a report is about: a day, an ISO week or a calendar month in the contract's zone, or the contract year. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from yunwei.kernel.i18n import _
from yunwei.reports.errors import ReportError

ONE_DAY = timedelta(days=1)


class Kind(StrEnum):
    """How long a report reaches; the word is what commands and addresses say."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ACCEPTANCE = "acceptance"  # the contract year, for its acceptance
    HANDOVER = "handover"  # the contract year, for its handover list


#: how a period of each kind is written: as the keys of duties (duties.periods)
FORMS = {Kind.DAILY: "2026-11-25", Kind.WEEKLY: "2026-W48", Kind.MONTHLY: "2026-11"}


#: documents of the contract year: their days are the contract's, no key names them by itself
YEARLY = frozenset({Kind.ACCEPTANCE, Kind.HANDOVER})


@dataclass(frozen=True, slots=True)
class Period:
    """Calendar days in a zone, both inside. `key` names it as duties name their periods."""

    kind: Kind
    key: str
    first: date
    last: date
    zone: str

    @property
    def start(self) -> datetime:
        """The local midnight before its first day."""
        return datetime.combine(self.first, time(), ZoneInfo(self.zone))

    @property
    def end(self) -> datetime:
        """The local midnight after its last day: what falls due then still belongs to it (民法典 203)."""
        return datetime.combine(self.last + ONE_DAY, time(), ZoneInfo(self.zone))

    @property
    def days(self) -> list[date]:
        """Its days in order."""
        return [self.first + i * ONE_DAY for i in range((self.last - self.first).days + 1)]


def of(kind: Kind, day: date, zone: str) -> Period:
    """The period of a kind that a day lies in."""
    if kind is Kind.DAILY:
        return Period(kind, day.isoformat(), day, day, zone)
    if kind is Kind.WEEKLY:
        year, week, weekday = day.isocalendar()
        first = day - (weekday - 1) * ONE_DAY
        return Period(kind, f"{year}-W{week:02}", first, first + 6 * ONE_DAY, zone)
    first = day.replace(day=1)
    return Period(kind, f"{day:%Y-%m}", first, day.replace(day=monthrange(day.year, day.month)[1]), zone)


def parse(kind: str, key: str, zone: str) -> Period:
    """The period that a key names. Raises ReportError for another kind or a key that is no such period."""
    if kind not in FORMS:
        raise ReportError(_("没有这种报告：{kind}").format(kind=kind[:40]), hint="、".join(FORMS))
    known = Kind(kind)
    try:
        return of(known, _day(known, key), zone)
    except (ValueError, OverflowError):
        raise ReportError(_("不是报告期：{key}").format(key=key[:40]), hint=FORMS[known]) from None


def _day(kind: Kind, key: str) -> date:
    """One day of the period. Raises ValueError."""
    if kind is Kind.DAILY and re.fullmatch(r"\d{4}-\d{2}-\d{2}", key):
        return date.fromisoformat(key)
    if kind is Kind.WEEKLY and (found := re.fullmatch(r"(\d{4})-W(\d{2})", key)):
        return date.fromisocalendar(int(found[1]), int(found[2]), 1)
    if kind is Kind.MONTHLY and re.fullmatch(r"\d{4}-\d{2}", key):
        return date.fromisoformat(f"{key}-01")
    raise ValueError(key)


def kept(kind: str, key: str, first: date, last: date, zone: str) -> Period:
    """The period of a report that was made: of the contract year the days stand with the report."""
    known = Kind(kind)
    return Period(known, key, first, last, zone) if known in YEARLY else parse(kind, key, zone)


def latest_whole(kind: Kind, now: datetime, zone: str) -> Period:
    """The newest period of a kind that has ended: what a report is usually made of."""
    today = of(kind, now.astimezone(ZoneInfo(zone)).date(), zone)
    return of(kind, today.first - ONE_DAY, zone)


def moment(at: datetime | None) -> str | None:
    """A moment as a report's data writes it: UTC, seconds, Z."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
