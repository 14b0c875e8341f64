"""The library that is preloaded into processes whose writes shall fail or whose clock shall jump (`faults.c`)."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path

from chaos.model import NotHere

SOURCE = Path(__file__).with_name("faults.c")
SIZE = 40
EVERY, FAILED, AHEAD, MOST = 0, 1, 2, 4


class Switches:
    """What the processes that have loaded the library follow at once."""

    def __init__(self, control: Path) -> None:
        with control.open("r+b") as file:
            self._numbers = mmap.mmap(file.fileno(), SIZE)

    @classmethod
    def ours(cls) -> Switches:
        """Those that this process itself has been started with."""
        return cls(Path(os.environ["CHAOS_CONTROL"]))

    def fail_every(self, n: int, *, most: int = 0) -> None:
        """Let every n-th write into the folder fail from now on, `most` in all; 0: none."""
        self._put(EVERY, 0)
        self._put(FAILED, 0)
        self._put(MOST, most)
        self._put(EVERY, n)

    def make_room(self) -> None:
        """Let writes succeed again from now on; those that failed stay counted."""
        self._put(EVERY, 0)

    @property
    def failed(self) -> int:
        """How many writes have failed since it was switched on."""
        told: int = struct.unpack_from("q", self._numbers, 8 * FAILED)[0]
        return told

    def ahead(self, seconds: int) -> None:
        """Let the wall clock stand so many seconds ahead of the machine's."""
        self._put(AHEAD, seconds)

    def _put(self, slot: int, number: int) -> None:
        struct.pack_into("q", self._numbers, 8 * slot, number)


def build(work: Path, folder: Path) -> dict[str, str]:
    """Compile the library into `work`; what a process needs in its environment to load it for the files in `folder`.

    Raises NotHere without a C compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotHere("no C compiler")
    library, control = work / "faults.so", work / "faults.control"
    command = [compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    control.write_bytes(bytes(SIZE))
    return {"LD_PRELOAD": str(library), "CHAOS_CONTROL": str(control), "CHAOS_FOLDER": str(folder)}
