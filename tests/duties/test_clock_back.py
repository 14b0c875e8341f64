"""A clock that ran ahead and was set back has cost nobody anything; a commit that failed is made up for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from tests.duties.conftest import People
from tests.duties.test_books import approve, row
from tests.duties.test_cheating import FILE
from tests.duties.test_settling import LOOK, figures, finish
from tests.duties.world import at
from yunwei.assets.models import Asset
from yunwei.duties import books, services
from yunwei.duties.models import Occurrence, State

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]
WALK = "walk-week:2026-W10"
HERE, AHEAD = "2026-03-03 09:00", "2026-03-20 09:00"


def state_of(key: str) -> str:
    found = row(key)
    assert found is not None
    return found.state


def test_what_was_missed_only_by_a_clock_ahead_is_due_again_and_can_be_kept(people: People) -> None:
    approve(people, "2026-03-02 09:00")
    services.tick(at(HERE))
    services.tick(at(AHEAD))
    assert state_of(WALK) == State.MISSED
    services.tick(at("2026-03-03 09:01"))
    assert state_of(WALK) == State.DUE
    found = row(WALK)
    assert found is not None
    proof = services.state_proof(found.pk, statement="走到了", file=FILE, by=people.vendor, now=at("2026-03-03 10:00"))
    services.answer_proof(proof.pk, confirm=True, by=people.client, now=at("2026-03-03 11:00"))
    assert state_of(WALK) == State.KEPT


def test_a_second_between_two_workers_clocks_opens_nothing_again(people: People) -> None:
    approve(people, "2026-03-02 09:00")
    services.tick(at(HERE))
    due = row(WALK)
    assert due is not None
    assert due.due_at is not None
    services.tick(due.due_at)
    assert state_of(WALK) == State.MISSED
    services.tick(due.due_at - timedelta(seconds=30))
    assert state_of(WALK) == State.MISSED


def test_an_unproven_look_that_ended_in_the_future_is_done_again(people: People, assets: list[Asset]) -> None:
    del assets
    approve(people, "2026-03-02 09:00")
    services.tick(at("2026-03-03 07:00"))
    finish(LOOK, figures(10, 0, unknown=10), "2026-03-04 07:00")
    assert state_of(LOOK) == State.UNPROVEN
    services.tick(at("2026-03-03 07:10"))
    assert state_of(LOOK) == State.RUNNING


def test_what_followed_in_a_commit_that_failed_follows_at_the_next_look(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(people, "2026-03-02 09:00")
    services.bring_up_to_date(at("2026-03-02 10:00"))
    moved = Occurrence.objects.filter(period="2026-W10", obligation="walk-week")
    was = moved.get().due_at
    moved.update(due_at=at("2026-03-06 12:00"))  # something to follow that changes no count of rows
    monkeypatch.setattr(books, "_seen", {})

    class Full:
        def __enter__(self) -> None:
            self.point = connection.savepoint()

        def __exit__(self, *_error: Any) -> None:
            connection.savepoint_rollback(self.point)
            raise OperationalError("database or disk is full")

    with monkeypatch.context() as full:
        full.setattr(books.transaction, "atomic", Full)
        with pytest.raises(OperationalError):
            services.bring_up_to_date(at("2026-03-02 11:00"))
    assert moved.get().due_at != was
    services.bring_up_to_date(at("2026-03-02 11:00"))
    assert moved.get().due_at == was
