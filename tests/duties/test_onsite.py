"""The on-site slots: who covers which, what is open, who may say so."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection

from tests.duties.conftest import People
from tests.duties.dealings_kit import NOW, shipped, team  # noqa: F401 - a fixture
from tests.duties.world import at
from yunwei.contract.folder import load
from yunwei.duties import onsite
from yunwei.duties.errors import DutyError
from yunwei.duties.models import RosterEntry
from yunwei.ledger.audit import audit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped")]
MONDAY, SATURDAY = date(2026, 10, 12), date(2026, 10, 17)


def assign(people: People, day: date = MONDAY, slot: str = "am", code: str = "P-1", **more: bool) -> RosterEntry:
    return onsite.assign(day, slot, code, by=people.vendor_colleague, now=NOW, **more)


def test_the_slots_are_the_plans_and_its_days_the_calendars(shipped: Path) -> None:  # noqa: F811
    terms = onsite.terms(load(shipped))
    assert terms is not None
    assert [s.id for s in terms.slots] == ["am", "pm"]
    assert not terms.approved, "no plan is approved: the draft is shown and says so"
    _terms, found, rows = onsite.month("2026-10")
    assert found.total == 2 * 18, "18 working days in October 2026, the make-up day of 10-10 among them"
    assert found.covered == 0
    assert found.share == Decimal(0)
    assert not rows


def test_a_covered_slot_is_not_open_and_a_stand_in_covers_as_well(people: People) -> None:
    team(people, "P-1", "P-4")
    assign(people)
    assign(people, slot="pm", code="P-4", stand_in=True)
    _terms, found, _rows = onsite.month("2026-10")
    assert found.covered == 2
    assert MONDAY not in {day for day, _slot in found.open}
    assert audit() == []


def test_what_cannot_be_covered(people: People) -> None:
    team(people, "P-1")
    with pytest.raises(DutyError, match="时段"):
        assign(people, SATURDAY)
    with pytest.raises(DutyError, match="时段"):
        assign(people, slot="night")
    with pytest.raises(DutyError, match="名单"):
        assign(people, code="P-7")
    with pytest.raises(DutyError, match="名单"):
        assign(people, date(2026, 10, 9))
    with pytest.raises(DutyError, match="乙方"):
        onsite.assign(MONDAY, "am", "P-1", by=people.client, now=NOW)
    assign(people)
    with pytest.raises(DutyError, match="已经登记"):
        assign(people)


def test_found_empty_the_slot_is_open_again(people: People) -> None:
    team(people, "P-1")
    row = assign(people)
    with pytest.raises(DutyError, match="甲方"):
        onsite.found_empty(row.pk, by=people.vendor, now=NOW, reason="x")
    with pytest.raises(DutyError):
        onsite.found_empty(row.pk, by=people.client, now=NOW, reason="")
    onsite.found_empty(row.pk, by=people.client, now=NOW, reason="十点无人在岗")
    _terms, found, _rows = onsite.month("2026-10")
    assert (MONDAY, "am") in found.open
    with pytest.raises(DutyError, match="撤回"):
        onsite.clear(row.pk, by=people.vendor, now=NOW)
    with pytest.raises(DutyError):
        onsite.found_empty(row.pk, by=people.client, now=NOW, reason="again")
    tomorrow = assign(people, date(2026, 10, 13))
    with pytest.raises(DutyError, match="不能指为"):
        onsite.found_empty(tomorrow.pk, by=people.client, now=NOW, reason="还没到")
    assert audit() == []


def test_what_is_past_is_not_taken_back(people: People) -> None:
    team(people, "P-1")
    row = assign(people, date(2026, 10, 13))
    with pytest.raises(DutyError):
        onsite.clear(row.pk, by=people.client, now=NOW)
    with pytest.raises(DutyError, match="过去"):
        onsite.clear(row.pk, by=people.vendor, now=at("2026-10-14 00:01"))
    onsite.clear(row.pk, by=people.vendor, now=NOW)
    assign(people, date(2026, 10, 13))
    assert onsite.month("2026-10")[1].covered == 1
    assert audit() == []


@pytest.mark.parametrize("name", ["2026-13", "x", "", "2026", "2026-1", "9999-99"])
def test_what_is_no_month(name: str) -> None:
    with pytest.raises(DutyError):
        onsite.bounds(name)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("update duties_rosterentry set day = '2026-10-14'", "day"),
        ("update duties_rosterentry set empty_at = null", "empty_at"),
        ("delete from duties_rosterentry", "row"),
    ],
)
def test_who_owns_the_database_is_found_out(people: People, query: str, field: str) -> None:
    team(people, "P-1")
    row = assign(people)
    onsite.found_empty(row.pk, by=people.client, now=NOW, reason="x")
    with connection.cursor() as cursor:
        cursor.execute(query)
    assert field in {d.field for d in audit()}
