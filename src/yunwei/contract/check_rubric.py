"""Rules over a rubric: its sums and names, and law 4 (honesty is the cheapest move), which an imposed rubric may break.

What breaks law 4 is a warning, not an error: a rubric that both parties signed is what it is, and people must see what
it invites.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from yunwei.contract.findings import RUBRIC, Findings, Rule
from yunwei.contract.schema import Owes, Rubric, RubricItem
from yunwei.kernel.i18n import _


class Breach(NamedTuple):
    """Where a rubric makes something worse cost no more than something better: the item ("" = all), and in words."""

    item: str
    what: str


def law_four(rubric: Rubric) -> list[Breach]:
    """Every place where cost(reported) < cost(found by others) ≤ cost(not looked) < cost(forged) does not hold.

    "Not looked" is the cheaper of missed and unproven: who does not look chooses which of the two it becomes.
    """
    found: list[Breach] = []
    if not rubric.reported < rubric.found:
        found.append(Breach("", _("自己报告的故障扣 {a}，他人发现的扣 {b}：报告没有好处").format(
            a=rubric.reported, b=rubric.found)))  # fmt: skip
    forged = next((veto.cost for veto in rubric.vetoes if veto.id == rubric.forged), None)
    if forged is None:
        found.append(Breach("", _("没有伪造证据的否决项")))
    for item in rubric.items:
        found += _of_item(rubric, item, forged)
    return found


def _of_item(rubric: Rubric, item: RubricItem, forged: Decimal | None) -> Iterator[Breach]:
    least, most = min(item.missed, item.unproven), max(item.missed, item.unproven)
    if rubric.found > least:
        yield Breach(item.id, _("不去看只扣 {a}，看了而由他人发现扣 {b}：不看更便宜").format(a=least, b=rubric.found))
    if item.late >= item.missed:
        yield Breach(item.id, _("迟做扣 {a}，不做扣 {b}：迟做没有好处").format(a=item.late, b=item.missed))
    if forged is not None and most >= forged:
        yield Breach(item.id, _("如实承认没有做扣 {a}，伪造扣 {b}：伪造不更贵").format(a=most, b=forged))


def honesty(f: Findings) -> None:
    """Law 4, as warnings."""
    if f.folder.rubric is None:
        return
    places = {item.id: index for index, item in enumerate(f.folder.rubric.items)}
    for breach in law_four(f.folder.rubric):
        path: tuple[str | int, ...] = ("items", places[breach.item]) if breach.item else ()
        f.warn(RUBRIC, path, "rubric.honesty", breach.what, _("第四定律：诚实应是最便宜的做法"))


def sums(f: Findings) -> None:
    """Weights add up to the full score, ids stand once, an obligation is judged by one item and is 乙方's."""
    rubric = f.folder.rubric
    if rubric is None:
        return
    f.unique(RUBRIC, ("items",), (item.id for item in rubric.items))
    f.unique(RUBRIC, ("vetoes",), (veto.id for veto in rubric.vetoes))
    f.unique(RUBRIC, ("headings",), (heading.id for heading in rubric.headings))
    total = sum((item.weight for item in rubric.items), Decimal(0))
    if total != rubric.full:
        f.add(
            RUBRIC, ("items",), "rubric.weights", _("各项权重合计 {n}，满分 {full}").format(n=total, full=rubric.full)
        )
    for index, clause in enumerate(rubric.clauses):
        f.clause_known(RUBRIC, ("clauses", index), clause)
    judged: dict[str, str] = {}
    for index, item in enumerate(rubric.items):
        for name in ("weight", "late", "missed", "unproven"):
            if getattr(item, name) < 0:
                f.add(RUBRIC, ("items", index, name), "rubric.negative", _("扣分不能为负数"))
        for obligation in item.obligations:
            where = ("items", index, "obligations")
            known = f.obligations.get(obligation)
            if known is None:
                f.add(RUBRIC, where, "obligation.unknown", _("没有义务 {id}").format(id=obligation))
            elif known.owes is Owes.A:
                f.add(RUBRIC, where, "rubric.side", _("{id} 是甲方的义务，不能扣乙方的分").format(id=obligation))
            elif obligation in judged:
                message = _("{id} 已在 {item} 一项中评分").format(id=obligation, item=judged[obligation])
                f.add(RUBRIC, where, "rubric.twice", message)
            judged[obligation] = item.id


def vetoes(f: Findings) -> None:
    """A veto names an event that people can record and a clause that stands in the contract."""
    rubric = f.folder.rubric
    if rubric is None:
        return
    for index, veto in enumerate(rubric.vetoes):
        f.event_known(RUBRIC, ("vetoes", index, "event"), veto.event)
        if veto.clause:
            f.clause_known(RUBRIC, ("vetoes", index, "clause"), veto.clause)
        for name in veto.obligations:
            if name not in f.obligations:
                where = ("vetoes", index, "obligations")
                f.add(RUBRIC, where, "obligation.unknown", _("没有义务 {id}").format(id=name))
        if not 0 <= veto.cap <= rubric.full:
            f.add(RUBRIC, ("vetoes", index, "cap"), "rubric.cap", _("否决后的上限应在 0 与满分之间"))


def price(f: Findings) -> None:
    """The price table starts at zero, rises, and each step says one thing; it needs a document of the first rank."""
    rubric = f.folder.rubric
    if rubric is None:
        return
    if rubric.document:
        document = f.documents.get(rubric.document)
        first = min((d.order for d in f.folder.documents), default=0)
        if document is None:
            f.add(RUBRIC, ("document",), "document.unknown", _("没有文件 {id}").format(id=rubric.document))
        elif document.order != first:
            f.add(RUBRIC, ("document",), "rubric.rank", _("评分标准与价款函数须出自双方签署的第一层文件"))
    starts = [step.start for step in rubric.price]
    if starts and (min(starts) != 0 or len(set(starts)) != len(starts)):
        f.add(RUBRIC, ("price",), "price.steps", _("价款表应从 0 分起，且每个起点只写一次"))
    for index, step in enumerate(rubric.price):
        if (step.per_cent is None) == (step.over is None) or (step.over is not None and step.over <= 0):
            f.add(RUBRIC, ("price", index), "price.step", _("每一档写 per_cent（比例）或 over（得分除以多少）之一"))


RULES: tuple[Rule, ...] = (sums, vetoes, price, honesty)
