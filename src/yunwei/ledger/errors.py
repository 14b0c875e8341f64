"""The one error base of this room."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class LedgerError(YunweiError):
    """Evidence could not be taken in, numbered, signed, stored or exported."""
