"""A month between the two parties: scored, appealed, decided, frozen, signed; nothing changes a frozen sheet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.ui import contract_scene
from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account
from yunwei.assessment import explained, payments, sheets, waiting
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Addition, Appeal, Sheet
from yunwei.assets.models import Asset
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence, State
from yunwei.duties.sources import folder
from yunwei.duties.transitions import locked, move
from yunwei.inspect import findings
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit

pytestmark = pytest.mark.django_db
D = Decimal
APRIL = "2026-04"
#: 1 May 2026 10:00 in Shanghai: a holiday; three working days from it are 6, 7 and 8 May
MAY = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
AFTER = datetime(2026, 5, 9, 2, 0, tzinfo=UTC)


@pytest.fixture
def month(people: dict[str, Account]) -> dict[str, Account]:
    contract_scene.play(people)
    return people


def line_of(name: str = "missed") -> str:
    return next(line.key for line in sheets.computed(APRIL).lines if line.what == name and line.points > 0)


def test_the_months_of_the_term_are_cut_where_it_begins_and_ends(contract: None) -> None:
    found = sheets.months(folder())
    assert (found[0].name, found[0].days, found[0].partial) == ("2026-01", 3, True)  # 29 to 31 January, the union
    assert (found[-1].name, found[-1].days, found[-1].partial) == ("2027-02", 3, True)
    assert [m.name for m in found[1:-1]] == [f"2026-{n:02d}" for n in range(2, 13)] + ["2027-01"]
    assert sum(m.days for m in found) == 371


def test_what_is_due_at_a_days_end_belongs_to_that_day(month: dict[str, Account]) -> None:
    end = datetime(2026, 4, 30, 16, 0, tzinfo=UTC)  # 24:00 of 30 April
    common = {"clauses": [], "owes": "B", "kind": "look", "basis": "plan", "counts": True, "starts_at": end}
    Occurrence.objects.create(obligation="S1.2", period="last", due_at=end, state="missed", **common)
    later = end + timedelta(seconds=1)
    Occurrence.objects.create(obligation="S1.2", period="next", due_at=later, state="missed", **common)
    keys = {line.key for line in sheets.computed(APRIL).lines}
    assert "S1.2:last" in keys
    assert "S1.2:next" not in keys
    assert next(line.day for line in sheets.computed(APRIL).lines if line.key == "S1.2:last") == "2026-04-30"


def test_what_does_not_count_and_what_the_client_owes_is_not_on_the_sheet(month: dict[str, Account]) -> None:
    due = datetime(2026, 4, 20, 4, 0, tzinfo=UTC)
    common = {"clauses": [], "kind": "look", "basis": "plan", "starts_at": due, "due_at": due, "state": "missed"}
    Occurrence.objects.create(obligation="S1.2", period="shown", owes="B", counts=False, **common)
    Occurrence.objects.create(obligation="P1", period="theirs", owes="A", counts=True, **common)
    keys = {line.key for line in sheets.computed(APRIL).lines}
    assert not keys & {"S1.2:shown", "P1:theirs"}


def test_what_was_told_a_moment_before_stands_with_its_number(month: dict[str, Account]) -> None:
    """A sheet names evidence by number, for good: what still waits for its number gets it first."""
    a, due = month["a_manager"], datetime(2026, 4, 20, 4, 0, tzinfo=UTC)
    told = []
    for period, act, at in (("one", sheets.score, MAY), ("two", sheets.score, MAY), ("two", sheets.freeze, AFTER)):
        claim = ledger.record("duties.occurrence.missed", f"S1.2:{period}", {}, at=MAY, actor="system:duties")
        Occurrence.objects.update_or_create(
            obligation="S1.2", period=period,
            defaults={"clauses": [], "owes": "B", "counts": True, "kind": "look", "basis": "plan", "starts_at": due,
                      "due_at": due, "state": "missed", "evidence": claim.pk},
        )  # fmt: skip
        sheet = act(APRIL, by=a, now=at)
        line = next(line for line in sheet.body["lines"] if line["key"] == f"S1.2:{period}")
        told.append((line["evidence"], ledger.numbers_of([claim.pk]).get(claim.pk)))
    assert all(number and number == known for number, known in told), told


def test_the_way_of_a_month(month: dict[str, Account]) -> None:
    a, b = month["a_manager"], month["b_manager"]
    scored = sheets.score(APRIL, by=a, now=MAY)
    assert scored.appeal_until == datetime(2026, 5, 8, 16, 0, tzinfo=UTC)  # 24:00 of the third working day
    line = line_of()
    made = sheets.appeal(APRIL, line, statement="当日已做，记录漏交", file=FILE, by=b, now=MAY)
    with pytest.raises(AssessmentError, match="届满之后才能定分"):
        sheets.freeze(APRIL, by=a, now=MAY)
    with pytest.raises(AssessmentError, match="还有申诉没有答复"):
        sheets.freeze(APRIL, by=a, now=AFTER)
    sheets.decide(made.pk, grant=True, reason="核对属实", by=a, now=AFTER)
    frozen = sheets.freeze(APRIL, by=a, now=AFTER)
    assert frozen.score == scored.score + 1  # one missed look less
    told = next(t for t in explained.explain(APRIL).lines if t.line.key == line)
    assert told.line.points == 0
    assert told.note == "申诉成立"
    signed = sheets.answer(APRIL, sign=True, text="", by=b, now=AFTER)
    assert signed.signed is True
    ledger.sequence(AFTER)
    assert [d for d in audit() if d.room == "assessment"] == []


def test_nothing_changes_a_frozen_sheet(month: dict[str, Account]) -> None:
    a, b = month["a_manager"], month["b_manager"]
    sheets.score(APRIL, by=a, now=MAY)
    frozen = sheets.freeze(APRIL, by=a, now=AFTER)
    before = msgspec.to_builtins(explained.explain(APRIL).score)
    row = Occurrence.objects.filter(state=State.MISSED, obligation="S3.1").order_by("due_at").first()
    assert row is not None
    claim = duties.claim_exemption(row.pk, ground="11", statement="停电", file=FILE, by=b, now=AFTER)
    duties.answer_claim(claim.pk, accept=True, by=a, now=AFTER)
    Occurrence.objects.filter(obligation="S1.2").update(state=State.MISSED)
    assert msgspec.to_builtins(explained.explain(APRIL).score) == before
    assert explained.explain(APRIL).row == frozen
    for act in (
        lambda: sheets.score(APRIL, by=a, now=AFTER),
        lambda: sheets.freeze(APRIL, by=a, now=AFTER),
        lambda: sheets.appeal(APRIL, line_of(), statement="x", file=FILE, by=b, now=AFTER),
        lambda: sheets.add(APRIL, "criticised", points=D(1), text="x", file=FILE, by=a, now=AFTER),
    ):
        with pytest.raises(AssessmentError, match="已经定分"):
            act()


def test_what_became_better_since_is_taken_over_and_what_became_worse_is_scored_again_first(
    month: dict[str, Account],
) -> None:
    a, b = month["a_manager"], month["b_manager"]
    first = sheets.score(APRIL, by=a, now=MAY)
    row = Occurrence.objects.filter(state=State.MISSED, obligation="S3.1").order_by("due_at").first()
    assert row is not None
    claim = duties.claim_exemption(row.pk, ground="11", statement="停电", file=FILE, by=b, now=MAY)
    duties.answer_claim(claim.pk, accept=True, by=a, now=MAY)
    asset = Asset.objects.order_by("pk")[0]
    findings.report(
        asset, component="psu", kind="psu", name="电源失效", severity="critical", origin="client", by=a,
        now=datetime(2026, 4, 20, 4, 0, tzinfo=UTC),
    )  # fmt: skip
    with pytest.raises(AssessmentError, match="又有新的扣分"):
        sheets.freeze(APRIL, by=a, now=AFTER)
    again = sheets.score(APRIL, by=a, now=AFTER)
    assert again.round == 2
    assert again.score == first.score + 1 - 1
    assert again.appeal_until > AFTER


def test_each_side_does_only_its_part(month: dict[str, Account]) -> None:
    a, b, engineer, auditor = (month[n] for n in ("a_manager", "b_manager", "b_engineer", "auditor"))
    for who in (b, engineer, auditor, month["tenant"]):
        with pytest.raises(AssessmentError, match="评分由甲方"):
            sheets.score(APRIL, by=who, now=MAY)
    sheets.score(APRIL, by=a, now=MAY)
    for who in (a, engineer, auditor):
        with pytest.raises(AssessmentError, match="申诉由乙方"):
            sheets.appeal(APRIL, line_of(), statement="x", file=FILE, by=who, now=MAY)
    made = sheets.appeal(APRIL, line_of(), statement="x", file=FILE, by=b, now=MAY)
    for who in (b, auditor):
        with pytest.raises(AssessmentError, match="申诉由甲方答复"):
            sheets.decide(made.pk, grant=True, reason="x", by=who, now=MAY)
        with pytest.raises(AssessmentError, match="定分由甲方"):
            sheets.freeze(APRIL, by=who, now=AFTER)
        with pytest.raises(AssessmentError, match="由甲方登记"):
            sheets.add(APRIL, "help", points=D(-1), text="x", file=FILE, by=who, now=MAY)
    sheets.decide(made.pk, grant=False, reason="记录为补写", by=a, now=MAY)
    sheets.freeze(APRIL, by=a, now=AFTER)
    with pytest.raises(AssessmentError, match="由乙方项目经理签认"):
        sheets.answer(APRIL, sign=True, text="", by=a, now=AFTER)


def test_an_appeal_needs_a_costly_line_a_proof_a_reason_and_its_time(month: dict[str, Account]) -> None:
    a, b = month["a_manager"], month["b_manager"]
    with pytest.raises(AssessmentError, match="还没有评分"):
        sheets.appeal(APRIL, "x", statement="x", file=FILE, by=b, now=MAY)
    sheets.score(APRIL, by=a, now=MAY)
    line = line_of()
    with pytest.raises(AssessmentError, match="没有扣分"):
        sheets.appeal(APRIL, "S1.2:never", statement="x", file=FILE, by=b, now=MAY)
    with pytest.raises(AssessmentError, match="附上文件"):
        sheets.appeal(APRIL, line, statement="x", file=None, by=b, now=MAY)
    with pytest.raises(AssessmentError, match="写明"):
        sheets.appeal(APRIL, line, statement="  ", file=FILE, by=b, now=MAY)
    with pytest.raises(AssessmentError, match="申诉期已过"):
        sheets.appeal(APRIL, line, statement="x", file=FILE, by=b, now=AFTER)
    sheets.appeal(APRIL, line, statement="x", file=FILE, by=b, now=MAY)
    with pytest.raises(AssessmentError, match="已经申诉过"):
        sheets.appeal(APRIL, line, statement="x", file=FILE, by=b, now=MAY)
    appeal = Appeal.objects.get()
    with pytest.raises(AssessmentError, match="写明"):
        sheets.decide(appeal.pk, grant=True, reason="", by=a, now=MAY)
    sheets.decide(appeal.pk, grant=True, reason="属实", by=a, now=MAY)
    with pytest.raises(AssessmentError, match="已有答复"):
        sheets.decide(appeal.pk, grant=False, reason="反悔", by=a, now=MAY)


def test_a_refusal_to_sign_is_recorded_with_its_reason_and_changes_no_score(month: dict[str, Account]) -> None:
    a, b = month["a_manager"], month["b_manager"]
    with pytest.raises(AssessmentError, match="还没有定分"):
        sheets.answer(APRIL, sign=True, text="", by=b, now=MAY)
    sheets.score(APRIL, by=a, now=MAY)
    frozen = sheets.freeze(APRIL, by=a, now=AFTER)
    with pytest.raises(AssessmentError, match="写明"):
        sheets.answer(APRIL, sign=False, text=" ", by=b, now=AFTER)
    told = sheets.answer(APRIL, sign=False, text="不认可漏检一项", by=b, now=AFTER)
    assert (told.signed, told.score) == (False, frozen.score)
    with pytest.raises(AssessmentError, match="已有签认或拒签"):
        sheets.answer(APRIL, sign=True, text="", by=b, now=AFTER)


def test_a_month_that_runs_or_that_nothing_was_owed_in_is_not_scored(month: dict[str, Account]) -> None:
    a = month["a_manager"]
    with pytest.raises(AssessmentError, match="还没有结束"):
        sheets.score(APRIL, by=a, now=datetime(2026, 4, 30, 15, 59, tzinfo=UTC))
    with pytest.raises(AssessmentError, match="没有计分的履行"):
        sheets.score("2026-01", by=a, now=MAY)
    with pytest.raises(AssessmentError, match="服务期内没有这个月"):
        sheets.score("2025-12", by=a, now=MAY)


@pytest.mark.parametrize(("points", "fine"), [("5", True), ("5.5", False), ("-1", False), ("0", False)])
def test_an_addition_stays_inside_what_the_rubric_allows(month: dict[str, Account], points: str, *, fine: bool) -> None:
    a = month["a_manager"]
    before = sheets.computed(APRIL).lost
    if fine:
        sheets.add(APRIL, "criticised", points=D(points), text="市级通报", file=FILE, by=a, now=MAY)
        assert sheets.computed(APRIL).lost == before + D(points)
    else:
        with pytest.raises(AssessmentError, match="每次至多"):
            sheets.add(APRIL, "criticised", points=D(points), text="市级通报", file=FILE, by=a, now=MAY)
    for odd in ("NaN", "Infinity", "1.005", "1E+400"):
        with pytest.raises(AssessmentError, match="不是分数"):
            sheets.add(APRIL, "criticised", points=D(odd), text="x", file=FILE, by=a, now=MAY)
    with pytest.raises(AssessmentError, match="没有这一项"):
        sheets.add(APRIL, "nothing", points=D(1), text="x", file=FILE, by=a, now=MAY)


def test_a_proof_stated_in_time_that_nobody_answered_costs_nothing(month: dict[str, Account]) -> None:
    line = next(line for line in sheets.computed(APRIL).lines if line.key == "S1.2:2026-04-08")
    assert (line.what, line.points) == ("pending", 0)


def test_the_audit_names_a_sheet_and_an_appeal_that_were_changed_in_the_database(month: dict[str, Account]) -> None:
    a, b = month["a_manager"], month["b_manager"]
    sheets.score(APRIL, by=a, now=MAY)
    made = sheets.appeal(APRIL, line_of(), statement="x", file=FILE, by=b, now=MAY)
    sheets.decide(made.pk, grant=False, reason="不实", by=a, now=MAY)
    sheets.add(APRIL, "help", points=D(-1), text="协助", file=FILE, by=a, now=MAY)
    sheets.score(APRIL, by=a, now=MAY)
    sheets.freeze(APRIL, by=a, now=datetime(2026, 5, 20, tzinfo=UTC))
    ledger.sequence(AFTER)
    assert [d for d in audit() if d.room == "assessment"] == []
    Sheet.objects.update(score=D(100))
    Appeal.objects.update(granted=True)
    row = Sheet.objects.get()
    body = json.loads(json.dumps(row.body))
    body["lost"] = "0.00"
    Sheet.objects.update(body=body)
    named = {(d.subject, d.field) for d in audit() if d.room == "assessment"}
    assert {("sheet:2026-04", "score"), ("sheet:2026-04", "body"), (f"appeal:{made.pk}", "state")} <= named
    Addition.objects.update(points=D(-2))
    assert any(d.field == "points" for d in audit() if d.room == "assessment")


def test_moving_a_row_to_exempt_by_a_claim_takes_its_line_off_the_open_sheet(month: dict[str, Account]) -> None:
    row = Occurrence.objects.filter(state=State.MISSED, obligation="S3.1").order_by("due_at").first()
    assert row is not None
    before = sheets.computed(APRIL).lost
    with transaction.atomic():
        move(locked(row.pk), State.EXEMPT, now=MAY, actor="a_manager", data={})
    assert sheets.computed(APRIL).lost == before - 1


def test_what_waits_is_told_to_the_side_that_it_waits_for(month: dict[str, Account]) -> None:
    a, b = month["a_manager"], month["b_manager"]

    def told(now: datetime) -> list[tuple[str, str]]:
        return [(w.side, w.what) for w in waiting.waiting(folder(), now)]

    assert told(datetime(2026, 4, 20, tzinfo=UTC)) == []
    assert told(MAY) == [("A", "2026-04 待评分")]
    sheets.score(APRIL, by=a, now=MAY)
    assert told(MAY) == [("B", "2026-04 已评分，可申诉")]
    line = line_of()
    made = sheets.appeal(APRIL, line, statement="x", file=FILE, by=b, now=MAY)
    assert ("A", f"2026-04 的申诉：{line}") in told(MAY)
    sheets.decide(made.pk, grant=False, reason="x", by=a, now=MAY)
    assert told(AFTER) == [("A", "2026-04 申诉期满，待定分")]
    sheets.freeze(APRIL, by=a, now=AFTER)
    assert told(AFTER) == [("B", "2026-04 待签认")]
    sheets.answer(APRIL, sign=True, text="", by=b, now=AFTER)
    payments.set_off(D(5), ground="x", file=FILE, by=a, now=AFTER)
    assert told(AFTER) == [("B", "抵扣 ¥ 5.00")]


def test_all_months_are_gathered_as_one_is_and_come_out_the_same(
    month: dict[str, Account], django_assert_num_queries: Any
) -> None:
    sheets.add(APRIL, "help", points=D("-1"), text="支援", file=FILE, by=month["a_manager"], now=MAY)
    april = datetime(2026, 4, 9, 2, 0, tzinfo=UTC)
    duties.record_event("security_incident", at=april, by=month["a_manager"], now=MAY, file=FILE)
    names = [m.name for m in sheets.months(folder())]
    together = sheets.computed_all(names)
    assert together == {name: sheets.computed(name) for name in names}
    assert together[APRIL].vetoes == ["security_incident"]
    with CaptureQueriesContext(connection) as one:
        sheets.computed(APRIL)
    with django_assert_num_queries(len(one)):
        sheets.computed_all(names)
