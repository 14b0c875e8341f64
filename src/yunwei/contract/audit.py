"""Versions of the service plan, closed open items and supplements as the ledger knows them: body, state, and who decided."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings

from yunwei.accounts.services import PARTY_OF_ROLE
from yunwei.contract import closings, supplements
from yunwei.contract.models import Closing, PlanVersion, Supplement
from yunwei.contract.plans import DECIDERS
from yunwei.gm import sm3
from yunwei.kernel.canonical import canonical
from yunwei.ledger.audit import Difference, Said, compare
from yunwei.ledger.models import Artifact


class Plans:
    """Each version's records: proposed with the commitment of its body, then approved or refused; approved in part with
    what was refused and the commitment of the body that counts."""

    def __init__(self) -> None:
        self.proposed: dict[int, Said] = {}
        self.decided: dict[int, Said] = {}
        self.roles: dict[str, str] = {}

    def take(self, said: Said) -> None:
        if said.kind == "accounts.account.created":
            self.roles.setdefault(said.subject, str(said.data.get("role")))
        elif said.kind == "contract.plan.proposed":
            self.proposed.setdefault(int(said.data["version"]), said)
        elif said.kind in ("contract.plan.approved", "contract.plan.refused"):
            self.decided.setdefault(int(said.data["version"]), said)

    def differences(self) -> Iterator[Difference]:
        for row in PlanVersion.objects.order_by("version"):
            proposed, decided = self.proposed.pop(row.version, None), self.decided.get(row.version)
            name, last = f"plan:{row.version}", decided or proposed
            day = decided.data.get("counts_from") or None if decided else None
            yield from compare("contract", name, last.number if last else None, {
                "state": (row.state, last.kind.rpartition(".")[2] if last else None),
                "counts_from": (row.counts_from.isoformat() if row.counts_from else None, day),
                "base": (row.base or 0, proposed.data.get("base") if proposed else None),
                "body": (_commitment(row.body, proposed), _first(proposed)),
                "refused": (row.refused, decided.data.get("refused", {}) if decided else {}),
                "counted": (_commitment(row.counted, decided) if row.counted is not None else None, _first(decided)),
            })  # fmt: skip
            if decided and decided.actor in self.roles:
                allowed = {str(role) for roles in DECIDERS.values() for role in roles}
                role = self.roles[decided.actor]
                if role not in allowed:
                    side = PARTY_OF_ROLE.get(role)  # type: ignore[call-overload]
                    yield Difference(
                        "contract", name, "decided_by", decided.actor, f"{role} {side or ''}", decided.number
                    )
        for version, said in sorted(self.proposed.items()):
            yield Difference("contract", f"plan:{version}", "row", "—", "proposed", said.number)


def _first(said: Said | None) -> str | None:
    return said.artifacts[0] if said and said.artifacts else None


def _commitment(body: Any, said: Said | None) -> str | None:
    """The commitment of a body as it lies in the row, under the salt that the artifact of its record has."""
    artifact = Artifact.objects.filter(commitment=_first(said)).first() if _first(said) else None
    if artifact is None:
        return None
    if artifact.redacted_at is not None:
        return _first(said)
    return sm3.digest_parts([bytes(artifact.salt), canonical(body)]).hex()


class Closings:
    """Each closing's records, and the file in the contract folder that must follow from them."""

    def __init__(self) -> None:
        self.proposed: dict[int, Said] = {}
        self.decided: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind == "contract.closing.proposed":
            self.proposed[int(said.data["id"])] = said
        elif said.kind in ("contract.closing.confirmed", "contract.closing.refused"):
            self.decided[int(said.data["id"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Closing.objects.all():
            proposed, decided = self.proposed.pop(row.pk, None), self.decided.get(row.pk)
            last = decided or proposed
            answer = {None: None, "confirmed": True, "refused": False}
            yield from compare("contract", f"closing:{row.pk}", last.number if last else None, {
                "item": (row.item, proposed.data["item"] if proposed else None),
                "answer": (row.answer, proposed.data["answer"] if proposed else None),
                "confirmed": (row.confirmed, answer[decided.kind.rpartition(".")[2] if decided else None]),
            })  # fmt: skip
        for number, said in sorted(self.proposed.items()):
            yield Difference("contract", f"closing:{number}", "row", "—", said.kind, said.number)
        path = Path(settings.INSTANCE or ".") / "contract" / closings.FILE
        there = path.read_text("utf-8") if path.is_file() else ""
        if there != closings.text():
            yield Difference("contract", closings.FILE, "text", there, closings.text())


class Supplements:
    """Each supplement's records, and the file in the contract folder that must follow from them."""

    def __init__(self) -> None:
        self.proposed: dict[int, Said] = {}
        self.decided: dict[int, Said] = {}

    def take(self, said: Said) -> None:
        if said.kind == "contract.supplement.proposed":
            self.proposed[int(said.data["id"])] = said
        elif said.kind in ("contract.supplement.confirmed", "contract.supplement.refused"):
            self.decided[int(said.data["id"])] = said

    def differences(self) -> Iterator[Difference]:
        for row in Supplement.objects.all():
            proposed, decided = self.proposed.pop(row.pk, None), self.decided.get(row.pk)
            last = decided or proposed
            answer = {None: None, "confirmed": True, "refused": False}
            said = proposed.data["content"] if proposed else {}
            yield from compare("contract", f"supplement:{row.pk}", last.number if last else None, {
                "content": (row.content, said or None),
                "added": (row.added, Decimal(str(said.get("added", "0"))) if proposed else None),
                "confirmed": (row.confirmed, answer[decided.kind.rpartition(".")[2] if decided else None]),
            })  # fmt: skip
        for number, said_ in sorted(self.proposed.items()):
            yield Difference("contract", f"supplement:{number}", "row", "—", said_.kind, said_.number)
        path = Path(settings.INSTANCE or ".") / "contract" / supplements.FILE
        there = path.read_text("utf-8") if path.is_file() else ""
        if there != supplements.text():
            yield Difference("contract", supplements.FILE, "text", there, supplements.text())


FOLDS = (Plans, Closings, Supplements)
