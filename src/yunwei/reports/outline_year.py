"""The sections of the contract year's documents: acceptance pack (政府采购法实施条例 45, 合同 4.3.2-3) and handover list
(7.2.16). Every figure has its evidence number; what was not proven has a section of its own; both sides sign at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from yunwei.accounts.models import Role
from yunwei.assessment.rectify import subject
from yunwei.reports import outline_duties, outline_proof, say
from yunwei.reports.blocks import Block, Cell, Column, Fact, Facts, Note, Para, Section, Table, Tile, Tiles
from yunwei.reports.evidence import span
from yunwei.reports.period import Kind, Period
from yunwei.ui import words

JSON = Any
#: empty lines in a cell that somebody signs in
ROOM = "\n\n\n"


def sections(data: Mapping[str, JSON], of: Period) -> list[Section]:
    """All sections but the annexes."""
    return _acceptance(data, of) if of.kind is Kind.ACCEPTANCE else _handover(data, of)


def answer(data: Mapping[str, JSON]) -> str:
    """The sentence that answers the document."""
    if data["kind"] == Kind.HANDOVER:
        p = data["year"]["progress"]
        return _(
            "移交 {all} 项：双方了结 {done} 项，其中拒签 {refused} 项；乙方已签 {given} 项，甲方已签 {received} 项"
        ).format(**p)
    told = data["year"]
    s, measured = data["duties"]["sum"], told["requirements"]
    return _("{n} 项义务：履行 {held} 次，未履行 {missed} 次，未能证明 {unproven} 次；{all} 项标准中 {proven} 项有证明且无缺口；{decision}").format(
        n=told["obligations"], held=s["kept"] + s["late"], missed=s["missed"] + s["overdue"], unproven=s["unproven"],
        all=len(measured), proven=sum(m["state"] == "proven" for m in measured), decision=_decision(told["rounds"]),
    )  # fmt: skip


def _decision(rounds: Sequence[Mapping[str, JSON]]) -> str:
    if not rounds:
        return _("尚未提交验收")
    last = rounds[-1]
    if last["passed"] is None:
        return _("待甲方决定")
    return _("通过验收") if last["passed"] else _("未通过验收")


# --- acceptance -------------------------------------------------------------------------------------------------------


def _acceptance(data: Mapping[str, JSON], of: Period) -> list[Section]:
    told = data["year"]
    return [
        Section(_("概要"), _summary(data)),
        Section(_("逐项义务的履行"), [], [
            *(Section(_("{who}义务").format(who=words.party(who)), [outline_duties.by_obligation(data["duties"], who),
                                                                *outline_duties.uncounted(data["duties"], who)])
              for who in ("B", "A", "AB")),
            Section(_("没有到期事项的义务"), [_quiet(told)]),
        ]),
        Section(_("技术、服务与安全标准的逐项履行"), _standards_notes(), [
            Section(GROUPS()[group], [_standards(told, group), *_reasons(told, group)]) for group in GROUPS()
        ]),
        Section(_("测试、检查与需求单位意见"), [_opinions(told)]),
        Section(_("整改"), [_orders(told, of), *([_rechecks(told, of)] if any(o["rounds"] for o in told["orders"]) else [])]),
        Section(_("年度总结与备案、公告"), [_clocks(told, of)]),
        outline_duties.unproven({**data, "sweeps": NO_SWEEPS}, of),
        outline_proof.ledger(data, of),
        Section(_("验收结论与签署"), [*_rounds(told, of), signatures(data)]),
    ]  # fmt: skip


#: the year's document counts duties; the rounds of looking stand in the months' reports
NO_SWEEPS: Mapping[str, JSON] = {"causes": dict.fromkeys(outline_duties.CAUSES, 0), "reasons": {}}


def GROUPS() -> dict[str, str]:  # noqa: N802 - a constant whose words follow the reader
    """The three groups of standards, in the order of 采购条例 45."""
    return {"technical": _("技术标准"), "service": _("服务标准"), "safety": _("安全标准")}


def _summary(data: Mapping[str, JSON]) -> list[Block]:
    s, told = data["duties"]["sum"], data["year"]
    open_orders = [o for o in told["orders"] if o["state"] != "conforming"]
    out: list[Block] = [Para(answer(data) + _("。"))]
    if not data["whole"]:
        out.append(Note(_("服务年度尚未结束；之后到期的义务计为“未到期”。"), "warn"))
    if not told["adopted"]:
        out.append(Note(_("标准由乙方提出，双方没有以文件签署：{note}").format(note=told["note"] or "—"), "warn"))
    if open_orders:
        names = "、".join(_("整改 {n}").format(n=o["id"]) for o in open_orders)
        out.append(Note(_("尚有整改未符合：{names}；未符合之前不能通过验收。").format(names=names), "bad"))
    if data["duties"]["uncounted"]:
        out.append(
            Note(
                _("另有 {n} 项列出而不计分（服务方案未审定，或合同未定数字），不在以上数字之内。").format(
                    n=data["duties"]["uncounted"]
                ),
                "mut",
            )
        )
    out.append(Tiles([
        Tile(str(s["kept"]), say.state_word("kept"), "ok" if s["kept"] else "mut"),
        Tile(str(s["late"]), say.state_word("late"), "warn" if s["late"] else "mut"),
        Tile(str(s["missed"] + s["overdue"]), say.state_word("missed"), "bad" if s["missed"] + s["overdue"] else "mut"),
        Tile(str(s["unproven"]), say.state_word("unproven"), "unp" if s["unproven"] else "mut"),
        Tile(str(s["exempt"]), say.state_word("exempt"), "mut"),
        Tile(str(s["open"]), say.state_word("open"), "mut"),
        Tile(str(sum(m["state"] == "none" for m in told["requirements"])), _("项标准无证明"), "unp"),
        Tile(str(len(open_orders)), _("项整改未符合"), "bad" if open_orders else "mut"),
    ]))  # fmt: skip
    return out


def _quiet(told: Mapping[str, JSON]) -> Table:
    rows = [
        [
            Cell(f"{o['id']} {say.title(o)}"),
            Cell(say.clauses(o["clauses"])),
            Cell(words.party(o["owes"])),
            Cell(_why_quiet(o)),
        ]
        for o in told["quiet"]
    ]
    columns = [Column(_("义务"), 3), Column(_("条款"), 1), Column(_("责任方"), 0.8), Column(_("为何没有"), 2.4)]
    return Table(_("没有到期事项的义务"), columns, rows, _("每项义务都有到期事项"))


def _why_quiet(o: Mapping[str, JSON]) -> str:
    if o["kind"] == "ban":
        return _("禁止事项：违反才有登记")
    if o["kind"] == "consent":
        return _("须经同意的事项：没有申请")
    return (
        _("没有发生“{event}”").format(event=say.title(o["event"])) if o["trigger"] else _("合同与服务方案没有给出周期")
    )


def _standards_notes() -> list[Block]:
    return [
        Para(
            _(
                "每项标准列出可循的标准、所选者及其理由（合同 4.1.1、4.1.2），以及由哪些义务的证据证明；没有证据的写明“无证明”。"
            )
        )
    ]


def _standards(told: Mapping[str, JSON], group: str) -> Table:
    rows = []
    for m in [m for m in told["requirements"] if m["group"] == group]:
        c = m["counts"]
        rows.append([
            Cell(f"{m['id']} {say.title(m)}"), Cell(m["chosen"]), proof_cell(m["state"]),
            say.count(c["kept"] + c["late"], "ok"), say.count(c["missed"] + c["overdue"], "bad"), say.count(c["unproven"], "unp"),
            Cell("、".join(m["proven_by"]) or "—"), Cell(span([n for n in (m["first"], m["last"]) if n]) if m["first"] else "—"),
        ])  # fmt: skip
    columns = [
        Column(_("要求"), 2.2), Column(_("所选标准"), 1.6), Column(_("证明"), 0.9), Column(_("履行"), 0.6, "right"),
        Column(say.two_lines(_("未履行")), 0.6, "right"), Column(say.two_lines(_("未能证明")), 0.6, "right"), Column(_("由何证明"), 1.6), Column(_("证据"), 1.3),
    ]  # fmt: skip
    return Table(_("{group}的履行").format(group=GROUPS()[group]), columns, rows, _("没有这一类要求"))


def proof_cell(state: str) -> Cell:
    """Whether a requirement is proven: nothing, with gaps, or without."""
    found = {"none": (_("无证明"), "unp"), "gaps": (_("有缺口"), "warn"), "proven": (_("有证明"), "ok")}[state]
    return Cell(*found)


def _reasons(told: Mapping[str, JSON], group: str) -> list[Block]:
    rows = []
    for m in [m for m in told["requirements"] if m["group"] == group]:
        others = "；".join(f"{s['number']} {s['title']}" for s in m["standards"])
        said = "；".join(f"{o['organisation']}：{_conforms(o)} {o['text']}".strip() for o in m["opinions"])
        rows.append(
            [
                Cell(m["id"]),
                Cell(others),
                Cell(m["why_en"] if words.english() else m["why"]),
                Cell(said or _("没有单独意见"), "" if said else "mut"),
            ]
        )
    columns = [
        Column(_("要求"), 0.5),
        Column(_("可循的标准"), 2.6),
        Column(_("所选理由"), 2.6),
        Column(_("检查意见"), 1.4),
    ]
    return [Table(_("{group}：所选标准及理由").format(group=GROUPS()[group]), columns, rows, "—")] if rows else []


def _conforms(o: Mapping[str, JSON]) -> str:
    return _("符合") if o["conforming"] else _("不符合")


def _opinions(told: Mapping[str, JSON]) -> Table:
    speakers = {"tester": _("测试与检查人"), "department": _("需求单位")}
    rows = [
        [
            Cell(str(row["round"])), Cell(speakers[o["speaker"]]), Cell(f"{o['organisation']}\n{o['name']}"), Cell(o["qualification"] or "—"),
            Cell(o["about"] or _("整体")), Cell(_conforms(o), "ok" if o["conforming"] else "bad"), Cell(o["text"] or "—"), say.number(o["number"]),
        ]
        for row in told["rounds"] for o in row["opinions"]
    ]  # fmt: skip
    columns = [
        Column(_("轮次"), 0.5, "right"), Column(_("身份"), 0.9), Column(_("单位与姓名"), 1.6), Column(_("资质"), 1.2), Column(_("对象"), 0.6),
        Column(_("结论"), 0.7), Column(_("意见"), 2), Column(_("证据"), 0.8),
    ]  # fmt: skip
    return Table(_("测试、检查与需求单位意见"), columns, rows, _("还没有测试、检查或需求单位的意见"))


def order_word(state: str) -> Cell:
    """Where a rectification stands."""
    found = {
        "open": (_("待整改"), "warn"), "overdue": (_("逾期未整改"), "bad"), "reported": (_("待甲方复检"), "warn"),
        "conforming": (_("已符合"), "ok"),
    }  # fmt: skip
    return Cell(*found[state])


def _orders(told: Mapping[str, JSON], of: Period) -> Table:
    rows = [
        [
            Cell(str(o["id"])), Cell(o["what"]), Cell(o["clause"]), Cell(subject(o["about"]) or "—"), Cell(say.clock(o["due"], of.zone)),
            order_word(o["state"]), Cell(str(len(o["rounds"]))), say.number(o["number"]),
        ]
        for o in told["orders"]
    ]  # fmt: skip
    columns = [
        Column(_("整改"), 0.5, "right"), Column(_("内容"), 2.4), Column(_("条款"), 0.7), Column(_("对象"), 1.2), Column(_("期限"), 1.3),
        Column(_("状态"), 0.9), Column(_("轮次"), 0.5, "right"), Column(_("证据"), 0.8),
    ]  # fmt: skip
    return Table(_("整改通知"), columns, rows, _("甲方没有提出整改"))


def _rechecks(told: Mapping[str, JSON], of: Period) -> Table:
    rows = []
    for o in told["orders"]:
        for r in o["rounds"]:
            result = (
                Cell(_("待甲方复检"), "warn")
                if r["conforming"] is None
                else Cell(_conforms(r), "ok" if r["conforming"] else "bad")
            )
            rows.append([
                Cell(f"{o['id']} / {r['number']}"), Cell(r["statement"]), Cell(say.clock(r["reported"], of.zone)), result,
                Cell(r["finding"] or "—"), say.number(r["evidence"]),
            ])  # fmt: skip
    columns = [
        Column(_("整改 / 轮次"), 0.8), Column(_("乙方报告"), 2.2), Column(_("报告时间"), 1.2), Column(_("复检"), 0.8), Column(_("甲方意见"), 1.6), Column(_("证据"), 0.8),
    ]  # fmt: skip
    return Table(_("各轮整改与复检"), columns, rows, "—")


def _clocks(told: Mapping[str, JSON], of: Period) -> Table:
    rows = [_clock_row(c, of) for c in told["clocks"]]
    rows += [
        [
            Cell(f"{o['id']} {say.title(o)}"),
            Cell(words.party(o["owes"])),
            Cell("—"),
            Cell(_("未起算"), "mut"),
            Cell("—"),
            Cell("—", "mut"),
        ]
        for o in told["unmet"]
    ]
    return Table(_("年度总结与备案、公告的期限"), _clock_columns(), rows, "—")


def _clock_columns() -> list[Column]:
    return [
        Column(_("义务"), 2.6),
        Column(_("责任方"), 0.8),
        Column(_("期限"), 1.3),
        Column(_("状态"), 1.1),
        Column(_("依据"), 1.6),
        Column(_("证据"), 0.8),
    ]


def _clock_row(c: Mapping[str, JSON], of: Period) -> list[Cell]:
    ground = " · ".join(w for w in (say.clauses(c["clauses"]), c["statute"]) if w)
    return [
        Cell(f"{c['obligation']} {say.title(c)}"), Cell(words.party(c["owes"])), Cell(_due(c["due"], of.zone)), say.state_cell(c), Cell(ground), say.number(c["number"]),
    ]  # fmt: skip


def _due(moment: str | None, zone: str) -> str:
    """A due moment with its year: fifteen years are among them."""
    there = say.at(moment, zone)
    if there is None:
        return _("合同未定")
    return f"{there - timedelta(days=1):%Y-%m-%d} 24:00" if f"{there:%H:%M}" == "00:00" else f"{there:%Y-%m-%d %H:%M}"


def _rounds(told: Mapping[str, JSON], of: Period) -> list[Block]:
    if not told["rounds"]:
        return [Note(_("乙方尚未提交验收。"), "mut")]
    rows = []
    for r in told["rounds"]:
        passed = {None: Cell(_("待甲方决定"), "warn"), True: Cell(_("通过"), "ok"), False: Cell(_("未通过"), "bad")}[
            r["passed"]
        ]
        signed = {
            None: _("待乙方签认") if r["passed"] is not None else "—",
            True: _("已签认"),
            False: _("拒签：{why}").format(why=r["answer"]),
        }[r["signed"]]
        rows.append([
            Cell(str(r["round"])), Cell(say.clock(r["submitted"], of.zone)), passed, Cell(r["reason"] or "—"),
            Cell(say.clock(r["decided"], of.zone)), Cell(signed), say.number(r["number"]),
        ])  # fmt: skip
    columns = [
        Column(_("轮次"), 0.5, "right"), Column(_("提交"), 1.2), Column(_("结论"), 0.8), Column(_("理由"), 2), Column(_("决定"), 1.2), Column(_("乙方签认"), 1.2), Column(_("证据"), 0.8),
    ]  # fmt: skip
    return [Table(_("各轮验收"), columns, rows, "—")]


def signatures(data: Mapping[str, JSON]) -> Table:
    """Where both sign on paper; what they signed on the platform stands above with its evidence."""
    names = {p["role"]: p["name"] for p in data["contract"]["parties"]}
    rows = [
        [Cell(f"{words.party(who)}\n{names.get(who, '—')}"), Cell(ROOM), Cell(ROOM), Cell(ROOM)] for who in ("A", "B")
    ]
    columns = [Column(_("单位"), 1.8), Column(_("代表签字"), 1.4), Column(_("盖章"), 1.6), Column(_("日期"), 1)]
    return Table(_("双方签署"), columns, rows, "—")


# --- handover ---------------------------------------------------------------------------------------------------------

KINDS = ("facility", "resource", "material", "account")


def _handover(data: Mapping[str, JSON], of: Period) -> list[Section]:
    told = data["year"]
    names = {
        "facility": _("设施清单"),
        "resource": _("虚拟资源清单"),
        "material": _("资料清单"),
        "account": _("账号清单（平台增列）"),
    }
    lists = [Section(names[kind], [*_account_note(kind), _items(told, kind, names[kind])]) for kind in KINDS]
    return [
        Section(_("概要"), _handover_summary(data, of)),
        *lists,
        Section(_("拒签的项目"), [_refused(told)]),
        Section(_("未能证明的项目"), [_unproven(told)]),
        Section(_("开列之后的变化"), [_changes(told)]),
        Section(_("临时账号与资料归还"), [_temporary(told), _returns(told, of)]),
        outline_proof.ledger(data, of),
        Section(_("双方签收"), [signatures(data)]),
    ]


def _handover_summary(data: Mapping[str, JSON], of: Period) -> list[Block]:
    told = data["year"]
    clock = told["clock"]
    rows = [
        Fact(_("清单开列"), say.clock(told["opened"], of.zone), say.number(told["number"]).text),
        Fact(_("年度运维工作结束"), say.clock(told["ended"], of.zone) if told["ended"] else _("还没有登记"), say.number(told["ended_number"]).text if told["ended"] else ""),
        Fact(_("移交期限"), _due(clock["due"], of.zone) if clock else _("未起算"), say.state_cell(clock).text if clock else ""),
    ]  # fmt: skip
    out: list[Block] = [Para(answer(data) + _("。")), Facts(rows)]
    if not told["progress"]["finished"]:
        out.append(Note(_("清单尚未了结：每一项须由双方签收，或由一方写明理由拒签。"), "warn"))
    if told["changes"]:
        out.append(
            Note(_("开列之后有 {n} 处变化，清单不改写，见“开列之后的变化”。").format(n=len(told["changes"])), "warn")
        )
    return out


def _account_note(kind: str) -> list[Block]:
    return (
        [Para(_("只写明账号存在、由谁持有、口令是否已重设；口令不印出，也不进入证据链。"))] if kind == "account" else []
    )


def _items(told: Mapping[str, JSON], kind: str, title: str) -> Table:
    rows, mine = [], [i for i in told["items"] if i["kind"] == kind]
    for n, i in enumerate(mine, 1):
        rows.append([Cell(str(n)), Cell(_lines((i["title"], i["code"] if i["code"] != i["title"] else ""))), *_facts_of(i),
                     _signed(i["given"]), _signed(i["received"]), Cell(_evidence_of(i), "" if i["source"] else "mut")])  # fmt: skip
    columns = [
        Column(_("序号"), 0.5, "right"),
        Column(_("名称"), 2),
        *_columns_of(kind),
        Column(_("移出"), 0.6),
        Column(_("接收"), 0.6),
        Column(_("证据"), 0.9),
    ]
    return Table(title, columns, rows, _("没有这一类项目"))


def _columns_of(kind: str) -> list[Column]:
    if kind in ("facility", "resource"):
        return [Column(_("型号与序列号"), 1.7), Column(_("位置与分区"), 1.5)]
    if kind == "account":
        return [Column(_("种类与持有人"), 1.7), Column(_("重设"), 1.2)]
    return [Column(_("文件或条款"), 1.6)]


def _facts_of(i: Mapping[str, JSON]) -> list[Cell]:
    d = i["detail"]
    if i["kind"] in ("facility", "resource"):
        return [Cell(_lines((d["model"], d["serial"]))), Cell(_lines((d["place"], d["position"], d["zone"])))]
    if i["kind"] == "account":
        reset = Cell(_("已重设 {day}").format(day=i["reset"][:10]), "ok") if i["reset"] else Cell(_("未重设"), "warn")
        return [Cell(_lines((d["kind"], d["holder"]))), reset]
    return [Cell(d.get("file") or d.get("clause") or "—")]


def _lines(texts: Iterable[str]) -> str:
    return "\n".join(t for t in texts if t) or "—"


def _signed(said: bool | None) -> Cell:
    return {None: Cell(_("未签"), "warn"), True: Cell(_("已签"), "ok"), False: Cell(_("拒签"), "bad")}[said]


def _evidence_of(i: Mapping[str, JSON]) -> str:
    signed = say.number(i["number"]).text if i["number"] is not None else ""
    return _lines((say.number(i["source"]).text, signed))


def _refused(told: Mapping[str, JSON]) -> Table:
    rows = []
    for i in told["items"]:
        for side, who in (("given", "B"), ("received", "A")):
            if i[side] is False:
                rows.append(
                    [Cell(i["code"]), Cell(words.party(who)), Cell(i[f"{side}_reason"]), say.number(i["number"])]
                )
    return Table(
        _("拒签及其理由"),
        [Column(_("项目"), 1.6), Column(_("拒签方"), 0.8), Column(_("理由"), 3), Column(_("证据"), 0.9)],
        rows,
        _("没有拒签的项目"),
    )


def _unproven(told: Mapping[str, JSON]) -> Table:
    rows = [
        [Cell(i["code"]), Cell(i["title"]), Cell(_("台账中没有它的登记"), "unp")]
        for i in told["items"]
        if i["source"] is None
    ]
    rows += [
        [Cell(i["code"]), Cell(i["title"]), Cell(_("口令未重设：由原持有人掌握"), "unp")]
        for i in told["items"]
        if i["kind"] == "account" and not i["reset"]
    ]
    return Table(
        _("未能证明的项目（按原因）"),
        [Column(_("项目"), 1.6), Column(_("名称"), 2), Column(_("原因"), 2)],
        rows,
        _("每一项都有证据"),
    )


def _changes(told: Mapping[str, JSON]) -> Table:
    what = {"added": _("新增"), "gone": _("不再存在"), "changed": _("变更")}
    rows = [
        [Cell(what[c["what"]]), Cell(c["code"]), Cell(c["title"]), Cell("、".join(c["fields"]) or "—")]
        for c in told["changes"]
    ]
    return Table(
        _("与开列时的差异"),
        [Column(_("变化"), 0.8), Column(_("项目"), 1.6), Column(_("名称"), 2.4), Column(_("字段"), 1.2)],
        rows,
        _("与开列时相同"),
    )


def _temporary(told: Mapping[str, JSON]) -> Table:
    rows = [
        [Cell(str(Role(t["role"]).label)), say.count(t["open"], "warn"), say.count(t["closed"], "ok")]
        for t in told["temporary"]
    ]
    return Table(
        _("乙方在本平台的账号（随服务期结束）"),
        [Column(_("角色"), 2), Column(_("仍开着"), 1, "right"), Column(_("已停用"), 1, "right")],
        rows,
        _("没有乙方账号"),
    )


def _returns(told: Mapping[str, JSON], of: Period) -> Table:
    return Table(_("资料归还"), _clock_columns(), [_clock_row(r, of) for r in told["returns"]], _("未起算"))
