"""The demo year's diary: what happens on which day between the two parties, as data. All invented, like the district.

The acts of every day (proofs, answers, tickets being worked on) are habits of the demo's people (`demo_people`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from yunwei.lab.weather import moment

JSON = Any
#: an invoice of just the instalment that its event belongs to, whatever the contract says that is
EQUAL = "equal"


@dataclass(frozen=True, slots=True)
class Page:
    """One act: at a moment somebody does something. `what` is a verb of `demo_people.VERBS`, `data` its arguments."""

    at: datetime
    what: str
    by: str
    data: Mapping[str, JSON] = field(default_factory=dict)


def on(month: int, day: int, hours: float, what: str, by: str, *, year: int = 2026, **data: JSON) -> Page:
    """A page of the year, by local time."""
    return Page(moment(date(year, month, day), hours), what, by, data)


def event(
    month: int, day: int, hours: float, kind: str, by: str, note: str, *, year: int = 2026, **subject: str
) -> Page:
    """A trigger event with its file."""
    return on(month, day, hours, "event", by, year=year, kind=kind, note=note, subject=subject)


FIXED: tuple[Page, ...] = (
    event(2, 3, 14, "contract_effective", "b_manager", "演示：双方签章齐备，合同签订生效"),
    event(2, 6, 10, "plan_submitted", "b_manager", "演示：报送服务方案第 1 版、运维计划与人员安排"),
    on(2, 6, 10.2, "propose", "b_manager", change="first", note="演示：依 7.2.2 报送"),
    on(2, 11, 15, "decide", "a_manager", approve=True, reason="演示：同意，自今日起执行"),
    event(3, 5, 10, "invoice_received_first", "a_manager", "演示：收到首期发票，金额与约定不等", amount="1000000.00"),
    event(3, 10, 10, "invoice_received_first", "a_manager", "演示：收到首期等额发票", amount=EQUAL),
    event(4, 20, 9.6, "system_changed", "a_manager", "演示：一体化办公系统迁至二号机房"),
    event(5, 6, 10, "paper_handed_over", "b_manager", "演示：书面提交驻场时间与故障分级的确认函"),
    event(5, 12, 9.5, "report_demanded", "a_manager", "演示：要求书面汇报汛期保障准备"),
    on(5, 18, 10, "propose", "b_manager", change="loosen", note="演示：拟放宽巡检覆盖与阈值"),
    on(5, 21, 16, "decide", "a_manager", approve=False, reason="演示：巡检覆盖 90% 不可接受，温度与存储阈值不得放宽"),
    on(6, 1, 10, "propose", "b_manager", change="agreed", note="演示：按甲方意见修改后重新报送"),
    on(6, 3, 15, "decide", "a_leader", approve=True, reason="演示：同意覆盖率 98%，其余不变"),
    event(6, 3, 11, "rules_demanded", "a_manager", "演示：要求提供内部质量管理制度"),
    event(7, 25, 8, "force_majeure_occurred", "b_manager", "演示：台风致政务外网线路中断"),
    event(7, 26, 14, "force_majeure_ended", "b_manager", "演示：线路恢复"),
    event(9, 1, 10, "rules_changed", "a_manager", "演示：密码应用安全性评估规定调整"),
    event(9, 15, 9.6, "system_changed", "a_manager", "演示：民政救助系统扩容"),
    event(10, 12, 10, "paper_handed_over", "b_manager", "演示：书面提交下半年设备维保建议"),
    on(4, 9, 14.2, "finding", "a_manager", code="SW-OPT-01", component="cabinet", kind="environment", severity="warning",
       name="演示：机柜门未锁", origin="client"),
    on(6, 25, 15.2, "finding", "b_engineer", code="SRV-B-04", component="cable", kind="cabling", severity="warning",
       name="演示：巡视见电源线松动", origin="vendor_report"),
    on(9, 9, 10.2, "finding", "a_manager", code="UPS-A-01", component="fan/room", kind="noise", severity="warning",
       name="演示：审计抽查见风机异响未报", origin="client"),
    on(4, 16, 15, "close_finding", "a_manager", code="SW-OPT-01", reason="演示：现场复核，已上锁"),
    on(6, 30, 15, "close_finding", "a_manager", code="SRV-B-04", reason="演示：现场复核，已紧固"),
    on(3, 20, 10, "lay_down", "b_manager", item="period-dates", rank="3.1", title="演示：补充协议一（服务期）", reading="R1"),
    on(3, 24, 15, "settle", "a_manager", item="period-dates"),
    on(8, 3, 9, "commit", "a_manager", code="SW-CORE-02", component="", pulled=(8, 5, 10.1)),
    on(8, 12, 10, "reveal", "a_manager", code="SW-CORE-02", component="", pulled=(8, 5, 10.1)),
    on(10, 19, 9, "commit", "a_manager", code="SRV-D-03", component="psu/PSU 1", pulled=(10, 20, 10.1)),
    on(10, 26, 10, "reveal", "a_manager", code="SRV-D-03", component="psu/PSU 1", pulled=(10, 20, 10.1)),
    on(11, 23, 10, "propose", "b_manager", change="pending", note="演示：拟将一台不间断电源移出基线"),
    event(2, 3, 15, "end_of_term", "a_manager", "演示：本年度运维工作结束", year=2027),
    on(2, 15, 10, "lay_down", "b_manager", year=2027, item="requirement", rank="3.1", title="演示：补充协议二（考核评分标准）"),
    on(2, 16, 15, "settle", "a_leader", year=2027, item="requirement"),
    on(2, 17, 10, "lay_down", "a_manager", year=2027, item="price-formula", rank="3.1", title="演示：补充协议三（价款函数）"),
    on(2, 19, 15, "settle", "b_manager", year=2027, item="price-formula"),
    on(2, 23, 10, "confirm_price", "a_leader", year=2027),
    event(2, 24, 10, "invoice_received_balance", "a_manager", "演示：收到尾款等额发票", year=2027, amount=EQUAL),
)  # fmt: skip


def between(month: int, day: int, hours: float, act: str, by: str, *, year: int = 2026, **data: JSON) -> Page:
    """An act of `demo_between.ACTS`."""
    return Page(moment(date(year, month, day), hours), "between", by, {"act": act, **data})


#: what the two settle beside the work: people, consents, notices, orders, claims, and the end of the year
BETWEEN: tuple[Page, ...] = (
    between(2, 6, 10.4, "enter_staff", "b_manager"),
    between(2, 11, 15.2, "confirm_staff", "a_manager", codes=("B-01", "B-02")),
    between(4, 13, 9.5, "ask", "b_manager", duty="R2", subject="SRV-D-03", text="演示：远程处理 SRV-D-03 存储告警"),
    between(4, 13, 16, "grant", "a_manager", duty="R2", yes=True),
    between(4, 15, 10, "act", "b_manager", duty="R2", subject="SRV-D-03", text="演示：远程会话，更新存储固件"),
    between(4, 20, 10, "notice", "a_manager", kind="change", way="hand", of="system_changed", outcome="signed",
            title="演示：一体化办公系统迁址通知"),
    between(5, 14, 9.5, "ask", "b_manager", duty="G8", subject="演示：核心交换机升级窗口", text="演示：5 月 16 日夜间核心交换机升级，预计中断 10 分钟"),
    between(5, 15, 15, "grant", "a_manager", duty="G8", yes=True),
    between(6, 10, 10, "ask", "b_manager", duty="G2", swap=("B-01", "B-04"), text="演示：拟以后备工程师接替驻场工程师"),
    between(6, 12, 15, "grant", "a_manager", duty="G2", yes=False, text="演示：汛期保障期间不同意更换驻场人员"),
    between(7, 8, 10, "order", "a_manager", days=14, text="演示：一号机房线缆标签缺失，限期补齐"),
    between(7, 15, 10, "put_right", "b_manager", text="演示：标签已补齐，照片附后"),
    between(7, 16, 15, "check", "a_manager", yes=False, text="演示：三个机柜背面仍缺标签"),
    between(7, 21, 10, "put_right", "b_manager", text="演示：背面标签已补，逐柜照片附后"),
    between(7, 22, 15, "check", "a_manager", yes=True, text="演示：现场逐柜核对，符合要求"),
    between(7, 25, 10, "notice", "b_manager", kind="force-majeure", way="hand", of="force_majeure_occurred",
            outcome="signed", title="演示：台风致线路中断的不可抗力通知"),
    between(7, 27, 10, "majeure", "b_manager", duties=("S1.1-walk", "S1.2", "S3.1"), text="演示：台风期间道路封闭、线路中断，无法到场"),
    between(7, 30, 15, "answer_majeure", "a_manager", text="演示：核对气象与线路通报，认可"),
    between(8, 17, 10, "demand_staff", "a_manager", code="B-02", text="演示：两次未按时到岗，要求更换"),
    between(8, 17, 10.2, "notice", "a_manager", kind="staff", way="hand", outcome="signed", title="演示：要求更换一名驻场人员"),
    between(8, 18, 10, "ask", "b_manager", duty="G2", swap=("B-02", "B-03"), from_h=48, text="演示：拟以二线工程师接替"),
    between(8, 19, 15, "grant", "a_manager", duty="G2", yes=True),
    between(8, 21, 9.5, "replace_staff", "b_manager", old="B-02", new="B-03", text="演示：甲方要求更换"),
    between(8, 21, 9.6, "stand_in", "b_manager", code="B-03", slot=1),
    between(9, 3, 10, "supplement", "b_manager", title="演示：补充协议（增购两台服务器的运维）", added="48000.00"),
    between(9, 8, 15, "settle_supplement", "a_leader"),
    between(9, 22, 10, "act", "a_manager", duty="R2", subject="SRV-B-07", text="演示：审计发现一次未经许可的远程会话"),
    between(9, 24, 10, "notice", "b_manager", kind="other", way="courier", outcome="signed", title="演示：三季度工作情况函"),
    between(9, 28, 10, "claim", "b_manager", kind="amount", amount="3200.00", text="演示：系统调整未提前通知，重复出动的直接损失"),
    between(10, 15, 15, "answer_claim", "a_manager", agreed="2000.00", text="演示：认可其中一次出动的费用"),
    between(10, 19, 10, "order", "a_manager", days=10, text="演示：备份介质台账不全，限期补全"),
    between(10, 26, 10, "put_right", "b_manager", text="演示：台账已补全"),
    between(10, 27, 15, "check", "a_manager", yes=True, text="演示：抽查十盘，账实相符"),
    between(2, 4, 10, "hand_over", "b_manager", year=2027),
    between(2, 15, 10.5, "submit_year", "b_manager", year=2027, text="演示：年度运维工作完成，申请验收"),
    between(2, 16, 10, "receive", "a_manager", year=2027, text="演示：现场未见此件，待乙方说明"),
    between(2, 17, 10.2, "prove_handover", "b_manager", year=2027),
    between(2, 18, 10, "opine", "a_manager", year=2027, speaker="tester", of="演示测评中心", name="演示检查人", qualification="演示：检验资质 0001",
            text="演示：抽查巡检、备份与台账，符合要求"),
    between(2, 18, 15, "opine", "a_manager", year=2027, speaker="department", of="演示教育部门", name="演示需求单位代表",
            text="演示：全年申请均有答复"),
    between(2, 22, 15, "decide_year", "a_manager", year=2027, text="演示：同意通过验收"),
    between(2, 23, 9.5, "sign_year", "b_manager", year=2027, text="演示：认可"),
    between(2, 25, 10, "document", "b_manager", year=2027, kind="acceptance"),
    between(2, 25, 10.2, "document", "b_manager", year=2027, kind="handover"),
)  # fmt: skip

QUESTIONS = ("咨询虚拟机扩容流程", "咨询备份保留时长", "咨询证书续期材料", "查询上月资源用量", "咨询政务外网接入步骤",
             "咨询密评配合事项", "询问维护窗口安排", "咨询账号找回流程")  # fmt: skip
#: what departments apply for, and the event that starts the clock of the work itself
SERVICES = {
    "申请新建 4 核 16 GB 主机 2 台": "host_requested",
    "申请新建 8 核 32 GB 主机 1 台": "host_requested",
    "申请开通互联网区到政务外网区访问策略": "network_change_requested",
    "申请调整负载均衡配置": "network_change_requested",
    "申请数据库补丁升级": "upgrade_requested",
    "申请对接云管理平台接口": "integration_requested",
}
CRYPTO = {
    "申请签名验签服务": "crypto_resource_requested",
    "申请站点证书 1 张": "certificate_requested",
    "咨询数据加密改造": "crypto_advice_requested",
    "申请对接统一密码接口": "crypto_interface_requested",
}
FAULTS = ("业务系统打开缓慢", "主机无法远程登录", "定时备份未见成功通知", "页面偶发 502", "存储空间告警短信")
ASKERS = ("tenant", "tenant_health")
CHANNELS = ("portal", "portal", "phone", "mail", "wechat")


def pages(seed: str, first: date, last: date) -> list[Page]:
    """All pages from `first` to `last`, in order; a longer span begins like a shorter one."""
    found = [*FIXED, *BETWEEN]
    month = first.replace(day=1)
    while month <= last:
        found.append(
            Page(
                moment(max(month, first + timedelta(days=9)), 8.6),
                "between",
                "b_manager",
                {"act": "roster", "month": f"{month}"},
            )
        )
        found += _asked(random.Random(f"{seed}:desk:{month:%Y-%m}"), month)  # noqa: S311 - a year that can be had again
        month = (month + timedelta(days=32)).replace(day=1)
    begin, end = moment(first, 0), moment(last, 24)
    return sorted((p for p in found if begin <= p.at < end), key=lambda p: p.at)


def _asked(dice: random.Random, month: date) -> list[Page]:
    """What departments and the client bring to the desk in a month."""
    out: list[Page] = []
    for kind, least, most, titles in (
        ("request", 5, 9, QUESTIONS),
        ("service", 2, 5, tuple(SERVICES)),
        ("crypto", 1, 2, tuple(CRYPTO)),
        ("fault", 1, 3, FAULTS),
    ):
        for _n in range(dice.randint(least, most)):
            title = dice.choice(titles)
            at = moment(month + timedelta(days=dice.randrange(28)), dice.uniform(8.8, 16.3))
            by = "a_manager" if kind == "fault" and dice.random() < 0.5 else dice.choice(ASKERS)
            data = {"kind": kind, "title": f"演示：{title}", "channel": dice.choice(CHANNELS)}
            out.append(Page(at, "ticket", by, data))
    return out
