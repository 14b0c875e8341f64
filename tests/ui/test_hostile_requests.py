"""Whatever is sent is answered: no address, parameter, form or cursor of any page ends in an error of ours.

The parameters are not listed here: each page is asked once and what it looks for is noted, so that a new page is covered
when it is there. A text with a NUL is refused as PostgreSQL refuses it, whatever the database of this run.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from tests.ui import every_page
from tests.ui.every_page import Asker, address, pages
from yunwei.accounts import tokens
from yunwei.accounts.models import Account
from yunwei.desk.models import Ticket
from yunwei.ledger.web import trail
from yunwei.server.wsgi import application
from yunwei.ui.context import now

pytestmark = [pytest.mark.long, pytest.mark.django_db]


def cursor(text: str) -> str:
    """A cursor as a list writes it, of this JSON."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


#: what an address may be made of: NUL, half a pair, a way up, a header of its own, numbers that no column holds
PIECES = (
    "%00", "%ED%A0%80", "..%2f..%2f..%2fetc%2fpasswd", "%0d%0aX-Evil:1", "%22%3E%3Cscript%3E", "9" * 5000,
    str(2**63), str(2**64), "-1",
)  # fmt: skip
#: what a parameter may be
VALUES = (
    "9" * 5000, str(2**64), "-1", "２", "1e999", "0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "\ufffe\u202e\r\n<script>", b"\xed\xa0\x80",
)  # fmt: skip
#: what each parameter is set to alone: beside others that leave no rows it may never reach the database
ALONE = ("9" * 5000, "0001-01-01", "9999-12-31")
#: what a cursor may be: too deep, endless, no number, half a pair, NUL, a moment that UTC has not
CURSORS = tuple(
    cursor(text)
    for text in (
        "[" * 1400, "[1e999]", "[NaN]", "[" + "9" * 30 + "]", '["\\ud800"]', '["\\u0000"]',
        '["0001-01-01T00:00:00+14:00", 1]', '["2026-01-01T00:00:00+00:00", 1e999]', '["2026-01-01T00:00:00+00:00", "\\ud800"]',
        '["A", "\\ud800"]', '["open", "\\ud800", "2026-01-01T00:00:00+00:00", 1]', '["2026-11-01", "\\ud800", 1, 1]',
        '["A", "A", "\\ud800"]',
    )
)  # fmt: skip


DIGITS = cursor("[" + "9" * 30 + "]")  # a code may be all digits


@pytest.fixture
def world(people: dict[str, Account], settings: Any) -> dict[str, str]:
    settings.YUNWEI = {"demo": True}
    return every_page.build(people)


@pytest.fixture
def ask(people: dict[str, Account], world: dict[str, str]) -> Iterator[Asker]:
    """Fails at the end with everything that broke."""
    asker = Asker(people)
    yield asker
    assert asker.asked
    assert not asker.broken, "\n".join(asker.broken)


def test_no_address_breaks_a_page(ask: Asker) -> None:
    for page in pages():
        for piece in PIECES if "<" in page.route else ():
            for method in ("get", "post"):
                ask(ask.who(page), method, address(page, piece))


def test_no_parameter_and_no_cursor_breaks_a_page(ask: Asker, world: dict[str, str], monkeypatch: Any) -> None:
    monkeypatch.setattr(trail, "COMPARE_MAX", 0)  # the scene's records are too short to be played through
    looked: set[str] = set()
    get = QueryDict.get
    monkeypatch.setattr(QueryDict, "get", lambda self, key, default=None: (looked.add(key), get(self, key, default))[1])
    for page in pages():
        looked.clear()
        who, url = ask.who(page), address(page, real=every_page.real_for(page, world))
        ask(who, "get", url)
        ask(who, "post", url, {})
        names = sorted(looked - {"format", "csrfmiddlewaretoken"})
        for value in VALUES if names else ():
            ask(who, "get", url, dict.fromkeys(names, value) | {"after": ""})
            ask(who, "post", url, dict.fromkeys(names, value))
        for name in names:
            for value in CURSORS if name == "after" else ALONE:
                ask(who, "get", url, {name: value})
        if names:
            assert ask(who, "get", url, {names[0]: "\x00"}).status_code == 400, page.name
            ask(who, "get", url, {"format": "csv", names[0]: "9999-12-31"})


@pytest.mark.parametrize("route", ["assets", "tickets", "evidence", "occurrences", "findings", "sweeps", "systems"])
def test_no_cursor_breaks_the_api(people: dict[str, Account], route: str) -> None:
    _token, secret = tokens.make(people["b_manager"], "x", ["read", "evidence"], 1, now=now() - timedelta(minutes=1))
    for one in CURSORS:
        answer = Client().get(f"/api/v1/{route}", {"after": one}, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code in (404, 422) or (answer.status_code, one) == (200, DIGITS), one


BROKEN_FORMS = (
    (b"a=1", "multipart/form-data"),
    (b"a=1", "application/x-www-form-urlencoded; charset=hex"),
    (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nhi\r\n--x--\r\n', "multipart/form-data; boundary=x; charset=hex"),
    (b"&".join(b"a%d=1" % n for n in range(1500)), "application/x-www-form-urlencoded"),
    (b"a=" + b"x" * 3_000_000, "application/x-www-form-urlencoded"),
    (b"text=a%00b", "application/x-www-form-urlencoded"),
    (b"a%00=b", "application/x-www-form-urlencoded"),
)  # fmt: skip


@pytest.mark.parametrize(("body", "kind"), BROKEN_FORMS)
def test_a_form_that_cannot_be_read_is_refused_in_our_own_words(
    client: Client, people: Any, body: bytes, kind: str
) -> None:
    client.force_login(people["b_manager"])
    for form in ("/tickets/new", "/triggers"):
        answer = client.generic("POST", form, body, content_type=kind)
        assert answer.status_code == 400
        said = answer.content.decode()
        assert "这个请求无法读取" in said
        assert 'lang="zh-CN"' in said
        assert "Django" not in said
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/plain; charset=hex", 400),
        ("text/plain; charset=utf-16", 400),
        ('text/plain; charset="UTF-8"', 302),
        ("application/json", 302),
        ("", 302),
    ],
)
def test_a_request_is_read_in_utf_8_whatever_it_says(client: Client, people: Any, kind: str, status: int) -> None:
    told: list[str] = []
    environ = client._base_environ(PATH_INFO="/search", QUERY_STRING="q=1", CONTENT_TYPE=kind)
    application(environ, lambda said, _headers, _error=None: told.append(said))
    assert told[0].startswith(str(status))


def test_another_hosts_name_is_no_request_to_us(client: Client, people: dict[str, Account], settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["yunwei.example"]
    client.force_login(people["b_manager"])
    for asked in ("/", "/login", "/nothing", "/api/v1/assets"):
        answer = client.get(asked, headers={"host": "evil.example"})
        assert answer.status_code == 400, asked
        assert "evil" not in answer.content.decode()
    assert (
        client.get("/login", headers={"host": "evil.example", "x-forwarded-host": "yunwei.example"}).status_code == 400
    )
    assert (
        client.get("/login", headers={"host": "yunwei.example", "x-forwarded-host": "evil.example"}).status_code == 200
    )
