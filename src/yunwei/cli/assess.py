"""`yunwei assess`, `yunwei sheet …`, `yunwei surprise …`: what a month is worth, and what the parties do about it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from yunwei.cli import common
from yunwei.kernel.deadline import end_of
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.assessment.explained import Explained
    from yunwei.assessment.models import Sheet, Surprise
    from yunwei.duties.services import File

sheet = typer.Typer(no_args_is_help=True)
surprise = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
By = Annotated[str, typer.Option("--by", help="经办账号，口令从终端或标准输入读取 (account)")]
Name = Annotated[str, typer.Argument(help="月份，如 2026-10 (month)")]
Attached = Annotated[Path, typer.Option("--file", help="证明文件 (file)")]
Reason = Annotated[str, typer.Option("--reason", help="理由 (reason)")]


class UsageError(YunweiError):
    """A command's arguments that mean nothing."""


def assess(
    month: Annotated[str, typer.Argument(help="月份，如 2026-10；缺省列出服务期各月 (month)")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="逐行列出，也列不扣分的 (every line)")] = False,
    as_json: Json = False,
) -> None:
    """月度考核：试算或已定的得分，逐项扣分与证据编号；与考核页同一份数据。"""
    common.open_instance()
    from yunwei.assessment import explained

    if not month:
        _list(as_json=as_json)
        return
    told = explained.explain(month)
    if as_json:
        common.print_json(explained.as_json(told))
        return
    _show(told, every=explain)


def _list(*, as_json: bool) -> None:
    from yunwei.assessment import explained

    rows = explained.listed(common.now())
    if as_json:
        common.print_json([
            {"month": r.month.name, "days": r.month.days, "partial": r.month.partial, "over": r.over,
             "state": r.row.state if r.row else "trial", "score": r.score} for r in rows
        ])  # fmt: skip
        return
    columns = (_("月份"), _("天数"), _("得分"), _("状态"))
    common.table("", columns, ([r.month.name, r.month.days, r.score, _state(r)] for r in rows))


def _state(row: Any) -> str:
    if row.row is not None:
        return str(row.row.get_state_display())
    if not row.begun:
        return _("未开始")
    return _("无计分的履行") if row.score is None else _("试算") if row.over else _("试算（未满月）")


def _show(told: Explained, *, every: bool) -> None:
    month = told.month
    part = _("（不满月，{first} 至 {last}）").format(first=month.first, last=month.last) if month.partial else ""
    head = _("{month}{part}：{score} 分 / {full}，扣 {lost} 分 · {state}").format(
        month=month.name,
        part=part,
        score=told.score.score,
        full=told.score.full,
        lost=told.score.lost,
        state=told.state,
    )
    common.out.print(head, markup=False, highlight=False, soft_wrap=True)
    if not told.adopted:
        common.out.print(_("评分标准是平台默认，双方没有签署：只供参考，不影响价款"), markup=False, soft_wrap=True)
    names = {item.id: item for item in told.rubric.items}
    from yunwei.assessment.explained import title

    common.table(
        "",
        (_("项目"), _("权重"), _("扣分"), _("各状态件数")),
        ([title(names[i.item]), i.weight, i.lost, i.states] for i in told.score.items),
    )
    lines = told.lines if every else told.costly
    common.table(
        "",
        (_("日"), _("对象"), _("情形"), _("扣分"), _("证据"), _("说明")),
        (
            [t.line.day, f"{t.subject} {t.line.key}", t.what, t.line.points, t.line.evidence or "—", t.note]
            for t in lines
        ),
    )


def payment(
    explain: Annotated[bool, typer.Option("--explain", help="列出起算条件、抵扣与还缺什么 (every condition)")] = False,
    as_json: Json = False,
) -> None:
    """价款与付款：各期金额与期限、最终价款或还缺什么、尾款；与价款页同一份数据。"""
    common.open_instance()
    from yunwei.assessment import account
    from yunwei.duties import sources

    one = account.told(sources.folder(), common.now())
    if as_json:
        common.print_json(account.as_json(one))
        return
    told = one.statement

    def money(amount: Decimal | None) -> str:
        return _("待双方确认") if amount is None else f"{amount:,.2f}"

    common.table(
        _("各期付款"),
        (_("期"), _("条款"), _("金额"), _("期限"), _("状态")),
        (
            [p.instalment.id, p.instalment.clause, money(p.amount), end_of(common.here(p.occurrence.due_at)) if p.occurrence and p.occurrence.due_at else "—",
             p.occurrence.get_state_display() if p.occurrence else _("未起算")]
            for p in told.parts
        ),
    )  # fmt: skip
    left = _("待协商/抵扣") if told.negative else money(told.balance)
    figures = [(_("年度得分"), told.score if told.score is not None else "—"), (_("最终价款"), money(told.price)),
               (_("已付"), money(told.paid)), (_("已认抵扣"), money(one.set_off)), (_("尾款"), left)]  # fmt: skip
    common.table("", ("", ""), figures)
    for i in one.interest:
        text = _("逾期利息 {n} 天 ¥ {amount}（{statute}，单列）").format(
            n=i.days, amount=money(i.amount), statute=one.late.statute if one.late else ""
        )
        common.out.print(text, markup=False, highlight=False, soft_wrap=True)
    if told.missing:
        common.table(_("还缺什么"), (_("事项"), _("谁来办")), ([m.what, m.who] for m in told.missing))
    if explain:
        _conditions(one.statement.parts)
        common.table(
            _("抵扣"), (_("条款"), _("事由"), _("金额"), _("乙方答复")),
            ([o.clause or "—", o.ground, money(o.amount), {None: _("待乙方答复"), True: _("认可"), False: _("有争议，未计入")}[o.accepted]]
             for o in told.set_offs),
        )  # fmt: skip


def _conditions(parts: Any) -> None:
    rows = [
        [p.instalment.id, a.event.title, a.at or _("还没有"), a.number or "—", "；".join(a.ignored)]
        for p in parts
        for a in p.anchors
    ]
    common.table(_("起算条件"), (_("期"), _("事件"), _("时间"), _("证据"), _("未起算的")), rows)


def _done(row: Sheet, *, as_json: bool) -> None:
    data = {"month": row.month, "state": row.state, "score": row.score, "appeal_until": row.appeal_until.isoformat()}
    sentence = _("{month}：{score} 分，{state}").format(month=row.month, score=row.score, state=row.get_state_display())
    common.tell(data, sentence, as_json=as_json)


def _file(path: Path) -> File:
    from yunwei.duties.services import File

    return File(path.name, path.read_bytes())


@sheet.command()
def score(month: Name, by: By, as_json: Json = False) -> None:
    """甲方评分：把试算固定下来，乙方的申诉期由此起算。"""
    common.open_instance()
    from yunwei.assessment import sheets

    _done(sheets.score(month, by=common.sign_in(by), now=common.now()), as_json=as_json)


@sheet.command()
def appeal(
    month: Name,
    line: Annotated[str, typer.Argument(help="行，如 S1.2:2026-10-03 (line)")],
    by: By,
    statement: Annotated[str, typer.Option("--statement", help="申诉理由 (why)")],
    file: Attached,
    as_json: Json = False,
) -> None:
    """乙方对一行扣分提出申诉，附证明。"""
    common.open_instance()
    from yunwei.assessment import sheets

    who = common.sign_in(by)
    made = sheets.appeal(month, line, statement=statement, file=_file(file), by=who, now=common.now())
    common.tell({"appeal": made.pk, "line": line}, _("已提出申诉 {n}").format(n=made.pk), as_json=as_json)


@sheet.command()
def decide(
    appeal: Annotated[int, typer.Argument(help="申诉编号 (appeal)")],
    by: By,
    reason: Reason,
    grant: Annotated[bool, typer.Option("--grant/--refuse", help="成立或不成立 (grant or refuse)")],
    as_json: Json = False,
) -> None:
    """甲方答复一项申诉，写明理由。"""
    common.open_instance()
    from yunwei.assessment import sheets

    row = sheets.decide(appeal, grant=grant, reason=reason, by=common.sign_in(by), now=common.now())
    said = _("申诉成立") if row.granted else _("申诉不成立")
    common.tell({"appeal": row.pk, "granted": row.granted}, said, as_json=as_json)


@sheet.command()
def freeze(month: Name, by: By, as_json: Json = False) -> None:
    """甲方定分：申诉期满、申诉均已答复之后；定分之后不再更改。"""
    common.open_instance()
    from yunwei.assessment import sheets

    _done(sheets.freeze(month, by=common.sign_in(by), now=common.now()), as_json=as_json)


@sheet.command()
def sign(
    month: Name,
    by: By,
    refuse: Annotated[bool, typer.Option("--refuse", help="拒签，须写理由 (refuse to sign)")] = False,
    text: Annotated[str, typer.Option("--text", help="意见 (remark)")] = "",
    as_json: Json = False,
) -> None:
    """乙方签认定分，或拒签并写明理由；得分不因此改变。"""
    common.open_instance()
    from yunwei.assessment import sheets

    _done(sheets.answer(month, sign=not refuse, text=text, by=common.sign_in(by), now=common.now()), as_json=as_json)


@sheet.command()
def add(
    month: Name,
    heading: Annotated[str, typer.Argument(help="评分标准里的加减分项 (heading)")],
    points: Annotated[str, typer.Argument(help="扣几分；负数为加分，前面加 -- (points)")],
    by: By,
    text: Annotated[str, typer.Option("--text", help="依据 (ground)")],
    file: Attached,
    as_json: Json = False,
) -> None:
    """甲方按评分标准的加减分项登记一笔，附依据。"""
    common.open_instance()
    from yunwei.assessment import sheets

    try:
        value = Decimal(points)
    except InvalidOperation:
        raise UsageError(_("不是分数：{text}").format(text=points), hint="-- -1.5") from None
    who = common.sign_in(by)
    row = sheets.add(month, heading, points=value, text=text, file=_file(file), by=who, now=common.now())
    common.tell({"addition": row.pk}, _("已登记 {n} 分").format(n=row.points), as_json=as_json)


# --- surprise tests ---------------------------------------------------------------------------------------------------


@surprise.command("list")
def list_(as_json: Json = False) -> None:
    """暗测：登记的哈希；揭示之后是发现、开单、告知各用了几分钟，或漏过。"""
    common.open_instance()
    from yunwei.assessment.models import Surprise

    rows = list(Surprise.objects.select_related("asset"))
    if as_json:
        common.print_json([_of(row) for row in rows])
        return
    common.table(
        "",
        ("#", _("哈希"), _("登记"), _("设备"), _("动手"), _("发现"), _("开单"), _("告知")),
        (
            [
                r.pk, r.commitment[:16], r.committed_at, r.asset.code if r.asset else _("未揭示"), r.done_at,
                *(_minutes(r, at) for at in (r.detected_at, r.ticket_at, r.notice_at)),
            ]
            for r in rows
        ),
    )  # fmt: skip


def _minutes(row: Surprise, at: Any) -> str:
    from yunwei.assessment.surprise import minutes

    if row.revealed_at is None:
        return ""
    taken = minutes(row, at)
    return _("漏过") if taken is None else _("{n} 分钟").format(n=taken)


def _of(row: Surprise) -> dict[str, Any]:
    from yunwei.assessment.surprise import minutes

    return {
        "id": row.pk, "commitment": row.commitment, "committed": row.committed_at.isoformat(),
        "revealed": row.revealed_at.isoformat() if row.revealed_at else None,
        "asset": row.asset.code if row.asset else None, "component": row.component,
        "missed": row.revealed_at is not None and row.detected_at is None,
        "minutes": {
            "detected": minutes(row, row.detected_at), "ticket": minutes(row, row.ticket_at),
            "notice": minutes(row, row.notice_at),
        },
    }  # fmt: skip


@surprise.command()
def commit(commitment: Annotated[str, typer.Argument(help="SM3 哈希")], by: By, as_json: Json = False) -> None:
    """甲方登记一次暗测的哈希；原文在自己的机器上用 verify.py surprise 生成，不要在平台上输入。"""
    common.open_instance()
    from yunwei.assessment import surprise as tests

    row = tests.commit(commitment, by=common.sign_in(by), now=common.now())
    common.tell({"id": row.pk, "commitment": row.commitment}, _("已登记，编号 {n}").format(n=row.pk), as_json=as_json)


@surprise.command()
def reveal(
    number: Annotated[int, typer.Argument(help="暗测编号 (test)")],
    file: Annotated[Path, typer.Argument(help="当初留下的原文文件 (words)")],
    by: By,
    as_json: Json = False,
) -> None:
    """甲方揭示一次暗测：平台核对哈希，算出发现、开单、告知各用了几分钟，或判为漏过。漏过时退出码为 1。"""
    common.open_instance()
    from yunwei.assessment import surprise as tests

    row = tests.reveal(number, file.read_text(encoding="utf-8"), by=common.sign_in(by), now=common.now())
    said = _("发现 {a}，开单 {b}，告知 {c}").format(
        a=_minutes(row, row.detected_at), b=_minutes(row, row.ticket_at), c=_minutes(row, row.notice_at)
    )
    common.tell(_of(row), _("漏过：没有发现") if row.detected_at is None else said, as_json=as_json)
    if row.detected_at is None:
        raise typer.Exit(common.FINDING)
