"""A month's sheet as a pure function: rubric, what was owed and came of it, faults and how they came to light, breaches.

Every line of a sheet names the obligation or the fault, its evidence and what it costs. Nothing is capped by an item's
weight: where the points of an item can be used up, not looking costs nothing from then on (law 4; `laws` warns where
an imposed rubric does so).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from yunwei.contract.schema import Rubric, RubricItem, Veto
from yunwei.kernel.shapes import learn

ZERO, CENT = Decimal(0), Decimal("0.01")
#: what an occurrence costs is looked up by these; every other state costs nothing
COSTLY = ("late", "missed", "unproven")
#: who found a fault, when it was not 乙方 (inspect.models.Origin)
FOUND_BY_OTHERS = frozenset({"client", "surprise", "audit"})
#: nothing of these is 乙方's when it is not proven (house, law 1); what nobody knows counts as 乙方's
EXCUSED_CAUSES = frozenset({"client", "third"})


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """One occurrence as it stands: `key` is obligation:period, `evidence` a ledger number (0: none yet)."""

    key: str
    obligation: str
    state: str
    cause: str = ""
    clauses: list[str] = msgspec.field(default_factory=list)
    due: str = ""  # local day it was due
    evidence: int = 0
    disputed: bool = False
    pending: bool = False  # stated in time, and the receiver has not answered: its delay costs the other nothing
    detail: str = ""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault that came to light in the month."""

    key: str  # finding:<id>
    origin: str
    title: str
    day: str = ""
    evidence: int = 0


class Breach(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that 甲方 recorded and that a veto of the rubric names."""

    key: str  # event:<id>
    event: str
    title: str
    day: str = ""
    evidence: int = 0


class Remark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What 甲方 added by hand under a heading of the rubric, with its ground."""

    key: str
    remark: str  # id of the rubric's heading
    text: str
    points: Decimal
    evidence: int = 0


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a sheet. `points` are what it takes off (a bonus is negative); `ground` says why it takes nothing."""

    key: str
    item: str
    what: str  # late, missed, unproven, found, reported, veto, remark, exempt, pending, kept
    points: Decimal
    clauses: list[str] = msgspec.field(default_factory=list)
    subject: str = ""
    day: str = ""
    evidence: int = 0
    ground: str = ""
    disputed: bool = False
    detail: str = ""


class ItemTotal(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item of the rubric: how many occurrences it counted, by state, and the points they took off."""

    item: str
    weight: Decimal
    lost: Decimal
    states: dict[str, int] = msgspec.field(default_factory=dict)


class Score(msgspec.Struct, frozen=True):
    """`lost` points in all, before the floor of zero and the caps of vetoes, which give `score`.

    `counted` occurrences were judged; where it is 0 there is nothing that the score could rest on.
    """

    full: Decimal
    lost: Decimal
    score: Decimal
    items: list[ItemTotal]
    lines: list[Line]
    counted: int
    vetoes: list[str] = msgspec.field(default_factory=list)


learn(Score, Outcome, Fault, Breach, Remark)


def score(
    rubric: Rubric,
    outcomes: Iterable[Outcome],
    faults: Iterable[Fault] = (),
    breaches: Iterable[Breach] = (),
    remarks: Iterable[Remark] = (),
    granted: frozenset[str] = frozenset(),
) -> Score:
    """The sheet of what came of a month. The order of the inputs changes nothing.

    `granted` are the keys of lines whose appeal 甲方 granted: they stay on the sheet and take nothing.
    """
    by_obligation = {o: item for item in rubric.items for o in item.obligations}
    vetoes = {veto.event: veto for veto in rubric.vetoes}
    lines: list[Line] = []
    states: dict[str, dict[str, int]] = {item.id: {} for item in rubric.items}
    for outcome in outcomes:
        item = by_obligation.get(outcome.obligation)
        if item is None:
            continue
        count = states[item.id]
        count[outcome.state] = count.get(outcome.state, 0) + 1
        if outcome.state != "kept":
            lines.append(_of_outcome(item, outcome))
    lines += [_of_fault(rubric, fault) for fault in faults]
    called: list[Veto] = []
    for breach in breaches:
        if (veto := vetoes.get(breach.event)) is not None:
            called.append(veto)
            lines.append(
                Line(breach.key, veto.id, "veto", veto.cost, subject=breach.title, day=breach.day,
                     evidence=breach.evidence)
            )  # fmt: skip
    lines += [Line(r.key, r.remark, "remark", r.points, subject=r.text, evidence=r.evidence) for r in remarks]
    lines = sorted((_granted(line, granted) for line in lines), key=lambda line: (line.item, line.day, line.key))
    standing = [veto for veto in called if any(line.item == veto.id and not line.ground for line in lines)]
    lost = sum((line.points for line in lines), ZERO)
    reached = min(rubric.full, max(ZERO, rubric.full - lost))
    for veto in standing:
        reached = min(reached, veto.cap)
    return Score(
        full=rubric.full,
        lost=cents(lost),
        score=cents(reached),
        items=[_total(item, states[item.id], lines) for item in rubric.items],
        lines=lines,
        counted=sum(sum(of_item.values()) for of_item in states.values()),
        vetoes=sorted({veto.id for veto in standing}),
    )


def cents(value: Decimal) -> Decimal:
    """Points to two decimals, half up, as scores are signed."""
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


def _of_outcome(item: RubricItem, outcome: Outcome) -> Line:
    what, ground = outcome.state, ""
    if outcome.state == "unproven" and outcome.cause in EXCUSED_CAUSES:
        ground = outcome.cause
    elif outcome.state == "exempt":
        ground = "exempt"
    elif outcome.pending:
        what, ground = "pending", "pending"
    points = getattr(item, outcome.state) if outcome.state in COSTLY and not ground else ZERO
    return Line(
        outcome.key, item.id, what, points, clauses=list(outcome.clauses), subject=outcome.obligation, day=outcome.due,
        evidence=outcome.evidence, ground=ground, disputed=outcome.disputed, detail=outcome.detail,
    )  # fmt: skip


def _of_fault(rubric: Rubric, fault: Fault) -> Line:
    found = fault.origin in FOUND_BY_OTHERS
    what, points = ("found", rubric.found) if found else ("reported", rubric.reported)
    return Line(
        fault.key, "faults", what, points, subject=fault.title, day=fault.day, evidence=fault.evidence,
        detail=fault.origin,
    )  # fmt: skip


def _granted(line: Line, granted: frozenset[str]) -> Line:
    if line.key not in granted:
        return line
    return msgspec.structs.replace(line, points=ZERO, ground="appeal")


def _total(item: RubricItem, states: dict[str, int], lines: Sequence[Line]) -> ItemTotal:
    lost = sum((line.points for line in lines if line.item == item.id), ZERO)
    return ItemTotal(item.id, item.weight, cents(lost), dict(sorted(states.items())))
