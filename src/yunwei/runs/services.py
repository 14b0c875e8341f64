"""Submitting runs, moving them through their states, and the one door by which every result comes in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction
from django.db.models import F

from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Intake
from yunwei.runs import engine, rows
from yunwei.runs.models import Run, RunResult, RunState, Worker
from yunwei.runs.procedure import procedure as find_procedure
from yunwei.runs.turns import turn

JSON = Any


class RunError(YunweiError):
    """A run cannot do that in its present state, or there is no such run."""


#: why a run failed that never got to its end
PUT_DOWN = "运行在执行引擎中已经终止，没有写下结果"


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What observers are told, inside the transaction that took it in.

    `result`: one part's payload has come in. `finished`: no more will come, whatever was not seen is not seen
    (also after a failure or cancellation: `run.state` says which). `evidence` is the ledger intake of the event.
    """

    kind: Literal["result", "finished"]
    run: Run
    now: datetime
    part: str = ""
    payload: bytes = b""
    artifact: str = ""
    evidence: Intake | None = None


Observer = Callable[[RunEvent], None]
_observers: list[tuple[int, str, Observer]] = []
_here = threading.local()
#: what is being handed over is not lost: the reconciler waits a moment (again by the same thread where runs run inline)
_handing = threading.RLock()


def observe(order: int, fn: Observer) -> None:
    """Register an observer at app start: inspect 10, duties 20, desk 30. Registering twice changes nothing."""
    name = f"{fn.__module__}.{fn.__qualname__}"
    if all(name != known for _order, known, _fn in _observers):
        _observers.append((order, name, fn))
        _observers.sort(key=lambda entry: entry[:2])


def _tell(event: RunEvent) -> None:
    for _order, _name, observer in _observers:
        observer(event)


def submit(
    run_id: str,
    procedure: str,
    scope: Mapping[str, JSON],
    terms: Mapping[str, JSON],
    cause: Mapping[str, JSON],
    *,
    now: datetime,
) -> Run:
    """Create the run of that id, once, and hand it to the engine when the transaction commits.

    Safe to call again: the row decides. When the process dies between commit and hand-over, `reconcile` hands it over.
    """
    find_procedure(procedure)
    run = Run(id=run_id, procedure=procedure, scope=dict(scope), terms=dict(terms), cause=dict(cause), submitted_at=now)
    with transaction.atomic(savepoint=False):
        if not rows.add(run):
            return Run.objects.get(pk=run_id)
        ledger.record(
            "runs.run.submitted",
            run_id,
            {"procedure": procedure, "scope": run.scope, "terms": run.terms, "cause": run.cause},
            at=now,
            actor="system:duties",
            clauses=tuple(cause.get("clauses", ())),
        )
        _submitted().append(run_id)
        transaction.on_commit(_hand_over)
    return run


def _submitted() -> list[str]:
    """What this thread has submitted in its transaction (or in one that was rolled back)."""
    ids: list[str] = _here.__dict__.setdefault("submitted", [])
    return ids


def _hand_over() -> None:
    """All of a transaction's runs at once, in the order of their submission: the first hook takes them all."""
    ids, _here.submitted = _submitted(), []
    if (current := engine.current()) is None or not ids:
        return
    with _handing:
        if len(ids) > 1:  # some may be of a transaction or savepoint that was rolled back
            kept = set(Run.objects.filter(pk__in=ids).values_list("id", flat=True))
            ids = [run_id for run_id in ids if run_id in kept]
        current.submit(ids)


def reconcile(now: datetime | None = None) -> int:
    """Hand to this process's engine every submitted run that it does not know; returns how many.

    With `now`, a run that the engine has put down but that never ended (its last write failed) ends as failed: what it
    would have proved stays unproven, and is looked at again, instead of waiting for a day (`expire`).
    """
    current = engine.current()
    if current is None:
        return 0
    with _handing:
        waiting = list(
            Run.objects.filter(state__in=(RunState.SUBMITTED, RunState.RUNNING)).values_list("id", flat=True)[:1000]
        )
        known = current.known(waiting) if waiting else {}
        lost = [run_id for run_id in waiting if run_id not in known]
        if lost:
            current.submit(lost)
    if now is not None:
        for run_id in waiting:
            if known.get(run_id):  # one that ended between the two looks is left as it is
                finish(run_id, now=now, error=PUT_DOWN)
    return len(lost)


def _locked(run_id: str) -> Run:
    run = Run.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise RunError(_("没有这次运行"), where=run_id)
    return run


def start(run_id: str, *, now: datetime) -> Run:
    """Mark a run as running; a second call (the step ran again after a crash) changes nothing."""
    return rows.open_(run_id, now) or _known(run_id)


def _known(run_id: str) -> Run:
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise RunError(_("没有这次运行"), where=run_id)
    return run


def expect(run_id: str, total: int) -> None:
    """Say how many targets the run will look at, for progress."""
    Run.objects.filter(pk=run_id).update(total=total)


def advance(run_id: str, by: int) -> None:
    """Say that so many more targets were looked at, for progress only."""
    Run.objects.filter(pk=run_id).update(done=F("done") + by)


def take_in(run_id: str, part: str, payload: bytes, *, collector: str, now: datetime, count: int = 0) -> bool:
    """The one door: store one part of a run's result, enter it in the ledger, tell the observers, in one transaction.

    Returns False when that part was taken in before (a step that ran again, a file brought twice) and changes
    nothing then. Raises RunError when the run has ended: a result that comes after the verdict is not slipped in.
    `count` targets are added to the run's progress.
    """
    artifact = ledger.store(payload, "application/vnd.yunwei.result")
    with turn(), transaction.atomic():
        run = _locked(run_id)
        if RunResult.objects.filter(run=run, part=part).exists():
            return False
        if run.state not in (RunState.SUBMITTED, RunState.RUNNING):
            raise RunError(_("运行已经结束，结果来迟了"), where=f"{run_id}/{part}", hint=_("重新执行一次该义务"))
        RunResult.objects.create(
            run=run, part=part, collector=collector, artifact=artifact.content_hash, received_at=now
        )
        if count:
            run.done += count
            run.save(update_fields=["done"])
        evidence = ledger.record(
            "runs.result.received",
            run_id,
            {"part": part, "count": count},
            at=now,
            actor=f"collector:{collector}",
            clauses=tuple(run.cause.get("clauses", ())),
            artifacts=(artifact,),
        )
        _tell(RunEvent("result", run, now, part, payload, artifact.content_hash, evidence))
    return True


def finish(run_id: str, *, now: datetime, error: str = "", cancelled: bool = False) -> Run:
    """End a run: done, failed (`error` says why) or cancelled; observers give the verdict and settle the occurrence."""
    with turn(), transaction.atomic():
        state = RunState.CANCELLED if cancelled else RunState.FAILED if error else RunState.DONE
        run = rows.close(run_id, state, now, error)
        if run is None:
            return _known(run_id)
        evidence = ledger.record(
            f"runs.run.{run.state}",
            run_id,
            {"error": error} if error else {},
            at=now,
            actor="system:worker",
            clauses=tuple(run.cause.get("clauses", ())),
        )
        _tell(RunEvent("finished", run, now, evidence=evidence))
    return run


#: a run that has not ended by then is not going to: its engine gave it up, or somebody did
LONGEST = timedelta(days=1)


def expire(now: datetime) -> int:
    """End the runs that were submitted more than a day ago, as failed; returns how many. What they would have proved
    stays unproven: an occurrence does not hide behind a run that never ends."""
    old = Run.objects.filter(state__in=(RunState.SUBMITTED, RunState.RUNNING), submitted_at__lt=now - LONGEST)
    ids = list(old.order_by("submitted_at").values_list("pk", flat=True))
    for run_id in ids:
        finish(run_id, now=now, error="运行超过一天没有结束")
    return len(ids)


#: a worker tells of itself at every tick; after so long without a word it is not counted as alive
SILENT_AFTER = timedelta(seconds=30)


def worker_seen(executor: str, now: datetime) -> None:
    """Note that a worker is alive; those silent for a day are forgotten."""
    Worker.objects.update_or_create(
        executor=executor, defaults={"seen_at": now}, create_defaults={"started_at": now, "seen_at": now}
    )
    Worker.objects.filter(seen_at__lt=now - timedelta(days=1)).delete()


def workers_alive(now: datetime) -> int:
    """How many workers told of themselves lately."""
    return Worker.objects.filter(seen_at__gte=now - SILENT_AFTER).count()
