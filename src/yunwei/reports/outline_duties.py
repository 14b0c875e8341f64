"""Sections on duties: each obligation by state with its evidence, each that was not simply kept by itself, the unproven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from yunwei.charts.columns import Stack, columns
from yunwei.charts.svg import Slice
from yunwei.reports import say
from yunwei.reports.blocks import Block, Cell, Chart, Column, Note, Para, Section, Table
from yunwei.reports.evidence import span
from yunwei.reports.period import Kind, Period
from yunwei.ui import words

JSON = Any
CAUSES = ("vendor", "client", "third", "unknown")


def duties(data: Mapping[str, JSON], of: Period) -> Section:
    """义务履行: both parties' obligations in tables of one form, then what was not simply kept."""
    told = data["duties"]
    blocks: list[Block] = []
    if of.kind is not Kind.DAILY and told["sum"]["all"]:
        blocks.append(_chart(told))
    inner = [
        Section(_("{who}义务").format(who=words.party(who)), [by_obligation(told, who), *uncounted(told, who)])
        for who in ("B", "A", "AB")
    ]
    inner.append(Section(_("未按期与免责事项"), [_special(told, of)]))
    if told["overdue"] or told["carried"]:
        inner.append(Section(_("逾期未履行与往期遗留"), [_overdue(told, of)]))
    inner.append(Section(_("待对方答复与主张"), [*_waiting(told, of), _claims(told)]))
    return Section(_("义务履行情况"), blocks, inner)


def _chart(told: Mapping[str, JSON]) -> Chart:
    stacks = []
    for row in told["days"]:
        s = row["sum"]
        parts = [Slice(s[str(k)], say.TONE[k]) for k in say.STATES] if s["all"] else None
        stacks.append(Stack(say.month_day(row["day"]), parts))
    key = [(say.TONE[k], say.state_word(str(k))) for k in say.STATES[:4]] + [("mut", _("免责或未到期"))]
    alt = _("每日到期义务的状态：") + "；".join(_alt(row) for row in told["days"] if row["sum"]["all"])
    return Chart(columns(stacks, alt, legend=key), alt, _("每日到期的义务（项）"))


def _alt(row: Mapping[str, JSON]) -> str:
    s = row["sum"]
    return f"{row['day']} " + " ".join(f"{say.state_word(str(k))}{s[str(k)]}" for k in say.STATES if s[str(k)])


def by_obligation(told: Mapping[str, JSON], who: str) -> Table:
    rows: list[list[Cell]] = []
    short = [
        say.two_lines(w)
        for w in (_("应履行"), _("按期"), _("迟延"), _("未履行"), _("未能证明"), _("免责"), _("逾期"), _("未到期"))
    ]
    counted = [o for o in told["obligations"] if o["owes"] == who and o["sum"]["all"]]
    for o in counted:
        s = o["sum"]
        numbers = [n for group in o["numbers"].values() for n in group]
        rows.append(
            [
                Cell(f"{o['id']} {say.title(o)}"),
                Cell(say.clauses(o["clauses"])),
                *count_cells(s),
                Cell(span(numbers)),
            ]
        )
    if counted:
        rows.append([Cell(_("合计")), Cell(""), *count_cells(told["by_party"][who]), Cell("")])
    return Table(
        _("{who}义务的履行（按义务）").format(who=words.party(who)),
        [Column(_("义务"), 2.9), Column(_("条款"), 1.0)]
        + [Column(t, 0.7, "right") for t in short]
        + [Column(_("证据"), 1.7)],
        rows,
        _("本期没有到期的义务"),
        totals=1 if counted else 0,
    )


def uncounted(told: Mapping[str, JSON], who: str) -> list[Block]:
    """What is listed and stands in no sum, and why."""
    rows = [o for o in told["obligations"] if o["owes"] == who and o["uncounted"]]
    if not rows:
        return []
    names = "、".join(f"{o['id']} {o['uncounted']}" for o in rows)
    why = "；".join(sorted({o["why"] for o in rows if o["why"]}))
    text = _("另列不计分 {n} 项（{why}）：{names}。").format(
        n=sum(o["uncounted"] for o in rows), why=why or "—", names=names
    )
    return [Para(text, "mut")]


def count_cells(s: Mapping[str, int]) -> list[Cell]:
    """The figures of one row: all, then by state."""
    return [say.count(s["all"])] + [
        say.count(s[str(k)], say.TONE[k] if k not in ("kept", "open") else "") for k in say.STATES
    ]


def _row(row: Mapping[str, JSON], of: Period) -> list[Cell]:
    text = " · ".join(part for part in (row["detail"], row["why"]) if part)
    if row["agreed"] is not None:
        text = _("看清 {p} / {a}").format(p=row["proven"], a=row["agreed"]) + (f" · {text}" if text else "")
    return [
        Cell(f"{row['obligation']} {say.title(row)}"),
        Cell(say.period_key(row["period"])),
        Cell(words.party(row["owes"])),
        Cell(say.due(row["due"], of.zone)),
        say.state_cell(row),
        Cell(text or "—", "" if text else "mut"),
        say.number(row["number"]),
    ]


def _listed(title: str, rows: Sequence[Mapping[str, JSON]], of: Period, empty: str) -> Table:
    return Table(
        title,
        [
            Column(_("义务"), 2.5), Column(_("期次"), 1.1), Column(_("责任方"), 0.8), Column(_("期限"), 1.35),
            Column(_("状态"), 1.1), Column(_("说明"), 2.0), Column(_("证据"), 0.85),
        ],
        [_row(r, of) for r in rows],
        empty,
    )  # fmt: skip


def _special(told: Mapping[str, JSON], of: Period) -> Table:
    rows = [r for r in told["special"] if r["state"] != "unproven"]
    return _listed(_("迟延、未履行与免责的逐项清单"), rows, of, _("本期没有迟延、未履行或免责的事项"))


def _overdue(told: Mapping[str, JSON], of: Period) -> Table:
    return _listed(
        _("逾期未履行的逐项清单（含往期到期、至今未履行的）"),
        [*told["carried"], *told["overdue"]],
        of,
        _("没有逾期未履行的事项"),
    )


def _waiting(told: Mapping[str, JSON], of: Period) -> list[Block]:
    rows = [
        [
            Cell(f"{r['obligation']} {say.title(r)}"),
            Cell(say.period_key(r["period"])),
            Cell(words.party(r["stated_by"])),
            Cell(words.party("A" if r["stated_by"] == "B" else "B")),
            Cell(say.short(r["at"], of.zone)),
            say.number(r["number"]),
        ]
        for r in told["waiting"]
    ]
    return [
        Table(
            _("已举证、待对方确认的事项"),
            [
                Column(_("义务"), 2.9), Column(_("期次"), 1.3), Column(_("举证方"), 0.8), Column(_("待答复方"), 1.0),
                Column(_("举证时间"), 1.2), Column(_("证据"), 0.9),
            ],
            rows,
            _("没有待对方确认的举证"),
        )
    ]  # fmt: skip


def _claims(told: Mapping[str, JSON]) -> Table:
    rows = [
        [
            Cell(f"{r['obligation']} {say.title(r)}"),
            Cell(say.period_key(r["period"])),
            Cell(words.party(r["party"])),
            Cell(say.claim_word(r)),
            say.claim_state(r),
            say.number(r["number"]),
        ]
        for r in told["claims"]
    ]
    return Table(
        _("双方的免责与归因主张"),
        [
            Column(_("义务"), 3.0), Column(_("期次"), 1.3), Column(_("主张方"), 0.8), Column(_("主张"), 1.3),
            Column(_("状态"), 0.8), Column(_("证据"), 0.9),
        ],
        rows,
        _("双方没有提出主张"),
    )  # fmt: skip


def unproven(data: Mapping[str, JSON], of: Period) -> Section:
    """未能证明: a section of its own. Four causes, each with what it has, also when that is nothing."""
    told, sweeps = data["unproven"], data["sweeps"]
    blocks: list[Block] = [
        Para(
            _(
                "未能证明既不是履行，也不是未履行：没有足够的证据说明当时的状况。原因归于乙方以外者，须有证明并经对方答复；"
                "“尚不清楚”的，在考核定稿时计为乙方。"
            )
        ),
        Table(
            _("未能证明的数量（按原因）"),
            [Column(_("原因"), 1.6), *(Column(words.cause(c), 1, "right") for c in CAUSES), Column(_("合计"), 1, "right")],
            [
                [Cell(_("义务（项）")), *(say.count(told["by_cause"][c], "unp") for c in CAUSES), say.count(told["all"], "unp")],
                [
                    Cell(_("巡检（台次）")), *(say.count(sweeps["causes"][c], "unp") for c in CAUSES),
                    say.count(sum(sweeps["causes"].values()), "unp"),
                ],
            ],
        ),
    ]  # fmt: skip
    inner = []
    for cause in CAUSES:
        rows = [r for r in told["rows"] if r["cause"] == cause]
        title = _("原因：{who}").format(who=words.cause(cause))
        empty = _("本期没有因此未能证明的义务")
        inner.append(Section(title, [_listed("", rows, of, empty) if rows else Para(empty + _("。"), "mut")]))
    if sweeps["reasons"]:
        inner.append(Section(_("看不清的技术原因"), [_reasons(sweeps)]))
    if not told["all"] and not sum(sweeps["causes"].values()):
        blocks.append(Note(_("本期没有未能证明的事项。"), "ok"))
    return Section(_("未能证明的事项"), blocks, inner)


def _reasons(sweeps: Mapping[str, JSON]) -> Table:
    total = sum(sweeps["reasons"].values())
    rows = [
        [Cell(words.reason(r)), Cell(r, "mut"), say.count(n, "unp"), Cell(say.per_cent(n, total))]
        for r, n in sorted(sweeps["reasons"].items(), key=lambda item: (-item[1], item[0]))
    ]
    rows.append([Cell(_("合计")), Cell(""), say.count(total, "unp"), Cell("")])
    return Table(
        _("巡检未看清的台次（按原因，证据见“巡检与覆盖”各轮）"),
        [Column(_("原因"), 2.4), Column(_("代码"), 1.6), Column(_("台次"), 1, "right"), Column(_("占比"), 1, "right")],
        rows,
        totals=1,
    )
