"""Nobody is led out of this site by one of its own answers, and what a browser is given to keep is not for scripts."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from yunwei.accounts.models import Account

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("came_from", "goes_to"),
    [
        ("http://testserver/tickets?state=open", "http://testserver/tickets?state=open"),
        ("/tickets", "/tickets"),
        ("https://evil.example/", "/"),
        ("//evil.example/tickets", "/"),
        ("http://testserver.evil.example/", "/"),
        ("http://testserver@evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http:///evil.example", "/"),
        ("\\\\evil.example", "/"),
    ],
)
def test_the_language_leads_back_to_where_one_was_and_nowhere_else(
    client: Client, came_from: str, goes_to: str
) -> None:
    answer = client.post("/language", {"language": "en"}, headers={"referer": came_from})
    assert (answer.status_code, answer["Location"]) == (302, goes_to)


def test_the_language_is_changed_by_a_form_alone_and_kept_from_scripts(client: Client, people: Any) -> None:
    asked = client.get("/language?language=en")
    assert asked.status_code == 405
    assert "django_language" not in asked.cookies
    kept = client.post("/language", {"language": "en"}).cookies["django_language"]
    assert (kept["httponly"], kept["samesite"]) == (True, "Lax")
    assert Client(enforce_csrf_checks=True).post("/language", {"language": "en"}).status_code == 403


@pytest.mark.parametrize(
    "address",
    ["//evil.example/", "//evil.example//tickets/", "/\\evil.example", "/%09/evil.example", "/tickets//evil.example/"],
)
def test_an_address_that_looks_like_another_site_stays_here(
    client: Client, people: dict[str, Account], address: str
) -> None:
    for who in (None, people["b_manager"]):
        if who is not None:
            client.force_login(who)
        answer = client.get(address)
        assert answer.status_code in (200, 302, 404)
        assert answer.get("Location", "/login").startswith("/login"), "not //evil.example"


def test_a_search_leads_to_a_page_of_ours_alone(client: Client, people: dict[str, Account]) -> None:
    client.force_login(people["b_manager"])
    for asked in ("https://evil.example", "//evil.example", "\\\\evil.example", "javascript:alert(1)"):
        answer = client.get("/search", {"q": asked})
        assert answer.status_code == 200
        assert f'href="{asked}' not in answer.content.decode()


def test_a_fragment_without_a_session_is_told_to_the_page_and_not_shown(
    client: Client, people: dict[str, Account]
) -> None:
    for address in ("/today/body", "/tickets", "/portal/body", "/search?q=1"):
        answer = client.get(address, headers={"HX-Request": "true"})
        assert (answer.status_code, answer["HX-Refresh"], answer.content) == (401, "true", b"")
