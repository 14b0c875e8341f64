"""Runs: submitted once, taken in by one door, ended once, observers told in order in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import transaction

from yunwei.kernel.clock import ManualClock
from yunwei.ledger.models import Intake
from yunwei.runs import engine, services
from yunwei.runs import procedure as procedures
from yunwei.runs.inline import InlineEngine
from yunwei.runs.models import Run, RunResult, RunState
from yunwei.runs.procedure import Procedure, ProcedureError, Step, StepContext

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
LOG: list[str] = []


def _look(ctx: StepContext) -> int:
    LOG.append(f"look:{ctx.chunk}")
    services.take_in(ctx.run_id, f"part-{ctx.chunk_index}", b"{}", collector="c1", now=ctx.now(), count=1)
    return 1


def _break(ctx: StepContext) -> None:
    raise services.RunError("设备拒绝")


PROCEDURES = (
    Procedure(
        "test.look",
        "看",
        "look",
        "look",
        (
            Step("plan", lambda ctx: list(ctx.scope["assets"])),
            Step("look", _look, fan=lambda ctx: ctx.results["plan"]),
        ),
    ),
    Procedure(
        "test.change",
        "改",
        "change",
        "result",
        (
            Step("one", lambda ctx: LOG.append("one"), undo=lambda ctx: LOG.append("undo one")),
            Step("two", lambda ctx: LOG.append("two"), undo=lambda ctx: LOG.append("undo two")),
            Step("three", _break, undo=lambda ctx: LOG.append("undo three")),
        ),
    ),
)


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    LOG.clear()
    found: dict[str, Procedure] = {}
    procedures.collect(PROCEDURES, found, where="tests")
    monkeypatch.setattr(procedures, "registry", lambda: found)
    monkeypatch.setattr(services, "_observers", [])
    engine.use(None)
    yield
    engine.use(None)


def submit(run_id: str = "look:S1:2026-11-25:1", procedure: str = "test.look") -> Run:
    return services.submit(run_id, procedure, {"assets": ["a", "b"]}, {}, {"clauses": ["2.1"]}, now=NOW)


def test_submitting_twice_is_once():
    submit()
    submit()
    assert Run.objects.count() == 1
    assert Intake.objects.filter(kind="runs.run.submitted").count() == 1


def test_a_run_goes_through_its_steps_and_ends():
    engine.use(InlineEngine(ManualClock(NOW)))
    run = submit()
    run.refresh_from_db()
    assert (run.state, run.done) == (RunState.DONE, 2)
    assert LOG == ["look:a", "look:b"]


@pytest.fixture
def at_once() -> Iterator[None]:
    """An engine that does three chunks at once; its threads end with the test."""
    inline = InlineEngine(ManualClock(NOW), slots=3)
    engine.use(inline)
    yield
    inline.close()


@pytest.mark.usefixtures("at_once")
def test_chunks_at_once_give_the_same_results_in_the_same_order():
    codes = [f"a{i}" for i in range(7)]
    services.submit("look:S1:2026-11-25:1", "test.look", {"assets": codes}, {}, {}, now=NOW)
    run = Run.objects.get()
    assert (run.state, run.done) == (RunState.DONE, 7)
    assert sorted(LOG) == [f"look:{code}" for code in codes]
    assert sorted(RunResult.objects.values_list("part", flat=True)) == [f"part-{i}" for i in range(7)]


@pytest.mark.usefixtures("at_once")
def test_a_chunk_that_fails_beside_others_fails_the_run(monkeypatch: pytest.MonkeyPatch):
    real = services.take_in

    def take_in(run_id: str, part: str, *args: object, **more: object) -> bool:
        if part == "part-1":
            raise services.RunError("设备拒绝")
        return real(run_id, part, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(services, "take_in", take_in)
    services.submit("look:S1:2026-11-25:1", "test.look", {"assets": ["a", "b", "c"]}, {}, {}, now=NOW)
    run = Run.objects.get()
    assert (run.state, run.error) == (RunState.FAILED, "设备拒绝")


def test_a_rolled_back_submission_starts_nothing():
    engine.use(InlineEngine(ManualClock(NOW)))
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        submit()
        raise ZeroDivisionError
    assert Run.objects.count() == 0
    assert LOG == []


def test_what_was_never_handed_over_is_handed_over_by_the_reconciler():
    submit()
    engine.use(InlineEngine(ManualClock(NOW)))
    assert services.reconcile() == 1
    assert Run.objects.get().state == RunState.DONE
    assert services.reconcile() == 0


def test_a_failure_takes_back_what_was_done_in_reverse_order():
    engine.use(InlineEngine(ManualClock(NOW)))
    run = submit("change:S9:x:1", "test.change")
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert run.error == "设备拒绝"
    assert LOG == ["one", "two", "undo two", "undo one"]


def test_a_part_is_taken_in_once_and_nothing_after_the_end():
    submit()
    assert services.take_in("look:S1:2026-11-25:1", "p", b"x", collector="c", now=NOW)
    assert not services.take_in("look:S1:2026-11-25:1", "p", b"x", collector="c", now=NOW)
    assert RunResult.objects.count() == 1
    services.finish("look:S1:2026-11-25:1", now=NOW)
    with pytest.raises(services.RunError):
        services.take_in("look:S1:2026-11-25:1", "q", b"y", collector="c", now=NOW)


def test_observers_are_told_in_order_and_share_the_transaction():
    told: list[str] = []

    def late(event: services.RunEvent) -> None:
        told.append(f"late {event.kind}")
        if event.kind == "finished":
            raise ZeroDivisionError

    def early(event: services.RunEvent) -> None:
        told.append(f"early {event.kind}")
        event.run.outcome = {"seen": True}
        event.run.save(update_fields=["outcome"])

    services.observe(20, late)
    services.observe(10, early)
    services.observe(10, early)
    submit()
    services.take_in("look:S1:2026-11-25:1", "p", b"x", collector="c", now=NOW)
    with pytest.raises(ZeroDivisionError):
        services.finish("look:S1:2026-11-25:1", now=NOW)
    assert told == ["early result", "late result", "early finished", "late finished"]
    assert Run.objects.get().state == RunState.SUBMITTED, "an observer that fails takes the whole change back"


def test_an_ended_run_cannot_be_ended_again():
    submit()
    services.finish("look:S1:2026-11-25:1", now=NOW, cancelled=True)
    services.finish("look:S1:2026-11-25:1", now=NOW, error="later")
    assert Run.objects.get().state == RunState.CANCELLED


def test_a_name_claimed_twice_fails():
    with pytest.raises(ProcedureError, match="两次"):
        procedures.collect((PROCEDURES[0], PROCEDURES[0]), {}, where="tests")


def test_an_unknown_procedure_is_refused_before_anything_is_written():
    with pytest.raises(ProcedureError, match="没有名为"):
        submit(procedure="test.nothing")
    assert Run.objects.count() == 0
