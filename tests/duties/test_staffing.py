"""People and third parties under the contract: nobody is swapped and nobody is brought in without the consent before it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from django.db import connection

from tests.duties.conftest import People
from tests.duties.dealings_kit import FILE, NOW, change, granted, shipped, team  # noqa: F401 - a fixture
from tests.duties.world import at
from yunwei.accounts import staff
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Body, StaffMember
from yunwei.contract.folder import load
from yunwei.duties import consents, staffing
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Occurrence
from yunwei.duties.services import bring_up_to_date
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.audit import audit
from yunwei.ledger.models import Intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped")]
INSIDE = at("2026-10-14 10:00")


def member(code: str) -> StaffMember:
    return StaffMember.objects.get(code=code)


def entered(people: People, code: str, *, key: bool = False) -> StaffMember:
    return staff.enter(code, f"演示人员{code}", "工程师", key_person=key, file=FILE, by=people.vendor, now=NOW)


def test_a_person_is_in_place_from_the_clients_word_on(people: People) -> None:
    row = entered(people, "P-1", key=True)
    assert (row.confirmed, row.since) == (None, None)
    with pytest.raises(AccountError):
        staff.confirm("P-1", accept=True, by=people.vendor, now=NOW)
    with pytest.raises(AccountError):
        staff.confirm("P-1", accept=False, by=people.client, now=NOW)
    staff.confirm("P-1", accept=True, by=people.client, now=NOW)
    assert member("P-1").since == NOW
    with pytest.raises(AccountError, match="已有结论"):
        staff.confirm("P-1", accept=False, by=people.client, now=NOW, reason="x")


@pytest.mark.parametrize("who", ["client", "officer", "stranger"])
def test_only_the_vendor_enters_and_only_with_proof(people: People, who: str) -> None:
    with pytest.raises(AccountError):
        staff.enter("P-9", "x", "x", key_person=False, file=FILE, by=getattr(people, who), now=NOW)
    with pytest.raises(AccountError, match="附上文件"):
        staff.enter("P-9", "x", "x", key_person=False, file=None, by=people.vendor, now=NOW)
    with pytest.raises(AccountError, match="编号"):
        staff.enter("P 9", "x", "x", key_person=False, file=FILE, by=people.vendor, now=NOW)
    entered(people, "P-9")
    with pytest.raises(AccountError, match="已被使用"):
        entered(people, "P-9")


def test_a_swap_without_consent_is_refused_and_changes_nothing(people: People) -> None:
    team(people, "P-1")
    entered(people, "P-2")
    with pytest.raises(DutyError) as told:
        staff.replace("P-1", "P-2", by=people.vendor, now=INSIDE, reason="调岗")
    assert "没有事先同意" in str(told.value)
    assert member("P-1").until is None
    assert member("P-2").since is None
    assert not Intake.objects.filter(kind="accounts.staff.replaced").exists()


def test_a_swap_with_the_consent_to_it_takes_place(people: People) -> None:
    team(people, "P-1")
    entered(people, "P-2")
    entered(people, "P-3")
    consent = granted(people, subject="P-1>P-2")
    with pytest.raises(DutyError):
        staff.replace("P-1", "P-3", by=people.vendor, now=INSIDE, reason="调岗")
    with pytest.raises(DutyError):
        staff.replace("P-1", "P-2", by=people.vendor, now=at("2026-10-12 14:00"), reason="先斩后奏")
    new = staff.replace("P-1", "P-2", by=people.vendor, now=INSIDE, reason="调岗")
    assert (new.since, new.confirmed, new.key_person, new.consent) == (INSIDE, True, True, consent.pk)
    assert member("P-1").until == INSIDE
    assert audit() == []


def test_a_refused_consent_keeps_the_person(people: People) -> None:
    team(people, "P-1")
    entered(people, "P-2")
    row = consents.ask(
        "G2", subject=staff.swap_subject("P-1", "P-2"), what="x", starts=NOW, ends=INSIDE, by=people.vendor, now=NOW
    )
    consents.answer(row.pk, grant=False, by=people.client, now=NOW, reason="没有同等资质")
    with pytest.raises(DutyError):
        staff.replace("P-1", "P-2", by=people.vendor, now=INSIDE - timedelta(hours=1), reason="调岗")
    assert member("P-1").until is None


def test_while_no_list_names_the_key_people_everybody_is_one(people: People, shipped: Path) -> None:  # noqa: F811
    team(people, "P-1", "P-4")
    entered(people, "P-2")
    assert not member("P-4").key_person
    with pytest.raises(DutyError, match="没有事先同意"):
        staff.replace("P-4", "P-2", by=people.vendor, now=INSIDE, reason="调岗")
    first = next(d.id for d in load(shipped).documents if d.present)
    path = shipped / "open_items.yaml"
    path.write_text(
        path.read_text("utf-8").replace("  - id: staff-names\n", f"  - id: staff-names\n    closed_by: {first}\n")
    )
    with pytest.raises(AccountError, match="还没有经甲方确认"):
        staff.replace("P-4", "P-2", by=people.vendor, now=INSIDE, reason="调岗")
    with pytest.raises(DutyError, match="没有事先同意"):
        staff.leave("P-1", by=people.vendor, now=INSIDE, reason="离职")
    staff.leave("P-4", by=people.vendor, now=INSIDE, reason="离职")
    assert member("P-4").until == INSIDE


def test_who_the_client_rejects_goes_and_the_duty_to_see_to_it_runs(people: People) -> None:
    team(people, "P-1", "P-4")
    with pytest.raises(YunweiError):
        staffing.reject("P-4", by=people.vendor, now=INSIDE, reason="x", file=FILE)
    row, event = staffing.reject("P-4", by=people.client, now=INSIDE, reason="不能胜任", file=FILE)
    assert row.demanded_at == INSIDE
    assert event is not None
    assert event.subject == {"staff": "P-4"}
    bring_up_to_date(INSIDE)
    assert Occurrence.objects.get(obligation="G3", period=f"event:{event.pk}").owes == "B"
    staff.leave("P-4", by=people.vendor, now=INSIDE, reason="按甲方要求撤换")
    assert member("P-4").until == INSIDE
    assert audit() == []


def test_a_demand_without_its_paper_leaves_nothing_behind(people: People) -> None:
    team(people, "P-4")
    with pytest.raises(YunweiError):
        staffing.reject("P-4", by=people.client, now=INSIDE, reason="不能胜任", file=None)
    assert member("P-4").demanded_at is None


def test_a_body_is_engaged_only_with_the_written_consent_to_it(people: People) -> None:
    staff.enter_body("BODY-1", "演示测评机构", "crypto", file=FILE, by=people.vendor, now=NOW)
    with pytest.raises(DutyError, match="没有事先同意"):
        staff.engage("BODY-1", by=people.vendor, now=INSIDE)
    granted(people, "G10", "BODY-1")
    with pytest.raises(DutyError):
        staff.engage("BODY-1", by=people.vendor, now=INSIDE)
    consent = granted(people, "G23", "BODY-1")
    assert staff.engage("BODY-1", by=people.vendor, now=INSIDE).consent == consent.pk
    staff.end("BODY-1", by=people.vendor, now=INSIDE + timedelta(days=9))
    with pytest.raises(AccountError):
        staff.end("BODY-1", by=people.vendor, now=INSIDE + timedelta(days=9))
    assert audit() == []
    staff.enter_body("BODY-2", "未约定的单位", "cook", file=FILE, by=people.vendor, now=NOW)
    with pytest.raises(DutyError, match="没有约定"):
        staff.engage("BODY-2", by=people.vendor, now=INSIDE)


def test_nothing_changes_where_nobody_knows_the_contract(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    team(people, "P-1")
    entered(people, "P-2")
    monkeypatch.setattr(staff, "_prior", [])
    with pytest.raises(AccountError, match="没有合同可依"):
        staff.replace("P-1", "P-2", by=people.vendor, now=INSIDE, reason="x")


def test_a_certificate_warns_before_it_ends_and_only_for_who_is_there(people: People) -> None:
    team(people, "P-1")
    entered(people, "P-2")
    entered(people, "P-3")
    staff.confirm("P-3", accept=False, by=people.client, now=NOW, reason="x")
    for code, ends in (
        ("P-1", date(2026, 12, 1)),
        ("P-2", date(2026, 10, 1)),
        ("P-3", date(2026, 10, 1)),
        ("P-1", None),
    ):
        staff.certify(code, "注册信息安全专业人员", expires=ends, file=FILE, by=people.vendor, now=NOW)
    today = date(2026, 10, 12)
    assert [c.member.code for c in staff.expiring(today, 60)] == ["P-2", "P-1"]
    assert [c.member.code for c in staff.expiring(today, 49)] == ["P-2"]
    assert staffing.rules().warn_days == 60
    assert audit() == []


def test_the_ledger_holds_no_name_of_a_person(people: People) -> None:
    team(people, "P-1")
    assert all("演示人员" not in bytes(body).decode() for body in Intake.objects.values_list("body", flat=True))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("update accounts_staffmember set key_person = not key_person", "key"),
        ("update accounts_staffmember set since = '2026-01-01 00:00:00'", "since"),
        ("update accounts_staffmember set consent = 77", "consent"),
        ("update accounts_certificate set expires = '2030-01-01'", "expires"),
        ("update accounts_body set engaged_at = '2026-01-01 00:00:00', consent = 1", "engaged_at"),
        ("delete from accounts_certificate", "row"),
    ],
)
def test_who_owns_the_database_is_found_out(people: People, query: str, field: str) -> None:
    team(people, "P-1")
    staff.certify("P-1", "x", expires=date(2026, 12, 1), file=FILE, by=people.vendor, now=NOW)
    staff.enter_body("BODY-1", "x", "crypto", file=FILE, by=people.vendor, now=NOW)
    assert audit() == []
    with connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.rowcount
    assert field in {d.field for d in audit()}
    assert Body.objects.count() == 1


def test_a_record_of_a_swap_that_names_a_consent_nobody_gave_is_found(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    team(people, "P-1")
    entered(people, "P-2")
    monkeypatch.setattr(staff, "_prior", [lambda *_a: 4711])
    staff.replace("P-1", "P-2", by=people.vendor, now=INSIDE, reason="x")
    assert ("P-1", "consent", "4711") in {(d.subject, d.field, d.row) for d in audit()}


def test_a_contract_that_says_nothing_about_people_lets_nobody_be_swapped(people: People, shipped: Path) -> None:  # noqa: F811
    team(people, "P-1")
    entered(people, "P-2")
    change(shipped, "contract.yaml", staffing=None)
    text = (shipped / "contract.yaml").read_text("utf-8").replace("staffing: null\n", "")
    (shipped / "contract.yaml").write_text(text, "utf-8")
    with pytest.raises(DutyError, match="没有写明人员"):
        staff.replace("P-1", "P-2", by=people.vendor, now=INSIDE, reason="x")
