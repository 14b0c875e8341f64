"""The life of a plan: who may do what, what counts from when, what a version changes."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction

from tests.contract.conftest import CONTRACTS
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets.models import Asset, Zone
from yunwei.contract import plans
from yunwei.contract.diff import Effect, diff
from yunwei.contract.errors import ContractError
from yunwei.contract.folder import load
from yunwei.contract.limits import limits_for
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import Agreed, Cadence, Limit, Plan, PlanLine
from yunwei.ledger import artifacts
from yunwei.ledger.models import Artifact, Intake

pytestmark = pytest.mark.django_db

FOLDER = load(CONTRACTS / "qingpu-2026")
NOON = datetime(2026, 2, 5, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai


def account(name: str, role: Role, party: str) -> Account:
    organisation, _made = Organisation.objects.get_or_create(code=f"o{party}", defaults={"name": party, "party": party})
    return Account.objects.create(username=name, display_name=name, role=role, organisation=organisation, password="x")


@pytest.fixture
def people() -> dict[str, Account]:
    return {
        "b": account("b", Role.B_MANAGER, "B"),
        "b2": account("b2", Role.B_MANAGER, "B"),
        "a": account("a", Role.A_MANAGER, "A"),
        "leader": account("leader", Role.A_LEADER, "A"),
        "engineer": account("engineer", Role.B_ENGINEER, "B"),
        "officer": account("officer", Role.SECADMIN, "A"),
        "finance": account("finance", Role.A_FINANCE, "A"),
    }


@pytest.fixture
def assets() -> list[str]:
    zone = Zone.objects.create(code="gov", name="gov")
    for code in ("SW-01", "SW-02", "SRV-01"):
        Asset.objects.create(code=code, name=code, kind="device", zone=zone)
    Asset.objects.create(code="OLD", name="old", kind="device", zone=zone, retired_at=NOON)
    return ["SRV-01", "SW-01", "SW-02"]


def later(**by: float) -> datetime:
    return NOON + timedelta(**by)


def change(plan: Plan, **fields: object) -> Plan:
    return msgspec.structs.replace(plan, **fields)


def propose(people: dict[str, Account], plan: Plan = FOLDER.plan, **fields: object) -> PlanVersion:
    return plans.propose(plan, folder=FOLDER, **{"by": people["b"], "now": NOON, **fields})  # type: ignore[arg-type]


def test_a_proposal_counts_nothing_until_approved(people: dict[str, Account], assets: list[str]) -> None:
    row = propose(people)
    assert (row.version, row.state, row.base) == (1, PlanState.PROPOSED, None)
    assert plans.plan_at(later(days=100)) is None
    assert plans.approved_versions() == []
    assert plans.baseline_assets(later(days=1)) == []


def test_approval_counts_from_its_day_in_the_contract_s_zone(people: dict[str, Account], assets: list[str]) -> None:
    propose(people)
    late = datetime(2026, 2, 5, 16, 30, tzinfo=UTC)  # already the 6th in Shanghai
    row = plans.approve(1, by=people["a"], now=late)
    assert row.counts_from == date(2026, 2, 6)
    assert plans.plan_at(datetime(2026, 2, 5, 15, 59, tzinfo=UTC)) is None
    at = plans.plan_at(datetime(2026, 2, 5, 16, 0, tzinfo=UTC))
    assert at is not None
    assert (at.version, at.plan.lines, at.plan.limits) == (1, FOLDER.plan.lines, FOLDER.plan.limits)
    assert plans.baseline_assets(late) == assets


def test_every_live_asset_is_the_default_baseline_and_a_wrong_one_is_refused(
    people: dict[str, Account], assets: list[str]
) -> None:
    assert plans.plan_of(propose(people)).assets == assets
    for bad in ("OLD", "GHOST"):
        with pytest.raises(ContractError, match=bad):
            propose(people, assets=["SW-01", bad])
    assert PlanVersion.objects.count() == 1


@pytest.mark.parametrize("who", ["a", "engineer", "officer", "leader"])
def test_only_the_vendor_s_manager_proposes(people: dict[str, Account], who: str) -> None:
    with pytest.raises(ContractError):
        propose(people, by=people[who])
    assert PlanVersion.objects.count() == 0
    assert Intake.objects.count() == 0


@pytest.mark.parametrize("who", ["b", "b2", "engineer", "officer", "finance"])
def test_only_the_client_decides(people: dict[str, Account], who: str) -> None:
    propose(people)
    with pytest.raises(ContractError):
        plans.approve(1, by=people[who], now=later(hours=1))
    with pytest.raises(ContractError):
        plans.refuse(1, by=people[who], now=later(hours=1), reason="no")
    assert PlanVersion.objects.get().state == PlanState.PROPOSED


def test_a_locked_out_account_decides_nothing(people: dict[str, Account]) -> None:
    propose(people)
    people["a"].is_active = False
    with pytest.raises(ContractError):
        plans.approve(1, by=people["a"], now=later(hours=1))


def test_the_proposer_never_decides_even_after_changing_sides(people: dict[str, Account]) -> None:
    propose(people)
    people["b"].organisation = people["a"].organisation
    people["b"].role = Role.A_LEADER
    people["b"].save()
    with pytest.raises(ContractError, match="自己"):
        plans.approve(1, by=people["b"], now=later(hours=1))
    with pytest.raises(IntegrityError), transaction.atomic():  # nor by going around the service
        PlanVersion.objects.update(
            state="approved", decided_by=people["b"], decided_at=NOON, counts_from=date(2026, 2, 5)
        )


def test_a_decision_is_final(people: dict[str, Account]) -> None:
    propose(people)
    plans.refuse(1, by=people["leader"], now=later(hours=1), reason="too lax")
    for again in (
        lambda: plans.approve(1, by=people["a"], now=later(hours=2)),
        lambda: plans.refuse(1, by=people["a"], now=later(hours=2), reason="x"),
        lambda: plans.approve(7, by=people["a"], now=later(hours=2)),
    ):
        with pytest.raises(ContractError):
            again()
    assert plans.plan_at(later(days=9)) is None


def test_a_refusal_says_why(people: dict[str, Account]) -> None:
    propose(people)
    with pytest.raises(ContractError):
        plans.refuse(1, by=people["a"], now=later(hours=1), reason="  ")


def test_a_clock_set_back_decides_nothing(people: dict[str, Account]) -> None:
    propose(people)
    with pytest.raises(ContractError, match="时钟"):
        plans.approve(1, by=people["a"], now=NOON - timedelta(seconds=1))
    assert PlanVersion.objects.get().state == PlanState.PROPOSED


def test_no_version_counts_before_the_one_it_replaces(people: dict[str, Account], assets: list[str]) -> None:
    """The clock set back by a day between proposing and approving: the newer plan would reach behind the older one."""
    propose(people)
    plans.approve(1, by=people["a"], now=later(hours=1))
    propose(people, change(FOLDER.plan, limits=FOLDER.plan.limits[1:]), now=later(days=-3))
    with pytest.raises(ContractError, match="生效日"):
        plans.approve(2, by=people["a"], now=later(days=-2))
    assert PlanVersion.objects.get(version=2).state == PlanState.PROPOSED


def test_versions_follow_each_other(people: dict[str, Account]) -> None:
    propose(people)
    plans.approve(1, by=people["a"], now=later(hours=1))
    second = change(FOLDER.plan, limits=FOLDER.plan.limits[1:])
    propose(people, second, now=later(days=10))
    assert plans.plan_at(later(days=20)).version == 1  # type: ignore[union-attr]
    plans.approve(2, by=people["a"], now=later(days=12))
    assert [(v.version, v.counts_from) for v in plans.approved_versions()] == [
        (1, date(2026, 2, 5)), (2, date(2026, 2, 17)),
    ]  # fmt: skip
    assert plans.plan_at(later(days=11)).version == 1  # type: ignore[union-attr] - what was due before stays as it was
    assert plans.plan_at(later(days=12)).version == 2  # type: ignore[union-attr]


def test_what_was_compared_with_another_version_cannot_be_approved(people: dict[str, Account]) -> None:
    propose(people)
    propose(people, change(FOLDER.plan, title="other"), now=later(hours=1))
    plans.approve(1, by=people["a"], now=later(hours=2))
    with pytest.raises(ContractError, match="重新报送"):
        plans.approve(2, by=people["a"], now=later(hours=3))
    plans.refuse(2, by=people["a"], now=later(hours=3), reason="stale")


def test_a_version_that_changes_nothing_is_refused(people: dict[str, Account]) -> None:
    propose(people)
    plans.approve(1, by=people["a"], now=later(hours=1))
    with pytest.raises(ContractError, match="没有可审定的变化"):
        propose(people, now=later(days=1))


def test_a_wrong_plan_is_not_put_before_the_client(people: dict[str, Account]) -> None:
    wrong = change(FOLDER.plan, lines=[PlanLine("no-such", coverage_target=Decimal(101))])
    with pytest.raises(ContractError) as caught:
        propose(people, wrong)
    assert {p.code for p in caught.value.problems} >= {"plan.unknown_obligation", "plan.coverage"}
    assert PlanVersion.objects.count() == Intake.objects.count() == Artifact.objects.count() == 0


def test_each_step_is_in_the_ledger_with_the_whole_body(people: dict[str, Account], assets: list[str]) -> None:
    propose(people)
    plans.refuse(1, by=people["a"], now=later(hours=1), reason="once more")
    propose(people, now=later(hours=2))
    plans.approve(2, by=people["a"], now=later(hours=3))
    assert list(Intake.objects.order_by("id").values_list("kind", "subject", "actor")) == [
        ("contract.plan.proposed", "plan:1", "b"), ("contract.plan.refused", "plan:1", "a"),
        ("contract.plan.proposed", "plan:2", "b"), ("contract.plan.approved", "plan:2", "a"),
    ]  # fmt: skip
    assert Intake.objects.first().clauses == FOLDER.contract.plan_clauses  # type: ignore[union-attr]
    body = msgspec.json.decode(artifacts.read(Artifact.objects.order_by("id").first()))  # type: ignore[arg-type]
    assert body == PlanVersion.objects.get(version=1).body


def test_a_failed_ledger_leaves_no_version(people: dict[str, Account], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_a: object, **_k: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(plans.ledger, "record", full)
    with pytest.raises(OSError, match="disk full"):
        propose(people)
    assert PlanVersion.objects.count() == 0


# --- differences --------------------------------------------------------------------------------------------------


def line(**fields: object) -> Plan:
    return Plan(version=1, title="t", lines=[msgspec.convert({"obligation": "x", **fields}, PlanLine)])


def limit(**fields: object) -> Plan:
    return Plan(version=1, title="t", lines=[], limits=[Limit(kind="t", **fields)])  # type: ignore[arg-type]


def deadline(n: int, unit: str) -> dict[str, object]:
    return {"n": n, "unit": unit, "basis": "plan"}


DAY, WEEK = {"every": "day", "basis": "plan"}, {"every": "week", "basis": "plan"}


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        (Plan(1, "t", [], assets=["A"]), Plan(1, "t", []), Effect.LOOSENS),
        (Plan(1, "t", []), Plan(1, "t", [], assets=["A"]), Effect.TIGHTENS),
        (line(), Plan(1, "t", []), Effect.LOOSENS),
        (Plan(1, "t", []), line(), Effect.TIGHTENS),
        (line(cadence=DAY), line(cadence=WEEK), Effect.LOOSENS),
        (line(cadence=WEEK), line(cadence=DAY), Effect.TIGHTENS),
        (line(cadence=DAY), line(), Effect.LOOSENS),
        (line(cadence=DAY), line(cadence={**DAY, "due_time": "08:00"}), Effect.UNCLEAR),
        (line(coverage_target="100"), line(coverage_target="99.9"), Effect.LOOSENS),
        (line(coverage_target="95"), line(coverage_target="99"), Effect.TIGHTENS),
        (line(deadline=deadline(2, "working_day")), line(deadline=deadline(3, "working_day")), Effect.LOOSENS),
        (line(deadline=deadline(2, "hour")), line(deadline=deadline(60, "minute")), Effect.TIGHTENS),
        (line(deadline=deadline(2, "hour")), line(deadline=deadline(1, "working_day")), Effect.UNCLEAR),
        (line(deadline=deadline(2, "hour")), line(), Effect.LOOSENS),
        (line(terms={"a": 1}), line(terms={"a": 2}), Effect.UNCLEAR),
        (line(note="a"), line(note="b"), Effect.NEUTRAL),
        (limit(warn_high=27.0), limit(warn_high=28.0), Effect.LOOSENS),
        (limit(warn_high=27.0), limit(warn_high=26.0), Effect.TIGHTENS),
        (limit(warn_low=10.0), limit(warn_low=9.0), Effect.LOOSENS),
        (limit(warn_high=27.0, crit_high=30.0), limit(warn_high=26.0, crit_high=40.0), Effect.LOOSENS),
        (limit(warn_high=27.0, crit_high=30.0), limit(warn_high=27.0), Effect.LOOSENS),
        (limit(warn_high=27.0), limit(warn_high=27.0, unit="F"), Effect.UNCLEAR),
        (limit(warn_high=27.0), Plan(1, "t", []), Effect.LOOSENS),
    ],
)
def test_what_a_change_does(before: Plan, after: Plan, effect: Effect) -> None:
    changes = diff(before, after)
    assert [c.effect for c in changes] == [effect]
    assert changes[0].loosens is (effect in {Effect.LOOSENS, Effect.UNCLEAR})
    assert diff(before, before) == diff(after, after) == []


def test_an_exception_for_one_device_is_never_called_tighter() -> None:
    wide = Plan(1, "t", [], limits=[Limit("t", warn_high=27), Limit("t", warn_high=60, device="SW-01")])
    assert [c.effect for c in diff(limit(warn_high=27), wide)] == [Effect.UNCLEAR]


def test_the_difference_of_a_stored_version_is_to_what_counted(people: dict[str, Account], assets: list[str]) -> None:
    propose(people)
    assert len(plans.changes_of(1)) == len(FOLDER.plan.lines) + len(FOLDER.plan.limits) + len(assets)
    plans.approve(1, by=people["a"], now=later(hours=1))
    weekly = [
        msgspec.structs.replace(entry, cadence=Cadence("week", entry.cadence.basis))
        if entry.obligation == "S1.1-remote" and entry.cadence
        else entry
        for entry in FOLDER.plan.lines
    ]
    propose(people, change(FOLDER.plan, lines=weekly), assets=["SW-01", "SW-02"], now=later(days=1))
    assert [(c.where, c.effect) for c in plans.changes_of(2)] == [
        ("S1.1-remote.cadence", Effect.LOOSENS), ("asset SRV-01", Effect.LOOSENS),
    ]  # fmt: skip


# --- limits -------------------------------------------------------------------------------------------------------


def test_the_most_specific_limit_wins() -> None:
    general = Limit("temperature", warn_high=40)
    place = Limit("temperature", warn_high=35, place="hall")
    device = Limit("temperature", warn_high=30, device="SW-01")
    pattern = Limit("temperature", warn_high=27, component="*inlet*")
    exact = Limit("temperature", warn_high=26, component="sensor/inlet")
    everything = [exact, general, pattern, device, place]

    def pick(**where: str) -> Limit | None:
        return limits_for(everything, kind="temperature", **where)

    assert pick() is general
    assert pick(place="hall") is place
    assert pick(place="hall", device="SW-01") is device
    assert pick(place="hall", device="SW-01", component="cpu/inlet-2") is pattern
    assert pick(place="hall", device="SW-01", component="sensor/inlet") is exact
    assert pick(place="other", device="SW-02", component="cpu/1") is general
    assert limits_for(everything, kind="fan_speed") is None


def test_what_a_limit_names_must_all_fit() -> None:
    both = Limit("t", warn_high=1, place="hall", component="psu/*")
    assert limits_for([both], kind="t", place="hall", component="psu/1") is both
    assert limits_for([both], kind="t", place="else", component="psu/1") is None
    assert limits_for([both], kind="t", place="hall", component="fan/1") is None


def test_the_proposal_freezes_what_selectors_see_and_a_relabelled_asset_is_a_change(
    people: dict[str, Account], assets: list[str]
) -> None:
    """What the proposed body claims about assets itself does not count."""
    claimed = msgspec.structs.replace(FOLDER.plan, agreed={"SW-01": Agreed(kind="vm")})
    one = plans.propose(claimed, folder=FOLDER, by=people["b"], now=NOON)
    assert plans.plan_of(one).agreed["SW-01"] == Agreed(kind="device", zone="gov")
    plans.approve(one.version, by=people["a"], now=NOON)
    Asset.objects.filter(code="SW-01").update(kind="vm")
    two = plans.propose(FOLDER.plan, folder=FOLDER, by=people["b"], now=later(hours=1))
    changes = plans.changes_of(two.version)
    assert [(c.where, c.effect) for c in changes] == [("asset SW-01 agreed", Effect.UNCLEAR)]
    assert changes[0].loosens


@pytest.mark.django_db(transaction=True)
def test_two_versions_on_one_base_are_not_both_approved_at_once(people: dict[str, Account]) -> None:
    """Two of the client's people approve at the same moment; each saw the difference to the same base."""
    base = plans.propose(FOLDER.plan, folder=FOLDER, by=people["b"], now=NOON)
    plans.approve(base.version, by=people["a"], now=NOON)
    for n, title in enumerate(("one", "two")):
        plans.propose(msgspec.structs.replace(FOLDER.plan, lines=FOLDER.plan.lines[n + 1 :], title=title),
                      folder=FOLDER, by=people["b"], now=later(hours=1))  # fmt: skip
    barrier, outcome = threading.Barrier(2), []

    def decide(version: int, who: str) -> None:
        try:
            barrier.wait(10)
            plans.approve(version, by=people[who], now=later(hours=2))
            outcome.append("approved")
        except ContractError:
            outcome.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=pair) for pair in ((2, "a"), (3, "leader"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcome) == ["approved", "refused"]
