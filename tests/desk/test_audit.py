"""Tickets that were changed in their table without a record are named by the audit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from yunwei.accounts.models import Account
from yunwei.desk import services as desk
from yunwei.desk.models import Entry, Ticket
from yunwei.ledger.audit import Difference, audit

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


def found() -> list[Difference]:
    return [d for d in audit() if d.room == "desk"]


def test_a_ticket_closed_renamed_or_removed_in_the_table_is_named(people: dict[str, Account]) -> None:
    ticket = desk.open_ticket("request", "扩容", by=people["tenant"], now=NOW)
    desk.move(ticket.pk, "accepted", by=people["b_engineer"], now=NOW)
    assert found() == []
    Ticket.objects.update(state="closed", closed_at=NOW)
    assert [(d.field, d.row, d.said) for d in found()] == [("state", "closed", "accepted")]
    Ticket.objects.update(state="accepted", title="别的", kind="service")
    assert {d.field for d in found()} == {"kind", "title"}
    Entry.objects.all().delete()
    Ticket.objects.all().delete()
    assert {(d.field, d.subject) for d in found()} == {("row", ticket.number), ("history", ticket.number)}
