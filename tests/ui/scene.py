"""A day to look at: plan, assets, an inspection with faults and blind spots, occurrences, ledger numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction

from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets.models import Asset, Zone
from yunwei.contract import plans
from yunwei.desk import services as desk
from yunwei.desk.models import TicketKind
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence, State
from yunwei.duties.sources import folder
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.ledger import services as ledger
from yunwei.runs import services as runs
from yunwei.runs.models import Run

#: 2026-11-26 10:30 in Shanghai, a Thursday
NOW = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)
RUN = "look:S1.1-remote:2026-11-26:1"
VERDICTS = ("pass", "pass", "pass", "fail", "unproven")


def play(people: dict[str, Account], *, assets: int = 10, occurrences: int = 10, name: str = "接入交换机") -> None:
    """Make the day. `occurrences` more settled ones lie in the months before."""
    zone = Zone.objects.create(code="ext", name="政务外网区")
    made = Asset.objects.bulk_create(
        Asset(
            code=f"SW-{i:04d}", name=f"{name} {i}", kind="device", zone=zone, category="switch" if i % 2 else "server"
        )
        for i in range(assets)
    )
    before = NOW - timedelta(days=40)
    row = plans.propose(folder().plan, folder=folder(), by=people["b_manager"], now=before)
    plans.approve(row.version, by=people["a_manager"], now=before)
    duties.bring_up_to_date(NOW)
    _settle_the_past(occurrences)
    _inspect(made, people)
    desk.open_ticket(TicketKind.REQUEST, f"咨询扩容 {name}", by=people["tenant"], now=NOW - timedelta(hours=1))
    duties.bring_up_to_date(NOW)
    runs.worker_seen("test", NOW)
    ledger.sequence(NOW)


def _settle_the_past(count: int) -> None:
    states = (State.KEPT, State.KEPT, State.LATE, State.MISSED, State.UNPROVEN)
    Occurrence.objects.bulk_create(
        Occurrence(
            obligation="S2.3-full", period=f"past-{i}", clauses=["2.1-S"], owes="B", kind="result", basis="plan",
            counts=True, starts_at=NOW - timedelta(days=30), due_at=NOW - timedelta(days=29, minutes=i),
            state=states[i % 5], cause="vendor" if states[i % 5] == State.UNPROVEN else "",
        )
        for i in range(count)
    )  # fmt: skip


def _inspect(assets: list[Asset], people: dict[str, Account]) -> None:
    codes = [a.code for a in assets]
    at = NOW - timedelta(hours=1)
    verdicts = {a.code: VERDICTS[i % 5] for i, a in enumerate(assets)}
    blind = [c for c, v in verdicts.items() if v == "unproven"]
    coverage = {
        "agreed": len(codes), "proven": len(codes) - len(blind), "unproven": {"not_reached": len(blind)},
        "not_proven": [[c, "not_reached", ""] for c in blind[:200]],
    }  # fmt: skip
    Run.objects.create(
        id=RUN, procedure="hardware.inspect", scope={"assets": codes}, terms={}, cause={"obligation": "S1.1-remote"},
        state="done", submitted_at=at, started_at=at, ended_at=at, done=len(codes), total=len(codes),
        outcome={"coverage": coverage, "control": {"ext/snmp": True}},
    )  # fmt: skip
    DeviceSweep.objects.bulk_create(
        DeviceSweep(
            run_id=RUN, asset=a, observed_at=at, verdict=verdicts[a.code],
            reason="not_reached" if a.code in blind else "", cause="unknown" if a.code in blind else "",
        )
        for a in assets
    )  # fmt: skip
    with transaction.atomic():
        ledger.record("inspect.run.judged", RUN, {"coverage": coverage["proven"]}, at=at, actor="system:inspect")
        for a in assets:
            if verdicts[a.code] == "fail":
                _fault(a, at)


def _fault(asset: Asset, at: datetime) -> None:
    told = ledger.record("inspect.finding.opened", asset.code, {}, at=at, actor="system:inspect")
    Finding.objects.create(
        asset=asset, key="fan/1:state", component="fan/1", kind="state", name=f"{asset.name} 风扇 1", severity="critical",
        value="0", raw="failed", limit="device: warn<=900 crit<=600", opened_at=at, last_seen_at=at, times=2, evidence=told.pk,
    )  # fmt: skip


def crew() -> dict[str, Account]:
    """Who acts on the page: one account of each side and the three officers; the password is the user name."""
    made: dict[str, Account] = {}
    for code, party in (("A", "A"), ("B", "B"), ("edu", "T")):
        Organisation.objects.create(code=code, name=f"单位{code}", party=party)
    for name, role, org in (
        ("a_manager", Role.A_MANAGER, "A"),
        ("b_manager", Role.B_MANAGER, "B"),
        ("b_engineer", Role.B_ENGINEER, "B"),
        ("tenant", Role.TENANT, "edu"),
        ("auditor", Role.AUDITOR, "A"),
        ("sysadmin", Role.SYSADMIN, "A"),
        ("secadmin", Role.SECADMIN, "A"),
    ):
        made[name] = Account.objects.create(
            username=name, display_name=name, role=role, organisation=Organisation.objects.get(code=org), password=name
        )
    return made
