"""Scores as a pure function; law 4 over every rubric we ship and over any that the checker lets pass."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yunwei.assessment.scoring import Breach, Fault, Outcome, Remark, score
from yunwei.contract.check_rubric import law_four
from yunwei.contract.folder import load
from yunwei.contract.schema import Basis, Deadline, Rubric, RubricItem, Unit, Veto

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
SHIPPED = [folder.rubric for path in sorted(CONTRACTS.iterdir()) if (folder := load(path)).rubric is not None]
D = Decimal


def rubric(**changes: object) -> Rubric:
    items = [
        RubricItem("look", "看", "look", D(60), ["X1", "X2"], missed=D(2), unproven=D(2), late=D("0.5")),
        RubricItem("do", "做", "do", D(40), ["Y1"], missed=D(3), unproven=D(3), late=D(1)),
    ]
    vetoes = [
        Veto("forged", "伪造", "forged", "evidence_forged", cost=D(10), cap=D(59)),
        Veto("leak", "泄露", "leak", "incident", cost=D(5), cap=D(59)),
    ]
    made = Rubric(
        "r", 1, "标准", "rubric", D(100), items, reported=D(0), found=D(1), forged="forged", vetoes=vetoes,
        appeal=Deadline(3, Unit.WORKING_DAY, Basis.PLATFORM),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def outcome(n: int, state: str = "kept", obligation: str = "X1", **more: object) -> Outcome:
    return Outcome(f"{obligation}:{n}", obligation, state, **more)  # type: ignore[arg-type]


def test_each_state_takes_what_its_item_says_and_kept_takes_nothing() -> None:
    told = score(rubric(), [outcome(1), outcome(2, "late"), outcome(3, "missed"), outcome(4, "missed", "Y1")])
    assert told.score == D("94.50")
    assert told.lost == D("5.50")
    assert [(i.item, i.lost) for i in told.items] == [("look", D("2.50")), ("do", D("3.00"))]
    assert told.items[0].states == {"kept": 1, "late": 1, "missed": 1}
    assert [line.key for line in told.lines] == ["Y1:4", "X1:2", "X1:3"]


def test_an_obligation_that_no_item_judges_is_left_out() -> None:
    told = score(rubric(), [outcome(1, "missed", "Z9")])
    assert told.score == 100
    assert told.counted == 0
    assert told.lines == []


@pytest.mark.parametrize(("cause", "taken"), [("vendor", 2), ("unknown", 2), ("client", 0), ("third", 0)])
def test_what_others_are_shown_to_have_caused_costs_nothing(cause: str, taken: int) -> None:
    told = score(rubric(), [outcome(1, "unproven", cause=cause)])
    assert told.lost == taken
    assert told.lines[0].ground == ("" if taken else cause)


def test_exempt_and_unanswered_take_nothing_and_are_told() -> None:
    told = score(rubric(), [outcome(1, "exempt"), outcome(2, "missed", pending=True), outcome(3, "due", pending=True)])
    assert told.score == 100
    assert [(line.what, line.ground) for line in told.lines] == [
        ("exempt", "exempt"), ("pending", "pending"), ("pending", "pending"),
    ]  # fmt: skip


def test_a_veto_caps_the_month_and_takes_its_points() -> None:
    told = score(rubric(), [outcome(1)], breaches=[Breach("event:1", "evidence_forged", "日志被改")])
    assert told.score == 59
    assert told.lost == 10
    assert told.vetoes == ["forged"]
    low = score(rubric(), [outcome(n, "missed") for n in range(30)], breaches=[Breach("event:1", "incident", "")])
    assert low.score == 35  # 100 − 60 − 5, below the cap


def test_a_granted_appeal_takes_the_line_off_and_lifts_its_veto() -> None:
    breach = [Breach("event:1", "incident", "")]
    told = score(rubric(), [outcome(1, "missed")], breaches=breach, granted=frozenset({"event:1", "X1:1"}))
    assert told.score == 100
    assert told.vetoes == []
    assert {line.ground for line in told.lines} == {"appeal"}


def test_the_score_never_falls_below_zero_nor_a_bonus_lifts_it_over_the_full() -> None:
    assert score(rubric(), [outcome(n, "missed") for n in range(80)]).score == 0
    assert score(rubric(), [outcome(1)], remarks=[Remark("addition:1", "help", "帮忙", D(-2))]).score <= 100


def test_no_order_of_what_happened_changes_a_sheet() -> None:
    things = [outcome(1, "missed"), outcome(2, "late"), outcome(3), outcome(4, "unproven", "Y1", cause="vendor")]
    first = score(rubric(), things)
    assert all(score(rubric(), order) == first for order in permutations(things))


def test_a_sheet_survives_its_json() -> None:
    told = score(rubric(), [outcome(1, "late")], [Fault("finding:1", "client", "风扇")])
    assert msgspec.convert(msgspec.to_builtins(told), type(told), strict=False) == told


# --- law 4 ------------------------------------------------------------------------------------------------------------

CONDUCT = ("reported", "found", "not looked", "forged")


def cost(rule: Rubric, item: RubricItem, base: list[Outcome], conduct: str, shape: str) -> Decimal:
    """Points that one fault takes by what 乙方 did about it: reported it, hid it and others found it, did not look, or
    looked by forging. Everything else of the month is the same."""
    code = item.obligations[0]
    look = Outcome(f"{code}:this", code, "kept")
    faults, breaches = [], []
    if conduct == "reported":
        faults = [Fault("finding:this", "sweep", "电源")]
    elif conduct == "found":
        faults = [Fault("finding:this", "client", "电源")]
    elif conduct == "not looked":
        look = Outcome(f"{code}:this", code, shape, cause="vendor" if shape == "unproven" else "")
    else:
        event = next(veto.event for veto in rule.vetoes if veto.id == rule.forged)
        breaches = [Breach("event:this", event, "伪造")]
    return score(rule, [*base, look], faults, breaches).lost


def honest(rule: Rubric, base: list[Outcome]) -> bool:
    for item in rule.items:
        for shape in ("missed", "unproven"):
            reported, found, blind, forged = (cost(rule, item, base, conduct, shape) for conduct in CONDUCT)
            if not reported < found <= blind < forged:
                return False
    return True


STATES = st.sampled_from(["kept", "late", "missed", "unproven", "exempt", "due"])
BASE = st.lists(st.tuples(st.integers(0, 3), STATES), max_size=12)


def base_of(rule: Rubric, drawn: list[tuple[int, str]]) -> list[Outcome]:
    codes = [o for item in rule.items for o in item.obligations]
    return [
        Outcome(f"{codes[n % len(codes)]}:{i}", codes[n % len(codes)], state, cause="vendor" * (state == "unproven"))
        for i, (n, state) in enumerate(drawn)
    ]


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda r: r.id)
@settings(max_examples=60)
@given(drawn=BASE)
def test_honesty_is_the_cheapest_move_in_every_rubric_we_ship(shipped: Rubric, drawn: list[tuple[int, str]]) -> None:
    assert law_four(shipped) == []
    assert honest(shipped, base_of(shipped, drawn))


POINTS = st.integers(0, 12).map(lambda n: D(n) / 2)


@settings(max_examples=300)
@given(reported=POINTS, found=POINTS, missed=POINTS, unproven=POINTS, forged=POINTS, drawn=BASE)
def test_the_checker_finds_exactly_the_rubrics_in_which_it_is_not(
    reported: Decimal, found: Decimal, missed: Decimal, unproven: Decimal, forged: Decimal, drawn: list[tuple[int, str]]
) -> None:
    items = [RubricItem("look", "看", "look", D(100), ["X1"], missed=missed, unproven=unproven)]
    vetoes = [Veto("forged", "伪造", "forged", "evidence_forged", cost=forged, cap=D(59))]
    rule = rubric(reported=reported, found=found, items=items, vetoes=vetoes)
    late_alone = missed <= 0  # late costs nothing here: not cheaper than not at all, which is a rule of its own
    if not late_alone:
        assert (law_four(rule) == []) is honest(rule, base_of(rule, drawn))


def test_a_rubric_without_a_price_for_forging_is_named() -> None:
    assert [b.what for b in law_four(rubric(vetoes=[]))] == ["没有伪造证据的否决项"]
