"""Measuring sides in turn: results are compared first, then each side is repeated alternately.

CPU is user + system time of the process tree that does the work; wall is elapsed time. Ratios are taken within a round,
so what else the machine does hits both sides of a ratio alike.
"""

from __future__ import annotations

import hashlib
import os
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bench.model import Figure, Spread

T = TypeVar("T")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured run of one side: so many units, CPU and wall in seconds, and what each unit gave.

    `results` maps a unit (a device's address, a record's number) to a text that is equal exactly when the values read
    are: `digest` makes one, with the count of rows in it.
    """

    units: int
    cpu_s: float
    wall_s: float
    results: Mapping[str, str] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        """Seconds of CPU per unit."""
        return self.cpu_s / self.units

    @property
    def wall(self) -> float:
        """Seconds per unit."""
        return self.wall_s / self.units

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.units / self.wall_s


class Side(NamedTuple):
    """One way of doing the work: its name and one run of it."""

    name: str
    run: Callable[[], Sample]


def digest(rows: Sequence[str] | Mapping[str, Any]) -> str:
    """Count and digest of the values read by one unit; their order does not matter."""
    lines = sorted(rows) if not isinstance(rows, Mapping) else sorted(f"{k}={v!r}" for k, v in rows.items())
    told = hashlib.sha256("\x1e".join(lines).encode()).hexdigest()
    return f"{len(lines)} rows {told[:16]}"


def cpu_here() -> float:
    """Seconds of CPU of this process and its children that ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def cpu_of(pid: int) -> float:
    """Seconds of CPU of another process and its children that ended, in the kernel's ticks (0.01 s)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def timed(work: Callable[[], T], *, pids: Sequence[int] = ()) -> tuple[T, float, float]:
    """What the work gave, its CPU and its wall in seconds.

    CPU of this process and of children that ended meanwhile; with `pids` of those long-lived processes instead, who
    do the work for this one.
    """

    def cpu() -> float:
        return sum(map(cpu_of, pids)) if pids else cpu_here()

    before, start = cpu(), time.perf_counter()
    given = work()
    wall = time.perf_counter() - start
    return given, cpu() - before, wall


def difference(first: Sample, other: Sample) -> str:
    """Why two runs did not give the same; "" when they did.

    A side may take a sample of the units that the first side takes, but never another unit, none, or another value.
    """
    if not first.results or not other.results:
        return "nothing was read"
    for unit, told in other.results.items():
        if unit not in first.results:
            return f"{unit} was read by one side alone"
        if told != first.results[unit]:
            return f"{unit}: {first.results[unit]} and {told}"
    return ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What alternating runs gave, by side; `void` says why it counts for nothing."""

    samples: Mapping[str, Sequence[Sample]]
    void: str = ""
    equal: str = ""

    def ratio(self, over: str, under: str, of: Callable[[Sample], float]) -> Spread | None:
        """The figure of one side over that of another, round by round; None when the measurement is void."""
        if self.void:
            return None
        pairs = zip(self.samples[over], self.samples[under], strict=True)
        return Spread.of(of(a) / of(b) for a, b in pairs)

    def figures(self, what: str, of: Callable[[Sample], float], unit: str, scale: float = 1.0) -> tuple[Figure, ...]:
        """One figure for each side; none when the measurement is void."""
        return tuple(
            Figure(side, what, Spread.of(of(s) * scale for s in runs), unit)
            for side, runs in self.samples.items()
            if runs
        )


def alternate(sides: Sequence[Side], times: int) -> Measured:
    """Compare, then repeat: every side once untimed (it also warms up), then `times` rounds of all sides in turn.

    The order within a round turns, so that no side always runs after the same other. Unequal results in any run void
    all: nothing is timed any more.
    """
    first: dict[str, Sample] = {side.name: side.run() for side in sides}
    reference = first[sides[0].name]
    for side in sides:
        if why := difference(reference, first[side.name]):
            return Measured({}, void=f"{side.name} did not read the same: {why}")
    samples: dict[str, list[Sample]] = {side.name: [] for side in sides}
    for turn in range(times):
        for side in (*sides[turn % len(sides) :], *sides[: turn % len(sides)]):
            sample = side.run()
            if why := difference(reference, sample):
                return Measured({}, void=f"{side.name} did not read the same in round {turn + 1}: {why}")
            samples[side.name].append(sample)
    fewest = min(len(sample.results) for sample in first.values())
    example = next(iter(reference.results.values()))
    return Measured(samples, equal=f"{fewest} of {len(reference.results)} compared in every round, e.g. {example}")
