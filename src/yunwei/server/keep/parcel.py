"""Files in one stream, packed and sealed: name, mode, content in pieces (its length need not be known before), an end.

One line of JSON names a file; pieces of content follow, each with its length before it, and a piece of length 0 ends it. The
last line is the end: how many files there were. Order is the writer's; the first file is `manifest.json`.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from yunwei.kernel.i18n import _
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.sealed import Locks, Opener, Reader, Writer

PIECE = 1 << 20
MANIFEST = "manifest.json"
#: gzip level: databases shrink to a fifth at any, and the lowest is several times as fast
LEVEL = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a parcel."""

    name: str
    mode: int


class Packer:
    """Packs files into a sealed file; `close` ends it. A parcel that was not closed does not open."""

    def __init__(self, file: IO[bytes], locks: Locks) -> None:
        self._sealed = Writer(file, locks)
        self._out = gzip.GzipFile(fileobj=self._sealed, mode="wb", compresslevel=LEVEL, mtime=0)
        self.files = self.bytes = 0

    def add(self, name: str, source: IO[bytes], mode: int = 0o600, tell: Callable[[int], None] | None = None) -> None:
        """Pack what `source` gives until it ends; `tell` hears how many bytes came."""
        self._line({"name": name, "mode": mode})
        while piece := source.read(PIECE):
            self._out.write(struct.pack(">I", len(piece)) + piece)
            self.bytes += len(piece)
            if tell is not None:
                tell(len(piece))
        self._out.write(struct.pack(">I", 0))
        self.files += 1

    def _line(self, said: dict[str, Any]) -> None:
        line = json.dumps(said, ensure_ascii=False).encode()
        self._out.write(struct.pack(">I", len(line)) + line)

    def close(self) -> None:
        """Write the end."""
        self._line({"end": self.files})
        self._out.close()
        self._sealed.finish()


class Parcel:
    """The files of a parcel, in order, each read once. Raises KeepError for whatever is not as it was packed."""

    def __init__(self, file: IO[bytes], opener: Opener, where: str) -> None:
        self._where = where
        self._in = gzip.GzipFile(fileobj=Reader(file, opener, where), mode="rb")
        self._open = False

    def __iter__(self) -> Iterator[tuple[Item, Iterator[bytes]]]:
        count = 0
        while True:
            said = self._line()
            if "end" in said:
                if said["end"] != count or self._read(1, ending=True):
                    raise self._broken()
                return
            item = Item(_plain(str(said["name"]), self._where), int(said["mode"]) & 0o777)
            self._open = True
            pieces = self._pieces()
            yield item, pieces
            for _rest in pieces:  # what the taker left
                pass
            count += 1

    def _pieces(self) -> Iterator[bytes]:
        while self._open:
            size = struct.unpack(">I", self._read(4))[0]
            if size > PIECE:
                raise self._broken()
            if size == 0:
                self._open = False
                return
            yield self._read(size)

    def _line(self) -> dict[str, Any]:
        size = struct.unpack(">I", self._read(4))[0]
        try:
            said = json.loads(self._read(size)) if size <= 1 << 16 else None
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise self._broken()
        return said

    def _read(self, size: int, *, ending: bool = False) -> bytes:
        try:
            data = self._in.read(size)
        except (EOFError, gzip.BadGzipFile) as error:
            raise self._broken() from error
        if len(data) != size and not ending:
            raise self._broken()
        return data

    def _broken(self) -> KeepError:
        return KeepError(_("备份内容不完整"), where=self._where, hint=_("请换一份备份"))


def _plain(name: str, where: str) -> str:
    """A relative path that stays where it is unpacked. Raises KeepError for any other."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise KeepError(_("备份里的文件名不可用"), where=where, hint=name[:80])
    return str(path)


def unpack(item: Item, pieces: Iterator[bytes], folder: Path) -> int:
    """Write one file below `folder`, which nobody else writes to; returns its size."""
    path = folder / item.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = 0
    with path.open("xb") as out:
        path.chmod(item.mode)
        for piece in pieces:
            out.write(piece)
            size += len(piece)
    return size
