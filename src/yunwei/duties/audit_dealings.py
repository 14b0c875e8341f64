"""Consents, acts, notices and the roster as the ledger knows them, and changes of people against the consents they need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yunwei.accounts.models import Body, PartyOf, StaffMember
from yunwei.accounts.services import PARTY_OF_ROLE
from yunwei.duties.consents import Grant, covers
from yunwei.duties.models import Consent, ConsentAct, Notice, RosterEntry
from yunwei.ledger.audit import Difference, Said, compare

JSON = Any
ROOM = "duties"
BUSINESS = frozenset({PartyOf.A.value, PartyOf.B.value})


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


@dataclass(slots=True)
class Steps:
    """What the records say of one row: its first record, and the last of each step."""

    first: Said
    steps: dict[str, Said] = field(default_factory=dict)

    def at(self, step: str) -> datetime | None:
        """When a step was taken, by the record."""
        return _moment(self.steps[step].at) if step in self.steps else None


class _Played:
    """Plays the records of one kind of rows through, by the steps after the first."""

    def __init__(self) -> None:
        self.known: dict[int, Steps] = {}
        self.sides: dict[str, str] = {}

    def account(self, said: Said) -> None:
        """Remember the side of an account."""
        if said.kind == "accounts.account.created":
            side = PARTY_OF_ROLE.get(said.data.get("role", ""))
            self.sides.setdefault(said.subject, str(side or said.data.get("party", "")))

    def other_side(self, one: Said, two: Said) -> bool:
        """Whether two records are of accounts of the two sides; an account whose making no record tells is not judged."""
        a, b = self.sides.get(one.actor), self.sides.get(two.actor)
        return a is None or b is None or ({a, b} == BUSINESS)

    def step(self, said: Said, first: str, name: str) -> None:
        """Take one record of a row: `subject` is "what:number"."""
        number = int(said.subject.rpartition(":")[2])
        if name == first:
            self.known.setdefault(number, Steps(said))
        elif number in self.known:
            self.known[number].steps.setdefault(name, said)

    def left(self, what: str) -> Iterator[Difference]:
        """Rows that the records tell of and that are gone."""
        for number, steps in sorted(self.known.items()):
            yield Difference(ROOM, f"{what}:{number}", "row", "—", steps.first.subject, steps.first.number)


class Consents(_Played):
    """Asked, answered by the other side, taken back; acts by the consent that covered them; people and bodies by theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: dict[int, Said] = {}
        self.changes: list[tuple[Said, str]] = []

    def take(self, said: Said) -> None:
        self.account(said)
        if said.kind.startswith("duties.consent."):
            self.step(said, "asked", said.kind.rpartition(".")[2])
        elif said.kind == "duties.act.recorded":
            self.acts.setdefault(int(said.data["act"]), said)
        elif said.kind in ("accounts.staff.replaced", "accounts.staff.left", "accounts.body.engaged"):
            new = said.data.get("by", "")
            about = said.subject if said.kind == "accounts.body.engaged" else f"{said.subject}>{new}"
            self.changes.append((said, about))

    def _grant(self, number: int) -> tuple[Grant, JSON] | None:
        steps = self.known.get(number)
        granted = steps.steps.get("granted") if steps else None
        if steps is None or granted is None or not self.other_side(steps.first, granted):
            return None
        data, at = steps.first.data, _moment(granted.at)
        starts, ends = _moment(data["starts"]), _moment(data["ends"])
        if at is None or starts is None or ends is None:
            return None
        return Grant(at, starts, ends, steps.at("revoked")), data

    def _had(self, number: object, about: str, at: datetime | None) -> bool:
        """Whether the records hold that consent, for this and at that moment."""
        found = self._grant(int(str(number))) if number is not None else None
        return found is not None and at is not None and found[1]["subject"] == about and covers(found[0], at)

    def differences(self) -> Iterator[Difference]:
        yield from self._unheld()
        for row in Consent.objects.select_related("asked_by", "answered_by").order_by("pk"):
            steps = self.known.get(row.pk)
            yield from self._consent(row, steps)
        for act in ConsentAct.objects.order_by("pk"):
            said = self.acts.pop(act.pk, None)
            data = said.data if said else {}
            covered = act.consent_id if self._had(act.consent_id, act.subject, act.at) else None
            yield from compare(ROOM, f"act:{act.pk}", said.number if said else None, {
                "obligation": (act.obligation, data.get("obligation")), "subject": (act.subject, data.get("subject")),
                "at": (act.at, _moment(data.get("at"))), "what": (act.what, data.get("what")),
                "consent": (act.consent_id, data.get("consent") if act.consent_id is None else covered),
            })  # fmt: skip
        for number, said in sorted(self.acts.items()):
            yield Difference(ROOM, f"act:{number}", "row", "—", str(said.data["subject"]), said.number)
        there = set(Consent.objects.values_list("pk", flat=True))
        self.known = {n: s for n, s in self.known.items() if n not in there}
        yield from self.left("consent")

    def _unheld(self) -> Iterator[Difference]:
        """Changes of people and bodies that name a consent which the records do not hold for them."""
        for said, about in self.changes:
            consent = said.data.get("consent")
            if consent is not None and not self._had(consent, about, _moment(said.at)):
                yield Difference(ROOM, said.subject, "consent", str(consent), "—", said.number)

    def _consent(self, row: Consent, steps: Steps | None) -> Iterator[Difference]:
        data = steps.first.data if steps else {}
        said = steps.steps.get("granted") or steps.steps.get("refused") if steps else None
        fair = steps is None or said is None or self.other_side(steps.first, said)
        granted = None if said is None else said.kind.endswith("granted")
        yield from compare(ROOM, f"consent:{row.pk}", steps.first.number if steps else None, {
            "obligation": (row.obligation, data.get("obligation")), "subject": (row.subject, data.get("subject")),
            "what": (row.what, data.get("what")), "asked_by": (row.asked_by.username, steps.first.actor if steps else None),
            "asked_at": (row.asked_at, _moment(steps.first.at) if steps else None),
            "starts": (row.starts, _moment(data.get("starts"))), "ends": (row.ends, _moment(data.get("ends"))),
            "granted": (row.granted, granted if fair else None),
            "answered_at": (row.answered_at, _moment(said.at) if said else None),
            "answered_by": (row.answered_by.username if row.answered_by else None, said.actor if said else None),
            "revoked_at": (row.revoked_at, steps.at("revoked") if steps else None),
            "withdrawn_at": (row.withdrawn_at, steps.at("withdrawn") if steps else None),
        })  # fmt: skip


class Notices(_Played):
    """Sent, served or not, received or disputed by the other side."""

    def take(self, said: Said) -> None:
        self.account(said)
        if said.kind.startswith("duties.notice."):
            self.step(said, "sent", said.kind.rpartition(".")[2])

    def differences(self) -> Iterator[Difference]:
        for row in Notice.objects.select_related("sent_by", "answered_by").order_by("pk"):
            steps = self.known.pop(row.pk, None)
            data = steps.first.data if steps else {}
            after = steps.steps if steps else {}
            ended = after.get("served") or after.get("failed")
            told = ended.data if ended else {}
            state = "sent" if ended is None else ended.kind.rpartition(".")[2]
            word = after.get("received") or after.get("disputed")
            yield from compare(ROOM, f"notice:{row.pk}", steps.first.number if steps else None, {
                "kind": (row.kind, data.get("notice")), "way": (row.way, data.get("way")),
                "sender": (row.sender, data.get("sender")), "title": (row.title, data.get("title")),
                "text": (row.text, data.get("text")), "new_address": (row.new_address, data.get("new_address")),
                "sent_at": (row.sent_at, _moment(data.get("sent_at"))), "event": (row.event_id, data.get("event")),
                "state": (row.state, state), "outcome": (row.outcome or None, told.get("outcome")),
                "effective_at": (row.effective_at, _moment(told.get("effective_at"))),
                "started": (row.started_id, told.get("started")), "proof": (row.proof_id, told.get("proof")),
                "received": (row.received, self._received(steps, ended, word)),
            })  # fmt: skip
        yield from self.left("notice")

    def _received(self, steps: Steps | None, ended: Said | None, word: Said | None) -> bool | None:
        """The receiver's own word: its answer, or that it said itself that it was served. The sender's is none."""
        if steps is None:
            return None
        if word is not None:
            return word.kind.endswith("received") if self.other_side(steps.first, word) else None
        served = ended is not None and ended.kind.endswith("served")
        one, two = self.sides.get(steps.first.actor), self.sides.get(ended.actor if ended else "")
        return True if served and one and two and one != two else None


class Roster(_Played):
    """Who covers which slot, taken back by who said it, found empty by the other side."""

    def take(self, said: Said) -> None:
        self.account(said)
        if said.kind.startswith("duties.roster."):
            self.step(said, "assigned", said.kind.rpartition(".")[2])

    def differences(self) -> Iterator[Difference]:
        for row in RosterEntry.objects.select_related("member").order_by("pk"):
            steps = self.known.pop(row.pk, None)
            data = steps.first.data if steps else {}
            yield from compare(ROOM, f"roster:{row.pk}", steps.first.number if steps else None, {
                "day": (row.day.isoformat(), data.get("day")), "slot": (row.slot, data.get("slot")),
                "member": (row.member.code, data.get("member")), "stand_in": (row.stand_in, data.get("stand_in")),
                "cleared_at": (row.cleared_at, steps.at("cleared") if steps else None),
                "empty_at": (row.empty_at, steps.at("found_empty") if steps else None),
            })  # fmt: skip
        yield from self.left("roster")


class Register(_Played):
    """The consents that the register of people and third parties names, as the records of their changes say."""

    def __init__(self) -> None:
        super().__init__()
        self.named: dict[tuple[str, str], JSON] = {}

    def take(self, said: Said) -> None:
        if said.kind == "accounts.staff.replaced":
            for code in (said.subject, str(said.data["by"])):
                self.named[("staff", code)] = said.data.get("consent")
        elif said.kind == "accounts.staff.left":
            self.named[("staff", said.subject)] = said.data.get("consent")
        elif said.kind == "accounts.body.engaged":
            self.named[("body", said.subject)] = said.data.get("consent")

    def differences(self) -> Iterator[Difference]:
        for what, model in (("staff", StaffMember), ("body", Body)):
            for row in model.objects.order_by("code"):
                named = self.named.get((what, row.code))
                yield from compare(ROOM, f"{what}:{row.code}", None, {"consent": (row.consent, named)})


FOLDS = (Consents, Notices, Roster, Register)
