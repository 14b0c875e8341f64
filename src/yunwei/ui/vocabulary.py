"""The words for codes: what a state, a reason, a kind of record is called. Chinese is the message id."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from yunwei.contract.schema import Basis, Unit

UNITS = {
    Unit.WORKING_DAY: gettext_lazy("{n} 个工作日"),
    Unit.CALENDAR_DAY: gettext_lazy("{n} 个自然日"),
    Unit.HOUR: gettext_lazy("{n} 小时 7×24"),
    Unit.MINUTE: gettext_lazy("{n} 分钟 7×24"),
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
    "accounts.password.changed": gettext_lazy("口令更改"),
    "assets.credential.set": gettext_lazy("凭据封存"),
    "assets.credential.rotated": gettext_lazy("凭据更换"),
    "assets.import": gettext_lazy("资产导入"),
    "assets.identity.pinned": gettext_lazy("身份锁定"),
    "assets.identity.confirmed": gettext_lazy("甲方确认身份"),
    "assets.identity.changed": gettext_lazy("身份不符"),
    "assets.identity.refused": gettext_lazy("甲方不认可身份"),
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
    "duties.claim.made": gettext_lazy("免责或归因主张"),
    "duties.claim.accepted": gettext_lazy("主张被接受"),
    "duties.claim.disputed": gettext_lazy("主张有争议"),
    "duties.calendar.imported": gettext_lazy("日历导入"),
    "ledger.exported": gettext_lazy("证据包导出"),
    "ledger.handover": gettext_lazy("核验材料移交"),
    "ledger.redacted": gettext_lazy("证据文件依法删除"),
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
}
