"""The permission gate: every page says who may open it, nobody else gets in, and the menu offers no more than that."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from yunwei.accounts.models import Account, Organisation, Role
from yunwei.ui import pages
from yunwei.ui.context import menu_of
from yunwei.ui.pages import OPEN, REGISTRY, Page

pytestmark = pytest.mark.django_db

PARTY = {"a": "A", "b": "B", "t": "T"}


@pytest.fixture(autouse=True)
def addresses() -> None:
    """Pages enter their register when the addresses are read, which another test of this process may not have done."""
    assert get_resolver().url_patterns


@pytest.fixture
def by_role(contract: None) -> dict[Role, Account]:
    """One account of every role there is."""
    orgs = {p: Organisation.objects.create(code=p, name=p, party=p) for p in ("A", "B", "T", "X")}
    made = {}
    for role in Role:
        party = "T" if role == Role.TENANT else {"a_": "A", "b_": "B"}.get(role.value[:2], "X")
        made[role] = Account.objects.create(
            username=role.value, display_name=role.value, role=role, organisation=orgs[party], password="x"
        )
    return made


def bare(page: Page) -> str | None:
    """The address of a page that needs nothing of its address filled in."""
    return None if "<" in page.route else reverse(page.name)


def test_every_address_is_a_page_that_says_who_may_open_it():
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):  # the API asks for a token itself (test_api.py)
            assert pattern.namespace == "api"
            continue
        page = getattr(pattern.callback, "page", None)
        assert isinstance(page, Page), pattern
        assert page.may == OPEN or page.may <= frozenset(Role)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_opens_its_pages_and_no_other(client: Client, by_role: dict[Role, Account], role: Role):
    client.force_login(by_role[role])
    for page in REGISTRY.values():
        address = bare(page)
        if address is None or page.name in ("logout", "language"):
            continue
        status = client.get(address).status_code
        if page.allows(by_role[role]):
            assert status in (200, 204, 302, 405), (page.name, status)
        else:
            assert status == 403, (page.name, status)


@pytest.mark.parametrize("role", list(Role))
def test_the_menu_offers_what_the_role_may_open(by_role: dict[Role, Account], role: Role):
    offered = {p.name for _group, entries in menu_of(by_role[role]) for p in entries}
    assert offered == {p.name for p in REGISTRY.values() if p.menu and p.allows(by_role[role])}
    assert offered


def test_nobody_is_let_in_without_a_login(client: Client, contract: None):
    for page in REGISTRY.values():
        address = bare(page)
        if address and page.may != OPEN:
            assert client.get(address).status_code in (302, 401), page.name


def test_the_three_officers_share_no_page_of_the_contract():
    """三员分立: who runs the platform and who grants rights do not work in the contract."""
    for page in REGISTRY.values():
        if page.menu and page.menu.group in ("run", "service", "contract"):
            assert page.may == OPEN or not (page.may & pages.OFFICERS), page.name


def _view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_a_page_for_nobody_and_a_name_claimed_twice_do_not_start():
    with pytest.raises(ImproperlyConfigured, match="opens for nobody"):
        pages.register([Page("x", "x-none", _view, frozenset())])
    with pytest.raises(ImproperlyConfigured, match="claimed twice"):
        pages.register([Page("login2", "login", _view, OPEN)])


def test_a_refusal_says_so_in_the_frame_and_a_missing_page_too(client: Client, by_role: dict[Role, Account]):
    client.force_login(by_role[Role.TENANT])
    refused = client.get("/triggers")
    assert refused.status_code == 403
    assert "您的角色不能打开这一页" in refused.content.decode()
    missing = client.get("/no-such-page")
    assert missing.status_code == 404
    assert "没有这一页" in missing.content.decode()
