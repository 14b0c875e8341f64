"""Money: fen, half up, and capitals both ways."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yunwei.kernel.money import (
    MoneyError,
    capitals,
    format_figures,
    parse_capitals,
    parse_figures,
    share_of,
    yuan,
)

CAPITALS = {
    "2091800.00": "贰佰零玖万壹仟捌佰元整",
    "1464260.00": "壹佰肆拾陆万肆仟贰佰陆拾元整",
    "627540.00": "陆拾贰万柒仟伍佰肆拾元整",
    "0": "零元整",
    "0.05": "伍分",
    "0.50": "伍角整",
    "0.56": "伍角陆分",
    "10.05": "壹拾元零伍分",
    "10.50": "壹拾元伍角整",
    "1005.00": "壹仟零伍元整",
    "10000": "壹万元整",
    "100500": "壹拾万零伍佰元整",
    "1000001": "壹佰万零壹元整",
    "100000000": "壹亿元整",
    "100000010": "壹亿零壹拾元整",
    "1000010000": "壹拾亿零壹万元整",
    "107000.53": "壹拾万零柒仟元伍角叁分",
    "16409.02": "壹万陆仟肆佰零玖元零贰分",
    "325.04": "叁佰贰拾伍元零肆分",
}


@pytest.mark.parametrize(("amount", "text"), CAPITALS.items())
def test_capitals_both_ways(amount: str, text: str) -> None:
    assert capitals(Decimal(amount)) == text
    assert parse_capitals(text) == Decimal(amount)


def test_the_contract_shares() -> None:
    total = Decimal("2091800.00")
    assert share_of(total, 70) == Decimal("1464260.00")
    assert share_of(total, 30) == Decimal("627540.00")
    assert share_of(total, 10) == Decimal("209180.00")
    assert share_of(Decimal("0.15"), 50) == Decimal("0.08")  # half up, not half even
    assert share_of(Decimal("0.25"), 10) == Decimal("0.03")


def test_what_templates_print_is_read_and_can_be_printed() -> None:
    for text in (
        "人民币贰佰零玖万壹仟捌佰圆整",
        "贰佰零玖万壹仟捌佰元正",
        "贰佰零玖万 壹仟捌佰圆",
        "贰佰零玖万壹仟捌佰圆整正",
    ):
        assert parse_capitals(text) == Decimal(2091800)
    assert capitals(Decimal(2091800), unit="圆", whole="正") == "贰佰零玖万壹仟捌佰圆正"
    assert parse_capitals("壹拾元零伍角整") == parse_capitals("壹拾元伍角整") == Decimal("10.50")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "元整",
        "贰佰玖万元整",
        "贰佰零零玖万元整",
        "佰元整",
        "壹佰",
        "一百元整",
        "壹万万元整",
        "壹元壹元整",
        "十元",
        "壹拾元陆分",
        "负壹元整",
    ],
)
def test_miswritten_capitals_are_refused(text: str) -> None:
    if text == "壹拾元陆分":  # 支付结算办法 wants 元零陆分; without it the reading is still the only one
        assert parse_capitals(text) == Decimal("10.06")
        return
    with pytest.raises(MoneyError):
        parse_capitals(text)


@given(st.integers(0, 10**14 - 1))
def test_capitals_read_back(fen: int) -> None:
    amount = Decimal(fen) / 100
    text = capitals(amount)
    assert parse_capitals(text) == amount
    assert "零零" not in text
    assert not text.startswith("零") or fen == 0


@given(st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, places=6))
def test_rounding_is_half_up_and_close(value: Decimal) -> None:
    rounded = yuan(value)
    assert abs(rounded - value) <= Decimal("0.005")
    assert rounded == -yuan(-value)
    assert parse_figures(format_figures(rounded)) == rounded


def test_figures() -> None:
    assert (
        parse_figures("¥2,091,800.00元")
        == parse_figures("2091800")
        == parse_figures("2，091，800.0 圆")
        == Decimal(2091800)
    )
    assert format_figures(Decimal(2091800)) == "2,091,800.00"
    for bad in ("", "2,09,1800", "1.001", "12a", "1,2345", "--5"):
        with pytest.raises(MoneyError):
            parse_figures(bad)


@pytest.mark.parametrize("bad", [1.1, True, "x", "NaN", "Infinity"])
def test_not_money(bad: object) -> None:
    with pytest.raises(MoneyError):
        yuan(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", ["-0.01", "1000000000000"])
def test_amounts_without_capitals(amount: str) -> None:
    with pytest.raises(MoneyError):
        capitals(Decimal(amount))
