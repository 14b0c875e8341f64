"""The machine's clock, for the few things of law 3's list that must not follow a replay's: sessions, locks, one-time codes.

Decisions take the moment as an argument; doors and ends of sessions ask here, so that a test has one place to hold.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    """The machine's present moment, aware."""
    return timezone.now()
