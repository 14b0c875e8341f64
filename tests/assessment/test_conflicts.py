"""A conflict of rules: recorded by either side, decided by the superior's paper alone; until then the obligations say so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account
from yunwei.assessment import conflicts
from yunwei.assessment.conflicts import Rule
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Conflict
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 10, 3, 0, tzinfo=UTC)
LEFT, RIGHT = Rule("漏洞三十日内修复", "4.1.2"), Rule("主管单位办法：十五日内修复")


def record(people: dict[str, Account], who: str = "b_manager", **more: object) -> Conflict:
    given = {
        "title": "修复期限不一",
        "left": LEFT,
        "right": RIGHT,
        "obligations": ["S1.6", "Q8"],
        "statement": "两处不一",
    }
    given |= more
    args = [given.pop(k) for k in ("title", "left", "right", "obligations")]
    return conflicts.record(*args, file=given.pop("file", FILE), by=people[who], now=NOW, **given)  # type: ignore[arg-type]


def test_until_it_is_decided_both_obligations_say_so(people: dict[str, Account]) -> None:
    client = Client()
    client.force_login(people["a_manager"])
    assert "规则冲突待裁定" not in client.get("/obligations/S1.6").content.decode()
    row = record(people)
    assert set(conflicts.undecided()) == {"S1.6", "Q8"}
    for code in ("S1.6", "Q8"):
        assert "规则冲突待裁定" in client.get(f"/obligations/{code}").content.decode()
    assert "规则冲突待裁定" not in client.get("/obligations/S1.2").content.decode()
    conflicts.send(row.pk, "区数据局", by=people["a_manager"], now=NOW)
    decided = conflicts.decide(row.pk, "right", text="从严", file=FILE, by=people["a_manager"], now=NOW)
    assert decided.holds == "right"
    assert conflicts.undecided() == {}
    assert "规则冲突待裁定" not in client.get("/obligations/S1.6").content.decode()
    ledger.sequence(NOW)
    assert [d for d in audit() if d.room == "assessment"] == []
    Conflict.objects.update(holds="left")
    assert [d.field for d in audit() if d.subject == f"conflict:{row.pk}"] == ["holds"]


def test_who_may_and_in_which_order(people: dict[str, Account]) -> None:
    for who in ("b_engineer", "auditor", "tenant"):
        with pytest.raises(AssessmentError, match="负责人"):
            record(people, who)
    row = record(people, "a_manager")
    with pytest.raises(AssessmentError, match="由甲方报送"):
        conflicts.send(row.pk, "x", by=people["b_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="先报送"):
        conflicts.decide(row.pk, "left", text="", file=FILE, by=people["a_manager"], now=NOW)
    conflicts.send(row.pk, "区数据局", by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="已经报送"):
        conflicts.send(row.pk, "区数据局", by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="附上文件"):
        conflicts.decide(row.pk, "left", text="", file=None, by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="两条规则之一"):
        conflicts.decide(row.pk, "both", text="", file=FILE, by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="由甲方报送"):
        conflicts.decide(row.pk, "left", text="", file=FILE, by=people["b_manager"], now=NOW)
    conflicts.decide(row.pk, "left", text="", file=FILE, by=people["a_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="已经裁定"):
        conflicts.decide(row.pk, "right", text="", file=FILE, by=people["a_manager"], now=NOW)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"obligations": []}, "受影响的义务"),
        ({"obligations": ["Z9"]}, "受影响的义务"),
        ({"left": Rule("x", "99.9")}, "没有这一条款"),
        ({"left": RIGHT}, "没有冲突"),
        ({"left": Rule(" ")}, "写明情况"),
        ({"title": " "}, "写明情况"),
        ({"title": "x" * 201}, "过长"),
        ({"file": None}, "附上文件"),
    ],
)
def test_what_is_no_conflict_is_refused(people: dict[str, Account], more: dict[str, object], words: str) -> None:
    with pytest.raises(AssessmentError, match=words):
        record(people, **more)
    assert Conflict.objects.count() == 0
