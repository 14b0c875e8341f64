"""Commands of the platform itself: init, serve, worker, doctor, account, demo."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from yunwei.accounts.strength import generate
from yunwei.cli import common
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
#: a first password lives until its owner's first login; the policy judges the one that follows
LEAST = 10


def register(app: typer.Typer) -> None:
    """Add this file's commands to the main command."""
    app.command(help="建立一个实例：设置、密钥、合同、首批账号、数据库与证据库、引擎的表。")(init)
    app.command(help="在本机运行实例：网页、工作进程与阳性对照设备；Ctrl-C 全部结束。")(serve)
    app.command(help="运行一个工作进程：义务、流程、台账编号、签名头送达；PostgreSQL 上可启动多个。")(worker)
    app.command(help="检查实例与本机：什么正常、缺什么、怎么办；有故障时退出码为 1。")(doctor)
    app.command(help="在实验设备上演一个合同日：执行今日义务，然后打开控制台；--once 只打印小结。")(demo)


def _first_password(*, asked: bool) -> str:
    """What `init` gives its first accounts: a generated one, or what was asked for on standard input; never from the
    command line. Each owner changes it at the first login."""
    if not asked:
        return generate()
    password = common.hidden(_("首批账号的初始口令："))
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
    port: Annotated[int, typer.Option(min=1, max=65535, help="控制台端口 (console port)")] = 8600,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="从标准输入读初始口令；缺省为生成一个 (read the first password)")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an instance: settings, keys, contract, first accounts, database, artifacts, the engine's schema.

    The first accounts are the three officers and one manager of each side; their common first password is generated
    and printed this once, and each must change it at the first login.
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
    password = _first_password(asked=password_stdin)
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
            **({} if password_stdin else {"first_password": password}),
            "ledger_key_fingerprint": keys.fingerprint(folder / "keys"),
        },
        as_json=as_json,
    )


def serve(
    workers: Annotated[int, typer.Option(min=1, help="工作进程数；SQLite 只能为 1 (worker processes)")] = 1,
) -> None:
    """Run the instance on this machine: web, worker and the positive-control device; Ctrl-C ends all."""
    from yunwei.server import instance
    from yunwei.server import serve as server

    common.open_instance()
    from django.db import connection

    server.require_free(instance.port_of(instance.folder()), hint=f"{instance.folder() / instance.SETTINGS} [web] port")
    # what can be told here is not left to a process that ends
    instance.require_current()
    if workers > 1 and connection.vendor == "sqlite":
        raise YunweiError(
            _("SQLite 上只能有一个工作进程"), where="--workers", hint=_("需要更多时改用 PostgreSQL（yunwei move）")
        )
    server.become(workers)


def worker() -> None:
    """Run one worker: duties, procedures, ledger sequencer, heads. On PostgreSQL start as many as wanted."""
    from yunwei.server import instance
    from yunwei.server import worker as server

    common.open_instance()
    instance.require_current()
    server.main()


def doctor(as_json: Json = False) -> None:
    """Look at the instance and the machine: what works, what is missing, what to do about it. Exit 1 on a fault."""
    from yunwei.server import doctor as examiner

    findings = examiner.examine()
    if as_json:
        common.print_json(findings)
    else:
        marks = {"ok": "[green]✓[/green]", "note": "[yellow]·[/yellow]", "fault": "[red]✗[/red]"}
        for f in findings:
            hint = f"  [dim]{escape(f['hint'])}[/dim]" if f["hint"] else ""  # names like [web] are no markup
            common.out.print(f"{marks[f['state']]} {escape(f['what'])}  {escape(f['found'])}{hint}", soft_wrap=True)
    if any(f["state"] == "fault" for f in findings):
        raise typer.Exit(common.FINDING)


def demo(
    once: Annotated[bool, typer.Option("--once", help="结束后打印小结并退出 (end with a summary)")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="小结为一个 JSON 对象 (summary as one JSON object)")] = False,
    folder: Annotated[Path, typer.Option(help="演示实例目录 (folder of the demo)")] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="控制台端口；0 为任选 (console port)")] = 8600,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="从这一天起回放合同 (replay from)")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="回放到这一天；缺省到此刻 (to)")] = None,
    seed: Annotated[str, typer.Option(help="回放的种子：故障与人的习惯由它而定 (seed)")] = "",
    devices: Annotated[int, typer.Option(help="回放时每种型号至多几台；0 为全部 (devices per model)")] = 0,
) -> None:
    """One contract day on the lab, or with --since the contract from that day on; then the console, or a summary."""
    from yunwei.cli import demo as player

    if since is None:
        player.play(folder, once=once, as_json=as_json, port=port)
        return
    from yunwei.cli import demo_replay
    from yunwei.lab import district

    score = demo_replay.Score(
        since.date(),
        until.date() if until else None,
        seed or district.SEED,
        district.few(devices) if devices else (),
    )
    demo_replay.play(folder, score, once=once, as_json=as_json, port=port)
