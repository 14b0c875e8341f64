"""Page, command and API tell one account; the command closes an open item between the two parties; lists go by pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from typer.testing import CliRunner

from tests.assessment.test_payments import agree_all, freeze_all, pay_first
from tests.ui.contract_scene import FILE
from yunwei.accounts import tokens
from yunwei.accounts.models import Account
from yunwei.assessment import claims
from yunwei.cli import common
from yunwei.cli.main import app
from yunwei.contract import closings, openitems
from yunwei.contract.models import Closing
from yunwei.duties import books, sources
from yunwei.kernel.clock import ManualClock
from yunwei.server import instance

pytestmark = pytest.mark.django_db
D = Decimal
NOW = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(books, "_seen", {})
    monkeypatch.setattr(instance, "setup", lambda _folder=None: None)
    monkeypatch.setattr(instance, "clock", lambda: ManualClock(NOW))
    yield
    (sources.contract_dir() / closings.FILE).unlink(missing_ok=True)


def api(people: dict[str, Account], path: str, who: str = "a_manager") -> Any:
    _row, secret = tokens.make(people[who], "x", ["read"], 1, now=datetime.now(UTC))
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {secret}"})


def test_all_three_tell_the_same_and_nothing_that_nobody_agreed_to(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    pay_first(people)
    told = json.loads(CliRunner().invoke(app, ["payment", "--json"]).stdout)
    assert (told["price"], told["balance"], told["paid"]) == (None, None, "1464260.00")
    assert [m["item"] for m in told["missing"] if m["item"]] == ["period-dates", "requirement", "price-formula"]
    shown = CliRunner().invoke(app, ["payment", "--explain"], env={"COLUMNS": "200"}).stdout
    assert "待双方确认" in shown
    assert "收到首期等额发票" in shown
    agree_all(people, django_capture_on_commit_callbacks)
    freeze_all(people, "88")
    told = json.loads(CliRunner().invoke(app, ["payment", "--json"]).stdout)
    assert (told["price"], told["balance"]) == ("1840784.00", "376524.00")
    client = Client()
    client.force_login(people["a_manager"])
    page = client.get("/payment").content.decode()
    over = api(people, "payment").json()
    for key, figure in (("price", "1,840,784.00"), ("balance", "376,524.00")):
        assert D(str(over[key])) == D(told[key])
        assert figure in page


def test_lists_go_by_pages_and_a_department_gets_nothing(people: dict[str, Account]) -> None:
    for n in range(3):
        claims.claim("amount", "7.1.11", statement="x", file=FILE, by=people["b_manager"], now=NOW, amount=D(n + 1))
    first = api(people, "claims?limit=2").json()
    assert [D(str(c["amount"])) for c in first["items"]] == [D(3), D(2)]
    rest = api(people, f"claims?limit=2&after={first['next']}").json()
    assert ([D(str(c["amount"])) for c in rest["items"]], rest["next"]) == ([D(1)], None)
    assert api(people, "sheets/2026-04").json()["state"] == "trial"
    assert api(people, "sheets/1999-01").status_code == 404
    for path in ("sheets", "surprises", "closings", "claims"):
        assert api(people, path).status_code == 200
        assert api(people, f"{path}?nothing=1").status_code == 422
        assert api(people, path, "tenant").status_code == 403
    assert api(people, "payment", "tenant").status_code == 403


def test_an_open_item_is_closed_from_the_command_line_by_both(
    people: dict[str, Account], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(common, "sign_in", lambda name: people[name])
    paper = tmp_path / "声明.pdf"
    paper.write_bytes(b"%PDF")
    given = ["--title", "中小企业声明函", "--rank", "3.4", "--date", "2026-04-30", "--json"]
    made = CliRunner().invoke(app, ["contract", "close", "propose", "sme", str(paper), "--by", "b_manager", *given])
    number = str(json.loads(made.stdout)["closing"])
    own = CliRunner().invoke(app, ["contract", "close", "confirm", number, "--by", "b_manager"])
    assert own.exit_code != 0
    assert Closing.objects.get().confirmed is None
    with django_capture_on_commit_callbacks(execute=True):
        done = CliRunner().invoke(app, ["contract", "close", "confirm", number, "--by", "a_manager", "--json"])
    assert json.loads(done.stdout)["confirmed"] is True
    assert openitems.blocked(sources.folder(), "payment.late_interest") is None
    rows = json.loads(CliRunner().invoke(app, ["contract", "close", "list", "--json"]).stdout)
    assert [(r["open"], r["closing"]) for r in rows if r["item"] == "sme"] == [(False, int(number))]


def test_a_refusal_needs_its_reason(
    people: dict[str, Account], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(common, "sign_in", lambda name: people[name])
    paper = tmp_path / "x.pdf"
    paper.write_bytes(b"%PDF")
    given = ["--title", "x", "--rank", "3.1", "--date", "2026-04-30"]
    run = CliRunner()
    assert (
        run.invoke(app, ["contract", "close", "propose", "sme", str(paper), "--by", "a_manager", *given]).exit_code == 0
    )
    number = str(Closing.objects.get().pk)
    refuse = ["contract", "close", "refuse", number, "--by", "b_manager", "--reason"]
    assert run.invoke(app, [*refuse, " "]).exit_code != 0
    assert run.invoke(app, [*refuse, "不是我方声明"]).exit_code == 0
    assert Closing.objects.get().confirmed is False
    bad = ["contract", "close", "propose", "sme", str(paper), "--by", "a_manager", "--title", "x", "--rank", "3.1"]
    assert run.invoke(app, [*bad, "--date", "明天"]).exit_code != 0
