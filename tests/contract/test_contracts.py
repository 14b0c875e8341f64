"""Both contract folders as data: they pass the check, and the traps of the first are where they belong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.contract.conftest import CONTRACTS
from yunwei.contract import openitems, period
from yunwei.contract.check import check
from yunwei.contract.errors import ContractError
from yunwei.contract.folder import load
from yunwei.contract.schema import Basis, Folder, Kind, Owes, PeriodReading
from yunwei.kernel import money

SRC = Path(__file__).resolve().parents[2] / "src" / "yunwei"
NAMES = ["qingpu-2026", "yunting-2027"]
FIRST = load(CONTRACTS / "qingpu-2026")


@pytest.fixture(params=NAMES)
def contract(request: pytest.FixtureRequest) -> Folder:
    return load(CONTRACTS / request.param)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_contract_is_sound(name: str) -> None:
    assert check(CONTRACTS / name, known_procedures={"hardware.inspect", "hardware.deep"}) == []


def test_everything_survives_json(contract: Folder) -> None:
    assert msgspec.json.decode(msgspec.json.encode(contract), type=Folder) == contract


def test_both_sides_owe(contract: Folder) -> None:
    assert {o.owes for o in contract.obligations} >= {Owes.A, Owes.B, Owes.BOTH}


def test_every_contract_number_is_owed_and_stands_in_a_clause(contract: Folder) -> None:
    figures = {(c.id, int(f.n), f.unit) for c in contract.clauses for f in c.figures}
    owed = [o for o in contract.obligations if o.deadline and o.deadline.basis is Basis.CONTRACT]
    assert owed
    for o in owed:
        assert o.deadline is not None
        assert any((c, o.deadline.n, o.deadline.unit) in figures for c in o.clauses)


# --- the first contract -------------------------------------------------------------------------------------------


def test_98_clauses_with_stable_ids() -> None:
    ids = [c.id for c in FIRST.clauses]
    assert len(ids) == 98
    assert {"PRE", "2.1-S", "2.1-R3", "3-tail", "5.2.1a", "6", "9.1¶2", "10-lead", "12¶1", "13¶2", "SIG"} <= set(ids)
    assert not {"4.1", "5.2", "7.1", "8.2", "10月15日"} & set(ids)


def test_deadlines_with_a_number_exist_only_where_the_text_has_one() -> None:
    timed = {"working_day", "calendar_day", "hour", "minute"}
    found = {c.id: [(int(f.n), f.unit) for f in c.figures if f.unit in timed] for c in FIRST.clauses}
    assert {k: v for k, v in found.items() if v} == {
        "2.1-R3": [(3, "working_day")], "5.2.1a": [(10, "working_day")], "5.2.1b": [(10, "working_day")],
        "7.1.10": [(15, "working_day")], "7.2.16": [(0, "calendar_day"), (10, "working_day")],
        "11.3": [(15, "calendar_day")],
    }  # fmt: skip


def test_the_same_words_stay_different_things() -> None:
    by_id = {o.id: o for o in FIRST.obligations}
    units = {k: (by_id[k].deadline.n, by_id[k].deadline.unit) for k in ("R3", "P1", "A4", "F2", "G13")}  # type: ignore[union-attr]
    assert units == {
        "R3": (3, "working_day"), "P1": (10, "working_day"), "A4": (15, "working_day"),
        "F2": (15, "calendar_day"), "G13": (10, "working_day"),
    }  # fmt: skip
    assert by_id["G12"].deadline is not None
    assert by_id["G12"].deadline.n == 0  # the report is due when the year ends; only the handover has ten days


def test_thirty_per_cent_twice_is_not_one_thing() -> None:
    balance = FIRST.contract.instalments[1]
    damages = next(f for c in FIRST.clauses if c.id == "9.3" for f in c.figures)
    assert money.share_of(FIRST.contract.price.amount, damages.n) == balance.amount == Decimal("627540.00")
    assert balance.clause == "5.2.1b"
    assert "9.3" not in {c for o in FIRST.obligations if o.kind is Kind.PAY for c in o.clauses}


def test_amounts() -> None:
    first, balance = FIRST.contract.instalments
    assert (first.amount, balance.amount) == (Decimal("1464260.00"), Decimal("627540.00"))
    assert first.capitals == money.capitals(first.amount) == "壹佰肆拾陆万肆仟贰佰陆拾元整"
    assert balance.capitals == money.capitals(balance.amount)


def test_each_invoice_starts_only_its_own_clock() -> None:
    first, balance = FIRST.contract.instalments
    assert not set(first.anchors) & set(balance.anchors)
    carried = {e.instalment: e.id for e in FIRST.event_details if e.instalment}
    assert carried["first"] in first.anchors
    assert carried["balance"] in balance.anchors


def test_one_request_starts_only_the_work_it_asks_for() -> None:
    started: dict[str, list[str]] = {}
    for o in FIRST.obligations:
        if o.trigger and o.owes is Owes.B and o.clauses[0] == "2.1-S":
            started.setdefault(o.trigger, []).append(o.id)
    # a cryptography ticket is accepted and then opened; everything else is one piece of work
    assert {k: v for k, v in started.items() if len(v) > 1} == {"crypto_request_received": ["S4.1", "S4.2"]}


def test_the_duplicate_clause_makes_one_obligation() -> None:
    one = [o.id for o in FIRST.obligations if "7.2.20" in o.clauses or "9.1¶2" in o.clauses]
    assert one == ["G17"]


def test_written_form_is_required_only_where_the_text_says_so() -> None:
    by_clause = {c: o for o in FIRST.obligations if o.kind is Kind.CONSENT for c in o.clauses}
    assert by_clause["13¶2"].written
    assert not by_clause["7.2.13"].written


def test_the_assessment_of_cryptography_is_supported_not_done() -> None:
    support = next(o for o in FIRST.obligations if o.id == "S4.8")
    assert support.kind is Kind.DELIVER
    assert openitems.blocked(FIRST, "crypto_assessment.commission")


def test_no_cadence_of_2_1_claims_to_be_the_contract_s() -> None:
    assert all(o.cadence is None for o in FIRST.obligations)
    assert all(line.cadence is None or line.cadence.basis is Basis.PLAN for line in FIRST.plan.lines)


def test_hardware_is_inspected_daily_and_deeply_each_week() -> None:
    lines = {line.obligation: line for line in FIRST.plan.lines}
    every = {k: lines[k].cadence.every for k in ("S1.1-remote", "S1.1-deep", "S1.1-walk", "S1.1-quarter")}  # type: ignore[union-attr]
    assert every == {"S1.1-remote": "day", "S1.1-deep": "week", "S1.1-walk": "week", "S1.1-quarter": "quarter"}
    served = {o.id: o.procedure for o in FIRST.obligations if o.procedure}
    assert served == {"S1.1-remote": "hardware.inspect", "S1.1-deep": "hardware.deep"}


@pytest.mark.parametrize(
    "function",
    ["document.cover_number", "notice.post_to_a", "notice.post_to_b", "notice.fax_to_a", "notice.fax_to_b",
     "payment.price", "payment.first_amount", "precedence.other_documents", "approval.paper_signature",
     "confidentiality.nda_terms", "integrity.pact_terms", "roster.site", "staff.swap_consent",
     "staff.qualification_check", "desk.fault_grading", "backup.recovery_target", "backup.retention",
     "assessment.cadence_score", "claim.penalty_rate", "baseline.mlps_level", "crypto_assessment.level",
     "rectification.deadline", "payment.year_two_budget", "change.extra_fee", "payment.negative_balance",
     "assessment.rubric", "assessment.superior_rules", "payment.late_interest", "deadline.close_of_business",
     "notice.force_majeure_end", "document.paper_copies", "precedence.award_notice", "precedence.bid",
     "scope.platform_software", "payment.effective_date", "roster.coverage"],
)  # fmt: skip
def test_every_blank_and_trap_blocks_its_function(function: str) -> None:
    item = openitems.blocked(FIRST, function)
    assert item is not None
    with pytest.raises(ContractError, match=item.title[:6]):
        openitems.require(FIRST, function)


def test_what_nobody_left_open_is_not_blocked() -> None:
    assert openitems.blocked(FIRST, "inspection.run") is None
    openitems.require(FIRST, "inspection.run")


def test_a_document_in_hand_closes_an_item() -> None:
    other = load(CONTRACTS / "yunting-2027")
    assert openitems.blocked(other, "roster.coverage") is None
    assert {i.id for i in openitems.still_open(other)} == {"response", "drill-cadence"}
    assert {i.id for i in openitems.still_open(other, "A")} == {"drill-cadence"}
    gone = [msgspec.structs.replace(d, present=False) for d in other.documents]
    assert openitems.blocked(msgspec.structs.replace(other, documents=gone), "roster.coverage") is not None


# --- the period ---------------------------------------------------------------------------------------------------


def test_duties_run_over_the_union_of_four_readings_until_one_is_confirmed() -> None:
    contract = FIRST.contract
    assert [(p.id, (p.end - p.start).days + 1) for p in contract.periods] == [(f"R{n}", 365) for n in (1, 2, 3, 4)]
    assert period.duty_span(contract) == (date(2026, 1, 29), date(2027, 2, 3))
    assert period.confirmed(contract) is None
    assert period.money_span(contract) is None
    recommended = period.recommended(contract)
    assert recommended is not None
    assert recommended.end == date(2027, 2, 3)


def test_a_confirmed_reading_narrows_duties_and_opens_money() -> None:
    readings = [msgspec.structs.replace(p, confirmed=p.id == "R3") for p in FIRST.contract.periods]
    contract = msgspec.structs.replace(FIRST.contract, periods=readings)
    assert period.duty_span(contract) == period.money_span(contract) == (date(2026, 1, 30), date(2027, 1, 29))
    assert period.union(contract) == (date(2026, 1, 29), date(2027, 2, 3))
    assert date(2027, 1, 29) in period.duty_span(contract)
    assert date(2027, 1, 30) not in period.duty_span(contract)


def test_a_single_reading_needs_no_recommendation() -> None:
    other = load(CONTRACTS / "yunting-2027").contract
    assert period.recommended(other) == other.periods[0]
    assert period.money_span(other) == (date(2027, 4, 1), date(2028, 3, 31))


def test_no_reading_is_an_error() -> None:
    nothing: list[PeriodReading] = []
    with pytest.raises(ContractError):
        period.union(msgspec.structs.replace(FIRST.contract, periods=nothing))


# --- nothing of one contract is in the code -----------------------------------------------------------------------


@dataclass
class Hit:
    file: str
    text: str


def test_the_code_knows_no_contract() -> None:
    """Names, numbers and clause ids of the shipped contracts stand in no statement of the product (comments and
    docstrings may cite them)."""
    amounts = {str(FIRST.contract.price.amount.normalize()), "2091800", "1464260", "627540", "11N4251906122026201"}
    words = {"qingpu", "青浦", "yunting", "云汀", *amounts, *(p.name for p in FIRST.contract.parties)}
    ids = {i for name in NAMES for i in (c.id for c in load(CONTRACTS / name).clauses)}
    telling = {i for i in ids if re.search(r"¶|-[RS]|第.+条|-tail|-lead|\d+\.\d+\.\d+|[a-z]$", i)}
    hits = [
        Hit(str(path.relative_to(SRC)), literal)
        for path in SRC.rglob("*.py")
        if "migrations" not in path.parts
        for literal in _literals(path)
        if literal in telling or any(word in literal.lower() for word in words)
        # the demo has to play some contract: its folder's name stands in one place
        if (path.name, literal) != ("demo_stage.py", "qingpu-2026")
    ]
    assert hits == []


def _literals(path: Path) -> list[str]:
    import ast

    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


@pytest.mark.parametrize("name", NAMES)
def test_plan_limits_speak_of_kinds_that_vendor_files_read(name: str) -> None:
    """A limit for a kind nobody reads would look agreed and judge nothing."""
    read = set(re.findall(r"kind: ([a-z_]+)", "".join(p.read_text() for p in SRC.glob("work/hardware/vendors/*.yaml"))))
    assert {limit.kind for limit in load(CONTRACTS / name).plan.limits} <= read


def test_no_limit_of_the_default_plan_trips_at_rest() -> None:
    """High limits are reached at >=, low ones at <=: a limit at zero would fault every idle reading."""
    for limit in FIRST.plan.limits:
        assert all(v is None or v > 0 for v in (limit.warn_high, limit.crit_high, limit.warn_low, limit.crit_low))
