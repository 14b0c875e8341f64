"""An invented contract for these tests, with other articles and cadences than any real one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import yaml

from yunwei.contract.schema import (
    Basis,
    Cadence,
    Clause,
    Contract,
    Deadline,
    Event,
    Folder,
    Instalment,
    Kind,
    Money,
    Obligation,
    Owes,
    Party,
    PeriodReading,
    Plan,
    PlanLine,
    Signature,
    Unit,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    """A moment in Shanghai: "2026-03-02 09:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def plan_cadence(every: str, **more: Any) -> Cadence:
    return Cadence(every=every, basis=Basis.PLAN, **more)


def duty(id_: str, kind: Kind = Kind.LOOK, owes: Owes = Owes.B, **more: Any) -> Obligation:
    more.setdefault("clauses", ["第三条"])
    more.setdefault("confirmed_by", "A" if owes is Owes.B else "B" if owes is Owes.A else "AB")
    return Obligation(id=id_, title=id_, title_en=id_, owes=owes, kind=kind, proof=["记录"], **more)


def deadline(n: int, unit: str, basis: Basis, anchor: str = "") -> Deadline:
    return Deadline(n=n, unit=Unit(unit), basis=basis, anchor=anchor)


OBLIGATIONS = [
    duty("look-day", procedure="test.look"),
    duty("look-week", procedure="test.look"),
    duty("walk-week"),
    duty("backup", Kind.RESULT, procedure="test.result"),
    duty("report", Kind.DELIVER),
    duty("own-month", Kind.DELIVER, cadence=Cadence(every="month", basis=Basis.CONTRACT, day=10)),
    duty("hotline", Kind.CONTINUOUS),
    duty("reply", Kind.RESPOND, trigger="asked", deadline=deadline(3, "working_day", Basis.CONTRACT, "asked")),
    duty("answer", Kind.RESPOND, Owes.A, trigger="paper", deadline=deadline(15, "working_day", Basis.CONTRACT)),
    duty("fix", Kind.RESULT, trigger="fault"),
    duty("vague", Kind.DELIVER, trigger="fault", vague="及时"),
    duty("pay", Kind.PAY, Owes.A, trigger="invoice", instalment="one",
         deadline=deadline(10, "working_day", Basis.CONTRACT, "invoice")),
    duty("summary", Kind.DELIVER, trigger="ended", deadline=deadline(0, "calendar_day", Basis.CONTRACT, "ended")),
    duty("handover", Kind.DELIVER, trigger="ended", deadline=deadline(10, "working_day", Basis.CONTRACT, "ended")),
    duty("notice", Kind.RESPOND, Owes.BOTH, trigger="storm", deadline=deadline(15, "calendar_day", Basis.CONTRACT)),
    duty("ban", Kind.BAN, cadence=Cadence(every="day", basis=Basis.CONTRACT)),
    duty("consent", Kind.CONSENT, trigger="asked"),
    duty("ours", Kind.DELIVER, trigger="asked", deadline=deadline(1, "hour", Basis.PLATFORM, "asked")),
]  # fmt: skip
LINES = [
    PlanLine("look-day", cadence=plan_cadence("day", due_time="18:00"), coverage_target=Decimal(90), terms={"x": 1}),
    PlanLine("look-week", cadence=plan_cadence("week", weekday=5)),
    PlanLine("walk-week", cadence=plan_cadence("week", weekday=5)),
    PlanLine("backup", cadence=plan_cadence("working_day")),
    PlanLine("report", cadence=plan_cadence("month", day=5)),
    PlanLine("fix", deadline=deadline(4, "hour", Basis.PLAN, "fault")),
]
EVENTS = [
    Event("asked", "收到申请", "Asked", "AB", "第三条", file=False),
    Event("paper", "书面提交", "Paper", "AB", "第四条"),
    Event("fault", "报告故障", "Fault", "AB", "第五条", file=False),
    Event("effective", "生效", "Effective", "AB", "第一条", file=False),
    Event("invoice", "收到发票", "Invoice", "A", "第六条", instalment="one"),
    Event("ended", "期满", "Ended", "AB", "第七条", file=False),
    Event("storm", "不可抗力", "Storm", "AB", "8.1", file=False),
]
CLAUSES = [
    Clause("第三条", ["OB"], "B", "服务"),
    Clause("8.1", ["EXEMPT"], "AB", "不可抗力", exempts="performance"),
    Clause("8.2", ["EXEMPT"], "B", "非乙方行为", exempts="performance"),
    Clause("9.1", ["EXEMPT"], "B", "设备损毁", exempts="damage"),
    Clause("10", ["DEF"], "", "定义"),
]
READINGS = [
    PeriodReading("late", date(2026, 2, 4), date(2027, 2, 3), "签字次日"),
    PeriodReading("early", date(2026, 1, 29), date(2027, 1, 28), "甲方签署日"),
]


def plan(version: int = 1, lines: list[PlanLine] | None = None) -> Plan:
    return Plan(version=version, title="计划", lines=LINES if lines is None else lines)


def folder(**changes: Any) -> Folder:
    """The invented contract; `periods`, `obligations` and `plan` may be replaced."""
    contract = Contract(
        id="tests",
        number="T-1",
        title="测试合同",
        title_en="Test contract",
        parties=[Party("A", "甲"), Party("B", "乙")],
        signatures=[Signature("A", date(2026, 1, 29)), Signature("B", date(2026, 2, 3))],
        price=Money("第六条", Decimal("1000.00"), "壹仟元整"),
        periods=changes.get("periods", READINGS),
        instalments=[
            Instalment("one", "第六条", Decimal(100), Decimal("1000.00"), "壹仟元整", ["effective", "invoice"], 10)
        ],
    )
    return Folder(
        contract=contract,
        documents=[],
        rules=[],
        clauses=CLAUSES,
        obligations=changes.get("obligations", OBLIGATIONS),
        open_items=[],
        plan=changes.get("plan", plan()),
        events=[e.id for e in EVENTS],
        event_details=EVENTS,
    )


def write(contract: Folder, directory: Path) -> None:
    """The contract as the folder of an instance."""
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {
        "contract.yaml": contract.contract,
        "documents.yaml": {"documents": contract.documents, "rules": contract.rules},
        "clauses.yaml": {"clauses": contract.clauses},
        "obligations.yaml": {"events": contract.event_details, "obligations": contract.obligations},
        "open_items.yaml": {"open_items": contract.open_items},
        "plan.yaml": contract.plan,
    }
    for name, content in files.items():
        text = yaml.safe_dump(msgspec.to_builtins(content, str_keys=True), allow_unicode=True, sort_keys=False)
        (directory / name).write_text(text, encoding="utf-8")
