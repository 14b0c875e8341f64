"""The section on the monthly assessment: the score as it stands, item by item, each deduction with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from yunwei.assessment.explained import WHAT
from yunwei.reports import say
from yunwei.reports.blocks import Block, Cell, Column, Fact, Facts, Note, Para, Section, Table
from yunwei.ui import words

JSON = Any


def assessment(told: Mapping[str, JSON]) -> Section:
    """月度考核. A rubric that nobody signed is said to be one: the score moves no price."""
    rubric = told["rubric"]
    number = told["number"]
    blocks: list[Block] = [
        Facts([
            Fact(_("得分"), f"{told['score']} / {told['full']}", say.number(number).text if number else ""),
            Fact(_("扣分"), told["lost"]),
            Fact(_("状态"), _state(told)),
            Fact(_("评分标准"), f"{rubric['title_en'] if words.english() else rubric['title']} · {rubric['id']} / {rubric['version']}"),
        ])
    ]  # fmt: skip
    if not told["adopted"]:
        blocks.append(Note(_("评分标准是平台默认，双方没有以第一层文件签署：只供参考，不影响价款。"), "warn"))
    rows = [
        [Cell(i["title_en"] if words.english() else i["title"]), Cell(i["weight"]), Cell(i["lost"], "bad" if float(i["lost"]) > 0 else "mut")]
        for i in told["items"]
    ]  # fmt: skip
    blocks.append(Table(_("各项扣分"), [Column(_("项目"), 3), Column(_("权重"), 1), Column(_("扣分"), 1)], rows, "—"))
    lines = [
        [Cell(line["day"] or "—"), Cell(line["key"]), Cell(str(WHAT.get(line["what"], line["what"]))),
         Cell(line["points"], "bad" if float(line["points"]) > 0 else "ok"), _number(line["number"])]
        for line in told["lines"]
    ]  # fmt: skip
    columns = [
        Column(_("日期"), 1.1),
        Column(_("对象"), 2.6),
        Column(_("情形"), 1.4),
        Column(_("扣分"), 0.7),
        Column(_("证据"), 0.9),
    ]
    blocks.append(Table(_("扣分与加分"), columns, lines, _("没有扣分。")))
    if told["more"]:
        blocks.append(Para(_("另有 {n} 行，见月度考核页").format(n=told["more"])))
    return Section(_("月度考核"), blocks)


def _state(told: Mapping[str, JSON]) -> str:
    if told["state"] == "trial":
        return _("试算")
    if told["state"] == "scored":
        return _("已评分，可申诉")
    if told["signed"] is None:
        return _("已定分，待乙方签认")
    return _("已定分，乙方签认") if told["signed"] else _("已定分，乙方拒签")


def _number(number: int | None) -> Cell:
    return say.number(number) if number else Cell("—", "mut")
