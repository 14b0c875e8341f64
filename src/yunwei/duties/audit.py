"""Occurrences, proofs, claims and events as the ledger knows them, and whether a kept look reached its agreed share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from yunwei.accounts.models import PartyOf
from yunwei.accounts.services import PARTY_OF_ROLE
from yunwei.contract import plans as contract_plans
from yunwei.duties import audit_dealings, sources
from yunwei.duties.books import CONTRACT_READ
from yunwei.duties.models import CalendarYear, Claim, ClaimKind, ManualProof, Occurrence, State, TriggerEvent
from yunwei.duties.running import BY_COVERAGE
from yunwei.duties.schedule import Due, PlanAt, occurrences
from yunwei.ledger.audit import Difference, Said, compare

JSON = Any
ROOM = "duties"
SETTLED = frozenset({State.KEPT, State.LATE})


@dataclass(slots=True)
class Known:
    """An occurrence as the records leave it."""

    number: int | None
    due: datetime | None
    counts: bool
    state: str = State.DUE.value
    cause: str = ""
    figures: dict[str, JSON] = field(default_factory=dict)
    run: str = ""
    settled: bool = False  # by its own run, whose figures must carry it


class Occurrences:
    """Plays the records of occurrences through: written down, rescheduled, withdrawn, moved."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Known] = {}
        self.judged: dict[str, Mapping[str, JSON]] = {}
        self.claims: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        match said.kind:
            case "duties.occurrences.due":
                for obligation, period, due, counts in said.data["occurrences"]:
                    self.known.setdefault((obligation, period), Known(said.number, _moment(due), counts))
            case "duties.occurrences.rescheduled":
                for obligation, period, _was, due, _counted, counts in said.data["occurrences"]:
                    if (known := self.known.get((obligation, period))) is not None:
                        known.number, known.due, known.counts = said.number, _moment(due), counts
            case "duties.occurrences.withdrawn":
                for obligation, period, _due in said.data["occurrences"]:
                    self.known.pop((obligation, period), None)
            case "inspect.run.judged":
                self.judged[said.subject] = said.data.get("coverage", {})
            case "duties.claim.made":
                self.claims[int(said.data["id"])] = said
            case "duties.claim.accepted":
                self._accepted(said)
            case kind if kind.startswith("duties.occurrence."):
                self._moved(said, kind.rpartition(".")[2])

    def _moved(self, said: Said, state: str) -> None:
        obligation, _colon, period = said.subject.partition(":")
        data = said.data
        known = self.known.setdefault(
            (obligation, period), Known(said.number, _moment(data.get("due")), data["counts"])
        )
        known.number, known.state, known.cause = said.number, state, str(data.get("cause", ""))
        known.run, known.settled = str(data.get("run", known.run)), "verdict" in data
        if "agreed" in data:
            known.figures = {name: data[name] for name in ("agreed", "proven")}

    def _accepted(self, said: Said) -> None:
        claim = self.claims.get(int(said.data["id"]))
        obligation, _colon, period = said.subject.partition(":")
        known = self.known.get((obligation, period))
        if claim is None or known is None or known.state != State.UNPROVEN:
            return
        if claim.data.get("claim") == ClaimKind.CAUSE:
            known.cause, known.number = str(claim.data.get("cause", "")), said.number

    def differences(self) -> Iterator[Difference]:
        rows = {(row.obligation, row.period): row for row in Occurrence.objects.order_by("obligation", "period")}
        planned, before = _planned(rows.values()), _before(rows.values())
        for key, row in rows.items():
            known = self.known.pop(key, None)
            yield from _row(row, known)
            yield from _agreed(row, planned.get(key), before.get(key, ()))
            if known is not None:
                yield from self._carried(row, known)
        for (obligation, period), known in sorted(self.known.items()):
            yield Difference(ROOM, f"{obligation}:{period}", "row", "—", known.state, known.number)

    def _carried(self, row: Occurrence, known: Known) -> Iterator[Difference]:
        """A look that is kept by its run must be carried by what the run was judged to have seen."""
        if row.kind not in BY_COVERAGE or row.state not in SETTLED or not known.settled:
            return
        judged = self.judged.get(known.run, {})
        agreed, proven = int(judged.get("agreed", 0)), int(judged.get("proven", 0))
        if agreed <= 0 or proven <= 0 or Decimal(proven) * 100 < row.coverage_target * agreed:
            said = _("覆盖 {proven}/{agreed}").format(proven=proven, agreed=agreed)
            yield Difference(ROOM, row.key, "state", f"{row.state} ≥{row.coverage_target}%", said, known.number)


def _row(row: Occurrence, known: Known | None) -> Iterator[Difference]:
    shown = {name: row.coverage[name] for name in ("agreed", "proven") if name in row.coverage} if row.coverage else {}
    yield from compare(ROOM, row.key, known.number if known else None, {
        "state": (row.state, known.state if known else None),
        "cause": (row.cause, known.cause if known else None),
        "due_at": (row.due_at, known.due if known else None),
        "counts": (row.counts, known.counts if known else None),
        "coverage": (shown, known.figures if known else None),
    })  # fmt: skip


def _agreed(row: Occurrence, due: Due | None, before: Sequence[tuple[datetime, Due]]) -> Iterator[Difference]:
    """What contract and approved plan say about a row: nobody loosens its target or its kind in the table alone.

    `before` is what versions that were replaced while it stood said, each until its moment: what had fallen due by then
    stays as it was, and what was settled by then keeps the target that it was settled by.
    """
    if due is None:
        return
    targets = {Decimal(due.coverage_target)}
    for until, earlier in before:
        if row.due_at is not None and row.due_at <= until:
            due, targets = earlier, {Decimal(earlier.coverage_target)}
            break
        if row.state != State.DUE:
            targets.add(Decimal(earlier.coverage_target))
    target = Decimal(row.coverage_target)
    yield from compare(ROOM, row.key, None, {
        "kind": (row.kind, due.kind),
        "owes": (row.owes, due.owes),
        "plan_version": (row.plan_version, due.plan_version),
        "coverage_target": (target, target if target in targets else Decimal(due.coverage_target)),
    })  # fmt: skip


def _planned(rows: Any, plans: Sequence[PlanAt] | None = None) -> dict[tuple[str, str], Due]:
    until = max((row.starts_at for row in rows), default=None)
    if until is None:
        return {}
    chosen = sources.plans() if plans is None else plans
    given = (sources.folder(), chosen, sources.events(), sources.calendar())
    return {due.key: due for due in occurrences(*given, until)}


def _before(rows: Any) -> dict[tuple[str, str], list[tuple[datetime, Due]]]:
    """For what stood when a version replaced another: the moment of the approval and what was owed until then."""
    versions = contract_plans.approved_versions()
    found: dict[tuple[str, str], list[tuple[datetime, Due]]] = {}
    begun = {(row.obligation, row.period): row.starts_at for row in rows}
    for i, version in enumerate(versions[1:], 1):
        earlier = [PlanAt(v.version, v.plan, v.counts_from) for v in versions[:i]]
        for key, due in _planned(rows, earlier).items():
            if key in begun and begun[key] <= version.decided_at:
                found.setdefault(key, []).append((version.decided_at, due))
    return found


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


class Statements:
    """Proofs, claims, events and calendar years: what was said, and that the right side answered."""

    def __init__(self) -> None:
        self.sides: dict[str, str] = {}
        self.stated: dict[tuple[str, int], Said] = {}
        self.answered: dict[tuple[str, int], Said] = {}
        self.events: dict[str, Said] = {}
        self.years: dict[str, Said] = {}
        self.wrong: list[Difference] = []

    def take(self, said: Said) -> None:
        room, _dot, rest = said.kind.partition(".")
        what, _dot, verb = rest.partition(".")
        if said.kind == "accounts.account.created":
            side = PARTY_OF_ROLE.get(said.data.get("role", ""))
            self.sides.setdefault(said.subject, str(side or said.data.get("party", "")))
        elif room == ROOM and what in ("proof", "claim"):
            self._statement(said, (what, int(said.data["id"])), verb)
        elif said.kind == "duties.event.recorded":
            self.events.setdefault(said.subject, said)
        elif said.kind == "duties.calendar.imported":
            self.years[said.subject] = said

    def _statement(self, said: Said, key: tuple[str, int], verb: str) -> None:
        if verb in ("stated", "made"):
            self.stated.setdefault(key, said)
            return
        first = self.answered.setdefault(key, said)
        stated = self.stated.get(key)
        one, two = self.sides.get(stated.actor if stated else ""), self.sides.get(said.actor)
        business = {PartyOf.A.value, PartyOf.B.value}
        same = verb == "withdrawn"  # only by the side that stated it; every answer by the other one
        if first is not said or (two is not None and (two not in business or (one == two) is not same)):
            self.wrong.append(Difference(ROOM, f"{key[0]} {key[1]}", "answered_by", said.actor, str(two), said.number))

    def differences(self) -> Iterator[Difference]:
        yield from self.wrong
        for proof in ManualProof.objects.select_related("stated_by", "answered_by", "occurrence").order_by("pk"):
            no = "refused" if proof.answered_by else "withdrawn"
            verb = None if proof.confirmed is None else "confirmed" if proof.confirmed else no
            yield from self._compared("proof", proof, proof.stated_by.username, verb)
        for claim in Claim.objects.select_related("claimed_by", "answered_by", "occurrence").order_by("pk"):
            verb = None if claim.state == "claimed" else claim.state
            yield from self._compared("claim", claim, claim.claimed_by.username, verb)
        for (what, pk), said in sorted(self.stated.items()):
            yield Difference(ROOM, f"{what} {pk}", "row", "—", said.subject, said.number)
        yield from self._events()
        yield from self._years()

    def _compared(self, what: str, row: ManualProof | Claim, by: str, verb: str | None) -> Iterator[Difference]:
        said, answer = self.stated.pop((what, row.pk), None), self.answered.get((what, row.pk))
        said_verb = answer.kind.rpartition(".")[2] if answer else None
        answered_by = answer.actor if answer and said_verb != "withdrawn" else None
        yield from compare(ROOM, f"{what} {row.pk} {row.occurrence.key}", said.number if said else None, {
            "occurrence": (row.occurrence.key, said.subject if said else None),
            "by": (by, said.actor if said else None),
            "artifact": (row.artifact, said.artifacts[0] if said and said.artifacts else None),
            "answer": (verb, said_verb),
            "answered_by": (row.answered_by.username if row.answered_by else None, answered_by),
        })  # fmt: skip

    def _events(self) -> Iterator[Difference]:
        for row in TriggerEvent.objects.order_by("pk"):
            said = self.events.pop(f"event:{row.pk}", None)
            data = said.data if said else {}
            yield from compare(ROOM, f"event:{row.pk}", said.number if said else None, {
                "event": (row.kind, data.get("event")),
                "at": (row.at, _moment(data.get("at"))),
                "starts_clock": (row.starts_clock, data.get("starts_clock")),
                "subject": (row.subject, data.get("subject")),
            })  # fmt: skip
        for name, said in sorted(self.events.items()):
            yield Difference(ROOM, name, "row", "—", str(said.data.get("event")), said.number)

    def _years(self) -> Iterator[Difference]:
        for row in CalendarYear.objects.order_by("year"):
            said = self.years.pop(f"calendar:{row.year}", None)
            data = said.data if said else {}
            yield from compare(ROOM, f"calendar:{row.year}", said.number if said else None, {
                "off": (row.off, data.get("off")), "work": (row.work, data.get("work")),
            })  # fmt: skip
        for name, said in sorted(self.years.items()):
            yield Difference(ROOM, name, "row", "—", str(said.data.get("notice")), said.number)


class Contract:
    """The contract folder must be the one that was entered last: files are as easy to change as rows."""

    def __init__(self) -> None:
        self.read: Said | None = None

    def take(self, said: Said) -> None:
        if said.kind == CONTRACT_READ:
            self.read = said

    def differences(self) -> Iterator[Difference]:
        if self.read is not None:
            told, now = self.read.data["files"], sources.digests()
            pairs = {name: (now.get(name), told.get(name)) for name in sorted({*told, *now})}
            yield from compare(ROOM, f"contract {self.read.subject}", self.read.number, pairs)


FOLDS = (Occurrences, Statements, Contract, *audit_dealings.FOLDS)
