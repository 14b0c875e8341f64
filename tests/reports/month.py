"""A month to report on: duties kept, late, missed and unproven by every cause, sweeps with faults and blind spots, tickets.

Every change of state goes through the ordinary services, so that every figure has its record in the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets.models import Asset, Zone
from yunwei.contract import plans
from yunwei.desk import services as desk
from yunwei.desk.models import TicketKind, TicketState
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence, State
from yunwei.duties.sources import folder
from yunwei.duties.transitions import locked, move
from yunwei.inspect.models import DeviceSweep, Finding
from yunwei.ledger import services as ledger
from yunwei.runs.models import Run

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 11, 1)
#: 2026-12-01 09:00 in Shanghai: the month is over
NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
CAUSES = ("vendor", "client", "third", "unknown")
NAMES = {
    "switch": "接入交换机", "server": "机架服务器", "storage": "集中存储", "firewall": "边界防火墙", "ups": "机房不间断电源",
}  # fmt: skip


def crew() -> dict[str, Account]:
    """Who acts; the password is the user name."""
    made: dict[str, Account] = {}
    for code, name, party in (
        ("A", "上海市青浦区政务服务中心", "A"), ("B", "上海长城电子信息网络有限公司", "B"), ("edu", "区教育局（演示）", "T"),
    ):  # fmt: skip
        Organisation.objects.create(code=code, name=name, party=party)
    for name, role, org in (
        ("a_manager", Role.A_MANAGER, "A"),
        ("b_manager", Role.B_MANAGER, "B"),
        ("b_engineer", Role.B_ENGINEER, "B"),
        ("auditor", Role.AUDITOR, "A"),
        ("tenant", Role.TENANT, "edu"),
    ):
        made[name] = Account.objects.create(
            username=name, display_name=name, role=role, organisation=Organisation.objects.get(code=org), password=name
        )
    return made


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A time of day in Shanghai."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=SHANGHAI).astimezone(UTC)


def play(people: Mapping[str, Account], *, days: int = 30, devices: int = 24, name: str = "") -> None:
    """Make the month, day by day; `name` replaces the devices' names (to try hostile ones)."""
    zone = Zone.objects.create(code="ext", name="政务外网区")
    kinds = list(NAMES)
    assets = Asset.objects.bulk_create(
        Asset(
            code=f"{kinds[i % 5][:2].upper()}-{i:04d}", name=name or f"{NAMES[kinds[i % 5]]} {i}", kind="device", zone=zone,
            category=kinds[i % 5],
        )
        for i in range(devices)
    )  # fmt: skip
    before = at(FIRST - timedelta(days=5), 9)
    row = plans.propose(folder().plan, folder=folder(), by=people["b_manager"], now=before)
    plans.approve(row.version, by=people["a_manager"], now=before)
    duties.bring_up_to_date(before)
    for i in range(2, days, 6):
        _ask(FIRST + timedelta(days=i), i, people)
    duties.bring_up_to_date(NOW)
    for i in range(days):
        _day(FIRST + timedelta(days=i), i, assets)
    duties.close_overdue(NOW)
    ledger.sequence(NOW)


def _day(day: date, i: int, assets: list[Asset]) -> None:
    _look(day, i, assets)
    rows = Occurrence.objects.filter(
        counts=True, state=State.DUE, due_at__gt=at(day, 0), due_at__lte=at(day, 0) + timedelta(days=1)
    )
    for n, row in enumerate(rows.exclude(period__startswith="event:").order_by("obligation", "period")):
        with transaction.atomic():
            _settle(locked(row.pk), (i * 7 + n) % 23)
    ledger.sequence(at(day, 23, 50))


def _settle(row: Occurrence, dice: int) -> None:
    assert row.due_at is not None
    done = row.due_at - timedelta(hours=2)
    if dice == 1:
        move(
            row,
            State.LATE,
            now=row.due_at + timedelta(hours=3),
            actor="system:duties",
            done_at=row.due_at + timedelta(hours=3),
            detail="材料补交",
        )
    elif dice in (2, 3, 4, 5):
        move(row, State.UNPROVEN, now=row.due_at, actor="system:duties", cause=CAUSES[dice - 2], detail="没有带回结果")
    elif dice == 6:
        move(row, State.EXEMPT, now=row.due_at, actor="system:duties", detail="13.1 市政停电")
    elif dice != 7:  # seven: nobody did it
        move(row, State.KEPT, now=done, actor="system:duties", done_at=done)


def _look(day: date, i: int, assets: list[Asset]) -> None:
    run_id, when = f"look:S1.1-remote:{day}:1", at(day, 8, 30)
    blind = [a for n, a in enumerate(assets) if (n + i) % 17 == 0]
    bad = [a for n, a in enumerate(assets) if a not in blind and (n * 3 + i // 4) % 19 == 0]
    silent = i == 11
    reasons: dict[str, int] = {"not_reached": len(blind)} if blind else {}
    coverage: dict[str, Any] = {
        "agreed": len(assets), "proven": len(assets) - len(blind), "passed": len(assets) - len(blind) - len(bad),
        "failed": len(bad), "unproven": reasons, "causes": {CAUSES[i % 4]: len(blind)} if blind else {},
        "not_proven": [[a.code, "not_reached", ""] for a in blind], "control": {"ext/snmp": not silent, "ext/redfish": True},
    }  # fmt: skip
    Run.objects.create(
        id=run_id, procedure="hardware.inspect", scope={"assets": [a.code for a in assets]}, terms={},
        cause={"obligation": "S1.1-remote", "clauses": ["2.1-S"]}, state="done", submitted_at=when, started_at=when,
        ended_at=when + timedelta(minutes=4), done=len(assets), total=len(assets), outcome={"coverage": coverage},
    )  # fmt: skip
    DeviceSweep.objects.bulk_create(
        DeviceSweep(
            run_id=run_id, asset=a, observed_at=when, verdict="unproven" if a in blind else "fail" if a in bad else "pass",
            reason="not_reached" if a in blind else "", cause=CAUSES[i % 4] if a in blind else "", protocols="snmp",
            evaluated=0 if a in blind else 40, faults=int(a in bad), parts=8,
        )
        for a in assets
    )  # fmt: skip
    with transaction.atomic():
        ledger.record(
            "inspect.run.judged", run_id, {"coverage": coverage}, at=when, actor="system:inspect", clauses=("2.1-S",)
        )
        _match(bad, when)


def _match(bad: list[Asset], when: datetime) -> None:
    """Open what is newly bad, close what was seen right again."""
    open_now = {f.asset_id: f for f in Finding.objects.filter(closed_at__isnull=True)}
    for asset in bad:
        if asset.pk in open_now:
            Finding.objects.filter(pk=open_now[asset.pk].pk).update(
                last_seen_at=when, times=open_now[asset.pk].times + 1
            )
            continue
        told = ledger.record("inspect.finding.opened", asset.code, {}, at=when, actor="system:inspect")
        Finding.objects.create(
            asset=asset, key="fan/1:state", component="fan/1", kind="fan", name="风扇 1",
            severity="critical" if asset.pk % 3 == 0 else "warning", value="0", raw="转速 0 转/分",
            limit="device: warn<=900 crit<=600", opened_at=when, last_seen_at=when, evidence=told.pk,
        )  # fmt: skip
    gone = {pk: f for pk, f in open_now.items() if pk not in {a.pk for a in bad}}
    for found in gone.values():
        told = ledger.record("inspect.finding.closed", found.asset.code, {}, at=when, actor="system:inspect")
        Finding.objects.filter(pk=found.pk).update(closed_at=when, state="closed", closing_evidence=told.pk)


def _ask(day: date, i: int, people: Mapping[str, Account]) -> None:
    """A department asks; most of it is answered the same day, and closed by the client."""
    ticket = desk.open_ticket(
        TicketKind.REQUEST,
        f"咨询虚拟机扩容所需材料（第 {i // 6 + 1} 次）",
        by=people["tenant"],
        now=at(day, 9, 10),
        channel="portal",
    )
    if i % 12 == 2:
        answer = "请填写资源申请表并由本单位负责人签字。"
        desk.reply(ticket.pk, answer, by=people["b_engineer"], now=at(day, 15))
        desk.move(ticket.pk, TicketState.RESOLVED, by=people["b_engineer"], now=at(day, 15, 10), text=answer)
        desk.move(ticket.pk, TicketState.CLOSED, by=people["a_manager"], now=at(day, 16))
