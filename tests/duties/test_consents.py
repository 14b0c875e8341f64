"""Prior consent: who asks, who answers, what it covers, and what was done without it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection

from tests.duties.conftest import People
from tests.duties.dealings_kit import FILE, NOW, asked, granted, shipped  # noqa: F401 - a fixture
from tests.duties.world import at
from yunwei.contract.folder import load
from yunwei.duties import consents
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Consent
from yunwei.ledger.audit import audit
from yunwei.ledger.models import Intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped")]
LATER = at("2026-10-14 10:00")

MINUTE = timedelta(minutes=1)


def test_consent_is_asked_under_every_duty_that_wants_one_and_a_ban_with_permission(shipped: Path) -> None:  # noqa: F811
    asked_under = {o.id for o in consents.asked_under(load(shipped))}
    assert {"R2", "G2", "G10", "G14", "G17", "G19", "G20", "G21", "G23", "G8"} == asked_under


def test_nothing_is_covered_until_the_other_side_said_yes(people: People) -> None:
    row = asked(people)
    assert consents.covered("G2", LATER, "P-1>P-2") is None
    consents.answer(row.pk, grant=True, by=people.client, now=at("2026-10-12 15:00"))
    assert consents.covered("G2", LATER, "P-1>P-2") == row
    assert consents.covered("G2", LATER, "P-1>P-3") is None, "another swap"
    assert consents.covered("G10", LATER, "P-1>P-2") is None, "another duty"
    assert consents.covered("G2", at("2026-10-13 08:59"), "P-1>P-2") is None
    assert consents.require("G2", LATER, "P-1>P-2") == row


def test_what_has_no_consent_is_refused_in_words() -> None:
    with pytest.raises(DutyError) as told:
        consents.require("G8", LATER, "SRV-01")
    assert "没有事先同意" in str(told.value)
    assert "G8" in (told.value.hint or "")


def test_a_refusal_covers_nothing_and_says_why(people: People) -> None:
    row = asked(people)
    with pytest.raises(DutyError):
        consents.answer(row.pk, grant=False, by=people.client, now=NOW, reason=" ")
    consents.answer(row.pk, grant=False, by=people.client, now=NOW, reason="人员资质不符")
    assert consents.covered("G2", LATER, "P-1>P-2") is None
    with pytest.raises(DutyError):
        consents.answer(row.pk, grant=True, by=people.client_colleague, now=NOW)


@pytest.mark.parametrize("who", ["vendor", "vendor_colleague", "officer", "stranger"])
def test_only_who_binds_the_other_side_answers(people: People, who: str) -> None:
    row = asked(people)
    with pytest.raises(DutyError):
        consents.answer(row.pk, grant=True, by=getattr(people, who), now=NOW)
    row.refresh_from_db()
    assert row.granted is None


@pytest.mark.parametrize("who", ["client", "officer", "stranger"])
def test_only_the_side_that_needs_it_asks(people: People, who: str) -> None:
    with pytest.raises(DutyError):
        consents.ask("G2", subject="x", what="x", starts=NOW, ends=LATER, by=getattr(people, who), now=NOW)


def test_a_window_that_is_over_is_not_asked_for_and_not_granted(people: People) -> None:
    with pytest.raises(DutyError, match="已经过去"):
        asked(people, start="2026-10-01 09:00", end="2026-10-02 09:00")
    with pytest.raises(DutyError, match="先后"):
        asked(people, start="2026-10-16 09:00", end="2026-10-16 09:00")
    row = asked(people)
    with pytest.raises(DutyError, match="已经过去"):
        consents.answer(row.pk, grant=True, by=people.client, now=at("2026-10-17 09:00"))


def test_a_written_consent_is_a_paper(people: People) -> None:
    row = asked(people, "G23", "BODY-1")
    with pytest.raises(DutyError, match="附上文件"):
        consents.answer(row.pk, grant=True, by=people.client, now=NOW)
    row = consents.answer(row.pk, grant=True, by=people.client, now=NOW, file=FILE)
    assert row.answer_artifact
    assert row.answer_file_name == "paper.pdf"


def test_an_address_is_moved_by_notice_and_a_ban_without_permission_is_not_lifted(people: People) -> None:
    for obligation in ("F7", "G22", "S1.2"):
        with pytest.raises(DutyError, match="不是须事先同意"):
            asked(people, obligation)


def test_taken_back_it_covers_what_was_before(people: People) -> None:
    row = granted(people)
    with pytest.raises(DutyError):
        consents.revoke(row.pk, by=people.vendor, now=LATER, reason="x")
    consents.revoke(row.pk, by=people.client_colleague, now=LATER, reason="暂停")
    assert consents.covered("G2", LATER - MINUTE, "P-1>P-2") == row
    assert consents.covered("G2", LATER, "P-1>P-2") is None


def test_withdrawn_it_is_not_answered(people: People) -> None:
    row = asked(people)
    with pytest.raises(DutyError):
        consents.withdraw(row.pk, by=people.client, now=NOW)
    consents.withdraw(row.pk, by=people.vendor_colleague, now=NOW)
    with pytest.raises(DutyError, match="已有结论"):
        consents.answer(row.pk, grant=True, by=people.client, now=NOW)


def test_an_act_without_consent_is_a_breach_and_stays_one(people: People) -> None:
    early = at("2026-10-12 10:00")
    act = consents.record_act(
        "R2", subject="T-1", what="远程会话", at=early, by=people.client, now=at("2026-10-12 12:00")
    )
    assert act.consent is None
    row = asked(people, "R2", "T-1", start="2026-10-12 09:30")
    consents.answer(row.pk, grant=True, by=people.client, now=at("2026-10-12 15:00"))
    act.refresh_from_db()
    assert consents.breaches([act]) == [act]
    good = consents.record_act("R2", subject="T-1", what="远程会话", at=LATER, by=people.vendor, now=LATER)
    assert good.consent == row
    assert consents.breaches([act, good]) == [act]
    with pytest.raises(DutyError):
        consents.record_act("R2", subject="T-1", what="x", at=LATER + MINUTE, by=people.vendor, now=LATER)


def test_the_database_keeps_out_who_answers_themselves(people: People) -> None:
    row = asked(people)
    with pytest.raises(IntegrityError):
        Consent.objects.filter(pk=row.pk).update(granted=True, answered_by=people.vendor)


def test_every_step_is_in_the_ledger_with_its_clauses(people: People) -> None:
    row = granted(people)
    consents.revoke(row.pk, by=people.client, now=LATER, reason="x")
    kinds = list(Intake.objects.filter(subject=f"consent:{row.pk}").order_by("pk").values_list("kind", flat=True))
    assert kinds == ["duties.consent.asked", "duties.consent.granted", "duties.consent.revoked"]
    assert b"7.2.6" in bytes(Intake.objects.get(kind="duties.consent.granted").body)


@pytest.mark.parametrize(
    ("table", "query", "field"),
    [
        ("consent", "update duties_consent set granted = %s", "granted"),
        ("consent", "update duties_consent set answered_at = '2026-10-01 00:00:00' where %s", "answered_at"),
        ("consent", "update duties_consent set subject = 'P-9' where %s", "subject"),
        ("act", "update duties_consentact set consent_id = 1 where consent_id is null and %s", "consent"),
        ("act", "delete from duties_consentact where %s", "row"),
    ],
)
def test_who_owns_the_database_is_found_out(people: People, table: str, query: str, field: str) -> None:
    row = granted(people)
    consents.record_act("G2", subject="P-1>P-9", what="x", at=LATER, by=people.client, now=LATER)
    assert audit() == []
    value = field != "granted"
    with connection.cursor() as cursor:
        cursor.execute(query.replace("consent_id = 1", f"consent_id = {row.pk}"), [value])
        assert cursor.rowcount
    found = audit()
    assert (table, field) in {(d.subject.partition(":")[0], d.field) for d in found}
