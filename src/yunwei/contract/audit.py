"""Versions of the service plan as the ledger knows them: body, state, day of effect, and that 甲方 decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yunwei.accounts.services import PARTY_OF_ROLE
from yunwei.contract.models import PlanVersion
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


FOLDS = (Plans,)
