"""Pages of this area: getting in and out, people and rights, one's own account, what the instance runs with."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Role
from yunwei.accounts.web import entry, instance, me, people, rights, staff, tokens
from yunwei.ui import views
from yunwei.ui.pages import CHECKERS, EVERYONE, OFFICERS, OPEN, READERS, Menu, Page

PEOPLE = "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21v-2a6 6 0 0 1 12 0v2M16 4a4 4 0 0 1 0 7M22 21v-2a6 6 0 0 0-4-5"
BADGE = "M4 5h16v15H4zM9 3h6v4H9zM12 10a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4zM8 18c.6-2 2-3 4-3s3.4 1 4 3"
SLIDERS = "M4 7h9M19 7h1M4 17h3M13 17h7M16 4a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM10 14a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"

PAGES = [
    Page("login", "login", entry.log_in, OPEN),
    Page("login/code", "login-code", entry.code, OPEN),
    Page("login/oidc", "login-oidc", entry.oidc_start, OPEN),
    Page("login/oidc/back", "login-oidc-back", entry.oidc_back, OPEN),
    Page("logout", "logout", entry.log_out, EVERYONE),
    Page("language", "language", views.language, OPEN),
    Page("me", "me", me.me, EVERYONE),
    Page("me/password", "me-password", me.password, EVERYONE),
    Page("me/totp", "me-totp", me.second, EVERYONE),
    Page("me/totp/codes", "me-totp-codes", me.codes, EVERYONE),
    Page("me/session", "me-session", me.end_session, EVERYONE),
    Page("me/tokens", "tokens", tokens.mine, EVERYONE),
    Page("people", "people", people.people, people.MAY, Menu("manage", _("人员与权限"), PEOPLE, 10, "m")),
    Page("staff", "staff", staff.staff, READERS, Menu("service", _("人员与第三方"), BADGE, 70)),
    Page("people/rights", "people-rights", rights.rights, people.MAY),
    Page("people/new", "people-new", people.new, frozenset({Role.SYSADMIN})),
    Page("people/<int:pk>", "people-one", people.one, people.MAY),
    Page("people/<int:pk>/act", "people-act", people.act, OFFICERS),
    Page(
        "settings", "settings", instance.instance,
        OFFICERS | CHECKERS | {Role.A_LEADER, Role.A_MANAGER, Role.B_MANAGER}, Menu("manage", _("设置"), SLIDERS, 90),
    ),
]  # fmt: skip
