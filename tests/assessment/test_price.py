"""From score to price to balance: two public curves as golden cases (notes: standards §8), and money to the fen."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunwei.assessment.price import balance, final_price, mean, step_of
from yunwei.contract.schema import PriceStep

D = Decimal
TOTAL, FIRST = D("2091800.00"), D("1464260.00")
#: 重庆联通 2024–27: from 95 the whole fee, below the score in per cent
UNICOM = [PriceStep(D(95), per_cent=D(100)), PriceStep(D(0), over=D(100))]
#: 郁南 PPP: E = 1 from 90, else W / 90
YUNAN = [PriceStep(D(90), per_cent=D(100)), PriceStep(D(0), over=D(90))]


@pytest.mark.parametrize(
    ("table", "score", "price", "left"),
    [
        (UNICOM, "95", "2091800.00", "627540.00"),
        (UNICOM, "88", "1840784.00", "376524.00"),
        (UNICOM, "70", "1464260.00", "0.00"),
        (UNICOM, "65", "1359670.00", "-104590.00"),
        (YUNAN, "88", "2045315.56", "581055.56"),
    ],
)
def test_the_public_curves(table: list[PriceStep], score: str, price: str, left: str) -> None:
    got = final_price(TOTAL, D(score), table)
    assert got == D(price)
    assert balance(got, [FIRST]) == D(left)


def test_a_score_on_the_step_is_in_it_and_just_below_is_not() -> None:
    assert step_of(D("95.00"), UNICOM).per_cent == 100
    assert step_of(D("94.99"), UNICOM).per_cent is None


def test_a_table_that_does_not_reach_down_is_refused() -> None:
    with pytest.raises(ValueError, match="no step"):
        step_of(D(50), [PriceStep(D(60), per_cent=D(100))])


def test_no_price_is_above_the_contract_nor_below_nothing() -> None:
    assert final_price(TOTAL, D(100), [PriceStep(D(0), over=D(50))]) == TOTAL
    assert final_price(TOTAL, D(0), UNICOM) == D("0.00")


def test_set_offs_are_taken_off_the_balance() -> None:
    assert balance(TOTAL, [FIRST], [D("10000.00"), D("0.01")]) == D("617539.99")


MONEY = st.integers(0, 10**12).map(lambda n: D(n) / 100)


@settings(max_examples=200)
@given(total=MONEY, score=st.integers(0, 10000).map(lambda n: D(n) / 100), paid=st.lists(MONEY, max_size=4))
def test_money_adds_up_to_the_fen(total: Decimal, score: Decimal, paid: list[Decimal]) -> None:
    price = final_price(total, score, UNICOM)
    assert price == price.quantize(D("0.01"))
    assert 0 <= price <= total
    assert balance(price, paid) + sum(paid, D(0)) == price


@settings(max_examples=200)
@given(low=st.integers(0, 10000), high=st.integers(0, 10000))
def test_a_better_score_never_costs_money(low: int, high: int) -> None:
    low, high = sorted((low, high))
    for table in (UNICOM, YUNAN):
        assert final_price(TOTAL, D(low) / 100, table) <= final_price(TOTAL, D(high) / 100, table)


def test_a_partial_month_weighs_by_its_days() -> None:
    assert mean([(D(100), 3), (D(70), 30), (D(80), 27)]) == D("76.00")
    with pytest.raises(ValueError, match="no days"):
        mean([])
