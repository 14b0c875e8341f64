"""Guards that nothing else leans on: each test here fails when its one rule is taken out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.duties import world
from tests.duties.conftest import People
from tests.duties.test_books import row
from tests.duties.test_cheating import FILE
from tests.duties.test_settling import BACKUP, LOOK, MORNING, figures, finish
from tests.duties.world import at
from yunwei.assets.models import Asset, Endpoint, Place, Zone
from yunwei.contract import plans
from yunwei.contract.schema import Basis, Cadence, Owes, Selector
from yunwei.duties import books, running, services
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Occurrence, State
from yunwei.duties.schedule import PlanAt
from yunwei.runs.models import Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contract", "procedures")]
NOW = at("2026-03-05 10:00")


def test_of_a_duty_of_both_only_the_receiver_named_confirms(people: People, contract: Path) -> None:
    """Both owe it, 甲方 receives it: what 甲方 states is confirmed by nobody, least of all by 乙方 as a favour."""
    both = [
        msgspec.structs.replace(o, confirmed_by="A") if o.id == "notice" else o for o in world.OBLIGATIONS
    ]  # fmt: skip
    assert next(o for o in both if o.id == "notice").owes is Owes.BOTH
    world.write(world.folder(obligations=both), contract)
    event = services.record_event("storm", at=NOW, by=people.client, now=NOW)
    services.tick(NOW)
    key = f"notice:event:{event.pk}"
    told = services.state_proof(row(key).pk, statement="x", file=FILE, by=people.client, now=NOW)
    with pytest.raises(DutyError, match="接受服务的一方"):
        services.answer_proof(told.pk, confirm=True, by=people.vendor, now=NOW)
    assert row(key).state == State.DUE


@pytest.mark.parametrize(
    ("selector", "codes"),
    [
        (None, ["all", "kind", "place", "protocol", "tag", "zone"]),
        (Selector(kinds=["device"]), ["all", "place", "protocol", "tag", "zone"]),
        (Selector(zones=["z"]), ["all", "kind", "place", "protocol", "tag"]),
        (Selector(places=["p"]), ["all", "kind", "protocol", "tag", "zone"]),
        (Selector(tags=["switch"]), ["all", "kind", "place", "protocol", "zone"]),
        (Selector(protocols=["snmp"]), ["all", "kind", "place", "tag", "zone"]),
    ],
)
def test_each_word_of_a_selector_leaves_out_what_it_does_not_name(selector: Selector | None, codes: list[str]) -> None:
    zones = [Zone.objects.create(code=code, name=code) for code in ("z", "other")]
    places = [Place.objects.create(code=code, name=code) for code in ("p", "elsewhere")]
    for code in ("all", "kind", "place", "protocol", "tag", "zone"):
        asset = Asset.objects.create(
            code=code, name=code, kind="host" if code == "kind" else "device", zone=zones[code == "zone"],
            place=places[code == "place"], category="" if code == "tag" else "switch",
        )  # fmt: skip
        Endpoint.objects.create(
            asset=asset, protocol="ssh" if code == "protocol" else "snmp", address="10.0.0.1", port=161
        )
    Asset.objects.create(code="gone", name="gone", kind="device", zone=zones[0], retired_at=NOW)
    assert running.baseline(PlanAt(1, world.plan()), selector) == codes  # before any approval: the live register


def test_an_agreed_code_that_nobody_knows_any_more_stays_in_the_baseline(assets: list[Asset]) -> None:
    agreed = msgspec.structs.replace(world.plan(), assets=["dev-0", "never-seen"])
    selector = Selector(kinds=["device"])
    assert running.baseline(PlanAt(1, agreed, NOW.date()), selector) == ["dev-0", "never-seen"]


def test_what_the_contract_owes_by_itself_stands_under_the_newest_plan_that_counted_when_it_began(
    people: People, assets: list[Asset], contract: Path
) -> None:
    """A version approved afterwards does not reach back, an older one does not come back."""
    duties = [
        msgspec.structs.replace(o, cadence=Cadence(every="day", basis=Basis.CONTRACT)) if o.id == "look-day" else o
        for o in world.OBLIGATIONS
    ]
    folder = world.folder(obligations=duties)
    world.write(folder, contract)
    for day, count in (("2026-03-01", 3), ("2026-03-02", 5), ("2026-03-03", 8)):
        codes = [asset.code for asset in assets[:count]]
        version = plans.propose(
            world.plan(), folder=folder, by=people.vendor, now=at(f"{day} 06:00"), assets=codes
        ).version
        plans.approve(version, by=people.client, now=at(f"{day} 06:30"))
    services.bring_up_to_date(at(MORNING))
    yesterday = row("look-day:2026-03-02")
    assert yesterday.plan_version is None
    running.attempt(yesterday, now=at(MORNING), actor="system:duties")
    assert len(Run.objects.get(id="look:look-day:2026-03-02:1").terms["baseline"]) == 5


def test_nothing_is_submitted_before_it_begins_nor_while_it_waits_for_an_anchor(
    people: People, assets: list[Asset]
) -> None:
    """A clock set back, a clock that has not started: neither gives a run."""
    version = plans.propose(world.plan(), folder=world.folder(), by=people.vendor, now=at("2026-03-02 09:00")).version
    plans.approve(version, by=people.client, now=at("2026-03-02 09:00"))
    books.bring_up_to_date(at(MORNING))
    Occurrence.objects.exclude(obligation="look-day", period="2026-03-03").delete()
    assert running.submit_due(at("2026-03-02 23:59")) == 0
    Occurrence.objects.update(waiting=["fault"])
    assert running.submit_due(at(MORNING)) == 0
    Occurrence.objects.update(waiting=[])
    assert running.submit_due(at(MORNING)) == 1


def begin(people: People) -> None:
    version = plans.propose(world.plan(), folder=world.folder(), by=people.vendor, now=at("2026-03-02 09:00")).version
    plans.approve(version, by=people.client, now=at("2026-03-02 09:00"))
    services.tick(at(MORNING))


def test_an_ended_attempt_says_nothing_about_the_one_after_it(people: People, assets: list[Asset]) -> None:
    """The first look proved too little; its result told again, now whole, does not settle the second."""
    begin(people)
    first = row(LOOK).attempts.get().run_id
    finish(LOOK, figures(10, 2), "2026-03-03 08:00")
    services.again(row(LOOK).pk, now=at("2026-03-03 08:05"), actor="vendor")
    running.settle(first, "done", figures(10, 10), now=at("2026-03-03 08:10"))
    assert row(LOOK).state == State.RUNNING
    assert [a.verdict for a in row(LOOK).attempts.order_by("number")] == ["unproven", ""]


def test_a_claim_is_not_accepted_while_the_work_is_being_done_again(people: People, assets: list[Asset]) -> None:
    """An acceptance that would change nothing is refused; after the run it counts."""
    begin(people)
    finish(BACKUP, {"verdict": "unproven", "causes": {"unknown": 1}}, "2026-03-03 08:00")
    now = at("2026-03-03 09:00")
    claim = services.claim_exemption(row(BACKUP).pk, ground="8.2", statement="x", file=FILE, by=people.vendor, now=now)
    services.again(row(BACKUP).pk, now=now, actor="vendor")
    with pytest.raises(DutyError, match="正在执行"):
        services.answer_claim(claim.pk, accept=True, by=people.client, now=now)
    finish(BACKUP, {"verdict": "unproven", "causes": {"unknown": 1}}, "2026-03-03 10:00")
    services.answer_claim(claim.pk, accept=True, by=people.client, now=now + timedelta(hours=2))
    assert row(BACKUP).state == State.EXEMPT


def test_a_scope_without_agreed_assets_says_so(people: People, assets: list[Asset]) -> None:
    begin(people)
    finish(LOOK, figures(0, 0), "2026-03-03 08:00")
    assert (row(LOOK).state, row(LOOK).cause) == (State.UNPROVEN, "unknown")
    assert "没有约定的资产" in row(LOOK).detail


def test_a_result_that_comes_after_it_was_settled_by_hand_is_only_noted(people: People, assets: list[Asset]) -> None:
    begin(people)
    Occurrence.objects.filter(pk=row(LOOK).pk).update(state=State.EXEMPT)
    finish(LOOK, figures(10, 10), "2026-03-03 08:00")
    assert (row(LOOK).state, row(LOOK).attempts.get().verdict) == (State.EXEMPT, "pass")
