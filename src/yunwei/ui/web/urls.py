"""Addresses of the frame itself."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.ui import live
from yunwei.ui.pages import EVERYONE, Menu, Page
from yunwei.ui.web import docs

PAGES = [
    Page("events", "events", live.gate, EVERYONE),
    Page(
        "api/docs",
        "api-docs",
        docs.docs,
        EVERYONE,
        Menu("manage", _("接口文档"), "M8 8l-4 4 4 4M16 8l4 4-4 4M13 5l-2 14", 90),
    ),
]
