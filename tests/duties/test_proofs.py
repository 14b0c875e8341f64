"""Events, manual proof and claims: who may, what is needed, what the other side's answer does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tests.duties.conftest import People
from tests.duties.test_books import approve, kinds, row
from tests.duties.world import at
from yunwei.duties import services
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Claim, ManualProof, Occurrence, State, TriggerEvent
from yunwei.kernel.money import MoneyError
from yunwei.ledger.models import Artifact

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]
FILE = services.File("证明.pdf", b"proof", "application/pdf")
NOW = at("2026-03-05 10:00")
WALK = "walk-week:2026-W10"  # due at 24:00 of Friday 6 March


@pytest.fixture
def begun(people: People) -> People:
    approve(people, "2026-03-02 09:00")
    services.tick(NOW)
    return people


def proof(people: People, key: str = WALK, now: object = NOW) -> ManualProof:
    return services.state_proof(row(key).pk, statement="已巡视", file=FILE, by=people.vendor, now=now)  # type: ignore[arg-type]


# --- events


def test_an_event_starts_a_clock_and_is_in_the_ledger_with_its_file(begun: People) -> None:
    event = services.record_event("paper", at=at("2026-02-10 09:00"), by=begun.vendor, now=NOW, file=FILE)
    services.tick(NOW)
    answer = row(f"answer:event:{event.pk}")
    assert (answer.owes, answer.due_at, answer.state) == ("A", at("2026-03-10 00:00"), State.DUE)
    assert Artifact.objects.get(commitment=event.artifact).media_type == "application/pdf"
    assert kinds()["duties.event.recorded"] == 1


def test_an_event_that_needs_a_file_is_refused_without_one(begun: People) -> None:
    for file in (None, services.File("empty", b"")):
        with pytest.raises(DutyError, match="文件"):
            services.record_event("paper", at=NOW, by=begun.vendor, now=NOW, file=file)
    assert not TriggerEvent.objects.exists()
    assert services.record_event("asked", at=NOW, by=begun.vendor, now=NOW).artifact == ""


def test_who_may_record_an_event(begun: People) -> None:
    told = {"amount": "1000"}
    with pytest.raises(DutyError, match="由A登记"):
        services.record_event("invoice", at=NOW, by=begun.vendor, now=NOW, file=FILE, subject=told)
    for nobody in (begun.officer, begun.stranger):
        with pytest.raises(DutyError, match="不代表"):
            services.record_event("asked", at=NOW, by=nobody, now=NOW)
    begun.vendor.is_active = False
    with pytest.raises(DutyError, match="不代表"):
        services.record_event("asked", at=NOW, by=begun.vendor, now=NOW)


def test_an_event_is_known_and_not_in_the_future(begun: People) -> None:
    with pytest.raises(DutyError, match="没有触发事件") as caught:
        services.record_event("party", at=NOW, by=begun.vendor, now=NOW)
    assert "asked" in caught.value.hint
    with pytest.raises(DutyError, match="不晚于现在"):
        services.record_event("asked", at=NOW + timedelta(seconds=1), by=begun.vendor, now=NOW)
    with pytest.raises(DutyError, match="时区"):
        services.record_event("asked", at=NOW.replace(tzinfo=None), by=begun.vendor, now=NOW)


def test_only_an_equal_invoice_starts_the_clock(begun: People) -> None:
    services.record_event("effective", at=at("2026-02-03 09:00"), by=begun.client, now=NOW)
    wrong = services.record_event("invoice", at=NOW, by=begun.client, now=NOW, file=FILE, subject={"amount": "999.99"})
    services.tick(NOW)
    assert (wrong.starts_clock, Occurrence.objects.filter(obligation="pay").count()) == (False, 0)
    assert "不等" in wrong.why
    right = services.record_event(
        "invoice", at=NOW, by=begun.client, now=NOW, file=FILE, subject={"amount": "1,000.00"}
    )
    services.tick(NOW)
    assert row(f"pay:event:{right.pk}").due_at == at("2026-03-20 00:00")
    with pytest.raises(DutyError, match="金额"):
        services.record_event("invoice", at=NOW, by=begun.client, now=NOW, file=FILE)
    with pytest.raises(MoneyError):
        services.record_event("invoice", at=NOW, by=begun.client, now=NOW, file=FILE, subject={"amount": "much"})


def test_a_confirmed_price_decides_what_the_last_invoice_must_be(begun: People) -> None:
    services.record_event("effective", at=NOW, by=begun.client, now=NOW, subject={"amount": "900.00"})
    for amount, starts in (("1000.00", False), ("900", True)):
        told = {"amount": amount}
        event = services.record_event("invoice", at=NOW, by=begun.client, now=NOW, file=FILE, subject=told)
        assert event.starts_clock == starts
        assert event.subject == {"amount": f"{float(amount):.2f}"}


def test_an_event_and_its_ledger_row_come_together(begun: People, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("yunwei.duties.proofs.ledger.record", broken)
    with pytest.raises(OSError, match="full"):
        services.record_event("asked", at=NOW, by=begun.vendor, now=NOW)
    assert not TriggerEvent.objects.exists()


# --- manual proof


def test_a_confirmed_proof_settles_by_when_it_was_stated(begun: People) -> None:
    stated = proof(begun)
    assert row(WALK).state == State.DUE
    services.tick(at("2026-03-12 10:00"))
    assert row(WALK).state == State.DUE  # the receiver's delay costs nobody anything
    services.answer_proof(stated.pk, confirm=True, by=begun.client, now=at("2026-03-12 11:00"))
    assert (row(WALK).state, row(WALK).done_at) == (State.KEPT, NOW)
    assert kinds()["duties.proof.stated"] == kinds()["duties.proof.confirmed"] == 1


def test_a_proof_stated_late_is_late(begun: People) -> None:
    services.tick(at("2026-03-09 09:00"))
    assert row(WALK).state == State.MISSED
    stated = proof(begun, now=at("2026-03-09 10:00"))
    services.answer_proof(stated.pk, confirm=True, by=begun.client, now=at("2026-03-09 11:00"))
    assert row(WALK).state == State.LATE


def test_a_refused_proof_settles_nothing_and_can_be_brought_again(begun: People) -> None:
    first = proof(begun)
    with pytest.raises(DutyError, match="理由"):
        services.answer_proof(first.pk, confirm=False, by=begun.client, now=NOW)
    services.answer_proof(first.pk, confirm=False, by=begun.client, now=NOW, answer="没有照片")
    assert row(WALK).state == State.DUE
    proof(begun)
    services.tick(at("2026-03-09 09:00"))
    assert row(WALK).state == State.DUE


def test_without_an_answer_a_refused_one_is_missed(begun: People) -> None:
    services.answer_proof(proof(begun).pk, confirm=False, by=begun.client, now=NOW, answer="没有照片")
    services.tick(at("2026-03-07 00:00"))
    assert row(WALK).state == State.MISSED


def test_never_by_a_colleague(begun: People) -> None:
    stated = proof(begun)
    for colleague in (begun.vendor, begun.vendor_colleague):
        with pytest.raises(DutyError, match="本方人员"):
            services.answer_proof(stated.pk, confirm=True, by=colleague, now=NOW)
    for nobody in (begun.officer, begun.stranger):
        with pytest.raises(DutyError, match="不代表"):
            services.answer_proof(stated.pk, confirm=True, by=nobody, now=NOW)
    assert row(WALK).state == State.DUE


def test_the_database_refuses_a_self_confirmation(begun: People) -> None:
    stated = proof(begun)
    with pytest.raises(IntegrityError), transaction.atomic():
        ManualProof.objects.filter(pk=stated.pk).update(answered_by=begun.vendor, confirmed=True)


def test_of_a_duty_of_both_the_other_side_confirms(begun: People) -> None:
    event = services.record_event("storm", at=NOW, by=begun.client, now=NOW)
    services.tick(NOW)
    key = f"notice:event:{event.pk}"
    stated = services.state_proof(row(key).pk, statement="证明", file=FILE, by=begun.client, now=NOW)
    with pytest.raises(DutyError, match="本方人员"):
        services.answer_proof(stated.pk, confirm=True, by=begun.client_colleague, now=NOW)
    services.answer_proof(stated.pk, confirm=True, by=begun.vendor, now=NOW)
    assert row(key).state == State.KEPT


def test_a_duty_of_the_client_is_proven_by_the_client(begun: People) -> None:
    event = services.record_event("paper", at=NOW, by=begun.vendor, now=NOW, file=FILE)
    services.tick(NOW)
    answer = row(f"answer:event:{event.pk}").pk
    with pytest.raises(DutyError, match="负有义务"):
        services.state_proof(answer, statement="已答复", file=FILE, by=begun.vendor, now=NOW)
    stated = services.state_proof(answer, statement="已答复", file=FILE, by=begun.client, now=NOW)
    services.answer_proof(stated.pk, confirm=True, by=begun.vendor, now=NOW)
    assert row(f"answer:event:{event.pk}").state == State.KEPT


def test_a_proof_needs_words_and_a_file_and_is_open_once(begun: People) -> None:
    pk = row(WALK).pk
    with pytest.raises(DutyError, match="文件"):
        services.state_proof(pk, statement="已巡视", file=None, by=begun.vendor, now=NOW)
    with pytest.raises(DutyError, match="写明"):
        services.state_proof(pk, statement=" ", file=FILE, by=begun.vendor, now=NOW)
    proof(begun)
    with pytest.raises(DutyError, match="待对方确认"):
        proof(begun)


def test_what_a_procedure_serves_is_not_proven_by_hand(begun: People) -> None:
    with pytest.raises(DutyError, match="流程"):
        services.state_proof(row("look-week:2026-W10").pk, statement="看过", file=FILE, by=begun.vendor, now=NOW)


def test_a_state_without_gaps_is_proven_after_its_period(begun: People) -> None:
    with pytest.raises(DutyError, match="本期结束之后"):
        proof(begun, "hotline:2026-03")
    assert row("hotline:2026-02").state == State.UNPROVEN
    stated = proof(begun, "hotline:2026-02")
    services.answer_proof(stated.pk, confirm=True, by=begun.client, now=NOW)
    assert (row("hotline:2026-02").state, row("hotline:2026-02").cause) == (State.KEPT, "")


def test_a_settled_one_takes_no_proof_and_an_answered_one_no_answer(begun: People) -> None:
    stated = proof(begun)
    services.answer_proof(stated.pk, confirm=True, by=begun.client, now=NOW)
    with pytest.raises(DutyError, match="已是"):
        proof(begun)
    with pytest.raises(DutyError, match="已有答复"):
        services.answer_proof(stated.pk, confirm=True, by=begun.client, now=NOW)
    with pytest.raises(DutyError, match="没有这条"):
        services.answer_proof(10**9, confirm=True, by=begun.client, now=NOW)


# --- claims


def claim(people: People, key: str = WALK, ground: str = "8.2") -> Claim:
    return services.claim_exemption(row(key).pk, ground=ground, statement="停电", file=FILE, by=people.vendor, now=NOW)


def test_an_accepted_exemption_excuses(begun: People) -> None:
    made = claim(begun)
    assert row(WALK).state == State.DUE
    services.answer_claim(made.pk, accept=True, by=begun.client, now=NOW)
    assert row(WALK).state == State.EXEMPT
    assert not row(WALK).disputed
    assert kinds()["duties.claim.made"] == kinds()["duties.claim.accepted"] == kinds()["duties.occurrence.exempt"] == 1


def test_a_missed_one_can_be_excused_afterwards(begun: People) -> None:
    services.tick(at("2026-03-09 09:00"))
    services.answer_claim(claim(begun).pk, accept=True, by=begun.client, now=at("2026-03-09 10:00"))
    assert row(WALK).state == State.EXEMPT


def test_a_disputed_claim_changes_nothing_and_shows(begun: People) -> None:
    made = claim(begun)
    with pytest.raises(DutyError, match="理由"):
        services.answer_claim(made.pk, accept=False, by=begun.client, now=NOW)
    services.answer_claim(made.pk, accept=False, by=begun.client, now=NOW, answer="当日并未停电")
    assert (row(WALK).state, row(WALK).disputed) == (State.DUE, True)
    with pytest.raises(DutyError, match="已有答复"):
        services.answer_claim(made.pk, accept=True, by=begun.client, now=NOW)
    services.tick(at("2026-03-09 09:00"))
    assert row(WALK).state == State.MISSED


def test_grounds(begun: People) -> None:
    with pytest.raises(DutyError, match="赔偿请求"):
        claim(begun, ground="9.1")
    for ground in ("10", "", "8.3", "99"):
        with pytest.raises(DutyError, match="不是免责条款"):
            claim(begun, ground=ground)
    assert claim(begun, ground="8").ground == "8"  # the article as a whole


def test_a_side_invokes_only_what_is_its_own(begun: People) -> None:
    event = services.record_event("paper", at=NOW, by=begun.vendor, now=NOW, file=FILE)
    services.tick(NOW)
    pk = row(f"answer:event:{event.pk}").pk
    with pytest.raises(DutyError, match="不能援引"):
        services.claim_exemption(pk, ground="8.2", statement="x", file=FILE, by=begun.client, now=NOW)
    assert services.claim_exemption(pk, ground="8.1", statement="x", file=FILE, by=begun.client, now=NOW)
    with pytest.raises(DutyError, match="负有义务"):
        services.claim_exemption(row(WALK).pk, ground="8.1", statement="x", file=FILE, by=begun.client, now=NOW)


def test_a_claim_needs_proof_and_another_side_s_answer(begun: People) -> None:
    with pytest.raises(DutyError, match="文件"):
        services.claim_exemption(row(WALK).pk, ground="8.2", statement="x", file=None, by=begun.vendor, now=NOW)
    made = claim(begun)
    with pytest.raises(DutyError, match="待对方答复"):
        claim(begun)
    with pytest.raises(DutyError, match="本方人员"):
        services.answer_claim(made.pk, accept=True, by=begun.vendor_colleague, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Claim.objects.filter(pk=made.pk).update(answered_by=begun.vendor)


def test_kept_needs_no_excuse(begun: People) -> None:
    services.answer_proof(proof(begun).pk, confirm=True, by=begun.client, now=NOW)
    with pytest.raises(DutyError, match="不能这样主张"):
        claim(begun)


def test_a_cause_is_claimed_with_proof_and_accepted(begun: People) -> None:
    pk = row("hotline:2026-02").pk
    for cause in ("vendor", "unknown", "fate"):
        with pytest.raises(DutyError, match="甲方或第三方"):
            services.claim_cause(pk, cause=cause, statement="x", file=FILE, by=begun.vendor, now=NOW)
    made = services.claim_cause(pk, cause="client", statement="甲方断电", file=FILE, by=begun.vendor, now=NOW)
    assert row("hotline:2026-02").cause == "unknown"
    services.answer_claim(made.pk, accept=True, by=begun.client, now=NOW)
    assert (row("hotline:2026-02").state, row("hotline:2026-02").cause) == (State.UNPROVEN, "client")
    with pytest.raises(DutyError, match="不能这样主张"):
        services.claim_cause(row(WALK).pk, cause="third", statement="x", file=FILE, by=begun.vendor, now=NOW)
