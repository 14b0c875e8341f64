"""Statutory interest: only after 乙方 declared itself, to the fen, by calendar days after the due day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests.assessment.test_payments import INVOICE, agree, effective, invoice
from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account
from yunwei.assessment import interest, payments
from yunwei.contract import closings
from yunwei.duties import books, sources
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(books, "_seen", {})
    yield
    (sources.contract_dir() / closings.FILE).unlink(missing_ok=True)


def at(day: str, hour: int = 4) -> datetime:
    return datetime.fromisoformat(f"{day}T{hour:02}:00:00").replace(tzinfo=UTC)


def due(people: dict[str, Account]) -> None:
    """The first instalment is due on 2026-02-24 (ten working days, the Spring Festival between)."""
    effective(people)
    invoice(people, "1464260.00")
    duties.bring_up_to_date(INVOICE)


def told(now: datetime) -> list[interest.Interest]:
    return interest.owed(sources.folder(), payments.statement().parts, now)


def test_without_the_declaration_there_is_nothing(people: dict[str, Account]) -> None:
    due(people)
    assert interest.rule(sources.folder()) is None
    assert told(at("2026-12-01")) == []


@pytest.mark.parametrize(
    ("day", "days", "amount"),
    [
        ("2026-02-24", 0, None), ("2026-02-25", 1, "732.13"), ("2026-02-26", 2, "1464.26"), ("2026-03-06", 10, "7321.30"),
        ("2026-04-05", 40, "29285.20"),
    ],
)  # fmt: skip
def test_declared_it_runs_from_the_day_after(
    people: dict[str, Account], django_capture_on_commit_callbacks: object, day: str, days: int, amount: str | None
) -> None:
    due(people)
    agree(people, django_capture_on_commit_callbacks, "sme")
    found = told(at(day))
    if amount is None:
        assert found == []
        return
    assert [(i.due.isoformat(), i.days, i.amount, i.running) for i in found] == [("2026-02-24", days, D(amount), True)]


def test_paid_it_stops_and_an_unanswered_statement_does_not_cost_the_payer(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    due(people)
    agree(people, django_capture_on_commit_callbacks, "sme")
    row = Occurrence.objects.get(obligation="P1")
    paid = at("2026-03-02")
    proof = duties.state_proof(row.pk, statement="已付", file=FILE, by=people["a_manager"], now=paid)
    assert [(i.days, i.running) for i in told(at("2026-06-01"))] == [(6, False)]
    duties.answer_proof(proof.pk, confirm=True, by=people["b_manager"], now=at("2026-05-01"))
    assert [(i.days, i.amount) for i in told(at("2026-06-01"))] == [(6, D("4392.78"))]
    client = Client()
    client.force_login(people["a_manager"])
    page = client.get("/payment").content.decode()
    assert "4,392.78" in page
    assert "保障中小企业款项支付条例" in page


def test_an_invoice_of_another_amount_bears_no_interest(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    effective(people)
    invoice(people, "1464260.01")
    duties.bring_up_to_date(INVOICE)
    agree(people, django_capture_on_commit_callbacks, "sme")
    assert told(at("2026-12-01")) == []


money = st.integers(min_value=1, max_value=10**12).map(lambda n: Decimal(n) / 100)


@given(principal=money, days=st.integers(min_value=-10, max_value=4000))
def test_it_is_exact_to_the_fen_half_up_and_never_negative(principal: Decimal, days: int) -> None:
    cents = principal * 100 * 5 * max(days, 0) / 10000
    assert interest.simple(principal, D("0.05"), days) * 100 == cents.quantize(D(1), rounding=ROUND_HALF_UP)


@given(principal=money, days=st.integers(min_value=0, max_value=4000))
def test_a_day_more_never_costs_less(principal: Decimal, days: int) -> None:
    assert interest.simple(principal, D("0.05"), days) <= interest.simple(principal, D("0.05"), days + 1)
