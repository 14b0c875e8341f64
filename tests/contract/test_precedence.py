"""The rule is chosen by subject: each trap of the contract's order of documents, and properties of the order."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.conftest import CONTRACTS
from yunwei.contract.errors import ContractError
from yunwei.contract.folder import load
from yunwei.contract.precedence import Authority, Claim, resolve

RULES = load(CONTRACTS / "qingpu-2026").rules
OTHER = load(CONTRACTS / "yunting-2027").rules
CONTRACT = Claim("contract", 5, order=2, dated=date(2026, 2, 3), strictness=Decimal(5))
SUPPLEMENT = Claim("supplement", 8, order=1, dated=date(2026, 6, 1), strictness=Decimal(2))
BID = Claim("bid", 3, order=4, strictness=Decimal(9))


def test_the_earlier_rank_wins_whatever_is_stricter_or_newer() -> None:
    got = resolve("anything", [BID, CONTRACT, SUPPLEMENT], RULES)
    assert (got.winner, got.rule.clause) == (SUPPLEMENT, "3-tail")


def test_inside_a_rank_the_later_date_wins() -> None:
    later = Claim("minutes", 9, order=1, dated=date(2026, 7, 1))
    assert resolve("anything", [SUPPLEMENT, later], RULES).winner is later
    assert resolve("anything", [later, SUPPLEMENT], RULES).winner is later


@pytest.mark.parametrize("dated", [None, date(2026, 6, 1)])
def test_a_tie_or_an_undated_document_of_the_same_rank_stays_undecided(dated: date | None) -> None:
    rival = Claim("minutes", 9, order=1, dated=dated)
    assert resolve("anything", [SUPPLEMENT, rival], RULES).winner is None


def test_documents_that_agree_are_no_conflict() -> None:
    twin = Claim("minutes", 8, order=1)
    assert resolve("anything", [SUPPLEMENT, twin], RULES).winner is SUPPLEMENT


def test_assessment_follows_the_superior_not_the_rank() -> None:
    superior = Claim("rules-2024", 1, authority=Authority.SUPERIOR, dated=date(2024, 1, 1))
    newest = Claim("rules-2025", 2, authority=Authority.SUPERIOR, dated=date(2025, 1, 1))
    got = resolve("assessment", [SUPPLEMENT, superior, newest, CONTRACT], RULES)
    assert (got.winner, got.rule.clause) == (newest, "4.3.1")
    # the same claims on another subject: no superior there
    assert resolve("payment", [SUPPLEMENT, superior, newest, CONTRACT], RULES).winner is SUPPLEMENT


def test_without_a_superior_assessment_falls_back_to_the_rank() -> None:
    got = resolve("assessment", [CONTRACT, SUPPLEMENT], RULES)
    assert (got.winner, got.rule.clause) == (SUPPLEMENT, "3-tail")
    assert [rule.clause for rule in got.chain] == ["4.3.1", "3-tail"]


def test_confidentiality_is_the_strictest_and_cumulative() -> None:
    extra = Claim("nda", "no phones in the room", order=2)
    got = resolve("confidentiality", [SUPPLEMENT, CONTRACT, BID, extra], RULES)
    assert (got.winner, got.also, got.rule.clause) == (BID, (extra,), "8.1.2")


def test_a_gap_is_filled_by_the_strictest_standard() -> None:
    vague = Claim("requirement", "定期", order=5, clear=False)
    national = Claim("GB", 30, authority=Authority.STANDARD, strictness=Decimal(30))
    local = Claim("DB", 60, authority=Authority.STANDARD, strictness=Decimal(60))
    usual = Claim("usual", 1, authority=Authority.USUAL)
    got = resolve("standard", [vague, national, local, usual], RULES)
    assert (got.winner, got.rule.clause) == (local, "4.1.2")
    assert resolve("standard", [vague, usual], RULES).winner is usual


def test_a_clear_requirement_leaves_no_gap() -> None:
    clear = Claim("requirement", 10, order=5, strictness=Decimal(10))
    local = Claim("DB", 60, authority=Authority.STANDARD, strictness=Decimal(60))
    assert resolve("standard", [clear, local], RULES).winner is clear


def test_a_requirement_is_never_below_the_mandatory_standard() -> None:
    low = Claim("requirement", 10, order=5, strictness=Decimal(10))
    high = Claim("requirement", 90, order=5, strictness=Decimal(90))
    floor = Claim("GB mandatory", 50, authority=Authority.MANDATORY, strictness=Decimal(50))
    got = resolve("requirement", [low, floor], RULES)
    assert (got.winner, got.rule.clause) == (floor, "4.1.1")
    assert resolve("requirement", [high, floor], RULES).winner is high


def test_what_cannot_be_compared_with_the_floor_is_not_decided_silently() -> None:
    words = Claim("requirement", "well", order=5)
    floor = Claim("GB mandatory", 50, authority=Authority.MANDATORY, strictness=Decimal(50))
    assert resolve("requirement", [words, floor], RULES).winner is None


def test_another_contract_without_a_superior_rule_uses_its_own_order() -> None:
    superior = Claim("superior", 1, authority=Authority.SUPERIOR)
    assert resolve("assessment", [superior, CONTRACT, BID], OTHER).winner is CONTRACT
    assert resolve("requirement", [CONTRACT], OTHER).rule.clause == "第二条"


def test_no_claims_and_no_general_rule_are_errors() -> None:
    with pytest.raises(ContractError):
        resolve("anything", [], RULES)
    with pytest.raises(ContractError):
        resolve("anything", [CONTRACT], [r for r in RULES if r.subject != "*"])


orders = st.lists(st.integers(1, 6), min_size=1, max_size=6, unique=True)


@given(orders, st.randoms(use_true_random=False))
def test_the_outcome_does_not_depend_on_the_order_of_asking(ranks: list[int], rng: object) -> None:
    claims = [Claim(str(n), n, order=n, strictness=Decimal(n)) for n in ranks]
    shuffled = list(claims)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    for subject in ("anything", "assessment", "confidentiality", "standard", "requirement"):
        assert resolve(subject, claims, RULES).winner == resolve(subject, shuffled, RULES).winner
    assert resolve("anything", claims, RULES).winner == min(claims, key=lambda c: c.order)
    assert resolve("confidentiality", claims, RULES).winner == max(claims, key=lambda c: c.order)
