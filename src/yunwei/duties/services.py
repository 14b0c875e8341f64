"""What other rooms and the doors call. The work is in books, running, proofs and calendars."""

from __future__ import annotations

from datetime import datetime

from yunwei.duties.books import bring_up_to_date
from yunwei.duties.calendars import import_schedules
from yunwei.duties.papers import File
from yunwei.duties.proofs import (
    answer_claim,
    answer_proof,
    claim_cause,
    claim_exemption,
    record_event,
    state_proof,
    withdraw_proof,
)
from yunwei.duties.queries import Upcoming, day, upcoming
from yunwei.duties.running import again, close_overdue, on_run, reopen_early, submit_due
from yunwei.duties.sources import folder
from yunwei.runs import services as runs

__all__ = [
    "File",
    "Upcoming",
    "again",
    "answer_claim",
    "answer_proof",
    "bring_up_to_date",
    "claim_cause",
    "claim_exemption",
    "close_overdue",
    "day",
    "due",
    "folder",
    "import_schedules",
    "on_run",
    "record_event",
    "state_proof",
    "tick",
    "upcoming",
    "withdraw_proof",
]


def due(now: datetime) -> int:
    """Bring the table up to date and submit what is due; returns how many runs were submitted. Twice is once."""
    bring_up_to_date(now)
    runs.expire(now)
    reopen_early(now)
    close_overdue(now)
    return submit_due(now)


tick = due
