"""A party's own clocks: how many days of the calendar are left, and who of that side must act; the same for both parties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from yunwei.accounts.models import PartyOf, Role
from yunwei.contract.closings import SIGNERS
from yunwei.contract.schema import ApprovedPlan, Folder
from yunwei.duties.models import Occurrence
from yunwei.duties.web import day
from yunwei.kernel.calendar import Calendar


@dataclass(frozen=True, slots=True)
class Own:
    """One clock of the side with the days that are left of it, in words."""

    clock: day.Clock
    days: str


def clocks(
    folder: Folder, side: str, rows: Sequence[Occurrence], plan: ApprovedPlan | None, calendar: Calendar, now: datetime,
    zone: ZoneInfo,
) -> list[Own]:  # fmt: skip
    """What runs down for one side now, the most urgent first."""
    mine = [row for row in rows if side in row.owes]
    return [Own(c, left(c, calendar, now, zone)) for c in day.clocks(folder, mine, plan, now, zone)]


def left(clock: day.Clock, calendar: Calendar, now: datetime, zone: ZoneInfo) -> str:
    """The days left after today up to and with the last one: working days where the rule counts them."""
    today = now.astimezone(zone).date()
    last = (clock.due_at - timedelta(microseconds=1)).astimezone(zone).date()
    if clock.due_at <= now:
        return _("已过期限")
    days = [today + timedelta(days=n) for n in range(1, (last - today).days + 1)]
    if not days:
        return _("今日到期")
    if clock.working:
        n = sum(calendar.is_working(one) for one in days)
        return ngettext("还有 {n} 个工作日", "还有 {n} 个工作日", n).format(n=n)
    return ngettext("还有 {n} 个自然日", "还有 {n} 个自然日", len(days)).format(n=len(days))


def hands(side: str) -> str:
    """Who of a side acts in its name."""
    return " / ".join(str(Role(r).label) for r in sorted(SIGNERS[PartyOf(side)]))
