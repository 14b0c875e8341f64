"""Claims, cases of force majeure and conflicts of rules as the ledger knows them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from yunwei.assessment.models_claims import Conflict, Demand, Majeure
from yunwei.ledger.audit import Difference, Said, compare

ROOM = "assessment"
#: a record that the sequencer has not numbered is newer than every one that has a number
NEWEST = 1 << 62


def _money(told: Any) -> Decimal | None:
    return Decimal(told) if told else None


class Demands:
    """Each claim and its answer."""

    def __init__(self) -> None:
        self.made: dict[int, Said] = {}
        self.answered: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind == "assessment.demand.made":
            self.made[int(said.data["id"])] = said
        elif said.kind.startswith("assessment.demand."):
            self.answered[int(said.data["id"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Demand.objects.all():
            made, answered = self.made.pop(row.pk, None), self.answered.get(row.pk)
            last = answered or made
            data: dict[str, Any] = dict(made.data) if made else {}
            yield from compare(ROOM, f"demand:{row.pk}", last.number if last else None, {
                "side": (row.side, data.get("side")),
                "claim": (row.kind, data.get("claim")),
                "ground": (row.ground, data.get("ground")),
                "amount": (row.amount, _money(data.get("amount"))),
                "event": (row.event_id, data.get("event")),
                "outcome": (row.outcome, answered.kind.rpartition(".")[2] if answered else ""),
                "agreed": (row.agreed, _money(answered.data.get("agreed")) if answered else None),
            })  # fmt: skip
        for number, said in sorted(self.made.items()):
            yield Difference(ROOM, f"demand:{number}", "row", "—", said.kind, said.number)


class Cases:
    """Each case of force majeure: its event, its end, the claims named in it, and the answer."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, Said]] = {}

    def take(self, said: Said) -> None:
        if said.kind.startswith("assessment.majeure."):
            self.steps.setdefault(int(said.data["id"]), {})[said.kind.rpartition(".")[2]] = said

    def differences(self) -> Iterator[Difference]:
        for row in Majeure.objects.all():
            told = self.steps.pop(row.pk, {})
            opened, last = told.get("opened"), max(told.values(), key=lambda s: s.number or NEWEST, default=None)
            data: dict[str, Any] = dict(opened.data) if opened else {}
            accepted = True if "accepted" in told else False if "disputed" in told else None
            yield from compare(ROOM, f"majeure:{row.pk}", last.number if last else None, {
                "event": (row.occurred_id, data.get("event")),
                "side": (row.side, data.get("side")),
                "obligations": (row.obligations, data.get("obligations")),
                "ended": (row.ended_id, told["ended"].data["event"] if "ended" in told else None),
                "claims": (row.claims, told["named"].data["claims"] if "named" in told else []),
                "accepted": (row.accepted, accepted),
            })  # fmt: skip
        for number, steps in sorted(self.steps.items()):
            said = next(iter(steps.values()))
            yield Difference(ROOM, f"majeure:{number}", "row", "—", said.kind, said.number)


class Conflicts:
    """Each conflict of rules, whom it was sent to, and what holds."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, Said]] = {}

    def take(self, said: Said) -> None:
        if said.kind.startswith("assessment.conflict."):
            self.steps.setdefault(int(said.data["id"]), {})[said.kind.rpartition(".")[2]] = said

    def differences(self) -> Iterator[Difference]:
        for row in Conflict.objects.all():
            told = self.steps.pop(row.pk, {})
            recorded, last = told.get("recorded"), max(told.values(), key=lambda s: s.number or NEWEST, default=None)
            data: dict[str, Any] = dict(recorded.data) if recorded else {}
            yield from compare(ROOM, f"conflict:{row.pk}", last.number if last else None, {
                "left": ([row.left, row.left_clause], data.get("left")),
                "right": ([row.right, row.right_clause], data.get("right")),
                "obligations": (row.obligations, data.get("obligations")),
                "authority": (row.authority, told["sent"].data["authority"] if "sent" in told else ""),
                "holds": (row.holds, told["decided"].data["holds"] if "decided" in told else ""),
            })  # fmt: skip
        for number, steps in sorted(self.steps.items()):
            said = next(iter(steps.values()))
            yield Difference(ROOM, f"conflict:{number}", "row", "—", said.kind, said.number)


FOLDS = (Demands, Cases, Conflicts)
