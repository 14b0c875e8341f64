"""Acts are forms that are sent: an address alone, which any other page can make a browser fetch, does nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory

from tests.ui import every_page, scene
from yunwei.accounts import tokens
from yunwei.accounts.models import Account
from yunwei.assets.models import Asset, Zone
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket
from yunwei.duties.papers import File
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Intake
from yunwei.ledger.web import verify
from yunwei.ui.context import now
from yunwei.ui.pages import REGISTRY

pytestmark = pytest.mark.django_db
#: what only a form may ask for
ACTS = frozenset(
    {
        "asset-identity", "asset-part", "audit-compare", "evidence-bundle", "finding-close", "language", "logout",
        "portal-ticket-move", "portal-ticket-say", "report-build", "report-copy", "sweep-again", "ticket-move",
        "ticket-proof", "ticket-say",
    }
)  # fmt: skip
#: reading is evidence, and a visit of one's own session is no act
READS = frozenset({"ledger.read", "ledger.exported", "desk.exported"})


def test_an_address_alone_does_nothing(people: dict[str, Account], settings: Any) -> None:
    settings.YUNWEI = {"demo": True}
    world = every_page.build(people)
    before = Intake.objects.exclude(kind__in=READS).count()
    ask, refused = every_page.Asker(people), set()
    for page in every_page.pages():
        url = every_page.address(page, real=every_page.real_for(page, world))
        for method in ("get", "head", "options"):
            answer = ask(
                ask.who(page),
                method,
                url,
                {"to": "accepted", "answer": "confirm", "text": "x", "reason": "x", "act": "again"},
            )
            assert answer is not None, ask.broken
            if method == "get" and answer.status_code == 405:
                refused.add(page.name)
    after = Intake.objects.exclude(kind__in=READS).order_by("id").values_list("kind", flat=True)
    told = set(after[before:])
    assert not told
    assert ACTS - {"language", "logout"} <= refused, "asked for by an address: " + " ".join(sorted(ACTS - refused))
    client = Client()
    client.force_login(people["b_manager"])
    assert client.get("/logout").status_code == 405
    assert REGISTRY["today"].allows(people["b_manager"])
    assert client.get("/today").status_code == 200, "still in"


@pytest.mark.parametrize("number", ["9" * 5000, "９" * 3, str(2**64), "-1", ""])
def test_a_number_that_no_row_has_is_not_found_on_a_ticket(
    client: Client, people: dict[str, Account], number: str
) -> None:
    ticket = desk.open_ticket("request", "x", by=people["tenant"], now=now() - timedelta(hours=1))
    client.force_login(people["b_manager"])
    assert client.post(f"/tickets/{ticket.number}/proof", {"row": number, "text": "x"}).status_code == 404
    if number:
        assert client.post(f"/tickets/{ticket.number}/proof", {"proof": number, "answer": "confirm"}).status_code == 404


def test_a_department_is_not_told_that_the_parties_spoke(client: Client, people: dict[str, Account]) -> None:
    ticket = desk.open_ticket("request", "x", by=people["tenant"], now=now() - timedelta(hours=1))
    client.force_login(people["tenant"])
    address = f"/portal/tickets/{ticket.number}/now?part=history"

    def lines() -> int:
        return client.get(address).content.decode().count("<time")

    before = lines()
    desk.comment(ticket.pk, "between us", by=people["b_manager"], now=now(), inside=True, file=File("a.txt", b"x"))
    assert lines() == before, "neither what nor that, nor when"
    desk.comment(ticket.pk, "to you", by=people["b_manager"], now=now())
    assert lines() > before
    assert Ticket.objects.get().history.filter(inside=True).exists()


def test_a_department_uses_the_api_for_itself_alone(client: Client, people: dict[str, Account]) -> None:
    zone = Zone.objects.create(code="z", name="z")
    for code, who in (("MINE", "tenant"), ("OTHERS", "other")):
        Asset.objects.create(code=code, name=code, kind="host", zone=zone, owner=people[who].organisation)
    _token, secret = tokens.make(people["tenant"], "x", ["read", "tickets"], 1, now=now())
    key = {"Authorization": f"Bearer {secret}"}

    def asked(asset: str) -> int:
        body = {"kind": "fault", "title": "x", "asset": asset}
        return client.post("/api/v1/tickets", body, content_type="application/json", headers=key).status_code

    assert (asked("MINE"), asked("OTHERS"), asked("NONE")) == (201, 404, 404), (
        "another's is told as one that is not there"
    )


def test_reading_evidence_by_the_api_is_evidence_too(client: Client, people: dict[str, Account]) -> None:
    desk.open_ticket("request", "x", by=people["tenant"], now=now() - timedelta(hours=1))
    ledger.sequence(now())
    _token, secret = tokens.make(people["b_manager"], "x", ["evidence"], 1, now=now())
    key = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/evidence/1", headers=key).status_code == 200
    told = Intake.objects.get(kind="ledger.read")
    assert told.actor == "b_manager"
    assert b"".join(client.get("/api/v1/evidence.ndjson?first=1", headers=key).streaming_content)
    taken = Intake.objects.filter(kind="ledger.read").latest("id")
    assert taken.pk != told.pk
    assert taken.actor == "b_manager"
    assert "tenant" in bytes(taken.body).decode(), "whom it is about"


def test_one_subscriber_of_ipv6_is_one_who_asks() -> None:
    def asks(address: str) -> str:
        return verify._from(RequestFactory().get("/verify", REMOTE_ADDR=address))

    assert asks("2001:db8:1:2::1") == asks("2001:db8:1:2:ffff::9"), "a /64 has as many addresses as it likes"
    assert asks("2001:db8:1:2::1") != asks("2001:db8:1:3::1")
    assert asks("192.0.2.1") != asks("192.0.2.2")


def test_who_does_not_decide_on_plans_is_refused_by_the_page_itself(client: Client, people: dict[str, Account]) -> None:
    scene.play(people, assets=1, occurrences=0)
    for who in ("b_manager", "b_engineer", "auditor"):
        client.force_login(people[who])
        assert client.post("/plans/1", {"act": "refuse", "reason": "x"}).status_code == 403, who
