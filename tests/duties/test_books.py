"""The table of occurrences: idempotent, self-healing, and what may still change."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from django.db import transaction

from tests.duties import world
from tests.duties.conftest import People
from tests.duties.world import at
from tests.kernel.test_calendar import SCHEDULE_2027
from yunwei.contract import plans
from yunwei.duties import books, services
from yunwei.duties.models import Occurrence, State
from yunwei.kernel.calendar import CalendarError
from yunwei.ledger.models import Intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]


def approve(people: People, when: str, lines: list[world.PlanLine] | None = None) -> int:
    body = world.plan(lines=lines)
    version = plans.propose(body, folder=world.folder(), by=people.vendor, now=at(when), assets=[]).version
    plans.approve(version, by=people.client, now=at(when))
    return version


def table() -> list[tuple[object, ...]]:
    fields = ("obligation", "period", "state", "due_at", "counts", "plan_version", "cause")
    return list(Occurrence.objects.order_by("obligation", "period").values_list(*fields))


def row(key: str) -> Occurrence:
    obligation, period = key.split(":", 1)
    return Occurrence.objects.get(obligation=obligation, period=period)


def kinds() -> Counter[str]:
    return Counter(Intake.objects.values_list("kind", flat=True))


def test_a_tick_twice_is_a_tick_once(people: People) -> None:
    approve(people, "2026-03-02 09:00")
    now = at("2026-03-10 10:00")
    assert services.tick(now) > 0
    before, recorded = table(), kinds()
    assert services.tick(now) == 0
    books._seen.clear()  # another process, which remembers nothing
    assert services.tick(now) == 0
    assert (table(), kinds()) == (before, recorded)


def test_a_stop_of_a_month_heals_to_the_same_books(people: People) -> None:
    approve(people, "2026-02-02 09:00")
    start = at("2026-02-02 10:00")
    services.bring_up_to_date(start)
    point = transaction.savepoint()
    for day in range(31):
        services.close_overdue(start + timedelta(days=day))
        services.bring_up_to_date(start + timedelta(days=day))
        services.close_overdue(start + timedelta(days=day))
    daily = table()
    transaction.savepoint_rollback(point)
    services.bring_up_to_date(start + timedelta(days=30))
    services.close_overdue(start + timedelta(days=30))
    assert table() == daily
    assert row("look-day:2026-02-20").state == State.MISSED  # looking today cannot prove the 20th
    assert row("hotline:2026-02").state == State.UNPROVEN
    assert row("hotline:2026-02").cause == "unknown"


def test_nothing_is_submitted_for_what_has_run_out(people: People) -> None:
    approve(people, "2026-02-02 09:00")
    services.tick(at("2026-02-02 10:00"))
    services.tick(at("2026-03-10 19:00"))
    assert not row("look-day:2026-03-09").attempts.exists()
    assert not row("look-day:2026-03-10").attempts.exists()  # was due at 18:00
    services.tick(at("2026-03-11 00:00"))
    assert row("look-day:2026-03-11").attempts.count() == 1


def test_what_the_contract_owed_before_the_books_opened_is_shown_and_scores_nothing(people: People) -> None:
    approve(people, "2026-06-10 09:00")
    services.tick(at("2026-06-10 10:00"))
    old, this = row("hotline:2026-05"), row("hotline:2026-06")
    assert (old.state, old.cause, old.counts) == (State.UNPROVEN, "unknown", False)
    assert "建账" in old.why
    assert this.counts


def test_books_opened_late_do_not_invent_what_would_score_nothing(people: People) -> None:
    approve(people, "2026-06-10 09:00")
    services.bring_up_to_date(at("2026-06-10 10:00"))
    services.close_overdue(at("2026-06-10 10:00"))
    assert not Occurrence.objects.filter(obligation="look-day", period="2026-06-09").exists()
    assert (
        row("own-month:2026-03").state == State.MISSED
    )  # what the contract owes is shown from the first day of the term
    assert row("hotline:2026-03").state == State.UNPROVEN


def test_an_approval_makes_what_is_still_due_count(people: People) -> None:
    services.bring_up_to_date(at("2026-03-02 08:00"))
    assert not row("look-day:2026-03-02").counts
    approve(people, "2026-03-02 12:00")
    services.bring_up_to_date(at("2026-03-02 12:01"))
    assert row("look-day:2026-03-02").counts
    assert row("look-day:2026-03-02").plan_version == 1
    assert kinds()["duties.occurrences.rescheduled"] == 1


def test_what_was_due_before_the_approval_stays_as_it_was(people: People) -> None:
    services.tick(at("2026-03-02 08:00"))
    services.close_overdue(at("2026-03-02 18:00"))
    assert row("walk-week:2026-W10").state == State.DUE
    missed = [world.PlanLine("walk-week", cadence=world.plan_cadence("day", due_time="12:00"))]
    approve(people, "2026-03-03 09:00", missed)
    services.due(at("2026-03-03 13:00"))
    assert row("walk-week:2026-03-03").state == State.MISSED
    later = [world.PlanLine("walk-week", cadence=world.plan_cadence("day", due_time="18:00"))]
    approve(people, "2026-03-03 15:00", later)
    services.due(at("2026-03-03 15:01"))
    assert (row("walk-week:2026-03-03").state, row("walk-week:2026-03-03").due_at) == (
        State.MISSED,
        at("2026-03-03 12:00"),
    )


def test_a_plan_approved_in_an_outage_does_not_save_what_had_run_out(people: People) -> None:
    approve(
        people, "2026-03-02 09:00", [world.PlanLine("walk-week", cadence=world.plan_cadence("day", due_time="12:00"))]
    )
    services.due(at("2026-03-03 11:00"))
    approve(
        people, "2026-03-03 15:00", [world.PlanLine("walk-week", cadence=world.plan_cadence("day", due_time="18:00"))]
    )
    services.due(at("2026-03-03 16:00"))
    assert row("walk-week:2026-03-03").state == State.MISSED


def test_rows_of_a_plan_that_is_replaced_are_withdrawn_and_recorded(people: People) -> None:
    approve(people, "2026-03-02 09:00")
    services.bring_up_to_date(at("2026-03-02 10:00"))
    assert row("walk-week:2026-W10").state == State.DUE
    approve(people, "2026-03-03 09:00", [world.PlanLine("walk-week", cadence=world.plan_cadence("day"))])
    services.bring_up_to_date(at("2026-03-03 10:00"))
    assert not Occurrence.objects.filter(obligation="walk-week", period="2026-W10").exists()
    assert kinds()["duties.occurrences.withdrawn"] == 1


def test_who_read_the_clock_earlier_and_came_later_takes_nothing_back(people: People) -> None:
    approve(people, "2026-03-02 09:00")
    services.bring_up_to_date(at("2026-03-10 00:00"))
    before, recorded = table(), kinds()
    assert row("look-day:2026-03-10").state == State.DUE
    books._seen.clear()  # another worker, whose moment is from before midnight
    services.bring_up_to_date(at("2026-03-10 00:00") - timedelta(seconds=3))
    assert (table(), kinds()) == (before, recorded)
    books._seen.clear()  # a clock that ran ahead and is right again
    services.bring_up_to_date(at("2026-03-09 10:00"))
    assert not Occurrence.objects.filter(obligation="look-day", period="2026-03-10").exists()


def test_confirming_a_reading_withdraws_what_lies_outside(contract: Path) -> None:
    services.bring_up_to_date(at("2026-01-29 10:00"))
    services.bring_up_to_date(at("2026-01-30 10:00"))
    assert Occurrence.objects.filter(obligation="look-day").count() == 2
    late, early = world.READINGS
    world.write(world.folder(periods=[msgspec.structs.replace(late, confirmed=True), early]), contract)
    services.bring_up_to_date(at("2026-01-30 11:00"))
    assert [r.period for r in Occurrence.objects.filter(obligation="look-day")] == ["2026-01-29"]  # had run out by then


def test_a_provisional_due_date_moves_when_the_schedule_is_imported(people: People) -> None:
    now = at("2027-02-03 18:30")
    services.record_event("ended", at=at("2027-02-03 18:00"), by=people.client, now=now)
    services.bring_up_to_date(now)
    due = Occurrence.objects.get(obligation="handover")
    assert (due.provisional, due.due_at) == (True, at("2027-02-24 00:00"))
    services.import_schedules(SCHEDULE_2027, by=people.client, now=now + timedelta(hours=1))
    services.bring_up_to_date(now + timedelta(hours=1))
    due.refresh_from_db()
    assert (due.provisional, due.due_at) == (False, at("2027-02-25 00:00"))
    assert kinds()["duties.calendar.imported"] == 1
    assert kinds()["duties.occurrences.rescheduled"] == 1


def test_a_provisional_date_that_was_too_early_costs_nobody_anything(people: People) -> None:
    told = at("2027-02-03 18:30")
    services.record_event("ended", at=at("2027-02-03 18:00"), by=people.client, now=told)
    services.tick(told)
    missed_at = at("2027-02-24 08:00")
    services.tick(missed_at)
    handover = Occurrence.objects.get(obligation="handover")
    assert handover.state == State.MISSED
    services.import_schedules(SCHEDULE_2027, by=people.client, now=missed_at)
    services.tick(missed_at)
    handover.refresh_from_db()
    assert (handover.state, handover.due_at) == (State.DUE, at("2027-02-25 00:00"))
    # late by the provisional date and in time by the published one: kept
    file = services.File("a.pdf", b"list")
    late = services.state_proof(
        handover.pk, statement="已移交", file=file, by=people.vendor, now=at("2027-02-24 10:00")
    )
    services.answer_proof(late.pk, confirm=True, by=people.client, now=at("2027-02-24 11:00"))
    handover.refresh_from_db()
    assert handover.state == State.KEPT


def test_a_bad_schedule_imports_nothing(people: People) -> None:
    text = SCHEDULE_2027 + "- {year: 2028, notice: 某号, off: {}}\n"
    with pytest.raises(CalendarError):
        services.import_schedules(text, by=people.client, now=at("2026-11-25 10:00"))
    assert not kinds()["duties.calendar.imported"]


def test_creation_is_in_the_ledger_and_with_it_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("yunwei.duties.books.ledger.record", broken)
        with pytest.raises(OSError, match="disk full"):
            services.bring_up_to_date(at("2026-03-02 08:00"))
    assert not Occurrence.objects.exists()
    assert services.bring_up_to_date(at("2026-03-02 08:00")) == Occurrence.objects.count() > 0
    assert kinds()["duties.occurrences.due"] == 1


def test_the_whole_term_at_once(people: People) -> None:
    approve(people, "2026-01-29 09:00")
    services.bring_up_to_date(at("2026-01-29 10:00"))
    made = services.bring_up_to_date(at("2027-02-03 23:00"))
    assert made > 700


def test_upcoming_is_computed_and_not_stored(people: People) -> None:
    approve(people, "2026-03-02 09:00")
    now = at("2026-03-02 10:00")
    services.bring_up_to_date(now)
    count = Occurrence.objects.count()
    found = services.upcoming(now, at("2026-03-05 00:00"))
    assert [u.due.period for u in found if u.due.obligation == "look-day"] == ["2026-03-03", "2026-03-04", "2026-03-05"]
    assert Occurrence.objects.count() == count


def test_an_approval_in_the_afternoon_does_not_reach_back_to_noon(people: People, contract: Path) -> None:
    lines = [world.PlanLine("walk-week", cadence=world.plan_cadence("day", due_time="12:00"))]
    world.write(world.folder(plan=world.plan(lines=lines)), contract)
    services.tick(at("2026-03-03 08:00"))
    services.tick(at("2026-03-03 13:00"))
    approve(people, "2026-03-03 15:00", lines)
    services.tick(at("2026-03-03 15:01"))
    assert (row("walk-week:2026-03-03").state, row("walk-week:2026-03-03").counts) == (State.MISSED, False)
    services.tick(at("2026-03-04 08:00"))
    assert row("walk-week:2026-03-04").counts
