"""Sections on looking: every sweep with its coverage and controls, every finding with how it came to light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from yunwei.charts.columns import Stack, columns
from yunwei.charts.svg import Slice
from yunwei.inspect.models import Origin, Severity
from yunwei.reports import say
from yunwei.reports.blocks import Block, Cell, Chart, Column, Note, Para, Section, Table
from yunwei.reports.evidence import said
from yunwei.reports.period import Period
from yunwei.runs.models import RunState
from yunwei.ui import words

JSON = Any


def sweeps(data: Mapping[str, JSON], of: Period) -> Section:
    """巡检与覆盖: what was agreed, what was seen, whether the control fired."""
    told = data["sweeps"]
    rows = told["rows"]
    if not rows:
        return Section(_("巡检与覆盖"), [Note(_("本期没有巡检记录。没有看过，就没有结论。"), "unp")])
    silent = [r for r in rows if r["silent"]]
    text = _("本期巡检 {n} 轮，约定 {agreed} 台次，看清 {proven} 台次（{share}），其中正常 {passed}、有故障 {failed}，未看清 {blind}。").format(
        n=len(rows), agreed=told["agreed"], proven=told["proven"], share=say.per_cent(told["proven"], told["agreed"]),
        passed=told["passed"], failed=told["failed"], blind=told["agreed"] - told["proven"],
    )  # fmt: skip
    blocks: list[Block] = [Para(text)]
    if silent:
        blocks.append(
            Note(
                _("有 {n} 轮的阳性对照没有报出，当轮相应设备的“正常”不作数，已计为未能证明。").format(n=len(silent)),
                "unp",
            )
        )
    if len(rows) > 1:
        blocks.append(_chart(rows, of))
    blocks.append(_table(rows, of))
    return Section(_("巡检与覆盖"), blocks)


def _chart(rows: list[dict[str, JSON]], of: Period) -> Chart:
    stacks = [
        Stack(
            say.short(r["at"], of.zone)[:5],
            [Slice(r["passed"], "ok"), Slice(r["failed"], "bad"), Slice(r["agreed"] - r["proven"], "unp")] if r["agreed"] else None,
        )
        for r in rows[:62]
    ]  # fmt: skip
    alt = _("各轮巡检：") + "；".join(
        _("{at} 正常{p} 故障{f} 未看清{u}").format(
            at=say.short(r["at"], of.zone), p=r["passed"], f=r["failed"], u=r["agreed"] - r["proven"]
        )
        for r in rows[:62]
    )
    return Chart(
        columns(stacks, alt, legend=[("ok", _("正常")), ("bad", _("有故障")), ("unp", _("未看清"))]),
        alt,
        _("各轮巡检的结果（台）"),
    )


def _table(rows: list[dict[str, JSON]], of: Period) -> Table:
    out = []
    for r in rows:
        blind = r["agreed"] - r["proven"]
        state = "" if r["state"] == RunState.DONE else f"（{RunState(r['state']).label}）"
        control = (
            _("无") if not r["controls"] else _("未报出 {n}").format(n=len(r["silent"])) if r["silent"] else _("已报出")
        )
        out.append(
            [
                Cell(say.short(r["at"], of.zone)),
                Cell(f"{r['obligation']}{state}", "bad" if state and r["ended"] else ""),
                say.count(r["agreed"]),
                say.count(r["proven"]),
                say.count(r["passed"]),
                say.count(r["failed"], "bad"),
                say.count(blind, "unp"),
                Cell(say.per_cent(r["proven"], r["agreed"]), "unp" if blind else ""),
                Cell(control, "unp" if r["silent"] or not r["controls"] else ""),
                say.number(r["number"]),
            ]
        )
    return Table(
        _("各轮巡检的覆盖"),
        [
            Column(_("时间"), 1.15), Column(_("义务"), 1.3), Column(_("约定"), 0.65, "right"), Column(_("看清"), 0.65, "right"),
            Column(_("正常"), 0.65, "right"), Column(_("故障"), 0.65, "right"), Column(_("未看清"), 0.75, "right"),
            Column(_("覆盖"), 0.9, "right"), Column(_("阳性对照"), 0.95, "center"), Column(_("证据"), 0.95),
        ],
        out,
    )  # fmt: skip


def findings(data: Mapping[str, JSON], of: Period) -> Section:
    """发现与处置: opened, closed, open at the end; each with its evidence and how it came to light."""
    told = data["findings"]
    text = _("本期新发现 {opened} 项，消除 {closed} 项，期末未消除 {open} 项（严重 {critical} 项）。").format(
        opened=told["opened"], closed=told["closed"], open=told["open"], critical=told["open_critical"]
    )
    blocks: list[Block] = [Para(text)]
    if told["origins"]:
        parts = "、".join(f"{Origin(o).label} {n}" for o, n in told["origins"].items())
        blocks.append(Para(_("新发现的来源：{parts}。").format(parts=parts)))
    blocks.append(_finding_table(told["rows"], of))
    return Section(_("发现与处置"), blocks)


def _finding_table(rows: list[dict[str, JSON]], of: Period) -> Table:
    out = []
    for f in rows:
        bad = f["severity"] == Severity.CRITICAL
        again = _("，第 {n} 次出现").format(n=f["recurrence"] + 1) if f["recurrence"] else ""
        limit = f"（{words.limit(f['limit'])}）" if f["limit"] else ""
        out.append(
            [
                Cell(f"{f['asset_name']} {f['asset']}"),
                Cell(f"{f['name']} {f['value']}{limit}{again}".strip()),
                Cell(str(Severity(f["severity"]).label), "bad" if bad else "warn"),
                Cell(str(Origin(f["origin"]).label)),
                Cell(say.short(f["opened"], of.zone)),
                Cell(say.short(f["closed"], of.zone) if f["closed_in"] else _("未消除"), "" if f["closed_in"] else "bad" if bad else "warn"),
                Cell(said(f["number"]) + (f"\n{said(f['closing'])}" if f["closed_in"] else "")),
            ]
        )  # fmt: skip
    return Table(
        _("本期的发现（含往期未消除）"),
        [
            Column(_("设备"), 1.9), Column(_("故障与读数"), 2.6), Column(_("程度"), 0.6), Column(_("来源"), 1.0),
            Column(_("发现"), 1.2), Column(_("消除"), 1.2), Column(_("证据"), 0.85),
        ],
        out,
        _("本期没有发现，也没有往期未消除的故障"),
    )  # fmt: skip
