"""A peer as a long-lived process: one JSON line asks for a run, one line answers with its cost and what it read."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def cpu_s() -> float:
    """Seconds of CPU of this process and its children that ended."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total


def serve(run: Callable[[Any], Any], told: Callable[[Any], Any] = lambda given: given) -> None:
    """Answer until the input ends. `run` is timed; `told` makes its outcome JSON afterwards, on nobody's account."""
    for line in sys.stdin:
        asked = json.loads(line)
        before, start = cpu_s(), time.perf_counter()
        try:
            given, error = run(asked), ""
        except Exception as failed:  # noqa: BLE001 - the bench says it in the row
            given, error = None, f"{type(failed).__name__}: {failed}"
        wall, cpu = time.perf_counter() - start, cpu_s() - before
        answer = {"cpu_s": cpu, "wall_s": wall, "error": error, "given": None if error else told(given)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        del given, answer  # freed here, and not while the next run is timed
