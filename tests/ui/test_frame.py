"""The frame: nobody gets in without a login, wrong logins lock, the policy is strict, redirects stay inside."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from yunwei.accounts.models import Account
from yunwei.ui.middleware import POLICY

pytestmark = pytest.mark.django_db


def log_in(client: Client, name: str, password: str, target: str = "/") -> int:
    return client.post("/login", {"username": name, "password": password, "next": target}).status_code


def test_every_address_but_the_open_ones_asks_for_a_login(client: Client, people):
    open_ones = {"login", "language"}
    names = {p.name for p in get_resolver().url_patterns}
    assert open_ones < names
    for pattern in get_resolver().url_patterns:
        response = client.get(f"/{pattern.pattern}")
        if pattern.name not in open_ones:
            assert response.status_code == 302, pattern.name
            assert response["Location"].startswith("/login?next=")


def test_a_view_without_the_mark_is_closed(client: Client, people):
    assert client.get("/nothing-here").status_code == 302


def test_name_and_password_open_the_page(client: Client, people):
    assert log_in(client, "b_engineer", "b_engineer") == 302
    assert client.get("/").status_code == 200


def test_wrong_ones_say_the_same_and_the_fifth_locks(client: Client, people):
    unknown = client.post("/login", {"username": "nobody", "password": "x"}).content.decode()
    for _ in range(5):
        response = client.post("/login", {"username": "tenant", "password": "x"})
        assert response.status_code == 403
    known = response.content.decode()
    assert known.replace("tenant", "").count("账号或口令不对") == unknown.count("账号或口令不对") == 1
    assert log_in(client, "tenant", "tenant") == 403, "locked: the right password does not open it"
    Account.objects.filter(username="tenant").update(locked_until=timezone.now() - timedelta(seconds=1))
    assert log_in(client, "tenant", "tenant") == 302


def test_a_login_leads_nowhere_else(client: Client, people):
    for target in ("https://example.org/", "//example.org/", "javascript:alert(1)"):
        response = client.post("/login", {"username": "tenant", "password": "tenant", "next": target})
        assert response["Location"] == "/"
        client.logout()


def test_the_session_is_new_after_login(client: Client, people):
    client.get("/login")
    client.cookies["sessionid"] = "planted"
    log_in(client, "tenant", "tenant")
    assert client.cookies["sessionid"].value != "planted"


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
    client.force_login(people["tenant"])
    assert client.post("/logout").status_code == 403


def test_an_account_that_was_closed_is_out_at_once(client: Client, people):
    client.force_login(people["tenant"])
    assert client.get("/").status_code == 200
    Account.objects.filter(username="tenant").update(is_active=False)
    assert client.get("/").status_code == 302


def test_chinese_is_first_whatever_the_browser_prefers(client: Client, people):
    client.force_login(people["tenant"])
    assert 'lang="zh-CN"' in client.get("/", headers={"accept-language": "en-GB,en"}).content.decode()


def test_english_is_one_click_away(client: Client, people):
    client.force_login(people["tenant"])
    assert 'lang="zh-CN"' in client.get("/").content.decode()
    client.post("/language", {"language": "en"})
    assert 'lang="en"' in client.get("/").content.decode()


def test_a_right_password_forgets_the_wrong_ones_before_it(client: Client, people):
    for _ in range(2):
        for _ in range(4):
            assert log_in(client, "tenant", "x") == 403
        assert log_in(client, "tenant", "tenant") == 302
    assert Account.objects.get(username="tenant").failed_logins == 0


def test_logging_out_ends_the_session(client: Client, people):
    client.force_login(people["tenant"])
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
