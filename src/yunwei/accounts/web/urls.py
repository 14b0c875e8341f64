"""Pages of this area: getting in and out, people, one's own account, what the instance runs with."""

from __future__ import annotations

from yunwei.accounts.web import entry, tokens
from yunwei.ui import views
from yunwei.ui.pages import EVERYONE, OPEN, Page

PAGES = [
    Page("login", "login", entry.log_in, OPEN),
    Page("login/code", "login-code", entry.code, OPEN),
    Page("login/oidc", "login-oidc", entry.oidc_start, OPEN),
    Page("login/oidc/back", "login-oidc-back", entry.oidc_back, OPEN),
    Page("logout", "logout", entry.log_out, EVERYONE),
    Page("language", "language", views.language, OPEN),
    Page("me/tokens", "tokens", tokens.mine, EVERYONE),
]
