"""Service of documents: which way serves when, what it starts, what it performs, and who says what about it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.duties.conftest import People
from tests.duties.dealings_kit import CONTRACTS, FILE, NOW, shipped  # noqa: F401 - a fixture
from tests.duties.world import at
from yunwei.contract.folder import load
from yunwei.duties import notices
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Notice, NoticeState, Occurrence, Outcome, State, TriggerEvent
from yunwei.duties.services import bring_up_to_date
from yunwei.ledger.audit import audit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped")]
SIGNED = at("2026-10-13 10:00")
MONDAY = at("2026-10-12 08:00")


@pytest.mark.parametrize(
    ("way", "serving"),
    [
        ("hand", {"signed"}), ("post", {"signed", "refused", "returned"}), ("courier", {"signed", "refused", "returned"}),
        ("fax", {"confirmed"}), ("phone", {"told"}), ("platform", {"acknowledged"}),
    ],
)  # fmt: skip
def test_the_ways_serve_as_14_3_says(shipped: Path, way: str, serving: set[str]) -> None:  # noqa: F811
    found = notices.way_of(load(shipped), way)
    assert {o for o in Outcome.values if notices.effective(found, NOW, o, NOW)} == serving


def order(people: People, way: str = "hand", **more: Any) -> Notice:
    more = {"title": "整改通知", "by": people.client, "sent_at": MONDAY, "now": NOW, "file": FILE, **more}
    return notices.send("correction", way=way, **more)


def test_a_document_served_starts_the_receivers_clock_at_that_moment(people: People) -> None:
    row = order(people)
    assert row.state == NoticeState.SENT
    assert not TriggerEvent.objects.filter(kind="correction_ordered").exists(), "on its way it starts nothing"
    notices.deliver(row.pk, outcome="signed", at=SIGNED, by=people.vendor, now=SIGNED)
    row.refresh_from_db()
    assert (row.state, row.effective_at, row.received) == (NoticeState.SERVED, SIGNED, True)
    event = TriggerEvent.objects.get(kind="correction_ordered")
    assert (event.pk, event.at) == (row.started_id, SIGNED)
    assert Occurrence.objects.get(obligation="Q8", period=f"event:{event.pk}").owes == "B"


def test_a_paper_of_the_vendor_runs_fifteen_working_days_from_service(people: People) -> None:
    row = notices.send("paper", way="courier", title="请答复", by=people.vendor, sent_at=MONDAY, now=NOW, file=FILE)
    notices.deliver(row.pk, outcome="refused", at=SIGNED, by=people.vendor, now=SIGNED, file=FILE)
    row.refresh_from_db()
    owed = Occurrence.objects.get(obligation="A4", period=f"event:{row.started_id}")
    assert owed.owes == "A"
    assert owed.due_at == at("2026-11-04 00:00"), "the day of service is not counted: 15 working days from 10-13"


def test_refused_by_hand_is_not_served(people: People) -> None:
    row = order(people)
    notices.deliver(row.pk, outcome="refused", at=SIGNED, by=people.client, now=SIGNED, file=FILE)
    row.refresh_from_db()
    assert (row.state, row.effective_at, row.started_id) == (NoticeState.FAILED, None, None)
    with pytest.raises(DutyError, match="已有送达结果"):
        notices.deliver(row.pk, outcome="signed", at=SIGNED, by=people.vendor, now=SIGNED)


@pytest.mark.parametrize(("way", "item"), [("fax", "fax-b"), ("post", "postcode-b")])
def test_a_blank_number_closes_the_way_and_names_the_open_item(people: People, way: str, item: str) -> None:
    with pytest.raises(DutyError, match=item):
        order(people, way)
    assert not Notice.objects.exists()


def test_once_the_blank_is_filled_the_way_is_open(people: People, shipped: Path) -> None:  # noqa: F811
    path = shipped / "open_items.yaml"
    text = path.read_text("utf-8").replace("  - id: fax-b\n", "  - id: fax-b\n    closed_by: main\n")
    first = next(d.id for d in load(shipped).documents if d.present)
    path.write_text(text.replace("closed_by: main", f"closed_by: {first}"), "utf-8")
    assert order(people, "fax").way == "fax"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"way": "phone"}, "书面"), ({"way": "platform"}, "书面"), ({"by": "vendor"}, "发出"), ({"by": "officer"}, "代表"),
        ({"file": None}, "文件"), ({"sent_at": NOW + timedelta(minutes=1)}, "不晚于"), ({"way": "pigeon"}, "pigeon"),
        ({"title": " "}, "写明"), ({"title": "x" * 201}, "200"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent(people: People, more: dict[str, Any], why: str) -> None:
    if "by" in more:
        more = {**more, "by": getattr(people, more["by"])}
    with pytest.raises(DutyError) as told:
        order(people, **more)
    assert why in str(told.value)


def test_a_written_document_is_signed_by_who_binds_the_party(people: People) -> None:
    with pytest.raises(DutyError, match="负责人"):
        notices.send("paper", way="hand", title="x", by=people.vendor_colleague, sent_at=MONDAY, now=NOW, file=FILE)


def told_fault(people: People, **more: Any) -> Notice:
    return notices.send(
        "fault", way="phone", title="核心交换机不通", by=people.client, sent_at=NOW, now=NOW,
        happened_at=MONDAY, file=FILE, **more,
    )  # fmt: skip


def test_the_clients_own_duty_to_tell_of_a_fault_is_performed_by_telling(people: People) -> None:
    row = told_fault(people)
    assert (row.state, row.effective_at) == (NoticeState.SERVED, NOW)
    owed = Occurrence.objects.get(obligation="A2")
    assert owed.starts_at == MONDAY, "its clock began when the client saw it"
    assert TriggerEvent.objects.get(kind="fault_reported").at == NOW, "乙方's began when it was told"
    assert owed.state == State.DUE, "only the receiver's word settles it"
    notices.reply(row.pk, received=True, by=people.vendor, now=NOW + timedelta(minutes=5))
    owed.refresh_from_db()
    assert owed.state == State.KEPT


def test_what_the_receiver_disputes_stays_unsettled_and_is_shown(people: People) -> None:
    row = told_fault(people)
    with pytest.raises(DutyError):
        notices.reply(row.pk, received=False, by=people.vendor, now=NOW)
    with pytest.raises(DutyError, match="收到的一方"):
        notices.reply(row.pk, received=True, by=people.client_colleague, now=NOW)
    notices.reply(row.pk, received=False, by=people.vendor, now=NOW, text="没有接到电话")
    row.refresh_from_db()
    assert (row.received, row.state) == (False, NoticeState.SERVED)
    assert Occurrence.objects.get(obligation="A2").state == State.DUE
    with pytest.raises(DutyError, match="已有答复"):
        notices.reply(row.pk, received=True, by=people.vendor, now=NOW)


def test_on_the_platform_the_receiver_says_that_it_read(people: People) -> None:
    row = notices.send(
        "defect", way="platform", title="控制器固件缺陷", by=people.vendor_colleague, sent_at=NOW, now=NOW,
        happened_at=MONDAY,
    )  # fmt: skip
    with pytest.raises(DutyError, match="查收"):
        notices.deliver(row.pk, outcome="acknowledged", at=SIGNED, by=people.vendor, now=SIGNED)
    notices.deliver(row.pk, outcome="acknowledged", at=SIGNED, by=people.client, now=SIGNED)
    row.refresh_from_db()
    assert row.received is True
    assert row.proof is not None
    assert row.proof.occurrence.obligation == "G9"


def test_the_certificate_hangs_on_the_event_of_the_first_notice(people: People) -> None:
    first = notices.send(
        "force-majeure", way="hand", title="台风", by=people.vendor, sent_at=NOW, now=NOW, happened_at=MONDAY, file=FILE
    )
    second = notices.send(
        "force-majeure-proof", way="hand", title="气象证明", by=people.vendor, sent_at=NOW, now=NOW, file=FILE,
        event_id=first.event_id,
    )  # fmt: skip
    assert TriggerEvent.objects.filter(kind="force_majeure_occurred").count() == 1, "one event, one clock"
    notices.deliver(second.pk, outcome="signed", at=SIGNED, by=people.client, now=SIGNED)
    second.refresh_from_db()
    assert second.proof is not None
    assert second.proof.occurrence.due_at == at("2026-10-28 00:00"), "15 calendar days"
    with pytest.raises(DutyError, match="没有这件"):
        told_fault(people, event_id=first.event_id)
    with pytest.raises(DutyError, match="早于所告知"):
        notices.send(
            "change", way="phone", title="x", by=people.client, sent_at=MONDAY, now=NOW, file=FILE, happened_at=NOW
        )
    with pytest.raises(DutyError, match="发生的时间"):
        notices.send("change", way="phone", title="x", by=people.client, sent_at=NOW, now=NOW, file=FILE)


def test_the_old_address_holds_until_the_change_is_served(people: People) -> None:
    old = notices.address_of("B", NOW)
    row = notices.send(
        "address",
        way="hand",
        title="地址变更",
        by=people.vendor,
        sent_at=NOW,
        now=NOW,
        file=FILE,
        new_address="新址 1 号",
    )
    assert notices.address_of("B", SIGNED) == old
    notices.deliver(row.pk, outcome="signed", at=SIGNED, by=people.client, now=SIGNED)
    assert notices.address_of("B", SIGNED) == "新址 1 号"
    assert notices.address_of("B", SIGNED - timedelta(seconds=1)) == old
    assert notices.address_of("A", SIGNED) != "新址 1 号"
    late = at("2026-10-14 09:00")
    assert order(people, sent_at=late, now=late).to_address == "新址 1 号"


def test_the_sender_proves_the_delivery_and_the_receiver_need_not(people: People) -> None:
    row = order(people)
    with pytest.raises(DutyError, match="附上文件"):
        notices.deliver(row.pk, outcome="signed", at=SIGNED, by=people.client, now=SIGNED)
    with pytest.raises(DutyError, match="早于"):
        notices.deliver(row.pk, outcome="signed", at=MONDAY - timedelta(1), by=people.vendor, now=SIGNED)
    with pytest.raises(DutyError):
        notices.deliver(row.pk, outcome="signed", at=SIGNED, by=people.stranger, now=SIGNED)
    with pytest.raises(DutyError, match="没有这种"):
        notices.deliver(row.pk, outcome="lost", at=SIGNED, by=people.vendor, now=SIGNED)
    notices.deliver(row.pk, outcome="signed", at=SIGNED, by=people.client, now=SIGNED, file=FILE)
    row.refresh_from_db()
    assert row.received is None, "the sender's word is not the receiver's"


def test_a_contract_that_names_no_way_serves_nothing(people: People, shipped: Path) -> None:  # noqa: F811
    for name in (CONTRACTS / "yunting-2027").iterdir():
        (shipped / name.name).write_bytes(name.read_bytes())
    ours = {f.name for f in (CONTRACTS / "yunting-2027").iterdir()}
    for left in [f for f in shipped.iterdir() if f.name not in ours]:
        left.unlink()
    with pytest.raises(DutyError, match="没有写明送达"):
        order(people)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("update duties_notice set effective_at = '2026-10-01 00:00:00'", "effective_at"),
        ("update duties_notice set received = not received", "received"),
        ("update duties_notice set title = 'x'", "title"),
        ("update duties_notice set new_address = 'x'", "new_address"),
        ("update duties_notice set started_id = null", "started"),
    ],
)
def test_who_owns_the_database_is_found_out(people: People, query: str, field: str) -> None:
    row = order(people)
    notices.deliver(row.pk, outcome="signed", at=SIGNED, by=people.vendor, now=SIGNED)
    bring_up_to_date(SIGNED)
    assert audit() == []
    with connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.rowcount == 1
    assert (f"notice:{row.pk}", field) in {(d.subject, d.field) for d in audit()}
