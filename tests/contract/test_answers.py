"""What a breach costs, from the folder alone; and a page with the five answers behind every clause that binds somebody."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from tests.contract.conftest import CONTRACTS
from tests.ui.conftest import contract, people
from yunwei.accounts.models import Account
from yunwei.contract.answers import costs, duties_of
from yunwei.contract.check_contract import binds
from yunwei.contract.folder import load
from yunwei.contract.schema import Clause, Document, Folder, PriceStep, Remedy
from yunwei.duties import sources

__all__ = ["contract", "people"]
pytestmark = pytest.mark.django_db
D = Decimal
SHIPPED = sorted(p.name for p in CONTRACTS.iterdir() if (p / "contract.yaml").exists())


@pytest.fixture(scope="module")
def qingpu() -> Folder:
    return load(CONTRACTS / "qingpu-2026")


def test_a_duty_of_the_vendor_costs_points_that_are_the_platform_s_until_adopted(qingpu: Folder) -> None:
    found = costs(qingpu, next(o for o in qingpu.obligations if o.id == "S1.2"))
    assert found.item is not None
    assert (found.item.id, found.item.missed, found.forged is not None) == ("inspection", D(1), True)
    assert (found.adopted, found.point) == (False, None)
    assert found.agreed, "the contract's own liability clauses are agreed"
    assert {one.kind for one in found.liabilities} == {"set_off", "damages"}


def test_adopted_with_a_price_by_the_score_a_point_has_its_price(qingpu: Folder) -> None:
    assert qingpu.rubric is not None
    rubric = msgspec.structs.replace(
        qingpu.rubric, document="s1", price=[PriceStep(D(95), per_cent=D(100)), PriceStep(D(0), over=D(100))]
    )
    signed = msgspec.structs.replace(
        qingpu, rubric=rubric, documents=[*qingpu.documents, Document("s1", "3.1", 1, "补充协议")]
    )
    found = costs(signed, next(o for o in qingpu.obligations if o.id == "S1.2"))
    assert found.point == D("20918.00")
    absent = msgspec.structs.replace(
        signed, documents=[*qingpu.documents, Document("s1", "3.1", 1, "补充协议", present=False)]
    )
    assert costs(absent, next(o for o in qingpu.obligations if o.id == "S1.2")).point is None


def test_the_client_s_duties_cost_damages_and_never_points(qingpu: Folder) -> None:
    for name in ("P1", "A4", "L1"):
        found = costs(qingpu, next(o for o in qingpu.obligations if o.id == name))
        assert (found.item, found.vetoes, found.forged) == (None, [], None)
        assert [(one.kind, one.against, one.clauses) for one in found.liabilities] == [("damages", "A", ["7.1.11"])]


def test_intellectual_property_costs_thirty_per_cent_of_the_bid(qingpu: Folder) -> None:
    found = costs(qingpu, next(o for o in qingpu.obligations if o.id == "G20"))
    assert [(one.amount, one.clauses) for one in found.liabilities if one.kind == "penalty"] == [
        (D("627540.00"), ["9.3"])
    ]


def test_a_ban_has_its_veto(qingpu: Folder) -> None:
    found = costs(qingpu, next(o for o in qingpu.obligations if o.id == "G8"))
    assert [v.id for v in found.vetoes] == ["ban_breach"]


def test_where_nobody_agreed_on_a_cost_there_is_none() -> None:
    other = load(CONTRACTS / "yunting-2027")
    assert all(not costs(other, o).agreed and not costs(other, o).any for o in other.obligations)
    one = msgspec.structs.replace(
        other, clauses=[*other.clauses, Clause("x", ["LIAB"], "B", "x", remedies=[Remedy("damages", "B", ["backup"])])]
    )
    assert [o.id for o in one.obligations if costs(one, o).agreed] == ["backup"]


@pytest.fixture
def instance(contract: None, instance_folder: Path) -> Iterator[Path]:
    """The instance's contract folder, put back afterwards."""
    target = settings.INSTANCE / "contract"
    kept = target.with_name("kept")
    shutil.copytree(target, kept)
    yield target
    shutil.rmtree(target)
    kept.rename(target)


def put(target: Path, name: str) -> Folder:
    shutil.rmtree(target)
    shutil.copytree(CONTRACTS / name, target)
    return sources.folder()


FIVE = ("what", "who", "when", "how", "cost")


def five(page: str) -> list[dict[str, str]]:
    """The five answers of every obligation on a page, as text."""
    found = []
    for block in re.findall(r'<dl class="card five">(.*?)</dl>', page, re.DOTALL):
        parts = re.findall(r'<div class="q-(\w+)"><dt>.*?</dt>(.*?)</div>', block, re.DOTALL)
        found.append({key: re.sub(r"<[^>]+>", "", text).strip() for key, text in parts})
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_every_binding_clause_has_a_page_with_the_five_answers(
    name: str, instance: Path, people: dict[str, Account]
) -> None:
    folder = put(instance, name)
    client = Client()
    client.force_login(people["a_manager"])
    bound = [c for c in folder.clauses if binds(c)]
    assert len(bound) >= 10
    for clause in bound:
        answer = client.get(reverse("contract-clause", args=[clause.id]))
        assert answer.status_code == 200
        page = answer.content.decode()
        blocks = five(page)
        assert len(blocks) == len(duties_of(folder, clause)) > 0, clause.id
        for block in blocks:
            assert tuple(block) == FIVE
            assert all(block.values()), (clause.id, block)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_obligation_of_any_kind_has_its_page_with_the_five_answers(
    name: str, instance: Path, people: dict[str, Account]
) -> None:
    folder = put(instance, name)
    client = Client()
    client.force_login(people["b_manager"])
    for one in folder.obligations:
        answer = client.get(reverse("obligation", args=[one.id]))
        assert answer.status_code == 200
        blocks = five(answer.content.decode())
        assert len(blocks) == 1, one.id
        assert tuple(blocks[0]) == FIVE
        assert all(blocks[0].values()), (one.id, blocks)
        if name == "yunting-2027":
            assert "没有人约定过违反的代价" in blocks[0]["cost"]


def test_a_clause_that_there_is_not_is_not_found_and_one_without_a_duty_says_so(people: dict[str, Account]) -> None:
    client = Client()
    client.force_login(people["auditor"])
    assert client.get("/contract/clauses/99.9").status_code == 404
    assert "没有课以义务" in client.get("/contract/clauses/1.2").content.decode()
    page = client.get("/contract/clauses/9.3").content.decode()
    assert "627,540.00" in page
    assert "违约金" in page
