"""Consents, notices, people and on-site slots on their pages: each side does its part by forms, and only its part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.ui import dealings_scene
from yunwei.accounts.models import Account, Body, StaffMember
from yunwei.assessment.waiting import waiting
from yunwei.duties import sources
from yunwei.duties.models import Consent, ConsentAct, Notice, Occurrence, RosterEntry, TriggerEvent
from yunwei.duties.services import bring_up_to_date

pytestmark = pytest.mark.django_db
#: Monday 2026-10-12 17:00 in Shanghai
NOW = datetime(2026, 10, 12, 9, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def the_day(settings: Any) -> None:
    """The instance's clock stands at NOW when the test begins, and goes."""
    settings.YUNWEI = {"clock": {"offset_s": (NOW - datetime.now(UTC)).total_seconds()}}


def file(name: str = "a.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"%PDF", "application/pdf")


def local(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%dT%H:%M}"


def post(client: Client, who: Account, address: str, **form: Any) -> int:
    """Sent by that account, who stays logged in."""
    if client.session.get("_auth_user_id") != str(who.pk):
        client.logout()
        client.force_login(who)
    return client.post(address, form).status_code


def test_a_consent_by_forms_and_the_swap_that_it_allows(client: Client, people: dict[str, Account]) -> None:
    vendor, boss = people["b_manager"], people["a_manager"]
    for code, key in (("P-1", "1"), ("P-2", "")):
        form = {"act": "enter", "code": code, "name": "演示人员", "position": "工程师", "key": key, "file": file()}
        assert post(client, vendor, "/staff", **form) == 302
    assert post(client, boss, "/staff", act="confirm", code="P-1") == 302
    swap = {"act": "replace", "code": "P-1", "new": "P-2", "reason": "调岗"}
    assert post(client, vendor, "/staff", **swap) == 400
    assert "没有事先同意" in client.post("/staff", swap).content.decode()
    ask = {
        "act": "ask", "obligation": "G2", "subject": "P-1>P-2", "what": "调岗",
        "starts": local(NOW - timedelta(hours=1)), "ends": local(NOW + timedelta(days=3)),
    }  # fmt: skip
    assert post(client, boss, "/consents", **ask) == 400, "the other side does not ask for itself"
    assert post(client, vendor, "/consents", **ask) == 302
    row = Consent.objects.get()
    assert ("A", str(row.pk)) in {(w.side, w.argument) for w in waiting(sources.folder(), NOW)}
    assert post(client, vendor, f"/consents/{row.pk}", act="grant") == 400
    assert post(client, boss, f"/consents/{row.pk}", act="refuse") == 400, "a refusal gives its reason"
    assert post(client, boss, f"/consents/{row.pk}", act="grant") == 302
    assert post(client, vendor, "/staff", **swap) == 302
    assert StaffMember.objects.get(code="P-2").taken_from == StaffMember.objects.get(code="P-1")
    assert "接替 P-1" in client.get("/staff").content.decode()


def test_an_act_without_consent_is_told_in_red(client: Client, people: dict[str, Account]) -> None:
    form = {
        "act": "record",
        "obligation": "R2",
        "subject": "T-1",
        "what": "远程会话",
        "at": local(NOW - timedelta(hours=1)),
    }
    assert post(client, people["a_manager"], "/consents", **form) == 302
    assert ConsentAct.objects.get().consent is None
    page = client.get("/consents").content.decode()
    assert "没有事先同意就做了" in page
    assert "远程会话" in page


def test_a_notice_by_forms(client: Client, people: dict[str, Account]) -> None:
    boss, vendor = people["a_manager"], people["b_manager"]
    form = {
        "kind": "correction", "way": "hand", "title": "整改通知", "text": "十日内", "sent_at": local(NOW - timedelta(hours=2)),
        "file": file(),
    }  # fmt: skip
    assert post(client, vendor, "/notices", **{**form, "file": file()}) == 400, "the client orders, nobody else"
    assert post(client, boss, "/notices", **{**form, "way": "fax", "file": file()}) == 400
    assert "fax-b" in client.post("/notices", {**form, "way": "fax", "file": file()}).content.decode()
    assert post(client, boss, "/notices", **{**form, "sent_at": "x", "file": file()}) == 400
    assert post(client, boss, "/notices", **{**form, "file": file()}) == 302
    row = Notice.objects.get()
    assert not TriggerEvent.objects.filter(kind="correction_ordered").exists()
    deliver = {"act": "deliver", "outcome": "signed", "at": local(NOW - timedelta(hours=1))}
    assert post(client, vendor, f"/notices/{row.pk}", **deliver) == 302
    row.refresh_from_db()
    assert Occurrence.objects.filter(obligation="Q8", period=f"event:{row.started_id}").exists()
    page = client.get(f"/notices/{row.pk}").content.decode()
    assert "起生效" in page
    assert "按通知整改至符合" in page
    board = client.get("/notices").content.decode()
    assert "甲方在走的期限" in board
    assert "乙方在走的期限" in board


def test_the_clients_word_of_a_fault_and_the_vendors_dispute(client: Client, people: dict[str, Account]) -> None:
    bring_up_to_date(NOW - timedelta(days=1))  # the books were open before
    form = {
        "kind": "fault", "way": "phone", "title": "打不开", "sent_at": local(NOW - timedelta(hours=1)),
        "happened_at": local(NOW - timedelta(hours=2)), "file": file(),
    }  # fmt: skip
    assert post(client, people["a_manager"], "/notices", **form) == 302
    row = Notice.objects.get()
    assert Occurrence.objects.get(obligation="A2").period == f"event:{row.event_id}"
    assert post(client, people["b_engineer"], f"/notices/{row.pk}", act="disputed") == 400
    assert post(client, people["b_engineer"], f"/notices/{row.pk}", act="disputed", text="没有来电") == 302
    assert "收到方有争议" in client.get("/notices").content.decode()


def test_a_month_of_slots(client: Client, people: dict[str, Account]) -> None:
    dealings_scene.play(people, NOW)
    RosterEntry.objects.all().delete()
    vendor, boss = people["b_engineer"], people["a_manager"]
    fill = {"act": "assign", "first": "2026-10-12", "last": "2026-10-16", "slot": ["am", "pm"], "member": "P-1"}
    assert post(client, boss, "/onsite?month=2026-10", **fill) == 400
    assert post(client, vendor, "/onsite?month=2026-10", **fill) == 302
    assert RosterEntry.objects.count() == 10
    assert post(client, vendor, "/onsite?month=2026-10", **{**fill, "slot": []}) == 400
    mine = RosterEntry.objects.earliest("day", "id")
    assert post(client, boss, "/onsite?month=2026-10", act="empty", id=mine.pk, reason="无人") == 302
    page = client.get("/onsite?month=2026-10").content.decode()
    assert "甲方指为空岗" in page
    assert "25.0 %" in page, "9 of 36"
    assert client.get("/onsite?month=x").status_code == 404
    assert client.get("/onsite").status_code == 200


def test_a_body_by_forms(client: Client, people: dict[str, Account]) -> None:
    vendor = people["b_manager"]
    form = {"act": "enter-body", "code": "ORG-1", "name": "演示机构", "role": "crypto", "file": file()}
    assert post(client, vendor, "/staff", **form) == 302
    assert post(client, vendor, "/staff", act="engage", code="ORG-1") == 400
    assert Body.objects.get().engaged_at is None
    assert "须先取得同意：G23" in client.get("/staff").content.decode()


@pytest.mark.parametrize("address", ["/consents", "/notices", "/staff", "/onsite"])
def test_who_only_looks_has_no_form_and_can_do_nothing(
    client: Client, people: dict[str, Account], address: str
) -> None:
    client.force_login(people["auditor"])
    page = client.get(address)
    assert page.status_code == 200
    assert 'method="post"' not in page.content.decode().split("<main", 1)[1]
    for act in ("ask", "record", "enter", "assign", "nothing"):
        assert client.post(address, {"act": act, "kind": "other"}).status_code == 400
    client.force_login(people["tenant"])
    assert client.get(address).status_code == 403


@pytest.mark.parametrize("at", ["", "0001-01-01T00:00", "1999-12-31T23:59", "9999-12-31T23:59:59-14:00", "x"])
def test_a_moment_that_is_none_asks_for_nothing(client: Client, people: dict[str, Account], at: str) -> None:
    form = {
        "act": "ask",
        "obligation": "R2",
        "subject": "x",
        "what": "x",
        "starts": at,
        "ends": local(NOW + timedelta(days=1)),
    }
    assert post(client, people["b_manager"], "/consents", **form) == 400
    assert post(client, people["b_manager"], "/consents", **{**form, "starts": local(NOW), "ends": at}) == 400
    assert post(client, people["a_manager"], "/consents", **{**form, "act": "record", "at": at}) == 400
    told = {"kind": "defect", "way": "phone", "title": "x", "sent_at": local(NOW), "happened_at": at}
    assert post(client, people["b_manager"], "/notices", **told) == 400
    assert not Consent.objects.exists()
    assert not Notice.objects.exists()
