"""验收、整改、移交 as pages: who sees and does what, both sides through to the end, nothing that grows with the tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.ui import contract_scene as scene
from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assessment import acceptance, handover, rectify, waiting
from yunwei.assessment.models import Acceptance, HandoverItem, Order, Recheck
from yunwei.assessment.web import acceptance as accept_page
from yunwei.assessment.web import handover as handover_page
from yunwei.assessment.web import rectify as rectify_page
from yunwei.assets.models import Asset, Zone
from yunwei.duties import books, sources
from yunwei.duties import services as duties

pytestmark = pytest.mark.django_db
NOW = scene.NOW
H = timedelta(hours=1)


@pytest.fixture(autouse=True)
def at_the_day(contract: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_seen", {})
    for module in (accept_page, rectify_page, handover_page):
        monkeypatch.setattr(module, "now_of_instance", lambda: NOW)


def paper() -> SimpleUploadedFile:
    return SimpleUploadedFile("报告.pdf", b"%PDF-1.7", "application/pdf")


def browser(people: dict[str, Account], who: str) -> Client:
    client = Client()
    client.force_login(people[who])
    return client


def post(client: Client, page: str, **fields: Any) -> str:
    """What the page says after a form: "" when it was taken."""
    response = client.post(page, fields)
    if response.status_code == 302:
        return ""
    text: str = response.content.decode()
    return text


def read(client: Client, page: str) -> str:
    response = client.get(page)
    assert response.status_code == 200, page
    text: str = response.content.decode()
    return text


def test_a_year_is_accepted_on_the_pages_by_both(people: dict[str, Account]) -> None:
    scene.play(people)
    a, b = browser(people, "a_manager"), browser(people, "b_manager")
    assert "尚未提交验收" in read(a, "/acceptance")
    assert "乙方项目经理提交" in post(a, "/acceptance", act="submit", text="x", file=paper())
    assert post(b, "/acceptance", act="submit", text="申请验收", file=paper()) == ""
    row = Acceptance.objects.get()
    assert "登记测试" in read(a, "/acceptance")
    assert "登记测试" not in read(b, "/acceptance")
    said = {
        "act": "opine",
        "id": row.pk,
        "speaker": "tester",
        "organisation": "某测评中心",
        "name": "张工",
        "about": "技3",
    }
    assert "需要写明" in post(a, "/acceptance", **said, conforming="yes", file=paper())  # no qualification
    assert (
        post(a, "/acceptance", **said, qualification="CNAS 1", conforming="no", text="缺一次演练", file=paper()) == ""
    )
    assert (
        post(
            a,
            "/acceptance/rectifications",
            what="补演练",
            clause="4.3.2",
            due="2026-04-20T18:00",
            about="acceptance:2026/1",
            file=paper(),
        )
        == ""
    )
    order = Order.objects.get()
    assert f"整改 {order.pk}" in read(b, "/acceptance")
    assert "还有整改未符合" in post(a, "/acceptance", act="pass", id=row.pk, text="x", file=paper())
    page = f"/acceptance/rectifications/{order.pk}"
    assert post(b, page, act="dispute", until="2026-04-25T18:00", text="备件未到") == ""
    assert "有异议" in read(a, "/acceptance/rectifications")
    assert post(a, page, act="move", until="2026-04-25T18:00", text="同意") == ""
    assert post(b, page, act="report", text="已补", file=paper()) == ""
    assert post(a, page, act="nonconforming", text="没有比对") == ""
    assert post(b, page, act="report", text="已比对", file=paper()) == ""
    assert post(a, page, act="conforming", text="") == ""
    assert "已符合" in read(b, page)
    assert Recheck.objects.count() == 2
    assert post(a, "/acceptance", act="pass", id=row.pk, text="整改已符合", file=paper()) == ""
    assert post(b, "/acceptance", act="sign", id=row.pk, text="") == ""
    shown = read(a, "/acceptance")
    assert "通过验收" in shown
    assert all(f'href="/obligations/{o.id}"' in shown for o in sources.folder().obligations)
    assert len(read(a, "/acceptance?who=A")) < len(shown)


def test_a_list_is_opened_signed_and_refused_on_the_pages(people: dict[str, Account]) -> None:
    scene.play(people)
    a, b = browser(people, "a_manager"), browser(people, "b_manager")
    assert "还没有开列" in read(a, "/handover")
    assert "开列移交清单" not in read(a, "/handover")
    assert post(b, "/handover", act="open") == ""
    first = HandoverItem.objects.filter(kind="facility").order_by("id")[0]
    page = f"/handover/{first.pk}"
    assert "需要写明" in post(a, page, act="refuse", text="")
    assert post(a, page, act="refuse", text="缺电源") == ""
    for client in (a, b):
        for kind in ("facility", "resource", "material", "account"):
            wrong = post(client, "/handover", act="sign-all", kind=kind)
            assert wrong == "" or "没有这个移交项" in wrong  # nothing of this kind
    shown = read(a, "/handover")
    assert "全部了结，其中拒签" in shown
    assert "缺电源" in read(b, page)
    assert "SW-00" in read(a, "/handover?kind=facility&q=SW-00")
    assert first.code in read(a, "/handover?state=refused")
    duties.record_event("end_of_term", at=NOW, by=people["b_manager"], now=NOW, file=FILE)
    duties.bring_up_to_date(NOW)
    assert "以本清单举证" in read(b, "/handover")
    assert post(b, "/handover", act="prove") == ""
    assert a.get("/handover?format=csv").status_code == 200


def test_nobody_else_opens_them(people: dict[str, Account]) -> None:
    third = Organisation.objects.create(code="X", name="某测评中心", party="X")
    people["assessor"] = Account.objects.create(
        username="assessor", display_name="x", role=Role.ASSESSOR, organisation=third, password="x"
    )
    for who, status in (("tenant", 403), ("auditor", 200), ("b_engineer", 200), ("assessor", 200)):
        client = browser(people, who)
        for page in ("/acceptance", "/acceptance/rectifications", "/handover"):
            assert client.get(page).status_code == status, (who, page)
    a = browser(people, "a_manager")
    for page in ("/acceptance/rectifications/7", "/handover/7"):
        assert a.get(page).status_code == 404
    for page in ("/acceptance", "/handover"):
        assert "没有这个操作" in post(a, page, act="burn")
    assert "不是时间" in post(a, "/acceptance/rectifications", what="x", clause="7.1.4", due="x", file=paper())


def test_what_waits_is_said_to_the_side_that_must_act(people: dict[str, Account]) -> None:
    a, b = people["a_manager"], people["b_manager"]

    def told() -> set[tuple[str, str]]:
        return {(w.side, w.page) for w in waiting.waiting(sources.folder(), NOW) if w.page != "sheet"}

    assert told() == set()
    row = acceptance.submit(statement="x", file=FILE, by=b, now=NOW)
    order = rectify.order("x", clause="7.1.4", due_at=NOW + 9 * H, file=FILE, by=a, now=NOW)
    assert told() == {("A", "acceptance"), ("B", "rectification")}
    rectify.dispute(order.pk, until=NOW + 99 * H, reason="x", by=b, now=NOW)
    rectify.report(order.pk, statement="x", file=FILE, by=b, now=NOW)
    assert told() == {("A", "acceptance"), ("A", "rectification")}
    rectify.answer_dispute(order.pk, until=None, reason="x", by=a, now=NOW)
    rectify.check(order.pk, conforming=True, finding="", by=a, now=NOW)
    assert told() == {("A", "acceptance")}
    acceptance.opine(
        row.pk,
        speaker="tester",
        organisation="x",
        name="x",
        qualification="x",
        conforming=True,
        text="",
        file=FILE,
        by=a,
        now=NOW,
    )
    acceptance.decide(row.pk, passed=True, reason="", file=FILE, by=a, now=NOW)
    assert told() == {("B", "acceptance")}
    acceptance.answer(row.pk, sign=True, text="", by=b, now=NOW)
    zone = Zone.objects.create(code="gov", name="x")
    Asset.objects.create(code="SW-1", name="x", kind="device", zone=zone)
    duties.bring_up_to_date(NOW)
    handover.open_list(by=b, now=NOW)
    assert told() == {("A", "handover"), ("B", "handover")}
    handover.sign(list(HandoverItem.objects.values_list("pk", flat=True)), by=b, now=NOW)
    assert told() == {("A", "handover")}
    client = browser(people, "a_manager")
    assert "移交清单" in read(client, "/contract")


def test_the_pages_cost_the_same_whatever_the_tables_hold(people: dict[str, Account]) -> None:
    scene.play(people)
    a, b = people["a_manager"], people["b_manager"]
    handover.open_list(by=b, now=NOW)
    client = browser(people, "a_manager")

    def statements(page: str) -> int:
        read(client, page)
        with CaptureQueriesContext(connection) as asked:
            read(client, page)
        return len(asked)

    def grow(n: int) -> None:
        for _i in range(n):
            order = rectify.order("x", clause="7.1.4", due_at=NOW + 9 * H, file=FILE, by=a, now=NOW)
            rectify.report(order.pk, statement="x", file=FILE, by=b, now=NOW)
        row = Acceptance.objects.order_by("-round").first() or acceptance.submit(
            statement="x", file=FILE, by=b, now=NOW
        )
        for i in range(n):
            acceptance.opine(
                row.pk,
                speaker="tester",
                organisation=f"x{i}",
                name="x",
                qualification="x",
                conforming=True,
                text="",
                file=FILE,
                by=a,
                now=NOW,
            )

    grow(1)
    before = {page: statements(page) for page in ("/acceptance", "/acceptance/rectifications", "/handover")}
    grow(4)
    assert {page: statements(page) for page in before} == before
    assert max(before.values()) <= 32, before
