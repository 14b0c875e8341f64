"""Sections on price and proof: contract facts, the ledger's growth, every evidence number again, how the report was made."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from yunwei.duties.models import State
from yunwei.reports import names, say
from yunwei.reports.blocks import Block, Cell, Column, Fact, Facts, Note, Para, Section, Table
from yunwei.reports.evidence import ranges
from yunwei.reports.period import Period
from yunwei.ui import words

JSON = Any


def contract(data: Mapping[str, JSON], of: Period) -> Section:
    """合同与价款: what the contract says; nothing is forecast, what is not agreed is named with who owes the answer."""
    told = data["contract"]
    term = told["term"]
    first, last = (say.day(_date(term[k])) for k in ("first", "last"))
    read = (
        _("双方已确认读法 {id}").format(id=term["confirmed"])
        if term["confirmed"]
        else _("{n} 种读法的并集，尚未确认").format(n=term["readings"])
    )
    plans = "、".join(_("第 {v} 版（{day}起）").format(v=p["version"], day=p["counts_from"]) for p in told["plans"])
    rows = [
        Fact(_("合同总价"), f"¥ {Decimal(told['price']['amount']):,.2f}（{told['price']['capitals']}）", _("条款 {ids}").format(ids=told["price"]["clause"])),
        Fact(_("服务期"), _("{first}至{last}").format(first=first, last=last), read),
        Fact(_("服务方案"), plans or _("没有经审定的版本"), tone="" if plans else "warn"),
        Fact(_("未决事项"), _("甲方 {a}，乙方 {b}，双方 {ab}").format(a=told["open_by"]["A"], b=told["open_by"]["B"], ab=told["open_by"]["AB"])),
    ]  # fmt: skip
    return Section(
        _("合同与价款"),
        [Facts(rows), _instalments(data, of), *_blocked(told)],
    )


def _date(iso: str) -> Any:
    from datetime import date

    return date.fromisoformat(iso)


def _instalments(data: Mapping[str, JSON], of: Period) -> Block:
    clocks = {c["obligation"]: c for c in data["clocks"]}
    rows = []
    for part in data["contract"]["instalments"]:
        row = clocks.get(part["obligation"])
        amount = f"¥ {Decimal(part['amount']):,.2f}"
        if part["blocked"]:
            amount = _("上限 {amount}").format(amount=amount)
        state = say.state_cell(row) if row else Cell(_("本期没有付款时钟"), "mut")
        rows.append(
            [
                Cell(f"{part['share']} %"), Cell(amount), Cell(part["clause"]), state,
                Cell(say.due(row["due"], of.zone) if row else "—"), say.number(row["number"]) if row else Cell("—", "mut"),
            ]
        )  # fmt: skip
    return Table(
        _("合同写明的付款"),
        [
            Column(_("比例"), 0.6), Column(_("金额"), 1.6), Column(_("条款"), 0.8), Column(_("状态"), 1.4),
            Column(_("期限"), 1.1), Column(_("证据"), 0.9),
        ],
        rows,
        _("合同没有写明付款"),
    )  # fmt: skip


def _blocked(told: Mapping[str, JSON]) -> list[Block]:
    if not told["open_items"]:
        return []
    text = _("下列事项未了结前，平台不计算考核后的价款，也不作预测。")
    rows = [
        [
            Cell(i["clause"]),
            Cell(i["title_en"] if words.english() else i["title"]),
            Cell(words.party(i["owner"])),
            Cell(i["default"]),
        ]
        for i in told["open_items"]
    ]
    columns = [Column(_("条款"), 0.8), Column(_("事项"), 2.4), Column(_("待谁了结"), 0.8), Column(_("目前的做法"), 2.4)]
    return [Note(text, "warn"), Table(_("影响价款的未决事项"), columns, rows)]


def ledger(data: Mapping[str, JSON], of: Period) -> Section:
    """证据链: its heads at both ends, what went to the client, what was removed by law, whether the clock was turned."""
    told = data["ledger"]
    last, first = told["last"], told["first"]
    if last is None:
        return Section(_("证据链"), [Note(_("报告期末还没有签名头：本报告的数字没有证据链可供核对。"), "unp")])
    rows = [
        Fact(_("期末链头"), f"№ {last['size']}", _("第 {n} 个签名头，{at}").format(n=last["number"], at=say.clock(last["at"], of.zone))),
        Fact(_("期末树根"), _groups(last["root"]), "SM3"),
        Fact(_("签名密钥指纹"), _groups(told["key"]), "SM2"),
        Fact(_("期初链头"), f"№ {first['size']}" if first else _("期初尚无签名头")),
        Fact(_("本期新增"), _("{n} 条证据，{h} 个签名头").format(n=told["entries"], h=told["heads"])),
        Fact(
            _("送达甲方"), _("成功 {ok} 次，失败 {bad} 次").format(ok=told["pushed"], bad=told["push_failed"]),
            tone="" if told["pushed"] and not told["push_failed"] else "warn",
        ),
        Fact(_("导出证据"), _("{n} 次").format(n=told["exported"])),
        Fact(_("依法删除"), _("{n} 件，只留存根").format(n=told["redacted"])),
        Fact(_("时钟被调回"), _("{n} 次").format(n=told["clock_back"]), tone="bad" if told["clock_back"] else ""),
    ]  # fmt: skip
    blocks: list[Block] = [Facts(rows)]
    blocks += [
        Note(
            _("签名头自 {at} 起未送达甲方：{why}").format(at=say.clock(o["since"], of.zone), why=o["problem"] or "—"),
            "bad",
        )
        for o in told["overdue"]
    ]
    blocks.append(Para(_("甲方可用移交的核验程序和送达的签名头，离线核对本报告所列任一证据编号。")))
    return Section(_("证据链"), blocks)


def _groups(text: str) -> str:
    """A long hexadecimal number in groups of eight, so that it can be read and broken."""
    return " ".join(text[i : i + 8] for i in range(0, len(text), 8)) or "—"


def index(data: Mapping[str, JSON]) -> Section:
    """Annex: the evidence number of every occurrence behind every figure, so that each figure can be counted again."""
    rows = []
    for o in data["duties"]["obligations"]:
        for state in (*State.values,):
            numbers = o["numbers"].get(state)
            if numbers:
                rows.append(
                    [Cell(o["id"]), Cell(say.index_word(state)), say.count(len(numbers)), Cell(ranges(numbers))]
                )
    return Section(
        _("证据编号索引"),
        [
            Para(
                _(
                    "每一项统计数字所对应的证据编号。编号的个数即统计数字；“–”连接的是连续编号。一条登记可以同时写明多项义务，编号因此可以相同。"
                )
            ),
            Table(
                _("按义务与状态"),
                [
                    Column(_("义务"), 1.1),
                    Column(_("状态"), 0.9),
                    Column(_("数量"), 0.5, "right"),
                    Column(_("证据编号（№）"), 5),
                ],
                rows,
                _("本期没有计分的义务"),
            ),
        ],
    )


def made(told: Mapping[str, JSON]) -> Section:
    """Annex: what the document was made with. The same data, fonts and typesetter give the same file, byte for byte."""
    rows = [
        Fact(_("数据摘要"), _groups(told["input"]), "SM3"),
        Fact(_("排版程序"), f"typst {told['typst']}"),
        *(
            Fact(
                _("字体 {role}").format(role=names.role(role)),
                f"{f['family']}" + (_("（代用）") if f["stand_in"] else ""),
                f["file"],
            )
            for role, f in told["fonts"].items()
        ),
    ]
    text = _("数据、字体、排版程序与本平台版本相同，则本文件逐字节相同；四者的摘要登记在证据链中本报告名下。")
    return Section(_("文件的生成"), [Facts(rows), Para(text)])
