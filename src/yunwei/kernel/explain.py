"""A deadline as data for people and machines: what `yunwei deadline --json` prints."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from yunwei.kernel.calendar import Calendar
from yunwei.kernel.deadline import Deadline
from yunwei.kernel.i18n import _


def weekday_name(weekday: int) -> str:
    """周一 … 周日 for 1 … 7."""
    return (_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日"))[weekday - 1]


def explain(deadline: Deadline, calendar: Calendar) -> dict[str, Any]:
    """The deadline as plain JSON values.

    `due` is ISO 8601 with offset; a due of T00:00 is the 24:00 of `date`. `sources` names the schedule of every year
    that was looked at; an empty one is a year that is not published.
    """
    years = sorted({step.date.year for step in deadline.steps})
    return {
        "from": _iso(deadline.start),
        "n": deadline.n,
        "unit": deadline.unit.value,
        "date": deadline.date.isoformat(),
        "weekday": deadline.date.isoweekday(),
        "due": deadline.due.isoformat(),
        "provisional": deadline.provisional,
        "notes": list(deadline.notes),
        "sources": {str(year): calendar.notice(year) for year in years},
        "steps": [
            {
                "date": step.date.isoformat(),
                "weekday": step.weekday,
                "counted": step.counted,
                "n": step.n,
                "why": step.why,
                "provisional": step.provisional,
            }
            for step in deadline.steps
        ],
    }


def _iso(start: datetime | date) -> str:
    return start.isoformat()
