"""The login page: it lets in who may come in, tells nobody anything else, and cannot be used against its users."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import resolve, reverse
from django.views.debug import SafeExceptionReporterFilter

from tests.accounts.conftest import FIRST, NOW, Wall
from yunwei.accounts import addresses, backend, login, passwords, services, throttle, totp, wall
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Sitting, Tries
from yunwei.accounts.policy import policy
from yunwei.accounts.web import entry
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
People = dict[str, Account]


def enter(client: Client, name: str, password: str = FIRST, **more: Any) -> Any:
    return client.post("/login", {"username": name, "password": password, **more.pop("data", {})}, **more)


def records(kind: str) -> list[Intake]:
    return list(Intake.objects.filter(kind=kind).order_by("pk"))


def text(response: Any) -> str:
    return str(response.content.decode())


def key(client: Client) -> str:
    return client.cookies["sessionid"].value


def test_name_and_password_open_the_first_page_and_leave_a_record(client: Client, people: People, clock: Wall) -> None:
    for _n in range(2):
        assert enter(client, "a_manager", "wrong").status_code == 403
    response = enter(client, "a_manager")
    assert response.status_code == 302
    assert response["Location"] == "/"
    (record,) = records("accounts.login")
    said = bytes(record.body).decode()
    assert record.actor == record.subject == "a_manager"
    assert '"failed_before":2' in said
    assert '"how":"password"' in said


def test_each_role_comes_to_its_own_first_page(client: Client, people: People) -> None:
    assert enter(client, "secadmin")["Location"] == "/people"


# --- who exists


def test_a_wrong_password_and_an_unknown_name_read_the_same_to_the_letter(
    client: Client, people: People, clock: Wall
) -> None:
    """Five times, to the lock and beyond it."""
    services.put_to_sleep(people["b_manager"], by=people["secadmin"], now=NOW)
    for n in range(7):
        told = set()
        for name in ("tenant", "xnobdy", "b_manager"):  # exists, does not exist, sleeps (with its right password)
            address = {"REMOTE_ADDR": f"10.0.{n}.{len(told)}"}
            response = enter(client, name, FIRST if name == "b_manager" else "wrong", **address)
            told.add((response.status_code, without_token(text(response)).replace(name, "NAME")))
        assert len(told) == 1, n
    assert enter(client, "tenant", REMOTE_ADDR="10.9.9.9").status_code == 403, (
        "locked: the right password does not open it"
    )


def without_token(page: str) -> str:
    import re

    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)


def test_every_try_hashes_once_whatever_is_wrong(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers faster tells which names exist."""
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return str(encode(self, password, salt))

    services.put_to_sleep(people["b_manager"], by=people["secadmin"], now=NOW)
    services.create_account(
        username="fresh",
        display_name="x",
        role="b_desk",
        organisation=people["sysadmin"].organisation,
        by="sysadmin",
        now=NOW,
    )
    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    for name in ("nobody", "a_manager", "b_manager", "fresh"):
        hashed.clear()
        assert backend.AccountBackend().authenticate(None, username=name, password="wrong") is None
        assert hashed == ["wrong"], name


# --- brute force


def test_the_fifth_failure_locks_for_the_policy_s_minutes(client: Client, people: People, clock: Wall) -> None:
    for _n in range(5):
        assert enter(client, "tenant", "wrong").status_code == 403
    assert "已锁定" in text(enter(client, "tenant"))
    (record,) = records("accounts.locked")
    assert record.subject == "tenant"
    clock.on(minutes=29)
    assert enter(client, "tenant").status_code == 403
    clock.on(minutes=1, seconds=1)
    assert enter(client, "tenant").status_code == 302


def test_a_right_password_forgets_the_wrong_ones_before_it(client: Client, people: People, clock: Wall) -> None:
    for _round in range(3):
        for _n in range(4):
            assert enter(client, "tenant", "wrong").status_code == 403
        assert enter(client, "tenant").status_code == 302
    assert not Tries.objects.filter(key=throttle.key_of_name("tenant")).exists()


def test_thirty_tries_at_once_are_thirty_charged_tries(people: People, clock: Wall) -> None:
    """Each is counted before its password is looked at: none of them slips through beside the others."""
    allowed = [throttle.charge("tenant", "", policy(), clock()).allowed for _n in range(30)]
    assert sum(allowed) == policy().failures


@pytest.fixture
def short(settings: Any, people: People) -> None:
    """Five failures slow an address: the rule is the same, the test is quicker."""
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"address_failures": 5}}


def test_one_address_is_slowed_whatever_names_it_tries(
    client: Client, people: People, clock: Wall, short: None
) -> None:
    for n in range(policy().address_failures):
        assert enter(client, f"guess{n}", "wrong").status_code == 403
    assert enter(client, "a_manager").status_code == 429, "and the right password is not looked at"
    assert enter(client, "a_manager", REMOTE_ADDR="10.1.1.1").status_code == 302, "another address is not held back"
    waits = []
    for n in range(12):
        row = Tries.objects.get(key=throttle.key_of_address("127.0.0.1"))
        assert row.until
        waits.append((row.until - clock()).total_seconds())
        clock.at = row.until
        assert enter(client, f"more{n}", "wrong").status_code == 403
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) <= throttle.LONGEST_WAIT_S


def test_an_address_cannot_lie_itself_free(
    client: Client, people: People, clock: Wall, settings: Any, short: None
) -> None:
    """X-Forwarded-For counts only from a proxy that is named, and then only what that proxy wrote: the last entry."""
    for n in range(policy().address_failures):
        enter(client, f"guess{n}", "wrong", HTTP_X_FORWARDED_FOR=f"10.2.2.{n}")
    assert enter(client, "a_manager", HTTP_X_FORWARDED_FOR="10.3.3.3").status_code == 429
    settings.YUNWEI = settings.YUNWEI | {"accounts": {"proxies": ["127.0.0.1"], "address_failures": 5}}
    assert enter(client, "a_manager", HTTP_X_FORWARDED_FOR="127.0.0.1, 10.3.3.3").status_code == 302
    for n in range(policy().address_failures):
        enter(client, f"again{n}", "wrong", HTTP_X_FORWARDED_FOR=f"10.2.2.{n}, 10.4.4.4")
    assert enter(client, "b_manager", HTTP_X_FORWARDED_FOR="10.9.9.9, 10.4.4.4").status_code == 429


def test_of_ipv6_the_subscriber_s_network_is_counted() -> None:
    assert throttle.key_of_address("2001:db8:1:2::1") == throttle.key_of_address("2001:db8:1:2:ffff::9")
    assert throttle.key_of_address("2001:db8:1:2::1") != throttle.key_of_address("2001:db8:1:3::1")
    assert throttle.key_of_address("::ffff:10.0.0.1") == throttle.key_of_address("10.0.0.1")


def test_names_that_nobody_has_write_no_records_at_will(
    people: People, clock: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "BURST", 10)
    before = Intake.objects.count()
    for n in range(60):
        login.by_password(f"guess{n}", "wrong", address="", now=NOW)
        clock.on(seconds=9)
    assert {r.kind for r in Intake.objects.order_by("pk")[before:]} == {"accounts.login.burst"}
    assert len(records("accounts.login.burst")) == 1, "one in ten minutes"
    for n in range(20):
        login.by_password(f"later{n}", "wrong", address="", now=NOW)
        clock.on(seconds=9)
    assert len(records("accounts.login.burst")) == 2
    assert "guess" not in str([bytes(r.body) for r in Intake.objects.all()])


def test_the_table_of_tries_stays_small_and_names_nobody(people: People, clock: Wall) -> None:
    for n in range(8):
        login.by_password(f"guess{n}", "wrong", address=f"10.0.0.{n}", now=NOW)
    assert not [row.key for row in Tries.objects.all() if "guess" in row.key or "10.0" in row.key]
    clock.on(hours=1)
    login.by_password("one", "wrong", address="10.0.0.1", now=NOW)
    assert Tries.objects.count() == 3, "the name, the address, and the count of all"


# --- the session


def test_the_session_gets_a_new_key_at_login_and_at_the_code(client: Client, people: People, clock: Wall) -> None:
    """Session fixation: a key that somebody planted or saw before opens nothing afterwards."""
    seed = bind(people["a_manager"], clock)
    session = client.session
    session["planted"] = "by somebody"
    session.save()
    client.cookies["sessionid"] = planted = session.session_key or ""
    assert enter(client, "a_manager")["Location"] == "/login/code"
    half = key(client)
    assert half != planted
    clock.on(seconds=60)
    response = client.post("/login/code", {"code": pyotp.TOTP(seed).at(clock())})
    assert response.status_code == 302
    assert key(client) not in {planted, half}
    assert "planted" not in client.session
    for old in (planted, half):
        other = Client()
        other.cookies["sessionid"] = old
        assert other.get("/").status_code == 302, "nobody is logged in there"
        assert other.get("/login/code")["Location"] == "/login"


def test_a_session_of_somebody_else_is_not_carried_over(client: Client, people: People) -> None:
    enter(client, "a_manager")
    first = key(client)
    enter(client, "b_manager")
    assert key(client) != first
    assert client.get("/").wsgi_request.user.username == "b_manager"


@pytest.mark.parametrize(
    "target",
    ["https://example.org/", "//example.org/", "///example.org", "javascript:alert(1)", "\\\\example.org", "/\\example.org",
     "http:example.org", "https:///example.org", "\x08//example.org", " //example.org"],
)  # fmt: skip
def test_a_login_leads_nowhere_else(client: Client, people: People, target: str) -> None:
    assert enter(client, "a_manager", data={"next": target})["Location"] == "/"
    page = text(Client().get("/login", {"next": target}))
    assert "example.org" not in page
    assert "alert" not in page


def test_a_login_leads_back_to_where_one_wanted_to_go(client: Client, people: People) -> None:
    assert client.get("/people?role=tenant")["Location"] == "/login?next=%2Fpeople%3Frole%3Dtenant"
    assert enter(client, "a_manager", data={"next": "/people?role=tenant"})["Location"] == "/people?role=tenant"


@pytest.mark.parametrize(
    "path", ["/login", "/login/code", "/logout", "/me/password", "/me/totp", "/me/totp/codes", "/me/session", "/people/new", "/people/1/act"]
)  # fmt: skip
def test_no_form_works_without_its_token(people: People, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people["sysadmin"])
    before = Intake.objects.count()
    response = client.post(path, {"username": "tenant", "password": FIRST, "act": "sleep"})
    assert response.status_code == 403
    assert "没有生效" in text(response)
    assert Intake.objects.count() == before


def test_another_site_s_form_is_refused_even_with_a_token(people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    token = (
        client.get("/login").context["csrf_token"]
        if client.get("/login").context
        else client.cookies["csrftoken"].value
    )
    response = client.post(
        "/login",
        {"username": "tenant", "password": FIRST, "csrfmiddlewaretoken": str(token)},
        HTTP_ORIGIN="https://example.org",
    )
    assert response.status_code == 403
    assert "sessionid" not in client.cookies


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client: Client, people: People) -> None:
    client.get("/login")
    enter(client, "tenant")
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert not cookie["domain"]
    assert not client.cookies["sessionid"]["max-age"], "it ends with the browser"


@pytest.mark.parametrize(("https", "secure"), [("true", True), ("false", False)])
def test_over_https_cookies_never_travel_in_clear(tmp_path: Path, https: str, secure: bool) -> None:
    """The settings of an instance, read in a process of its own."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "web.key").write_text("k")
    (tmp_path / "yunwei.toml").write_text(f'[web]\nhttps = {https}\nhosts = ["h"]\n')
    code = (
        "from yunwei.server import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, "
        "s.LANGUAGE_COOKIE_SECURE, s.SESSION_COOKIE_NAME.startswith('__Host-'), getattr(s, 'SECURE_HSTS_SECONDS', 0) > 0)"
    )
    env = {**os.environ, "YUNWEI_INSTANCE": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(secure)] * 5


def test_pages_of_the_login_are_kept_by_no_cache(client: Client, people: People) -> None:
    for path in ("/login", "/login/code"):
        assert "no-store" in client.get(path)["Cache-Control"]
    client.force_login(people["tenant"])
    for path in ("/me", "/me/password", "/me/totp"):
        assert "no-store" in client.get(path)["Cache-Control"]


# --- what leaks


def test_a_password_is_in_no_record_no_log_no_row_and_no_page(client: Client, people: People, clock: Wall) -> None:
    secret = "Very-secret-0815"
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    root.addHandler(handler)
    level, root.level = root.level, logging.DEBUG
    try:
        for _n in range(6):
            assert secret not in text(enter(client, "tenant", secret))
        enter(client, secret, secret)
        throttle.clear("tenant")
        enter(client, "tenant")
        for old, new in ((secret, "x"), (FIRST, secret[:5]), (FIRST, secret)):
            page = client.post("/me/password", {"old": old, "new": new, "again": new})
            assert secret not in text(page)
    finally:
        root.removeHandler(handler)
        root.level = level
    assert Account.objects.get(username="tenant").check_password(secret)
    assert secret not in stream.getvalue()
    assert secret.encode() not in b"".join(bytes(r.body) for r in Intake.objects.all())
    assert secret not in str(list(Sitting.objects.values())) + str(list(Tries.objects.values()))


@pytest.mark.parametrize("name", ["login", "login-code", "me-password"])
def test_a_report_of_an_error_hides_what_was_typed(
    people: People, rf: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django writes the form of a request that failed into its report, unless the view says that it is sensitive."""

    def break_down(_request: Any) -> str:
        raise RuntimeError

    monkeypatch.setattr(addresses, "of", break_down)
    typed = {"username": "tenant", "password": "secret-1", "old": "secret-1", "new": "secret-1", "code": "secret-1"}
    request = rf.post(reverse(name), typed)
    request.user = people["tenant"]
    request.session = {entry.PENDING: {"account": people["tenant"].pk, "at": wall.now().timestamp()}}
    with pytest.raises(RuntimeError):
        resolve(request.path).func(request)
    shown = SafeExceptionReporterFilter().get_post_parameters(request)
    assert shown["password"] == shown["old"] == shown["code"] == SafeExceptionReporterFilter.cleansed_substitute


def test_a_refused_password_is_not_in_its_refusal(people: People) -> None:
    with pytest.raises(AccountError) as told:
        passwords.change(people["tenant"], "Tenant-" + FIRST, now=NOW)
    assert FIRST not in "".join(traceback.format_exception_only(told.value))


# --- the second factor


def bind(account: Account, clock: Wall) -> str:
    seed = totp.propose(account)
    totp.confirm(account, pyotp.TOTP(seed).at(clock()), wall=clock(), now=NOW)
    return seed


def test_with_a_second_factor_the_password_alone_opens_nothing(client: Client, people: People, clock: Wall) -> None:
    seed = bind(people["a_manager"], clock)
    assert enter(client, "a_manager")["Location"] == "/login/code"
    assert client.get("/").status_code == 302
    assert client.get("/login/code").status_code == 200
    assert client.post("/login/code", {"code": "000000"}).status_code == 403
    clock.on(seconds=30)
    response = client.post("/login/code", {"code": pyotp.TOTP(seed).at(clock())})
    assert response["Location"] == "/"
    assert client.get("/me").status_code == 200
    assert '"second":"totp"' in bytes(records("accounts.login")[0].body).decode()


def test_codes_are_counted_like_passwords(client: Client, people: People, clock: Wall) -> None:
    """Who knows the password gets no more tries at the code than anybody at the password."""
    seed = bind(people["a_manager"], clock)
    for _n in range(policy().failures):
        assert enter(client, "a_manager").status_code == 302, "the password is right each time"
        assert client.post("/login/code", {"code": "000000"}).status_code == 403
    clock.on(seconds=30)
    assert "已锁定" in text(client.post("/login/code", {"code": pyotp.TOTP(seed).at(clock())}))
    assert enter(Client(), "a_manager").status_code == 403


def test_a_half_done_login_is_forgotten(client: Client, people: People, clock: Wall) -> None:
    bind(people["a_manager"], clock)
    enter(client, "a_manager")
    clock.on(minutes=5, seconds=1)
    assert client.get("/login/code")["Location"] == "/login"


def test_who_was_put_to_sleep_in_between_stays_outside(client: Client, people: People, clock: Wall) -> None:
    seed = bind(people["b_manager"], clock)
    enter(client, "b_manager")
    Account.objects.filter(username="b_manager").update(is_active=False)
    clock.on(seconds=30)
    assert client.post("/login/code", {"code": pyotp.TOTP(seed).at(clock())}).status_code == 403


def test_a_recovery_code_opens_once(client: Client, people: People, clock: Wall) -> None:
    seed = totp.propose(people["a_manager"])
    codes = totp.confirm(people["a_manager"], pyotp.TOTP(seed).at(clock()), wall=clock(), now=NOW)
    for expected in (302, 403):
        enter(client, "a_manager")
        assert client.post("/login/code", {"code": codes[0].lower()}).status_code == expected
    assert len(records("accounts.totp.recovery")) == 1


def test_a_lock_is_opened_by_the_security_officer(client: Client, people: People, clock: Wall) -> None:
    for _n in range(5):
        enter(client, "tenant", "wrong")
    services.unlock(people["tenant"], by=people["secadmin"], now=NOW + timedelta(minutes=1))
    assert enter(client, "tenant").status_code == 302
    assert len(records("accounts.unlocked")) == 1
