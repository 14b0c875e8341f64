"""The account between the parties: clocks, what the price lacks and who must act, the balance, set-offs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial

import msgspec
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account
from yunwei.assessment import payments, sheets
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import SetOff, Sheet, SheetState
from yunwei.contract import closings
from yunwei.contract.folder import load_part
from yunwei.contract.schema import PriceStep, Rubric
from yunwei.duties import books, sources
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit

pytestmark = pytest.mark.django_db
D = Decimal
SIGNED = datetime(2026, 2, 3, 6, 0, tzinfo=UTC)
INVOICE = datetime(2026, 2, 3, 7, 0, tzinfo=UTC)
UNICOM = [PriceStep(D(95), per_cent=D(100)), PriceStep(D(0), over=D(100))]
#: 郁南 PPP: E = 1 from 90, else W / 90
YUNAN = [PriceStep(D(90), per_cent=D(100)), PriceStep(D(0), over=D(90))]


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(books, "_seen", {})
    yield
    (sources.contract_dir() / closings.FILE).unlink(missing_ok=True)


def invoice(people: dict[str, Account], amount: str, at: datetime = INVOICE) -> None:
    duties.record_event(
        "invoice_received_first", at=at, by=people["a_manager"], now=at, file=FILE, subject={"amount": amount}
    )


def effective(people: dict[str, Account]) -> None:
    duties.record_event("contract_effective", at=SIGNED, by=people["b_manager"], now=SIGNED, file=FILE)


def agree(people: dict[str, Account], capture: object, name: str, **more: object) -> None:
    paper = closings.Paper("补充协议", "3.1", date(2026, 3, 1), "x.pdf", b"x")
    row = closings.propose(sources.folder(), name, paper, by=people["b_manager"], now=INVOICE, **more)  # type: ignore[arg-type]
    with capture(execute=True):  # type: ignore[operator]
        closings.decide(
            row.pk, confirm=True, by=people["a_manager"], now=INVOICE, folder=sources.folder(),
            directory=sources.contract_dir(),
        )  # fmt: skip


def freeze_all(people: dict[str, Account], score: str, **changed: object) -> None:
    """Every month of the term frozen with one score, as if each had gone its way by the folder's rubric (or another)."""
    rubric = msgspec.structs.replace(load_part(sources.contract_dir() / "rubric.yaml", Rubric), **changed)
    for month in sheets.months(sources.folder()):
        Sheet.objects.create(
            month=month.name, state=SheetState.FROZEN, rubric=msgspec.to_builtins(rubric), days=month.days, body={}, score=D(score),
            scored_by=people["a_manager"], scored_at=INVOICE, appeal_until=INVOICE, frozen_by=people["a_manager"],
            frozen_at=INVOICE, artifact="x",
        )  # fmt: skip


def agree_all(people: dict[str, Account], capture: object) -> None:
    agree(people, capture, "period-dates", reading="R1")
    agree(people, capture, "requirement", rubric=load_part(sources.contract_dir() / "rubric.yaml", Rubric))
    agree(people, capture, "price-formula", price=UNICOM)


def pay_first(people: dict[str, Account]) -> None:
    effective(people)
    invoice(people, "1464260.00")
    duties.bring_up_to_date(INVOICE)
    row = Occurrence.objects.get(obligation="P1")
    proof = duties.state_proof(row.pk, statement="已付", file=FILE, by=people["a_manager"], now=INVOICE)
    duties.answer_proof(proof.pk, confirm=True, by=people["b_manager"], now=INVOICE)


def test_the_first_instalment_waits_for_both_its_anchors_and_its_clock_runs_ten_working_days(
    people: dict[str, Account],
) -> None:
    first = payments.statement().parts[0]
    assert first.amount == D("1464260.00")
    assert first.capitals == "壹佰肆拾陆万肆仟贰佰陆拾元整"
    assert [a.at for a in first.anchors] == [None, None]
    assert first.occurrence is None
    effective(people)
    invoice(people, "1464260.00")
    duties.bring_up_to_date(INVOICE)
    first = payments.statement().parts[0]
    assert first.occurrence is not None
    assert first.occurrence.due_at == datetime(2026, 2, 24, 16, 0, tzinfo=UTC)  # 2026-02-24 24:00
    assert not first.paid


def test_an_invoice_of_another_amount_starts_no_clock_and_is_told(people: dict[str, Account]) -> None:
    effective(people)
    invoice(people, "1464260.01")
    duties.bring_up_to_date(INVOICE)
    first = payments.statement().parts[0]
    assert first.occurrence is None
    assert first.anchors[1].at is None
    assert "不等" in first.anchors[1].ignored[0]


def test_a_blank_formula_gives_no_price_and_says_who_must_act(people: dict[str, Account]) -> None:
    freeze_all(people, "88")
    told = payments.statement()
    assert (told.price, told.balance, told.parts[-1].amount) == (None, None, None)
    assert [(m.item, m.who) for m in told.missing] == [
        ("period-dates", "双方"), ("requirement", "甲方"), ("price-formula", "双方"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("score", "price", "left", "negative"),
    [
        ("95", "2091800.00", "627540.00", False),
        ("88", "1840784.00", "376524.00", False),
        ("70", "1464260.00", "0.00", False),
        ("65", "1359670.00", "-104590.00", True),
    ],
)
def test_when_everything_is_agreed_the_price_and_the_balance_follow(
    people: dict[str, Account], django_capture_on_commit_callbacks: object, score: str, price: str, left: str,
    *, negative: bool,
) -> None:  # fmt: skip
    pay_first(people)
    agree_all(people, django_capture_on_commit_callbacks)
    freeze_all(people, score)
    told = payments.statement()
    assert told.missing == []
    assert (told.score, told.price, told.paid, told.balance) == (D(score), D(price), D("1464260.00"), D(left))
    assert told.negative is negative
    client = Client()
    client.force_login(people["a_manager"])
    page = client.get("/payment").content.decode()
    assert ("待协商/抵扣" in page) is negative


def test_a_month_without_a_sheet_holds_the_price_back(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    agree_all(people, django_capture_on_commit_callbacks)
    freeze_all(people, "88")
    Sheet.objects.filter(month="2026-10").delete()
    told = payments.statement()
    assert told.price is None
    assert [(m.what, m.who) for m in told.missing] == [("还有 1 个月没有定分：2026-10", "甲方")]


def test_the_balance_is_due_for_the_confirmed_price_alone(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    agree_all(people, django_capture_on_commit_callbacks)
    freeze_all(people, "88")
    assert payments.statement().parts[-1].amount is None
    duties.record_event(
        "price_confirmed", at=INVOICE, by=people["a_manager"], now=INVOICE, file=FILE, subject={"amount": "1840784.00"}
    )
    assert payments.statement().parts[-1].amount == D("376524.00")


def test_no_invoice_starts_a_clock_on_a_balance_that_is_none(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    agree_all(people, django_capture_on_commit_callbacks)
    freeze_all(people, "65")
    pay_first(people)
    stand = payments.statement()
    assert (stand.price, stand.balance, stand.negative) == (D("1359670.00"), D("-104590.00"), True)
    duties.record_event(
        "price_confirmed", at=INVOICE, by=people["a_manager"], now=INVOICE, file=FILE, subject={"amount": "1359670.00"}
    )
    for amount, told in (("104590.00", "待双方协商"), ("-104590.00", "正数"), ("0.00", "正数")):
        send = partial(
            duties.record_event, "invoice_received_balance", at=INVOICE, by=people["a_manager"], now=INVOICE, file=FILE,
            subject={"amount": amount},
        )  # fmt: skip
        if told == "正数":
            with pytest.raises(YunweiError, match=told):
                send()
        else:
            row = send()
            assert not row.starts_clock
            assert told in row.why


def test_months_scored_by_another_rubric_than_the_signed_one_give_no_price(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    freeze_all(people, "88", found=D("0.5"))
    agree_all(people, django_capture_on_commit_callbacks)
    stand = payments.statement()
    assert stand.price is None
    assert "不是按双方签署的评分标准定分" in stand.missing[0].what


def test_months_scored_before_the_same_rubric_was_signed_count_and_say_so(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    freeze_all(people, "88")
    rubric = load_part(sources.contract_dir() / "rubric.yaml", Rubric)
    assert not sheets.adopted(sources.folder(), rubric)
    agree_all(people, django_capture_on_commit_callbacks)
    assert sheets.adopted(sources.folder(), rubric)
    assert payments.statement().price == D("1840784.00")


@pytest.mark.parametrize(("curve", "price"), [(UNICOM, "1840784.00"), (YUNAN, "2045315.56"), ((), None)])
def test_the_same_frozen_months_give_one_price_per_curve_and_none_while_5_1_is_blank(
    people: dict[str, Account], django_capture_on_commit_callbacks: object, curve: list[PriceStep], price: str | None
) -> None:
    agree(people, django_capture_on_commit_callbacks, "period-dates", reading="R1")
    agree(
        people,
        django_capture_on_commit_callbacks,
        "requirement",
        rubric=load_part(sources.contract_dir() / "rubric.yaml", Rubric),
    )
    if curve:
        agree(people, django_capture_on_commit_callbacks, "price-formula", price=curve)
    freeze_all(people, "88")
    stand = payments.statement()
    assert stand.score == D("88.00")
    assert stand.price == (D(price) if price else None)
    assert [m.item for m in stand.missing] == ([] if price else ["price-formula"])


def test_a_set_off_counts_when_it_was_accepted(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    pay_first(people)
    agree_all(people, django_capture_on_commit_callbacks)
    freeze_all(people, "95")
    a, b = people["a_manager"], people["b_manager"]
    one = payments.set_off(D("10000.00"), ground="7.1.2 第三方代修", file=FILE, by=a, now=INVOICE)
    two = payments.set_off(D("5000.00"), ground="7.1.2 第三方代修", file=FILE, by=a, now=INVOICE)
    assert payments.statement().balance == D("627540.00")
    payments.answer(one.pk, accept=True, text="", by=b, now=INVOICE)
    payments.answer(two.pk, accept=False, text="不属本合同", by=b, now=INVOICE)
    assert payments.statement().balance == D("617540.00")
    ledger.sequence(INVOICE)
    assert [d for d in audit() if d.room == "assessment" and d.subject.startswith("set-off")] == []
    SetOff.objects.filter(pk=two.pk).update(accepted=True, amount=D(1))
    named = {d.field for d in audit() if d.subject == f"set-off:{two.pk}"}
    assert named == {"amount", "accepted"}


def test_set_offs_are_the_client_s_and_answers_the_vendor_s(people: dict[str, Account]) -> None:
    a, b = people["a_manager"], people["b_manager"]
    for who in (b, people["auditor"]):
        with pytest.raises(AssessmentError, match="由甲方提出"):
            payments.set_off(D(1), ground="x", file=FILE, by=who, now=INVOICE)
    for amount in (D(0), D(-1), D("0.001")):
        with pytest.raises(AssessmentError, match="正数"):
            payments.set_off(amount, ground="x", file=FILE, by=a, now=INVOICE)
    with pytest.raises(AssessmentError, match="写明情况或理由"):
        payments.set_off(D(1), ground=" ", file=FILE, by=a, now=INVOICE)
    with pytest.raises(AssessmentError, match="附上文件"):
        payments.set_off(D(1), ground="x", file=None, by=a, now=INVOICE)
    row = payments.set_off(D(1), ground="x", file=FILE, by=a, now=INVOICE)
    with pytest.raises(AssessmentError, match="乙方项目经理答复"):
        payments.answer(row.pk, accept=True, text="", by=a, now=INVOICE)
    with pytest.raises(AssessmentError, match="写明情况或理由"):
        payments.answer(row.pk, accept=False, text="", by=b, now=INVOICE)
    payments.answer(row.pk, accept=True, text="", by=b, now=INVOICE)
    with pytest.raises(AssessmentError, match="已有答复"):
        payments.answer(row.pk, accept=False, text="反悔", by=b, now=INVOICE)


def test_the_page_takes_a_set_off_and_its_answer(people: dict[str, Account]) -> None:
    client = Client()
    client.force_login(people["a_manager"])
    form = {"act": "set-off", "amount": "1,000.50", "ground": "7.1.2"}
    assert client.post("/payment", form | {"file": SimpleUploadedFile("x.pdf", b"x")}).status_code == 302
    row = SetOff.objects.get()
    assert row.amount == D("1000.50")
    assert client.post("/payment", {"act": "accept", "id": row.pk}).status_code == 400
    client.force_login(people["b_manager"])
    assert client.post("/payment", {"act": "dispute", "id": row.pk}).status_code == 400
    assert client.post("/payment", {"act": "accept", "id": row.pk}).status_code == 302
    assert client.post("/payment", {"act": "nothing"}).status_code == 400
