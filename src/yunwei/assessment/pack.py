"""What an acceptance rests on (政府采购法实施条例 45): every obligation with how often it was kept, late, missed, unproven or
excused, and every technical, service and safety requirement with what proves it. Derived, never stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max, Min, Q

from yunwei.assessment import year
from yunwei.assessment.explained import english
from yunwei.assessment.models_year import Acceptance, Opinion
from yunwei.contract.schema import Folder, Kind, Obligation
from yunwei.contract.year_end import Group, Requirement
from yunwei.duties.models import Occurrence, State
from yunwei.ledger import services as ledger

OPEN = (State.DUE, State.RUNNING)
STATES = ("kept", "late", "missed", "unproven", "exempt", "overdue", "open")


@dataclass(slots=True)
class Tally:
    """How often, by state; `first` and `last` are the evidence numbers that bracket it. Of what counts only."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    first: int | None = None
    last: int | None = None
    uncounted: int = 0  # listed and in no sum
    why: str = ""  # why it does not count

    @property
    def all(self) -> int:
        """Everything that counts."""
        return sum(self.counts.values())

    @property
    def held(self) -> int:
        """What was done: kept or late."""
        return self.counts["kept"] + self.counts["late"]

    @property
    def bad(self) -> int:
        """What was neither done nor excused, and is not simply waiting."""
        return self.counts["missed"] + self.counts["unproven"] + self.counts["overdue"]

    def add(self, other: Tally) -> None:
        """Take another's figures in."""
        for state, n in other.counts.items():
            self.counts[state] += n
        self.uncounted += other.uncounted
        ends = [n for n in (self.first, self.last, other.first, other.last) if n]
        self.first, self.last = (min(ends), max(ends)) if ends else (None, None)


@dataclass(frozen=True, slots=True)
class Line:
    """One obligation of the contract and how it was kept."""

    duty: Obligation
    tally: Tally

    @property
    def quiet(self) -> bool:
        """Nothing ever fell due: no event started it, no plan gave it a cadence, or it is a ban that nobody breached."""
        return not self.tally.all and not self.tally.uncounted

    @property
    def ban(self) -> bool:
        """A ban or a consent falls due at no moment: a breach would be recorded as an event."""
        return self.duty.kind in (Kind.BAN, Kind.CONSENT)


@dataclass(frozen=True, slots=True)
class Measured:
    """One requirement, what proves it, and what examiners found about it."""

    requirement: Requirement
    lines: list[Line]
    tally: Tally
    opinions: list[Opinion]

    @property
    def state(self) -> str:
        """ "none": nothing proves it (无证明); "gaps": some of it was missed or not proven; "proven"."""
        if not self.tally.held:
            return "none"
        return "gaps" if self.tally.bad else "proven"


@dataclass(frozen=True, slots=True)
class Pack:
    """The whole of it."""

    year: year.Year
    lines: list[Line]
    measured: list[Measured]
    total: Tally

    def of_group(self, group: Group | str) -> list[Measured]:
        """The requirements of a group."""
        return [m for m in self.measured if m.requirement.group == group]

    def owed_by(self, side: str) -> list[Line]:
        """The obligations of a side: A, B or AB."""
        return [line for line in self.lines if line.duty.owes == side]


def gather(folder: Folder, now: datetime, rounds: Sequence[Acceptance] = ()) -> Pack:
    """The pack as the books stand; three statements and one for evidence numbers, whatever their size."""
    tallies = _tallies(now)
    lines = [Line(duty, tallies.get(duty.id, Tally())) for duty in folder.obligations]
    known = {line.duty.id: line for line in lines}
    ends = folder.year_end
    opinions = [o for row in rounds[-1:] for o in row.opinions.all()]
    measured = [_measured(one, known, opinions) for one in (ends.requirements if ends else [])]
    total = Tally()
    for line in lines:
        total.add(line.tally)
    return Pack(year.of(folder), lines, measured, total)


def _measured(one: Requirement, known: dict[str, Line], opinions: Iterable[Opinion]) -> Measured:
    lines, tally = [known[name] for name in one.proven_by if name in known], Tally()
    for line in lines:
        tally.add(line.tally)
    return Measured(one, lines, tally, [o for o in opinions if o.about == one.id])


def _tallies(now: datetime) -> dict[str, Tally]:
    groups = list(
        Occurrence.objects.values("obligation", "state", "counts")
        .annotate(
            n=Count("pk"), over=Count("pk", filter=Q(due_at__lt=now)), low=Min("evidence"), high=Max("evidence"), because=Max("why"),
        )
        .order_by("obligation", "state", "counts")
    )  # fmt: skip
    numbers = ledger.numbers_of(pk for g in groups for pk in (g["low"], g["high"]))
    found: dict[str, Tally] = {}
    for g in groups:
        tally = found.setdefault(g["obligation"], Tally())
        if not g["counts"]:
            tally.uncounted += g["n"]
            tally.why = tally.why or g["because"] or ""
            continue
        part = Tally()
        if g["state"] in OPEN:
            part.counts["overdue"], part.counts["open"] = g["over"], g["n"] - g["over"]
        else:
            part.counts[g["state"]] = g["n"]
        part.first, part.last = numbers.get(g["low"] or 0), numbers.get(g["high"] or 0)
        tally.add(part)
    return found


def why(one: Requirement) -> str:
    """Why this standard was chosen, in the reader's language."""
    return one.why_en if english() else one.why


def unproven(now: datetime) -> dict[str, int]:
    """What counts and was not proven, by who answers for it."""
    del now
    rows = Occurrence.objects.filter(counts=True, state=State.UNPROVEN).values("cause").annotate(n=Count("pk"))
    return {row["cause"]: row["n"] for row in rows}
