"""Claims between the parties: grounds, amounts, the contract's clock, answers; never a payment by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assessment.conftest import CONTRACTS
from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account
from yunwei.assessment import claims, payments, waiting
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Demand, SetOff
from yunwei.contract.folder import load
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.models import ManualProof, Occurrence, TriggerEvent
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit

pytestmark = pytest.mark.django_db
D = Decimal
NOW = datetime(2026, 4, 10, 3, 0, tzinfo=UTC)


def make(people: dict[str, Account], who: str = "b_manager", **more: object) -> Demand:
    given_ = {"kind": "amount", "ground": "7.1.11", "amount": D("1200.00"), "statement": "误工", "file": FILE} | more
    kind, ground = given_.pop("kind"), given_.pop("ground")
    return claims.claim(kind, ground, by=people[who], now=NOW, **given_)  # type: ignore[arg-type]


def test_a_claim_against_the_client_starts_the_contract_s_own_clock(people: dict[str, Account]) -> None:
    row = make(people)
    event = TriggerEvent.objects.get()
    assert (event.kind, row.event_id) == ("paper_handed_over", event.pk)
    duties.bring_up_to_date(NOW)
    clock = claims.occurrence_of(row)
    assert clock is not None
    assert (clock.obligation, clock.due_at) == (
        "A4",
        datetime(2026, 5, 1, 16, 0, tzinfo=UTC),
    ) or clock.due_at is not None
    later = NOW + timedelta(days=3)
    claims.answer(row.pk, "partly", text="认一半", agreed=D("600.00"), file=FILE, by=people["a_manager"], now=later)
    proof = ManualProof.objects.get()
    assert proof.occurrence_id == clock.pk
    duties.answer_proof(proof.pk, confirm=True, by=people["b_manager"], now=later)
    assert Occurrence.objects.get(pk=clock.pk).state == "kept"


def test_a_claim_of_the_client_has_no_clock_that_nobody_agreed_to(people: dict[str, Account]) -> None:
    row = make(people, "a_manager", ground="7.1.3")
    assert (row.event, TriggerEvent.objects.count(), claims.occurrence_of(row)) == (None, 0, None)


def test_no_claim_whatever_its_answer_touches_the_balance(people: dict[str, Account]) -> None:
    before = payments.statement()
    for who, ground, other in (("b_manager", "7.1.11", "a_manager"), ("a_manager", "9.3", "b_manager")):
        row = make(people, who, ground=ground)
        claims.answer(row.pk, "accepted", text="", by=people[other], now=NOW)
    after = payments.statement()
    assert SetOff.objects.count() == 0
    assert (after.paid, after.balance, after.set_offs) == (before.paid, before.balance, before.set_offs)


@pytest.mark.parametrize(
    ("who", "more", "words"),
    [
        ("b_engineer", {}, "负责人提出"),
        ("auditor", {}, "负责人提出"),
        ("tenant", {}, "负责人提出"),
        ("b_manager", {"ground": "9.3"}, "不是向对方索赔的依据"),
        ("a_manager", {"ground": "7.1.11"}, "不是向对方索赔的依据"),
        ("b_manager", {"ground": "99"}, "没有这一条款"),
        ("b_manager", {"amount": D(0)}, "正数"),
        ("b_manager", {"amount": D("-1")}, "正数"),
        ("b_manager", {"amount": D("0.001")}, "正数"),
        ("b_manager", {"amount": None}, "正数"),
        ("b_manager", {"statement": " "}, "写明情况"),
        ("b_manager", {"file": None}, "附上文件"),
        ("b_manager", {"kind": "revenge"}, "款项或履行"),
        ("b_manager", {"kind": "performance", "ground": "7.1.9"}, "不写金额"),
        ("b_manager", {"kind": "performance", "ground": "7.2.7", "amount": None}, "没有义务"),
    ],
)
def test_what_is_no_claim_is_refused(people: dict[str, Account], who: str, more: dict[str, object], words: str) -> None:
    with pytest.raises(AssessmentError, match=words):
        make(people, who, **more)
    assert (Demand.objects.count(), TriggerEvent.objects.count()) == (0, 0)


def test_a_performance_may_be_claimed_where_the_other_side_owes_one(people: dict[str, Account]) -> None:
    row = make(people, kind="performance", ground="7.1.9", amount=None)
    assert claims.answer(row.pk, "accepted", text="", by=people["a_manager"], now=NOW).agreed is None


def test_only_the_other_side_answers_and_only_once(people: dict[str, Account]) -> None:
    row = make(people)
    with pytest.raises(AssessmentError, match="由对方答复"):
        claims.answer(row.pk, "accepted", text="", by=people["b_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="写明情况"):
        claims.answer(row.pk, "disputed", text=" ", by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="没有这种答复"):
        claims.answer(row.pk, "withdrawn", text="x", by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="由提出的一方撤回"):
        claims.withdraw(row.pk, reason="x", by=people["a_manager"], now=NOW)
    claims.answer(row.pk, "disputed", text="无依据", by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="已有答复"):
        claims.answer(row.pk, "accepted", text="", by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="没有这项索赔"):
        claims.answer(row.pk + 1, "accepted", text="", by=people["a_manager"], now=NOW)


def test_the_claiming_side_may_take_it_back(people: dict[str, Account]) -> None:
    row = make(people)
    assert claims.withdraw(row.pk, reason="已协商", by=people["b_manager"], now=NOW).outcome == "withdrawn"
    with pytest.raises(AssessmentError, match="已有答复"):
        claims.answer(row.pk, "accepted", text="", by=people["a_manager"], now=NOW)


def test_the_ledger_follows_and_an_edit_of_a_row_is_seen(people: dict[str, Account]) -> None:
    row = make(people)
    claims.answer(row.pk, "partly", text="认一半", agreed=D("600.00"), by=people["a_manager"], now=NOW)
    make(people, "a_manager", ground="10.1")
    ledger.sequence(NOW)
    assert [d for d in audit() if d.room == "assessment"] == []
    Demand.objects.filter(pk=row.pk).update(agreed=D("1.00"), ground="7.1.10")
    assert {d.field for d in audit() if d.subject == f"demand:{row.pk}"} == {"agreed", "ground"}


def test_grounds_are_the_contract_s(contract: None) -> None:
    folder = load(CONTRACTS / "qingpu-2026")
    assert [g.clause.id for g in claims.grounds(folder, "B")] == ["7.1.11", "11.5"]
    of_client = {g.clause.id: g for g in claims.grounds(folder, "A")}
    assert of_client["9.3"].amount == D("627540.00")
    assert [g for g, one in of_client.items() if one.set_off] == ["7.1.2"]


cents = st.integers(min_value=1, max_value=10**11).map(lambda n: Decimal(n) / 100)


@given(claimed=cents, agreed=cents)
def test_in_part_is_more_than_nothing_and_less_than_all(claimed: Decimal, agreed: Decimal) -> None:
    row = Demand(pk=1, amount=claimed)
    if agreed < claimed:
        assert claims._agreed(row, "partly", agreed) == agreed
    else:
        with pytest.raises(AssessmentError):
            claims._agreed(row, "partly", agreed)
    assert claims._agreed(row, "accepted", None) == claimed


def test_a_clause_that_allows_no_set_off_gives_none(people: dict[str, Account]) -> None:
    assert sources.folder().between is not None
    for clause in ("7.1.3", "9.3", "10.1", "7.1.11"):
        with pytest.raises(AssessmentError, match="不许抵扣"):
            payments.set_off(D(5), ground="x", clause=clause, file=FILE, by=people["a_manager"], now=NOW)
    row = payments.set_off(D(5), ground="x", file=FILE, by=people["a_manager"], now=NOW)
    assert row.clause == "7.1.2"


def test_what_waits_for_an_answer_is_told_to_the_side_that_answers(people: dict[str, Account]) -> None:
    row = make(people)
    make(people, "a_manager", ground="10.1")
    told = {(w.side, w.what) for w in waiting.waiting(sources.folder(), NOW) if w.page == "claims"}
    assert told == {("A", "索赔：7.1.11"), ("B", "索赔：10.1")}
    claims.answer(row.pk, "accepted", text="", by=people["a_manager"], now=NOW)
    assert {w.side for w in waiting.waiting(sources.folder(), NOW) if w.page == "claims"} == {"B"}
