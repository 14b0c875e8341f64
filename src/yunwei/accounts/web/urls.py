"""Pages of this area: getting in and out, people, one's own account."""

from __future__ import annotations

from yunwei.ui import views
from yunwei.ui.pages import EVERYONE, OPEN, Page

PAGES = [
    Page("login", "login", views.log_in, OPEN),
    Page("logout", "logout", views.log_out, EVERYONE),
    Page("language", "language", views.language, OPEN),
]
