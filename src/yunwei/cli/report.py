"""`yunwei report …`: build reports, list them, make one again to compare, typeset a letter."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from yunwei.cli import common
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

if TYPE_CHECKING:
    from yunwei.accounts.models import Account
    from yunwei.reports.models import Report
    from yunwei.reports.period import Period

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="输出 JSON")]
By = Annotated[str, typer.Option("--by", help="经办账号，口令从终端或标准输入读取；不写则记为平台自动生成 (account)")]


@app.command()
def build(
    kind: Annotated[str, typer.Argument(help="daily | weekly | monthly")],
    day: Annotated[str, typer.Option("--date", help="报告期内的一天 (2026-11-25)；不写则取最近一个完整的报告期")] = "",
    month: Annotated[str, typer.Option("--month", help="月份 (2026-11)")] = "",
    week: Annotated[str, typer.Option("--week", help="周 (2026-W48)")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="另存 PDF 与 DOCX 的目录 (folder for copies)")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """生成日报、周报或月报：PDF 与 DOCX 存为证据，登记在证据链。"""
    common.open_instance()
    account = common.sign_in(by) if by else None
    _made(_period(kind, day, month, week), out, account, as_json=as_json)


@app.command()
def acceptance(
    out: Annotated[Path | None, typer.Option("--out", help="另存 PDF 与 DOCX 的目录 (folder for copies)")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """生成服务年度的验收材料：逐项义务，技术、服务与安全标准，意见、整改与结论。"""
    _of_year("acceptance", out, by, as_json=as_json)


@app.command()
def handover(
    out: Annotated[Path | None, typer.Option("--out", help="另存 PDF 与 DOCX 的目录 (folder for copies)")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """生成移交清单：设施、资料与账号，逐项双方签收或拒签；要先开列清单。"""
    _of_year("handover", out, by, as_json=as_json)


def _of_year(kind: str, out: Path | None, by: str, *, as_json: bool) -> None:
    common.open_instance()
    from yunwei.reports import figures_year, period, services

    account = common.sign_in(by) if by else None
    _made(figures_year.period(period.Kind(kind), services.zone()), out, account, as_json=as_json)


def _made(of: Period, out: Path | None, account: Account | None, *, as_json: bool) -> None:
    """Build a report and say what was made."""
    from yunwei.ledger import services as ledger
    from yunwei.reports import services

    now = common.now()
    with common.telling(_("生成 {key}").format(key=of.key), quiet=as_json) as tell:
        report = services.build(of.kind, of, now=now, actor=account, tell=tell)
    number = ledger.acknowledge(report.evidence, common.now()) if report.evidence else None
    files = _copies(report, out, account) if out is not None else {}
    told = {**_told(report), "evidence": number, "files": files}
    sentence = _("已生成 {name}，证据 № {n}").format(name=report.name, n=number)
    common.tell(told, "\n".join([sentence, *files.values()]), as_json=as_json)


def _period(kind: str, day: str, month: str, week: str) -> Period:
    from yunwei.reports import period, services

    zone = services.zone()
    given = [text for text in (day, month, week) if text]
    if len(given) > 1:
        raise YunweiError(_("--date、--month、--week 只能给一个"))
    if not given:
        return period.latest_whole(period.parse(kind, _any(kind), zone).kind, common.now(), zone)
    if day:
        try:
            return period.of(period.parse(kind, _any(kind), zone).kind, date.fromisoformat(day), zone)
        except ValueError:
            raise YunweiError(_("不是日期：{text}").format(text=day), hint="2026-11-25") from None
    return period.parse(kind, given[0], zone)


def _any(kind: str) -> str:
    """A valid key of a kind, to have the kind itself checked by the one who knows them."""
    from yunwei.reports.period import FORMS

    return next((form for name, form in FORMS.items() if name == kind), "")


def _copies(report: Report, folder: Path, account: Any) -> dict[str, str]:
    from yunwei.reports import services

    folder.mkdir(parents=True, exist_ok=True)
    out = {}
    for form in services.TYPES:
        path = folder / services.file_name(report, form)
        path.write_bytes(services.take(report, form, by=account, now=common.now()))
        out[form] = str(path)
    return out


def _told(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "kind": report.kind,
        "period": report.key,
        "edition": report.edition,
        "as_of": report.as_of.isoformat(),
        "whole": report.whole,
        "typst": report.typst,
        "fonts": report.fonts,
        "artifacts": {"data": report.data, "pdf": report.pdf, "docx": report.docx},
    }


@app.command("list")
def list_(as_json: Json = False) -> None:
    """已生成的报告，新的在前。"""
    common.open_instance()
    from yunwei.ledger.services import number_of
    from yunwei.reports.models import Report

    rows = [(r, number_of(r.evidence) if r.evidence else None) for r in Report.objects.all()]
    if as_json:
        common.print_json([{**_told(r), "evidence": n} for r, n in rows])
        return
    common.table(
        "",
        (_("报告"), _("报告期"), _("版次"), _("数据截至"), "№"),
        [(r.get_kind_display(), r.key, r.edition, r.as_of, n) for r, n in rows],
    )


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="报告名，如 monthly:2026-11:1 (name of a report)")], as_json: Json = False
) -> None:
    """用存下的数据重新排版一份报告，逐字节比对；不同时退出码为 1，并说明差在哪里。"""
    common.open_instance()
    from yunwei.reports import services

    report = _find(name)
    again = services.again(report)
    same = again.pdf and again.docx
    told = {"name": report.name, "pdf": again.pdf, "docx": again.docx, "why": list(again.why)}
    sentence = (
        _("逐字节相同") if same else _("重新排版的文件与存下的不同：{why}").format(why="；".join(again.why) or "—")
    )
    common.tell(told, sentence, as_json=as_json)
    if not same:
        raise typer.Exit(common.FINDING)


def _find(name: str) -> Report:
    from yunwei.reports.errors import ReportError
    from yunwei.reports.models import Report

    kind, _colon, rest = name.partition(":")
    key, _colon, edition = rest.rpartition(":")
    found = Report.objects.filter(kind=kind, key=key, edition=int(edition) if edition.isdecimal() else 0).first()
    if found is None:
        raise ReportError(_("没有这份报告"), where=name[:60], hint="yunwei report list")
    return found


@app.command()
def letter(
    file: Annotated[Path, typer.Argument(help="信函的内容 (YAML)", exists=True, dir_okay=False, readable=True)],
    out: Annotated[Path, typer.Option("--out", help="PDF 文件")],
    as_json: Json = False,
) -> None:
    """按 GB/T 9704-2012 的版式排出一封函：整改回复、验收申请、报送函等。不需要实例。"""
    import os

    from yunwei.reports.errors import ReportError

    if os.environ.get("YUNWEI_INSTANCE"):
        common.open_instance()
    else:
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yunwei.server.settings")
        django.setup()
    from yunwei.reports import letter as letters

    content = letters.load(file)
    made = letters.pdf(content)
    if out.is_dir():
        raise ReportError(_("这是目录，要给出文件名"), where=str(out))
    out.write_bytes(made)
    told = {"file": str(out), "title": content.title, "bytes": len(made)}
    common.tell(told, _("已排出《{title}》：{file}").format(title=content.title, file=out), as_json=as_json)
