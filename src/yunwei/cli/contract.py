"""`yunwei contract …`: check and show a contract folder; the service plan's versions in an instance."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from yunwei.cli import common, contract_close
from yunwei.cli.common import FINDING, out, print_json, table
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.accounts.models import Account
    from yunwei.contract.diff import Change
    from yunwei.contract.schema import Folder

app = typer.Typer(no_args_is_help=True)
plan = typer.Typer(no_args_is_help=True)
app.add_typer(contract_close.app, name="close", help="了结待双方明确的事项 (close open items)")
app.add_typer(plan, name="plan", help="服务方案的版本 (versions of the service plan)")

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
Directory = Annotated[Path, typer.Argument(help="合同目录 (contract folder)")]
By = Annotated[str, typer.Option("--by", help="经办账号，口令从终端或标准输入读取 (account)")]
Version = Annotated[int, typer.Argument(help="版本号 (version)")]

_UNIT = {"working_day": "个工作日", "calendar_day": "日", "hour": "小时", "minute": "分钟", "year": "年"}
_EVERY = {
    "day": "每日", "working_day": "每工作日", "week": "每周", "month": "每月", "quarter": "每季", "year": "每年",
    "once": "一次",
}  # fmt: skip
_BASIS = {"contract": "合同", "statute": "法定", "plan": "计划", "platform": "平台默认"}
_KIND = {"continuous": "持续", "consent": "事先同意", "ban": "禁止"}


@app.command()
def check(directory: Directory, as_json: Json = False) -> None:
    """检查合同目录：结构与含义，逐条给出文件与行号。有错误时退出码为 1；提醒不影响使用。"""
    from yunwei.contract.check import check as problems_of

    problems = problems_of(directory, known_procedures=_procedures())
    if as_json:
        fields = ("file", "line", "code", "message", "hint", "warning")
        print_json([{name: getattr(problem, name) for name in fields} for problem in problems])
    else:
        for problem in problems:
            place = f"{directory / problem.file}:{problem.line}" if problem.line else str(directory)
            where = Text(place, style="yellow" if problem.warning else "bold")
            out.print(where + Text(f"  {problem.message}") + Text(f"  [{problem.code}]", style="dim"), soft_wrap=True)
            if problem.hint:
                out.print(Text(f"    → {problem.hint}", style="dim"), soft_wrap=True)
        errors = sum(not problem.warning for problem in problems)
        verdict = _("{n} 处问题").format(n=errors) if errors else _("没有发现问题")
        if len(problems) > errors:
            verdict += _("，{n} 处提醒").format(n=len(problems) - errors)
        out.print(Text(("✗ " if errors else "✓ ") + verdict, style="red" if errors else "green"))
    if any(not problem.warning for problem in problems):
        raise typer.Exit(FINDING)


def _procedures() -> set[str]:
    """The procedures that the lines of work registered; needs Django, but no instance."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yunwei.server.settings")
    import django

    django.setup()
    from yunwei.runs.procedure import registry

    return set(registry())


@app.command()
def show(directory: Directory, as_json: Json = False) -> None:
    """显示合同：要素、文件次序、服务期读法、付款、双方义务、待决事项。"""
    from yunwei.contract.folder import load

    folder = load(directory)
    if as_json:
        print_json(folder)
        return
    contract = folder.contract
    events = {event.id: event.title for event in folder.event_details}
    out.print(Text(contract.title, style="bold"), Text(contract.number, style="dim"))
    out.print(Text(f"{contract.price.amount:,.2f}  {contract.price.capitals}"))
    table(_("当事人"), (_("方"), _("称谓"), _("名称")), ((p.role, p.title, p.name) for p in contract.parties))
    _show_periods(folder)
    table(
        _("付款"),
        (_("期"), _("条款"), "%", _("金额"), _("期限"), _("起算")),
        (
            (i.id, i.clause, i.share, f"{i.amount:,.2f}", f"{i.days} {_UNIT[i.unit]}", _titles(events, i.anchors))
            for i in contract.instalments
        ),
    )
    table(
        _("文件"),
        (_("次序"), _("文件"), _("在手")),
        ((d.order, d.title, "✓" if d.present else "✗") for d in sorted(folder.documents, key=lambda d: d.order)),
    )
    _show_obligations(folder)
    _show_open(folder)


def _titles(events: dict[str, str], names: list[str]) -> str:
    return " + ".join(events.get(name, name) for name in names)


def _show_periods(folder: Folder) -> None:
    from yunwei.contract import period

    table(
        _("服务期的读法"),
        (_("读法"), _("起"), _("止"), _("确认"), _("理由")),
        (
            (p.id + (" ★" if p.recommended else ""), p.start, p.end, "✓" if p.confirmed else "", p.reason)
            for p in folder.contract.periods
        ),
    )
    span = period.duty_span(folder.contract)
    if period.confirmed(folder.contract) is None:
        text = _("尚未确认：义务在并集 {start} 至 {end} 内运行，金额与违约不计").format(start=span.start, end=span.end)
        out.print(Text(text, style="yellow"))


def _show_obligations(folder: Folder) -> None:
    planned = {line.obligation: line for line in folder.plan.lines}
    events = {event.id: event.title for event in folder.event_details}
    rows = []
    for o in folder.obligations:
        line = planned.get(o.id)
        cadence, deadline = o.cadence or (line and line.cadence), o.deadline or (line and line.deadline)
        when = _EVERY.get(cadence.every, cadence.every) if cadence else events.get(o.trigger) or _KIND.get(o.kind, "")
        number = deadline or cadence
        limit = f"{deadline.n} {_UNIT[deadline.unit]}" if deadline else ""
        basis = _BASIS[number.basis] if number else ""
        rows.append((o.id, "、".join(o.clauses), o.owes, o.title, when, limit, basis, o.procedure))
    columns = (_("编号"), _("条款"), _("方"), _("义务"), _("何时"), _("期限"), _("依据"), _("流程（空：人工证明）"))
    table(_("义务"), columns, rows)


def _show_open(folder: Folder) -> None:
    from yunwei.contract.openitems import still_open

    table(
        _("待决事项"),
        (_("条款"), _("事项"), _("责任方"), _("挡住"), _("目前")),
        ((i.clause, i.title, i.owner, i.blocks, i.default) for i in still_open(folder)),
    )


@plan.command("list")
def plan_list(as_json: Json = False) -> None:
    """列出服务方案的各版本。"""
    common.open_instance()
    from yunwei.contract.models import PlanVersion

    rows = [
        {
            "version": row.version, "state": row.state, "label": row.get_state_display(), "base": row.base, "counts_from": row.counts_from,
            "proposed_by": row.proposed_by.username, "proposed_at": row.proposed_at,
            "decided_by": row.decided_by.username if row.decided_by else None, "decided_at": row.decided_at,
            "assets": len(row.body.get("assets", [])), "reason": row.reason,
        }
        for row in PlanVersion.objects.select_related("proposed_by", "decided_by")
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    columns = (_("版本"), _("状态"), _("生效日"), _("报送"), _("审定"), _("资产"), _("理由"))
    keys = ("version", "label", "counts_from", "proposed_by", "decided_by", "assets", "reason")
    table(_("服务方案"), columns, ([row[key] for key in keys] for row in rows))


@plan.command()
def propose(
    by: By,
    file: Annotated[Path | None, typer.Argument(help="plan.yaml；缺省为实例合同目录里的 plan.yaml")] = None,
    note: Annotated[str, typer.Option(help="为什么 (why)")] = "",
    as_json: Json = False,
) -> None:
    """乙方报送一版服务方案；没有写明基线资产的，取全部在用资产。"""
    account = _account(by)
    from yunwei.contract import plans
    from yunwei.contract.folder import load, load_plan

    folder = load(_instance_contract())
    body = load_plan(file) if file else folder.plan
    row = plans.propose(body, folder=folder, by=account, now=common.now(), note=note)
    _show_changes(row.version, plans.changes_of(row.version), as_json=as_json)


@plan.command()
def approve(
    version: Version,
    by: By,
    reason: Annotated[str, typer.Option(help="意见")] = "",
    refused: Annotated[
        list[str] | None,
        typer.Option("--except", help="退回其中一项：WHERE=理由；WHERE 见 diff --json (refuse one line)"),
    ] = None,
    as_json: Json = False,
) -> None:
    """甲方审定一版服务方案，自审定当日起计数；可以逐项退回。"""
    account = _account(by)
    from yunwei.contract import plans

    lines = dict(item.partition("=")[::2] for item in refused or [])
    row = plans.approve(version, by=account, now=common.now(), reason=reason, refused=lines)
    if as_json:
        print_json({"version": row.version, "state": row.state, "counts_from": row.counts_from, "refused": row.refused})
        return
    if row.refused:
        out.print(Text(_("{n} 项退回，照旧").format(n=len(row.refused)), style="yellow"))
    out.print(Text("✓ " + _("第 {n} 版自 {day} 起计数").format(n=version, day=row.counts_from), style="green"))


@plan.command()
def refuse(
    version: Version, by: By, reason: Annotated[str, typer.Option(help="理由 (why)")], as_json: Json = False
) -> None:
    """甲方退回一版服务方案，写明理由。"""
    account = _account(by)
    from yunwei.contract import plans

    row = plans.refuse(version, by=account, now=common.now(), reason=reason)
    if as_json:
        print_json({"version": row.version, "state": row.state, "reason": reason})
        return
    out.print(Text(_("第 {n} 版已退回").format(n=version)))


@plan.command()
def diff(version: Version, as_json: Json = False) -> None:
    """逐条显示一版服务方案改变了什么，哪些放宽了。"""
    common.open_instance()
    from yunwei.contract import plans

    _show_changes(version, plans.changes_of(version), as_json=as_json)


_EFFECT = {
    "tightens": ("收紧", "green"),
    "loosens": ("放宽", "red"),
    "neutral": ("无影响", "dim"),
    "unclear": ("须人工判断", "yellow"),
}


def _show_changes(version: int, changes: list[Change], *, as_json: bool) -> None:
    if as_json:
        print_json({"version": version, "changes": changes})
        return
    for change in changes:
        word, style = _EFFECT[change.effect]
        values = f"{_short(change.before)} → {_short(change.after)}"
        out.print(
            Text(f"{_(word)}  ", style=style) + Text(f"{change.text}  ") + Text(values, style="dim"), soft_wrap=True
        )
    loose = sum(change.loosens for change in changes)
    text = _("第 {n} 版：{total} 处变化，其中 {loose} 处放宽或须判断").format(
        n=version, total=len(changes), loose=loose
    )
    out.print(Text(text, style="bold"))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={_short(item)}" for key, item in value.items() if key not in {"basis", "obligation"})
    return "—" if value is None else str(value)


def _instance_contract() -> Path:
    from yunwei.server import instance

    return instance.folder() / "contract"


def _account(username: str) -> Account:
    """The account behind `--by`, proved by its password: whoever runs this machine is not thereby the client."""
    common.open_instance()
    from django.contrib.auth import authenticate

    from yunwei.contract.errors import ContractError

    password = common.hidden(_("{name} 的口令：").format(name=username))
    account = authenticate(username=username, password=password)
    if account is None:
        raise ContractError(_("账号或口令不对"), where=username)
    return account


if find_spec("yunwei.cli.contract_read") is not None:
    from yunwei.cli import contract_read

    app.command("read")(contract_read.read)
