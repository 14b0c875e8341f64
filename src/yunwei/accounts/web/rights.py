"""权限: which role may open which page, as the pages themselves say (`ui.pages`); nothing here is written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, Role
from yunwei.ui import pages, words
from yunwei.ui.context import page


@dataclass(frozen=True, slots=True)
class Right:
    """One page and who may open it."""

    group: str
    title: str
    route: str
    who: str


def _whom(may: pages.Roles | str) -> str:
    """The roles in words: whole sides by one word, the others by name."""
    if may == pages.OPEN:
        return _("无需登录")
    left = set(may)
    if left == set(pages.EVERYONE):
        return _("全部角色")
    told = []
    for roles, word in ((pages.CLIENT, _("甲方各角色")), (pages.VENDOR, _("乙方各角色"))):
        if roles <= left:
            told.append(word)
            left -= roles
    return words.listed([*told, *(role.label for role in Role if role in left)])


def _menu(one: pages.Page) -> pages.Menu | None:
    """The entry that leads to a page: its own, else the one that it lies below ("assets/…", "asset-reading/…")."""
    if one.menu:
        return one.menu
    stem = one.route.partition("/")[0].partition("-")[0]
    entries = {p.route: p.menu for p in pages.REGISTRY.values() if p.menu and stem and p.route.startswith(stem)}
    above = [route for route in entries if one.route.startswith(f"{route}/")]
    return entries[max(above, key=len) if above else min(entries)] if entries else None


def _rows(role: str) -> list[Right]:
    found = []
    for one in pages.REGISTRY.values():
        if role and (one.may == pages.OPEN or role not in one.may):
            continue
        menu = _menu(one)
        group = str(pages.GROUPS[menu.group]) if menu else ""
        found.append(Right(group, str(menu.title) if menu else "", "/" + one.route, _whom(one.may)))
    order = {str(title): n for n, title in enumerate(pages.GROUPS.values())}
    return sorted(found, key=lambda r: (order.get(r.group, len(order)), r.route))


def rights(request: HttpRequest) -> HttpResponse:
    """The pages and who may open them; `?role=` leaves those that one role may."""
    role = request.GET.get("role", "")
    role = role if role in Role.values else ""
    rows = _rows(role)
    title = (
        _("{role}可以打开 {n} 个页面").format(role=Role(role).label, n=len(rows))
        if role
        else _("{n} 个页面，每一页都写明谁可以打开").format(n=len(rows))
    )
    counts = {r: Account.objects.filter(role=r, is_active=True).count() for r in [role]} if role else {}
    context: dict[str, Any] = {
        "rows": rows, "role": role, "roles": [(r.value, r.label) for r in Role], "holders": counts.get(role),
    }  # fmt: skip
    return page(request, "accounts/rights.jinja", context, here="people", title=title)
