"""What 乙方 could do, short of writing into the database, to owe less than 甲方 agreed to."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.duties import world
from tests.duties.conftest import People
from tests.duties.test_books import SCHEDULE_2027, row
from tests.duties.test_settling import BACKUP, LOOK, MORNING, finish
from tests.duties.world import at
from yunwei.accounts.models import Organisation
from yunwei.assets.models import Asset, Zone
from yunwei.contract import plans
from yunwei.contract.schema import Basis, Cadence, Selector
from yunwei.duties import services
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Occurrence
from yunwei.runs.models import Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]
FILE = services.File("a.txt", b"evidence")
SELECTED = [
    msgspec.structs.replace(
        o, selector=Selector(kinds=["device"], zones=["z"], tags=["switch"], protocols=["snmp"])
    ) if o.id == "look-day" else o
    for o in world.OBLIGATIONS
]  # fmt: skip


def approved(people: People, folder: object = None) -> None:
    now = at("2026-03-02 09:00")
    version = plans.propose(world.plan(), folder=folder or world.folder(), by=people.vendor, now=now).version  # type: ignore[arg-type]
    plans.approve(version, by=people.client, now=now)


def test_relabelling_an_asset_takes_it_out_of_nothing(people: People, assets: list[Asset], contract: Path) -> None:
    """Kind, zone, tag, endpoint: the register is 乙方's to edit, the list that counts is not."""
    Asset.objects.update(category="switch")
    world.write(world.folder(obligations=SELECTED), contract)
    approved(people, world.folder(obligations=SELECTED))
    Asset.objects.filter(code="dev-0").update(kind="vm")
    Asset.objects.filter(code="dev-1").update(zone=Zone.objects.create(code="elsewhere", name="e"))
    Asset.objects.filter(code="dev-2").update(category="scrap")
    assets[3].endpoints.all().delete()
    services.tick(at(MORNING))
    terms = Run.objects.get(id=f"look:{LOOK}:1").terms
    assert terms["baseline"] == [f"dev-{n}" for n in range(10)]
    assert terms["unreachable"] == {"dev-3": ["snmp"]}


def test_a_tag_selects_as_well_as_a_category(people: People, assets: list[Asset], contract: Path) -> None:
    Asset.objects.filter(code="dev-4").update(tags=["switch"])
    world.write(world.folder(obligations=SELECTED), contract)
    approved(people, world.folder(obligations=SELECTED))
    services.tick(at(MORNING))
    assert Run.objects.get(id=f"look:{LOOK}:1").terms["baseline"] == ["dev-4"]


def test_what_the_contract_owes_by_itself_is_judged_by_the_approved_plan_not_by_the_draft(
    people: People, assets: list[Asset], contract: Path
) -> None:
    """The draft plan.yaml lies in a folder that 乙方 can write."""
    duties = [
        msgspec.structs.replace(o, cadence=Cadence(every="day", basis=Basis.CONTRACT)) if o.id == "look-day" else o
        for o in world.OBLIGATIONS
    ]
    world.write(world.folder(obligations=duties), contract)
    approved(people, world.folder(obligations=duties))
    draft = msgspec.structs.replace(world.plan(), assets=["dev-0"])
    world.write(world.folder(obligations=duties, plan=draft), contract)
    services.tick(at(MORNING))
    run = Run.objects.get(id=f"look:{LOOK}:1")
    assert row(LOOK).plan_version is None
    assert len(run.terms["baseline"]) == 10
    assert run.terms["approved"] is True


def test_an_account_moved_to_the_other_side_opens_no_way_to_answer_oneself(people: People, assets: list[Asset]) -> None:
    approved(people)
    services.tick(at(MORNING))
    finish(BACKUP, {"verdict": "unproven", "causes": {"unknown": 1}}, "2026-03-03 09:00")
    now = at("2026-03-03 10:00")
    claim = services.claim_exemption(
        row(BACKUP).pk, ground="8.1", statement="storm", file=FILE, by=people.vendor, now=now
    )
    people.vendor.organisation = Organisation.objects.get(code="A")
    people.vendor.save()
    with pytest.raises(DutyError):
        services.answer_claim(claim.pk, accept=True, by=people.vendor_colleague, now=now)
    assert row(BACKUP).state == "unproven"


def test_officers_and_strangers_import_no_calendar_and_the_vendor_replaces_none(people: People) -> None:
    now = at("2026-11-20 10:00")
    for by in (people.officer, people.stranger):
        with pytest.raises(DutyError):
            services.import_schedules(SCHEDULE_2027, by=by, now=now)
    services.import_schedules(SCHEDULE_2027, by=people.vendor, now=now)
    with pytest.raises(DutyError):
        services.import_schedules(SCHEDULE_2027, by=people.vendor_colleague, now=now)
    services.import_schedules(SCHEDULE_2027, by=people.client, now=now)


def test_seeing_nothing_reaches_no_target(people: People, assets: list[Asset]) -> None:
    approved(people)
    services.tick(at(MORNING))
    Occurrence.objects.filter(obligation="look-day").update(coverage_target=0)
    finish(LOOK, {"coverage": {"agreed": 10, "proven": 0, "causes": {"unknown": 10}}}, "2026-03-03 09:00")
    assert row(LOOK).state == "unproven"


def test_an_occurrence_does_not_hide_behind_a_run_that_never_ends(people: People, assets: list[Asset]) -> None:
    """The engine lost it, or somebody stopped it and cleaned up behind: after a day it has proved nothing."""
    approved(people)
    services.tick(at(MORNING))
    assert row(LOOK).state == row(BACKUP).state == "running"
    services.tick(at("2026-03-04 06:59"))
    assert row(LOOK).state == row(BACKUP).state == "running"
    services.tick(at("2026-03-04 07:01"))
    assert (row(LOOK).state, row(LOOK).cause) == ("unproven", "vendor")
    assert (row(BACKUP).state, row(BACKUP).cause) == ("unproven", "vendor")


def test_what_is_too_long_for_its_column_is_refused_and_never_cut(people: People, assets: list[Asset]) -> None:
    """PostgreSQL holds columns to their length, SQLite does not: the same sentence on both."""
    approved(people)
    services.tick(at(MORNING))
    now, report = at("2026-03-03 10:00"), row("report:2026-03")
    with pytest.raises(DutyError):
        services.state_proof(report.pk, statement="好" * 1001, file=FILE, by=people.vendor, now=now)
    with pytest.raises(DutyError):
        services.record_event("asked", at=now, by=people.client, now=now, note="好" * 301)
    with pytest.raises(DutyError):
        services.record_event("asked", at=now, by=people.client, now=now, note="a\x00b")
    long = services.File("../../" + "长" * 300 + ".pdf", b"paper")
    proof = services.state_proof(report.pk, statement="好" * 1000, file=long, by=people.vendor, now=now)
    assert (len(proof.file_name), proof.file_name[-4:], "/" in proof.file_name) == (120, ".pdf", False)
    with pytest.raises(DutyError):
        services.answer_proof(proof.pk, confirm=True, by=people.client, now=now, answer="好" * 1001)
    proof.refresh_from_db()
    assert proof.confirmed is None
