"""Pages of this area."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.duties.web import events, today
from yunwei.ui.pages import EVERYONE, READERS, Menu, Page

PAGES = [
    Page("", "today", today.today, EVERYONE, Menu("overview", _("今日"), "M4 11 12 4l8 7v9h-5v-6H9v6H4z", 10, "d")),
    Page("today/body", "today-body", today.body, EVERYONE),
    Page("triggers", "triggers", events.events, READERS, Menu("contract", _("触发事件"), "M5 21V4h12l-3 4 3 4H5", 40)),
]
