"""Errors of the lab."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class LabError(YunweiError):
    """A sample, an overlay or a lab process is not as it should be."""
