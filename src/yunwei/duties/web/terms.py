"""The words of obligations: their kinds, what settles each, what a deadline rests on."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yunwei.contract.schema import ApprovedPlan, Cadence, Deadline, Kind, Obligation, PlanLine
from yunwei.duties.models import State
from yunwei.ui import words
from yunwei.ui.vocabulary import BASIS, EVERY, amount

KINDS = {
    Kind.LOOK: gettext_lazy("查看"),
    Kind.RESULT: gettext_lazy("结果"),
    Kind.RESPOND: gettext_lazy("限时响应"),
    Kind.CONTINUOUS: gettext_lazy("持续状态"),
    Kind.DELIVER: gettext_lazy("交付"),
    Kind.CONSENT: gettext_lazy("事先同意"),
    Kind.BAN: gettext_lazy("禁止"),
    Kind.PAY: gettext_lazy("付款"),
}
#: law 1: what settles each kind
SETTLED_BY = {
    Kind.LOOK: gettext_lazy("看清的约定资产达到覆盖目标才算履行；没看清的是未证明，不是正常"),
    Kind.RESULT: gettext_lazy("只有结果合格才算履行；不合格须重做，过期即未履行"),
    Kind.RESPOND: gettext_lazy("在期限内答复或处置才算按期"),
    Kind.CONTINUOUS: gettext_lazy("整期没有空档才算履行；没有人证明的一期是未证明"),
    Kind.DELIVER: gettext_lazy("交到对方手里并经确认才算履行"),
    Kind.CONSENT: gettext_lazy("没有事先同意就不做；没有到期日，违反时记录"),
    Kind.BAN: gettext_lazy("从不做；没有到期日，违反时记录"),
    Kind.PAY: gettext_lazy("期限内付清才算按期"),
}
TONES = {
    State.KEPT: "ok", State.RUNNING: "info", State.DUE: "mut", State.LATE: "warn", State.UNPROVEN: "unp",
    State.MISSED: "bad", State.EXEMPT: "mut",
}  # fmt: skip
WEEKDAYS = {i + 1: name for i, name in enumerate(words.WEEKDAYS)}


def line_of(obligation: Obligation, plan: ApprovedPlan | None) -> PlanLine | None:
    """What the plan in force says about an obligation."""
    return next((ln for ln in plan.plan.lines if ln.obligation == obligation.id), None) if plan else None


def number(deadline: Deadline) -> str:
    """A deadline as it is said; at the event itself when it has no length."""
    return amount(deadline.n, deadline.unit) if deadline.n else _("事件当日")


def cadence(found: Cadence) -> str:
    """How often and when: 每周 星期五 18:00 前."""
    parts = [_("每{period}").format(period=EVERY[found.every]) if found.every != "once" else str(EVERY["once"])]
    if found.weekday:
        parts.append(str(WEEKDAYS[found.weekday]))
    if found.day:
        parts.append(_("{n} 日").format(n=found.day))
    if found.offset_days:
        parts.append(_("起始后第 {n} 天").format(n=found.offset_days))
    if found.due_time != "24:00":
        parts.append(_("{time} 前").format(time=found.due_time))
    return " ".join(parts)


def basis(code: str) -> str:
    """Whose number it is."""
    return str(BASIS[code])  # type: ignore[index]


def when(obligation: Obligation, line: PlanLine | None, event: str) -> tuple[str, str]:
    """How often or after what event, and whose number that is ("" for an event)."""
    found = obligation.cadence or (line.cadence if line else None)
    if obligation.trigger:
        return _("{event}之后").format(event=event), ""
    if found:
        return cadence(found), basis(found.basis)
    if obligation.kind is Kind.CONTINUOUS:
        return _("持续，按月入账"), ""
    if obligation.kind in (Kind.BAN, Kind.CONSENT):
        return _("始终"), ""
    return _("合同与方案都没有写明频次"), ""


def deadline(obligation: Obligation, line: PlanLine | None) -> tuple[str, str]:
    """The deadline and whose number it is; ("", "") where there is none."""
    found = obligation.deadline or (line.deadline if line else None)
    if found is None:
        return "", ""
    own = obligation.statute if found.basis == "statute" and obligation.statute else basis(found.basis)
    return number(found), own
