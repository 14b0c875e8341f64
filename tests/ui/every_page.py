"""Every page with something behind it: the world that the tests which walk all pages stand in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.urls import get_resolver

from tests.ui import between_scene, dealings_scene, scene
from yunwei.accounts import tokens
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets.models import Asset, Endpoint, IdentityPin, System
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.duties.papers import File
from yunwei.inspect.models import Finding, PartRow
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Entry
from yunwei.ui.context import now
from yunwei.ui.pages import REGISTRY, Page

#: addresses that end the session or begin another one
SKIPPED = ("login", "logout", "me-session")


def pages() -> list[Page]:
    """Every page, but what begins and ends sessions."""
    assert get_resolver().url_patterns  # fills the registry
    return [page for page in REGISTRY.values() if not page.name.startswith(SKIPPED)]


def address(page: Page, piece: str = "", real: Mapping[str, str] | None = None) -> str:
    """A page's address, with what really is there or with `piece` in the place of each part."""
    return "/" + re.sub(r"<\w+:(\w+)>", lambda m: piece or (real or {}).get(m[1], "1"), page.route)


def build(people: dict[str, Account]) -> dict[str, str]:
    """Something behind every address; what stands in its place is returned. `people` gets the two officers."""
    for name, role in (("sec", Role.SECADMIN), ("sys", Role.SYSADMIN)):
        people[name] = Account.objects.create(
            username=name, display_name=name, role=role, organisation=Organisation.objects.get(code="A"), password=name
        )
    scene.play(people, assets=5, occurrences=2)
    edu, at = people["tenant"].organisation, now()
    system = System.objects.create(code="SYS-1", name="教务", owner=edu)
    asset = Asset.objects.get(code="SW-0003")
    Asset.objects.filter(pk=asset.pk).update(system=system, vendor="v", model="m", serial="s", position="p")
    endpoint = Endpoint.objects.create(asset=asset, protocol="snmp2c", address="192.0.2.7")
    IdentityPin.objects.create(endpoint=endpoint, fields={"serial": "s"}, pinned_at=at, pinned_by="b_engineer")
    PartRow.objects.create(
        asset=asset,
        protocol="snmp2c",
        component="psu/1",
        kind="psu",
        model="m",
        serial="s",
        first_seen_at=at,
        last_seen_at=at,
    )
    ticket = Ticket.objects.latest("id")
    Ticket.objects.filter(pk=ticket.pk).update(system=system, body="x")
    line = desk.comment(ticket.pk, "x", by=people["tenant"], now=at, file=File("a.txt", b"hi"))
    desk.open_ticket("fault", "坏了", by=people["b_engineer"], now=at, body="x", asset=asset)
    owed = Occurrence.objects.filter(state=State.DUE, owes="B").latest("id")
    ManualProof.objects.create(
        occurrence=owed, statement="x", artifact=line.artifact, file_name="x", stated_by=people["b_manager"], stated_at=at
    )  # fmt: skip
    duties.record_event("fault_reported", at=at, by=people["b_engineer"], now=at, note="x")
    tokens.make(people["b_manager"], "x", ["read"], 1, now=at)
    with transaction.atomic():
        ledger.record("ledger.read", "list", {"about": ["tenant"]}, at=at, actor="auditor")
    ledger.sequence(at)
    seq = Entry.objects.get(intake=line.evidence).seq
    return dealings_scene.play(people, at) | {
        "number": ticket.number, "entry": str(line.pk), "version": "1", "run_id": scene.RUN, "code": asset.code,
        "finding_id": str(Finding.objects.latest("id").pk), "pk": str(owed.pk), "commitment": line.artifact,
        "kind": "monthly", "key": "2026-10", "seq": str(seq), "item_id": "sme", "clause": "7.2.13",
        **between_scene.play(people, at),
    }  # fmt: skip


def real_for(page: Page, world: Mapping[str, str]) -> dict[str, str]:
    """What stands in the parts of one page's address; a record's number is another thing than a ticket's."""
    mine = dict(world)
    if page.route.startswith("evidence/"):
        mine["number"] = world["seq"]
    if page.route.startswith("obligations/"):
        mine["code"] = "S1.1-remote"
    return mine


class Asker:
    """Asks in the name of accounts and keeps what was answered with an error of ours. A text with a NUL is refused as
    PostgreSQL refuses it, whatever the database of this run."""

    def __init__(self, people: dict[str, Account]) -> None:
        self.broken: list[str] = []
        self.asked = 0
        self._clients: dict[str, Client] = {}
        self._people = people

    def who(self, page: Page) -> str:
        """An account that may open the page."""
        return next(name for name, one in self._people.items() if page.allows(one))

    def all(self, page: Page) -> list[str]:
        """One account of each side that may open the page."""
        return [n for n in ("a_manager", "b_manager", "tenant", "sec", "sys") if page.allows(self._people[n])]

    def client(self, who: str) -> Client:
        """The browser of an account."""
        if who not in self._clients:
            self._clients[who] = Client()
            self._clients[who].force_login(self._people[who])
        return self._clients[who]

    def __call__(self, who: str, method: str, url: str, data: Any = None, **more: Any) -> Any:
        self.asked += 1
        try:
            with connection.execute_wrapper(_no_nul):
                response = getattr(self.client(who), method)(url, data, **more)
                response.whole = b"".join(response.streaming_content) if response.streaming else response.content
        except Exception as error:  # noqa: BLE001 - every one is a failure that is named
            self.broken.append(f"{method} {url[:80]} {str(data)[:60]}: {type(error).__name__} {str(error)[:80]}")
            return None
        if response.status_code >= 500:
            self.broken.append(f"{method} {url[:80]}: {response.status_code}")
        return response


def _no_nul(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    if any(isinstance(p, str) and "\x00" in p for p in params or ()):
        raise ValueError("a string literal cannot contain NUL (0x00) characters")  # as psycopg says it
    return execute(sql, params, many, context)
