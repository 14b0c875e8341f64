"""One target at a time: inputs until the time is over, a watchdog over each, then the memory."""

from __future__ import annotations

import faulthandler
import gc
import random
import signal
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

#: seconds of processor time for one input; honest ones take milliseconds
CPU_S = 3.0
#: seconds of wall clock after which the process ends with a traceback, should even the signal not get through
WALL_S = 120.0
#: bytes that may be held for one input beside what its own size explains
PEAK = 48 << 20
#: rounds of the same inputs, and bytes by which each of the last may still grow (interpreter caches settle late)
ROUNDS, STEP = 8, 6 << 10
#: bytes that the process may grow over the second half of a target's time: bounded caches still fill
RSS = 48 << 20


class Hang(BaseException):
    """An input took too long. No reader's `except Exception` swallows it."""


@dataclass(frozen=True)
class Target:
    """`make` gives an input from dice, `feed` gives it to the reader, `errors` are what the reader may refuse with."""

    name: str
    make: Callable[[random.Random], Any]
    feed: Callable[[Any], object]
    errors: tuple[type[BaseException], ...]
    #: inputs in a round of the memory test
    batch: int = 60


@dataclass
class Report:
    """What one target came to."""

    target: str
    inputs: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)


def dice_of(seed: str, target: str, number: int) -> random.Random:
    """The dice of one input, so that it can be had alone."""
    return random.Random(f"{seed}:{target}:{number}")  # noqa: S311 - repeatable


@contextmanager
def watched() -> Iterator[None]:
    """Ends an input that takes too long by `Hang`, by processor time: a busy machine hangs nothing."""

    def over(_number: int, _frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    faulthandler.dump_traceback_later(WALL_S, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        faulthandler.cancel_dump_traceback_later()


def one(target: Target, seed: str, number: int, report: Report) -> None:
    """Feed one input; a crash or a hang is a failure that names the input."""
    made = target.make(dice_of(seed, target.name, number))
    report.inputs += 1
    try:
        with watched():
            target.feed(made)
    except target.errors:
        report.refused += 1
    except Hang:
        report.failures.append(
            f"input {number}: more than {CPU_S:g} s of processor time; {kept(target, seed, number, made)}"
        )
    except BaseException as error:
        place = where(error)
        known = f"{type(error).__name__} at {place}"
        if not any(known in failure for failure in report.failures):
            text = str(error)[:120]
            report.failures.append(f"input {number}: {known}: {text!r}; {kept(target, seed, number, made)}")
        if isinstance(error, KeyboardInterrupt):
            raise


def where(error: BaseException) -> str:
    """The deepest place in the product that an error came through."""
    found, trace = "?", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "/yunwei/" in file:
            found = f"{file.rpartition('/yunwei/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def kept(target: Target, seed: str, number: int, made: Any) -> str:
    """Keep a failing input; says where it lies and how it is had again."""
    again = f"again: python -m chaos.fuzz --seed {seed} --only {number} {target.name}"
    if not isinstance(made, bytes):
        return again
    folder = Path("var") / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.name}-{seed}-{number}"
    path.write_bytes(made)
    return f"{path}; {again}"


def run(target: Target, seed: str, seconds: float, inputs: int = 0) -> Report:
    """Inputs for so many seconds, or just so many inputs, then the memory test."""
    report = Report(target.name)
    begun, half = time.monotonic(), 0
    number = 0
    while number < (inputs or 10) or (not inputs and time.monotonic() - begun < seconds * 0.75):
        one(target, seed, number, report)
        number += 1
        if not half and (number > inputs / 2 if inputs else time.monotonic() - begun > seconds * 0.375):
            half = resident()
        if len(report.failures) >= 20:
            break
    if half and not report.failures:
        grown = resident() - half
        report.notes["rss_grown_kib"] = grown >> 10
        if grown > RSS:
            report.failures.append(f"the process grew by {grown >> 20} MiB over the second half of {number} inputs")
    if not report.failures:
        memory(target, seed, 0.0 if inputs else seconds * 0.25, report)
    return report


def resident() -> int:
    """Bytes of memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def memory(target: Target, seed: str, seconds: float, report: Report) -> None:
    """The same inputs round after round: what is held afterwards stays what it was, and none takes much while it is read."""
    made: list[Any] = []
    levels: list[int] = []
    peak, quiet = 0, Report(target.name)
    gc.collect()
    gc.freeze()  # what is there already is not looked through again in every round
    tracemalloc.start()
    try:
        begun = time.monotonic()
        while len(made) < 2 or (len(made) < target.batch and time.monotonic() - begun < seconds / ROUNDS):
            made.append(target.make(dice_of(seed, target.name, len(made))))
            taken = _taken(target, made[-1], quiet)
            peak = max(peak, taken)
            size = len(made[-1]) if isinstance(made[-1], bytes) else 0
            if taken > PEAK + 200 * size:
                report.failures.append(
                    f"input {len(made) - 1} of {size} bytes took {taken >> 20} MiB while it was read"
                )
        for _round in range(ROUNDS):
            for item in made:
                _taken(target, item, quiet)
            gc.collect()
            levels.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    steps = [after - before for before, after in pairwise(levels)]
    report.notes |= {"peak_kib": peak >> 10, "last_rounds_kept": max(steps[-3:])}
    # caches of libraries fill, ever slower; what leaks does so at the same pace for ever
    if min(steps[-3:]) > max(STEP, 0.7 * statistics.median(steps)):
        report.failures.append(
            f"the same {len(made)} inputs, {ROUNDS} times: memory grew in every round, at last by {steps[-3:]} bytes"
        )


def _taken(target: Target, item: Any, report: Report) -> int:
    """Feed an input; the bytes that were taken for it at the most."""
    tracemalloc.reset_peak()
    base = tracemalloc.get_traced_memory()[0]
    _again(target, item, report)
    return tracemalloc.get_traced_memory()[1] - base


def _again(target: Target, item: Any, report: Report) -> None:
    try:
        with watched():
            target.feed(item)
    except target.errors:
        report.refused += 1
    except Exception:  # noqa: BLE001 - told in the main loop; here only memory counts
        report.inputs += 1
