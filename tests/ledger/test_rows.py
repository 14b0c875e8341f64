"""What is written by hand is what the ORM would have written, on this database."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest
from django.db import IntegrityError, transaction
from tests.ledger.kit import NOW, claim

from yunwei.ledger import rows, services
from yunwei.ledger.models import Entry, Intake, Waiting

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "at", [NOW, NOW.astimezone(timezone(timedelta(hours=8))), NOW.replace(microsecond=7), NOW.replace(microsecond=0)]
)
def test_a_claim_written_here_reads_as_one_that_the_orm_wrote(at) -> None:
    told = {
        "kind": "test.a", "subject": "物:1", "actor": "人", "at": at, "clauses": ["2.1", "甲"], "body": b"{\x00\xff}",
    }  # fmt: skip
    by_hand = rows.add_intake(rows.here(), **told, stamp=services.stamp(at))
    by_orm = Intake.objects.create(**told)
    assert {**vars(by_hand), "id": 0, "_state": 0} == {**vars(by_orm), "id": 0, "_state": 0}
    assert vars(by_hand._state) == vars(by_orm._state)
    one, two = (Intake.objects.filter(pk=row.pk).values(*told).get() for row in (by_hand, by_orm))
    assert {k: bytes(v) if k == "body" else v for k, v in one.items()} == {
        k: bytes(v) if k == "body" else v for k, v in two.items()
    }
    assert by_hand.pk != by_orm.pk
    assert not by_hand._state.adding
    assert Intake.objects.filter(clauses=["2.1", "甲"], at=at).count() == 2, "searched by the ORM, both are found"


def test_only_the_claims_that_got_a_number_wait_no_longer() -> None:
    first, second, third = (claim(i) for i in range(3))
    rows.number([(1, first.pk, b"a" * 32), (2, third.pk, b"b" * 32)])
    assert list(Waiting.objects.values_list("pk", flat=True)) == [second.pk]
    assert [bytes(e.leaf) for e in Entry.objects.order_by("seq")] == [b"a" * 32, b"b" * 32]


def test_a_broken_transaction_takes_nothing_in() -> None:
    first = claim(1)
    with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
        with pytest.raises(IntegrityError), transaction.atomic(savepoint=False):
            Intake.objects.create(pk=first.pk, kind="x", subject="x", actor="x", at=NOW, body=b"")
        services.record("test.claim", "x", {}, at=NOW, actor="tester")
