"""`yunwei demo`: one contract day on the lab. A door that plays people: every act goes through the ordinary services."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from rich.progress import Progress, TaskID

from yunwei.cli import common, contact
from yunwei.cli.demo_stage import PASSWORD, PEOPLE, DemoError, Stage, clear, contract_day, create, register
from yunwei.kernel.i18n import _
from yunwei.lab import district
from yunwei.lab.process import FarmProcess
from yunwei.server import instance
from yunwei.server import serve as server

#: seconds between the first contact and the day's look
FIRST_TO_SECOND_S = 3.5
#: seconds an inspection of the whole district may take before the demo gives up
PATIENCE_S = 180


def play(folder: Path, *, once: bool, as_json: bool, port: int) -> None:
    """Make the instance, play the day, print a summary; stay up unless `once`."""
    if port and not once:
        server.require_free(port, hint="make demo ARGS='--port 0'")
    stage = Stage()
    try:
        with common.progress(quiet=as_json) as bar:
            _prepare(folder, stage, bar, port=port)
            _play_day(stage, bar, web=not once)
        told = summary()
        show(told, as_json=as_json)
        if not once:
            common.err.print(_("演示继续运行，Ctrl-C 结束"))
            server.watch(stage.children, stage.controls, server.asked_to_stop())
    finally:
        stage.stop()


def _prepare(folder: Path, stage: Stage, bar: Progress, *, port: int) -> None:
    task = bar.add_task(_("准备实例与实验设备"), total=3)
    clear(folder)
    items = district.equipment()
    stage.start(items)
    bar.advance(task)
    real_now = datetime.now(UTC)
    now = contract_day(real_now)
    create(folder, port=port, now=None if now == real_now else now)
    bar.advance(task)
    register(stage, items, common.now())
    bar.advance(task)


def _play_day(stage: Stage, bar: Progress, *, web: bool) -> None:
    """First contact, agreement on identities, approval of the plan, then whatever is due."""
    farm = stage.farm
    if farm is None:
        raise DemoError(_("实验设备没有启动"))
    _break(farm, {c: f for c, f in district.FAULTS.items() if f in district.FROM_THE_START})
    contact.make(instance.clock(), bar)
    first_look = time.monotonic()
    _agree()
    _break(farm, {c: f for c, f in district.FAULTS.items() if f not in district.FROM_THE_START})
    # two looks within judging.STILL_S say nothing about what stands still
    time.sleep(max(0.0, FIRST_TO_SECOND_S - (time.monotonic() - first_look)))
    _approve_plan()
    server.start(stage.children, instance.folder(), given=stage.controls, web=web)
    _wait(lambda: bool(_due_runs()), stage, seconds=30, what=_("今日义务"))
    _follow(bar, _("今日巡检：逐台查看"), stage)
    _people_act()
    _settle(stage)


def _break(farm: FarmProcess, faults: dict[str, str]) -> None:
    """Switch the faults of some devices on."""
    devices = {e.code: e.device for e in district.equipment()}
    for code, fault in faults.items():
        farm.set(devices[code].address, fault, protocol=devices[code].protocol)


def _agree() -> None:
    """The client confirms the identities it was shown, but for one."""
    from yunwei.assets import identity

    client = common.actor_account("a_manager")
    for pin in list(identity.waiting().exclude(endpoint__asset__code__in=district.UNCONFIRMED)):
        identity.confirm(pin, by=client, now=common.now())


def _approve_plan() -> None:
    """乙方 proposes the plan with today's inventory as its baseline; 甲方 approves it. Its days end at midnight, so that the
    day can be played at any hour of it: what was due at six in the evening would by then be missed, and rightly."""
    from yunwei.contract import plans
    from yunwei.contract.folder import load

    folder = load(instance.folder() / "contract")
    whole_days = [
        msgspec.structs.replace(line, cadence=msgspec.structs.replace(line.cadence, due_time="24:00"))
        if line.cadence
        else line
        for line in folder.plan.lines
    ]
    plan = msgspec.structs.replace(folder.plan, lines=whole_days)
    row = plans.propose(plan, folder=folder, by=common.actor_account("b_manager"), now=common.now())
    plans.approve(row.version, by=common.actor_account("a_manager"), now=common.now(), reason=_("演示：同意"))


def _due_runs() -> list[str]:
    from yunwei.duties.models import Attempt

    return list(Attempt.objects.order_by("id").values_list("run_id", flat=True))


def _follow(bar: Progress, text: str, stage: Stage) -> None:
    """Show the progress of the day's runs until all have ended."""
    from yunwei.runs.models import Run

    task: TaskID = bar.add_task(text, total=None)

    def ended() -> bool:
        rows = list(Run.objects.filter(pk__in=_due_runs()).values_list("done", "total", "ended_at"))
        total = sum(t for _d, t, _e in rows)
        bar.update(task, total=total or None, completed=sum(d for d, _t, _e in rows))
        return all(end is not None for _d, _t, end in rows)

    _wait(ended, stage, seconds=PATIENCE_S, what=text)


def _wait(condition: Callable[[], bool], stage: Stage, *, seconds: float, what: str) -> None:
    server.wait_for(condition, stage.children, seconds=seconds, what=what)


def _people_act() -> None:
    """A department asks, the desk answers, the client confirms; daily work is proven by hand; a fault is taken up."""
    from yunwei.desk import services as desk
    from yunwei.desk.models import Ticket, TicketKind, TicketState
    from yunwei.duties import services as duties

    tenant, client = common.actor_account("tenant"), common.actor_account("a_manager")
    engineer = common.actor_account("b_engineer")
    asked = desk.open_ticket(
        TicketKind.REQUEST,
        _("演示：咨询虚拟机扩容流程"),
        by=tenant,
        now=common.now(),
        body=_("请告知扩容需要哪些材料。"),
        channel="portal",
    )
    host = _("演示：申请新建 4 核 16 GB 主机 2 台")
    desk.open_ticket(TicketKind.SERVICE, host, by=tenant, now=common.now(), channel="portal")
    answer = _("演示：请填写资源申请表并由本单位负责人签字，材料齐备后办理。")
    desk.reply(asked.pk, answer, by=engineer, now=common.now())
    desk.move(asked.pk, TicketState.RESOLVED, by=engineer, now=common.now(), text=answer)
    desk.move(asked.pk, TicketState.CLOSED, by=client, now=common.now())
    for i, (row, title) in enumerate(_by_hand_today()):
        said = _("演示：{title}已完成，记录附后。").format(title=title)
        file = duties.File(f"{row.obligation}.txt", said.encode(), "text/plain; charset=utf-8")
        proof = duties.state_proof(row.pk, statement=said, file=file, by=engineer, now=common.now())
        if i % 2 == 0:  # the client answers every other one today
            duties.answer_proof(proof.pk, confirm=True, by=client, now=common.now())
    fault = Ticket.objects.filter(kind=TicketKind.FAULT).order_by("severity", "id").first()
    if fault is not None:
        desk.move(fault.pk, TicketState.ACCEPTED, by=engineer, now=common.now())


def _by_hand_today() -> list[tuple[Any, str]]:
    """乙方's daily duties of today that no procedure serves yet."""
    from yunwei.contract.folder import load
    from yunwei.duties.models import Occurrence, State
    from yunwei.runs.procedure import registry

    folder = load(instance.folder() / "contract")
    by_hand = {o.id: o.title for o in folder.obligations if o.procedure not in registry() and o.owes == "B"}
    today = f"{common.now().astimezone(_zone(folder)):%Y-%m-%d}"
    rows = Occurrence.objects.filter(period=today, obligation__in=by_hand, state=State.DUE).order_by("obligation")
    return [(row, by_hand[row.obligation]) for row in rows]


def _zone(folder: Any) -> ZoneInfo:
    return ZoneInfo(folder.contract.timezone)


def _settle(stage: Stage) -> None:
    """Wait until the worker has numbered everything, then push the head."""
    from yunwei.ledger import heads
    from yunwei.ledger.models import Waiting

    _wait(lambda: not Waiting.objects.exists(), stage, seconds=30, what=_("证据编号"))
    heads.push(common.now())


def summary(now: datetime | None = None) -> dict[str, Any]:
    """What the day came to, from the database alone."""
    from django.db.models import Count

    from yunwei.contract.folder import load
    from yunwei.desk.models import Ticket
    from yunwei.duties.models import Occurrence, State
    from yunwei.inspect.models import DeviceSweep, Finding
    from yunwei.ledger import keys
    from yunwei.ledger import services as ledger

    now = now or common.now()
    local = now.astimezone(_zone(load(instance.folder() / "contract")))
    by_state = dict(Occurrence.objects.filter(counts=True).values_list("state").annotate(n=Count("id")))
    sweep = _sweep_of_today(now)
    blind = DeviceSweep.objects.filter(run_id=sweep, verdict="unproven")
    newest = ledger.head()
    unproven = Occurrence.objects.filter(counts=True, state=State.UNPROVEN)
    return {
        "demo": True,
        "day": f"{local:%Y-%m-%d}",
        "occurrences": {str(state): by_state.get(state, 0) for state in State.values},
        "occurrences_unproven_by_cause": dict(unproven.values_list("cause").annotate(n=Count("id"))),
        "inspection": {
            "run": sweep,
            "verdicts": dict(DeviceSweep.objects.filter(run_id=sweep).values_list("verdict").annotate(n=Count("id"))),
            "unproven_by_reason": dict(blind.values_list("reason").annotate(n=Count("id")).order_by("reason")),
            "unproven": [list(r) for r in blind.order_by("asset__code").values_list("asset__code", "reason", "detail")],
            "unproven_by_cause": dict(blind.values_list("cause").annotate(n=Count("id")).order_by("cause")),
        },
        "findings": dict(
            Finding.objects.filter(closed_at__isnull=True).values_list("severity").annotate(n=Count("id"))
        ),
        "faults": [
            list(r)
            for r in Finding.objects.filter(closed_at__isnull=True)
            .order_by("asset__code", "key")
            .values_list("asset__code", "component", "kind", "severity")
        ],
        "tickets": dict(Ticket.objects.values_list("kind").annotate(n=Count("id"))),
        "ledger": {
            "entries": newest.size if newest else 0,
            "root": bytes(newest.root).hex() if newest else "",
            "head": newest.number if newest else 0,
            "key": keys.fingerprint(),
        },
        "console": f"http://127.0.0.1:{instance.settings()['web']['port']}/",
        "accounts": {name: shown for name, shown, _role, _org in PEOPLE},
        "password": PASSWORD,
    }


def _sweep_of_today(now: datetime) -> str:
    from yunwei.runs.models import Run

    found = (
        Run.objects.filter(procedure="hardware.inspect", cause__has_key="obligation")
        .filter(submitted_at__gte=now - timedelta(days=1))
        .order_by("-submitted_at")
        .first()
    )
    return found.id if found else ""


def show(told: dict[str, Any], *, as_json: bool) -> None:
    """The summary for people, or as one JSON object."""
    if as_json:
        common.print_json(told)
        return
    counts, look, ledger = told["occurrences"], told["inspection"], told["ledger"]
    common.out.print()
    common.table(
        _("合同日 {day}").format(day=told["day"]),
        (_("项目"), _("结果")),
        [
            (_("义务"), "，".join(f"{_state(k)} {v}" for k, v in counts.items() if v)),
            (_("巡检"), "，".join(f"{_verdict(k)} {v}" for k, v in look["verdicts"].items())),
            (_("未证明的原因"), "，".join(f"{_reason(k)} {v}" for k, v in look["unproven_by_reason"].items()) or "—"),
            (_("未关闭故障"), "，".join(f"{_severity(k)} {v}" for k, v in told["findings"].items()) or "0"),
            (_("工单"), "，".join(f"{_kind(k)} {v}" for k, v in told["tickets"].items()) or "0"),
            (_("台账"), f"№ {ledger['entries']}  {ledger['root'][:16]}…"),
            *_replayed(told.get("replay")),
            (_("控制台"), told["console"]),
            (_("演示账号"), "，".join(f"{name}（{shown}）" for name, shown in told["accounts"].items())),
            (_("口令"), told["password"]),
        ],
    )


def _replayed(told: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What a replay cost, and what its people were refused."""
    if told is None:
        return []
    words = _("{days} 日，{wall:.0f} 秒，处理器 {cpu:.0f} 秒；种子 {seed}")
    said = words.format(days=told["days"], wall=told["wall_s"], cpu=told["cpu_s"], seed=told["seed"])
    refused = "；".join(f"{what} × {n}" for what, n in told["refused"].items())
    return [(_("回放"), said), *([(_("演示人员被服务拒绝"), refused)] if refused else [])]


def _state(code: str) -> str:
    from yunwei.duties.models import State

    return str(State(code).label)


def _verdict(code: str) -> str:
    from yunwei.inspect.models import VerdictOf

    return str(VerdictOf(code).label)


def _severity(code: str) -> str:
    from yunwei.inspect.models import Severity

    return str(Severity(code).label)


def _kind(code: str) -> str:
    from yunwei.desk.models import TicketKind

    return str(TicketKind(code).label)


def _reason(code: str) -> str:
    from yunwei.ui.words import reason

    return reason(code)
