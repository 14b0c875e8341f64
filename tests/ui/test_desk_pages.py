"""工单, 服务门户, 搜索: who sees what, what may be done by whom, and that what people write stays text."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from tests.ui.tags import Tags
from yunwei.accounts import tokens
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets.models import Asset, System, Zone
from yunwei.contract import plans
from yunwei.desk import book
from yunwei.desk import services as desk
from yunwei.desk.models import Entry, Ticket, TicketState
from yunwei.desk.web import opening, portal, ticket, tickets, uploads
from yunwei.desk.web.urls import PAGES
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.duties.sources import folder
from yunwei.inspect.models import DeviceSweep, Finding, Standing
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Entry as Numbered
from yunwei.ledger.models import Intake
from yunwei.ui.context import now as real_now
from yunwei.ui.pages import PARTIES, TENANTS

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 9, 30, 2, 0, tzinfo=UTC)  # 10:00, Wednesday before the national holiday
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture(autouse=True)
def clock(settings, monkeypatch) -> None:
    """The pages' clock stands still."""
    settings.YUNWEI = {"demo": True}
    for module in (tickets, ticket, portal, opening):
        monkeypatch.setattr(module, "now", lambda: NOW)


@pytest.fixture
def plan(people) -> None:
    row = plans.propose(folder().plan, folder=folder(), by=people["b_manager"], now=NOW - timedelta(days=30))
    plans.approve(row.version, by=people["a_manager"], now=NOW - timedelta(days=30))


def asked(
    people: dict[str, Account], title: str = "咨询扩容", who: str = "tenant", kind: str = "request", **more: Any
) -> Ticket:
    """A ticket that a department opened an hour ago."""
    made = desk.open_ticket(kind, title, by=people[who], now=NOW - timedelta(hours=1), channel="portal", **more)
    duties.bring_up_to_date(NOW)
    return made


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def said(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return text_of(response.content.decode())


def enter(client: Client, account: Account) -> None:
    """Another person sits down at this browser."""
    client.logout()
    client.force_login(account)


# --- who sees what ----------------------------------------------------------------------------------------------------


def addresses(number: str, entry: int, roles: frozenset[Role]) -> Iterator[str]:
    """Every address of this area that opens for these roles and names a ticket."""
    for page in PAGES:
        if page.may == roles and "<" in page.route:
            yield "/" + page.route.replace("<str:number>", number).replace("<int:entry>", str(entry))


def test_another_departments_ticket_is_not_there_on_any_address_and_by_any_method(client: Client, people):
    theirs = asked(people, file=duties.File("a.txt", b"secret"))
    line = theirs.history.get(what="file")
    enter(client, people["other"])
    walked = list(addresses(theirs.number, line.pk, TENANTS))
    assert len(walked) == 5
    before = (Intake.objects.count(), Ticket.objects.get().state)
    for address in walked:
        for response in (client.get(address), client.post(address, {"to": "closed", "text": "x"})):
            assert response.status_code in (404, 405), (address, response.status_code)
            assert "咨询扩容" not in response.content.decode()
    assert (Intake.objects.count(), Ticket.objects.get().state) == before
    enter(client, people["tenant"])
    assert client.get(f"/portal/tickets/{theirs.number}").status_code == 200, "the walk asked for what is there"


def test_a_file_is_reached_by_its_own_ticket_alone(client: Client, people):
    theirs, own = asked(people), asked(people, who="other")
    line = desk.comment(theirs.pk, "", by=people["tenant"], now=NOW, file=duties.File("a.txt", b"secret"))
    enter(client, people["other"])
    assert client.get(f"/portal/tickets/{own.number}/files/{line.pk}").status_code == 404
    enter(client, people["b_engineer"])
    assert client.get(f"/tickets/{own.number}/files/{line.pk}").status_code == 404
    assert client.get(f"/tickets/{theirs.number}/files/{line.pk}").content == b"secret"


def test_what_the_parties_say_between_themselves_no_department_reads(client: Client, people):
    mine = asked(people)
    desk.comment(mine.pk, "应用池在 10.20.3.15", by=people["b_engineer"], now=NOW, inside=True)
    line = desk.comment(
        mine.pk, "", by=people["a_manager"], now=NOW, inside=True, file=duties.File("内部.txt", b"inner")
    )
    enter(client, people["tenant"])
    for address in (f"/portal/tickets/{mine.number}", f"/portal/tickets/{mine.number}/now", "/portal"):
        page = client.get(address).content.decode()
        assert "10.20.3.15" not in page
        assert "内部.txt" not in page
    assert client.get(f"/portal/tickets/{mine.number}/files/{line.pk}").status_code == 404
    enter(client, people["a_manager"])
    assert "10.20.3.15" in client.get(f"/tickets/{mine.number}").content.decode()
    assert client.get(f"/tickets/{mine.number}/files/{line.pk}").content == b"inner"


def test_the_api_tells_a_department_no_more_than_the_page(client: Client, people):
    mine = asked(people)
    desk.comment(mine.pk, "应用池在 10.20.3.15", by=people["b_engineer"], now=NOW, inside=True)
    with transaction.atomic():
        book.enter(mine, "sweep", NOW, by=None, text="读自 10.20.3.16")
    told = {}
    for who in ("tenant", "a_manager"):
        _row, secret = tokens.make(people[who], "x", ("read",), 1, now=real_now())
        headers = {"Authorization": f"Bearer {secret}"}
        told[who] = client.get(f"/api/v1/tickets/{mine.number}/history", headers=headers).content.decode()
    assert "10.20.3" not in told["tenant"]
    assert "10.20.3.15" in told["a_manager"]
    enter(client, people["tenant"])
    assert "10.20.3" not in client.get(f"/portal/tickets/{mine.number}").content.decode()


def test_a_department_reads_how_the_promises_to_it_ended(client: Client, people, plan):
    mine, second = asked(people), asked(people, "另一件")
    asked(people, "别人的", who="other")
    Occurrence.objects.filter(period=f"event:{mine.event_id}").update(state=State.LATE)
    Occurrence.objects.filter(period=f"event:{second.event_id}").update(state=State.KEPT)
    enter(client, people["tenant"])
    page = said(client, "/portal").split("对贵单位的承诺")[1]
    assert "按期履行 1" in page
    assert "迟延履行 1" in page
    assert "尚在期限内或待确认 –" in page, "what is promised to others is not counted here"


def test_a_department_opens_nothing_of_the_parties(client: Client, people):
    mine = asked(people)
    enter(client, people["tenant"])
    for page in PAGES:
        if not TENANTS & set(page.may):
            address = "/" + page.route.replace("<str:number>", mine.number).replace("<int:entry>", "1")
            assert client.get(address).status_code == 403, address
            assert client.post(address, {"to": "closed"}).status_code == 403, address
    enter(client, people["b_engineer"])
    assert client.get("/portal").status_code == 403
    assert client.get(f"/portal/tickets/{mine.number}").status_code == 403


def test_the_portal_shows_its_own_and_nothing_of_others(client: Client, people, plan):
    asked(people)
    asked(people, "别的单位的申请", who="other")
    edu, health = (Organisation.objects.get(code=c) for c in ("edu", "health"))
    zone = Zone.objects.create(code="ext", name="政务外网区")
    ours = System.objects.create(code="edu-oa", name="办公系统", owner=edu)
    System.objects.create(code="h-1", name="卫生系统", owner=health)
    for code, name, verdict, system, owner in (
        ("S-1", "一号主机", "pass", ours, None),
        ("S-2", "二号主机", "fail", ours, None),
        ("S-3", "三号主机", "unproven", ours, None),
        ("S-4", "四号主机", "", None, edu),
        ("S-5", "别人的主机", "pass", None, health),
        ("S-6", "谁的都不是的主机", "pass", None, None),
    ):
        asset = Asset.objects.create(code=code, name=name, kind="host", zone=zone, system=system, owner=owner)
        asset.endpoints.create(protocol="ssh", address="10.20.30.40", port=22)
        if verdict:
            sweep = DeviceSweep.objects.create(run_id="r", asset=asset, observed_at=NOW, verdict=verdict)
            Standing.objects.create(asset=asset, sweep=sweep)
    Asset.objects.create(code="S-7", name="退役的主机", kind="host", zone=zone, system=ours, retired_at=NOW)
    enter(client, people["tenant"])
    page = said(client, "/portal")
    assert "1 项申请在办" in page
    assert "1 个系统发现故障" in page
    assert "1 台发现故障、1 台没能看清、1 台正常" in page
    assert "还没有看过" in page, "what nobody looked at is not fine"
    assert "3 个工作日（合同）" in page, "a clock names its rule"
    for absent in (
        "别的单位的申请",
        "卫生系统",
        "别人的主机",
        "谁的都不是",
        "退役的主机",
        "10.20.30.40",
        "2,091,800",
        "b_engineer",
    ):
        assert absent not in page, absent


def test_engineers_are_roles_to_a_department_and_people_to_the_parties(client: Client, people):
    Account.objects.filter(username="b_engineer").update(display_name="张工程师")
    mine = asked(people)
    desk.reply(mine.pk, "请填表", by=Account.objects.get(username="b_engineer"), now=NOW)
    enter(client, people["tenant"])
    page = said(client, f"/portal/tickets/{mine.number}")
    assert "张工程师" not in page
    assert "乙方 · 驻场工程师" in page
    assert "tenant · 需求单位用户" in page, "its own people have names"
    enter(client, people["a_manager"])
    assert "张工程师" in said(client, f"/tickets/{mine.number}")


def test_a_departments_first_page_is_the_portal(client: Client, people):
    enter(client, people["tenant"])
    assert client.get("/")["Location"] == "/portal"
    enter(client, people["b_engineer"])
    assert client.get("/").status_code == 200


# --- what people write stays text ---------------------------------------------------------------------------------------


def test_titles_words_and_file_names_stay_text(client: Client, people, plan):
    Organisation.objects.filter(code="edu").update(name=EVIL[:120])
    system = System.objects.create(code="evil", name=EVIL[:120], owner=Organisation.objects.get(code="edu"))
    mine = asked(people, EVIL, body=EVIL, file=duties.File(f"{EVIL}.png", b"x"), system=system)
    desk.reply(mine.pk, EVIL, by=people["b_engineer"], now=NOW)
    desk.move(mine.pk, "waiting", by=people["b_engineer"], now=NOW, text=EVIL)
    walk = {
        "tenant": ("/portal", "/portal/tickets", f"/portal/tickets/{mine.number}", f"/portal/tickets/{mine.number}/now",
                   "/portal/new", "/search?stay=1&q=%3Cscript%3E"),
        "b_engineer": ("/tickets", "/tickets/board", f"/tickets/{mine.number}", f"/tickets/{mine.number}/now", "/tickets/new",
                       "/search?stay=1&q=%3Cscript%3E", "/tickets?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
    }  # fmt: skip
    for who, pages in walk.items():
        enter(client, people[who])
        for address in pages:
            page = client.get(address).content.decode()
            assert "<script>alert" not in page, address
            tags = Tags(page)
            assert "img" not in tags.names, address
            assert not [name for name in tags.attributes if name.startswith("on")], address
            assert "style" not in tags.attributes, address


def test_what_was_typed_comes_back_as_text_when_it_was_refused(client: Client, people):
    enter(client, people["tenant"])
    response = client.post("/portal/new", {"kind": "nothing", "title": EVIL, "body": EVIL})
    assert response.status_code == 400
    page = response.content.decode()
    assert "没有这种工单" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page, "and it is not lost"
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("报告\u202egnp.exe", "报告gnp.exe"),
        ("a\r\nSet-Cookie: x=1.txt", "aSet-Cookie: x=1.txt"),
        ('evil".html', 'evil".html'),
    ],
)
def test_an_attachment_is_a_name_without_a_path_and_a_download_without_a_type(client: Client, people, name, kept):
    mine = asked(people)
    sent = SimpleUploadedFile("x", b"<html><script>alert(1)</script>", "text/html")
    sent._name = name  # as a client that is no browser sends it: Django's own parser would strip some of it
    request = RequestFactory().post("/")
    request.FILES["file"] = sent
    line = desk.comment(mine.pk, "", by=people["tenant"], now=NOW, file=uploads.uploaded(request))
    assert line.file_name == kept
    enter(client, people["tenant"])
    response = client.get(f"/portal/tickets/{mine.number}/files/{line.pk}")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment;")
    assert "\r" not in response["Content-Disposition"]
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "Set-Cookie" not in response


def test_no_address_leads_out_of_the_store(client: Client, people):
    mine = asked(people)
    enter(client, people["tenant"])
    for tail in ("..%2f..%2fkeys%2fweb.key", "../../keys/web.key", "0", "-1", "99999999999999999999"):
        assert client.get(f"/portal/tickets/{mine.number}/files/{tail}").status_code == 404, tail
    assert client.get("/portal/tickets/..%2f..%2fetc").status_code == 404


def test_a_file_that_is_too_large_or_empty_is_refused_and_nothing_is_kept(client: Client, people, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FILE", 10)
    mine = asked(people)
    enter(client, people["tenant"])
    for content, word in ((b"x" * 11, "超过"), (b"", "空")):
        form = {"text": "看附件", "file": SimpleUploadedFile("大.txt", content, "text/plain")}
        response = client.post(f"/portal/tickets/{mine.number}/say", form)
        assert response.status_code == 400
        page = response.content.decode()
        assert word in page
        assert "看附件" in page, "what was typed is not lost"
    assert not Entry.objects.filter(what__in=("file", "comment")).exists()


def test_fetching_a_file_is_a_record_that_its_owner_sees(client: Client, people):
    mine = asked(people, file=duties.File("a.txt", b"content"))
    line = mine.history.get(what="file")
    enter(client, people["b_engineer"])
    assert client.get(f"/tickets/{mine.number}/files/{line.pk}").content == b"content"
    read = Intake.objects.get(kind="ledger.read")
    assert (read.actor, read.subject) == ("b_engineer", line.artifact)
    enter(client, people["tenant"])
    page = said(client, f"/portal/tickets/{mine.number}")
    assert "查看过 1 次" in page
    assert "乙方 · 驻场工程师" in page


# --- what may be done by whom ---------------------------------------------------------------------------------------------


def test_every_form_needs_its_token(people):
    mine = asked(people)
    for who, roles in (("tenant", TENANTS), ("b_engineer", PARTIES)):
        client = Client(enforce_csrf_checks=True)
        enter(client, people[who])
        forms = [a for a in addresses(mine.number, 1, roles) if a.endswith(("/move", "/say", "/proof"))]
        forms += ["/portal/new"] if who == "tenant" else ["/tickets/new"]
        assert len(forms) >= 3
        for address in forms:
            assert (
                client.post(address, {"to": "accepted", "text": "x", "kind": "request", "title": "x"}).status_code
                == 403
            )
    assert Ticket.objects.get().state == TicketState.NEW
    assert Entry.objects.count() == 1


def test_moves_that_are_not_ones_own_are_refused_when_posted_by_hand(client: Client, people):
    superior = Organisation.objects.create(code="S", name="主管", party="S")
    people["superior"] = Account.objects.create(
        username="superior", display_name="s", role=Role.A_SUPERIOR, organisation=superior, password="x"
    )
    mine = asked(people)
    for state in TicketState.values:
        for who in ("b_engineer", "a_manager", "tenant", "superior", "auditor"):
            side = people[who].party if who not in ("superior", "auditor") else ""
            Ticket.objects.filter(pk=mine.pk).update(state=state)
            enter(client, people[who])
            base = "/portal/tickets" if who == "tenant" else "/tickets"
            foreign = [to for to in TicketState.values if side not in desk.TRANSITIONS[state].get(to, ())]
            to = "closed" if "closed" in foreign else foreign[0]
            response = client.post(f"{base}/{mine.number}/move", {"to": to, "text": "x"})
            assert response.status_code in (400, 403), (state, to, who)
            mine.refresh_from_db()
            assert mine.state == state, (state, to, who)
    assert not Entry.objects.filter(what="moved").exists()


def test_only_offered_moves_are_on_the_page_and_they_work(client: Client, people):
    mine = asked(people)
    enter(client, people["b_engineer"])
    page = client.get(f"/tickets/{mine.number}").content.decode()
    assert re.findall(r'name="to" value="(\w+)"', page) == ["accepted", "working", "rejected"]
    assert page.count("data-ack") == 1, "the key for taking it presses one button"
    assert client.post(f"/tickets/{mine.number}/move", {"to": "accepted"}).status_code == 302
    enter(client, people["auditor"])
    page = client.get(f"/tickets/{mine.number}").content.decode()
    assert 'name="to"' not in page
    assert "您的角色只能查看" in page
    assert "<textarea" not in page


def test_a_department_confirms_or_sends_back_and_says_why(client: Client, people, plan):
    mine = asked(people)
    desk.reply(mine.pk, "请填表", by=people["b_engineer"], now=NOW)
    desk.move(mine.pk, "resolved", by=people["b_engineer"], now=NOW, text="已答复")
    enter(client, people["tenant"])
    assert "1 件事等您办理" in said(client, "/portal")
    address = f"/portal/tickets/{mine.number}"
    assert client.post(f"{address}/move", {"to": "working", "text": " "}).status_code == 400
    assert client.post(f"{address}/move", {"to": "working", "text": "没有收到表"}).status_code == 302
    mine.refresh_from_db()
    assert mine.state == TicketState.WORKING
    desk.move(mine.pk, "resolved", by=people["b_engineer"], now=NOW, text="已重发")
    assert client.post(f"{address}/move", {"to": "closed"}).status_code == 302
    mine.refresh_from_db()
    assert mine.closed_at == NOW
    proof = ManualProof.objects.get()
    assert proof.confirmed is None, "what counts in the contract is the client's to confirm"
    assert "待甲方确认" in said(client, address)
    enter(client, people["a_manager"])
    form = {"proof": proof.pk, "answer": "confirm"}
    assert client.post(f"/tickets/{mine.number}/proof", form).status_code == 302
    assert desk.clocks(mine)[0].state == State.KEPT


def test_a_proof_of_another_ticket_is_not_answered_here_and_not_by_its_own_side(client: Client, people, plan):
    mine, second = asked(people), asked(people, "另一件")
    for one in (mine, second):
        desk.reply(one.pk, "答复", by=people["b_engineer"], now=NOW)
    proof = ManualProof.objects.get(occurrence=desk.clocks(second)[0])
    enter(client, people["a_manager"])
    assert client.post(f"/tickets/{mine.number}/proof", {"proof": proof.pk, "answer": "confirm"}).status_code == 404
    assert client.post(f"/tickets/{mine.number}/proof", {"row": proof.occurrence_id, "text": "x"}).status_code == 404
    assert client.post(f"/tickets/{mine.number}/proof", {"proof": "x" * 30}).status_code == 404
    enter(client, people["b_manager"])
    response = client.post(f"/tickets/{second.number}/proof", {"proof": proof.pk, "answer": "confirm"})
    assert response.status_code == 400
    proof.refresh_from_db()
    assert proof.confirmed is None


def test_a_request_is_opened_with_its_clock_and_the_same_form_twice_is_one(client: Client, people, plan):
    system = System.objects.create(code="edu-oa", name="办公系统", owner=Organisation.objects.get(code="edu"))
    enter(client, people["tenant"])
    assert "3 个工作日（合同）" in said(client, "/portal/new"), "what is promised is said before it is asked"
    form = {"kind": "request", "title": "开通端口", "body": "8443", "system": system.code, "wanted": "2026-10-12"}
    first = client.post("/portal/new", form | {"file": SimpleUploadedFile("说明.txt", b"x")})
    made = Ticket.objects.get()
    assert first["Location"] == f"/portal/tickets/{made.number}"
    assert client.post("/portal/new", form)["Location"] == first["Location"]
    assert Ticket.objects.count() == 1
    assert (made.requester, made.system, str(made.wanted_on)) == (people["tenant"].organisation, system, "2026-10-12")
    page = said(client, first["Location"])
    assert "至 10-10 24:00" in page
    assert "说明.txt" in page


def test_a_department_asks_about_nothing_of_others(client: Client, people):
    System.objects.create(code="h-1", name="卫生系统", owner=Organisation.objects.get(code="health"))
    enter(client, people["tenant"])
    assert "卫生系统" not in said(client, "/portal/new")
    response = client.post("/portal/new", {"kind": "request", "title": "x", "system": "h-1", "unit": "health"})
    assert response.status_code == 400
    assert not Ticket.objects.exists()


def test_the_desk_enters_what_came_by_telephone_from_when_it_came(client: Client, people, plan):
    enter(client, people["b_engineer"])
    form = {"kind": "request", "title": "咨询", "channel": "phone", "unit": "edu", "received": "2026-09-28T09:00"}
    assert client.post("/tickets/new", form).status_code == 302
    made = Ticket.objects.get()
    assert made.event is not None
    assert made.event.at == datetime(2026, 9, 28, 1, 0, tzinfo=UTC)
    assert (made.channel, made.requester) == ("phone", Organisation.objects.get(code="edu"))
    for wrong in (
        {"received": "2026-10-01T09:00"},
        {"received": "x"},
        {"asset": "none"},
        {"unit": "\x00"},
        {"wanted": "x"},
    ):
        assert client.post("/tickets/new", form | {"title": "另一件"} | wrong).status_code == 400, wrong
    assert Ticket.objects.count() == 1
    enter(client, people["tenant"])
    assert "咨询" in said(client, f"/portal/tickets/{made.number}"), "asked for it by telephone, it is the department's"


# --- what is shown is true ------------------------------------------------------------------------------------------------


def test_a_clock_names_its_rule_and_explains_its_days(client: Client, people, plan):
    mine = asked(people)
    ledger.sequence(NOW)
    enter(client, people["b_engineer"])
    page = said(client, f"/tickets/{mine.number}")
    assert "3 个工作日（合同）" in page
    assert "至 10-10 24:00" in page
    assert "2026-10-10 星期六 3" in page, "the make-up Saturday counts"
    assert "国庆" in page
    assert "事件当日不计入" in page
    opened = Numbered.objects.get(intake_id=mine.evidence)
    assert f"№ {opened.seq}" in page


def test_the_explanation_speaks_english_and_leaves_the_shared_calendar_chinese(client: Client, people, plan, english):
    mine = asked(people)
    enter(client, people["b_engineer"])
    client.cookies["django_language"] = "en"
    first = client.get(f"/tickets/{mine.number}").content.decode()
    assert "working day; the day of the event is not counted" in first
    client.cookies["django_language"] = "zh-hans"
    assert "工作日，事件当日不计入" in said(client, f"/tickets/{mine.number}")


def test_a_report_through_the_desk_starts_the_clock_of_who_has_to_act(client: Client, people, plan):
    """The report is itself the notice that 7.1.8 owes: it must not start a clock of who gave it."""
    mine = asked(people, "平台打不开", kind="fault")
    enter(client, people["a_manager"])
    page = said(client, f"/tickets/{mine.number}")
    assert "双方共 1 个" in page
    assert "乙方 4 小时" in page
    assert "甲方 60 分钟" not in page


def test_the_history_has_every_record_with_its_number(client: Client, people, plan):
    mine = asked(people)
    desk.reply(mine.pk, "请填表", by=people["b_engineer"], now=NOW)
    ledger.sequence(NOW)
    enter(client, people["b_engineer"])
    page = said(client, f"/tickets/{mine.number}")
    subjects = [mine.number, f"event:{mine.event_id}", *(row.key for row in desk.clocks(mine))]
    rows = Numbered.objects.filter(intake__subject__in=subjects)
    assert rows.count() == 5
    for row in rows:
        assert f"№ {row.seq} " in page


def test_the_parts_that_follow_are_what_the_page_shows(client: Client, people, plan):
    mine = asked(people)
    enter(client, people["b_engineer"])
    desk.move(mine.pk, "accepted", by=people["b_manager"], now=NOW)
    whole = said(client, f"/tickets/{mine.number}")
    parts = [client.get(f"/tickets/{mine.number}/now", {"part": part}).content.decode() for part in ("history", "side")]
    for part in parts:
        assert "<html" not in part
        assert text_of(part).split("工单 / T-")[0].strip() in whole
    assert "工单建立" in parts[0]
    assert "办结" in parts[1]
    assert 'id="t-lede" hx-swap-oob="true"' in parts[1], "the title follows the side"


def fill(people: dict[str, Account], n: int) -> None:
    event = desk.open_ticket("request", "x", by=people["tenant"], now=NOW).event
    Ticket.objects.bulk_create(
        Ticket(number=f"X-{i:05d}", kind="request", title=f"事项 {i}", opened_at=NOW - timedelta(minutes=i), state="new",
               requester=people["tenant"].organisation, event=event)
        for i in range(n)
    )  # fmt: skip


BUDGETS = tomllib.loads((Path(__file__).parent / "budgets.toml").read_text())
MEASURED = {
    "/tickets": ("lists", "tickets"),
    "/tickets/board": ("lists", "tickets-board"),
    "/portal/tickets": ("lists", "portal-tickets"),
    "/portal": ("pages", "portal"),
    "/search?q=X-0": ("pages", "search"),
    "/tickets/X-00001": ("pages", "ticket"),
}


@pytest.mark.parametrize("address", list(MEASURED))
def test_statements_do_not_grow_with_the_tables(client: Client, people, plan, address):
    group, name = MEASURED[address]
    fill(people, 20)
    enter(client, people["tenant" if "portal" in address else "b_engineer"])
    client.get(address)
    few = counted(client, address)
    Ticket.objects.exclude(number__startswith="T-").delete()
    fill(people, 600)
    assert counted(client, address) == few <= BUDGETS[group][name]


def counted(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_the_list_answers_and_its_filters_and_export_agree(client: Client, people, plan):
    late = desk.open_ticket("request", "早就该答复", by=people["tenant"], now=NOW - timedelta(days=20))
    asked(people, "=cmd|' /C calc'!A0")
    asked(people, "别的单位的申请", who="other", kind="service")
    duties.bring_up_to_date(NOW)
    enter(client, people["a_manager"])
    assert "3 张工单未关闭： 1 张超过时限， 3 张待受理" in said(client, "/tickets")
    for query, n in (
        ("overdue=1", 1),
        ("unit=health", 1),
        ("kind=request", 2),
        ("q=早就", 1),
        ("state=closed", 0),
        ("state=open", 3),
    ):
        response = client.get(f"/tickets?{query}")
        shown = response.content.decode()
        assert len(re.findall("<tr tabindex", shown)) == n, query
        rows = list(
            csv.reader(io.StringIO(b"".join(client.get(f"/tickets?{query}&format=csv").streaming_content).decode()))
        )  # type: ignore[attr-defined]
        assert len(rows) == n + 1, query
    assert "超过" in said(client, "/tickets?overdue=1")
    everything = b"".join(client.get("/tickets?format=csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "'=cmd" in everything, "a spreadsheet runs nothing"
    assert Intake.objects.filter(kind="desk.exported", actor="a_manager").count() == 7
    desk.reply(late.pk, "晚了", by=people["b_engineer"], now=NOW - timedelta(days=10))
    assert len(re.findall("<tr tabindex", client.get("/tickets?overdue=1").content.decode())) == 1, "late is late"


def test_an_answer_in_time_that_waits_for_the_other_side_is_not_told_as_late(client: Client, people, plan):
    mine = desk.open_ticket("request", "答复过", by=people["tenant"], now=NOW - timedelta(days=20))
    desk.reply(mine.pk, "请填表", by=people["b_engineer"], now=NOW - timedelta(days=19))
    enter(client, people["b_engineer"])
    page = said(client, "/tickets")
    assert "0 张超过时限" in page
    assert "待确认" in page


def test_the_board_counts_all_and_shows_the_late_first(client: Client, people, plan):
    fill(people, 30)
    late = desk.open_ticket("request", "早就该答复", by=people["tenant"], now=NOW - timedelta(days=20))
    duties.bring_up_to_date(NOW)
    enter(client, people["b_engineer"])
    page = client.get("/tickets/board").content.decode()
    assert "待受理 32" in text_of(page)
    cards = re.findall(r'data-href="/tickets/([^"]+)"', page)
    assert cards[0] == late.number
    assert len(cards) == tickets.CARDS
    assert "全部 32 张" in text_of(page)


def test_a_ticket_of_a_sweep_leads_to_its_finding(client: Client, people):
    zone = Zone.objects.create(code="ext", name="政务外网区")
    asset = Asset.objects.create(code="SW-1", name="交换机", kind="device", zone=zone)
    found = Finding.objects.create(
        asset=asset, key="fan/1#s", component="fan/1", kind="state", name="风扇 1", severity="critical", raw="failed",
        opened_at=NOW, last_seen_at=NOW,
    )  # fmt: skip
    made = desk.found(desk.Fault(asset, "fan/1", (found,)), NOW)
    enter(client, people["b_engineer"])
    page = client.get(f"/tickets/{made.number}").content.decode()
    assert "风扇 1" in text_of(page)
    assert f'href="/findings/{found.pk}"' in page
    assert 'href="/assets/SW-1"' in page


# --- search ---------------------------------------------------------------------------------------------------------------


def test_what_is_exactly_one_code_leads_straight_to_it(client: Client, people):
    mine = asked(people)
    ledger.sequence(NOW)
    Asset.objects.create(code="SW-1", name="x", kind="device", zone=Zone.objects.create(code="e", name="e"))
    enter(client, people["b_engineer"])
    for asked_for, where in (
        (mine.number, f"/tickets/{mine.number}"),
        (mine.number.lower(), f"/tickets/{mine.number}"),
        ("1", "/evidence/1"),
        ("№ 1", "/evidence/1"),
        ("sw-1", "/assets/SW-1"),
        ("7.2.12", "/contract/clauses#c7.2.12"),
    ):
        assert client.get("/search", {"q": asked_for})["Location"] == where, asked_for
    for vague in (
        "咨询",
        "SW",
        "999999",
        "%",
        "_",
        "№",
        "x" * 5000,
        "'; DROP TABLE desk_ticket; --",
        "99999999999999999999",
    ):
        assert client.get("/search", {"q": vague}).status_code == 200, vague
    assert client.get("/search", {"q": "\x00"}).status_code == 400  # no text at all (ui.middleware.Readable)


def test_two_things_of_one_code_are_both_shown(client: Client, people):
    asked(people)
    ledger.sequence(NOW)
    Asset.objects.create(code="1", name="叫一的设备", kind="device", zone=Zone.objects.create(code="e", name="e"))
    enter(client, people["b_engineer"])
    page = said(client, "/search?q=1")
    assert "叫一的设备" in page
    assert "№ 1" in page


def test_a_department_finds_its_own_tickets_and_systems_alone(client: Client, people):
    mine = asked(people, "咨询一")
    theirs = asked(people, "咨询二", who="other")
    ledger.sequence(NOW)
    edu, health = (Organisation.objects.get(code=c) for c in ("edu", "health"))
    System.objects.create(code="s-1", name="咨询平台", owner=edu)
    System.objects.create(code="s-2", name="咨询热线", owner=health)
    Asset.objects.create(
        code="咨询-1", name="x", kind="device", zone=Zone.objects.create(code="e", name="e"), owner=edu
    )
    enter(client, people["tenant"])
    page = said(client, "/search?q=咨询")
    assert "咨询一" in page
    assert "咨询平台" in page
    for absent in ("咨询二", "咨询热线", "咨询-1"):
        assert absent not in page, absent
    assert client.get("/search", {"q": mine.number})["Location"] == f"/portal/tickets/{mine.number}"
    assert client.get("/search", {"q": theirs.number}).status_code == 200
    assert "没有找到" in said(client, "/search?q=№ 1"), "evidence is not a department's to look through"


def test_an_officer_searches_no_business(client: Client, people):
    account = Account.objects.create(
        username="sys", display_name="s", role=Role.SYSADMIN, organisation=people["auditor"].organisation, password="x"
    )
    enter(client, account)
    assert client.get("/search?q=1").status_code == 403


def test_an_occurrence_is_found_by_nobody_else_than_its_own_ticket(people, plan):
    mine, second = asked(people), asked(people, "二")
    of = desk.clocks_of([mine.event_id or 0, second.event_id or 0])
    assert {len(rows) for rows in of.values()} == {1}
    assert {row.period for rows in of.values() for row in rows} == {
        f"event:{mine.event_id}",
        f"event:{second.event_id}",
    }
    assert Occurrence.objects.filter(period=f"event:{mine.event_id}").count() == 1
