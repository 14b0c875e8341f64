"""Acceptance, rectification orders and handover lists as the ledger knows them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from yunwei.assessment.models_year import Acceptance, Handover, HandoverItem, Opinion, Order, Recheck
from yunwei.gm import sm3
from yunwei.kernel.canonical import canonical
from yunwei.ledger.audit import Difference, Said, compare
from yunwei.ledger.models import Artifact

ROOM = "assessment"
JSON = Any


class Acceptances:
    """Each round with its decision and answer, and each opinion with who gave it."""

    def __init__(self) -> None:
        self.submitted: dict[str, Said] = {}
        self.decided: dict[str, Said] = {}
        self.answered: dict[str, Said] = {}
        self.opinions: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind.startswith("assessment.acceptance."):
            key, verb = f"{said.data['year']}/{said.data['round']}", said.kind.rpartition(".")[2]
            match verb:
                case "submitted":
                    self.submitted[key] = said
                case "passed" | "failed":
                    self.decided[key] = said
                case "signed" | "unsigned":
                    self.answered[key] = said
                case "examined":
                    self.opinions[int(said.data["id"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Acceptance.objects.all():
            key = f"{row.year}/{row.round}"
            first, decided, answered = (
                self.submitted.pop(key, None),
                self.decided.pop(key, None),
                self.answered.pop(key, None),
            )
            last = answered or decided or first
            yield from compare(ROOM, f"acceptance:{key}", last.number if last else None, {
                "statement": (row.statement, _of(first, "statement")),
                "artifact": (row.artifact, first.artifacts[0] if first and first.artifacts else None),
                "passed": (row.passed, _verb(decided, passed=True, failed=False)),
                "reason": (row.reason, _of(decided, "reason") or ""),
                "event": (row.event_id, _of(decided, "event")),
                "signed": (row.signed, _verb(answered, signed=True, unsigned=False)),
                "answer": (row.answer, _of(answered, "answer") or ""),
            })  # fmt: skip
        for left in (self.submitted, self.decided, self.answered):
            for key, said in sorted(left.items()):
                yield Difference(ROOM, f"acceptance:{key}", "row", "—", said.kind, said.number)
        for opinion in Opinion.objects.all():
            yield from self._of_opinion(opinion)
        for number, said in sorted(self.opinions.items()):
            yield Difference(ROOM, f"opinion:{number}", "row", "—", said.kind, said.number)

    def _of_opinion(self, row: Opinion) -> Iterator[Difference]:
        said = self.opinions.pop(row.pk, None)
        who = {"qualification": row.qualification, "organisation": row.organisation, "name": row.name}
        yield from compare(ROOM, f"opinion:{row.pk}", said.number if said else None, {
            **{f: (getattr(row, f), _of(said, f)) for f in ("speaker", "organisation", "about", "conforming", "text")},
            "identity": (commitment(who, row.identity), said.artifacts[0] if said and said.artifacts else None),
            "artifact": (row.artifact, said.artifacts[1] if said and len(said.artifacts) > 1 else None),
        })  # fmt: skip


class Orders:
    """Each order, the dispute about its moment, and its rounds."""

    def __init__(self) -> None:
        self.made: dict[int, Said] = {}
        self.disputes: dict[int, Said] = {}
        self.answers: dict[int, Said] = {}
        self.reported: dict[int, Said] = {}
        self.checked: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        if not said.kind.startswith("assessment.order."):
            return
        places = {
            "made": self.made, "disputed": self.disputes, "dispute_answered": self.answers, "reported": self.reported,
            "conforming": self.checked, "nonconforming": self.checked,
        }  # fmt: skip
        places[said.kind.rpartition(".")[2]][int(said.data["id"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Order.objects.all():
            made, asked, answer = (m.pop(row.pk, None) for m in (self.made, self.disputes, self.answers))
            last = answer or asked or made
            yield from compare(ROOM, f"order:{row.pk}", last.number if last else None, {
                **{f: (getattr(row, f), _of(made, f)) for f in ("what", "clause", "about")},
                "due": (row.due_at.isoformat(), _moment(made, "due")),
                "event": (row.event_id, _of(made, "event")),
                "artifact": (row.artifact, made.artifacts[0] if made and made.artifacts else None),
                "asked": (row.asked_due.isoformat() if row.asked_due else None, _moment(asked, "until")),
                "dispute": (row.dispute, _of(asked, "reason") or ""),
                "moved": (row.moved_due.isoformat() if row.moved_due else None, _moment(answer, "until")),
                "dispute_answer": (row.dispute_answer, _of(answer, "reason") or ""),
            })  # fmt: skip
        for check in Recheck.objects.all():
            told, judged = self.reported.pop(check.pk, None), self.checked.pop(check.pk, None)
            last = judged or told
            yield from compare(ROOM, f"order:{check.order_id}/{check.number}", last.number if last else None, {
                "order": (check.order_id, _of(told, "order")),
                "round": (check.number, _of(told, "round")),
                "statement": (check.statement, _of(told, "statement")),
                "artifact": (check.artifact, told.artifacts[0] if told and told.artifacts else None),
                "conforming": (check.conforming, _verb(judged, conforming=True, nonconforming=False)),
                "finding": (check.finding, _of(judged, "finding") or ""),
            })  # fmt: skip
        for left in (self.made, self.disputes, self.answers, self.reported, self.checked):
            for number, said in sorted(left.items()):
                yield Difference(ROOM, f"order:{number}", "row", "—", said.kind, said.number)


class Handovers:
    """Each list as it was frozen, and for each item the last that each side said about it."""

    def __init__(self) -> None:
        self.opened: dict[str, Said] = {}
        self.said: dict[tuple[str, str, str, str], tuple[Said, bool, str]] = {}

    def take(self, said: Said) -> None:
        match said.kind:
            case "assessment.handover.opened":
                self.opened[said.data["year"]] = said
            case "assessment.handover.signed":
                for kind, code in said.data["items"]:
                    self.said[said.data["year"], kind, code, said.data["side"]] = (said, True, "")
            case "assessment.handover.refused":
                kind, code = said.data["item"]
                self.said[said.data["year"], kind, code, said.data["side"]] = (said, False, said.data["reason"])

    def differences(self) -> Iterator[Difference]:
        for row in Handover.objects.all():
            opened, items = self.opened.pop(row.year, None), list(row.items.order_by("id"))
            told = [
                {"kind": i.kind, "code": i.code, "title": i.title, "detail": i.detail, "source": i.source}
                for i in items
            ]
            yield from compare(ROOM, f"handover:{row.year}", opened.number if opened else None, {
                "items": (commitment({"year": row.year, "items": told}, row.artifact),
                          opened.artifacts[0] if opened and opened.artifacts else None),
            })  # fmt: skip
            for item in items:
                yield from self._of_item(row.year, item)
        for year, said in sorted(self.opened.items()):
            yield Difference(ROOM, f"handover:{year}", "row", "—", said.kind, said.number)
        for (year, kind, code, _side), (said, _yes, _why) in sorted(self.said.items()):
            yield Difference(ROOM, f"handover:{year} {kind} {code}", "row", "—", said.kind, said.number)

    def _of_item(self, year: str, item: HandoverItem) -> Iterator[Difference]:
        for side in ("given", "received"):
            said, yes, why = self.said.pop((year, item.kind, item.code, side), (None, None, ""))
            yield from compare(ROOM, f"handover:{year} {item.kind} {item.code}", said.number if said else None, {
                side: (getattr(item, side), yes),
                f"{side}_reason": (getattr(item, f"{side}_reason"), why),
            })  # fmt: skip


def _of(said: Said | None, name: str) -> JSON:
    return said.data.get(name) if said else None


def _moment(said: Said | None, name: str) -> str | None:
    """A moment of a record as rows write it: the same one in UTC."""
    text = _of(said, name)
    return datetime.fromisoformat(text).astimezone(UTC).isoformat() if text else None


def _verb(said: Said | None, **words: bool) -> bool | None:
    return words[said.kind.rpartition(".")[2]] if said else None


def commitment(content: JSON, wanted: str) -> str | None:
    """The commitment of a content as it lies in rows, under the salt that its artifact has; as it stands once redacted."""
    artifact = Artifact.objects.filter(commitment=wanted).first()
    if artifact is None:
        return None
    if artifact.redacted_at is not None:
        return wanted
    return sm3.digest_parts([bytes(artifact.salt), canonical(content)]).hex()


FOLDS = (Acceptances, Orders, Handovers)
