"""`yunwei contract read FILE [--against DIR] [--json]`: what a contract text says and what a folder covers of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from yunwei.cli.common import FINDING, out, print_json, table
from yunwei.contract import reader
from yunwei.contract.reader.compare import Coverage
from yunwei.contract.reader.model import Reading
from yunwei.kernel.i18n import _

_KINDS = {"contract": "合同", "tender": "采购公告或文件", "other": "其他文本"}
_DUTIES = {"duty": "义务", "ban": "禁止", "right": "权利", "liability": "责任"}


def read(
    file: Annotated[Path, typer.Argument(help="合同文本：.txt（UTF-8、GB18030）或 .docx")],
    against: Annotated[Path | None, typer.Option("--against", help="合同目录，对照其覆盖情况")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """读取合同文本：条款树、当事人、金额、付款、期限、签署、空白，并与合同目录对照。有缺漏时退出码为 1。"""
    reading = reader.read(file)
    coverage = None
    if against is not None:
        from yunwei.contract.folder import load

        coverage = reader.compare(reading, load(against))
    if as_json:
        print_json({"reading": reading, "coverage": coverage})
    else:
        _show(reading, coverage)
        if coverage is not None:
            _show_coverage(coverage)
    if coverage is not None and not coverage.ok:
        raise typer.Exit(FINDING)


def _show(reading: Reading, coverage: Coverage | None) -> None:
    out.print(_tree(reading, coverage))
    table(
        _("当事人"),
        (_("方"), _("称谓"), _("名称"), _("行")),
        ((p.role, p.label, p.name or "——", p.line) for p in reading.parties),
    )
    table(
        _("金额"),
        (_("条款"), _("小写（元）"), _("大写"), _("一致")),
        ((a.clause, a.value, a.capitals, {True: "✓", False: "✗", None: ""}[a.agrees]) for a in reading.amounts),
    )
    table(
        _("付款"),
        (_("条款"), "%", _("期限"), _("文字")),
        ((s.clause, s.share, f"{s.days or ''} {s.unit}", s.text) for s in reading.instalments),
    )
    table(_("服务期"), (_("条款"), _("起"), _("止"), _("月"), _("空白"), _("文字")),
          ((p.clause, p.start, p.end, p.months, "✓" if p.blank else "", p.text) for p in reading.periods))  # fmt: skip
    table(
        _("签署"),
        (_("方"), _("签字人"), _("日期"), _("行")),
        ((s.role, s.signer or "——", s.date or "——", s.line) for s in reading.signatures),
    )
    table(
        _("空白与待定"),
        (_("条款"), _("行"), _("形式"), _("文字")),
        ((b.clause, b.line, b.kind, b.near) for b in reading.blanks),
    )
    for stray in reading.strays:
        out.print(Text(f"· {_('第 {n} 行不属于条款').format(n=stray.line)}：{stray.text}（{stray.why}）", style="dim"))
    for note in reading.notes:
        out.print(Text(f"! {note}", style="yellow"))


def _tree(reading: Reading, coverage: Coverage | None) -> Tree:
    missing = {m.id for m in coverage.missing} if coverage else set()
    duties: dict[str, list[str]] = {}
    for duty in reading.duties:
        duties.setdefault(duty.clause, []).append(f"{duty.who or '?'} {_(_DUTIES[duty.kind])}")
    head = Text(f"{reading.title or reading.source}  ", style="bold")
    head.append(f"{_(_KINDS[reading.kind])} {reading.number} {reading.encoding}", style="dim")
    head.append("  " + _("（义务、权利由字词推测，须人工核对）"), style="dim")
    branches = {"": Tree(head)}
    for clause in reading.clauses:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(clause.id, style="red bold" if clause.id in missing else "cyan")
        if clause.id in duties:
            line.append(" [" + "、".join(duties[clause.id]) + "]", style="magenta")
        line.append(" " + clause.words.replace("\n", " ")[:120], style="default")
        branches[clause.id] = branches.get(clause.parent, branches[""]).add(line)
    return branches[""]


def _show_coverage(coverage: Coverage) -> None:
    total = len(coverage.covered) + len(coverage.missing)
    out.print(Text(_("条款覆盖 {n}/{total}").format(n=len(coverage.covered), total=total), style="bold"))
    if coverage.missing:
        table(
            _("文本中有、目录中没有"),
            (_("条款"), _("行"), _("推测"), _("文字")),
            ((m.id, m.line, "、".join(m.looks_like), m.words) for m in coverage.missing),
        )
    for ident in coverage.not_in_text:
        out.print(Text("✗ " + _("目录中有、文本中没有：{id}").format(id=ident), style="red"))
    for difference in coverage.differences:
        out.print(Text(f"✗ {difference}", style="red"))
    if coverage.without_obligation:
        ids = "、".join(coverage.without_obligation)
        out.print(Text("? " + _("像是义务、但没有义务条目引用（请人工判断）：{ids}").format(ids=ids), style="yellow"))
    if coverage.ok:
        out.print(Text("✓ " + _("文本与目录一致"), style="green"))
