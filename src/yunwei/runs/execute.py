"""What every engine does with a run, without an engine: open it, do a step, undo, close it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from yunwei.kernel.clock import Clock
from yunwei.runs import services
from yunwei.runs.models import Run
from yunwei.runs.patience import patient
from yunwei.runs.procedure import StepContext, procedure

log = logging.getLogger(__name__)
JSON = Any
#: the runs that this process has opened and works on, as submitted: scope, terms and cause never change
_open: dict[str, Run] = {}


def context(
    run_id: str, results: Mapping[str, JSON], clock: Clock, *, chunk: JSON = None, chunk_index: int = 0
) -> StepContext:
    """What a step of that run is told. Nothing of it changes after the submission, so a run that is open in this process is
    not read again for each step."""
    run = _open.get(run_id) or Run.objects.get(pk=run_id)
    return StepContext(
        run_id=run.id,
        procedure=run.procedure,
        scope=run.scope,
        terms=run.terms,
        cause=run.cause,
        results=results,
        now=clock.now,
        chunk=chunk,
        chunk_index=chunk_index,
    )


@patient
def open_run(run_id: str, clock: Clock) -> str:
    """Mark the run as running; returns its procedure's name, or "" when it has ended already."""
    run = services.start(run_id, now=clock.now())
    if run.ended_at is not None:
        return ""
    _open[run_id] = run
    return run.procedure


def forget(run_id: str) -> None:
    """The run is not worked on here any more."""
    _open.pop(run_id, None)


@patient
def do_step(run_id: str, step: str, results: Mapping[str, JSON], clock: Clock) -> JSON:
    """Do a step that does not fan out."""
    ctx = context(run_id, results, clock)
    return procedure(ctx.procedure).step(step).do(ctx)


@patient
def chunks_of(run_id: str, step: str, results: Mapping[str, JSON], clock: Clock) -> Sequence[JSON]:
    """The chunks a fan-out step is cut into; must not depend on anything but the run and the results before."""
    ctx = context(run_id, results, clock)
    fan = procedure(ctx.procedure).step(step).fan
    return list(fan(ctx)) if fan else []


@patient
def do_chunk(run_id: str, step: str, results: Mapping[str, JSON], chunk: JSON, index: int, clock: Clock) -> JSON:
    """Do one chunk of a fan-out step."""
    ctx = context(run_id, results, clock, chunk=chunk, chunk_index=index)
    return procedure(ctx.procedure).step(step).do(ctx)


@patient
def undo(run_id: str, done: Sequence[str], results: Mapping[str, JSON], clock: Clock) -> list[str]:
    """Take back the done steps in reverse order; returns the names of those that could not be taken back."""
    ctx = context(run_id, results, clock)
    failed: list[str] = []
    for name in reversed(done):
        step = procedure(ctx.procedure).step(name)
        if step.undo is None:
            continue
        try:
            with transaction.atomic():
                step.undo(ctx)
        except Exception:
            log.exception("undo of %s/%s failed", run_id, name)
            failed.append(name)
    return failed


def describe(error: BaseException) -> str:
    """One line about a failure for the run's record: the type, and the message only where it is our own.

    A foreign exception's text may quote what it choked on, so it goes to the log and not into the evidence.
    """
    from yunwei.kernel.errors import YunweiError

    return str(error) if isinstance(error, YunweiError) else type(error).__name__


@patient
def close_run(run_id: str, clock: Clock, *, error: str = "", at: datetime | None = None) -> None:
    """End the run and let the observers settle."""
    services.finish(run_id, now=at or clock.now(), error=error)
