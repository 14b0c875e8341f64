"""Moments that people give: with a zone, in the years that can be, and not in the future where something is told."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from yunwei.duties.errors import DutyError
from yunwei.duties.proofs import EARLIEST

#: no window of any contract reaches this year; the last years of the calendar are no moments in every zone
LATEST = 2200


def past(at: datetime, now: datetime, where: str) -> datetime:
    """A moment of something that is told to have happened. Raises DutyError for one that is none or lies ahead."""
    if at.tzinfo is None or at > now:
        raise DutyError(_("事件的时间须带时区，且不晚于现在"), where=where)
    if at.year < EARLIEST:
        raise DutyError(_("事件的时间早于 {year} 年").format(year=EARLIEST), where=where)
    return at


def window(starts: datetime, ends: datetime, where: str) -> None:
    """A span of time. Raises DutyError for one that has no two moments, the earlier first."""
    if starts.tzinfo is None or ends.tzinfo is None or not starts < ends:
        raise DutyError(_("同意的时段要有先后两个时间"), where=where)
    if starts.year < EARLIEST or ends.year >= LATEST:
        raise DutyError(_("时段须在 {first} 年至 {last} 年之间").format(first=EARLIEST, last=LATEST), where=where)
