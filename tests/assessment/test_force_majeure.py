"""A case of force majeure: the event's own clocks, exactly the named occurrences excused, in one act of each side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.ui import contract_scene
from tests.ui.contract_scene import FILE, NOW
from yunwei.accounts.models import Account
from yunwei.assessment import force_majeure
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Majeure
from yunwei.duties import books
from yunwei.duties import services as duties
from yunwei.duties.models import Claim, Occurrence, State
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit

pytestmark = pytest.mark.django_db
OCCURRED = datetime(2026, 4, 6, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_seen", {})


@pytest.fixture
def case(people: dict[str, Account]) -> Majeure:
    contract_scene.play(people)
    event = duties.record_event(
        "force_majeure_occurred", at=OCCURRED, by=people["b_manager"], now=NOW, file=FILE, note="台风"
    )
    duties.bring_up_to_date(NOW)
    return force_majeure.open_case(
        event.pk, statement="台风停电", obligations=["S3.1", "S1.1-remote"], file=FILE, by=people["b_manager"], now=NOW
    )


def test_the_case_shows_the_contract_s_own_clocks(case: Majeure, people: dict[str, Account]) -> None:
    steps = {s.obligation: s.occurrence for s in force_majeure.steps(case)}
    assert list(steps) == ["F1", "F2", "F4", "F3"]
    assert steps["F2"] is not None
    assert steps["F2"].due_at == datetime(2026, 4, 21, 16, 0, tzinfo=UTC)  # fifteen calendar days, at 24:00
    assert steps["F3"] is None
    ended = duties.record_event("force_majeure_ended", at=NOW, by=people["b_manager"], now=NOW, file=FILE)
    duties.bring_up_to_date(NOW)
    force_majeure.end(case.pk, ended.pk, by=people["b_manager"], now=NOW)
    case.refresh_from_db()
    assert {s.obligation: s.occurrence is not None for s in force_majeure.steps(case)}["F3"]


def test_accepted_it_excuses_exactly_what_was_named(case: Majeure, people: dict[str, Account]) -> None:
    touched = force_majeure.hindered(case, NOW)
    assert {o.obligation for o in touched} == {"S3.1", "S1.1-remote"}
    missed = [o for o in touched if o.state in (State.MISSED, State.UNPROVEN)]
    assert len(missed) >= 3
    named, left = missed[:2], missed[2:]
    before = {o.pk: o.state for o in left}
    force_majeure.excuse(case.pk, [o.pk for o in named], statement="停电", file=FILE, by=people["b_manager"], now=NOW)
    assert Claim.objects.count() == 2
    force_majeure.answer(case.pk, accept=True, text="", by=people["a_manager"], now=NOW)
    assert set(Occurrence.objects.filter(state=State.EXEMPT).values_list("pk", flat=True)) == {o.pk for o in named}
    assert {o.pk: o.state for o in Occurrence.objects.filter(pk__in=before)} == before
    ledger.sequence(NOW)
    assert [d for d in audit() if d.room == "assessment" or d.subject in {o.key for o in named}] == []
    Majeure.objects.update(claims=[], accepted=None)
    assert {d.field for d in audit() if d.subject == f"majeure:{case.pk}"} == {"claims", "accepted"}


def test_disputed_nothing_changes_and_every_claim_is_disputed(case: Majeure, people: dict[str, Account]) -> None:
    some = [o.pk for o in force_majeure.hindered(case, NOW)][:2]
    before = list(Occurrence.objects.order_by("pk").values_list("pk", "state"))
    force_majeure.excuse(case.pk, some, statement="停电", file=FILE, by=people["b_manager"], now=NOW)
    with pytest.raises(AssessmentError, match="写明情况"):
        force_majeure.answer(case.pk, accept=False, text="", by=people["a_manager"], now=NOW)
    force_majeure.answer(case.pk, accept=False, text="机房未停电", by=people["a_manager"], now=NOW)
    assert set(Claim.objects.values_list("state", flat=True)) == {"disputed"}
    assert list(Occurrence.objects.order_by("pk").values_list("pk", "state")) == before


def test_what_lies_outside_the_case_is_refused_whole(case: Majeure, people: dict[str, Account]) -> None:
    inside = force_majeure.hindered(case, NOW)[0].pk
    other = Occurrence.objects.filter(obligation="S1.2").first()
    assert other is not None
    for beyond in ([inside, other.pk], [], [10**9]):
        with pytest.raises(AssessmentError):
            force_majeure.excuse(case.pk, beyond, statement="停电", file=FILE, by=people["b_manager"], now=NOW)
    assert Claim.objects.count() == 0
    early = duties.record_event(
        "force_majeure_ended", at=OCCURRED + timedelta(hours=1), by=people["b_manager"], now=NOW, file=FILE
    )
    force_majeure.end(case.pk, early.pk, by=people["b_manager"], now=NOW)
    case.refresh_from_db()
    later = [o for o in Occurrence.objects.filter(obligation="S3.1") if o.starts_at > early.at]
    assert later
    assert not {o.pk for o in later} & {o.pk for o in force_majeure.hindered(case, NOW)}


def test_who_may_and_in_which_order(case: Majeure, people: dict[str, Account]) -> None:
    a, b = people["a_manager"], people["b_manager"]
    some = [force_majeure.hindered(case, NOW)[0].pk]
    with pytest.raises(AssessmentError, match="还没有指明"):
        force_majeure.answer(case.pk, accept=True, text="", by=a, now=NOW)
    for act in (
        lambda: force_majeure.excuse(case.pk, some, statement="x", file=FILE, by=a, now=NOW),
        lambda: force_majeure.end(case.pk, 1, by=a, now=NOW),
    ):
        with pytest.raises(AssessmentError, match="受影响的一方"):
            act()
    force_majeure.excuse(case.pk, some, statement="x", file=FILE, by=b, now=NOW)
    with pytest.raises(AssessmentError, match="由对方答复"):
        force_majeure.answer(case.pk, accept=True, text="", by=b, now=NOW)
    force_majeure.answer(case.pk, accept=True, text="", by=a, now=NOW)
    with pytest.raises(AssessmentError, match="已有答复"):
        force_majeure.answer(case.pk, accept=True, text="", by=a, now=NOW)
    with pytest.raises(AssessmentError, match="已有答复"):
        force_majeure.excuse(case.pk, some, statement="x", file=FILE, by=b, now=NOW)


def test_a_case_needs_its_event_its_own_obligations_and_comes_once(case: Majeure, people: dict[str, Account]) -> None:
    b = people["b_manager"]

    def again(event: int, *names: str, by: Account = b) -> Majeure:
        return force_majeure.open_case(event, statement="x", obligations=names, file=FILE, by=by, now=NOW)

    with pytest.raises(AssessmentError, match="已有卷宗"):
        again(case.occurred_id, "S3.1")
    with pytest.raises(AssessmentError, match="没有这件不可抗力事件"):
        again(10**9, "S3.1")
    with pytest.raises(AssessmentError, match="不是本方的义务"):
        again(case.occurred_id, "P1")
    with pytest.raises(AssessmentError, match="写明受影响的义务"):
        again(case.occurred_id)
    with pytest.raises(AssessmentError, match="负责人提出"):
        again(case.occurred_id, "S3.1", by=people["b_engineer"])
    assert again(case.occurred_id, "A4", by=people["a_manager"]).side == "A"
