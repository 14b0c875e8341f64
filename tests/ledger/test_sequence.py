"""Intake, numbering and heads."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.db.transaction import TransactionManagementError

from yunwei.gm import sm2, sm3
from yunwei.kernel.canonical import canonical
from yunwei.ledger import audit, keys, rows, services, tree
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Entry, Head, Intake, Waiting

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


def claim(i: int = 1, at: datetime = NOW) -> Intake:
    with transaction.atomic():
        return services.record("test.claim", f"thing:{i}", {"value": i}, at=at, actor="tester", clauses=["2.1"])


@pytest.mark.django_db(transaction=True)
def test_a_claim_outside_a_transaction_is_refused():
    with pytest.raises(LedgerError, match="事务"):
        services.record("test.claim", "x", {}, at=NOW, actor="tester")
    assert Intake.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_claim_goes_with_its_transaction():
    with transaction.atomic():
        services.record("test.claim", "x", {}, at=NOW, actor="tester")
        transaction.set_rollback(True)
    assert services.sequence(NOW) == 0
    assert services.head() is None


def test_numbers_have_no_gaps_and_the_head_signs_the_naive_root():
    for i in range(5):
        claim(i)
    assert services.sequence(NOW) == 5
    for i in range(5, 12):
        claim(i)
    assert services.sequence(NOW) == 7
    assert list(Entry.objects.order_by("seq").values_list("seq", flat=True)) == list(range(1, 13))
    newest = services.head()
    assert newest is not None
    assert newest.size == 12
    bodies = [bytes(e.intake.body) for e in Entry.objects.order_by("seq").select_related("intake")]
    assert bytes(newest.root) == naive([tree.leaf_hash(b) for b in bodies])
    assert keys.signer().public.verify(bytes(newest.body), bytes(newest.signature))


def naive(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not leaves:
        return sm3.digest(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sm3.digest(b"\x01" + naive(leaves[:k]) + naive(leaves[k:]))


def test_heads_are_chained():
    for i in range(3):
        claim(i)
        services.sequence(NOW + timedelta(minutes=i))
    heads = list(Head.objects.order_by("number"))
    assert [h.number for h in heads] == [1, 2, 3]
    assert heads[0].prev == services.GENESIS
    for older, newer in itertools.pairwise(heads):
        assert newer.prev == older.hash == sm3.hexdigest(bytes(older.body) + bytes(older.signature))


def test_the_body_says_all_and_is_canonical():
    artifact = services.store(b"raw reply", "application/octet-stream")
    with transaction.atomic():
        intake = services.record(
            "a.b", "s", {"k": "值"}, at=NOW, actor="u", clauses=["2.1", "8.1.1"], artifacts=[artifact]
        )
    assert bytes(Intake.objects.get(pk=intake.pk).body) == canonical(
        {
            "v": 1,
            "kind": "a.b",
            "subject": "s",
            "actor": "u",
            "at": "2026-11-25T01:00:00.000000Z",
            "clauses": ["2.1", "8.1.1"],
            "data": {"k": "值"},
            "artifacts": [{"commitment": artifact.commitment, "media_type": "application/octet-stream", "size": 9}],
        }
    )


def test_acknowledge_gives_the_number():
    first, second = claim(1), claim(2)
    assert services.number_of(second.pk) is None
    assert services.acknowledge(second.pk, NOW) == 2
    assert services.number_of(first.pk) == 1
    with pytest.raises(LedgerError, match="没有提交"):
        services.acknowledge(second.pk + 99, NOW)


@pytest.mark.django_db(transaction=True)
def test_sequencing_inside_a_transaction_is_refused():
    claim()
    with pytest.raises(LedgerError, match="事务"), transaction.atomic():
        services.sequence(NOW)
    assert Entry.objects.count() == 0


def test_a_clock_set_back_never_takes_a_heads_time_back_and_is_told():
    claim(1)
    services.sequence(NOW)
    claim(2)
    services.sequence(NOW - timedelta(days=1))
    claim(3)
    services.sequence(NOW - timedelta(hours=20))
    claim(4)
    services.sequence(NOW + timedelta(seconds=1))
    heads = list(Head.objects.order_by("number"))
    assert [h.at for h in heads] == [NOW, NOW, NOW, NOW + timedelta(seconds=1)]
    assert b'"clock":"2026-11-24T01:00:00.000000Z"' in bytes(heads[1].body)
    assert b'"clock"' not in bytes(heads[3].body)
    kinds = list(Entry.objects.order_by("seq").values_list("intake__kind", flat=True))
    assert kinds.count("ledger.clock.back") == 1
    assert kinds.count("ledger.clock.recovered") == 1


def test_a_quiet_hour_is_signed_too():
    claim()
    services.sequence(NOW)
    newest = services.beat(NOW + timedelta(hours=1))
    assert (newest.number, newest.size, newest.at) == (2, 1, NOW + timedelta(hours=1))


def test_no_entry_without_a_key(settings, tmp_path):
    settings.INSTANCE = tmp_path
    claim()
    with pytest.raises(LedgerError, match="密钥"):
        services.sequence(NOW)
    assert Entry.objects.count() == 0
    assert Waiting.objects.count() == 1


def test_no_entry_when_the_vectors_fail(monkeypatch):
    from yunwei.gm import selftest
    from yunwei.gm.errors import GmError

    monkeypatch.setattr(selftest, "SM2_SIGNATURE", bytes(63) + b"\x01")
    selftest._result.cache_clear()
    try:
        claim()
        with pytest.raises(GmError, match="自检"):
            services.sequence(NOW)
        assert Entry.objects.count() == 0
    finally:
        monkeypatch.undo()
        selftest._result.cache_clear()
    assert sm2.generate().sign(b"x")


def test_a_damaged_state_is_not_built_upon():
    claim(1)
    services.sequence(NOW)
    Head.objects.update(peaks=bytes(32))
    claim(2)
    with pytest.raises(LedgerError, match="拒绝续写"):
        services.sequence(NOW)


def test_a_naive_time_is_refused():
    with pytest.raises(LedgerError, match="时区"):
        claim(at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("missing", ["kind", "subject", "actor"])
def test_a_claim_says_what_of_what_and_by_whom(missing):
    said = {"kind": "a.b", "subject": "s", "actor": "system:test", missing: ""}
    with pytest.raises(LedgerError, match="缺少"), transaction.atomic():
        services.record(said["kind"], said["subject"], {}, at=NOW, actor=said["actor"])
    assert not Intake.objects.exists()


@pytest.mark.parametrize("demo", [True, False])
def test_only_the_heads_of_a_demo_say_so(settings, demo):
    settings.YUNWEI = {"demo": demo}
    assert (b'"demo":true' in bytes(services.beat(NOW).body)) is demo


def test_a_claim_that_was_taken_out_of_the_queue_is_named_and_one_put_back_into_it():
    """Whoever owns the database can keep a claim from its number, or stop the sequencer by one that has it."""
    lost, numbered = claim(1), claim(2)
    Waiting.objects.filter(pk=lost.pk).delete()
    assert services.sequence(NOW) == 1
    Waiting.objects.create(pk=numbered.pk)
    named = [(d.subject, d.field, d.number) for d in audit.audit() if d.room == "ledger"]
    assert named == [(lost.subject, "number", None), (numbered.subject, "number", 1)]


def test_claims_deleted_before_they_were_numbered_leave_an_entry_each_and_hold_up_no_other(monkeypatch):
    monkeypatch.setattr(services, "BATCH", 3)
    gone, kept = [claim(i) for i in range(7)], [claim(i) for i in range(10, 14)]
    Intake.objects.filter(pk__in=[one.pk for one in gone]).delete()
    named = [(d.subject, d.field) for d in audit.audit() if d.room == "ledger"]
    assert named == [(f"intake:{one.pk}", "body") for one in gone]
    assert services.sequence(NOW) == 11
    assert not Waiting.objects.exists()
    entries = Entry.objects.order_by("seq").values_list("intake__kind", "intake__subject")
    assert list(entries) == [
        *(("test.claim", one.subject) for one in kept),
        *(("ledger.claim.gone", f"intake:{one.pk}") for one in gone),
    ]
    assert audit.audit() == []


def test_who_catches_the_failure_of_a_claim_cannot_commit_half_of_it(monkeypatch):
    monkeypatch.setattr(rows, "WAITING_LITE", "INSERT INTO nowhere VALUES (1)")
    monkeypatch.setattr(rows, "INTAKE", "INSERT INTO nowhere VALUES (%s, %s, %s, %s, %s, %s) RETURNING 1")
    with pytest.raises(TransactionManagementError), transaction.atomic():
        with pytest.raises(DatabaseError):
            services.record("test.claim", "x", {}, at=NOW, actor="tester")
        Entry.objects.exists()
