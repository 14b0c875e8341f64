"""The five answers about an obligation: what is owed, by whom, by when, how it is proven, what it costs.

None of them may be empty: where the contract holds no number, or nobody agreed on a cost, the answer says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from markupsafe import Markup

from yunwei.contract import openitems
from yunwei.contract.answers import Costs, Liability, costs
from yunwei.contract.closing import PRICE, RUBRIC
from yunwei.contract.schema import ApprovedPlan, Folder, Obligation
from yunwei.duties.proofs import manual
from yunwei.duties.web import terms
from yunwei.duties.web.standing import never_due
from yunwei.kernel.money import format_figures
from yunwei.ui import cells, words

RECEIVER = {"A": "B", "B": "A", "AB": "AB"}
REMEDIES = {
    "set_off": gettext_lazy("请第三方代为履行，费用自行承担或从款项中扣除"),
    "damages": gettext_lazy("赔偿损失，按实际损失另案主张"),
    "penalty": gettext_lazy("违约金"),
    "rework": gettext_lazy("自费整改，直至符合"),
    "sanction": gettext_lazy("按管理规定处罚"),
    "terminate": gettext_lazy("解除合同"),
    "joint": gettext_lazy("承担连带责任"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One question with its answer; `lines` are never empty."""

    key: str  # what, who, when, how, cost
    question: str
    lines: list[Any]


def answers(folder: Folder, duty: Obligation, plan: ApprovedPlan | None) -> list[Answer]:
    """All five, in their order."""
    receiver = duty.confirmed_by or RECEIVER[duty.owes.value]
    who = _("{who}负有，{whom}接受并确认").format(who=words.party(duty.owes), whom=words.party(receiver))
    what: list[Any] = [words.title(duty), Markup("<small>{}</small>").format(terms.SETTLED_BY[duty.kind])]
    return [
        Answer("what", _("欠什么"), what),
        Answer("who", _("谁欠谁"), [who]),
        Answer("when", _("何时之前"), _when(folder, duty, plan)),
        Answer("how", _("怎么证明"), _how(duty)),
        Answer("cost", _("违反的代价"), cost_lines(folder, duty)),
    ]


def _when(folder: Folder, duty: Obligation, plan: ApprovedPlan | None) -> list[Any]:
    line = terms.line_of(duty, plan)
    events = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    often, owner = terms.when(duty, line, events.get(duty.trigger, duty.trigger))
    limit, whose = terms.deadline(duty, line)
    first = _said(often, owner)
    if limit:
        return [first, _said(_("期限 {span}").format(span=limit), whose)]
    if never_due(duty):
        return [first, _("没有到期日，违反时才记录")]
    if not duty.trigger:
        return [first]
    word = Markup(' <q class="vague" lang="zh">{}</q>').format(duty.vague) if duty.vague else ""
    return [first, Markup("{}{}").format(_("合同与方案都没有写明期限的数字"), word)]


def _said(said: str, owner: str) -> Any:
    return Markup('{} <small class="mut">{}</small>').format(said, owner) if owner else said


def _how(duty: Obligation) -> list[Any]:
    proof = Markup('<span lang="zh">{}</span>').format("、".join(duty.proof))
    if duty.written:
        proof += Markup(" <small>{}</small>").format(_("须书面"))
    way = _("由人举证附文件，对方确认") if manual(duty) else _("流程执行，结果与覆盖率入台账")
    return [proof, Markup("<small>{}</small>").format(way)]


def cost_lines(folder: Folder, duty: Obligation) -> list[Any]:
    """What a breach costs: points, vetoes, price, liability; or that nobody agreed on a cost."""
    found = costs(folder, duty)
    lines = [*_points(folder, found), *(_liability(one) for one in found.liabilities)]
    if not found.agreed:
        lines.append(
            Markup("<b>{}</b>").format(
                _("以上都不是双方的约定：没有人约定过违反的代价") if lines else _("没有人约定过违反的代价")
            )
        )
    return lines


def _points(folder: Folder, found: Costs) -> list[Any]:
    lines: list[Any] = []
    if item := found.item:
        title = item.title_en if words.english() else item.title
        text = _("评分项“{title}”（{weight} 分）：未履行扣 {missed}，迟延扣 {late}，未证明扣 {unproven}").format(
            title=title, weight=item.weight, missed=item.missed, late=item.late, unproven=item.unproven
        )
        lines.append(text)
    if veto := found.forged:
        text = _("伪造证据：扣 {cost}，当月至多 {cap} 分").format(cost=veto.cost, cap=veto.cap)
        lines.append(Markup("{} {}").format(text, cells.clause(veto.clause) if veto.clause else ""))
    for veto in found.vetoes:
        title = veto.title_en if words.english() else veto.title
        text = _("一票否决“{title}”：扣 {cost}，当月至多 {cap} 分").format(title=title, cost=veto.cost, cap=veto.cap)
        lines.append(Markup("{} {}").format(text, cells.clause(veto.clause) if veto.clause else ""))
    if not lines:
        return []
    if not found.adopted:
        return [*lines, _pending(folder)]
    if found.point is not None:
        lines.append(_("价款按得分折算：年度得分每少 1 分，价款少 ¥ {n}").format(n=format_figures(found.point)))
    elif blank := openitems.blocked(folder, PRICE):
        lines.append(_open(_("价款函数空白，分数还不影响价款"), blank))
    return lines


def _pending(folder: Folder) -> Any:
    item = openitems.blocked(folder, RUBRIC)
    text = _("评分标准是平台默认，双方没有签署：只供参考，不影响价款")
    return _open(text, item) if item else text


def _open(text: str, item: Any) -> Any:
    return Markup("{} {}").format(text, cells.clause(item.clause))


def _liability(one: Liability) -> Any:
    text = str(REMEDIES[one.kind])
    if one.amount is not None and one.share is not None:
        text = _("{what}：合同金额的 {share} %，¥ {amount}").format(
            what=text, share=f"{one.share.normalize():f}", amount=format_figures(one.amount)
        )
    return Markup("{}：{} {}").format(words.party(one.against), text, cells.clause(one.clauses))
