"""The error of this room."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class DutyError(YunweiError):
    """Something that may not be done to an occurrence, an event, a proof or a claim; says why and what to do."""
