"""How the desk speaks to people: who acts, what a state means to whom, what a move is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from markupsafe import Markup

from yunwei.accounts.models import Account, PartyOf
from yunwei.desk.models import Ticket, TicketKind, TicketState
from yunwei.ledger.models import Entry as Numbered
from yunwei.ui import cells, pages

#: colour of a ticket's state; what waits for the receiver asks for a hand
TONE: Mapping[str, str] = {
    TicketState.NEW: "warn",
    TicketState.ACCEPTED: "info",
    TicketState.WORKING: "info",
    TicketState.WAITING: "warn",
    TicketState.RESOLVED: "ok",
    TicketState.CLOSED: "mut",
    TicketState.REJECTED: "mut",
}
CHANNELS = {
    "sweep": gettext_lazy("巡检"),
    "phone": gettext_lazy("电话"),
    "mail": gettext_lazy("邮件"),
    "sms": gettext_lazy("短信"),
    "wechat": gettext_lazy("微信"),
    "portal": gettext_lazy("服务门户"),
    "desk": gettext_lazy("服务台"),
}
#: what each kind is, said to somebody who does not know our words
KINDS_PLAIN: Mapping[str, tuple[Any, Any]] = {
    TicketKind.FAULT: (gettext_lazy("报告故障"), gettext_lazy("用不了、变慢、报错")),
    TicketKind.REQUEST: (gettext_lazy("咨询"), gettext_lazy("想问清楚一件事")),
    TicketKind.SERVICE: (gettext_lazy("申请服务"), gettext_lazy("新建主机、开通端口、调整配置")),
    TicketKind.CRYPTO: (gettext_lazy("密码服务"), gettext_lazy("密钥、数字证书、密评材料")),
}
#: where a ticket stands, said to the department that asked
PLAIN: Mapping[str, Any] = {
    TicketState.NEW: gettext_lazy("已提交，等待受理"),
    TicketState.ACCEPTED: gettext_lazy("已受理，将开始处理"),
    TicketState.WORKING: gettext_lazy("正在处理"),
    TicketState.WAITING: gettext_lazy("请贵单位补充"),
    TicketState.RESOLVED: gettext_lazy("已办结，请贵单位确认"),
    TicketState.CLOSED: gettext_lazy("已确认，办理完毕"),
    TicketState.REJECTED: gettext_lazy("未予受理"),
}
MOVES = {
    TicketState.NEW: gettext_lazy("请求重新受理"),
    TicketState.ACCEPTED: gettext_lazy("受理"),
    TicketState.WORKING: gettext_lazy("开始处理"),
    TicketState.WAITING: gettext_lazy("待对方提供"),
    TicketState.RESOLVED: gettext_lazy("办结"),
    TicketState.CLOSED: gettext_lazy("确认收到服务，关闭"),
    TicketState.REJECTED: gettext_lazy("不予受理"),
}


def move_word(state: str, to: str, side: str) -> str:
    """What a move is called from here, by this side."""
    if to == TicketState.WORKING and state == TicketState.RESOLVED:
        return _("重新处理") if side == PartyOf.B else _("没有解决，退回处理")
    if to == TicketState.WORKING and state == TicketState.WAITING:
        return _("继续处理") if side == PartyOf.B else _("已补充，请继续处理")
    if to == TicketState.CLOSED and state == TicketState.REJECTED:
        return _("同意，关闭")
    return str(MOVES[TicketState(to)])


def reason_word(state: str, to: str) -> str:
    """What a move's text is asked for."""
    if to == TicketState.RESOLVED:
        return _("处理结果（申请人可见，即是办结的举证）")
    if to == TicketState.WAITING:
        return _("请对方提供什么（申请人可见）")
    if to == TicketState.REJECTED:
        return _("不予受理的理由（申请人可见）")
    if to == TicketState.WORKING and state == TicketState.RESOLVED:
        return _("哪里还没有解决")
    return _("说明")


def who(account: Account | None, viewer: Account) -> str:
    """Who acted. A department reads names of its own people only; everybody else is a role to it."""
    if account is None:
        return _("平台")
    if viewer.party == PartyOf.TENANT and account.organisation_id != viewer.organisation_id:
        return f"{account.organisation.get_party_display()} · {account.get_role_display()}"
    return f"{account.display_name} · {account.get_role_display()}"


def state(row: Ticket) -> Markup:
    """A ticket's state: dot and word."""
    return cells.state(TONE[row.state], row.get_state_display())


def opens(name: str, viewer: object) -> bool:
    """Whether a page of that name is there and opens for this account."""
    page = pages.REGISTRY.get(name)
    return page is not None and page.allows(viewer)


def linked(name: str, viewer: object, text: object, *args: object) -> Markup:
    """A link where that page is there and opens for this account, else the text alone."""
    if opens(name, viewer):
        return cells.link(reverse(name, args=args), text, code=True)
    return Markup('<span translate="no">{}</span>').format(text)


def proof(seq: int | None, intake: int | None, viewer: object) -> Markup:
    """An evidence number: a link for who may open it, the bare number for a department."""
    if seq is None or opens("evidence-one", viewer):
        return cells.proof(seq, waiting=intake is not None)
    return Markup('<span class="no num">№ {}</span>').format(seq)


def number(seq: int | None, intake: int | None) -> Markup:
    """An evidence number in a list that only readers of the contract open."""
    if seq is None or "evidence-one" in pages.REGISTRY:
        return cells.proof(seq, waiting=intake is not None)
    return Markup('<span class="no num">№ {}</span>').format(seq)


def clause(ids: Iterable[str], viewer: object) -> Markup:
    """Clause tags, links for who may open the clauses."""
    if opens("contract-clauses", viewer):
        return cells.clause(ids)
    return Markup(" ").join(Markup('<span class="clause">{}</span>').format(i) for i in ids)


def numbers(intakes: Iterable[int | None]) -> dict[int, int]:
    """Ledger numbers of claims, in one statement; a claim that still waits has none."""
    ids = {pk for pk in intakes if pk is not None}
    return dict(Numbered.objects.filter(intake_id__in=ids).values_list("intake_id", "seq")) if ids else {}
