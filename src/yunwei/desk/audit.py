"""Tickets as the ledger knows them: what was asked and for whom, the state that the recorded moves lead to, every line."""

from __future__ import annotations

from collections.abc import Iterator

from yunwei.desk.book import ACTOR
from yunwei.desk.models import Entry, Ticket
from yunwei.gm import sm3
from yunwei.ledger.audit import Difference, Said, compare
from yunwei.ledger.models import Artifact

ROOM = "desk"
LINE = "desk.ticket."
#: lines whose words are read at once; bounds the memory
WINDOW = 500


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
        for row in Ticket.objects.select_related("asset", "system", "requester").order_by("number"):
            said, (state, number) = self.opened.pop(row.number, None), self.last.get(row.number, (None, None))
            data = said.data if said else {}
            yield from compare(ROOM, row.number, number, {
                "state": (row.state, state),
                "kind": (row.kind, data.get("kind")),
                "title": (row.title, data.get("title")),
                "requester": (row.requester.code if row.requester else None, data.get("requester")),
                "asset": (row.asset.code if row.asset else None, data.get("asset")),
                "system": (row.system.code if row.system else None, data.get("system")),
                "wanted_on": (row.wanted_on.isoformat() if row.wanted_on else None, data.get("wanted")),
            })  # fmt: skip
        for name, said in sorted(self.opened.items()):
            yield Difference(ROOM, name, "row", "—", str(said.data.get("title")), said.number)


class Lines:
    """Every line of a ticket's history, in order: who said it, whether inside, and that its words are the ones that were
    committed to."""

    def __init__(self) -> None:
        self.said: dict[str, list[Said]] = {}

    def take(self, said: Said) -> None:
        if said.kind.startswith(LINE):
            self.said.setdefault(said.subject, []).append(said)

    def differences(self) -> Iterator[Difference]:
        rows: list[Entry] = []
        for row in Entry.objects.select_related("ticket", "by").order_by("id").iterator(WINDOW):
            rows.append(row)
            if len(rows) == WINDOW:
                yield from self._compared(rows)
                rows = []
        yield from self._compared(rows)
        for name, left in sorted(self.said.items()):
            for said in left:
                yield Difference(ROOM, name, "history", "—", said.kind, said.number)

    def _compared(self, rows: list[Entry]) -> Iterator[Difference]:
        pairs = [(row, _next(self.said, row.ticket.number)) for row in rows]
        named = {c for _row, said in pairs if said for c in said.artifacts}
        known = {a.commitment: a for a in Artifact.objects.filter(commitment__in=named)}
        for row, said in pairs:
            yield from compare(ROOM, f"{row.ticket.number} #{row.pk}", said.number if said else None, {
                "what": (row.what, said.kind.removeprefix(LINE) if said else None),
                "by": (row.by.username if row.by else ACTOR, said.actor if said else None),
                "inside": (row.inside, bool(said.data.get("inside")) if said else None),
                "text": (row.text, row.text if said and _committed(row, said, known) else None),
                "artifact": (row.artifact, row.artifact if said and _carried(row, said) else None),
            })  # fmt: skip


def _next(said: dict[str, list[Said]], number: str) -> Said | None:
    """A ticket's lines and their records are written together, so that they come in the same order."""
    waiting = said.get(number)
    return waiting.pop(0) if waiting else None


def _committed(row: Entry, said: Said, known: dict[str, Artifact]) -> bool:
    """Whether the words are among what the record committed to; what was redacted cannot be held against anything."""
    if not row.text:
        return True
    found = [known[c] for c in said.artifacts if c in known]
    if any(a.redacted_at is not None for a in found):
        return True
    return any(sm3.digest_parts([bytes(a.salt), row.text.encode()]).hex() == a.commitment for a in found)


def _carried(row: Entry, said: Said) -> bool:
    return not row.artifact or row.artifact in said.artifacts


FOLDS = (Tickets, Lines)
