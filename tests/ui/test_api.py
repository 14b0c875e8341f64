"""The API: a token opens what its scope and its account's role allow, errors are problems, lists page and cost the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from yunwei.accounts import tokens
from yunwei.accounts.models import Account, Organisation, Role, Token
from yunwei.accounts.tokens import Scope, TokenError
from yunwei.assets import tables
from yunwei.assets.models import Asset, System, Zone
from yunwei.desk import services as desk
from yunwei.ledger.models import Intake
from yunwei.ui.api import API, Needs
from yunwei.ui.context import now
from yunwei.ui.pages import READERS

pytestmark = pytest.mark.django_db


def key(account: Account, *scopes: str, days: int = 1) -> dict[str, str]:
    """The headers of a new token."""
    _token, secret = tokens.make(account, "测试", scopes or ("read",), days, now=now())
    return {"Authorization": f"Bearer {secret}"}


def operations() -> Iterator[tuple[str, str, Needs]]:
    """(method, path, gate) of every operation."""
    assert get_resolver().url_patterns  # the addresses are read: the API has all its routers
    for _prefix, router in API._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                (gate,) = operation.auth_callbacks
                yield operation.methods[0], path, gate


def filled(path: str) -> str:
    return "/api/v1" + path.replace("{path:run_id}", "x").replace("{", "").replace("}", "")


def call(client: Client, method: str, address: str, headers: dict[str, str] | None = None) -> Any:
    return client.generic(method, address, b"{}", content_type="application/json", headers=headers or {})


def test_every_operation_has_a_gate_and_refuses_without_a_token(client: Client, people):
    found = list(operations())
    assert len(found) > 20
    client.force_login(people["b_manager"])  # a login is no token: a cookie opens nothing here
    for method, path, gate in found:
        assert isinstance(gate, Needs), path
        response = call(client, method, filled(path))
        assert response.status_code == 401, path
        assert response["Content-Type"] == "application/problem+json"
        assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("role", list(Role))
def test_the_role_bounds_what_a_token_may(client: Client, people, role: Role):
    party = "T" if role == Role.TENANT else {"a_": "A", "b_": "B"}.get(role.value[:2], "A")
    org = Organisation.objects.filter(party=party).first()
    account = Account.objects.create(username=f"r.{role}", display_name="x", role=role, organisation=org, password="x")
    headers = key(account, *(s.value for s in Scope))
    for method, path, gate in operations():
        status = call(client, method, filled(path), headers).status_code
        if role in gate.may:
            assert status in (200, 404, 409, 422), (path, status)
        else:
            assert status == 403, (path, status)


def test_the_scope_bounds_it_too(client: Client, people):
    headers = key(people["b_manager"], "read")
    for method, path, gate in operations():
        status = call(client, method, filled(path), headers).status_code
        assert (status == 403) == (gate.scope != "read"), path


def test_a_token_ends(client: Client, people):
    account = people["b_manager"]
    token, secret = tokens.make(account, "a", ["read"], 1, now=now())
    assert secret not in str(Intake.objects.values_list("body", flat=True))
    assert not Token.objects.filter(digest=secret).exists()
    ask = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/assets", headers=ask).status_code == 200
    Token.objects.filter(pk=token.pk).update(expires_at=now() - timedelta(seconds=1))
    assert client.get("/api/v1/assets", headers=ask).status_code == 401
    other = key(account)
    tokens.revoke(account, Token.objects.latest("id").pk, now=now())
    assert client.get("/api/v1/assets", headers=other).status_code == 401
    third = key(account)
    Account.objects.filter(pk=account.pk).update(is_active=False)
    assert client.get("/api/v1/assets", headers=third).status_code == 401
    assert Intake.objects.filter(kind="accounts.token.made").count() == 3
    assert Intake.objects.filter(kind="accounts.token.revoked").count() == 1


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [
        ("", ["read"], 1),
        ("x" * 61, ["read"], 1),
        ("a", [], 1),
        ("a", ["root"], 1),
        ("a", ["read"], 0),
        ("a", ["read"], 366),
    ],
)
def test_a_token_that_says_too_little_or_wants_too_much(people, name: str, scopes: list[str], days: int):
    with pytest.raises(TokenError):
        tokens.make(people["b_manager"], name, scopes, days, now=now())


def test_nobody_revokes_the_token_of_another(people):
    token, _secret = tokens.make(people["b_manager"], "a", ["read"], 1, now=now())
    with pytest.raises(TokenError):
        tokens.revoke(people["b_engineer"], token.pk, now=now())


def assets(count: int) -> None:
    zone, _made = Zone.objects.get_or_create(code="z", defaults={"name": "区"})
    Asset.objects.bulk_create(Asset(code=f"d{i:05}", name=f"设备{i}", kind="device", zone=zone) for i in range(count))
    tables.count_anew()  # as after an import


@pytest.mark.parametrize("count", [100, 10_000])
def test_a_list_of_fifty_costs_the_same_at_any_size(client: Client, people, count: int):
    assets(count)
    headers = key(people["b_manager"])
    client.get("/api/v1/assets", headers=headers)  # tells the token's use once
    with CaptureQueriesContext(connection) as sql:
        page = client.get("/api/v1/assets?limit=50", headers=headers).json()
    assert len(page["items"]) == 50
    assert len(sql) <= 8
    assert len(sql) == 2


def test_pages_show_every_row_once(client: Client, people):
    assets(23)
    headers, codes, after = key(people["a_manager"]), [], ""
    while True:
        page = client.get("/api/v1/assets", {"limit": 5, "after": after}, headers=headers).json()
        codes += [a["code"] for a in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert codes == [f"d{i:05}" for i in range(23)]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "zone=%00"])
def test_what_does_not_hold_is_named(client: Client, people, query: str):
    response = client.get(f"/api/v1/assets?{query}", headers=key(people["a_manager"]))
    assert response.status_code == 422
    told = response.json()
    assert told["status"] == 422
    assert told["errors"][0]["where"][-1] == query.partition("=")[0]


def test_a_misspelt_filter_is_refused_and_not_ignored(client: Client, people):
    response = client.get("/api/v1/assets?zoen=ext", headers=key(people["a_manager"]))
    assert response.status_code == 422
    assert "zoen" in response.content.decode()


def test_a_cursor_that_is_none_is_404(client: Client, people):
    response = client.get("/api/v1/assets?after=xyz", headers=key(people["a_manager"]))
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def test_a_department_has_its_own_tickets_and_systems_only(client: Client, people):
    mine = desk.open_ticket("request", "我们的", by=people["tenant"], now=now())
    theirs = desk.open_ticket("request", "他们的", by=people["other"], now=now())
    for org in ("edu", "health"):
        System.objects.create(code=f"s-{org}", name="系统", owner=Organisation.objects.get(code=org))
    headers = key(people["tenant"], "read", "tickets")
    listed = client.get("/api/v1/tickets", headers=headers).json()["items"]
    assert [t["number"] for t in listed] == [mine.number]
    assert [s["code"] for s in client.get("/api/v1/systems", headers=headers).json()["items"]] == ["s-edu"]
    for path in ("", "/history"):
        assert client.get(f"/api/v1/tickets/{mine.number}{path}", headers=headers).status_code == 200
        assert client.get(f"/api/v1/tickets/{theirs.number}{path}", headers=headers).status_code == 404
    said = {"text": "x", "to": "closed"}
    for path in ("/comments", "/move"):
        response = client.post(f"/api/v1/tickets/{theirs.number}{path}", said, "application/json", headers=headers)
        assert response.status_code == 404


def test_a_ticket_is_opened_moved_and_answered_by_the_same_rules(client: Client, people):
    tenant, vendor = key(people["tenant"], "tickets"), key(people["b_engineer"], "tickets", "read")
    made = client.post("/api/v1/tickets", {"kind": "request", "title": "扩容"}, "application/json", headers=tenant)
    assert made.status_code == 201
    number = made.json()["number"]
    refused = client.post(f"/api/v1/tickets/{number}/move", {"to": "accepted"}, "application/json", headers=tenant)
    assert (refused.status_code, refused["Content-Type"]) == (409, "application/problem+json")
    taken = client.post(f"/api/v1/tickets/{number}/move", {"to": "accepted"}, "application/json", headers=vendor)
    assert taken.json()["state"] == "accepted"
    answer = client.post(f"/api/v1/tickets/{number}/replies", {"text": "已受理"}, "application/json", headers=vendor)
    assert answer.status_code == 201
    history = client.get(f"/api/v1/tickets/{number}/history", headers=vendor).json()
    assert [e["what"] for e in history] == ["opened", "moved", "reply"]


def test_ndjson_is_one_object_a_line(client: Client, people):
    response = client.get("/api/v1/occurrences.ndjson", headers=key(people["auditor"]))
    assert response["Content-Type"] == "application/x-ndjson"
    lines = b"".join(response.streaming_content).splitlines()
    assert all(json.loads(line)["obligation"] for line in lines)


def test_the_contract_is_there(client: Client, people):
    headers = key(people["a_manager"])
    assert len(client.get("/api/v1/clauses", headers=headers).json()) == 98
    first = client.get("/api/v1/obligations", headers=headers).json()[0]
    assert client.get(f"/api/v1/obligations/{first['id']}", headers=headers).json() == first
    assert client.get("/api/v1/obligations/none", headers=headers).status_code == 404


def test_readers_are_who_the_pages_let_read():
    reading = [gate.may for method, path, gate in operations() if method == "GET" and path.startswith("/assets")]
    assert reading == [READERS, READERS]
