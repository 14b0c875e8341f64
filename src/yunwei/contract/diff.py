"""What changes from one plan version to the next, line by line, and what of it asks less of 乙方.

Every change needs the client's approval, because it is only ever made by a version; the ones that loosen (an asset
taken out, a limit widened, looked at less often) are marked so that nobody approves them unseen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from yunwei.contract.check_plan import TIMES_A_YEAR
from yunwei.contract.schema import Cadence, Deadline, Limit, Plan, PlanLine, Unit
from yunwei.kernel.i18n import _

_T = TypeVar("_T")
_MISSING: Any = object()


class Effect(StrEnum):
    """What a change does to what is owed."""

    TIGHTENS = "tightens"
    LOOSENS = "loosens"
    NEUTRAL = "neutral"
    UNCLEAR = "unclear"  # free terms: people must judge


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; `before` and `after` are JSON values, None = not there."""

    where: str  # "S1.1-remote.cadence", "limit temperature …", "asset SW-01"
    before: Any
    after: Any
    effect: Effect
    text: str

    @property
    def loosens(self) -> bool:
        """Whether the client should look twice."""
        return self.effect in {Effect.LOOSENS, Effect.UNCLEAR}


def diff(old: Plan | None, new: Plan) -> list[Change]:
    """All differences, in the order lines, limits, assets. `old` None: everything is new."""
    before = old or Plan(version=0, title="", lines=[])
    return [*_lines(before, new), *_limits(before, new), *_assets(before, new)]


def without(old: Plan | None, new: Plan, refused: Collection[str]) -> Plan:
    """`new` with the changes that are named by their `where` taken back, so that those places read as in `old`.

    The rest stays as proposed: `diff(old, without(old, new, refused))` are the changes of `new` that are not refused.
    """
    before = old or Plan(version=0, title="", lines=[])
    was, proposed = set(before.assets), set(new.assets)
    assets = {code for code in was | proposed if code in (was if f"asset {code}" in refused else proposed)}
    old_view = {c for c in before.agreed if c not in new.agreed or f"asset {c} agreed" in refused}
    views = {**new.agreed, **{code: before.agreed[code] for code in old_view}}
    limits = _taken_back(
        {_limit_key(limit): limit for limit in before.limits},
        {_limit_key(limit): limit for limit in new.limits},
        refused,
    )
    lines = _taken_back(
        {line.obligation: line for line in before.lines}, {line.obligation: line for line in new.lines}, refused
    )
    old_lines = {line.obligation: line for line in before.lines}
    return msgspec.structs.replace(
        new,
        lines=[_line_without(old_lines.get(line.obligation, line), line, refused) for line in lines],
        limits=limits,
        assets=[*(code for code in new.assets if code in assets), *sorted(assets - proposed)],
        agreed={code: view for code, view in views.items() if code in assets},
    )


def _taken_back(old: Mapping[str, _T], new: Mapping[str, _T], refused: Collection[str]) -> list[_T]:
    """The new items; where a key is refused the old one, if there was one; what was refused to be deleted stays."""
    kept = [old.get(key) if key in refused else item for key, item in new.items()]
    stays = [item for key, item in old.items() if key not in new and key in refused]
    return [item for item in (*kept, *stays) if item is not None]


def _line_without(one: PlanLine, two: PlanLine, refused: Collection[str]) -> PlanLine:
    """A line that both plans have, with the refused ones of its fields as they were."""
    names = ("cadence", "deadline", "coverage_target", "note")
    fields = {name: getattr(one, name) for name in names if f"{two.obligation}.{name}" in refused}
    terms = {
        name: (one if f"{two.obligation}.terms.{name}" in refused else two).terms.get(name, _MISSING)
        for name in dict.fromkeys([*two.terms, *one.terms])
    }
    return msgspec.structs.replace(two, terms={k: v for k, v in terms.items() if v is not _MISSING}, **fields)


def _change(where: str, before: Any, after: Any, effect: Effect, text: str) -> Change:
    return Change(where, msgspec.to_builtins(before), msgspec.to_builtins(after), effect, text)


def _lines(old: Plan, new: Plan) -> list[Change]:
    before = {line.obligation: line for line in old.lines}
    after = {line.obligation: line for line in new.lines}
    changes: list[Change] = []
    for key in dict.fromkeys([*before, *after]):
        one, two = before.get(key), after.get(key)
        if one is None:
            changes.append(_change(key, None, two, Effect.TIGHTENS, _("{id} 列入计划").format(id=key)))
        elif two is None:
            changes.append(_change(key, one, None, Effect.LOOSENS, _("{id} 从计划中删除").format(id=key)))
        else:
            changes += _line(key, one, two)
    return changes


def _line(key: str, one: PlanLine, two: PlanLine) -> list[Change]:
    changes: list[Change] = []
    if one.cadence != two.cadence:
        effect = _order(_often(one.cadence), _often(two.cadence), more_is_tighter=True)
        changes.append(_change(f"{key}.cadence", one.cadence, two.cadence, effect, _("{id} 的频次").format(id=key)))
    if one.deadline != two.deadline:
        effect = _deadline(one.deadline, two.deadline)
        changes.append(_change(f"{key}.deadline", one.deadline, two.deadline, effect, _("{id} 的期限").format(id=key)))
    if one.coverage_target != two.coverage_target:
        effect = _order(float(one.coverage_target), float(two.coverage_target), more_is_tighter=True)
        values = (str(one.coverage_target), str(two.coverage_target))
        changes.append(_change(f"{key}.coverage_target", *values, effect, _("{id} 的覆盖目标").format(id=key)))
    for name in dict.fromkeys([*one.terms, *two.terms]):
        if one.terms.get(name) != two.terms.get(name):
            text = _("{id} 的条件 {name}").format(id=key, name=name)
            where = f"{key}.terms.{name}"
            changes.append(_change(where, one.terms.get(name), two.terms.get(name), Effect.UNCLEAR, text))
    if one.note != two.note:
        changes.append(_change(f"{key}.note", one.note, two.note, Effect.NEUTRAL, _("{id} 的备注").format(id=key)))
    return changes


def _often(cadence: Cadence | None) -> float:
    return -1.0 if cadence is None else float(TIMES_A_YEAR.get(cadence.every, 0))


def _deadline(one: Deadline | None, two: Deadline | None) -> Effect:
    if one is None or two is None:
        return Effect.TIGHTENS if one is None else Effect.LOOSENS
    if (one.unit, one.anchor) != (two.unit, two.anchor):
        minutes = {Unit.MINUTE: 1, Unit.HOUR: 60}
        if one.anchor != two.anchor or one.unit not in minutes or two.unit not in minutes:
            return Effect.UNCLEAR
        return _order(one.n * minutes[one.unit], two.n * minutes[two.unit], more_is_tighter=False)
    return _order(one.n, two.n, more_is_tighter=False)


def _order(one: float, two: float, *, more_is_tighter: bool) -> Effect:
    if one == two:
        return Effect.UNCLEAR  # something else in it changed: the day, the time
    return Effect.TIGHTENS if (two > one) == more_is_tighter else Effect.LOOSENS


def _limit_key(limit: Limit) -> str:
    parts = (limit.kind, limit.place, limit.device, limit.component)
    return "limit " + " ".join(part for part in parts if part)


def _limits(old: Plan, new: Plan) -> list[Change]:
    before = {_limit_key(limit): limit for limit in old.limits}
    after = {_limit_key(limit): limit for limit in new.limits}
    changes: list[Change] = []
    for key in dict.fromkeys([*before, *after]):
        one, two = before.get(key), after.get(key)
        if one == two:
            continue
        if one is None:
            # a limit for one place or device replaces the general one there: it may be the wider of the two
            narrow = two is not None and (two.place or two.device or two.component)
            effect = Effect.UNCLEAR if narrow and old.limits else Effect.TIGHTENS
        elif two is None:
            effect = Effect.LOOSENS
        else:
            effect = _limit_effect(one, two)
        changes.append(_change(key, one, two, effect, _("阈值 {key}").format(key=key.removeprefix("limit "))))
    return changes


def _limit_effect(one: Limit, two: Limit) -> Effect:
    if one.unit != two.unit:
        return Effect.UNCLEAR
    pairs = [(one.warn_high, two.warn_high, 1), (one.crit_high, two.crit_high, 1)]
    pairs += [(one.warn_low, two.warn_low, -1), (one.crit_low, two.crit_low, -1)]
    moves = set()
    for before, after, sign in pairs:
        if before == after:
            continue
        if before is None or after is None:
            moves.add(Effect.TIGHTENS if before is None else Effect.LOOSENS)
        else:
            moves.add(Effect.LOOSENS if (after - before) * sign > 0 else Effect.TIGHTENS)
    if Effect.LOOSENS in moves:
        return Effect.LOOSENS
    return Effect.TIGHTENS if moves else Effect.NEUTRAL


def _assets(old: Plan, new: Plan) -> list[Change]:
    before, after = set(old.assets), set(new.assets)
    gone = [
        _change(f"asset {code}", code, None, Effect.LOOSENS, _("资产 {code} 移出基线").format(code=code))
        for code in sorted(before - after)
    ]
    come = [
        _change(f"asset {code}", None, code, Effect.TIGHTENS, _("资产 {code} 列入基线").format(code=code))
        for code in sorted(after - before)
    ]
    relabelled = [
        _change(f"asset {code} agreed", one, two, Effect.UNCLEAR, _("资产 {code} 的登记（种类、区域、位置、标签、端点）").format(code=code))
        for code in sorted(before & after)
        if (one := old.agreed.get(code)) is not None and (two := new.agreed.get(code)) is not None and one != two
    ]  # fmt: skip
    return gone + come + relabelled
