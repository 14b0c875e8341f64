"""Accounts as the ledger knows them: role and organisation never change, and who sleeps was not woken in the table."""

from __future__ import annotations

from collections.abc import Iterator

from yunwei.accounts.models import Account
from yunwei.ledger.audit import Difference, Said, compare


class Accounts:
    """Every account's role, organisation and side, as they were recorded when it was made."""

    def __init__(self) -> None:
        self.made: dict[str, Said] = {}
        self.awake: set[str] = set()

    def take(self, said: Said) -> None:
        if said.kind == "accounts.account.created":
            self.made.setdefault(said.subject, said)
        elif said.kind == "accounts.account.activated":
            self.awake.add(said.subject)

    def differences(self) -> Iterator[Difference]:
        for account in Account.objects.select_related("organisation").order_by("username"):
            said = self.made.pop(account.username, None)
            data = said.data if said else {}
            yield from compare("accounts", account.username, said.number if said else None, {
                "role": (account.role, data.get("role")),
                "organisation": (account.organisation.code, data.get("organisation")),
                "active": (account.is_active, data.get("active", account.is_active) or account.username in self.awake),
                "party": (account.party, data.get("party", account.party) if said else None),
            })  # fmt: skip
        for name, said in sorted(self.made.items()):
            yield Difference("accounts", name, "row", "—", str(said.data.get("role")), said.number)


FOLDS = (Accounts,)
