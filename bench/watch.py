"""What a tree of processes uses, seen from outside: processor time, and memory with shared pages counted once (PSS)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.measure import cpu_of

MIB = 1024.0


def tree(root: int) -> list[int]:
    """A process and all below it, by their parents' ids as the kernel tells them now."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, IndexError):
                fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def pss_mib(pids: Iterable[int]) -> float:
    """MiB of proportional set size of some processes together; one that ended meanwhile counts nothing."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / MIB


def name_of(pid: int) -> str:
    """The module a Python process runs, or its program: without a path."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
        if "-m" in words:
            return words[words.index("-m") + 1]
        return Path(words[0]).name
    return "?"


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of CPU of some processes and their children that ended; one that is gone counts nothing."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            total += cpu_of(pid)
    return total


class Watch:
    """`with Watch(pid) as watch:` looks at a tree of processes again and again; then `peak_mib`, `cpu_s`, and the same by
    the processes' names (`by_name`)."""

    def __init__(self, root: int, *, every_s: float = 0.5, beside: Sequence[int] = ()) -> None:
        """`beside` are trees whose CPU is counted apart (`beside_s`): the farm's."""
        self._root, self._every_s, self._beside = root, every_s, beside
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self.peak_mib, self.beside_s = 0.0, 0.0
        self.by_name: dict[str, float] = {}

    @property
    def cpu_s(self) -> float:
        """Of the whole tree."""
        return sum(self.by_name.values())

    def _add(self, sign: int) -> None:
        for pid in tree(self._root):
            name = name_of(pid)
            self.by_name[name] = self.by_name.get(name, 0.0) + sign * cpu_s([pid])
        self.beside_s += sign * cpu_s(self._beside)

    def _loop(self) -> None:
        while not self._stop.wait(self._every_s):
            self.peak_mib = max(self.peak_mib, pss_mib(tree(self._root)))

    def __enter__(self) -> Self:
        self._add(-1)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._add(1)
        self._stop.set()
        self._thread.join()
