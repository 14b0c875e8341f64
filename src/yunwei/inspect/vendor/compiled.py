"""What a vendor file is after loading: request plan, rules as functions, tables of states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yunwei.inspect.observation import State
from yunwei.inspect.vendor.expr import Expr
from yunwei.inspect.vendor.schema import Quirks, RawMatch, RawSection, RawTrap

#: raw value (whole number, or text in lower case) to (state, the device's word)
StateTable = Mapping[Any, tuple[State, str]]
#: warn_high, crit_high, warn_low, crit_low
Limits = tuple[float | None, float | None, float | None, float | None]
#: quantities an observation may have (observation.Observation.kind), with the ones that readings of machines add
KINDS = frozenset(
    {
        "temperature",
        "fan_speed",
        "voltage",
        "current",
        "power",
        "charge",
        "runtime",
        "load",
        "cpu",
        "memory",
        "storage",
        "state",
        "port",
        "errors",
        "optical",
        "clock",
        "uptime",
        "count",
        "log",
        "service",
        "speed",
        "frequency",
        "humidity",
        "wear",
        "swap",
        "inode",
        "percent",
        "rollup",
        "reboot",
    }
)
LIMIT_NAMES = ("warn_high", "crit_high", "warn_low", "crit_low")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in expressions, its full OID, how bytes are read."""

    name: str
    oid: str
    read: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """See schema.RawJoin."""

    take: tuple[tuple[str, str], ...]
    of: str
    equals: Expr
    where: str


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One SNMP table to ask for: `columns` are full column OIDs, to be walked together."""

    name: str
    oid: str
    columns: tuple[str, ...]
    fields: tuple[Column, ...] = ()
    joins: tuple[Join, ...] = ()
    computed: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Default:
    """A default limit of the file."""

    component: Callable[[str], Any] | None
    name: Callable[[str], Any] | None
    limits: Limits


@dataclass(frozen=True, slots=True)
class From:
    """Where rows come from, see schema.RawSource."""

    table: str
    resource: str
    each: tuple[str, ...]
    section: str
    when: Expr | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One observation per row, compiled."""

    rows: From
    component: Expr
    kind: Expr
    kind_text: str  # the kind itself where it does not depend on the row
    name: Expr
    unit: Expr
    value: Expr | None
    state: Expr | None
    states: StateTable
    status: Expr | None
    raw: Expr | None
    rollup: bool
    mute: Expr | None
    limits: tuple[tuple[int, Expr], ...]
    tests: tuple[tuple[State, Expr], ...]
    fill: bool
    source: str  # column OID, key of the resource, or section


@dataclass(frozen=True, slots=True)
class PartRule:
    """One part per row, compiled; `fields` are the text fields of `observation.Part`."""

    rows: From
    component: Expr
    kind: Expr
    fields: tuple[tuple[str, Expr], ...]
    present: Expr | None
    fill: bool


@dataclass(frozen=True, slots=True)
class Pick:
    """One identifying or moving field."""

    name: str
    rows: From
    value: Expr
    sum: bool
    each: bool = False


@dataclass(frozen=True, slots=True)
class VendorFile:
    """One vendor family, ready for use. `proof` (synthetic, capture, device) is what people see."""

    name: str
    title: str
    proof: str
    kinds: tuple[str, ...]
    match: RawMatch
    quirks: Quirks
    snmp_scalars: tuple[str, ...]
    snmp_tables: tuple[TablePlan, ...]
    scalars: tuple[Column, ...]
    extras: tuple[str, ...]
    sections: Mapping[str, RawSection]
    rules: tuple[Rule, ...]
    parts: tuple[PartRule, ...]
    identity: tuple[Pick, ...]
    moving: tuple[Pick, ...]
    defaults: Mapping[str, tuple[Default, ...]]
    traps: tuple[RawTrap, ...]
    path: str = ""
    used_columns: frozenset[str] = frozenset()
    cache: dict[tuple[str, str, str], Limits | None] = field(default_factory=dict, compare=False, repr=False)
