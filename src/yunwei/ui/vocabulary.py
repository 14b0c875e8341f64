"""The words for codes: what a state, a reason, a kind of record is called. Chinese is the message id."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from yunwei.contract.schema import Basis, Unit


def amount(n: int, unit: Unit) -> str:
    """A span of time as a rule says it."""
    said = {
        Unit.WORKING_DAY: ngettext("{n} 个工作日", "{n} 个工作日", n),
        Unit.CALENDAR_DAY: ngettext("{n} 个自然日", "{n} 个自然日", n),
        Unit.HOUR: _("{n} 小时 7×24"),
        Unit.MINUTE: _("{n} 分钟 7×24"),
        Unit.YEAR: ngettext("{n} 年", "{n} 年", n),
    }
    return said[unit].format(n=n)


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
    "accounts.password.changed": gettext_lazy("口令更改"),
    "accounts.account.activated": gettext_lazy("账号启用"),
    "accounts.account.slept": gettext_lazy("账号停用"),
    "accounts.account.role": gettext_lazy("角色更改"),
    "accounts.password.given": gettext_lazy("首个口令发放"),
    "accounts.password.reset": gettext_lazy("口令重置"),
    "accounts.login": gettext_lazy("登录"),
    "accounts.login.burst": gettext_lazy("登录失败集中出现"),
    "accounts.locked": gettext_lazy("登录失败锁定"),
    "accounts.unlocked": gettext_lazy("解除锁定"),
    "accounts.logout": gettext_lazy("退出登录"),
    "accounts.session.ended": gettext_lazy("会话结束"),
    "accounts.totp.enrolled": gettext_lazy("动态口令绑定"),
    "accounts.totp.removed": gettext_lazy("动态口令取消"),
    "accounts.totp.recovery": gettext_lazy("恢复码使用"),
    "accounts.totp.codes": gettext_lazy("恢复码更换"),
    "assets.credential.set": gettext_lazy("凭据封存"),
    "assets.credential.rotated": gettext_lazy("凭据更换"),
    "assets.import": gettext_lazy("资产导入"),
    "assets.identity.pinned": gettext_lazy("身份锁定"),
    "assets.identity.confirmed": gettext_lazy("甲方确认身份"),
    "assets.identity.changed": gettext_lazy("身份不符"),
    "assets.identity.refused": gettext_lazy("甲方不认可身份"),
    "contract.closing.proposed": gettext_lazy("提交了结未决事项的文件"),
    "contract.closing.confirmed": gettext_lazy("确认了结未决事项"),
    "contract.closing.refused": gettext_lazy("不予确认了结文件"),
    "assessment.sheet.scored": gettext_lazy("月度评分"),
    "assessment.sheet.frozen": gettext_lazy("月度定分"),
    "assessment.sheet.signed": gettext_lazy("乙方签认定分"),
    "assessment.sheet.unsigned": gettext_lazy("乙方拒签定分"),
    "assessment.appeal.made": gettext_lazy("乙方申诉"),
    "assessment.appeal.granted": gettext_lazy("申诉成立"),
    "assessment.appeal.refused": gettext_lazy("申诉不成立"),
    "assessment.addition.made": gettext_lazy("甲方加减分"),
    "assessment.surprise.committed": gettext_lazy("登记暗测哈希"),
    "assessment.surprise.revealed": gettext_lazy("揭示暗测"),
    "assessment.set_off.claimed": gettext_lazy("提出抵扣"),
    "assessment.set_off.accepted": gettext_lazy("认可抵扣"),
    "assessment.set_off.disputed": gettext_lazy("抵扣有争议"),
    "contract.plan.proposed": gettext_lazy("服务方案报送"),
    "contract.plan.approved": gettext_lazy("服务方案审定"),
    "contract.plan.refused": gettext_lazy("服务方案退回"),
    "runs.run.submitted": gettext_lazy("任务提交"),
    "runs.result.received": gettext_lazy("采集结果入库"),
    "runs.run.done": gettext_lazy("任务完成"),
    "runs.run.failed": gettext_lazy("任务失败"),
    "runs.run.cancelled": gettext_lazy("任务取消"),
    "inspect.run.judged": gettext_lazy("巡检判定"),
    "inspect.finding.opened": gettext_lazy("发现故障"),
    "inspect.finding.changed": gettext_lazy("故障变化"),
    "inspect.finding.closed": gettext_lazy("故障消除"),
    "inspect.part.accepted": gettext_lazy("部件变更认可"),
    "inspect.collector.trusted": gettext_lazy("采集器登记"),
    "inspect.job.exported": gettext_lazy("巡检任务导出"),
    "desk.ticket.opened": gettext_lazy("工单建立"),
    "desk.ticket.moved": gettext_lazy("工单流转"),
    "desk.ticket.comment": gettext_lazy("工单备注"),
    "desk.ticket.reply": gettext_lazy("工单答复"),
    "desk.ticket.file": gettext_lazy("工单附件"),
    "desk.ticket.sweep": gettext_lazy("巡检更新工单"),
    "desk.exported": gettext_lazy("工单清单导出"),
    "duties.event.recorded": gettext_lazy("事件登记"),
    "duties.occurrences.due": gettext_lazy("义务到期入账"),
    "duties.occurrences.withdrawn": gettext_lazy("义务撤回"),
    "duties.occurrences.rescheduled": gettext_lazy("到期日重算"),
    "duties.contract.read": gettext_lazy("合同目录变更入账"),
    "duties.occurrence.due": gettext_lazy("义务重新待履行"),
    "duties.occurrence.running": gettext_lazy("义务开始履行"),
    "duties.occurrence.kept": gettext_lazy("义务按期履行"),
    "duties.occurrence.late": gettext_lazy("义务迟延履行"),
    "duties.occurrence.missed": gettext_lazy("义务未履行"),
    "duties.occurrence.unproven": gettext_lazy("义务未能证明"),
    "duties.occurrence.exempt": gettext_lazy("义务免责"),
    "duties.proof.stated": gettext_lazy("履行证明提交"),
    "duties.proof.confirmed": gettext_lazy("履行证明确认"),
    "duties.proof.refused": gettext_lazy("履行证明不予确认"),
    "duties.proof.withdrawn": gettext_lazy("履行证明撤回"),
    "duties.claim.made": gettext_lazy("免责或归因主张"),
    "duties.claim.accepted": gettext_lazy("主张被接受"),
    "duties.claim.disputed": gettext_lazy("主张有争议"),
    "duties.calendar.imported": gettext_lazy("日历导入"),
    "ledger.exported": gettext_lazy("证据包导出"),
    "ledger.read": gettext_lazy("查看证据"),
    "ledger.audited": gettext_lazy("页面与台账对账"),
    "ledger.handover": gettext_lazy("核验材料移交"),
    "ledger.redacted": gettext_lazy("证据文件依法删除"),
    "reports.built": gettext_lazy("报告生成"),
    "reports.opened": gettext_lazy("报告下载"),
    "ledger.clock.back": gettext_lazy("时钟被调回"),
    "ledger.clock.recovered": gettext_lazy("时钟恢复"),
}
PARTIES = {"A": gettext_lazy("甲方"), "B": gettext_lazy("乙方"), "AB": gettext_lazy("双方")}
CAUSES = {
    "vendor": gettext_lazy("乙方"),
    "client": gettext_lazy("甲方"),
    "third": gettext_lazy("第三方"),
    "unknown": gettext_lazy("尚不清楚"),
}
#: whose limit judged a reading (inspect.vendor.judge writes "plan: warn>=80 crit>=90")
LIMITS = {
    "plan": gettext_lazy("方案阈值"),
    "device": gettext_lazy("设备阈值"),
    "vendor": gettext_lazy("厂商阈值"),
    "vendor file": gettext_lazy("厂商阈值"),
    "baseline": gettext_lazy("清单所载"),  # the parts list (inspect.parts), which is compared and not exceeded
}
