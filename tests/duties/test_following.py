"""What may still follow plan and calendar, what stays as it was, and what the ledger says of a step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction

from tests.duties import world
from tests.duties.conftest import People
from tests.duties.test_books import approve, row
from tests.duties.test_cheating import FILE
from tests.duties.test_settling import LOOK, figures, finish
from tests.duties.world import at
from tests.kernel.test_calendar import SCHEDULE_2027
from yunwei.assets.models import Asset
from yunwei.duties import services
from yunwei.duties.models import Occurrence, State
from yunwei.duties.transitions import move
from yunwei.ledger.models import Intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]
WALK = "walk-week:2026-W10"


def entered(kind: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(Intake.objects.filter(kind=kind).latest("pk").body))
    return body


def test_a_step_is_entered_with_what_it_was_when_it_was_due_and_done_and_whether_it_counts(people: People) -> None:
    approve(people, "2026-03-02 09:00")
    services.bring_up_to_date(at("2026-03-02 10:00"))
    done = at("2026-03-02 11:00")
    with transaction.atomic():
        move(row(WALK), State.KEPT, now=at("2026-03-02 12:00"), actor="client", done_at=done)
    assert entered("duties.occurrence.kept")["data"] == {
        "was": "due", "due": row(WALK).due_at.isoformat(), "counts": True, "done": done.isoformat(),  # type: ignore[union-attr]
    }  # fmt: skip
    assert (row(WALK).done_at, row(WALK).settled_at) == (done, at("2026-03-02 12:00"))


def test_the_contract_is_entered_with_its_files(people: People) -> None:
    services.bring_up_to_date(at("2026-03-02 10:00"))
    body = entered("duties.contract.read")
    assert len(body["artifacts"]) == len(body["data"]["files"]) > 0


def test_what_people_have_touched_is_not_withdrawn(people: People) -> None:
    """A proof, a claim or a settled row outlives the plan line it came from."""
    approve(people, "2026-03-02 09:00")
    now = at("2026-03-02 10:00")
    services.bring_up_to_date(now)
    other = [world.PlanLine("walk-week", cadence=world.plan_cadence("day"))]
    services.state_proof(row(WALK).pk, statement="x", file=FILE, by=people.vendor, now=now)
    report = Occurrence.objects.get(obligation="report", period="2026-03")
    services.claim_exemption(report.pk, ground="8.1", statement="x", file=FILE, by=people.vendor, now=now)
    settled = Occurrence.objects.get(obligation="look-week", period="2026-W10")
    Occurrence.objects.filter(pk=settled.pk).update(state=State.EXEMPT)
    approve(people, "2026-03-03 09:00", other)
    services.bring_up_to_date(at("2026-03-03 10:00"))
    assert row(WALK).state == State.DUE
    assert Occurrence.objects.filter(pk__in=[report.pk, settled.pk]).count() == 2


def test_a_plan_approved_on_the_day_changes_no_time_and_no_target_of_work_that_was_done(
    people: People, assets: list[Asset]
) -> None:
    approve(people, "2026-03-02 09:00")
    services.tick(at("2026-03-03 07:00"))
    finish(LOOK, figures(10, 9), "2026-03-03 08:00")
    before = row(LOOK)
    assert before.state == State.KEPT
    harder = [world.PlanLine("look-day", cadence=world.plan_cadence("day", due_time="17:00"))]
    version = approve(people, "2026-03-03 09:00", harder)
    services.bring_up_to_date(at("2026-03-03 09:01"))
    after = row(LOOK)
    assert (after.state, after.due_at, after.coverage_target) == (State.KEPT, before.due_at, before.coverage_target)
    assert after.plan_version in (before.plan_version, version)


@pytest.mark.parametrize(("stated", "state"), [(None, State.MISSED), ("2027-02-25 09:00", State.LATE)])
def test_a_published_schedule_excuses_nothing_that_is_late_by_it_too(
    people: People, stated: str | None, state: State
) -> None:
    """Provisional 24:00 of 23 February, published 24:00 of 24 February; neither reached, nothing changes."""
    told = at("2027-02-03 18:30")
    services.record_event("ended", at=at("2027-02-03 18:00"), by=people.client, now=told)
    services.tick(told)
    now = at("2027-02-25 09:00")
    services.tick(now)
    handover = Occurrence.objects.get(obligation="handover")
    if stated:
        proof = services.state_proof(handover.pk, statement="x", file=FILE, by=people.vendor, now=at(stated))
        services.answer_proof(proof.pk, confirm=True, by=people.client, now=now)
    services.import_schedules(SCHEDULE_2027, by=people.client, now=now)
    services.bring_up_to_date(now)
    handover.refresh_from_db()
    assert (handover.state, handover.due_at) == (state, at("2027-02-25 00:00"))
