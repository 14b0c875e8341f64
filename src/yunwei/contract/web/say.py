"""A plan and its changes as people read them: cadences, deadlines, limits in words; free terms as names and values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yunwei.contract.diff import Change
from yunwei.contract.schema import Cadence, Deadline, Folder, Obligation, Plan, PlanLine
from yunwei.duties.web import terms as duty_terms
from yunwei.ui import words

FIELDS = {
    "cadence": gettext_lazy("频次"),
    "deadline": gettext_lazy("期限"),
    "coverage_target": gettext_lazy("覆盖目标"),
    "note": gettext_lazy("备注"),
    "line": gettext_lazy("整行"),
    "limit": gettext_lazy("阈值"),
    "asset": gettext_lazy("列入基线"),
    "agreed": gettext_lazy("资产登记"),
}
LIMITS = {
    "warn_high": gettext_lazy("≥ {n} 警告"),
    "crit_high": gettext_lazy("≥ {n} 严重"),
    "warn_low": gettext_lazy("≤ {n} 警告"),
    "crit_low": gettext_lazy("≤ {n} 严重"),
}
SELECTED = {
    "kind": gettext_lazy("种类"),
    "zone": gettext_lazy("区域"),
    "place": gettext_lazy("位置"),
    "tags": gettext_lazy("标签"),
    "protocols": gettext_lazy("端点"),
}


#: free terms that the procedures of this house know; others are said as they are
TERMS = {
    "max_age_minutes": gettext_lazy("数据不旧于 {v} 分钟"),
    "budget_s": gettext_lazy("每台至多 {v} 秒"),
    "profile": gettext_lazy("深度 {v}"),
    "sample_minutes": gettext_lazy("每 {v} 分钟采样"),
    "warn_days": gettext_lazy("提前 {v} 天提醒"),
    "respond_minutes": gettext_lazy("响应（分钟）{v}"),
    "recover_hours": gettext_lazy("恢复（小时）{v}"),
    "report_hours_after_recovery": gettext_lazy("恢复后 {v} 小时内报告"),
    "hours": gettext_lazy("时间 {v}"),
    "slots": gettext_lazy("按 {v} 统计"),
}


def place(change: Change, known: Mapping[str, Obligation]) -> tuple[str, str, str, str]:
    """Group (lines, limits, assets), obligation, field, and the name of what changes."""
    if change.where.startswith("limit "):
        return "limits", "", "limit", change.where.removeprefix("limit ")
    if change.where.startswith("asset "):
        code = change.where.removeprefix("asset ")
        agreed = code.endswith(" agreed")
        return "assets", "", "agreed" if agreed else "asset", code.removesuffix(" agreed")
    # an id may hold dots itself (S1.1-remote): the longest known one that the place begins with
    names = [o for o in known if change.where == o or change.where.startswith(f"{o}.")]
    code = max(names, key=len, default=change.where)
    rest = change.where.removeprefix(code).removeprefix(".")
    title = words.title(known[code]) if code in known else code
    return "lines", code, rest or "line", title


def field(name: str) -> str:
    """A field's name; of free terms their own."""
    if name.startswith("terms."):
        return _("条件")
    return str(FIELDS.get(name, name))


def value(found: Any, name: str, events: Mapping[str, str]) -> str | None:
    """What stands there; None where nothing does."""
    if found is None or found == "":
        return None
    ways: dict[str, Callable[[], str]] = {
        "cadence": lambda: duty_terms.cadence(msgspec.convert(found, Cadence, strict=False)),
        "deadline": lambda: deadline(msgspec.convert(found, Deadline, strict=False), events),
        "coverage_target": lambda: f"{found} %",
        "line": lambda: line(msgspec.convert(found, PlanLine, strict=False), events),
        "limit": lambda: limit(found),
        "asset": lambda: _("在基线内"),
        "agreed": lambda: " · ".join(
            f"{word} {_plain(found[key])}" for key, word in SELECTED.items() if found.get(key)
        ),
    }
    if name.startswith("terms."):
        return term(name.removeprefix("terms."), found)
    return ways[name]() if name in ways else _plain(found)


def term(name: str, found: Any) -> str:
    """A free term with its value."""
    return str(TERMS[name]).format(v=_plain(found)) if name in TERMS else f"{name} {_plain(found)}"


def deadline(found: Deadline, events: Mapping[str, str]) -> str:
    """A deadline with the event it runs from."""
    said = duty_terms.number(found)
    return (
        _("{event}起 {span}").format(event=events.get(found.anchor, found.anchor), span=said) if found.anchor else said
    )


def line(found: PlanLine, events: Mapping[str, str]) -> str:
    """A whole line in words."""
    parts = [
        duty_terms.cadence(found.cadence) if found.cadence else "",
        deadline(found.deadline, events) if found.deadline else "",
        _("覆盖 {n} %").format(n=found.coverage_target) if found.coverage_target != 100 else "",
        *(term(name, said) for name, said in found.terms.items()),
        found.note,
    ]
    return " · ".join(part for part in parts if part) or _("无数字")


def limit(found: Mapping[str, Any]) -> str:
    """A limit's values with their unit."""
    unit = f" {found['unit']}" if found.get("unit") else ""
    said = [
        str(word).format(n=f"{found[name]:g}{unit}") for name, word in LIMITS.items() if found.get(name) is not None
    ]
    return " · ".join(said)


def _plain(found: Any) -> str:
    if isinstance(found, Mapping):
        return " ".join(f"{k} {_plain(v)}" for k, v in found.items())
    if isinstance(found, (list, tuple)):
        return " ".join(_plain(v) for v in found)
    return str(found)


def whole(folder: Folder, plan: Plan) -> list[tuple[str, str, str]]:
    """Everything that a plan says about obligations: id, title, what it says."""
    known = {o.id: o for o in folder.obligations}
    events = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    return [
        (ln.obligation, words.title(known[ln.obligation]) if ln.obligation in known else "", line(ln, events))
        for ln in plan.lines
    ]
