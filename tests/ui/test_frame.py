"""The frame: nobody gets in without a login, and the content policy is strict. The login itself: tests/accounts."""

from __future__ import annotations

import io
import logging
import re
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.test import Client
from django.urls import get_resolver

from yunwei.accounts.models import Account
from yunwei.ui import context
from yunwei.ui.middleware import POLICY
from yunwei.ui.pages import OPEN, REGISTRY

pytestmark = pytest.mark.django_db


def log_in(client: Client, name: str, password: str, target: str = "/") -> int:
    return client.post("/login", {"username": name, "password": password, "next": target}).status_code


def test_every_page_but_the_open_ones_asks_for_a_login(client: Client, people):
    assert get_resolver().url_patterns  # fills the registry
    assert {"login", "language"} <= {name for name, page in REGISTRY.items() if page.may == OPEN}
    closed = [page for page in REGISTRY.values() if page.may != OPEN]
    assert closed
    for page in closed:
        address = re.sub("<[^>]*>", "1", page.route)
        response = client.get(f"/{address}")
        assert response.status_code == 302, page.name
        assert response["Location"].startswith("/login?next="), page.name


def test_a_view_without_the_mark_is_closed(client: Client, people):
    assert client.get("/nothing-here").status_code == 302


def test_name_and_password_open_the_page(client: Client, people):
    assert log_in(client, "b_engineer", "b_engineer") == 302
    assert client.get("/").status_code == 200


def test_every_answer_carries_the_policy_and_no_page_needs_more(client: Client, people):
    log_in(client, "a_manager", "a_manager")
    for address in ("/", "/login", "/nothing-here"):
        response = client.get(address)
        assert response["Content-Security-Policy"] == POLICY
        text = response.content.decode()
        assert "style=" not in text
        assert "onclick=" not in text
        assert "<script>" not in text
        assert "https://" not in text


def test_forms_need_their_token(people):
    client = Client(enforce_csrf_checks=True)
    assert client.post("/login", {"username": "tenant", "password": "tenant"}).status_code == 403
    client.force_login(people["b_engineer"])
    assert client.post("/logout").status_code == 403


def test_an_account_that_was_closed_is_out_at_once(client: Client, people):
    client.force_login(people["b_engineer"])
    assert client.get("/").status_code == 200
    Account.objects.filter(username="b_engineer").update(is_active=False)
    assert client.get("/").status_code == 302


def test_chinese_is_first_whatever_the_browser_prefers(client: Client, people):
    client.force_login(people["b_engineer"])
    assert 'lang="zh-CN"' in client.get("/", headers={"accept-language": "en-GB,en"}).content.decode()


def test_english_is_one_click_away(client: Client, people):
    client.force_login(people["b_engineer"])
    assert 'lang="zh-CN"' in client.get("/").content.decode()
    client.post("/language", {"language": "en"})
    assert 'lang="en"' in client.get("/").content.decode()


def test_logging_out_ends_the_session(client: Client, people):
    client.force_login(people["b_engineer"])
    assert client.get("/").status_code == 200
    client.post("/logout")
    assert client.get("/").status_code == 302


def test_a_language_nobody_wrote_is_not_kept(client: Client, people):
    response = client.post("/language", {"language": "xx"})
    assert not response.cookies
    client.cookies["django_language"] = "xx"
    assert 'lang="zh-CN"' in client.get("/login").content.decode()
    client.cookies["django_language"] = "en"
    response = client.get("/login")
    assert 'lang="en"' in response.content.decode()
    assert response["Content-Language"] == "en"


def test_the_policy_lets_nothing_in_line_and_nothing_from_elsewhere():
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert (rules["default-src"], rules["object-src"], rules["frame-ancestors"]) == ("'self'", "'none'", "'none'")
    assert (rules["base-uri"], rules["form-action"]) == ("'none'", "'self'")
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


def test_an_error_leaves_its_trace_on_standard_error(people, monkeypatch):
    client = Client(raise_request_exception=False)
    client.force_login(people["b_engineer"])
    logger = logging.getLogger("django.request")
    handlers = [h for h in logger.handlers if isinstance(h, logging.StreamHandler)]
    assert handlers, "without one Django keeps quiet where DEBUG is off"
    out = io.StringIO()
    monkeypatch.setattr(handlers[0], "stream", out)
    monkeypatch.setattr(context, "chain", lambda _at: 1 / 0)
    assert client.get("/today").status_code == 500
    assert "ZeroDivisionError" in out.getvalue()
    assert "/today" in out.getvalue()


def test_the_chain_in_the_header_is_of_now_whatever_moment_the_page_tells_of(people, rf):
    """A page about last night's sweep must not say that the heads arrived when today's did not."""
    asked: list[datetime] = []
    request = rf.get("/today")
    request.user = people["b_engineer"]
    with patch.object(context, "chain", side_effect=lambda at: asked.append(at) or context.Chain(0, overdue=False)):
        context.page(request, "base.jinja", {}, as_of=datetime(2020, 1, 1, tzinfo=UTC))
    assert asked
    assert asked[0].year != 2020
