"""Sheets, appeals, additions and surprise tests as the ledger knows them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from yunwei.assessment import audit_between, audit_year
from yunwei.assessment.models import Addition, Appeal, SetOff, Sheet, Surprise
from yunwei.gm import sm3
from yunwei.kernel.canonical import canonical
from yunwei.ledger.audit import Difference, Said, compare
from yunwei.ledger.models import Artifact

ROOM = "assessment"


class Sheets:
    """Each month's last record, what was answered, its appeals and additions."""

    def __init__(self) -> None:
        self.sheets: dict[str, Said] = {}
        self.answers: dict[str, Said] = {}
        self.appeals: dict[int, Said] = {}
        self.additions: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        match said.kind:
            case "assessment.sheet.scored" | "assessment.sheet.frozen":
                self.sheets[said.data["month"]] = said
            case "assessment.sheet.signed" | "assessment.sheet.unsigned":
                self.answers[said.data["month"]] = said
            case "assessment.appeal.made" | "assessment.appeal.granted" | "assessment.appeal.refused":
                self.appeals[int(said.data["id"])] = said
            case "assessment.addition.made":
                self.additions[int(said.data["id"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Sheet.objects.all():
            yield from self._of_sheet(row)
        for month, said in sorted(self.sheets.items()):
            yield Difference(ROOM, f"sheet:{month}", "row", "—", said.kind, said.number)
        for appeal in Appeal.objects.all():
            told = self.appeals.pop(appeal.pk, None)
            state = {None: "made", True: "granted", False: "refused"}[appeal.granted]
            yield from compare(ROOM, f"appeal:{appeal.pk}", told.number if told else None, {
                "state": (state, told.kind.rpartition(".")[2] if told else None),
                "line": (appeal.line, told.data["line"] if told else None),
            })  # fmt: skip
        for number, said in sorted(self.appeals.items()):
            yield Difference(ROOM, f"appeal:{number}", "row", "—", said.kind, said.number)
        for addition in Addition.objects.all():
            told = self.additions.pop(addition.pk, None)
            yield from compare(ROOM, f"addition:{addition.pk}", told.number if told else None, {
                "points": (addition.points, Decimal(told.data["points"]) if told else None),
                "heading": (addition.heading, told.data["heading"] if told else None),
                "month": (addition.month, told.data["month"] if told else None),
            })  # fmt: skip
        for number, said in sorted(self.additions.items()):
            yield Difference(ROOM, f"addition:{number}", "row", "—", said.kind, said.number)

    def _of_sheet(self, row: Sheet) -> Iterator[Difference]:
        said, answered = self.sheets.pop(row.month, None), self.answers.get(row.month)
        signed = {None: None, "signed": True, "unsigned": False}[answered.kind.rpartition(".")[2] if answered else None]
        content = {"month": row.month, "rubric": row.rubric, "sheet": row.body}
        yield from compare(ROOM, f"sheet:{row.month}", said.number if said else None, {
            "state": (row.state, said.kind.rpartition(".")[2] if said else None),
            "score": (row.score, Decimal(said.data["score"]) if said else None),
            "round": (row.round, said.data["round"] if said else None),
            "body": (_commitment(content, said), said.artifacts[0] if said and said.artifacts else None),
            "signed": (row.signed, signed),
        })  # fmt: skip


class Surprises:
    """Each test's hash and, once revealed, what came of it."""

    def __init__(self) -> None:
        self.committed: dict[str, Said] = {}
        self.revealed: dict[str, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind == "assessment.surprise.committed":
            self.committed[said.data["commitment"]] = said
        elif said.kind == "assessment.surprise.revealed":
            self.revealed[said.data["commitment"]] = said

    def differences(self) -> Iterator[Difference]:
        for row in Surprise.objects.select_related("asset"):
            committed, told = self.committed.pop(row.commitment, None), self.revealed.get(row.commitment)
            last = told or committed
            data: dict[str, Any] = dict(told.data) if told else {}
            yield from compare(ROOM, f"surprise:{row.pk}", last.number if last else None, {
                "commitment": (row.commitment, committed.data["commitment"] if committed else None),
                "text": (row.text, data.get("text", "")),
                "detected": (row.detected_at.isoformat() if row.detected_at else None, data.get("detected")),
                "finding": (row.finding, data.get("finding")),
            })  # fmt: skip
        for commitment, said in sorted(self.committed.items()):
            yield Difference(ROOM, f"surprise:{commitment[:16]}", "row", "—", said.kind, said.number)


def _commitment(content: Any, said: Said | None) -> str | None:
    """The commitment of a body as it lies in the row, under the salt that the artifact of its record has."""
    wanted = said.artifacts[0] if said and said.artifacts else None
    artifact = Artifact.objects.filter(commitment=wanted).first() if wanted else None
    if artifact is None:
        return None
    if artifact.redacted_at is not None:
        return wanted
    return sm3.digest_parts([bytes(artifact.salt), canonical(content)]).hex()


class SetOffs:
    """Each set-off and what 乙方 answered."""

    def __init__(self) -> None:
        self.claimed: dict[int, Said] = {}
        self.answered: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind == "assessment.set_off.claimed":
            self.claimed[int(said.data["id"])] = said
        elif said.kind in ("assessment.set_off.accepted", "assessment.set_off.disputed"):
            self.answered[int(said.data["id"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in SetOff.objects.all():
            claimed, answered = self.claimed.pop(row.pk, None), self.answered.get(row.pk)
            last = answered or claimed
            accepted = {None: None, "accepted": True, "disputed": False}
            yield from compare(ROOM, f"set-off:{row.pk}", last.number if last else None, {
                "amount": (row.amount, Decimal(claimed.data["amount"]) if claimed else None),
                "clause": (row.clause, claimed.data.get("clause", "") if claimed else None),
                "accepted": (row.accepted, accepted[answered.kind.rpartition(".")[2] if answered else None]),
            })  # fmt: skip
        for number, said in sorted(self.claimed.items()):
            yield Difference(ROOM, f"set-off:{number}", "row", "—", said.kind, said.number)


FOLDS = (Sheets, Surprises, SetOffs, *audit_year.FOLDS, *audit_between.FOLDS)
