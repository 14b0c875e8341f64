"""Restores and the client's answers as the ledger knows them (`ledger.audit` asks)."""

from __future__ import annotations

from collections.abc import Iterator

from yunwei.ledger.audit import Difference, Said, compare
from yunwei.ledger.models import Restored
from yunwei.ledger.restored import ANSWERS, KIND

ROOM = "ledger"


class Restores:
    """Each record of a restore and the answer to it."""

    def __init__(self) -> None:
        self.declared: dict[int, Said] = {}
        self.answers: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind == KIND and said.number is not None:
            self.declared[said.number] = said
        elif said.kind in ANSWERS.values():
            self.answers[int(said.data["seq"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Restored.objects.order_by("seq"):
            said, answer = self.declared.pop(row.seq, None), self.answers.get(row.seq)
            old = (said.data["old"] or {}) if said else {}
            agreed = {kind: told for told, kind in ANSWERS.items()}.get(answer.kind) if answer else None
            yield from compare(ROOM, f"restored:{row.seq}", said.number if said else None, {
                "lost": (row.lost, said.data["lost"] if said else None),
                "old": ((row.old_number, row.old_size), (old.get("number"), old.get("size"))),
                "why": (row.why, said.data["why"] if said else None),
                "by": ((row.by, row.party), (said.actor, said.data["party"]) if said else None),
                "agreed": (row.agreed, agreed),
                "answered": (row.answered_by, answer.actor if answer else ""),
                "reason": (row.reason, answer.data["reason"] if answer else ""),
            })  # fmt: skip
        for seq, said in sorted(self.declared.items()):
            yield Difference(ROOM, f"restored:{seq}", "row", "—", said.kind, said.number)


FOLDS = (Restores,)
