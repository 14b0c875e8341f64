"""Tickets as the ledger knows them: kind, title, and the state that the recorded moves lead to."""

from __future__ import annotations

from collections.abc import Iterator

from yunwei.desk.models import Ticket
from yunwei.ledger.audit import Difference, Said, compare


class Tickets:
    """Each ticket by its number."""

    def __init__(self) -> None:
        self.opened: dict[str, Said] = {}
        self.last: dict[str, tuple[str, int | None]] = {}

    def take(self, said: Said) -> None:
        if said.kind == "desk.ticket.opened":
            self.opened.setdefault(said.subject, said)
            self.last.setdefault(said.subject, ("new", said.number))
        elif said.kind == "desk.ticket.moved":
            self.last[said.subject] = (str(said.data.get("to")), said.number)

    def differences(self) -> Iterator[Difference]:
        for row in Ticket.objects.order_by("number"):
            said, (state, number) = self.opened.pop(row.number, None), self.last.get(row.number, (None, None))
            data = said.data if said else {}
            yield from compare("desk", row.number, number, {
                "state": (row.state, state),
                "kind": (row.kind, data.get("kind")),
                "title": (row.title, data.get("title")),
            })  # fmt: skip
        for name, said in sorted(self.opened.items()):
            yield Difference("desk", name, "row", "—", str(said.data.get("title")), said.number)


FOLDS = (Tickets,)
