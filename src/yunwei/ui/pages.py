"""Every page of the console as data: its address, its view, who may open it, and its place in the menu.

An area's `web/urls.py` holds `PAGES`; `server/urls.py` finds them. There is no page without `may`: access is denied by
default, and what a role may open can be listed (人员与权限) and walked by a test (URL × role × department).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account, Role

Roles = frozenset[Role]
View = Callable[..., HttpResponseBase]

#: notes/standards.md §10: the two parties, who checks them, the three officers, the departments that are served
VENDOR: Roles = frozenset(r for r in Role if r.value.startswith("b_"))
CLIENT: Roles = frozenset(r for r in Role if r.value.startswith("a_"))
PARTIES: Roles = VENDOR | CLIENT
CHECKERS: Roles = frozenset({Role.AUDITOR, Role.ASSESSOR})
OFFICERS: Roles = frozenset({Role.SYSADMIN, Role.SECADMIN})  # the third officer, 审计, checks
TENANTS: Roles = frozenset({Role.TENANT})
#: who may look at how the contract is kept; the system and the security officer run the platform, not the contract
READERS: Roles = PARTIES | CHECKERS
EVERYONE: Roles = frozenset(Role)
OPEN = "open"  # no login: the login page itself, and what proves nothing about anybody (/verify by hash)

GROUPS = {
    "overview": _("总览"),
    "run": _("运行"),
    "service": _("服务"),
    "contract": _("合同"),
    "proof": _("证据"),
    "manage": _("管理"),
}


@dataclass(frozen=True, slots=True)
class Menu:
    """A menu entry: group (a key of GROUPS), title, the path data of a 24×24 line icon, order in the group, and the key
    that follows `g` ("" for none)."""

    group: str
    title: Any
    icon: str
    order: int = 50
    key: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One address. `may`: the roles that may open it, or OPEN. Writes are further refused by the services."""

    route: str
    name: str
    view: View
    may: Roles | str
    menu: Menu | None = None

    def allows(self, account: Any) -> bool:
        """Whether this account may open it."""
        if self.may == OPEN:
            return True
        return isinstance(account, Account) and account.role in self.may

    def pattern(self) -> URLPattern:
        """Its URL pattern, the view behind the gate."""
        return path(self.route, _gate(self), name=self.name)


#: filled once, by the door that knows all areas (server/urls.py)
REGISTRY: dict[str, Page] = {}


def register(pages: Iterable[Page]) -> list[URLPattern]:
    """Take pages in and give their URL patterns. Raises ImproperlyConfigured for a second claim of a name and for a page
    that says nothing about who may open it."""
    made = []
    for page in pages:
        if REGISTRY.get(page.name, page) != page:
            raise ImproperlyConfigured(f"page name {page.name!r} is claimed twice")
        if page.may != OPEN and not page.may:
            raise ImproperlyConfigured(f"page {page.name!r} opens for nobody")
        REGISTRY[page.name] = page
        made.append(page.pattern())
    return made


def _gate(page: Page) -> View:
    @wraps(page.view)
    def gate(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
        if not page.allows(request.user):
            raise PermissionDenied
        return page.view(request, *args, **named)

    gate.open_to_all = page.may == OPEN  # type: ignore[attr-defined]
    gate.page = page  # type: ignore[attr-defined]
    return gate


def home_of(account: Any) -> str:
    """The name of the page that answers this role's day first."""
    role = getattr(account, "role", "")
    home = "portal" if role == Role.TENANT else "people" if role in OFFICERS else "today"
    return home if home in REGISTRY else "today"
