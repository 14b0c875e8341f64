"""`yunwei ticket …`: the desk from the command line."""

from __future__ import annotations

from datetime import datetime
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from yunwei.cli import common
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.desk.models import Ticket

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
By = Annotated[str, typer.Option("--by", help="经办账号，口令从终端或标准输入读取 (account)")]
Number = Annotated[str, typer.Argument(help="工单号 (ticket number)")]
Text = Annotated[str, typer.Option("--text", help="内容 (text)")]


def _find(number: str) -> Ticket:
    from yunwei.desk.models import Ticket
    from yunwei.desk.services import DeskError

    found = Ticket.objects.select_related("asset", "requester", "assignee").filter(number=number).first()
    if found is None:
        raise DeskError(_("没有这张工单"), where=number, hint="yunwei ticket list")
    return found


def _told(ticket: Ticket) -> dict[str, Any]:
    from yunwei.desk.services import clocks
    from yunwei.ledger.services import number_of

    return {
        "number": ticket.number,
        "kind": ticket.kind,
        "title": ticket.title,
        "state": ticket.state,
        "severity": ticket.severity,
        "asset": ticket.asset.code if ticket.asset else "",
        "component": ticket.component,
        "requester": ticket.requester.name if ticket.requester else "",
        "channel": ticket.channel,
        "opened": ticket.opened_at.isoformat(),
        "resolved": ticket.resolved_at.isoformat() if ticket.resolved_at else None,
        "closed": ticket.closed_at.isoformat() if ticket.closed_at else None,
        "evidence": number_of(ticket.evidence) if ticket.evidence else None,
        "clocks": [
            {
                "obligation": row.obligation,
                "owes": row.owes,
                "clauses": row.clauses,
                "state": row.state,
                "due": row.due_at.isoformat() if row.due_at else None,
                "provisional": row.provisional,
                "counts": row.counts,
            }
            for row in clocks(ticket)
        ],
    }


def _show(ticket: Ticket, *, as_json: bool) -> None:
    ticket.refresh_from_db()
    common.summary(_told(ticket), as_json=as_json)


@app.command("list")
def list_(
    closed: Annotated[bool, typer.Option("--closed", help="也列出已关闭的 (closed ones too)")] = False,
    as_json: Json = False,
) -> None:
    """未关闭的工单，新的在前。"""
    common.open_instance()
    from yunwei.desk.models import Ticket

    rows = Ticket.objects.select_related("asset", "requester")
    rows = rows if closed else rows.filter(closed_at__isnull=True)
    if as_json:
        common.print_json([_told(ticket) for ticket in rows])
        return
    common.table(
        "",
        (_("工单"), _("类型"), _("状态"), _("标题"), _("单位或资产")),
        [
            (t.number, t.get_kind_display(), t.get_state_display(), t.title, t.requester or (t.asset and t.asset.code))
            for t in rows
        ],
    )


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """一张工单的状态、时钟与全部经过。"""
    common.open_instance()
    from yunwei.ledger.services import number_of

    ticket = _find(number)
    history = [
        {
            "at": entry.at.isoformat(),
            "by": entry.by.username if entry.by else "",
            "what": entry.what,
            "state": entry.state,
            "text": entry.text,
            "file": entry.file_name,
            "evidence": number_of(entry.evidence) if entry.evidence else None,
        }
        for entry in ticket.history.select_related("by")
    ]
    if as_json:
        common.print_json({**_told(ticket), "history": history})
        return
    _show(ticket, as_json=False)
    common.table("", (_("时间"), _("经办"), _("事项"), _("内容"), "№"), [list(_line(h)) for h in history])


def _line(entry: dict[str, Any]) -> tuple[object, ...]:
    what = " ".join(word for word in (entry["what"], entry["state"]) if word)
    return entry["at"][:19], entry["by"], what, entry["text"] or entry["file"], entry["evidence"]


@app.command("open")
def open_(
    kind: Annotated[str, typer.Argument(help="fault | request | service | crypto")],
    title: Annotated[str, typer.Argument(help="标题 (title)")],
    by: By,
    text: Text = "",
    channel: Annotated[str, typer.Option(help="来源渠道：phone、mail、sms、wechat、portal、desk")] = "desk",
    received: Annotated[str, typer.Option(help="收到时间，带时区，默认现在 (2026-11-25T09:30+08:00)")] = "",
    asset: Annotated[str, typer.Option(help="资产编号 (asset code)")] = "",
    unit: Annotated[str, typer.Option(help="需求单位代码 (organisation code)")] = "",
    as_json: Json = False,
) -> None:
    """登记一件故障或申请；期限自收到时起算。"""
    common.open_instance()
    from yunwei.accounts.models import Organisation
    from yunwei.assets.models import Asset
    from yunwei.desk import services as desk
    from yunwei.duties import services as duties

    ticket = desk.open_ticket(
        kind,
        title,
        by=common.sign_in(by),
        now=common.now(),
        body=text,
        channel=channel,
        received_at=_moment(received),
        asset=_one(Asset, asset),
        requester=_one(Organisation, unit),
    )
    duties.bring_up_to_date(common.now())
    _show(ticket, as_json=as_json)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise YunweiError(_("时间要带时区"), where=text, hint="2026-11-25T09:30+08:00")
    return at


def _one(model: Any, code: str) -> Any:
    if not code:
        return None
    found = model.objects.filter(code=code).first()
    if found is None:
        raise YunweiError(_("没有这个编号"), where=code)
    return found


@app.command()
def move(
    number: Number,
    to: Annotated[str, typer.Argument(help="accepted | working | waiting | resolved | closed | rejected | new")],
    by: By,
    text: Text = "",
    as_json: Json = False,
) -> None:
    """流转一张工单；办结与不予受理须写明理由，关闭由接受服务的一方办理。"""
    common.open_instance()
    from yunwei.desk import services as desk

    ticket = _find(number)
    desk.move(ticket.pk, to, by=common.sign_in(by), now=common.now(), text=text)
    _show(ticket, as_json=as_json)


@app.command()
def reply(
    number: Number, text: Annotated[str, typer.Argument(help="答复 (reply)")], by: By, as_json: Json = False
) -> None:
    """答复申请人；答复即是答复期限的举证，待对方确认。"""
    common.open_instance()
    from yunwei.desk import services as desk

    ticket = _find(number)
    desk.reply(ticket.pk, text, by=common.sign_in(by), now=common.now())
    _show(ticket, as_json=as_json)


@app.command()
def comment(
    number: Number,
    by: By,
    text: Text = "",
    file: Annotated[Path | None, typer.Option(help="附件 (file)", exists=True, dir_okay=False, readable=True)] = None,
    as_json: Json = False,
) -> None:
    """补充说明或附件。"""
    common.open_instance()
    from yunwei.desk import services as desk
    from yunwei.duties.services import File

    ticket = _find(number)
    attached = None
    if file is not None:
        media = guess_type(file.name)[0] or "application/octet-stream"
        attached = File(file.name, file.read_bytes(), media)
    desk.comment(ticket.pk, text, by=common.sign_in(by), now=common.now(), file=attached)
    _show(ticket, as_json=as_json)
