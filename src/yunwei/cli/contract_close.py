"""`yunwei contract close …`: the register of open items, and the document that closes one, by both parties."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from yunwei.cli import common
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
By = Annotated[str, typer.Option("--by", help="经办账号，口令从终端或标准输入读取 (account)")]
Number = Annotated[int, typer.Argument(help="了结文件编号 (closing)")]


class UsageError(YunweiError):
    """A command's arguments that mean nothing."""


@app.command("list")
def list_(as_json: Json = False) -> None:
    """待双方明确的事项，与了结它们的文件。"""
    common.open_instance()
    from yunwei.contract import openitems
    from yunwei.contract.models import Closing
    from yunwei.duties import sources

    folder = sources.folder()
    rows = {row.item: row for row in Closing.objects.exclude(confirmed=False)}
    found = [
        {
            "item": i.id, "clause": i.clause, "title": i.title, "owner": i.owner, "blocks": i.blocks,
            "open": openitems.is_open(folder, i), "closing": rows[i.id].pk if i.id in rows else None,
        }
        for i in folder.open_items
    ]  # fmt: skip
    if as_json:
        common.print_json(found)
        return
    columns = (_("编号"), _("条款"), _("事项"), _("责任方"), _("状态"), _("文件"))
    common.table(
        "", columns,
        ([r["item"], r["clause"], r["title"], r["owner"], _("待明确") if r["open"] else _("已了结"), r["closing"] or ""] for r in found),
    )  # fmt: skip


@app.command()
def propose(
    item: Annotated[str, typer.Argument(help="未决事项编号 (open item)")],
    file: Annotated[Path, typer.Argument(help="签署件 (signed document)")],
    by: By,
    title: Annotated[str, typer.Option("--title", help="文件名称 (title)")],
    rank: Annotated[str, typer.Option("--rank", help="文件层次，如 3.1 (rank)")],
    day: Annotated[str, typer.Option("--date", help="文件日期，如 2026-03-01 (date)")],
    reading: Annotated[str, typer.Option("--reading", help="服务期读法 (reading)")] = "",
    annex: Annotated[Path | None, typer.Option("--annex", help="价款函数表或评分标准（YAML）(annex)")] = None,
    as_json: Json = False,
) -> None:
    """一方提交了结一个事项的文件；由对方确认。"""
    common.open_instance()
    from yunwei.contract import closings
    from yunwei.contract.closing import PRICE, RUBRIC
    from yunwei.contract.folder import PriceTable, load_part
    from yunwei.contract.schema import Rubric
    from yunwei.duties import sources
    from yunwei.duties.papers import File

    folder = sources.folder()
    try:
        when = date.fromisoformat(day)
    except ValueError:
        raise UsageError(_("文件日期不是日期"), where=day[:20], hint="2026-03-01") from None
    blocks = closings.item_of(folder, item).blocks
    paper = closings.Paper(title, rank, when, File(file.name, b"").shown, file.read_bytes())
    row = closings.propose(
        folder, item, paper, by=common.sign_in(by), now=common.now(), reading=reading,
        price=load_part(annex, PriceTable).price if annex and blocks == PRICE else (),
        rubric=load_part(annex, Rubric) if annex and blocks == RUBRIC else None,
    )  # fmt: skip
    common.tell({"closing": row.pk, "item": item}, _("已提交，编号 {n}，待对方确认").format(n=row.pk), as_json=as_json)


@app.command()
def confirm(number: Number, by: By, as_json: Json = False) -> None:
    """对方确认一份了结文件：合同目录随之改写，被挡住的功能放开。"""
    _decide(number, by, confirm=True, reason="", as_json=as_json)


@app.command()
def refuse(
    number: Number,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="理由 (reason)")],
    as_json: Json = False,
) -> None:
    """对方不予确认，写明理由。"""
    _decide(number, by, confirm=False, reason=reason, as_json=as_json)


def _decide(number: int, by: str, *, confirm: bool, reason: str, as_json: bool) -> None:
    common.open_instance()
    from yunwei.contract import closings
    from yunwei.duties import services, sources

    now = common.now()
    row = closings.decide(
        number, confirm=confirm, by=common.sign_in(by), now=now, reason=reason, folder=sources.folder(),
        directory=sources.contract_dir(),
    )  # fmt: skip
    services.bring_up_to_date(now)
    said = _("已了结：{item}").format(item=row.item) if confirm else _("未予确认：{item}").format(item=row.item)
    common.tell({"closing": row.pk, "item": row.item, "confirmed": row.confirmed}, said, as_json=as_json)
