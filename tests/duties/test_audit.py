"""Whoever owns the database writes into the rows that pages show: every such row is named by the audit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction

from tests.duties import world
from tests.duties.conftest import People
from tests.duties.test_books import SCHEDULE_2027, row
from tests.duties.test_settling import BACKUP, LOOK, MORNING, finish
from tests.duties.world import at
from yunwei.accounts.models import Account, Organisation
from yunwei.assets.models import Asset
from yunwei.contract import plans
from yunwei.contract.models import PlanVersion
from yunwei.duties import services
from yunwei.duties.models import CalendarYear, Claim, ManualProof, Occurrence, TriggerEvent
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import Difference, audit
from yunwei.ledger.models import Head, Intake

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]
FILE = services.File("a.txt", b"evidence")


def sql(query: str, *values: object) -> None:
    """Change a row behind the software's back."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        assert cursor.rowcount >= 1


@pytest.fixture
def month(people: People, assets: list[Asset]) -> People:
    """Some days of the invented contract: a plan, looks, an event, a proof, a claim, an imported year."""
    with transaction.atomic():
        for account in Account.objects.all():
            data = {"role": account.role, "organisation": account.organisation.code, "party": account.party}
            ledger.record("accounts.account.created", account.username, data, at=at(MORNING), actor="system:init")
    now = at("2026-03-02 09:00")
    version = plans.propose(world.plan(), folder=world.folder(), by=people.vendor, now=now).version
    plans.approve(version, by=people.client, now=now)
    services.tick(at(MORNING))
    _judged(f"look:{LOOK}:1", 10, 9)
    finish(LOOK, {"coverage": {"agreed": 10, "proven": 9, "causes": {"unknown": 1}}}, "2026-03-03 09:00")
    finish(BACKUP, {"verdict": "unproven", "causes": {"unknown": 1}}, "2026-03-03 09:00")
    services.record_event("asked", at=at("2026-03-03 09:00"), by=people.client, now=at("2026-03-03 09:30"))
    services.bring_up_to_date(at("2026-03-03 10:00"))
    reply = Occurrence.objects.get(obligation="reply")
    proof = services.state_proof(reply.pk, statement="done", file=FILE, by=people.vendor, now=at("2026-03-03 11:00"))
    services.answer_proof(proof.pk, confirm=True, by=people.client, now=at("2026-03-03 12:00"))
    claim = services.claim_cause(
        row(BACKUP).pk, cause="client", statement="power", file=FILE, by=people.vendor, now=at("2026-03-03 12:00")
    )
    services.answer_claim(claim.pk, accept=True, by=people.client, now=at("2026-03-03 13:00"))
    services.import_schedules(SCHEDULE_2027, by=people.client, now=at("2026-03-03 13:00"))
    services.tick(at("2026-03-04 07:00"))
    ledger.sequence(at("2026-03-04 08:00"))
    return people


def _judged(run: str, agreed: int, proven: int) -> None:
    with transaction.atomic():
        coverage = {"agreed": agreed, "proven": proven}
        ledger.record("inspect.run.judged", run, {"coverage": coverage}, at=at(MORNING), actor="system:inspect")


def found() -> list[Difference]:
    return [d for d in audit() if d.room != "inspect"]  # the looks here were made up without the room that looks


def test_what_the_software_did_follows_from_the_ledger(month: People) -> None:
    assert found() == []


def _occurrence(**fields: object) -> Callable[[], Any]:
    return lambda: Occurrence.objects.filter(obligation="look-day", period="2026-03-03").update(**fields)


LIES: dict[str, tuple[Callable[[], Any], str]] = {
    "a missed one is shown as kept": (
        lambda: Occurrence.objects.filter(obligation="backup", period="2026-03-03").update(state="kept", cause=""),
        "state",
    ),
    "the cause is moved": (
        lambda: Occurrence.objects.filter(obligation="backup", period="2026-03-03").update(cause="third"),
        "cause",
    ),
    "coverage is embellished": (_occurrence(coverage={"agreed": 10, "proven": 10}), "coverage"),
    "the due time is moved": (_occurrence(due_at=at("2026-03-09 18:00")), "due_at"),
    "it no longer counts": (_occurrence(counts=False), "counts"),
    "the target is loosened": (_occurrence(coverage_target=1), "coverage_target"),
    "it stands under another version": (_occurrence(plan_version=None), "plan_version"),
    "it is another kind of duty": (_occurrence(kind="deliver"), "kind"),
    "an occurrence is gone": (
        lambda: sql("DELETE FROM duties_occurrence WHERE obligation = %s AND period = %s", "report", "2026-03"),
        "row",
    ),
    "a plan's body is changed": (
        lambda: PlanVersion.objects.update(body={**PlanVersion.objects.get().body, "assets": ["dev-1"]}),
        "body",
    ),
    "an approval is backdated": (lambda: PlanVersion.objects.update(counts_from="2026-02-04"), "counts_from"),
    "a proof gets another file": (lambda: ManualProof.objects.update(artifact="0" * 64), "artifact"),
    "a refusal becomes a confirmation": (lambda: ManualProof.objects.update(confirmed=False), "answer"),
    "a claim was never accepted": (lambda: Claim.objects.update(state="disputed"), "answer"),
    "an event happened at another time": (lambda: TriggerEvent.objects.update(at=at("2026-03-01 09:00")), "at"),
    "an event starts no clock": (lambda: TriggerEvent.objects.update(starts_clock=False), "starts_clock"),
    "a holiday is invented": (lambda: CalendarYear.objects.update(off={"2027-03-03": "春节"}), "off"),
    "an account changes its role": (
        lambda: Account.objects.filter(username="vendor").update(role="a_manager"),
        "role",
    ),
    "an account changes its side": (
        lambda: Account.objects.filter(username="vendor").update(organisation=Organisation.objects.get(code="A")),
        "organisation",
    ),
    "an organisation changes its side": (lambda: Organisation.objects.filter(code="B").update(party="A"), "party"),
    "an account nobody made": (
        lambda: Account.objects.create(
            username="ghost", display_name="g", role="a_manager", organisation=Organisation.objects.get(code="A")
        ),
        "role",
    ),
    "a record is rewritten": (
        lambda: sql(
            "UPDATE ledger_intake SET body = (SELECT body FROM ledger_intake AS other WHERE other.kind = %s "
            "ORDER BY other.id LIMIT 1) WHERE kind = %s",
            "duties.event.recorded", "duties.proof.confirmed",
        ),
        "body",
    ),
    "a record is relabelled": (
        lambda: Intake.objects.filter(kind="duties.proof.confirmed").update(kind="x.y"),
        "kind, subject",
    ),
    "the newest records are cut": (
        lambda: sql("DELETE FROM ledger_entry WHERE seq = (SELECT max(seq) FROM ledger_entry)"),
        "size",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_in_a_row_is_named(month: People, lie: str) -> None:
    tell, field = LIES[lie]
    tell()
    assert field in {d.field for d in found()}


def test_a_row_may_not_be_kept_by_a_look_that_saw_too_little(month: People) -> None:
    """Ledger record and row agree, and both claim more than the run was judged to have seen."""
    services.tick(at("2026-03-04 07:00"))
    key = "look-day:2026-03-04"
    Occurrence.objects.filter(obligation="look-day", period="2026-03-04").update(coverage_target=10)
    _judged(f"look:{key}:1", 10, 1)
    finish(key, {"coverage": {"agreed": 10, "proven": 1, "causes": {}}}, "2026-03-04 09:00")
    assert row(key).state == "kept"
    Occurrence.objects.filter(obligation="look-day", period="2026-03-04").update(coverage_target=90)
    ledger.sequence(at("2026-03-04 10:00"))
    assert [d.field for d in found() if d.subject == key] == ["state"]


def test_whoever_answers_must_stand_on_the_other_side(month: People) -> None:
    """A record that was slipped in: the same side answered its own proof."""
    with transaction.atomic():
        ledger.record("duties.proof.stated", "report:2026-03", {"id": 99, "occurrence": "report:2026-03"},
                      at=at(MORNING), actor="vendor")  # fmt: skip
        ledger.record("duties.proof.confirmed", "report:2026-03", {"id": 99, "occurrence": "report:2026-03"},
                      at=at(MORNING), actor="vendor2")  # fmt: skip
    assert "answered_by" in {d.field for d in found()}


def test_the_audit_changes_nothing(month: People) -> None:
    before = (Intake.objects.count(), Head.objects.count())
    audit()
    ledger.sequence(at("2026-03-04 08:00") + timedelta(hours=1))
    assert (Intake.objects.count(), Head.objects.count()) == before


def test_a_contract_file_changed_behind_the_books_is_named_and_entered_at_the_next_tick(
    month: People, contract: Path
) -> None:
    """乙方 can edit the folder; what changed is in the ledger with both texts before anything follows from it."""
    file = contract / "obligations.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("working_day", "calendar_day"), encoding="utf-8")
    assert [d.field for d in found() if d.subject.startswith("contract ")] == ["obligations.yaml"]
    services.tick(at("2026-03-04 08:30"))
    ledger.sequence(at("2026-03-04 08:30"))
    assert [d.field for d in found() if d.subject.startswith("contract ")] == []
    read = Intake.objects.filter(kind="duties.contract.read")
    assert read.count() == 2
    services.tick(at("2026-03-05 08:30"))
    assert read.count() == 2


def test_a_version_approved_on_a_day_leaves_what_was_done_on_it_as_it_was(month: People):
    lines = [
        msgspec.structs.replace(line, coverage_target=Decimal(95)) if line.obligation == "look-day" else line
        for line in world.LINES
    ]
    now = at("2026-03-04 15:00")
    second = plans.propose(world.plan(lines=lines), folder=world.folder(), by=month.vendor, now=now).version
    plans.approve(second, by=month.client, now=now)
    services.bring_up_to_date(at("2026-03-04 15:01"))
    services.bring_up_to_date(at("2026-03-05 07:00"))
    ledger.sequence(at("2026-03-05 08:00"))
    today = Occurrence.objects.get(obligation="look-day", period="2026-03-04")
    assert (today.plan_version, today.coverage_target) == (second, Decimal(90)), "begun under the first version"
    assert Occurrence.objects.get(obligation="look-day", period="2026-03-05").coverage_target == Decimal(95)
    assert found() == []
    sql("UPDATE duties_occurrence SET coverage_target = 50 WHERE id = %s", today.pk)
    assert [(d.subject, d.field) for d in found()] == [("look-day:2026-03-04", "coverage_target")]
