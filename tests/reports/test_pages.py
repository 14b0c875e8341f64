"""The console's pages of reports: who may, what they say, what a download leaves behind."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.reports.conftest import World
from tests.reports.month import NOW
from yunwei.accounts.models import Account
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact, Intake
from yunwei.reports import outline, services
from yunwei.reports.blocks import Table, walk
from yunwei.reports.models import Opening, Report
from yunwei.reports.period import Kind
from yunwei.reports.web import reports as web

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def report(month: World, django_db_blocker: Any) -> Any:
    with django_db_blocker.unblock():
        before = transaction.savepoint()
        made = services.build(Kind.DAILY, "2026-11-03", now=NOW, actor=month.people["b_manager"])
        ledger.sequence(NOW)
        yield made
        transaction.savepoint_rollback(before)


@pytest.fixture(autouse=True)
def at_the_month(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "now_of_instance", lambda: NOW)


def client(account: Account, **more: Any) -> Client:
    made = Client(**more)
    made.force_login(account, backend=settings.AUTHENTICATION_BACKENDS[0])
    return made


PAGE = "/reports/daily/2026-11-03/1"


@pytest.mark.parametrize(
    ("name", "sees", "makes"),
    [("a_manager", True, True), ("b_engineer", True, True), ("auditor", True, False), ("tenant", False, False)],
)
def test_readers_read_and_only_the_parties_make(
    month: World, report: Report, name: str, sees: bool, makes: bool
) -> None:
    who = client(month.people[name])
    for address in ("/reports", PAGE):
        assert who.get(address).status_code == (200 if sees else 403)
    if sees:
        assert (b'action="/reports/build"' in who.get("/reports").content) == makes
    assert who.post(f"{PAGE}/copy", {"form": "docx"}).status_code == (200 if sees else 403)
    assert who.post("/reports/build", {"period": "daily/nonsense"}).status_code == (400 if makes else 403)
    assert Client().get(PAGE).status_code == 302


def test_the_page_shows_the_figures_of_the_document_and_links_every_number(month: World, report: Report) -> None:
    told = services.data_of(report)
    document = outline.document(told["data"], edition=1, index=False)
    html = client(month.people["a_manager"]).get(PAGE).content.decode()
    text = re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", html))
    assert document.answer in html
    for _level, section in walk(document.sections):
        assert re.sub(r"\s+", "", section.number + section.title) in text
        for block in section.blocks:
            if isinstance(block, Table):
                for row in block.rows:
                    assert re.sub(r"\s+", "", "".join(c.text for c in row)) in text
    numbers = {n for o in told["data"]["duties"]["obligations"] for group in o["numbers"].values() for n in group if n}
    assert numbers
    linked = set(map(int, re.findall(r'href="/evidence/(\d+)"', html)))
    assert {min(numbers), *(r["number"] for r in told["data"]["sweeps"]["rows"])} <= linked
    assert report.evidence is not None
    assert ledger.number_of(report.evidence) in linked


def test_a_download_is_a_file_that_no_browser_runs_and_leaves_a_record(month: World, report: Report) -> None:
    who = client(month.people["a_manager"])
    for form, kind, magic in (("pdf", "application/pdf", b"%PDF"), ("docx", services.TYPES["docx"], b"PK")):
        answer = who.post(f"{PAGE}/copy", {"form": form})
        assert answer.content.startswith(magic)
        assert answer["Content-Type"] == kind
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["Cache-Control"] == "no-store"
    assert [o.form for o in Opening.objects.filter(report=report)] == ["pdf", "docx"]
    assert Intake.objects.filter(kind="reports.opened", actor="a_manager").count() == 2
    html = who.get(PAGE).content.decode()
    assert html.count("上海市青浦区政务服务中心") >= 2
    assert "还没有人下载" not in html


def test_a_link_cannot_make_it_look_as_if_somebody_had_received_a_report(month: World, report: Report) -> None:
    who = client(month.people["a_manager"], enforce_csrf_checks=True)
    assert who.get(f"{PAGE}/copy", {"form": "pdf"}).status_code == 405
    assert who.post(f"{PAGE}/copy", {"form": "pdf"}).status_code == 403
    assert not Opening.objects.exists()


@pytest.mark.parametrize(
    "address",
    [
        "/reports/daily/2026-11-03/9",
        "/reports/yearly/2026/1",
        "/reports/daily/..%2f..%2fetc/1",
        "/reports/daily/2026-11-04/1",
    ],
)
def test_what_is_not_there_is_not_found(month: World, report: Report, address: str) -> None:
    assert client(month.people["a_manager"]).get(address).status_code == 404


@pytest.mark.parametrize("form", ["", "data", "exe", "../pdf"])
def test_no_other_file_can_be_taken(month: World, report: Report, form: str) -> None:
    assert client(month.people["a_manager"]).post(f"{PAGE}/copy", {"form": form}).status_code == 404


def test_the_form_makes_the_next_edition_and_leads_to_it(month: World, report: Report) -> None:
    who = client(month.people["a_manager"])
    answer = who.post("/reports/build", {"period": "daily/2026-11-03"})
    assert (answer.status_code, answer["Location"]) == (302, "/reports/daily/2026-11-03/2")
    assert Report.objects.get(edition=2).built_by == month.people["a_manager"]
    assert "/reports/daily/2026-11-03/2" in who.get(PAGE).content.decode()  # the older one points to the newer


def test_what_the_form_offers_can_be_made_and_the_running_period_says_so(month: World) -> None:
    for _title, choices in web._offer(NOW):
        assert choices[0][1].endswith("（本期未满）")
        assert not any(word.endswith("（本期未满）") for _value, word in choices[1:])
    with pytest.raises(services.ReportError):
        services.build("daily", "2026-12-02", now=NOW, actor=None)


@pytest.mark.usefixtures("files_back")
def test_a_file_removed_by_law_is_told_and_not_given(month: World, report: Report) -> None:
    with transaction.atomic():
        ledger.redact(Artifact.objects.get(commitment=report.pdf), "依法删除", at=NOW, actor="a_manager")
    ledger.finish_redactions()
    who = client(month.people["a_manager"])
    answer = who.post(f"{PAGE}/copy", {"form": "pdf"})
    assert answer.status_code == 410
    assert "已依法删除，只留存根" in answer.content.decode()
    assert not Opening.objects.exists()
    with transaction.atomic():
        ledger.redact(Artifact.objects.get(commitment=report.data), "依法删除", at=NOW, actor="a_manager")
    ledger.finish_redactions()
    page = who.get(PAGE)
    assert page.status_code == 200
    assert "的数据读不到" in page.content.decode()


def test_hostile_names_are_text_on_the_page(month: World, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    told = services.data_of(report)
    evil = '<script>alert(1)</script>"><svg onload=x>№ 7 {{7*7}}'
    for row in told["data"]["findings"]["rows"]:
        row["asset_name"] = row["name"] = evil
    assert told["data"]["findings"]["rows"]
    monkeypatch.setattr(services, "data_of", lambda _report: told)
    html = client(month.people["a_manager"]).get(PAGE).content.decode()
    assert "<script>alert" not in html
    assert "<svg onload" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_list_costs_the_same_however_many_there_are(month: World, report: Report) -> None:
    who = client(month.people["a_manager"])
    who.get("/reports")
    with CaptureQueriesContext(
        connection,
    ) as few:
        who.get("/reports")
    Report.objects.bulk_create(
        Report(
            kind="weekly", key=f"2025-W{i:02}", edition=1, first=report.first, last=report.last, as_of=NOW, whole=True,
            built_at=NOW, data="x", pdf="y", docx="z", fonts={}, typst="",
        )
        for i in range(1, 40)
    )  # fmt: skip
    with CaptureQueriesContext(connection) as many:
        answer = who.get("/reports")
    assert answer.content.decode().count('data-href="/reports/weekly/') == 39
    assert len(many) == len(few) <= 12


def test_a_long_table_is_cut_on_the_page_and_says_so(
    month: World, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MOST", 3)
    document = outline.document(services.data_of(report)["data"], edition=1, index=False)
    tables = [b for _l, s in walk(document.sections) for b in s.blocks if isinstance(b, Table)]
    long = [t for t in tables if len(t.rows) - t.totals > 3]
    assert long
    html = client(month.people["a_manager"]).get(PAGE).content.decode()
    for table in long:
        assert f"另有 {len(table.rows) - table.totals - 3} 行，见 PDF 或 DOCX。" in html
    assert html.count("行，见 PDF 或 DOCX。") == len(long)
    assert html.count('<th scope="row">合计') == sum(1 for t in tables if t.totals)


def test_a_page_weighs_little(month: World, report: Report) -> None:
    assert len(client(month.people["a_manager"]).get(PAGE).content) < 100_000
