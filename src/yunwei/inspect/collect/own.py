"""What fails at the collector itself and says nothing about a device (law 1: the cause decides whose a blind look is)."""

from __future__ import annotations

import errno

#: what the collector's host lacks: room on a disk, a disk that works, descriptors, memory
_OURS = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS,
})  # fmt: skip


def is_ours(error: OSError) -> bool:
    """Whether a failure is the collector's own."""
    return error.errno in _OURS
