"""Sections on the desk: tickets, and the clocks of both parties in tables of one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from yunwei.desk.models import TicketKind, TicketState
from yunwei.reports import say
from yunwei.reports.blocks import Block, Cell, Column, Section, Table
from yunwei.reports.period import Period
from yunwei.ui import words

JSON = Any


def tickets(data: Mapping[str, JSON], of: Period) -> Section:
    """工单与双方时钟."""
    told = data["tickets"]
    by_event = {t["event"]: t for t in told["rows"] if t["event"]}
    inner = [
        Section(_("{who}的时钟").format(who=words.party(who)), [_clocks(data["clocks"], by_event, who, of)])
        for who in ("B", "A", "AB")
        if who != "AB" or any(c["owes"] == "AB" for c in data["clocks"])
    ]
    return Section(_("工单与双方时钟"), [_kinds(told), _listed(told["rows"], of)], inner)


def _kinds(told: Mapping[str, JSON]) -> Block:
    rows = [
        [
            Cell(str(TicketKind(kind).label)),
            say.count(n["opened"]),
            say.count(n["closed"]),
            say.count(n["open"], "warn"),
        ]
        for kind, n in ((k, told["kinds"][k]) for k in TicketKind.values)
    ]
    total = {k: sum(n[k] for n in told["kinds"].values()) for k in ("opened", "closed", "open")}
    rows.append(
        [Cell(_("合计")), say.count(total["opened"]), say.count(total["closed"]), say.count(total["open"], "warn")]
    )
    return Table(
        _("工单数量"),
        [
            Column(_("类型"), 2),
            Column(_("本期新建"), 1, "right"),
            Column(_("本期关闭"), 1, "right"),
            Column(_("期末未关闭"), 1, "right"),
        ],
        rows,
        totals=1,
    )


def _listed(rows: list[dict[str, JSON]], of: Period) -> Block:
    return Table(
        _("本期的工单（含往期未关闭）"),
        [
            Column(_("工单"), 1.65), Column(_("标题"), 2.8), Column(_("单位或资产"), 1.5), Column(_("收到"), 1.4),
            Column(_("状态"), 0.85), Column(_("证据"), 0.8),
        ],
        [
            [
                Cell(t["number"]), Cell(t["title"]), Cell(t["unit"] or t["asset"] or "—"), Cell(say.short(t["opened"], of.zone)),
                Cell(str(TicketState(t["state"]).label), "mut" if t["state"] == TicketState.CLOSED else ""),
                say.number(t["evidence"]),
            ]
            for t in rows
        ],
        _("本期没有工单"),
    )  # fmt: skip


def _deadline(row: Mapping[str, JSON], of: Period) -> str:
    """Until when a clock runs; a clock without a number says so."""
    if not row["due"]:
        return _("无数字")
    return say.due(row["due"], of.zone) + (_("（暂定）") if row["provisional"] else "")


def _clocks(rows: list[dict[str, JSON]], by_event: Mapping[str, JSON], who: str, of: Period) -> Block:
    """Clocks that an event started; whose they are decides the table, nothing else differs."""
    out = []
    for r in (r for r in rows if r["owes"] == who):
        ticket = by_event.get(r["period"])
        out.append(
            [
                Cell(ticket["number"] if ticket else say.period_key(r["period"])),
                Cell(f"{r['obligation']} {say.title(r)}"),
                Cell(say.clauses(r["clauses"])),
                Cell(f"{say.short(r['starts'], of.zone)}\n{_deadline(r, of)}"),
                Cell(say.short(r["done"], of.zone), "" if r["done"] else "mut"),
                say.state_cell(r) if r["counts"] else Cell(_("不计分"), "mut"),
                say.number(r["number"]),
            ]
        )  # fmt: skip
    return Table(
        "",
        [
            Column(_("起因"), 2.8), Column(_("义务"), 4.2), Column(_("条款"), 1.3), Column(f"{_('起算')}\n{_('期限')}", 2.2),
            Column(_("完成"), 2.2), Column(_("状态"), 1.6), Column(_("证据"), 1.7),
        ],
        out,
        _("本期没有{who}的时钟").format(who=words.party(who)),
    )  # fmt: skip
