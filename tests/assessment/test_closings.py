"""Closing an open item: by one side's document and the other's word; exactly its function opens, what followed from the
blank is computed anew, and the ledger and the audit know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from yunwei.accounts.models import Account
from yunwei.assessment import sheets
from yunwei.contract import closings, openitems, period
from yunwei.contract.check import check
from yunwei.contract.errors import ContractError
from yunwei.contract.folder import load_part
from yunwei.contract.models import Closing
from yunwei.contract.schema import PriceStep, Rubric
from yunwei.duties import books, sources
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
PAPER = closings.Paper("补充协议一", "3.1", date(2026, 3, 1), "补充协议一.pdf", b"%PDF-1.7 signed")
TABLE = [PriceStep(Decimal(95), per_cent=Decimal(100)), PriceStep(Decimal(0), over=Decimal(100))]


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(books, "_seen", {})
    yield
    (sources.contract_dir() / closings.FILE).unlink(missing_ok=True)


def close(people: dict[str, Account], name: str, capture: object, **more: object) -> Closing:
    row = closings.propose(sources.folder(), name, PAPER, by=people["b_manager"], now=NOW, **more)  # type: ignore[arg-type]
    with capture(execute=True):  # type: ignore[operator]
        return closings.decide(
            row.pk, confirm=True, by=people["a_manager"], now=NOW, folder=sources.folder(),
            directory=sources.contract_dir(),
        )  # fmt: skip


def test_exactly_its_function_opens(people: dict[str, Account], django_capture_on_commit_callbacks: object) -> None:
    before = {i.id for i in openitems.still_open(sources.folder())}
    with pytest.raises(ContractError, match="尚未约定"):
        openitems.require(sources.folder(), "payment.late_interest")
    close(people, "sme", django_capture_on_commit_callbacks)
    openitems.require(sources.folder(), "payment.late_interest")
    assert before - {i.id for i in openitems.still_open(sources.folder())} == {"sme"}
    assert check(sources.contract_dir()) == []


def test_a_confirmed_reading_ends_the_union_and_what_lies_outside_is_withdrawn(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    duties.bring_up_to_date(NOW)
    assert period.money_span(sources.folder().contract) is None
    close(people, "period-dates", django_capture_on_commit_callbacks, reading="R1")
    span = period.money_span(sources.folder().contract)
    assert span == (date(2026, 2, 4), date(2027, 2, 3))
    assert sheets.months(sources.folder())[0].first == date(2026, 2, 4)
    duties.bring_up_to_date(datetime(2026, 3, 3, 2, 0, tzinfo=UTC))
    told = [i.subject for i in Intake.objects.filter(kind="duties.contract.read")]
    assert len(told) == 2  # the folder as it was, and as it is with closings.yaml
    assert not Occurrence.objects.filter(due_at__gt=datetime(2027, 2, 4, tzinfo=UTC)).exists()


def test_a_price_table_and_a_rubric_come_by_a_document_of_the_first_rank(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    folder = sources.folder()
    assert folder.rubric is not None
    assert not sheets.adopted(folder, folder.rubric)
    own = load_part(sources.contract_dir() / "rubric.yaml", Rubric)
    close(people, "requirement", django_capture_on_commit_callbacks, rubric=own)
    folder = sources.folder()
    assert folder.rubric is not None
    assert sheets.adopted(folder, folder.rubric)
    assert folder.rubric.price == []
    close(people, "price-formula", django_capture_on_commit_callbacks, price=TABLE)
    folder = sources.folder()
    assert folder.rubric is not None
    assert folder.rubric.price == TABLE
    assert sheets.adopted(folder, folder.rubric)
    assert check(sources.contract_dir()) == []


@pytest.mark.parametrize(
    ("name", "changes", "more", "words"),
    [
        ("nothing", {}, {}, "没有这个未决事项"),
        ("sme", {"rank": "9.9"}, {}, "文件层次"),
        ("sme", {"title": " "}, {}, "文件的名称"),
        ("sme", {"content": b""}, {}, "签署件"),
        ("sme", {}, {"reading": "R1"}, "不要这样的答复"),
        ("period-dates", {}, {}, "须给出一种服务期读法"),
        ("period-dates", {}, {"reading": "R9"}, "没有这种读法"),
        ("period-dates", {"rank": "3.3"}, {"reading": "R1"}, "第一层文件"),
        ("price-formula", {}, {}, "须给出价款函数表"),
        ("price-formula", {}, {"price": [PriceStep(Decimal(60), per_cent=Decimal(100))]}, "答复与合同不符"),
        ("requirement", {}, {}, "须给出评分标准"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(
    people: dict[str, Account], name: str, changes: dict[str, object], more: dict[str, object], words: str
) -> None:
    from dataclasses import replace

    paper = replace(PAPER, **changes)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=words):
        closings.propose(sources.folder(), name, paper, by=people["b_manager"], now=NOW, **more)  # type: ignore[arg-type]


def test_the_other_side_confirms_and_nobody_else(people: dict[str, Account]) -> None:
    for who in ("b_engineer", "auditor", "tenant"):
        with pytest.raises(ContractError, match="双方的负责人"):
            closings.propose(sources.folder(), "sme", PAPER, by=people[who], now=NOW)
    row = closings.propose(sources.folder(), "sme", PAPER, by=people["b_manager"], now=NOW)
    with pytest.raises(ContractError, match="待对方确认"):
        closings.propose(sources.folder(), "sme", PAPER, by=people["a_manager"], now=NOW)
    common = {"now": NOW, "folder": sources.folder(), "directory": sources.contract_dir()}
    with pytest.raises(ContractError, match="由对方确认"):
        closings.decide(row.pk, confirm=True, by=people["b_manager"], **common)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="写明理由"):
        closings.decide(row.pk, confirm=False, by=people["a_manager"], **common)  # type: ignore[arg-type]
    closings.decide(row.pk, confirm=False, by=people["a_manager"], reason="签署页缺", **common)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="已有结论"):
        closings.decide(row.pk, confirm=True, by=people["a_manager"], **common)  # type: ignore[arg-type]
    assert not (sources.contract_dir() / closings.FILE).exists()
    again = closings.propose(sources.folder(), "sme", PAPER, by=people["a_manager"], now=NOW)  # refused is not the end
    assert again.pk != row.pk


def test_a_closed_item_is_not_closed_again(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    close(people, "sme", django_capture_on_commit_callbacks)
    with pytest.raises(ContractError, match="已经了结"):
        closings.propose(sources.folder(), "sme", PAPER, by=people["b_manager"], now=NOW)


def test_the_audit_names_a_closing_that_nobody_confirmed(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    close(people, "sme", django_capture_on_commit_callbacks)
    ledger.sequence(NOW)
    assert [d for d in audit() if d.room == "contract"] == []
    row = Closing.objects.get()
    row.answer["document"]["title"] = "另一份"
    row.save()
    assert {d.field for d in audit() if d.subject == f"closing:{row.pk}"} == {"answer"}
    file: Path = sources.contract_dir() / closings.FILE
    file.write_text(file.read_text("utf-8").replace("补充协议一", "手改"), "utf-8")
    assert any(d.subject == closings.FILE for d in audit())
    Closing.objects.create(
        item="nda", answer=row.answer, artifact="x", file_name="x", proposed_by=people["b_manager"], proposed_at=NOW,
        confirmed=True, decided_by=people["a_manager"], decided_at=NOW,
    )  # fmt: skip
    assert any(d.field == "confirmed" for d in audit() if d.subject.startswith("closing:"))


def test_the_page_closes_an_item_between_the_two(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    assert settings.INSTANCE is not None
    client = Client()
    client.force_login(people["b_manager"])
    form = {
        "act": "propose", "title": "补充协议一", "rank": "3.1", "date": "2026-03-01", "reading": "R1",
        "file": SimpleUploadedFile("补充协议一.pdf", b"%PDF-1.7"),
    }  # fmt: skip
    assert client.post("/open-items/period-dates", form | {"rank": "3.4"}).status_code == 400
    form["file"] = SimpleUploadedFile("补充协议一.pdf", b"%PDF-1.7")
    assert client.post("/open-items/period-dates", form).status_code == 302
    row = Closing.objects.get()
    assert client.post("/open-items/period-dates", {"act": "confirm", "id": row.pk}).status_code == 400
    client.force_login(people["a_manager"])
    page = client.get("/open-items/period-dates").content.decode()
    assert "补充协议一" in page
    assert "待对方确认" in page
    assert client.post("/open-items/sme", {"act": "confirm", "id": row.pk}).status_code == 400  # another item's
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert client.post("/open-items/period-dates", {"act": "confirm", "id": row.pk}).status_code == 302
    assert "已了结" in client.get("/open-items/period-dates").content.decode()
    assert client.get("/open-items/nothing").status_code == 404
