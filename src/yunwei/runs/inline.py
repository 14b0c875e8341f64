"""The engine without an engine: runs at once in the calling thread. For domain tests and one-shot commands."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier
from typing import Any

from django.db import connections

from yunwei.kernel.clock import Clock
from yunwei.runs import execute
from yunwei.runs.models import Run
from yunwei.runs.procedure import procedure

log = logging.getLogger(__name__)


class InlineEngine:
    """Not durable: what is cut off half-way is run again from its first step by the reconciler."""

    def __init__(self, clock: Clock, between: Callable[[str, str], None] | None = None, *, slots: int = 1) -> None:
        """`between(run_id, step)` is called after each step and chunk: for progress, and for tests that inject crashes.

        `slots` chunks of a step are done at once, each in a thread of its own when there is more than one.
        """
        self._clock = clock
        self._between = between or (lambda _run, _step: None)
        self._slots = slots
        self._pool = ThreadPoolExecutor(slots, "chunk") if slots > 1 else None  # its threads keep their connections

    def submit(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            try:
                self._run(run_id)
            finally:
                execute.forget(run_id)

    def _run(self, run_id: str) -> None:
        name = execute.open_run(run_id, self._clock)
        if not name:
            return
        results: dict[str, Any] = {}
        done: list[str] = []
        try:
            for step in procedure(name).steps:
                if step.fan is None:
                    results[step.name] = execute.do_step(run_id, step.name, results, self._clock)
                else:
                    results[step.name] = self._chunks(run_id, step.name, results)
                done.append(step.name)
                self._between(run_id, step.name)
        except Exception as error:
            log.exception("run %s failed", run_id)
            execute.undo(run_id, done, results, self._clock)
            execute.close_run(run_id, self._clock, error=execute.describe(error))
            return
        execute.close_run(run_id, self._clock)

    def _chunks(self, run_id: str, step: str, results: dict[str, Any]) -> list[Any]:
        chunks = execute.chunks_of(run_id, step, results, self._clock)
        if self._pool is not None and len(chunks) > 1:
            return self._at_once(self._pool, run_id, step, results, chunks)
        done = []
        for i, chunk in enumerate(chunks):
            done.append(execute.do_chunk(run_id, step, results, chunk, i, self._clock))
            self._between(run_id, f"{step}/{i}")
        return done

    def _at_once(
        self, pool: ThreadPoolExecutor, run_id: str, step: str, results: dict[str, Any], chunks: Sequence[Any]
    ) -> list[Any]:
        waiting = [
            pool.submit(execute.do_chunk, run_id, step, results, chunk, i, self._clock)
            for i, chunk in enumerate(chunks)
        ]
        wait(waiting)  # also when one of them failed: nothing of a step goes on after it
        done = []
        for i, future in enumerate(waiting):
            done.append(future.result())
            self._between(run_id, f"{step}/{i}")
        return done

    def close(self) -> None:
        """End the threads; each closes its own connection first, which nobody else can do for it."""
        if self._pool is None:
            return
        together = Barrier(self._slots)

        def end() -> None:
            together.wait()  # so that every thread does this once
            connections.close_all()

        wait([self._pool.submit(end) for _n in range(self._slots)])
        self._pool.shutdown()

    def known(self, run_ids: list[str]) -> dict[str, bool]:
        ended = Run.objects.filter(pk__in=run_ids, ended_at__isnull=False)
        return dict.fromkeys(ended.values_list("id", flat=True), True)

    def cancel(self, run_id: str) -> None:
        """Nothing runs between calls, so there is nothing to stop."""
