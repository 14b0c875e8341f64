"""Accounts as the ledger knows them: role, organisation, who sleeps and since when a password holds, record by record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from yunwei.accounts.models import Account, Role
from yunwei.ledger.audit import Difference, Said, compare

_PASSWORD = frozenset({"accounts.password.changed", "accounts.password.given", "accounts.password.reset"})


@dataclass(slots=True)
class Known:
    """An account as its records leave it."""

    made: Said
    role: str
    active: bool | None  # None: the records of its time did not say
    changed_at: datetime | None


class Accounts:
    """Plays the records of accounts through: made, woken, put to sleep, given a role, given a password."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}

    def take(self, said: Said) -> None:
        if said.kind == "accounts.account.created":
            at = datetime.fromisoformat(said.at) if said.data.get("password") else None
            role = str(said.data.get("role"))
            self.known.setdefault(said.subject, Known(said, role, said.data.get("active"), at))
        elif (known := self.known.get(said.subject)) is not None:
            self._changed(said, known)

    def _changed(self, said: Said, known: Known) -> None:
        if said.kind in _PASSWORD:
            known.changed_at = datetime.fromisoformat(said.at)
        officer = self.known.get(said.actor)
        if officer is None or officer.role != Role.SECADMIN or said.actor in (said.subject, known.made.actor):
            return  # whoever wrote that record could not do what it says
        if said.kind == "accounts.account.activated":
            known.active = True
        elif said.kind == "accounts.account.slept":
            known.active = False
        elif said.kind == "accounts.account.role":
            known.role = str(said.data.get("role"))

    def differences(self) -> Iterator[Difference]:
        for account in Account.objects.select_related("organisation").order_by("username"):
            known = self.known.pop(account.username, None)
            if known is None:
                yield from compare("accounts", account.username, None, {"role": (account.role, None)})
                continue
            data = known.made.data
            yield from compare("accounts", account.username, known.made.number, {
                "role": (account.role, known.role),
                "organisation": (account.organisation.code, data.get("organisation")),
                "active": (account.is_active, account.is_active if known.active is None else known.active),
                "party": (account.party, data.get("party", account.party)),
                "made_by": (account.made_by or known.made.actor, known.made.actor),
                "password_changed_at": (account.password_changed_at, known.changed_at),
            })  # fmt: skip
        for name, known in sorted(self.known.items()):
            yield Difference("accounts", name, "row", "—", known.role, known.made.number)


FOLDS = (Accounts,)
