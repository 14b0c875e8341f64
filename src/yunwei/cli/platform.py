"""Commands of the platform itself: init, serve, worker, doctor, account, demo."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from yunwei.cli import common
from yunwei.cli.people import LEAST
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

account = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to the main command."""
    app.command(help="建立一个实例：设置、密钥、合同、首批账号、数据库与证据库、引擎的表。")(init)
    app.command(help="在本机运行实例：网页、工作进程与阳性对照设备；Ctrl-C 全部结束。")(serve)
    app.command(help="运行一个工作进程：义务、流程、台账编号、签名头送达；PostgreSQL 上可启动多个。")(worker)
    app.command(help="检查实例与本机：什么正常、缺什么、怎么办；有故障时退出码为 1。")(doctor)
    app.command(help="在实验设备上演一个合同日：执行今日义务，然后打开控制台；--once 只打印小结。")(demo)
    app.add_typer(account, name="account", help="账号 (accounts)")


def _password(prompt: str) -> str:
    """From the terminal without echo, or one line of standard input; never from the command line."""
    password = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if len(password) < LEAST:
        raise YunweiError(_("口令太短"), hint=_("至少 {n} 个字符").format(n=LEAST))
    return password


def init(
    folder: Annotated[Path, typer.Argument(help="新实例的目录 (folder of the new instance)")],
    contract: Annotated[Path, typer.Option(help="合同文件夹 (contract folder)")],
    client: Annotated[str, typer.Option(help="甲方名称 (name of the client)")],
    vendor: Annotated[str, typer.Option(help="乙方名称 (name of the vendor)")],
    database: Annotated[str, typer.Option(help="postgres://…；缺省为内嵌 SQLite")] = "",
    heads: Annotated[str, typer.Option(help="甲方掌握的证据链头存放处 (address the client controls)")] = "",
    port: Annotated[int, typer.Option(help="控制台端口 (console port)")] = 8600,
    as_json: Json = False,
) -> None:
    """Make an instance: settings, keys, contract, first accounts, database, artifacts, the engine's schema.

    The first accounts are the three officers and one manager of each side; their common first password is asked for
    (or read from standard input) and each should change it.
    """
    from yunwei.contract import check
    from yunwei.ledger import keys
    from yunwei.server import instance

    if problems := check.check(contract):
        raise YunweiError(
            _("合同文件夹有 {n} 处问题").format(n=len(problems)),
            where=str(contract),
            hint=f"yunwei contract check {contract}",
        )
    password = _password(_("首批账号的初始口令："))
    people = [
        instance.Person("sysadmin", "系统管理员", "sysadmin", "B", password),
        instance.Person("secadmin", "安全管理员", "secadmin", "A", password),
        instance.Person("auditor", "审计管理员", "auditor", "A", password),
        instance.Person("a_manager", "甲方项目负责人", "a_manager", "A", password),
        instance.Person("b_manager", "乙方项目经理", "b_manager", "B", password),
    ]
    instance.create(
        folder,
        instance.Blueprint(
            contract=contract,
            organisations=[("A", client, "A"), ("B", vendor, "B")],
            people=people,
            database_url=database,
            heads=heads,
            port=port,
        ),
    )
    common.summary(
        {
            "instance": str(folder),
            "accounts": [person.username for person in people],
            "ledger_key_fingerprint": keys.fingerprint(folder / "keys"),
        },
        as_json=as_json,
    )


def serve(
    workers: Annotated[int, typer.Option(help="工作进程数；SQLite 只能为 1 (worker processes)")] = 1,
) -> None:
    """Run the instance on this machine: web, worker and the positive-control device; Ctrl-C ends all."""
    from yunwei.server import instance
    from yunwei.server import serve as server

    common.open_instance()
    server.require_free(instance.settings()["web"]["port"], hint=f"{instance.folder() / instance.SETTINGS} [web] port")
    children, controls = server.Children(), server.Controls()
    try:
        controls.start()
        controls.register(instance.clock().now())
        server.start(children, instance.folder(), workers=workers)
        common.err.print(_("控制台：http://127.0.0.1:{port}/").format(port=instance.settings()["web"]["port"]))
        server.watch(children, controls)
    finally:
        children.stop()
        controls.stop()


def worker() -> None:
    """Run one worker: duties, procedures, ledger sequencer, heads. On PostgreSQL start as many as wanted."""
    from yunwei.server import worker as server

    common.open_instance()
    server.work()


def doctor(as_json: Json = False) -> None:
    """Look at the instance and the machine: what works, what is missing, what to do about it. Exit 1 on a fault."""
    from yunwei.server import doctor as examiner

    findings = examiner.examine()
    if as_json:
        common.print_json(findings)
    else:
        marks = {"ok": "[green]✓[/green]", "note": "[yellow]·[/yellow]", "fault": "[red]✗[/red]"}
        for f in findings:
            hint = f"  [dim]{f['hint']}[/dim]" if f["hint"] else ""
            common.out.print(f"{marks[f['state']]} {f['what']}  {f['found']}{hint}")
    if any(f["state"] == "fault" for f in findings):
        raise typer.Exit(common.FINDING)


@account.command("list", help="全部账号及其角色与单位。")
def account_list(as_json: Json = False) -> None:
    """All accounts with role and organisation."""
    common.open_instance()
    from yunwei.accounts.models import Account

    rows = [
        {
            "username": a.username,
            "name": a.display_name,
            "role": a.role,
            "role_name": str(a.get_role_display()),
            "organisation": a.organisation.name,
            "active": a.is_active,
        }
        for a in Account.objects.select_related("organisation").order_by("username")
    ]
    if as_json:
        common.print_json(rows)
        return
    common.table(
        "",
        (_("账号"), _("姓名"), _("角色"), _("单位")),
        [[r["username"], r["name"], r["role_name"], r["organisation"]] for r in rows],
    )


@account.command("add", help="建立账号：先读系统管理员的口令，再读新账号的口令（终端或标准输入）。")
def account_add(
    username: str,
    name: Annotated[str, typer.Option(help="显示名 (display name)")],
    role: Annotated[str, typer.Option(help="角色 (role)")],
    organisation: Annotated[str, typer.Option(help="单位代码 (organisation code)")],
    by: Annotated[str, typer.Option(help="经办账号，须为系统管理员 (acting account)")],
    as_json: Json = False,
) -> None:
    """Add an account: the system officer's password, then the new account's, are asked for or read from stdin."""
    common.open_instance()
    from yunwei.accounts.models import Organisation, Role
    from yunwei.accounts.services import AccountError, create_account

    officer = common.sign_in(by)
    if officer.role != Role.SYSADMIN:
        raise AccountError(_("只有系统管理员可以建立账号"), where=by)
    unit = Organisation.objects.filter(code=organisation).first()
    if unit is None:
        known = "、".join(Organisation.objects.values_list("code", flat=True))
        raise AccountError(_("没有单位“{code}”").format(code=organisation), hint=known)
    made = create_account(
        username=username,
        display_name=name,
        role=role,
        organisation=unit,
        password=_password(_("口令：")),
        by=by,
        now=common.now(),
    )
    told = {"username": made.username, "role": made.role, "organisation": organisation, "active": made.is_active}
    common.tell(told, _("已建立账号 {name}").format(name=username), as_json=as_json)


def demo(
    once: Annotated[bool, typer.Option("--once", help="结束后打印小结并退出 (end with a summary)")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="小结为一个 JSON 对象 (summary as one JSON object)")] = False,
    folder: Annotated[Path, typer.Option(help="演示实例目录 (folder of the demo)")] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="控制台端口；0 为任选 (console port)")] = 8600,
) -> None:
    """One contract day on the lab: obligations of today run against the farm; then the console, or a summary."""
    from yunwei.cli import demo as player

    player.play(folder, once=once, as_json=as_json, port=port)
