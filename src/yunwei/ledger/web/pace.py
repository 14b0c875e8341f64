"""How often one may ask without a login: by address and in all, per process, in memory.

The tables are not written for a stranger's question: that would be a way to fill them. Time is the machine's monotonic
clock, given as an argument.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class Pace:
    """At most `each` questions per address and `all` together within `seconds`; the memory it takes is bounded."""

    each: int
    all: int
    seconds: float
    remembered: int = 4096
    _asked: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    _total: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def allow(self, address: str, at: float) -> bool:
        """Count one question and say whether it may be answered. A refused one does not count: it costs nothing."""
        with self._lock:
            mine = self._asked.setdefault(address, deque())
            self._asked.move_to_end(address)
            for times in (mine, self._total):
                while times and times[0] <= at - self.seconds:
                    times.popleft()
            allowed = len(mine) < self.each and len(self._total) < self.all
            if allowed:
                mine.append(at)
                self._total.append(at)
            while len(self._asked) > self.remembered:  # the one who asked longest ago
                self._asked.popitem(last=False)
            return allowed

    def forget(self) -> None:
        """Begin anew (tests)."""
        with self._lock:
            self._asked.clear()
            self._total.clear()
