"""The words of the contract's own codes: kinds of clauses, rules of precedence, functions that an open item blocks."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from yunwei.contract.diff import Effect
from yunwei.contract.models import PlanState

CLAUSE_KINDS = {
    "DEF": gettext_lazy("定义"),
    "SCOPE": gettext_lazy("范围"),
    "OA": gettext_lazy("甲方义务"),
    "OB": gettext_lazy("乙方义务"),
    "BAN": gettext_lazy("禁止"),
    "RA": gettext_lazy("甲方权利"),
    "RB": gettext_lazy("乙方权利"),
    "PAY": gettext_lazy("价款"),
    "PROC": gettext_lazy("程序"),
    "LIAB": gettext_lazy("责任"),
    "PREC": gettext_lazy("解释顺序"),
    "EXEMPT": gettext_lazy("免责"),
    "TIME": gettext_lazy("期限"),
    "ATTR": gettext_lazy("要素"),
}
#: units of a figure that stands in a clause
UNITS = {
    "working_day": gettext_lazy("个工作日"), "calendar_day": gettext_lazy("日"), "hour": gettext_lazy("小时"),
    "minute": gettext_lazy("分钟"), "year": gettext_lazy("年"), "month": gettext_lazy("月"), "week": gettext_lazy("周"),
    "quarter": gettext_lazy("季"), "day": gettext_lazy("日"), "yuan": gettext_lazy("元"), "percent": "%",
    "person": gettext_lazy("人"), "instalment": gettext_lazy("期"), "copy": gettext_lazy("份"), "piece": gettext_lazy("件"),
    "hour_per_day": gettext_lazy("小时每日"), "day_per_week": gettext_lazy("日每周"),
}  # fmt: skip
RULES = {
    "rank": gettext_lazy("先列者优先，同层后签者优先"),
    "superior": gettext_lazy("以主管单位的要求为准"),
    "strictest": gettext_lazy("最严格者一并适用"),
    "fill_gap": gettext_lazy("要求不明时取最严格的现有标准"),
    "floor": gettext_lazy("不得低于国家强制性标准"),
}
SUBJECTS = {
    "*": gettext_lazy("一般"),
    "assessment": gettext_lazy("考核与验收"),
    "confidentiality": gettext_lazy("保密"),
    "standard": gettext_lazy("标准空缺"),
    "requirement": gettext_lazy("采购需求"),
}
#: the first word of a function's name: `payment.price` is of 付款
AREAS = {
    "approval": gettext_lazy("审定"),
    "assessment": gettext_lazy("考核"),
    "backup": gettext_lazy("备份"),
    "baseline": gettext_lazy("基线"),
    "change": gettext_lazy("变更"),
    "claim": gettext_lazy("索赔"),
    "confidentiality": gettext_lazy("保密"),
    "crypto_assessment": gettext_lazy("密评"),
    "deadline": gettext_lazy("期限"),
    "desk": gettext_lazy("服务台"),
    "document": gettext_lazy("文书"),
    "integrity": gettext_lazy("廉洁"),
    "notice": gettext_lazy("送达"),
    "payment": gettext_lazy("付款"),
    "precedence": gettext_lazy("文件次序"),
    "rectification": gettext_lazy("整改"),
    "roster": gettext_lazy("值守"),
    "scope": gettext_lazy("范围"),
    "staff": gettext_lazy("人员"),
}
EFFECTS = {
    Effect.TIGHTENS: ("ok", gettext_lazy("收紧")),
    Effect.LOOSENS: ("bad", gettext_lazy("放宽")),
    Effect.NEUTRAL: ("mut", gettext_lazy("无影响")),
    Effect.UNCLEAR: ("warn", gettext_lazy("须人工判断")),
}
PLAN_TONES = {PlanState.PROPOSED: "warn", PlanState.APPROVED: "ok", PlanState.REFUSED: "bad"}


def function(name: str) -> str:
    """The area of a function, in words; the name itself where the area is unknown."""
    return str(AREAS.get(name.partition(".")[0], name))
