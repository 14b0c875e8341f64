"""Acceptance of a year and rectification orders: who may, what holds a decision up, which clocks it starts, what is shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.ui import contract_scene as scene
from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assessment import acceptance, pack, rectify
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Acceptance, Opinion, Order, Recheck
from yunwei.duties import books, sources
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof, Occurrence, State, TriggerEvent
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit

pytestmark = pytest.mark.django_db
NOW = scene.NOW
H = timedelta(hours=1)
DUE = NOW + timedelta(days=9)


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_seen", {})


def submit(people: dict[str, Account], now: datetime = NOW) -> Acceptance:
    return acceptance.submit(statement="年度工作完成，申请验收", file=FILE, by=people["b_manager"], now=now)


def examined(row: Acceptance, people: dict[str, Account], **more: Any) -> Opinion:
    given: dict[str, Any] = {
        "speaker": "tester", "organisation": "某测评中心", "name": "某人", "qualification": "CNAS 0001", "conforming": True,
        "text": "", "file": FILE, "by": people["a_manager"], "now": NOW + H,
    }  # fmt: skip
    return acceptance.opine(row.pk, **{**given, **more})


def decide(
    row: Acceptance, people: dict[str, Account], *, passed: bool, reason: str = "", now: datetime = NOW + 2 * H
) -> Acceptance:
    return acceptance.decide(row.pk, passed=passed, reason=reason, file=FILE, by=people["a_manager"], now=now)


def ordered(people: dict[str, Account], **more: Any) -> Order:
    given: dict[str, Any] = {
        "clause": "7.1.4", "due_at": DUE, "about": "", "file": FILE, "by": people["a_manager"], "now": NOW,
    }  # fmt: skip
    return rectify.order("机柜标签缺失", **{**given, **more})


def clock_of(name: str, event: TriggerEvent | None) -> Occurrence:
    assert event is not None
    duties.bring_up_to_date(NOW + 3 * H)
    return Occurrence.objects.get(obligation=name, period=f"event:{event.pk}")


def no_difference() -> None:
    ledger.sequence(NOW + 30 * H)
    assert [d for d in audit() if d.room == "assessment"] == []


# --- acceptance -------------------------------------------------------------------------------------------------------


def test_a_year_is_submitted_examined_decided_and_countersigned_and_the_event_starts_the_price_s_clock(
    people: dict[str, Account],
) -> None:
    row = submit(people)
    examined(row, people)
    examined(row, people, speaker="department", organisation="单位edu", qualification="", text="满意")
    row = decide(row, people, passed=True)
    assert row.event is not None
    assert (row.event.kind, row.event.starts_clock) == ("acceptance_passed", True)
    row = acceptance.answer(row.pk, sign=True, text="", by=people["b_manager"], now=NOW + 3 * H)
    assert row.signed is True
    with pytest.raises(AssessmentError, match="已经通过验收"):
        submit(people, NOW + 4 * H)
    no_difference()


def test_a_party_never_decides_on_its_own_work(people: dict[str, Account]) -> None:
    a, b = people["a_manager"], people["b_manager"]
    for who in (a, people["auditor"], people["b_engineer"], people["tenant"]):
        with pytest.raises(AssessmentError, match="乙方项目经理提交"):
            acceptance.submit(statement="x", file=FILE, by=who, now=NOW)
    row = submit(people)
    with pytest.raises(AssessmentError, match="由甲方或受托"):
        examined(row, people, by=b)
    ours = next(p.name for p in sources.folder().contract.parties if p.role == "B")
    with pytest.raises(AssessmentError, match="不能检查自己"):
        examined(row, people, organisation=ours)
    examined(row, people)
    for who in (b, people["auditor"], people["tenant"]):
        with pytest.raises(AssessmentError, match="由甲方项目负责人"):
            acceptance.decide(row.pk, passed=True, reason="", file=FILE, by=who, now=NOW)
    decide(row, people, passed=True)
    with pytest.raises(AssessmentError, match="乙方项目经理签认"):
        acceptance.answer(row.pk, sign=True, text="", by=a, now=NOW)


def test_an_assessor_records_what_it_found_and_no_department_s_opinion(people: dict[str, Account]) -> None:
    third = Organisation.objects.create(code="X", name="某测评中心", party="X")
    assessor = Account.objects.create(
        username="t", display_name="t", role=Role.ASSESSOR, organisation=third, password="t"
    )
    row = submit(people)
    assert examined(row, people, by=assessor).recorded_by == assessor
    with pytest.raises(AssessmentError, match="没有这种意见"):
        examined(row, people, by=assessor, speaker="department")


def test_nothing_is_decided_without_an_examiner_a_file_or_where_it_failed_a_reason(people: dict[str, Account]) -> None:
    row = submit(people)
    with pytest.raises(AssessmentError, match="还没有测试与检查人"):
        decide(row, people, passed=True)
    with pytest.raises(AssessmentError, match="需要写明"):
        examined(row, people, qualification=" ")
    with pytest.raises(AssessmentError, match="需要写明"):
        examined(row, people, conforming=False)
    with pytest.raises(AssessmentError, match="没有这项标准要求"):
        examined(row, people, about="Z9")
    examined(row, people, conforming=False, text="备份未演练", about="技3")
    with pytest.raises(AssessmentError, match="需要写明"):
        decide(row, people, passed=True)  # somebody spoke against: passing needs a reason too
    with pytest.raises(AssessmentError, match="需要写明"):
        decide(row, people, passed=False)
    with pytest.raises(YunweiError, match="需要附上文件"):
        acceptance.decide(row.pk, passed=False, reason="x", file=None, by=people["a_manager"], now=NOW)
    decide(row, people, passed=False, reason="备份未演练")
    with pytest.raises(AssessmentError, match="已有结论"):
        decide(row, people, passed=True, reason="x")
    with pytest.raises(AssessmentError, match="已有结论"):
        examined(row, people)


def test_a_failed_year_is_rectified_under_its_own_clock_and_accepted_in_the_next_round(
    people: dict[str, Account],
) -> None:
    row = submit(people)
    examined(row, people)
    with pytest.raises(AssessmentError, match="待甲方决定"):
        submit(people)
    failed = decide(row, people, passed=False, reason="备份未演练")
    clock = clock_of("Q9", failed.event)
    assert clock.state == State.DUE
    row = acceptance.answer(row.pk, sign=False, text="演练已做", by=people["b_manager"], now=NOW + 3 * H)
    assert row.signed is False
    second = submit(people, NOW + 4 * H)
    assert second.round == 2
    assert ManualProof.objects.filter(occurrence=clock, confirmed__isnull=True).count() == 1
    examined(second, people, now=NOW + 5 * H)
    decide(second, people, passed=True, now=NOW + 6 * H)
    clock.refresh_from_db()
    assert clock.state == State.KEPT
    no_difference()


def test_a_refusal_needs_its_reason_and_comes_after_the_decision(people: dict[str, Account]) -> None:
    row = submit(people)
    with pytest.raises(AssessmentError, match="还没有决定"):
        acceptance.answer(row.pk, sign=True, text="", by=people["b_manager"], now=NOW)
    examined(row, people)
    decide(row, people, passed=True)
    with pytest.raises(AssessmentError, match="需要写明"):
        acceptance.answer(row.pk, sign=False, text=" ", by=people["b_manager"], now=NOW)
    acceptance.answer(row.pk, sign=True, text="", by=people["b_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="已有签认"):
        acceptance.answer(row.pk, sign=True, text="", by=people["b_manager"], now=NOW)


# --- rectification ----------------------------------------------------------------------------------------------------


def test_an_order_runs_round_after_round_until_it_conforms_and_its_clock_with_it(people: dict[str, Account]) -> None:
    row, b, a = ordered(people), people["b_manager"], people["a_manager"]
    clock = clock_of("Q8", row.event)
    assert rectify.standing(row, NOW).state == "open"
    assert rectify.standing(row, DUE + H).state == "overdue"
    rectify.report(row.pk, statement="已贴", file=FILE, by=b, now=NOW + H)
    assert rectify.standing(Order.objects.get(), DUE + H).state == "reported"
    with pytest.raises(AssessmentError, match="待甲方复检"):
        rectify.report(row.pk, statement="已贴", file=FILE, by=b, now=NOW + H)
    with pytest.raises(AssessmentError, match="需要写明"):
        rectify.check(row.pk, conforming=False, finding="", by=a, now=NOW + 2 * H)
    rectify.check(row.pk, conforming=False, finding="背面没有", by=a, now=NOW + 2 * H)
    assert rectify.standing(Order.objects.get(), NOW + 2 * H).state == "open"
    rectify.report(row.pk, statement="背面已贴", file=FILE, by=people["b_engineer"], now=NOW + 3 * H)
    rectify.check(row.pk, conforming=True, finding="", by=a, now=NOW + 4 * H)
    assert rectify.standing(Order.objects.get(), DUE + H).state == "conforming"
    clock.refresh_from_db()
    assert (clock.state, clock.done_at) == (State.KEPT, NOW + 3 * H)
    answers = list(ManualProof.objects.filter(occurrence=clock).order_by("id").values_list("confirmed", "answer"))
    assert answers == [(False, "背面没有"), (True, "")]
    with pytest.raises(AssessmentError, match="已经符合"):
        rectify.report(row.pk, statement="x", file=FILE, by=b, now=NOW + 5 * H)
    with pytest.raises(AssessmentError, match="没有待复检"):
        rectify.check(row.pk, conforming=True, finding="", by=a, now=NOW + 5 * H)
    no_difference()


def test_the_year_does_not_pass_while_an_order_is_open_and_it_is_said_which(people: dict[str, Account]) -> None:
    row, order = submit(people), ordered(people)
    examined(row, people)
    with pytest.raises(AssessmentError, match=f"整改 {order.pk}: 还有整改未符合"):
        decide(row, people, passed=True)
    rectify.report(order.pk, statement="已贴", file=FILE, by=people["b_manager"], now=NOW + H)
    with pytest.raises(AssessmentError, match="还有整改未符合"):
        decide(row, people, passed=True)  # reported is not conforming
    rectify.check(order.pk, conforming=True, finding="", by=people["a_manager"], now=NOW + H)
    assert decide(row, people, passed=True).passed


def test_an_order_needs_a_clause_a_moment_ahead_a_file_and_a_subject_that_is_there(people: dict[str, Account]) -> None:
    for who in (people["b_manager"], people["auditor"]):
        with pytest.raises(AssessmentError, match="由甲方项目负责人"):
            ordered(people, by=who)
    with pytest.raises(AssessmentError, match="没有条款"):
        ordered(people, clause="99")
    for moment in (NOW, NOW - H, DUE.replace(tzinfo=None), NOW + timedelta(days=9999)):
        with pytest.raises(AssessmentError, match="在现在之后"):
            ordered(people, due_at=moment)
    with pytest.raises(YunweiError, match="需要附上文件"):
        ordered(people, file=None)
    for about in ("S9:x", "finding:1", "finding:x", "T-1", "acceptance:2026/1", "acceptance:2026/x"):
        with pytest.raises(AssessmentError, match="没有这个对象"):
            ordered(people, about=about)
    row = submit(people)
    assert ordered(people, about=f"acceptance:{row.year}/1").about == "acceptance:2026/1"
    assert Order.objects.count() == TriggerEvent.objects.filter(kind="correction_ordered").count() == 1


def test_the_moment_is_disputed_once_and_moved_or_left_standing(people: dict[str, Account]) -> None:
    a, b = people["a_manager"], people["b_manager"]
    row, later = ordered(people), DUE + timedelta(days=5)
    with pytest.raises(AssessmentError, match="乙方项目经理提出异议"):
        rectify.dispute(row.pk, until=later, reason="x", by=a, now=NOW)
    with pytest.raises(AssessmentError, match="须晚于甲方"):
        rectify.dispute(row.pk, until=DUE, reason="备件要两周", by=b, now=NOW)
    with pytest.raises(AssessmentError, match="没有待答复"):
        rectify.answer_dispute(row.pk, until=later, reason="x", by=a, now=NOW)
    rectify.dispute(row.pk, until=later, reason="备件要两周", by=b, now=NOW)
    with pytest.raises(AssessmentError, match="已经提出过"):
        rectify.dispute(row.pk, until=later, reason="备件要两周", by=b, now=NOW)
    with pytest.raises(AssessmentError, match="由甲方答复"):
        rectify.answer_dispute(row.pk, until=later, reason="x", by=b, now=NOW)
    assert rectify.standing(Order.objects.get(), DUE + H).state == "overdue"
    moved = rectify.answer_dispute(row.pk, until=later, reason="同意", by=a, now=NOW + H)
    assert moved.due == later
    assert rectify.standing(Order.objects.get(), DUE + H).state == "open"
    no_difference()


def test_rows_that_were_changed_by_hand_are_named(people: dict[str, Account]) -> None:
    row, order = submit(people), ordered(people)
    examined(row, people)
    rectify.report(order.pk, statement="已贴", file=FILE, by=people["b_manager"], now=NOW + H)
    decide(row, people, passed=False, reason="标签")
    no_difference()
    Opinion.objects.update(name="别人", conforming=False)
    Order.objects.update(due_at=DUE + H)
    Recheck.objects.update(statement="没贴")
    Acceptance.objects.update(reason="没有理由")
    named = {(d.subject.partition(":")[0], d.field) for d in audit() if d.room == "assessment"}
    assert named == {
        ("opinion", "identity"), ("opinion", "conforming"), ("order", "due"), ("order", "statement"), ("acceptance", "reason"),
    }  # fmt: skip


# --- what it rests on -------------------------------------------------------------------------------------------------


def test_the_pack_has_every_obligation_with_its_counts_and_says_what_nothing_proves(people: dict[str, Account]) -> None:
    scene.play(people)
    folder = sources.folder()
    told = pack.gather(folder, NOW)
    assert [line.duty.id for line in told.lines] == [o.id for o in folder.obligations]
    lines = {line.duty.id: line.tally for line in told.lines}
    rows = Occurrence.objects.filter(counts=True)
    for name, tally in lines.items():
        mine = rows.filter(obligation=name)
        assert tally.all == mine.count()
        for state in (State.KEPT, State.LATE, State.MISSED, State.UNPROVEN, State.EXEMPT):
            assert tally.counts[state] == mine.filter(state=state).count()
        assert tally.uncounted == Occurrence.objects.filter(obligation=name, counts=False).count()
    assert told.total.all == rows.count()
    assert lines["S1.2"].counts["kept"] == 1
    assert lines["S1.2"].first == min(
        ledger.numbers_of(rows.filter(obligation="S1.2").values_list("evidence", flat=True)).values()
    )
    assert [m.requirement.id for m in told.of_group("safety")] == ["安1", "安2", "安3"]
    states = {m.requirement.id: m.state for m in told.measured}
    assert states["技3"] == "gaps"  # backups were kept and some were missed
    assert states["服2"] == "none"  # no report was ever proven


def test_examiners_findings_stand_beside_the_requirement_they_are_about(people: dict[str, Account]) -> None:
    row = submit(people)
    examined(row, people, about="技3", text="恢复通过")
    told = pack.gather(sources.folder(), NOW, acceptance.rounds(sources.folder()))
    assert {m.requirement.id: [o.text for o in m.opinions] for m in told.measured if m.opinions} == {
        "技3": ["恢复通过"]
    }


def test_a_contract_that_says_nothing_about_its_end_is_not_accepted_here(people: dict[str, Account]) -> None:
    path = sources.contract_dir() / "year_end.yaml"
    text = path.read_text("utf-8")
    path.unlink()
    try:
        with pytest.raises(AssessmentError, match="没有验收与移交的约定"):
            submit(people)
        assert pack.gather(sources.folder(), NOW).measured == []
    finally:
        path.write_text(text, "utf-8")
