"""`yunwei duty …`: what is due, events, manual proof, exemptions, the calendar of later years."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from yunwei.cli import common
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.duties.models import Occurrence
    from yunwei.duties.services import File

app = typer.Typer(no_args_is_help=True)
event = typer.Typer(no_args_is_help=True)
proof = typer.Typer(no_args_is_help=True)
exempt = typer.Typer(no_args_is_help=True)
cause = typer.Typer(no_args_is_help=True)
calendar = typer.Typer(no_args_is_help=True)
app.add_typer(event, name="event", help="触发事件 (trigger events)")
app.add_typer(proof, name="proof", help="人工举证 (manual proof)")
app.add_typer(exempt, name="exempt", help="免责主张 (exemptions)")
app.add_typer(cause, name="cause", help="未能证明的原因归属 (who answers for what was not proven)")
app.add_typer(calendar, name="calendar", help="放假安排 (published schedules)")

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
By = Annotated[str, typer.Option("--by", help="经办账号，口令从终端或标准输入读取 (account)")]
Which = Annotated[str, typer.Argument(help="履行编号，或“义务:期” (id or obligation:period)")]
Statement = Annotated[str, typer.Option("--statement", help="情况说明 (what was done, or why)")]
Attached = Annotated[Path, typer.Option("--file", help="证明文件 (file)")]
ProofId = Annotated[int, typer.Argument(help="举证编号")]
Reason = Annotated[str, typer.Option("--reason", help="理由 (reason)")]


class UsageError(YunweiError):
    """A command's arguments that mean nothing."""


def _told(row: Occurrence) -> dict[str, Any]:
    return {
        "id": row.pk,
        "obligation": row.obligation,
        "period": row.period,
        "clauses": row.clauses,
        "owes": row.owes,
        "kind": row.kind,
        "state": row.state,
        "cause": row.cause,
        "disputed": row.disputed,
        "counts": row.counts,
        "basis": row.basis,
        "why": row.why,
        "starts": row.starts_at.isoformat(),
        "due": row.due_at.isoformat() if row.due_at else None,
        "provisional": row.provisional,
        "waiting": row.waiting,
        "plan_version": row.plan_version,
        "coverage": row.coverage,
        "detail": row.detail,
        "settled": row.settled_at.isoformat() if row.settled_at else None,
        "proofs_open": [p.pk for p in row.proofs.all() if p.confirmed is None],
        "claims_open": [c.pk for c in row.claims.all() if c.state == "claimed"],
    }


@app.command("list")
def list_(
    day: Annotated[str, typer.Option("--day", help="日期，默认今天 (2026-11-25)")] = "",
    as_json: Json = False,
) -> None:
    """某一日开始、到期、结算的履行，以及当时已逾期的；有未履行或未能证明且计分的，退出码为 1。"""
    common.open_instance()
    from yunwei.duties import services

    folder = services.folder()
    zone = ZoneInfo(folder.contract.timezone)
    wanted = _day(day) if day else common.now().astimezone(zone).date()
    rows = list(services.day(wanted))
    if as_json:
        common.print_json([_told(row) for row in rows])
    else:
        titles = {o.id: o.title for o in folder.obligations}
        common.table(
            wanted.isoformat(),
            ("#", _("义务"), _("期"), _("方"), _("到期"), _("状态"), _("计分"), _("说明")),
            (_line(row, titles, zone) for row in rows),
        )
    if any(row.counts and row.state in ("missed", "unproven") for row in rows):
        raise typer.Exit(common.FINDING)


def _line(row: Occurrence, titles: dict[str, str], zone: ZoneInfo) -> list[object]:
    due = row.due_at.astimezone(zone).strftime("%m-%d %H:%M") if row.due_at else "—"
    state = str(row.get_state_display())
    if row.cause:
        state += f"（{row.get_cause_display()}）"
    if row.disputed:
        state += _("·争议")
    return [
        row.pk,
        f"{row.obligation} {titles.get(row.obligation, '')}",
        row.period,
        row.owes,
        due + (_("（暂定）") if row.provisional else ""),
        state,
        "✓" if row.counts else "—",
        row.detail or row.why,
    ]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(_("不是日期：{text}").format(text=text), hint="2026-11-25") from None


@app.command()
def upcoming(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="今后几天")] = 7, as_json: Json = False
) -> None:
    """今后几天将开始的履行（按现行计划与日历推算，不落库）。"""
    common.open_instance()
    from yunwei.duties import services

    now = common.now()
    rows = services.upcoming(now, now + timedelta(days=days))
    if as_json:
        common.print_json([{"title": row.title, **_of_due(row.due)} for row in rows])
        return
    zone = ZoneInfo(services.folder().contract.timezone)
    common.table(
        "",
        (_("义务"), _("期"), _("方"), _("到期"), _("计分"), _("说明")),
        (
            (
                f"{row.due.obligation} {row.title}",
                row.due.period,
                row.due.owes,
                row.due.due_at.astimezone(zone).strftime("%m-%d %H:%M") if row.due.due_at else "—",
                "✓" if row.due.counts else "—",
                row.due.why,
            )
            for row in rows
        ),
    )


def _of_due(due: Any) -> dict[str, Any]:
    names = ("obligation", "period", "owes", "kind", "basis", "counts", "provisional", "plan_version", "why")
    told = {name: getattr(due, name) for name in names}
    return {**told, "starts": due.starts_at.isoformat(), "due": due.due_at.isoformat() if due.due_at else None}


@app.command()
def again(which: Which, by: By, as_json: Json = False) -> None:
    """重新执行一次未通过或未能证明的履行。"""
    common.open_instance()
    from yunwei.duties import services

    account = common.sign_in(by)
    started = services.again(_occurrence(which), now=common.now(), actor=account.username)
    common.tell({"run": started.run_id}, started.run_id, as_json=as_json)


def _occurrence(which: str) -> int:
    """The id behind an id or `obligation:period`."""
    from yunwei.duties.models import Occurrence

    obligation, colon, period = which.partition(":")
    rows = Occurrence.objects.filter(obligation=obligation, period=period) if colon else None
    if rows is None and which.isdecimal():
        rows = Occurrence.objects.filter(pk=int(which))
    row = rows.first() if rows is not None else None
    if row is None:
        raise UsageError(_("没有这项履行：{which}").format(which=which), hint="yunwei duty list")
    return row.pk


def _file(path: Path | None) -> File | None:
    from mimetypes import guess_type

    from yunwei.duties.services import File

    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as e:
        raise UsageError(_("读不了文件：{error}").format(error=e.strerror), where=str(path)) from None
    return File(path.name, content, guess_type(path.name)[0] or "application/octet-stream")


@event.command("record")
def event_record(
    kind: Annotated[str, typer.Argument(help="事件，见合同目录 obligations.yaml 的 events")],
    by: By,
    at: Annotated[str, typer.Option("--at", help="发生时刻，默认现在 (2026-02-03T09:30)")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="附件 (file)")] = None,
    subject: Annotated[list[str] | None, typer.Option("--set", help="要素，如 amount=12345.00")] = None,
    note: Annotated[str, typer.Option("--note", help="备注")] = "",
    as_json: Json = False,
) -> None:
    """登记一件起算期限的事：收到发票、收到申请、书面提交、验收通过、期满、不可抗力……"""
    common.open_instance()
    from yunwei.duties import services

    account, now = common.sign_in(by), common.now()
    row = services.record_event(
        kind,
        at=_moment(at) if at else now,
        by=account,
        now=now,
        file=_file(file),
        subject=_pairs(subject or []),
        note=note,
    )
    services.bring_up_to_date(now)
    told = {"id": row.pk, "kind": row.kind, "at": row.at.isoformat(), "starts_clock": row.starts_clock, "why": row.why}
    common.summary(told, as_json=as_json)


def _moment(text: str) -> datetime:
    from yunwei.duties import services

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(_("不是时刻：{text}").format(text=text), hint="2026-02-03T09:30") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(services.folder().contract.timezone))


def _pairs(items: list[str]) -> dict[str, str]:
    pairs = [item.partition("=") for item in items]
    if wrong := [name for name, equals, _value in pairs if not (name and equals)]:
        raise UsageError(_("要素须写成“名=值”：{item}").format(item=wrong[0]))
    return {name: value for name, _equals, value in pairs}


@event.command("list")
def event_list(as_json: Json = False) -> None:
    """已登记的事件。"""
    common.open_instance()
    from yunwei.duties.models import TriggerEvent

    rows = TriggerEvent.objects.select_related("recorded_by")
    told = [
        {"id": r.pk, "kind": r.kind, "at": r.at.isoformat(), "recorded_by": r.recorded_by.username if r.recorded_by else "system",
         "recorded_at": r.recorded_at.isoformat(), "subject": r.subject, "file": r.file_name,
         "starts_clock": r.starts_clock, "why": r.why}
        for r in rows
    ]  # fmt: skip
    if as_json:
        common.print_json(told)
    else:
        names = ("id", "kind", "at", "recorded_by", "file", "why")
        headings = ("#", _("事件"), _("发生"), _("登记人"), _("附件"), _("说明"))
        common.table("", headings, ([row[name] for name in names] for row in told))


@proof.command("state")
def proof_state(which: Which, statement: Statement, file: Attached, by: By, as_json: Json = False) -> None:
    """负有义务的一方举证：一段说明和一份文件，待接受服务的一方确认。"""
    common.open_instance()
    from yunwei.duties import services

    account = common.sign_in(by)
    row = services.state_proof(_occurrence(which), statement=statement, file=_file(file), by=account, now=common.now())
    told = {"proof": row.pk, "occurrence": row.occurrence_id}
    common.tell(told, _("举证 {id} 待对方确认").format(id=row.pk), as_json=as_json)


@proof.command("confirm")
def proof_confirm(proof_id: ProofId, by: By, as_json: Json = False) -> None:
    """接受服务的一方确认举证。"""
    _answer_proof(proof_id, by, confirm=True, reason="", as_json=as_json)


@proof.command("refuse")
def proof_refuse(proof_id: ProofId, by: By, reason: Reason, as_json: Json = False) -> None:
    """接受服务的一方不予确认，并说明理由。"""
    _answer_proof(proof_id, by, confirm=False, reason=reason, as_json=as_json)


def _answer_proof(proof_id: int, by: str, *, confirm: bool, reason: str, as_json: bool) -> None:
    common.open_instance()
    from yunwei.duties import services
    from yunwei.duties.models import Occurrence

    account = common.sign_in(by)
    row = services.answer_proof(proof_id, confirm=confirm, by=account, now=common.now(), answer=reason)
    settled = Occurrence.objects.get(pk=row.occurrence_id)
    _tell_settled(settled, as_json=as_json)


def _tell_settled(row: Occurrence, *, as_json: bool) -> None:
    told = {"occurrence": row.pk, "key": row.key, "state": row.state, "disputed": row.disputed}
    mark = _("·争议") if row.disputed else ""
    common.tell(told, f"{row.key}: {row.get_state_display()}{mark}", as_json=as_json)


@exempt.command("claim")
def exempt_claim(
    which: Which,
    ground: Annotated[str, typer.Option("--ground", help="免责条款，如 7.2.9 或 11")],
    statement: Statement,
    file: Attached,
    by: By,
    as_json: Json = False,
) -> None:
    """主张一项履行因合同条款免责，附证明。"""
    common.open_instance()
    from yunwei.duties import services

    account = common.sign_in(by)
    row = services.claim_exemption(
        _occurrence(which), ground=ground, statement=statement, file=_file(file), by=account, now=common.now()
    )
    told = {"claim": row.pk, "occurrence": row.occurrence_id}
    common.tell(told, _("主张 {id} 待对方答复").format(id=row.pk), as_json=as_json)


@cause.command("claim")
def cause_claim(
    which: Which,
    who: Annotated[str, typer.Option("--cause", help="client（甲方）或 third（第三方）")],
    statement: Statement,
    file: Attached,
    by: By,
    as_json: Json = False,
) -> None:
    """主张未能证明的原因在甲方或第三方，附证明。"""
    common.open_instance()
    from yunwei.duties import services

    account = common.sign_in(by)
    row = services.claim_cause(
        _occurrence(which), cause=who, statement=statement, file=_file(file), by=account, now=common.now()
    )
    told = {"claim": row.pk, "occurrence": row.occurrence_id}
    common.tell(told, _("主张 {id} 待对方答复").format(id=row.pk), as_json=as_json)


@exempt.command("answer")
@cause.command("answer")
def claim_answer(
    claim_id: Annotated[int, typer.Argument(help="主张编号")],
    accept: Annotated[bool, typer.Option("--accept/--dispute", help="接受，或提出争议")],
    by: By,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """对方的答复：接受，或提出争议并说明理由（显示为争议，不改变状态）。"""
    common.open_instance()
    from yunwei.duties import services
    from yunwei.duties.models import Occurrence

    account = common.sign_in(by)
    row = services.answer_claim(claim_id, accept=accept, by=account, now=common.now(), answer=reason)
    settled = Occurrence.objects.get(pk=row.occurrence_id)
    _tell_settled(settled, as_json=as_json)


@calendar.command("import")
def calendar_import(
    file: Annotated[Path, typer.Argument(help="放假安排 YAML：year、notice、off、work")], by: By, as_json: Json = False
) -> None:
    """导入国务院办公厅公布的后续年度放假安排；暂定的到期日随即重算，并记入台账。"""
    common.open_instance()
    from yunwei.duties import services

    account, now = common.sign_in(by), common.now()
    given = _file(file)
    assert given is not None  # noqa: S101 - an argument that must be given
    try:
        text = given.content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(_("不是 UTF-8 文本"), where=str(file)) from None
    schedules = services.import_schedules(text, by=account, now=now, where=str(file))
    changed = services.bring_up_to_date(now)
    years = "、".join(str(s.year) for s in schedules)
    told = {"years": [s.year for s in schedules], "changed": changed}
    common.tell(told, _("已导入 {years} 年；{n} 项履行随之更新").format(years=years, n=changed), as_json=as_json)


@calendar.command("show")
def calendar_show(as_json: Json = False) -> None:
    """已导入的年度及其通知文号。"""
    common.open_instance()
    from yunwei.duties.models import CalendarYear

    rows = [
        {"year": r.year, "notice": r.notice, "off": len(r.off), "work": len(r.work), "by": r.imported_by.username}
        for r in CalendarYear.objects.select_related("imported_by").order_by("year")
    ]
    if as_json:
        common.print_json(rows)
    else:
        headings = (_("年度"), _("通知"), _("放假日"), _("调休上班日"), _("导入人"))
        common.table("", headings, (list(row.values()) for row in rows))
