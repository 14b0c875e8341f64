"""Errors of this room."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class ReportError(YunweiError):
    """A report or letter cannot be made: no such period, no font, a field that is missing."""
