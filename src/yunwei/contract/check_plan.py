"""Rules over a service plan; the same for plan.yaml and for a version that is proposed."""

from __future__ import annotations

from decimal import Decimal
from math import isfinite

import msgspec

from yunwei.contract.check_obligations import cadence_form, deadline_form
from yunwei.contract.findings import PLAN, Findings, Rule
from yunwei.contract.folder import Problem
from yunwei.contract.schema import Basis, Folder, Limit, Plan
from yunwei.kernel.i18n import _

FULL, FINEST = 100, Decimal("0.01")
#: how many times a year at most, to compare two cadences
TIMES_A_YEAR = {"day": 366, "working_day": 262, "week": 53, "month": 12, "quarter": 4, "year": 1, "once": 0}
PLAN_BASES = frozenset({Basis.PLAN, Basis.PLATFORM})


def plan_problems(plan: Plan, folder: Folder) -> list[Problem]:
    """What is wrong with a plan under this contract; lines are 0 because it is no file."""
    findings = Findings(_with(folder, plan))
    for rule in RULES:
        rule(findings)
    return findings.problems


def _with(folder: Folder, plan: Plan) -> Folder:
    return msgspec.structs.replace(folder, plan=plan)


def lines(f: Findings) -> None:
    """Each line is for one known obligation, once, with a reachable target."""
    f.unique(PLAN, ("lines",), (line.obligation for line in f.folder.plan.lines))
    for index, line in enumerate(f.folder.plan.lines):
        at = ("lines", index)
        if line.obligation not in f.obligations:
            message = _("没有义务 {id}").format(id=line.obligation)
            f.add(PLAN, (*at, "obligation"), "plan.unknown_obligation", message)
        # finer than it is kept, a target would round down to nothing
        if not line.coverage_target.is_finite() or not FINEST <= line.coverage_target <= FULL:
            message = _("覆盖目标应不小于 0.01、不超过 100：{value}").format(value=line.coverage_target)
            f.add(PLAN, (*at, "coverage_target"), "plan.coverage", message)
        if line.cadence:
            cadence_form(f, PLAN, (*at, "cadence"), line.cadence)
        if line.deadline:
            deadline_form(f, PLAN, (*at, "deadline"), line.deadline)
            if line.deadline.anchor:
                f.event_known(PLAN, (*at, "deadline"), line.deadline.anchor)


def bases(f: Findings) -> None:
    """A plan does not claim that its numbers stand in the contract or in a law."""
    for index, line in enumerate(f.folder.plan.lines):
        for name, number in (("cadence", line.cadence), ("deadline", line.deadline)):
            if number and number.basis not in PLAN_BASES:
                _basis(f, ("lines", index, name))
    for index, limit in enumerate(f.folder.plan.limits):
        if limit.basis not in PLAN_BASES:
            _basis(f, ("limits", index))


def _basis(f: Findings, path: tuple[str | int, ...]) -> None:
    hint = _("合同自己的数字写在 obligations.yaml，计划的依据只能是 plan 或 platform")
    f.add(PLAN, path, "basis.contract_in_plan", _("计划里的数字不能标为合同或法定"), hint)


def no_weaker(f: Findings) -> None:
    """A plan may add to what the contract states, never give it away (only a rank-one document can)."""
    for index, line in enumerate(f.folder.plan.lines):
        obligation = f.obligations.get(line.obligation)
        if obligation is None:
            continue
        theirs, ours = obligation.deadline, line.deadline
        if theirs and ours and (ours.unit != theirs.unit or ours.n > theirs.n or ours.anchor != theirs.anchor):
            message = _("{id} 的期限在合同中为 {n} {unit}，计划不能放宽或换算").format(
                id=obligation.id, n=theirs.n, unit=theirs.unit
            )
            f.add(PLAN, ("lines", index, "deadline"), "plan.loosens_contract", message)
        fixed, planned = obligation.cadence, line.cadence
        if fixed and planned and TIMES_A_YEAR.get(planned.every, 0) < TIMES_A_YEAR.get(fixed.every, 0):
            message = _("{id} 的频次在合同中为 {every}，计划不能更少").format(id=obligation.id, every=fixed.every)
            f.add(PLAN, ("lines", index, "cadence"), "plan.loosens_contract", message)
        if obligation.trigger and planned:
            message = _("{id} 由事件触发，计划不能改成频次").format(id=obligation.id)
            f.add(PLAN, ("lines", index, "cadence"), "plan.cadence_on_trigger", message)


def limits(f: Findings) -> None:
    """A limit limits something, is not upside down, and stands once for its place, device, component and kind."""
    seen: set[tuple[str, str, str, str]] = set()
    for index, limit in enumerate(f.folder.plan.limits):
        at = ("limits", index)
        key = (limit.kind, limit.place, limit.device, limit.component)
        if key in seen:
            f.add(PLAN, at, "limit.duplicate", _("同一对象的阈值写了两次：{kind}").format(kind=limit.kind))
        seen.add(key)
        values = [v for v in (limit.warn_high, limit.crit_high, limit.warn_low, limit.crit_low) if v is not None]
        if not values or not all(isfinite(v) for v in values):
            f.add(PLAN, at, "limit.empty", _("阈值要有数，且是有限的数"))
        if reversed_limit(limit):
            message = _("{kind} 的阈值颠倒：应为 严重低 ≤ 警告低 < 警告高 ≤ 严重高").format(kind=limit.kind)
            f.add(PLAN, at, "limit.reversed", message)


def reversed_limit(limit: Limit) -> bool:
    """Whether the four values are out of order: crit_low ≤ warn_low < warn_high ≤ crit_high."""
    lows = [v for v in (limit.crit_low, limit.warn_low) if v is not None]
    highs = [v for v in (limit.warn_high, limit.crit_high) if v is not None]
    return lows != sorted(lows) or highs != sorted(highs) or bool(lows and highs and max(lows) >= min(highs))


def baseline(f: Findings) -> None:
    """An asset stands in the baseline once."""
    f.unique(PLAN, ("assets",), f.folder.plan.assets)


RULES: tuple[Rule, ...] = (lines, bases, no_weaker, limits, baseline)
