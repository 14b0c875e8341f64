"""Errors of the vendor engine."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class VendorFileError(YunweiError):
    """A vendor file or sample cannot be used; `where` names file and line."""
