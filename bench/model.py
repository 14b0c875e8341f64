"""What a row says: what was done, against what, what must hold, what was measured, what bounds it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal


class MissingPeer(Exception):  # noqa: N818 - a state of the machine rather than a fault of ours
    """A peer cannot be had here; the message says which and why. The row is then not measured, never met."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median and maximum of repeated measurements, and how many there were."""

    minimum: float
    median: float
    maximum: float
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of at least one value. Raises ValueError for none."""
        found = sorted(values)
        if not found:
            raise ValueError("nothing was measured")
        return cls(found[0], statistics.median(found), found[-1], len(found))


@dataclass(frozen=True, slots=True)
class Must:
    """What a figure must be: at least or at most so much. The median decides."""

    relation: Literal["≥", "≤"]
    figure: float
    unit: str = "×"

    def met(self, value: float) -> bool:
        """Whether the value fulfils it."""
        return value >= self.figure if self.relation == "≥" else value <= self.figure

    def __str__(self) -> str:
        return f"{self.relation} {number(self.figure)}{_unit(self.unit)}"


def at_least(figure: float, unit: str = "×") -> Must:
    """The figure or more."""
    return Must("≥", figure, unit)


def at_most(figure: float, unit: str = "×") -> Must:
    """The figure or less."""
    return Must("≤", figure, unit)


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that must hold. `what` names the figure, `against` the peer ("" for none); no value = not measured."""

    what: str
    must: Must
    value: Spread | None
    against: str = ""

    @property
    def met(self) -> bool:
        """Whether it was measured and holds."""
        return self.value is not None and self.must.met(self.value.median)

    def verdict(self) -> str:
        """Met or not, and by how much of what must be (a figure twice as good as it must be is "by 100 %")."""
        if self.value is None:
            return "not measured"
        found, wanted = self.value.median, self.must.figure
        if not wanted:
            return "met" if self.met else f"NOT met: {number(found)}{_unit(self.must.unit)}"
        off = abs(found - wanted) / abs(wanted) * 100
        return f"{'met' if self.met else 'NOT met'} by {number(off)} %"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure of one side, for people: "yunwei", "CPU per device", spread, "ms"."""

    side: str
    what: str
    value: Spread
    unit: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `void` says why it counts for nothing (unequal results, a peer that is missing, an error).

    `name` and `title` are filled in by the bench. `bound` says what bounds the figure and how far it is from the limit;
    `equal` what was compared before anything was timed; `notes` whatever a reader must know to judge the comparison.
    """

    claims: tuple[Claim, ...] = ()
    figures: tuple[Figure, ...] = ()
    equal: str = ""
    bound: str = ""
    notes: tuple[str, ...] = ()
    void: str = ""
    name: str = ""
    title: str = ""
    seconds: float = 0.0
    load: float = 0.0
    more: dict[str, float | int | str] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the row counts, claims something, and every claim holds."""
        return not self.void and bool(self.claims) and all(claim.met for claim in self.claims)

    def voided(self, why: str) -> Row:
        """The same row counting for nothing: its claims keep their names and lose their values."""
        bare = tuple(replace(claim, value=None) for claim in self.claims)
        return replace(self, void=why, claims=bare)


RowFunction = Callable[[bool], Row]


def number(value: float) -> str:
    """A figure with three digits that count."""
    if value == 0:
        return "0"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"


def _unit(unit: str) -> str:
    return unit if unit in {"×", ""} else f" {unit}"


def shown(value: Spread, unit: str) -> str:
    """Median with minimum and maximum."""
    if value.count == 1:
        return f"{number(value.median)}{_unit(unit)} (once)"
    return f"{number(value.median)}{_unit(unit)} ({number(value.minimum)}…{number(value.maximum)})"
