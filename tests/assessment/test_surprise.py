"""The client's surprise test: the hash says nothing, the words settle it, a miss is a fault that others found."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from yunwei.accounts.models import Account
from yunwei.assessment import sheets, surprise
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Surprise
from yunwei.assets.models import Asset, Zone
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket, TicketKind
from yunwei.gm import sm3
from yunwei.inspect.models import Finding, Origin
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 10, 12, 1, 0, tzinfo=UTC)
DONE = NOW + timedelta(minutes=30)
LATER = NOW + timedelta(days=2)
NONCE = "9f" * 16


@pytest.fixture
def asset(people: dict[str, Account]) -> Asset:
    return Asset.objects.create(
        code="SRV-01", name="服务器", kind="device", zone=Zone.objects.create(code="z", name="z")
    )


def text(**changes: str) -> str:
    told = surprise.words("SRV-01", "psu/PSU1", DONE, "拔出一路电源", NONCE)
    for name, value in changes.items():
        old = next(line for line in told.split("\n") if line.startswith(f"{name}="))
        told = told.replace(old, f"{name}={value}")
    return told


def committed(people: dict[str, Account], told: str) -> Surprise:
    return surprise.commit(sm3.hexdigest(told.encode()), by=people["a_manager"], now=NOW)


def fault(asset: Asset, at: datetime, component: str = "psu/PSU1", origin: str = Origin.SWEEP) -> Finding:
    return Finding.objects.create(
        asset=asset, key=f"{component}:psu", component=component, kind="psu", name="电源失效", severity="critical",
        origin=origin, opened_at=at, last_seen_at=at,
    )  # fmt: skip


def test_until_it_is_revealed_the_hash_is_all_there_is(people: dict[str, Account], asset: Asset) -> None:
    row = committed(people, text())
    row.refresh_from_db()
    assert (row.text, row.asset, row.component, row.done_at) == ("", None, "", None)
    body = json.loads(bytes(Intake.objects.get(kind="assessment.surprise.committed").body))
    assert body["data"] == {"commitment": row.commitment}
    assert "SRV-01" not in json.dumps(body)


def test_a_found_test_says_how_long_it_took(people: dict[str, Account], asset: Asset) -> None:
    row = committed(people, text())
    fault(asset, DONE + timedelta(minutes=12, seconds=40))
    ticket = desk.open_ticket(
        TicketKind.FAULT, "电源失效", by=people["b_engineer"], now=DONE + timedelta(minutes=13), asset=asset
    )
    Ticket.objects.filter(pk=ticket.pk).update(component="psu/PSU1")  # as a sweep opens it
    desk.reply(ticket.pk, "已电话告知甲方", by=people["b_engineer"], now=DONE + timedelta(minutes=45))
    told = surprise.reveal(row.pk, text(), by=people["a_manager"], now=LATER)
    assert told.finding is not None
    assert [surprise.minutes(told, at) for at in (told.detected_at, told.ticket_at, told.notice_at)] == [12, 13, 45]
    assert Finding.objects.filter(origin=Origin.SURPRISE).count() == 0
    ledger.sequence(LATER)
    assert [d for d in audit() if d.room == "assessment"] == []
    Surprise.objects.update(detected_at=DONE)
    assert any(d.field == "detected" for d in audit() if d.room == "assessment")


def test_a_missed_test_is_a_fault_found_by_the_client_and_takes_points(
    people: dict[str, Account], asset: Asset
) -> None:
    row = committed(people, text())
    told = surprise.reveal(row.pk, text(), by=people["a_manager"], now=LATER)
    assert told.detected_at is None
    assert surprise.minutes(told, told.detected_at) is None
    found = Finding.objects.get(pk=told.finding)
    assert (found.origin, found.component, found.asset) == (Origin.SURPRISE, "psu/PSU1", asset)
    line = next(line for line in sheets.computed("2026-10").lines if line.key == f"finding:{found.pk}")
    assert (line.what, line.points) == ("found", 1)


def test_another_part_of_the_device_does_not_count_as_found(people: dict[str, Account], asset: Asset) -> None:
    row = committed(people, text())
    fault(asset, DONE + timedelta(minutes=5), component="fan/FAN3")
    assert surprise.reveal(row.pk, text(), by=people["a_manager"], now=LATER).detected_at is None


def test_what_the_client_reported_is_not_what_the_platform_found(people: dict[str, Account], asset: Asset) -> None:
    row = committed(people, text())
    fault(asset, DONE + timedelta(minutes=5), origin=Origin.CLIENT)
    assert surprise.reveal(row.pk, text(), by=people["a_manager"], now=LATER).detected_at is None


def test_a_part_that_was_broken_before_settles_nothing(people: dict[str, Account], asset: Asset) -> None:
    row = committed(people, text())
    fault(asset, NOW - timedelta(days=1))
    with pytest.raises(AssessmentError, match="已有未关闭的故障"):
        surprise.reveal(row.pk, text(), by=people["a_manager"], now=LATER)
    row.refresh_from_db()
    assert row.revealed_at is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (text(asset="SRV-02"), "与登记的哈希不符"),
        (text() + "\n", "与登记的哈希不符"),
        ("hello", "不是暗测的原文"),
        (text(nonce="1234"), "随机数太短"),
        (text(at="2026-10-12T10:00:00"), "时间须带时区"),
        (text(at="yesterday"), "时间须带时区"),
    ],
)
def test_words_that_do_not_fit_are_refused(people: dict[str, Account], asset: Asset, told: str, words: str) -> None:
    row = committed(people, text())
    with pytest.raises(AssessmentError, match=words):
        surprise.reveal(row.pk, told, by=people["a_manager"], now=LATER)


@pytest.mark.parametrize("at", [NOW - timedelta(minutes=1), NOW, LATER + timedelta(minutes=1)])
def test_the_deed_lies_between_the_hash_and_the_words(people: dict[str, Account], asset: Asset, at: datetime) -> None:
    told = surprise.words("SRV-01", "", at, "拔线", NONCE)
    row = committed(people, told)
    with pytest.raises(AssessmentError, match="登记之后、揭示之前"):
        surprise.reveal(row.pk, told, by=people["a_manager"], now=LATER)


def test_only_the_client_tests_and_no_hash_is_used_twice(people: dict[str, Account], asset: Asset) -> None:
    for who in ("b_manager", "b_engineer", "auditor", "tenant"):
        with pytest.raises(AssessmentError, match="由甲方进行"):
            surprise.commit("0" * 64, by=people[who], now=NOW)
    row = committed(people, text())
    with pytest.raises(AssessmentError, match="已经登记过"):
        committed(people, text())
    with pytest.raises(AssessmentError, match="不是 SM3"):
        surprise.commit("ABC", by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="由甲方进行"):
        surprise.reveal(row.pk, text(), by=people["b_manager"], now=LATER)
    surprise.reveal(row.pk, text(), by=people["a_manager"], now=LATER)
    with pytest.raises(AssessmentError, match="已经揭示"):
        surprise.reveal(row.pk, text(), by=people["a_manager"], now=LATER)
    assert Ticket.objects.count() == 0
