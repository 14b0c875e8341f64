"""Duties of a period: every occurrence that fell due in it, by obligation and state; what was not proven, by cause.

A day is (midnight, midnight]: what falls due at 24:00 belongs to the day that ends. What has no due moment (no number in
contract or plan, or a clock that still waits) belongs to the period it began in. `counts` False is listed, and in no sum.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from yunwei.contract.schema import Folder
from yunwei.duties.models import Claim, ManualProof, Occurrence, State
from yunwei.reports.evidence import Numbers
from yunwei.reports.period import Period, moment

JSON = Any
OPEN = (State.DUE, State.RUNNING)
#: states in which a duty was not simply kept: each such occurrence is listed by itself
SPECIAL = (State.LATE, State.MISSED, State.UNPROVEN, State.EXEMPT)
FIELDS = (
    "pk", "obligation", "period", "clauses", "owes", "kind", "counts", "why", "state", "cause", "detail", "starts_at",
    "due_at", "done_at", "settled_at", "coverage", "provisional", "evidence",
)  # fmt: skip


class Duties:
    """Reads the occurrences of a period, wants their numbers, then tells."""

    def __init__(self, of: Period, as_of: datetime, folder: Folder, numbers: Numbers) -> None:
        self.of, self.as_of, self.numbers = of, as_of, numbers
        self.known = {o.id: o for o in folder.obligations}
        self.rows, self.carried, self.clocks = (
            [dict(zip(FIELDS, row, strict=True)) for row in rows] for rows in self.read()
        )
        self.claims = self.read_claims()
        self.waiting = list(
            ManualProof.objects.filter(confirmed__isnull=True, stated_at__lt=self.until())
            .select_related("occurrence", "stated_by__organisation").order_by("stated_at", "id")
        )  # fmt: skip
        numbers.want(*(r["evidence"] for r in [*self.rows, *self.carried, *self.clocks]))
        numbers.want(*(c.evidence for c in self.claims), *(p.evidence for p in self.waiting))

    def read(self) -> tuple[Iterable[tuple[Any, ...]], Iterable[tuple[Any, ...]], Iterable[tuple[Any, ...]]]:
        """The occurrences of the period, what it carried in, and the clocks that ran in it."""
        return _in_period(self.of), _carried(self.of), _clocks(self.of)

    def read_claims(self) -> list[Claim]:
        """The claims about them."""
        return _claims(self.of)

    def until(self) -> datetime:
        """Up to when a proof that nobody answered belongs to it."""
        return self.of.end

    def data(self) -> dict[str, JSON]:
        """The part of the report's data that is about duties."""
        counted = [r for r in self.rows if r["counts"]]
        return {
            "duties": {
                "sum": self._sum(counted),
                "by_party": {who: self._sum([r for r in counted if r["owes"] == who]) for who in ("A", "B", "AB")},
                "uncounted": len(self.rows) - len(counted),
                "obligations": self._obligations(),
                "days": self._days(counted),
                "special": [self._told(r) for r in self.rows if r["counts"] and r["state"] in SPECIAL],
                "overdue": [self._told(r) for r in counted if self._overdue(r)],
                "carried": [self._told(r) for r in self.carried],
                "claims": [self._claim(c) for c in self.claims],
                "waiting": [self._waiting(p) for p in self.waiting],
            },
            "unproven": self._unproven(counted),
            "clocks": [self._told(r) for r in self.clocks],
        }

    def _overdue(self, row: dict[str, JSON]) -> bool:
        return row["state"] in OPEN and row["due_at"] is not None and row["due_at"] < self.as_of

    def _sum(self, rows: Iterable[dict[str, JSON]]) -> dict[str, int]:
        """Counts by state; `open` is what is neither settled nor due yet, `overdue` what is open though it was due."""
        told = {str(s): 0 for s in (*State.values, "open", "overdue", "all")}
        for row in rows:
            told["all"] += 1
            if row["state"] not in OPEN:
                told[row["state"]] += 1
            else:
                told["overdue" if self._overdue(row) else "open"] += 1
        return {k: v for k, v in told.items() if k not in OPEN}

    def _obligations(self) -> list[JSON]:
        """One row per obligation with occurrences in the period: counts by state, and every evidence number by state."""
        groups: dict[str, list[dict[str, JSON]]] = defaultdict(list)
        for row in self.rows:
            groups[row["obligation"]].append(row)
        order = list(self.known)
        out = []
        for name in sorted(groups, key=lambda n: (order.index(n) if n in self.known else len(order), n)):
            rows = groups[name]
            counted = [r for r in rows if r["counts"]]
            obligation = self.known.get(name)
            numbers: dict[str, list[int | None]] = defaultdict(list)
            for row in counted:
                numbers[row["state"]].append(self.numbers.of(row["evidence"]))
            out.append(
                {
                    "id": name,
                    "title": obligation.title if obligation else name,
                    "title_en": obligation.title_en if obligation else name,
                    "clauses": rows[0]["clauses"],
                    "owes": rows[0]["owes"],
                    "kind": rows[0]["kind"],
                    "sum": self._sum(counted),
                    "uncounted": len(rows) - len(counted),
                    "why": next((r["why"] for r in rows if not r["counts"]), ""),
                    "numbers": {state: numbers[state] for state in State.values if numbers.get(state)},
                }
            )
        return out

    def _days(self, rows: Sequence[dict[str, JSON]]) -> list[JSON]:
        """Counts by the day on which they fell due; a day without any is told as one without any."""
        zone, by = ZoneInfo(self.of.zone), defaultdict(list)
        for row in rows:
            if row["due_at"] is not None:
                by[(row["due_at"].astimezone(zone) - timedelta(microseconds=1)).date()].append(row)
        return [{"day": day.isoformat(), "sum": self._sum(by.get(day, ()))} for day in self.of.days]

    def _told(self, row: dict[str, JSON]) -> JSON:
        obligation = self.known.get(row["obligation"])
        figures = row["coverage"] or {}
        return {
            "obligation": row["obligation"],
            "title": obligation.title if obligation else row["obligation"],
            "title_en": obligation.title_en if obligation else row["obligation"],
            "period": row["period"],
            "clauses": row["clauses"],
            "owes": row["owes"],
            "state": row["state"],
            "overdue": self._overdue(row),
            "counts": row["counts"],
            "why": row["why"],
            "cause": row["cause"],
            "detail": row["detail"],
            "starts": moment(row["starts_at"]),
            "due": moment(row["due_at"]),
            "done": moment(row["done_at"]),
            "provisional": row["provisional"],
            "agreed": figures.get("agreed"),
            "proven": figures.get("proven"),
            "number": self.numbers.of(row["evidence"]),
        }

    def _unproven(self, rows: Sequence[dict[str, JSON]]) -> JSON:
        """What was not proven, by who answers for it. All four causes are told, also those with nothing."""
        found = [r for r in rows if r["state"] == State.UNPROVEN]
        count = Counter(r["cause"] for r in found)
        return {
            "all": len(found),
            "by_cause": {cause: count.get(cause, 0) for cause in ("vendor", "client", "third", "unknown")},
            "rows": [self._told(r) for r in found],
        }

    def _claim(self, claim: Claim) -> JSON:
        obligation = self.known.get(claim.occurrence.obligation)
        return {
            "obligation": claim.occurrence.obligation,
            "title": obligation.title if obligation else claim.occurrence.obligation,
            "title_en": obligation.title_en if obligation else claim.occurrence.obligation,
            "period": claim.occurrence.period,
            "kind": claim.kind,
            "ground": claim.ground,
            "cause": claim.cause,
            "party": claim.claimed_by.organisation.party,
            "at": moment(claim.claimed_at),
            "state": claim.state,
            "number": self.numbers.of(claim.evidence),
        }

    def _waiting(self, proof: ManualProof) -> JSON:
        """A proof that the receiving side has not answered; who is waited for is a party, never a person."""
        obligation = self.known.get(proof.occurrence.obligation)
        return {
            "obligation": proof.occurrence.obligation,
            "title": obligation.title if obligation else proof.occurrence.obligation,
            "title_en": obligation.title_en if obligation else proof.occurrence.obligation,
            "period": proof.occurrence.period,
            "stated_by": proof.stated_by.organisation.party,
            "at": moment(proof.stated_at),
            "number": self.numbers.of(proof.evidence),
        }


class OfYear(Duties):
    """The same over everything that the contract year brought, also what falls due after its last day (handover, balance):
    one contract is one year (合同 2.3). Days are not told one by one."""

    def read(self) -> tuple[Iterable[tuple[Any, ...]], Iterable[tuple[Any, ...]], Iterable[tuple[Any, ...]]]:
        """Every occurrence; nothing is carried in."""
        rows = Occurrence.objects.order_by("due_at", "obligation", "period").values_list(*FIELDS)
        return rows, (), ()

    def read_claims(self) -> list[Claim]:
        """Every claim."""
        return list(Claim.objects.select_related("occurrence", "claimed_by__organisation").order_by("claimed_at", "id"))

    def until(self) -> datetime:
        """Whatever waits now."""
        return self.as_of + timedelta(microseconds=1)

    def _days(self, rows: Sequence[dict[str, JSON]]) -> list[JSON]:  # noqa: ARG002
        return []


def _in_period(of: Period) -> Iterable[tuple[Any, ...]]:
    due = Q(due_at__gt=of.start, due_at__lte=of.end)
    began = Q(due_at__isnull=True, starts_at__gte=of.start, starts_at__lt=of.end)
    return Occurrence.objects.filter(due | began).order_by("due_at", "obligation", "period").values_list(*FIELDS)


def _carried(of: Period) -> Iterable[tuple[Any, ...]]:
    """What fell due before the period and is open still."""
    rows = Occurrence.objects.filter(counts=True, state__in=OPEN, due_at__lte=of.start)
    return rows.order_by("due_at", "obligation", "period").values_list(*FIELDS)


def _clocks(of: Period) -> Iterable[tuple[Any, ...]]:
    """What an event started: due or settled in the period, or running on at its end; both parties' alike."""
    touched = Q(due_at__gt=of.start, due_at__lte=of.end) | Q(settled_at__gte=of.start, settled_at__lt=of.end)
    runs_on = Q(state__in=OPEN) | Q(settled_at__gte=of.end)
    rows = Occurrence.objects.filter(touched | runs_on, period__startswith="event:", starts_at__lt=of.end)
    return rows.order_by("due_at", "obligation", "period").values_list(*FIELDS)


def _claims(of: Period) -> list[Claim]:
    """The claims about occurrences of the period."""
    due = Q(occurrence__due_at__gt=of.start, occurrence__due_at__lte=of.end)
    rows = Claim.objects.filter(due).select_related("occurrence", "claimed_by__organisation")
    return list(rows.order_by("claimed_at", "id"))
