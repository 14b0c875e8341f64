"""The one error base of this room."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class AccountError(YunweiError):
    """An account cannot be made, changed or let in like that."""
