"""Pinned identities as the ledger knows them: who was pinned, with which fields, and that 甲方 confirmed."""

from __future__ import annotations

from collections.abc import Iterator

from yunwei.assets.identity import CONFIRMERS
from yunwei.assets.models import IdentityPin
from yunwei.ledger.audit import Difference, Said, compare

_VERBS = {"pinned": "waiting", "changed": "waiting", "confirmed": "confirmed", "refused": "refused"}


class Pins:
    """Each pin's fields and state by its number; a pin never changes after it was made but for the one decision."""

    def __init__(self) -> None:
        self.pins: dict[int, tuple[Said, str]] = {}
        self.roles: dict[str, str] = {}
        self.wrong: list[Difference] = []

    def take(self, said: Said) -> None:
        if said.kind == "accounts.account.created":
            self.roles.setdefault(said.subject, str(said.data.get("role")))
        if not said.kind.startswith("assets.identity."):
            return
        verb = said.kind.rpartition(".")[2]
        self.pins[int(said.data["pin"])] = (said, _VERBS[verb])
        role = self.roles.get(said.actor)
        if verb in ("confirmed", "refused") and role is not None and role not in {str(r) for r in CONFIRMERS}:
            self.wrong.append(Difference("assets", said.subject, f"{verb}_by", said.actor, role, said.number))

    def differences(self) -> Iterator[Difference]:
        yield from self.wrong
        for pin in IdentityPin.objects.select_related("endpoint__asset").order_by("pk"):
            said, state = self.pins.pop(pin.pk, (None, None))
            shown = "confirmed" if pin.confirmed_at else "refused" if pin.refused_at else "waiting"
            name = f"{pin.endpoint.asset.code} {pin.endpoint.protocol} pin {pin.pk}"
            yield from compare("assets", name, said.number if said else None, {
                "state": (shown, state),
                "fields": (pin.fields, said.data.get("fields") if said else None),
                "asset": (pin.endpoint.asset.code, said.subject if said else None),
                "protocol": (pin.endpoint.protocol, said.data.get("protocol") if said else None),
            })  # fmt: skip
        for number, (said, state) in sorted(self.pins.items()):
            yield Difference("assets", f"{said.subject} pin {number}", "row", "—", state, said.number)


FOLDS = (Pins,)
