"""Accounts as the ledger knows them: role, organisation, who sleeps and since when a password holds, record by record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from yunwei.accounts.models import Account, Body, Certificate, Role, StaffMember
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


class Staff:
    """Plays the records of people and third parties through: entered, certified, confirmed, replaced, gone, engaged.

    Names are not in the ledger, so that a changed name is not seen here; the file that proves the employment is.
    """

    def __init__(self) -> None:
        self.people: dict[str, dict[str, object]] = {}
        self.papers: dict[int, Said] = {}
        self.bodies: dict[str, dict[str, object]] = {}

    def take(self, said: Said) -> None:
        room, _dot, step = said.kind.removeprefix("accounts.").partition(".")
        if not said.kind.startswith("accounts.") or room not in ("staff", "body"):
            return
        at = datetime.fromisoformat(said.at)
        if said.kind == "accounts.staff.certified":
            self.papers.setdefault(int(said.data["certificate"]), said)
        elif room == "staff":
            self._person(said, step, at)
        elif step == "entered":
            told = {"role": said.data["role"], "name": said.data["name"], "artifact": said.artifacts[0]}
            self.bodies.setdefault(said.subject, {**told, "engaged_at": None, "ended_at": None, "number": said.number})
        elif said.subject in self.bodies:
            self.bodies[said.subject][f"{step}_at"] = at

    def _person(self, said: Said, step: str, at: datetime) -> None:
        if step == "entered":
            told = {"position": said.data["position"], "key": said.data["key"], "artifact": said.artifacts[0]}
            empty = dict.fromkeys(("confirmed", "since", "until", "demanded_at"))
            self.people.setdefault(said.subject, {**told, **empty, "number": said.number})
        known = self.people.get(said.subject)
        if known is None:
            return
        if step in ("confirmed", "refused"):
            known["confirmed"], known["since"] = step == "confirmed", at if step == "confirmed" else None
        elif step == "demanded":
            known["demanded_at"] = at
        elif step in ("replaced", "left"):
            known["until"] = at
        if step == "replaced" and (new := self.people.get(str(said.data["by"]))) is not None:
            new["confirmed"], new["since"], new["key"] = True, at, said.data["key"]

    def differences(self) -> Iterator[Difference]:
        for row in StaffMember.objects.order_by("code"):
            known = self.people.pop(row.code, {})
            yield from compare("accounts", f"staff:{row.code}", _number(known), {
                "position": (row.position, known.get("position")), "key": (row.key_person, known.get("key")),
                "artifact": (row.artifact, known.get("artifact")), "confirmed": (row.confirmed, known.get("confirmed")),
                "since": (row.since, known.get("since")), "until": (row.until, known.get("until")),
                "demanded_at": (row.demanded_at, known.get("demanded_at")),
            })  # fmt: skip
        for paper in Certificate.objects.select_related("member").order_by("pk"):
            said = self.papers.pop(paper.pk, None)
            ends = said.data.get("expires") or None if said else None
            yield from compare("accounts", f"certificate:{paper.pk}", said.number if said else None, {
                "member": (paper.member.code, said.subject if said else None),
                "title": (paper.title, said.data.get("title") if said else None),
                "expires": (paper.expires.isoformat() if paper.expires else None, ends),
                "artifact": (paper.artifact, said.artifacts[0] if said else None),
            })  # fmt: skip
        for body in Body.objects.order_by("code"):
            known = self.bodies.pop(body.code, {})
            yield from compare("accounts", f"body:{body.code}", _number(known), {
                name: (getattr(body, name), known.get(name))
                for name in ("role", "name", "artifact", "engaged_at", "ended_at")
            })  # fmt: skip
        for code, known in sorted({**self.people, **self.bodies}.items()):
            yield Difference("accounts", code, "row", "—", code, _number(known))
        for number, said in sorted(self.papers.items()):
            yield Difference("accounts", f"certificate:{number}", "row", "—", said.subject, said.number)


def _number(known: dict[str, object]) -> int | None:
    number = known.get("number")
    return number if isinstance(number, int) else None


FOLDS = (Accounts, Staff)
