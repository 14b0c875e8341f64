"""Supplements: first rank, both sides, a tenth of the price over all of them; then the folder says what they changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assessment.conftest import CONTRACTS
from yunwei.accounts.models import Account
from yunwei.contract import closings, supplements
from yunwei.contract.check import check
from yunwei.contract.check_between import too_much
from yunwei.contract.errors import ContractError
from yunwei.contract.folder import load
from yunwei.contract.models import Supplement as Row
from yunwei.contract.schema import Document, PriceStep, Supplement
from yunwei.duties import books, sources
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit

pytestmark = pytest.mark.django_db
D = Decimal
NOW = datetime(2026, 4, 10, 3, 0, tzinfo=UTC)
PAPER = closings.Paper("补充协议二", "3.1", date(2026, 4, 8), "补充协议二.pdf", b"%PDF signed")
TENTH = D("209180.00")
QINGPU = load(CONTRACTS / "qingpu-2026")


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(books, "_seen", {})
    yield
    (sources.contract_dir() / supplements.FILE).unlink(missing_ok=True)


def propose(people: dict[str, Account], added: str = "0", who: str = "b_manager", **more: object) -> Row:
    changes = supplements.Changes(D(added), **more)  # type: ignore[arg-type]
    return supplements.propose(sources.folder(), PAPER, changes, by=people[who], now=NOW)


def confirm(people: dict[str, Account], row: Row, capture: object, who: str = "a_manager") -> Row:
    with capture(execute=True):  # type: ignore[operator]
        return supplements.decide(
            row.pk, confirm=True, by=people[who], now=NOW, folder=sources.folder(), directory=sources.contract_dir()
        )


def test_confirmed_it_stands_first_in_the_folder_and_the_check_is_clean(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    row = propose(people, "100000.00", note="增加两个机柜")
    assert sources.folder().supplements == []
    confirm(people, row, django_capture_on_commit_callbacks)
    folder = sources.folder()
    assert [(s.added, s.document.rank) for s in folder.supplements] == [(D("100000.00"), "3.1")]
    assert folder.documents[-1].title == "补充协议二"
    assert check(sources.contract_dir()) == []
    ledger.sequence(NOW)
    assert [d for d in audit() if d.room == "contract"] == []
    Row.objects.update(added=D(1))
    assert [d.field for d in audit() if d.subject == f"supplement:{row.pk}"] == ["added"]


def test_all_supplements_together_stay_within_a_tenth_and_the_arithmetic_is_shown(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    confirm(people, propose(people, "200000.00"), django_capture_on_commit_callbacks)
    with pytest.raises(ContractError) as told:
        propose(people, "9180.01")
    for figure in ("200,000.00", "9,180.01", "209,180.01", "2,091,800.00", "10%", "209,180.00", "政府采购法 49"):
        assert figure in told.value.message
    confirm(people, propose(people, "9180.00"), django_capture_on_commit_callbacks)
    with pytest.raises(ContractError, match="采购法"):
        propose(people, "0.01")


def test_two_that_fit_alone_and_not_together_are_seen_when_confirmed(
    people: dict[str, Account], django_capture_on_commit_callbacks: object
) -> None:
    one, two = propose(people, "150000.00"), propose(people, "150000.00")
    confirm(people, one, django_capture_on_commit_callbacks)
    with pytest.raises(ContractError, match="采购法"):
        confirm(people, two, django_capture_on_commit_callbacks)
    two.refresh_from_db()
    assert two.confirmed is None


def test_a_later_price_table_wins(people: dict[str, Account], django_capture_on_commit_callbacks: object) -> None:
    table = [PriceStep(D(0), over=D(100))]
    confirm(people, propose(people, price=table), django_capture_on_commit_callbacks)
    newer = [PriceStep(D(90), per_cent=D(100)), PriceStep(D(0), over=D(100))]
    confirm(people, propose(people, price=newer), django_capture_on_commit_callbacks)
    rubric = sources.folder().rubric
    assert rubric is not None
    assert rubric.price == newer
    assert check(sources.contract_dir()) == []


def test_who_may_and_what_is_refused(people: dict[str, Account], django_capture_on_commit_callbacks: object) -> None:
    for who in ("b_engineer", "auditor", "tenant"):
        with pytest.raises(ContractError, match="负责人签署"):
            propose(people, who=who)
    with pytest.raises(ContractError, match="不能为负"):
        propose(people, "-1")
    with pytest.raises(ContractError, match="到分"):
        propose(people, "0.001")
    with pytest.raises(ContractError, match="没有这一版"):
        propose(people, plan=9)
    with pytest.raises(ContractError, match="补充文件与合同不符"):
        propose(people, price=[PriceStep(D(50), over=D(100))])
    for wrong, words in (
        (closings.Paper("x", "3.2", PAPER.date, "x", b"x"), "第一层"),
        (closings.Paper("x", "3.1", PAPER.date, "x", b""), "签署件"),
        (closings.Paper(" ", "3.1", PAPER.date, "x", b"x"), "签署件"),
    ):
        with pytest.raises(ContractError, match=words):
            supplements.propose(sources.folder(), wrong, supplements.Changes(), by=people["b_manager"], now=NOW)  # type: ignore[arg-type]
    row = propose(people)
    with pytest.raises(ContractError, match="不能由本方确认"):
        confirm(people, row, django_capture_on_commit_callbacks, "b_manager")
    with pytest.raises(ContractError, match="写明理由"):
        supplements.decide(
            row.pk, confirm=False, by=people["a_manager"], now=NOW, folder=sources.folder(),
            directory=sources.contract_dir(),
        )  # fmt: skip
    confirm(people, row, django_capture_on_commit_callbacks)
    with pytest.raises(ContractError, match="已有结论"):
        confirm(people, row, django_capture_on_commit_callbacks)


fen = st.integers(min_value=0, max_value=30_000_000).map(lambda n: Decimal(n) / 100)


@given(parts=st.lists(fen, max_size=6), more=fen)
def test_the_limit_is_of_the_sum_whatever_its_parts(parts: list[Decimal], more: Decimal) -> None:
    held = [Supplement(Document(f"s{n}", "3.1", 1, "x"), added=part) for n, part in enumerate(parts)]
    folder = msgspec.structs.replace(QINGPU, supplements=held)
    assert bool(too_much(folder, more)) == (sum(parts, D(0)) + more > TENTH)


def test_a_contract_without_the_statute_has_no_limit() -> None:
    assert too_much(load(CONTRACTS / "yunting-2027"), D(10) ** 9) == ""
