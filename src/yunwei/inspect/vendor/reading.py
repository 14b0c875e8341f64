"""What goes into the engine and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from yunwei.inspect.observation import Observation, Part
from yunwei.kernel.verdict import Reason

#: (tag, value) as `yunwei.snmp.Value`: BER tag and int or float for numbers, bytes for strings, dotted text for OIDs and addresses
SnmpValue = tuple[int, "int | float | bytes | str | None"]


@dataclass(slots=True)
class SnmpData:
    """One device's SNMP answer. OIDs are dotted without a leading dot.

    `scalars`: full OID (with .0) to value. `columns`: column OID to {index: value}, the index dotted text ("1.4").
    `partial`: column OIDs whose end was not proven (the walk broke off, the budget ended).
    """

    scalars: dict[str, SnmpValue] = field(default_factory=dict)
    columns: dict[str, Mapping[str, SnmpValue]] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)


class CheckOutput(msgspec.Struct, frozen=True):
    """One check of the bundle: its return code (None where it never ended) and what it printed."""

    rc: int | None
    stdout: str


@dataclass(slots=True)
class Reading:
    """What a vendor file made of an answer.

    `problem` is PARTIAL where a table or resource the file needs was not finished, else None: that nothing could be
    judged is for `kernel.verdict.decide` to say. `detail` names what was partial.
    """

    observations: list[Observation] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)
    moving: dict[str, str] = field(default_factory=dict)
    problem: Reason | None = None
    detail: str = ""
