"""How duties, clocks and records are said to people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from yunwei.contract.plans import ApprovedPlan
from yunwei.contract.schema import Basis, Deadline, Folder, Unit
from yunwei.duties.models import Occurrence
from yunwei.inspect.models import Finding

UNITS = {
    Unit.WORKING_DAY: gettext_lazy("{n} 个工作日"),
    Unit.CALENDAR_DAY: gettext_lazy("{n} 日（自然日）"),
    Unit.HOUR: gettext_lazy("{n} 小时（7×24）"),
    Unit.MINUTE: gettext_lazy("{n} 分钟（7×24）"),
    Unit.YEAR: gettext_lazy("{n} 年"),
}
BASIS = {
    Basis.CONTRACT: gettext_lazy("合同"),
    Basis.STATUTE: gettext_lazy("法规"),
    Basis.PLAN: gettext_lazy("服务方案"),
    Basis.PLATFORM: gettext_lazy("平台默认"),
}
EVERY = {
    "day": gettext_lazy("日"),
    "working_day": gettext_lazy("工作日"),
    "week": gettext_lazy("周"),
    "month": gettext_lazy("月"),
    "quarter": gettext_lazy("季"),
    "year": gettext_lazy("年"),
    "once": gettext_lazy("一次"),
}
REASONS = {
    "not_reached": gettext_lazy("无应答"),
    "budget": gettext_lazy("时间用尽"),
    "auth": gettext_lazy("凭据被拒绝"),
    "garbage": gettext_lazy("应答不成协议"),
    "partial": gettext_lazy("应答不完整"),
    "nothing_evaluated": gettext_lazy("没有可判定的读数"),
    "stale": gettext_lazy("数据过旧"),
    "frozen": gettext_lazy("应变的数值没有变化"),
    "control_silent": gettext_lazy("阳性对照没有报出"),
    "identity_changed": gettext_lazy("设备身份与约定不符"),
    "identity_unconfirmed": gettext_lazy("身份尚未经甲方确认"),
    "duplicate": gettext_lazy("两个资产应答为同一台设备"),
    "collector_silent": gettext_lazy("采集端没有带回结果"),
    "not_supported": gettext_lazy("没有适用的协议或厂商文件"),
}
CATEGORIES = {
    "switch": gettext_lazy("交换机"),
    "router": gettext_lazy("路由器"),
    "firewall": gettext_lazy("防火墙"),
    "server": gettext_lazy("服务器"),
    "storage": gettext_lazy("存储"),
    "ups": gettext_lazy("不间断电源"),
    "host": gettext_lazy("主机系统"),
    "": gettext_lazy("其他"),
}
EVENTS = {
    "instance.created": gettext_lazy("实例建立"),
    "accounts.account.created": gettext_lazy("账号建立"),
    "runs.run.submitted": gettext_lazy("任务提交"),
    "runs.result.received": gettext_lazy("采集结果入库"),
    "runs.run.done": gettext_lazy("任务完成"),
    "runs.run.failed": gettext_lazy("任务失败"),
    "inspect.run.judged": gettext_lazy("巡检判定"),
    "inspect.finding.opened": gettext_lazy("发现故障"),
    "inspect.finding.closed": gettext_lazy("故障消除"),
    "desk.ticket.opened": gettext_lazy("工单建立"),
    "desk.ticket.moved": gettext_lazy("工单流转"),
    "duties.occurrence.kept": gettext_lazy("义务按期履行"),
    "duties.occurrence.late": gettext_lazy("义务迟延履行"),
    "duties.occurrence.missed": gettext_lazy("义务未履行"),
    "duties.occurrence.unproven": gettext_lazy("义务未能证明"),
    "duties.occurrence.exempt": gettext_lazy("义务免责"),
}
PARTIES = {"A": gettext_lazy("甲方"), "B": gettext_lazy("乙方"), "AB": gettext_lazy("双方")}


def english() -> bool:
    """Whether this request reads English."""
    return (translation.get_language() or "").startswith("en")


def _named(names: dict[Any, Any], key: str) -> str:
    return str(names.get(key, key))


def reason(code: str) -> str:
    """Why something is unproven."""
    return _named(REASONS, code)


def category(code: str) -> str:
    """A category of assets."""
    return _named(CATEGORIES, code)


def party(code: str) -> str:
    """甲方, 乙方, 双方."""
    return _named(PARTIES, code)


def event(kind: str, subject: str) -> str:
    """One ledger record in a line."""
    return f"{_named(EVENTS, kind)} · {subject}"


def clauses(ids: Sequence[str]) -> str:
    """Clause numbers as people cite them."""
    return _("条款 {ids}").format(ids="、".join(ids))


def deadline(folder: Folder, row: Occurrence, plan: ApprovedPlan | None) -> str:
    """The rule a clock runs by, and whose number it is."""
    found: Deadline | None = next((o.deadline for o in folder.obligations if o.id == row.obligation), None)
    if found is None and plan is not None:
        found = next((line.deadline for line in plan.plan.lines if line.obligation == row.obligation), None)
    if found is None:
        return _("合同与方案均无数字")
    words = str(UNITS[found.unit]).format(n=found.n)
    note = _("，暂定") if row.provisional else ""
    return f"{words}（{BASIS[found.basis]}{note}）"


def cadence(folder: Folder, obligation: str, plan: ApprovedPlan | None) -> str:
    """How often, in one word; "按需" for what an event starts."""
    found = next((o.cadence for o in folder.obligations if o.id == obligation), None)
    if found is None and plan is not None:
        found = next((line.cadence for line in plan.plan.lines if line.obligation == obligation), None)
    return str(EVERY[found.every]) if found else _("按需")


def left(delta: timedelta) -> str:
    """Time that is left, or by how much it is over."""
    seconds = int(abs(delta.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds % 86400 // 3600, seconds % 3600 // 60
    if days:
        text = _("{d} 天 {h} 小时").format(d=days, h=hours)
    elif hours:
        text = _("{h} 小时 {m} 分").format(h=hours, m=minutes)
    else:
        text = ngettext("{m} 分", "{m} 分", minutes).format(m=minutes)
    return (_("超过 {time}") if delta < timedelta(0) else _("剩 {time}")).format(time=text)


def month(day: date) -> str:
    """A month's short name."""
    return day.strftime("%b") if english() else f"{day.month}月"


def date_line(day: date, number: int, days: int) -> str:
    """The date in words and where in the term it lies."""
    when = (
        day.strftime("%A, %d %B %Y")
        if english()
        else f"{day.year} 年 {day.month} 月 {day.day} 日 星期{'一二三四五六日'[day.weekday()]}"
    )
    return when + " · " + _("合同第 {n} / {all} 天").format(n=number, all=days)


def finding(found: Finding) -> str:
    """What a finding says, since when, and whose limit judged it."""
    parts = [str(found.get_severity_display()), found.raw or found.value, found.limit]
    since: datetime = timezone.localtime(found.opened_at)
    parts.append(_("自 {when} 起，见 {n} 次").format(when=since.strftime("%m-%d %H:%M"), n=found.times))
    return " · ".join(part for part in parts if part)
