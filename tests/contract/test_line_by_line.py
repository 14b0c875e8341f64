"""The client answers a plan line by line: what it refuses stays as it was, the rest counts, and the ledger holds both."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.test_plans import FOLDER, NOON, account
from yunwei.accounts.models import Account, Role
from yunwei.assets.models import Asset, Zone
from yunwei.contract import audit, plans
from yunwei.contract.diff import diff, without
from yunwei.contract.errors import ContractError
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import Agreed, Basis, Cadence, Limit, Plan, PlanLine
from yunwei.ledger import artifacts
from yunwei.ledger.audit import records
from yunwei.ledger.models import Artifact, Intake

LATER = NOON + timedelta(hours=1)

# --- taking changes back (pure) -----------------------------------------------------------------------------------

#: a loaded machine is no fault of these rules
CALM = settings(suppress_health_check=[HealthCheck.too_slow])
KEYS = st.sampled_from(["a", "b", "c.d"])
LINES = st.builds(
    PlanLine,
    obligation=st.just("x"),
    cadence=st.none() | st.builds(Cadence, every=st.sampled_from(["day", "week"]), basis=st.just(Basis.PLAN)),
    coverage_target=st.sampled_from([Decimal(100), Decimal(95)]),
    terms=st.dictionaries(st.sampled_from(["t", "u"]), st.integers(0, 2), max_size=2),
    note=st.sampled_from(["", "n"]),
)
LIMITS = st.dictionaries(KEYS, st.sampled_from([1.0, 2.0]), max_size=3)


@st.composite
def a_plan(draw: st.DrawFn) -> Plan:
    lines = draw(st.dictionaries(KEYS, LINES, max_size=3))
    codes = draw(st.lists(st.sampled_from(["S1", "S2", "S3"]), unique=True))
    return Plan(
        version=1, title="t",
        lines=[msgspec.structs.replace(line, obligation=key) for key, line in lines.items()],
        limits=[Limit(kind, warn_high=high) for kind, high in draw(LIMITS).items()],
        assets=codes, agreed={code: Agreed(kind=draw(st.sampled_from(["device", "vm"]))) for code in codes},
    )  # fmt: skip


@CALM
@given(old=st.none() | a_plan(), new=a_plan(), data=st.data())
def test_what_is_refused_is_as_it_was_and_the_rest_as_proposed(old: Plan | None, new: Plan, data: Any) -> None:
    changes = diff(old, new)
    names = [change.where for change in changes]
    assert len(names) == len(set(names)), "every change has a name of its own"
    refused = set(data.draw(st.lists(st.sampled_from(names), unique=True))) if names else set()
    left = diff(old, without(old, new, refused))
    assert sorted(map(repr, left)) == sorted(repr(c) for c in changes if c.where not in refused)


@CALM
@given(old=a_plan(), new=a_plan())
def test_nothing_refused_is_the_plan_as_proposed(old: Plan, new: Plan) -> None:
    assert without(old, new, ()) == new


# --- the service --------------------------------------------------------------------------------------------------


@pytest.fixture
def people(db: None) -> dict[str, Account]:
    zone = Zone.objects.create(code="gov", name="gov")
    for code in ("SW-01", "SW-02"):
        Asset.objects.create(code=code, name=code, kind="device", zone=zone)
    made = {"b": account("b", Role.B_MANAGER, "B"), "a": account("a", Role.A_MANAGER, "A")}
    plans.propose(FOLDER.plan, folder=FOLDER, by=made["b"], now=NOON)
    plans.approve(1, by=made["a"], now=NOON)
    return made


def second(people: dict[str, Account]) -> PlanVersion:
    """Looked at weekly instead of daily (asks less), a limit lowered (asks more), one switch out of the baseline."""
    lines = [
        msgspec.structs.replace(line, cadence=msgspec.structs.replace(line.cadence, every="week"))
        if line.obligation == "S1.2" and line.cadence
        else line
        for line in FOLDER.plan.lines
    ]
    limits = [msgspec.structs.replace(FOLDER.plan.limits[0], warn_high=70.0), *FOLDER.plan.limits[1:]]
    body = msgspec.structs.replace(FOLDER.plan, lines=lines, limits=limits)
    return plans.propose(body, folder=FOLDER, by=people["b"], now=LATER, assets=["SW-01"])


REFUSED = {"S1.2.cadence": "每日一次不能少", "asset SW-02": "仍在用"}


def cadence_of(plan: Plan) -> str:
    found = next(line.cadence for line in plan.lines if line.obligation == "S1.2")
    assert found is not None
    return found.every


def test_only_the_approved_lines_count(people: dict[str, Account]) -> None:
    second(people)
    row = plans.approve(2, by=people["a"], now=LATER, refused=REFUSED)
    assert (row.state, row.refused) == (PlanState.APPROVED, REFUSED)
    at = plans.plan_at(LATER)
    assert at is not None
    assert (at.version, cadence_of(at.plan), at.plan.limits[0].warn_high) == (2, "day", 70.0)
    assert plans.baseline_assets(LATER) == ["SW-01", "SW-02"]
    assert cadence_of(plans.plan_of(row)) == "week", "what was proposed stays to be read"
    assert at.plan.agreed["SW-02"] == plans.plan_of(PlanVersion.objects.get(version=1)).agreed["SW-02"]


def test_the_next_version_is_compared_with_what_counts(people: dict[str, Account]) -> None:
    second(people)
    plans.approve(2, by=people["a"], now=LATER, refused=REFUSED)
    body = msgspec.structs.replace(FOLDER.plan, limits=[FOLDER.plan.limits[0], *FOLDER.plan.limits[1:]])
    plans.propose(body, folder=FOLDER, by=people["b"], now=LATER)
    assert [c.where for c in plans.changes_of(3)] == ["limit cpu"]
    plans.approve(3, by=people["a"], now=LATER)
    at = plans.plan_at(LATER)
    assert at is not None
    assert at.plan.limits[0].warn_high == 80


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ({"S1.2.cadence": "  "}, "理由"),
        ({"S1.2.deadline": "没有这一项"}, "没有这些变化"),
        ({**REFUSED, "limit cpu": "不"}, "退回整版|每一项都退回"),
        ({"S1.2.cadence": "长" * 1001}, "过长"),
        ({"S1.2.cadence": "a\x00b"}, "不可记录"),
    ],
)
def test_a_wrong_answer_decides_nothing(people: dict[str, Account], refused: dict[str, str], said: str) -> None:
    second(people)
    before = Intake.objects.count()
    with pytest.raises(ContractError, match=said):
        plans.approve(2, by=people["a"], now=LATER, refused=refused)
    assert PlanVersion.objects.get(version=2).state == PlanState.PROPOSED
    assert Intake.objects.count() == before


def test_the_vendor_answers_nothing_line_by_line_either(people: dict[str, Account]) -> None:
    second(people)
    with pytest.raises(ContractError):
        plans.approve(2, by=people["b"], now=LATER, refused=REFUSED)
    assert PlanVersion.objects.get(version=2).state == PlanState.PROPOSED


def test_the_ledger_holds_what_was_refused_and_what_counts(people: dict[str, Account]) -> None:
    second(people)
    row = plans.approve(2, by=people["a"], now=LATER, refused=REFUSED)
    told = Intake.objects.filter(kind="contract.plan.approved").order_by("-id").first()
    assert told is not None
    said = msgspec.json.decode(bytes(told.body))
    assert said["data"]["refused"] == REFUSED
    artifact = Artifact.objects.get(commitment=said["artifacts"][0]["commitment"])
    assert msgspec.json.decode(artifacts.read(artifact)) == row.counted


def differing() -> list[str]:
    fold = audit.Plans()
    for said, _broken in records():
        if said is not None:
            fold.take(said)
    return [difference.field for difference in fold.differences()]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"refused": {}}, "refused"),
        ({"refused": REFUSED | {"S1.2.cadence": "另一个理由"}}, "refused"),
        ({"counted": None}, "counted"),
    ],
)
def test_a_row_that_says_something_else_is_found(
    people: dict[str, Account], change: dict[str, Any], field: str
) -> None:
    second(people)
    row = plans.approve(2, by=people["a"], now=LATER, refused=REFUSED)
    assert differing() == []
    PlanVersion.objects.filter(pk=row.pk).update(**change)
    assert differing() == [field]


def test_a_counting_body_that_was_changed_is_found(people: dict[str, Account]) -> None:
    second(people)
    row = plans.approve(2, by=people["a"], now=LATER, refused=REFUSED)
    row.counted["assets"] = ["SW-01"]
    row.save(update_fields=["counted"])
    assert differing() == ["counted"]
