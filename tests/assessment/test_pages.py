"""The pages of the worth: what each side sees and may do there; page and command tell the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from typer.testing import CliRunner

from tests.ui import contract_scene
from yunwei.accounts.models import Account
from yunwei.assessment import sheets, surprise
from yunwei.assessment.models import Addition, Appeal, Sheet, Surprise
from yunwei.assets.models import Asset
from yunwei.cli.main import app
from yunwei.gm import sm3
from yunwei.kernel.clock import ManualClock
from yunwei.server import instance

pytestmark = pytest.mark.django_db
APRIL = "2026-04"
MAY = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
AFTER = datetime(2026, 5, 9, 2, 0, tzinfo=UTC)


@pytest.fixture
def month(people: dict[str, Account], monkeypatch: pytest.MonkeyPatch) -> dict[str, Account]:
    contract_scene.play(people)
    at(monkeypatch, MAY)
    return people


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    for module in ("sheets", "surprises", "money"):
        monkeypatch.setattr(f"yunwei.assessment.web.{module}.now_of_instance", lambda: moment)


def client_of(account: Account) -> Client:
    client = Client()
    client.force_login(account)
    return client


def upload() -> SimpleUploadedFile:
    return SimpleUploadedFile("证明.pdf", b"%PDF-1.7")


def test_the_list_of_months_says_that_the_rubric_is_nobody_s_yet(month: dict[str, Account]) -> None:
    page = client_of(month["auditor"]).get("/assessment").content.decode()
    assert "只供参考，不影响价款" in page
    assert "/assessment/2026-04" in page
    assert "无计分的履行" in page  # January


def test_a_month_is_played_through_on_its_page(month: dict[str, Account], monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = client_of(month["a_manager"]), client_of(month["b_manager"])
    url = f"/assessment/{APRIL}"
    assert "评分：固定这张表" in a.get(url).content.decode()
    assert "评分：固定这张表" not in b.get(url).content.decode()
    assert b.post(url, {"act": "score"}).status_code == 400
    assert a.post(url, {"act": "score"}).status_code == 302
    line = next(one["key"] for one in Sheet.objects.get().body["lines"] if one["what"] == "missed")
    form = {"act": "appeal", "line": line, "statement": "已做"}
    assert b.post(url, form).status_code == 400  # without a file
    assert b.post(url, form | {"file": upload()}).status_code == 302
    appeal = Appeal.objects.get()
    assert b.post(url, {"act": "grant", "id": appeal.pk, "reason": "x"}).status_code == 400
    assert a.post("/assessment/2026-05", {"act": "grant", "id": appeal.pk, "reason": "x"}).status_code == 400
    assert a.post(url, {"act": "grant", "id": appeal.pk, "reason": "属实"}).status_code == 302
    added = {"act": "add", "heading": "help", "points": "-1", "text": "协助", "file": upload()}
    assert a.post(url, added).status_code == 302
    assert Addition.objects.count() == 1
    assert a.post(url, {"act": "add", "heading": "help", "points": "abc", "text": "x"}).status_code == 400
    at(monkeypatch, AFTER)
    assert a.post(url, {"act": "freeze"}).status_code == 302
    assert "申诉成立" in b.get(url).content.decode()
    assert b.post(url, {"act": "unsign", "text": ""}).status_code == 400
    assert b.post(url, {"act": "sign"}).status_code == 302
    assert "乙方签认" in a.get(url).content.decode()
    assert a.post(url, {"act": "nothing"}).status_code == 400
    assert a.get("/assessment/2025-01").status_code == 404
    assert a.get("/assessment/abc").status_code == 404


def test_page_and_command_tell_the_same(month: dict[str, Account], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "setup", lambda _folder=None: None)
    monkeypatch.setattr(instance, "clock", lambda: ManualClock(MAY))
    told = json.loads(CliRunner().invoke(app, ["assess", APRIL, "--json"]).stdout)
    page = client_of(month["a_manager"]).get(f"/assessment/{APRIL}").content.decode()
    assert told["sheet"]["score"] in page
    lines = [one["key"] for one in told["sheet"]["lines"]]
    assert lines
    assert all(f'id="{key}"' in page for key in lines)
    shown = CliRunner().invoke(app, ["assess", APRIL, "--explain"], env={"COLUMNS": "200"}).stdout
    assert all(key in shown for key in lines)
    assert json.loads(CliRunner().invoke(app, ["assess", "--json"]).stdout)[3]["month"] == APRIL


def test_a_surprise_is_committed_and_revealed_by_the_client_alone(
    month: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = client_of(month["a_manager"]), client_of(month["b_manager"])
    asset = Asset.objects.order_by("pk")[0]
    done = datetime(2026, 5, 2, 2, 0, tzinfo=UTC)
    text = surprise.words(asset.code, "", done, "拔电源", "0" * 32)
    digest = sm3.hexdigest(text.encode())
    assert b.post("/surprises", {"act": "commit", "commitment": digest}).status_code == 400
    assert a.post("/surprises", {"act": "commit", "commitment": digest}).status_code == 302
    row = Surprise.objects.get()
    assert asset.code not in b.get("/surprises").content.decode()
    at(monkeypatch, AFTER)
    sent = text.replace("\n", "\r\n")  # as a browser sends a text field
    assert b.post("/surprises", {"act": "reveal", "id": row.pk, "text": sent}).status_code == 400
    assert a.post("/surprises", {"act": "reveal", "id": row.pk, "text": sent}).status_code == 302
    page = b.get("/surprises").content.decode()
    assert asset.code in page
    assert "漏过 <b" in page
    assert sheets.computed("2026-05").lines[0].what == "found"


def test_a_department_sees_nothing_of_it(month: dict[str, Account]) -> None:
    tenant = client_of(month["tenant"])
    for url in ("/assessment", f"/assessment/{APRIL}", "/payment", "/surprises", "/open-items/sme"):
        assert tenant.get(url).status_code == 403
