"""Whose limit judges a reading, and what it says.

Order: the plan's limit that names a component, a device or a place (it was agreed for exactly this); the device's own
thresholds; the plan's general limit; the vendor file's default. A device's own word for a state ("failed") stands
beside the number: the worse of the two counts, so a plan can loosen a number but never unsay a fault.
A high limit is reached at >=, a low one at <=.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from yunwei.inspect.observation import State, Target
from yunwei.inspect.vendor.compiled import LIMIT_NAMES, Limits, VendorFile

_RANK = {State.OK: 0, State.WARNING: 1, State.CRITICAL: 2}
NONE: Limits = (None, None, None, None)


def worse(a: State, b: State) -> State:
    """The worse of two states; a state that says something beats one that does not."""
    if a not in _RANK:
        return b
    return a if b not in _RANK or _RANK[a] >= _RANK[b] else b


def against(value: float, limits: Limits) -> State:
    """The state of a number under limits (warn high, crit high, warn low, crit low)."""
    warn_high, crit_high, warn_low, crit_low = limits
    if (crit_high is not None and value >= crit_high) or (crit_low is not None and value <= crit_low):
        return State.CRITICAL
    if (warn_high is not None and value >= warn_high) or (warn_low is not None and value <= warn_low):
        return State.WARNING
    return State.OK


def told(owner: str, limits: Limits) -> str:
    """Limits for people: "device: warn>=42 crit>=47"."""
    signs = ("warn>=", "crit>=", "warn<=", "crit<=")
    return f"{owner}: " + " ".join(
        f"{sign}{limit:g}" for sign, limit in zip(signs, limits, strict=True) if limit is not None
    )


def sane(limits: Limits) -> Limits:
    """A device's thresholds without the ones that mean "not set".

    Many agents write 0 for a high threshold they do not have, or bounds that cross; such limits judge nothing.
    """
    warn_high, crit_high, warn_low, crit_low = limits
    warn_high = None if warn_high == 0 else warn_high
    crit_high = None if crit_high == 0 else crit_high
    low = max((x for x in (warn_low, crit_low) if x is not None), default=None)
    high = min((x for x in (warn_high, crit_high) if x is not None), default=None)
    if low is not None and high is not None and low >= high:
        return NONE
    if warn_high is not None and crit_high is not None and crit_high < warn_high:
        warn_high, crit_high = crit_high, None
    return (warn_high, crit_high, warn_low, crit_low)


class PlanLimits:
    """The limits of the plan (`terms["limits"]`, each as contract.schema.Limit) that concern one target."""

    __slots__ = ("by_kind",)

    def __init__(self, terms: Mapping[str, Any], target: Target) -> None:
        self.by_kind: dict[str, list[tuple[int, str, Limits]]] = {}
        for raw in terms.get("limits") or ():
            device, place, component = raw.get("device") or "", raw.get("place") or "", raw.get("component") or ""
            if (device and device != target.asset) or (place and place != target.place):
                continue
            rank = 4 * bool(component) + 2 * bool(device) + bool(place)
            limits: Limits = tuple(raw.get(name) for name in LIMIT_NAMES)
            self.by_kind.setdefault(raw["kind"], []).append((rank, component, limits))
        for found in self.by_kind.values():
            found.sort(key=lambda x: -x[0])

    def find(self, kind: str, component: str) -> tuple[bool, Limits] | None:
        """(names this place, device or component?, limits) of the most specific limit, None without one."""
        for rank, pattern, limits in self.by_kind.get(kind, ()):
            if not pattern or component == pattern or fnmatch.fnmatchcase(component, pattern):
                return rank > 0, limits
        return None


def default_limits(vendor: VendorFile, kind: str, component: str, name: str) -> Limits | None:
    """The first default of the vendor file that fits; looked up once per kind, component and name."""
    defaults = vendor.defaults.get(kind)
    if defaults is None:
        return None
    key = (kind, component, name)
    if key not in vendor.cache:
        if len(vendor.cache) > 50_000:  # names come from devices: bounded
            vendor.cache.clear()
        fitting = (
            d.limits for d in defaults if (not d.component or d.component(component)) and (not d.name or d.name(name))
        )
        found = next(fitting, NONE)
        vendor.cache[key] = None if found == NONE else found  # a default without figures takes a reading out
    return vendor.cache[key]
