"""What assessment refuses."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class AssessmentError(YunweiError):
    """A sheet, an appeal or a test that cannot be done like that: who may, when, and what must come before."""
