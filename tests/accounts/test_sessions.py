"""A session ends when the policy says so, its browser is told why, and each end is on record."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests.accounts.conftest import FIRST, NOW, Wall
from yunwei.accounts import passwords, services, sessions
from yunwei.accounts.models import Account, Ended, Sitting
from yunwei.accounts.policy import Policy
from yunwei.ledger.models import Intake
from yunwei.ui.live import FOLLOWS

pytestmark = pytest.mark.django_db
People = dict[str, Account]


def enter(client: Client, name: str, **more: Any) -> Client:
    assert client.post("/login", {"username": name, "password": FIRST}, **more).status_code == 302
    return client


def said(client: Client) -> str:
    """What the login page tells who comes back."""
    response = client.get("/me")
    assert response.status_code == 302
    return str(client.get(response["Location"]).content.decode())


def ended() -> list[str]:
    return [
        bytes(r.body).decode().partition('"why":"')[2].partition('"')[0]
        for r in Intake.objects.filter(kind__in=("accounts.session.ended", "accounts.logout")).order_by("pk")
    ]


def test_the_new_login_ends_the_old_one_and_the_old_browser_is_told(people: People) -> None:
    old, new = enter(Client(), "tenant"), enter(Client(), "tenant")
    assert new.get("/me").status_code == 200
    assert old.get("/events").status_code == 302, "what the page fetches by itself"
    assert old.get("/login").status_code == 200, "may come first"
    assert "同一账号在别处登录" in said(old)
    assert ended() == ["replaced"]
    enter(old, "tenant").post("/logout")
    assert "同一账号在别处登录" not in str(old.get("/login").content.decode()), "it is told until somebody logs in"
    assert '"ended":1' in bytes(Intake.objects.filter(kind="accounts.login").order_by("pk")[1].body).decode()


def test_a_fragment_of_the_old_browser_is_refused_and_tells_why(people: People) -> None:
    old = enter(Client(), "tenant")
    enter(Client(), "tenant")
    response = old.get("/me", headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert "同一账号在别处登录" in said(old)


def test_two_sessions_are_allowed_where_the_site_wants_it(people: People, settings: Any) -> None:
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"one_session": False}}
    one, two = enter(Client(), "tenant"), enter(Client(), "tenant")
    assert one.get("/me").status_code == two.get("/me").status_code == 200
    row = Sitting.objects.get(key=one.cookies["sessionid"].value)
    two.post("/me/session", {"session": row.pk})
    assert "由本人在别处结束" in said(one)
    assert two.get("/me").status_code == 200


def test_nobody_ends_another_s_session(people: People) -> None:
    victim, other = enter(Client(), "tenant"), enter(Client(), "a_manager")
    row = Sitting.objects.get(account__username="tenant")
    for value in (str(row.pk), "-1", "x", "9" * 30, ""):
        assert other.post("/me/session", {"session": value}).status_code == 302
    assert victim.get("/me").status_code == 200


@pytest.mark.parametrize(("name", "minutes"), [("b_manager", 15), ("sysadmin", 15), ("a_manager", 30), ("tenant", 30)])
def test_who_does_nothing_is_out_after_its_side_s_minutes(people: People, clock: Wall, name: str, minutes: int) -> None:
    if name == "sysadmin":
        Account.objects.filter(username=name).update(must_change=False)
    client = enter(Client(), name)
    clock.on(minutes=minutes, seconds=-1)
    assert client.get("/me").status_code == 200
    clock.on(minutes=minutes)
    assert "长时间没有操作" in said(client)
    assert ended() == ["idle"]
    assert not Session.objects.filter(pk=Sitting.objects.get().key).exists()


def test_a_page_that_refreshes_itself_is_nobody_doing_something(people: People, clock: Wall) -> None:
    client = enter(Client(), "b_manager")
    for _n in range(14):
        clock.on(minutes=1)
        assert client.get("/me", headers={FOLLOWS: "1"}).status_code == 200
        assert client.get("/events").status_code in (200, 204)
    clock.on(minutes=1)
    assert client.get("/me", headers={FOLLOWS: "1"}).status_code == 302


def test_who_works_is_not_sent_out_before_the_longest_session(people: People, clock: Wall) -> None:
    client = enter(Client(), "b_manager")
    for _n in range(71):
        clock.on(minutes=10)
        assert client.get("/me/password").status_code == 200
    clock.on(minutes=10)
    assert "会话已满 12 小时" in said(client)
    assert ended() == ["term"]


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL's writers do not wait for each other")
@pytest.mark.django_db(transaction=True)
def test_no_page_waits_for_another_writer_to_note_that_somebody_is_there(people: People, clock: Wall) -> None:
    client = enter(Client(), "b_manager")
    entered = Sitting.objects.get().seen_at
    clock.on(seconds=31)
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as sweep:
        sweep.execute("BEGIN IMMEDIATE")  # as a sweep stores its results
        assert client.get("/me").status_code == 200, "and not an error after thirty seconds"
        assert Sitting.objects.get().seen_at == entered
        sweep.execute("ROLLBACK")
    assert client.get("/me").status_code == 200
    assert Sitting.objects.get().seen_at == clock.at, "the next page notes it"
    clock.on(minutes=14)
    assert client.get("/me").status_code == 200, "the idle time began there"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (30_000,), "everything else waits as before"


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL's writers do not wait for each other")
@pytest.mark.django_db(transaction=True)
def test_the_first_page_after_a_pause_waits_so_that_nobody_at_work_is_sent_out(people: People, clock: Wall) -> None:
    client = enter(Client(), "b_manager")
    clock.on(minutes=14)
    name = connection.settings_dict["NAME"]
    with closing(sqlite3.connect(name, isolation_level=None, check_same_thread=False)) as sweep:
        sweep.execute("BEGIN IMMEDIATE")
        stored = threading.Timer(0.3, sweep.execute, ["ROLLBACK"])
        stored.start()
        assert client.get("/me").status_code == 200
        assert not sweep.in_transaction, "it waited"
        stored.join()
    clock.on(minutes=14)
    assert client.get("/me").status_code == 200


def test_a_session_that_is_ended_while_its_page_is_made_is_told_so(
    people: People, clock: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = enter(Client(), "b_manager")
    touch = sessions.touch

    def ended_before(session: SessionBase, at: datetime) -> None:
        sessions.end(session.session_key or "", Ended.CLOSED, now=NOW)
        touch(session, at)

    monkeypatch.setattr(sessions, "touch", ended_before)
    clock.on(minutes=1)
    assert client.get("/me").status_code == 400, "as Django answers where it writes sessions"
    assert client.get("/me").status_code == 302


@given(
    since=st.integers(0, 100_000), idle=st.integers(0, 100_000), party=st.sampled_from("ABTSX"), limit=st.integers(1, 24),
    minutes=st.integers(1, 600),
)  # fmt: skip
def test_a_session_goes_on_exactly_within_both_limits(
    since: int, idle: int, party: str, limit: int, minutes: int
) -> None:
    at = NOW
    rules = Policy(session_hours=limit, idle_minutes=minutes, idle_minutes_client=minutes + 7)
    account = type("A", (), {"party": party})()
    marks = {
        "since": (at - timedelta(seconds=since)).timestamp(),
        "seen": (at - timedelta(seconds=min(idle, since))).timestamp(),
    }
    allowed = (minutes + 7 if party in "ATS" else minutes) * 60
    lives = since < limit * 3600 and min(idle, since) < allowed
    assert (sessions.overdue(marks, account, rules, at) is None) == lives


@pytest.mark.parametrize(
    "marks", [{}, {"since": NOW.timestamp()}, {"since": "x", "seen": "y"}, {"since": None, "seen": None}]
)
def test_a_session_that_no_login_made_is_none(marks: dict[str, Any], people: People) -> None:
    assert sessions.overdue(marks, people["tenant"], Policy(), NOW) == Ended.TERM


def test_logging_out_ends_it_and_is_recorded_as_one_s_own_act(people: People) -> None:
    client = enter(Client(), "tenant")
    key = client.cookies["sessionid"].value
    client.post("/logout")
    assert client.get("/me").status_code == 302
    record = Intake.objects.get(kind="accounts.logout")
    assert record.actor == "tenant"
    stolen = Client()
    stolen.cookies["sessionid"] = key
    assert stolen.get("/me").status_code == 302, "the key is worth nothing afterwards"


def test_who_is_put_to_sleep_is_out_at_once(people: People) -> None:
    client = enter(Client(), "b_manager")
    services.put_to_sleep(people["b_manager"], by=people["secadmin"], now=NOW)
    assert "安全管理员" in said(client)
    assert ended() == ["closed"]


def test_a_new_role_begins_with_a_new_login(people: People) -> None:
    client = enter(Client(), "b_manager")
    services.change_role(people["b_manager"], "b_desk", by=people["secadmin"], now=NOW)
    assert client.get("/me").status_code == 302


def test_a_change_of_password_ends_all_sessions_but_the_one_it_was_made_from(people: People, settings: Any) -> None:
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"one_session": False}}
    here, there = enter(Client(), "tenant"), enter(Client(), "tenant")
    before = here.cookies["sessionid"].value
    new = "Another-password-7"
    assert here.post("/me/password", {"old": FIRST, "new": new, "again": new}).status_code == 302
    assert here.cookies["sessionid"].value != before
    assert here.get("/me").status_code == 200
    assert "口令已更改" in said(there)
    assert Sitting.objects.filter(ended="").count() == 1
    clock = Sitting.objects.get(ended="")
    assert clock.key == here.cookies["sessionid"].value, "the row goes on under the new key"


def test_what_nobody_came_back_to_is_ended_too(people: People, clock: Wall) -> None:
    """The worker sweeps: a session that is over is not shown as open because its browser was closed."""
    enter(Client(), "b_manager"), enter(Client(), "tenant")
    assert sessions.sweep(now=NOW) == 0
    clock.on(minutes=15, seconds=sessions.LAG_S - 1)
    assert sessions.sweep(now=NOW) == 0, "who was there may not have been noted yet"
    clock.on(seconds=1)
    assert sessions.sweep(now=NOW) == 1
    assert Sitting.objects.get(account__username="b_manager").ended == Ended.IDLE
    clock.on(minutes=15)
    assert sessions.sweep(now=NOW) == 1
    assert sessions.sweep(now=NOW) == 0
    assert ended() == ["idle", "idle"]


def test_old_sessions_are_forgotten_after_half_a_year(people: People, clock: Wall) -> None:
    client = enter(Client(), "tenant")
    client.post("/logout")
    clock.on(days=199)
    enter(client, "tenant")
    assert Sitting.objects.count() == 2
    client.post("/logout")
    clock.on(days=2)
    enter(client, "tenant")
    assert Sitting.objects.count() == 2


def test_an_address_and_a_browser_are_told_to_their_owner_and_to_no_ledger(people: People) -> None:
    client = enter(Client(), "tenant", REMOTE_ADDR="10.7.7.7", HTTP_USER_AGENT="Mozilla/5.0 Firefox/140.0")
    page = client.get("/me").content.decode()
    assert "10.7.7.7" in page
    assert "Firefox" in page
    assert b"10.7.7.7" not in b"".join(bytes(r.body) for r in Intake.objects.all())


# --- what has to be done first


def test_a_password_that_somebody_else_chose_opens_only_its_change(people: People) -> None:
    made = services.new_password(people["tenant"], by=people["secadmin"], now=NOW)
    client = Client()
    assert client.post("/login", {"username": "tenant", "password": made}).status_code == 302
    for path in ("/", "/me", "/people", "/portal", "/settings", "/nothing-here", "/me/tokens"):
        response = client.get(path)
        assert (response.status_code, response["Location"]) == (302, "/me/password"), path
    fragment = client.get("/me", headers={"HX-Request": "true"})
    assert (fragment.status_code, fragment["HX-Redirect"]) == (403, "/me/password")
    assert "别人为您设定" in client.get("/me/password").content.decode()
    new = "My-own-password-3"
    assert client.post("/me/password", {"old": made, "new": new, "again": new}).status_code == 302
    assert client.get("/me").status_code == 200


def test_an_old_password_is_changed_before_anything_else(people: People, settings: Any) -> None:
    client = enter(Client(), "tenant")
    shift(settings, NOW + timedelta(days=89))
    assert client.get("/me").status_code == 200
    shift(settings, NOW + timedelta(days=90, minutes=1))
    assert client.get("/me")["Location"] == "/me/password"
    assert "90 天" in client.get("/me/password").content.decode()


def shift(settings: Any, at: datetime) -> None:
    from datetime import UTC

    settings.YUNWEI = settings.YUNWEI | {"clock": {"offset_s": (at - datetime.now(UTC)).total_seconds()}}


def test_a_second_factor_that_is_required_is_set_up_before_anything_else(people: People, settings: Any) -> None:
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"totp_roles": ["tenant"]}}
    client = enter(Client(), "tenant")
    assert client.get("/portal")["Location"] == "/me/totp"
    assert client.get("/me/totp").status_code == 200
    assert enter(Client(), "a_manager").get("/me").status_code == 200, "another role may be without"
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"totp": "required"}}
    assert enter(Client(), "a_manager").get("/me")["Location"] == "/me/totp"


def test_the_age_of_a_password_counts_from_its_change(people: People) -> None:
    account = people["tenant"]
    rules = passwords.policy()
    assert not passwords.expired(account, rules, NOW + timedelta(days=89, hours=23))
    assert passwords.expired(account, rules, NOW + timedelta(days=90))
    assert not passwords.expired(account, Policy(max_age_days=0), NOW + timedelta(days=900))
