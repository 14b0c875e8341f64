"""The one error base of backup, restore, upgrade and move."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class KeepError(YunweiError):
    """The platform's own data could not be backed up, restored, upgraded or moved."""
