"""Rows to observations and parts: the inner loop, the same for SNMP, Redfish and SSH."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from yunwei.inspect.observation import FAULTS, Observation, Part, State, Target
from yunwei.inspect.vendor.build import key
from yunwei.inspect.vendor.compiled import Limits, PartRule, Pick, Rule, VendorFile
from yunwei.inspect.vendor.expr import Row, num
from yunwei.inspect.vendor.judge import NONE, PlanLimits, against, default_limits, sane, told, worse
from yunwei.inspect.vendor.reading import Reading

#: a row with where it came from: the index of an SNMP row, the URI with pointer, the check's name
Rows = Iterable[tuple[Row, str]]

_HEALTH = {"ok": State.OK, "warning": State.WARNING, "critical": State.CRITICAL}
_GONE = frozenset({"absent", "disabled", "unavailableoffline", "standbyoffline", "deferring", "qualified"})


def health(status: Any) -> tuple[State, str]:
    """A Redfish Status as (state, the device's words).

    Judged by the set of values, not by the key (H3C HDM wrote Health "Enabled"): a fault word counts wherever it
    stands, green only comes from a Health that says OK, a state that means "not there" or "switched off" is neutral,
    and a word nobody knows is unknown, never critical and never ok. Health null is normal for many parts: unknown.
    """
    if not isinstance(status, dict):
        return State.UNKNOWN, "" if status is None else str(status)
    own, where = status.get("Health"), status.get("State")
    words = {str(w).lower() for w in (own, where) if w}
    raw = "/".join(str(w) for w in (own, where) if w)
    if where and str(where).lower() == "absent":
        return State.ABSENT, raw
    for word in ("critical", "warning"):
        if word in words:
            return _HEALTH[word], raw
    if str(own).lower() == "ok":
        return State.OK, raw
    return (State.ABSENT if own is None and words & _GONE else State.UNKNOWN), raw


class Observer:
    """Collects what one device's rules say."""

    def __init__(self, vendor: VendorFile, target: Target, terms: dict[str, Any]) -> None:
        self.vendor, self.asset = vendor, target.asset
        self.plan = PlanLimits(terms, target)
        self.reading = Reading()
        self.rollups: list[int] = []
        self._taken: set[tuple[str, str]] = set()
        self._parts: set[str] = set()

    def run(self, rule: Rule, rows: Rows, source_base: str) -> None:
        """Add one observation per row; `source_base` stands before the row's own place."""
        when, out = rule.rows.when, self.reading.observations
        for row, place in rows:
            if when is not None and not when(row):
                continue
            made = self._one(rule, row, f"{source_base}{place}")
            if made is not None:
                if rule.rollup:
                    self.rollups.append(len(out))
                out.append(made)

    def _one(self, rule: Rule, row: Row, source: str) -> Observation | None:
        value = rule.value(row) if rule.value is not None else None
        state, raw, told_ = State.UNKNOWN, "", False
        if rule.status is not None:
            status = rule.status(row)
            state, raw = health(status)
            told_ = isinstance(status, dict) and status.get("Health") is not None
        elif rule.state is not None:
            word = rule.state(row)
            if word is None and value is None:
                return None
            state, raw = _state(rule, word)
            told_ = word is not None
            if value is None:
                value = word
        elif value is None:
            return None
        if rule.raw is not None:
            raw = str(rule.raw(row) or raw)
        kind = rule.kind_text or rule.kind(row)
        component, name = rule.component(row), rule.name(row)
        if rule.fill and (component, kind) in self._taken:
            return None
        component = self._unique(component, kind, place=source)
        muted = rule.mute is not None and bool(rule.mute(row))
        limit = ""
        if muted:
            state = State.ABSENT
        else:
            said = state
            state, limit = self._judge(rule, row, state, value, kind, component, name)
            if told_ and said is State.UNKNOWN and state is State.OK:
                state = State.UNKNOWN  # a word nobody knows is not made green by a number
        return Observation(self.asset, component, kind, name, value, rule.unit(row), raw, state, source, limit)

    def _unique(self, component: str, kind: str, place: str) -> str:
        """Two rows under one name stay two components: the later one carries the device's own index."""
        if (component, kind) in self._taken:
            component = f"{component}#{place.rpartition('/')[2] if '/' in place else '.'.join(place.split('.')[-2:])}"
        self._taken.add((component, kind))
        return component

    def _judge(
        self, rule: Rule, row: Row, state: State, value: Any, kind: str, component: str, name: str
    ) -> tuple[State, str]:
        for verdict, test in rule.tests:
            if test(row):
                state = worse(state, verdict)
                break
        else:
            if rule.tests and state is State.UNKNOWN:
                state = State.OK
        number = value if type(value) in (int, float) else None
        found = self._limits(rule, row, state, kind, component, name) if number is not None else None
        if number is None or found is None:
            return state, ""
        return worse(state, against(number, found[1])), told(*found)

    def _limits(
        self, rule: Rule, row: Row, state: State, kind: str, component: str, name: str
    ) -> tuple[str, Limits] | None:
        """Whose limits judge this reading, in the order of judge.py; None where nobody's do."""
        planned = self.plan.find(kind, component) if self.plan.by_kind else None
        if planned is not None and planned[0]:
            return "plan", planned[1]
        if state is State.ABSENT or rule.value is None:
            return None  # nothing there: only a plan that names it says that it must be
        device = self._device(rule, row) if rule.limits else NONE
        if device != NONE:
            return "device", device
        if planned is not None:
            return "plan", planned[1]
        judged_itself = rule.tests or (state is not State.UNKNOWN and (rule.state or rule.status))
        default = None if judged_itself else default_limits(self.vendor, kind, component, name)
        return None if default is None else ("vendor file", default)

    @staticmethod
    def _device(rule: Rule, row: Row) -> Limits:
        out: list[float | None] = [None, None, None, None]
        for place, fn in rule.limits:
            out[place] = num(fn(row))
        return sane((out[0], out[1], out[2], out[3]))

    def add_parts(self, rule: PartRule, rows: Rows, source_base: str) -> None:
        """Add one part per row."""
        for row, place in rows:
            if rule.rows.when is not None and not rule.rows.when(row):
                continue
            component = rule.component(row)
            if component in self._parts:
                if rule.fill:
                    continue
                component = f"{component}#{row.get('index', place)}"
            self._parts.add(component)
            told_ = {name: str(fn(row)).strip() for name, fn in rule.fields}
            present = rule.present is None or bool(rule.present(row))
            self.reading.parts.append(
                Part(component, rule.kind(row), present=present, source=f"{source_base}{place}", **told_)
            )

    def pick(self, picks: Iterable[tuple[Pick, Rows]], into: dict[str, str]) -> None:
        """Fill identifying or moving fields; a field that is not there is left out."""
        for pick, rows in picks:
            if pick.name in into:
                continue
            if pick.each:
                into[pick.name] = _each(pick, rows)
                continue
            total, found = 0.0, False
            for row, _place in rows:
                if pick.rows.when is not None and not pick.rows.when(row):
                    continue
                value = pick.value(row)
                if value is None or value == "":
                    continue
                if not pick.sum:
                    into[pick.name] = str(value)
                    break
                total, found = total + (num(value) or 0), True
            if found:
                into[pick.name] = f"{total:.0f}"


def _each(pick: Pick, rows: Rows) -> str:
    """A number of every row that fits, as "index:number …"; rows at 0 are left out, most ports have no error."""
    kept = ((place, num(pick.value(row))) for row, place in rows if pick.rows.when is None or pick.rows.when(row))
    return " ".join(f"{place}:{value:.0f}" for place, value in kept if value)


_WHOLE = ("system/", "chassis/", "manager/", "redundancy/")
_RANK = {State.WARNING: 1, State.CRITICAL: 2}


def settle_rollups(observer: Observer) -> None:
    """A rollup that a leaf explains is not a second fault: report the leaf (check_redfish #40).

    It stays as a neutral reading that names the leaf; one that no leaf explains stays the fault it is.
    """
    found = observer.reading.observations
    places = set(observer.rollups)
    leaves = [o for i, o in enumerate(found) if i not in places and o.state in FAULTS]
    for i in sorted(places):
        if found[i].state in FAULTS:
            leaf = max((o for o in leaves if _explains(o, found[i])), key=lambda o: _RANK[o.state], default=None)
            if leaf is not None:
                found[i] = msgspec.structs.replace(
                    found[i], state=State.ABSENT, limit=f"explained by: {leaf.component}"
                )


def _explains(leaf: Observation, rollup: Observation) -> bool:
    """At least as bad, and part of what the rollup sums up: anything for a whole machine, else what hangs under it."""
    if _RANK[leaf.state] < _RANK[rollup.state]:
        return False
    if rollup.component.startswith((*_WHOLE, f"{leaf.component}/")):
        return True
    above, below = (o.source.partition("#")[0] + "/" for o in (rollup, leaf))
    if above.startswith("/") and (below.startswith(above) or above.startswith(below)):
        return True
    return rollup.component.startswith("storage/") and leaf.component.startswith(("disk/", "volume/", "controller/"))


def _state(rule: Rule, word: Any) -> tuple[State, str]:
    known = rule.states.get(key(word))
    if known is not None:
        return known
    other = rule.states.get("*")
    text = "" if word is None else str(word)
    return (other[0], text) if other is not None and word is not None else (State.UNKNOWN, text)
