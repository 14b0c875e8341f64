"""Redfish sessions that are open, kept sealed on disk, so that one left by a crash is deleted at the next start.

A BMC allows about eight sessions; each one that leaks locks the operators out a little more (notes: hardware §1).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


class SessionBook:
    """One small file per open session in a folder of the collector. The content is sealed by the caller."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _path(self, base: str) -> Path:
        return self.folder / hashlib.sha256(base.encode()).hexdigest()[:32]

    def keep(self, base: str, sealed: str) -> None:
        """Note the open session of one BMC, on disk before it is used further."""
        path = self._path(base)
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(sealed)
            f.flush()
            os.fsync(f.fileno())
        new.replace(path)

    def forget(self, base: str) -> None:
        """The session is deleted."""
        with suppress(FileNotFoundError):
            self._path(base).unlink()

    def left(self) -> Iterator[str]:
        """Every session noted and not forgotten, sealed: what a crash left."""
        for path in sorted(self.folder.iterdir()):
            if path.suffix != ".new":
                yield path.read_text("ascii")
