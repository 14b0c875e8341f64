"""Redfish sessions that are open, kept sealed on disk, so that one left by a crash is deleted at the next start.

A BMC allows about eight sessions; each one that leaks locks the operators out a little more (notes: hardware §1). Two
jobs may look at one BMC at the same time (the daily look and the deep one), so each job's book is a folder of its own
under a file lock: a session is left behind only when nobody holds its book's lock any more.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LOCK = "lock"


class SessionBook:
    """One small file per open session in a folder of this job. The content is sealed by the caller."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = secrets.token_hex(8)
        # made aside and renamed when the lock is held: a book is never seen by others without it
        new, self.own = folder / f".{name}", folder / name
        new.mkdir(mode=0o700, parents=True)
        handle = os.open(new / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        new.rename(self.own)
        self._finalizer = weakref.finalize(self, _close, handle, self.own)

    def close(self) -> None:
        """The job has ended: an empty book goes, one with sessions in it is left to the next job."""
        self._finalizer()

    def _path(self, base: str) -> Path:
        return self.own / hashlib.sha256(base.encode()).hexdigest()[:32]

    def keep(self, base: str, sealed: str) -> None:
        """Note the open session of one BMC before it is used further.

        Written whole, but not forced to the disk: what dies in the middle of a look is this process, and the note outlives
        that. After a power cut, which may take the note with it, the BMC's own timeout frees the session. Forcing each
        one was a twentieth of a collector's time.
        """
        path = self._path(base)
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(sealed)
        new.replace(path)

    def forget(self, base: str) -> None:
        """The session is deleted."""
        self._path(base).unlink(missing_ok=True)

    def left(self) -> Iterator[tuple[Path, str]]:
        """Every session noted and not forgotten by a book that nobody holds: what a crash left, sealed, with its file.

        The caller unlinks the file of a session that is gone.
        """
        for book in sorted(self.folder.iterdir()):
            if book == self.own or book.name.startswith(".") or not book.is_dir():
                continue
            handle = _take(book)
            if handle is None:
                continue
            try:
                for path in sorted(book.iterdir()):
                    if path.name != LOCK and path.suffix != ".new":
                        yield path, path.read_text("ascii")
            finally:
                _close(handle, book)


def _take(book: Path) -> int | None:
    """The lock of a book that nobody holds; None when somebody does, or it is gone."""
    try:
        handle = os.open(book / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _close(handle: int, book: Path) -> None:
    """Remove a book with no session in it, and give its lock back."""
    with suppress(OSError):
        if all(path.name == LOCK or path.suffix == ".new" for path in book.iterdir()):
            for path in book.iterdir():
                path.unlink()
            book.rmdir()
    os.close(handle)
