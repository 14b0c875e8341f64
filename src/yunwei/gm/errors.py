"""The one error base of this room."""

from __future__ import annotations

from yunwei.kernel.errors import YunweiError


class GmError(YunweiError):
    """A 国密 operation failed: no usable libcrypto, a failed self-test, a bad key, a forged or damaged ciphertext."""
