"""What settles what (law 1), attempts, and the guarded transitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from tests.duties.conftest import People
from tests.duties.test_books import kinds, row
from tests.duties.world import at
from yunwei.assets.models import Asset
from yunwei.duties import running, services
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Attempt, Occurrence, State
from yunwei.duties.transitions import TRANSITIONS, in_time, move
from yunwei.kernel.verdict import Verdict
from yunwei.ledger.models import Intake
from yunwei.runs import services as runs
from yunwei.runs.models import Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]
MORNING = "2026-03-03 07:00"
LOOK, BACKUP = "look-day:2026-03-03", "backup:2026-03-03"


@pytest.fixture
def started(people: People, assets: list[Asset]) -> People:
    """A plan approved over ten assets, and the morning's runs submitted."""
    from tests.duties import world
    from yunwei.contract import plans

    version = plans.propose(world.plan(), folder=world.folder(), by=people.vendor, now=at("2026-03-02 09:00")).version
    plans.approve(version, by=people.client, now=at("2026-03-02 09:00"))
    services.tick(at(MORNING))
    return people


def figures(agreed: int, proven: int, **causes: int) -> dict[str, Any]:
    return {"coverage": {"agreed": agreed, "proven": proven, "causes": causes}}


def finish(key: str, outcome: dict[str, Any], when: str, state: str = "done") -> Occurrence:
    run_id = row(key).attempts.order_by("-number").first().run_id  # type: ignore[union-attr]
    with transaction.atomic():
        running.settle(run_id, state, outcome, now=at(when))
    return row(key)


def test_a_run_is_submitted_with_the_plan_s_terms_and_baseline(started: People) -> None:
    run = Run.objects.get(id="look:look-day:2026-03-03:1")
    assert run.procedure == "test.look"
    assert run.scope["assets"] == run.terms["baseline"] == [f"dev-{n}" for n in range(10)]
    assert run.terms["x"] == 1
    assert run.terms["coverage_target"] == "90.00"
    assert run.cause["clauses"] == ["第三条"]
    assert row(LOOK).state == State.RUNNING
    assert kinds()["duties.occurrence.running"] == Run.objects.count() == Attempt.objects.count()


def test_an_asset_taken_out_of_the_register_stays_in_the_baseline(started: People, assets: list[Asset]) -> None:
    assets[0].endpoints.all().delete()
    assets[0].delete()
    Asset.objects.filter(code="dev-1").update(retired_at=at(MORNING))
    services.tick(at("2026-03-04 07:00"))
    assert len(Run.objects.get(id="look:look-day:2026-03-04:1").terms["baseline"]) == 10


@pytest.mark.parametrize(
    ("agreed", "proven", "when", "state"),
    [
        (10, 10, "2026-03-03 08:00", State.KEPT),
        (10, 9, "2026-03-03 08:00", State.KEPT),  # the target is 90 %
        (10, 9, "2026-03-03 18:00", State.KEPT),
        (10, 9, "2026-03-03 18:01", State.LATE),
        (10, 8, "2026-03-03 08:00", State.UNPROVEN),
        (0, 0, "2026-03-03 08:00", State.UNPROVEN),
    ],
)
def test_looking_is_kept_by_coverage(started: People, agreed: int, proven: int, when: str, state: State) -> None:
    settled = finish(LOOK, {"verdict": "fail", **figures(agreed, proven)}, when)
    assert settled.state == state
    assert settled.coverage == figures(agreed, proven)["coverage"]
    assert Intake.objects.get(pk=settled.evidence).kind == f"duties.occurrence.{state}"


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_run_that_broke_off_proves_nothing_and_that_is_ours(started: People, state: str) -> None:
    for key in (LOOK, BACKUP):
        settled = finish(key, {"verdict": "pass", **figures(10, 10)}, "2026-03-03 08:00", state)
        assert (settled.state, settled.cause) == (State.UNPROVEN, "vendor")


@pytest.mark.parametrize(
    ("causes", "cause"), [({"vendor": 1, "client": 3}, "vendor"), ({"client": 4}, "unknown"), ({}, "unknown")]
)
def test_nobody_else_is_charged_without_an_answer(started: People, causes: dict[str, int], cause: str) -> None:
    assert finish(LOOK, figures(10, 5, **causes), "2026-03-03 08:00").cause == cause


@pytest.mark.parametrize(
    ("outcome", "when", "state"),
    [
        ({"verdict": "pass"}, "2026-03-03 08:00", State.KEPT),
        ({"verdict": "pass"}, "2026-03-04 00:01", State.LATE),
        ({"verdict": "fail"}, "2026-03-03 08:00", State.DUE),
        ({"verdict": "fail"}, "2026-03-04 00:01", State.MISSED),
        ({"verdict": "unproven"}, "2026-03-03 08:00", State.UNPROVEN),
        ({"verdict": "nonsense"}, "2026-03-03 08:00", State.UNPROVEN),
        ({**figures(10, 10)}, "2026-03-03 08:00", State.UNPROVEN),  # coverage is no result
    ],
)
def test_a_result_is_kept_only_by_pass(started: People, outcome: dict[str, Any], when: str, state: State) -> None:
    assert finish(BACKUP, outcome, when).state == state


def test_a_failed_result_is_open_until_it_is_done_again_then_missed(started: People) -> None:
    finish(BACKUP, {"verdict": "fail"}, "2026-03-03 08:00")
    assert services.tick(at("2026-03-03 08:30")) == 0  # not again by itself: somebody must have put it right
    second = services.again(row(BACKUP).pk, now=at("2026-03-03 09:00"), actor="vendor")
    assert second.run_id == "result:backup:2026-03-03:2"
    assert finish(BACKUP, {"verdict": "fail"}, "2026-03-03 09:30").state == State.DUE
    services.tick(at("2026-03-04 00:00"))
    assert row(BACKUP).state == State.MISSED
    services.again(row(BACKUP).pk, now=at("2026-03-04 08:00"), actor="vendor")
    assert finish(BACKUP, {"verdict": "pass"}, "2026-03-04 09:00").state == State.LATE


def test_a_look_that_proved_too_little_is_done_again_while_it_is_in_time(started: People) -> None:
    finish(LOOK, figures(10, 5), "2026-03-03 07:10")
    services.tick(at("2026-03-03 07:20"))
    assert row(LOOK).attempts.count() == 1
    services.tick(at("2026-03-03 07:40"))
    assert (row(LOOK).attempts.count(), row(LOOK).state) == (2, State.RUNNING)
    assert finish(LOOK, figures(10, 10), "2026-03-03 07:50").state == State.KEPT
    assert [a.verdict for a in row(LOOK).attempts.all()] == ["unproven", "pass"]


def test_nothing_is_tried_again_by_itself_when_the_time_has_run_out(started: People) -> None:
    finish(LOOK, figures(10, 5), "2026-03-03 17:20")
    services.tick(at("2026-03-03 18:00"))
    assert (row(LOOK).attempts.count(), row(LOOK).state) == (1, State.UNPROVEN)
    services.again(row(LOOK).pk, now=at("2026-03-03 18:30"), actor="vendor")  # by hand, the same day: late
    assert finish(LOOK, figures(10, 10), "2026-03-03 18:40").state == State.LATE


def test_automatic_attempts_end(started: People) -> None:
    moment = at("2026-03-03 07:10")
    for _ in range(6):
        last = row(LOOK).attempts.order_by("-number").first()
        if last is not None and last.ended_at is None:
            with transaction.atomic():
                running.settle(last.run_id, "done", figures(10, 5), now=moment)
        moment += timedelta(minutes=31)
        services.tick(moment)
    assert row(LOOK).attempts.count() == running.MAX_AUTOMATIC


def test_a_look_cannot_be_made_up_in_the_next_period(started: People) -> None:
    finish(LOOK, figures(10, 5), "2026-03-03 17:50")
    services.tick(at("2026-03-04 07:00"))
    assert row(LOOK).state == State.UNPROVEN
    with pytest.raises(DutyError, match="下一期"):
        services.again(row(LOOK).pk, now=at("2026-03-04 08:00"), actor="vendor")


def test_again_needs_a_procedure(started: People) -> None:
    with pytest.raises(DutyError, match="流程"):
        services.again(row("walk-week:2026-W10").pk, now=at("2026-03-03 08:00"), actor="vendor")


def test_the_same_result_twice_settles_once(started: People) -> None:
    finish(LOOK, figures(10, 10), "2026-03-03 08:00")
    before = kinds()
    assert finish(LOOK, figures(10, 0), "2026-03-03 09:00").state == State.KEPT
    assert [(a.verdict, a.ended_at) for a in row(LOOK).attempts.all()] == [("pass", at("2026-03-03 08:00"))]
    assert kinds() == before


def test_runs_tells_duties_through_its_observers(started: People) -> None:
    run_id = row(BACKUP).attempts.get().run_id
    Run.objects.filter(pk=run_id).update(outcome={"verdict": "pass"})
    runs.finish(run_id, now=at("2026-03-03 08:00"))
    assert row(BACKUP).state == State.KEPT


def test_a_run_of_somebody_else_is_passed_over(started: People) -> None:
    with transaction.atomic():
        running.settle("look:other:2026:1", "done", figures(1, 1), now=at(MORNING))


def test_a_run_under_way_is_not_closed(started: People) -> None:
    services.tick(at("2026-03-03 18:30"))
    assert row(LOOK).state == State.RUNNING
    services.tick(at("2026-03-03 18:00"))
    assert row("look-week:2026-W10").state == State.RUNNING


def test_an_unknown_procedure_leaves_the_rest_alone(started: People) -> None:
    assert row("walk-week:2026-W10").state == State.DUE
    assert not row("walk-week:2026-W10").attempts.exists()


def occurrence(state: State) -> Occurrence:
    cause = "unknown" if state is State.UNPROVEN else ""
    return Occurrence.objects.create(
        obligation="look-day", period="x", owes="B", kind="look", basis="plan", counts=True,
        starts_at=at(MORNING), state=state, cause=cause,
    )  # fmt: skip


@pytest.mark.parametrize("was", State)
@pytest.mark.parametrize("to", State)
def test_only_the_table_s_transitions_are_possible(was: State, to: State) -> None:
    item = occurrence(was)
    if to in TRANSITIONS[was]:
        with transaction.atomic():
            move(item, to, now=at(MORNING), actor="test", cause="vendor")
        item.refresh_from_db()
        assert item.state == to
        assert bool(item.cause) == (to is State.UNPROVEN)
        assert (item.settled_at is None) == (to in (State.DUE, State.RUNNING))
        assert Intake.objects.filter(kind=f"duties.occurrence.{to}", subject=item.key).count() == 1
    else:
        with pytest.raises(DutyError, match="不能变为"), transaction.atomic():
            move(item, to, now=at(MORNING), actor="test", cause="vendor")
        assert not Intake.objects.filter(subject=item.key).exists()


def test_the_database_holds_the_rules_too(people: People) -> None:
    occurrence(State.DUE)
    for fields in ({"period": "x"}, {"period": "y", "cause": "vendor"}, {"period": "z", "state": "unproven"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Occurrence.objects.create(
                **{"obligation": "look-day", "owes": "B", "kind": "look", "basis": "plan", "counts": True,
                   "starts_at": at(MORNING), **fields}
            )  # fmt: skip


moments = st.integers(0, 10**6).map(lambda s: at(MORNING) + timedelta(seconds=s))


@given(moments, st.none() | moments)
def test_late_is_after_the_due_time(done: datetime, due: datetime | None) -> None:
    item = Occurrence(due_at=due)
    assert in_time(item, done) is (State.LATE if due is not None and done > due else State.KEPT)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 100), st.sampled_from(["done", "failed", "cancelled"]))
def test_coverage_never_passes_blind(agreed: int, proven: int, target: int, state: str) -> None:
    from decimal import Decimal

    item = Occurrence(coverage_target=Decimal(target), kind="look")
    verdict, cause, _detail = running._by_coverage(item, state, figures(agreed, min(proven, agreed)))
    assert verdict in (Verdict.PASS, Verdict.UNPROVEN)
    assert bool(cause) == (verdict is Verdict.UNPROVEN)
    if verdict is Verdict.PASS:
        assert state == "done"
        assert agreed > 0
        assert min(proven, agreed) * 100 >= target * agreed
