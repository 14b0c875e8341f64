"""Pages of this area."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.duties.web import (
    consents,
    events,
    notices,
    obligation,
    obligations,
    occurrence,
    occurrences,
    onsite,
    screen,
    today,
)
from yunwei.ui.pages import EVERYONE, READERS, Menu, Page

HOUSE = "M4 11 12 4l8 7v9h-5v-6H9v6H4z"
BOOK = "M12 6c-2-1.5-5-2-8-2v14c3 0 6 .5 8 2 2-1.5 5-2 8-2V4c-3 0-6 .5-8 2zM12 6v14"
FLAG = "M5 21V4h12l-3 4 3 4H5"
HAND = "M5 12l4 4 10-10M4 20h16"
LETTER = "M3 6h18v12H3zM3 7l9 6 9-6"
SEAT = "M12 21s7-6 7-11a7 7 0 0 0-14 0c0 5 7 11 7 11zM12 7.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z"
WALL = "M3 5h18v12H3zM9 21h6M12 17v4"

PAGES = [
    Page("", "home", today.home, EVERYONE),
    Page("today", "today", today.today, READERS, Menu("overview", _("今日"), HOUSE, 10, "d")),
    Page("screen", "screen", screen.screen, READERS, Menu("overview", _("大屏"), WALL, 90)),
    Page("screen/body", "screen-body", screen.body, READERS),
    Page("today/body", "today-body", today.body, READERS),
    Page(
        "obligations", "obligations", obligations.obligations, READERS, Menu("contract", _("条款与义务"), BOOK, 10, "o")
    ),
    Page("obligations/<str:code>", "obligation", obligation.obligation, READERS),
    Page("occurrences", "occurrences", occurrences.occurrences, READERS),
    Page("occurrences/<int:pk>", "occurrence", occurrence.occurrence, READERS),
    Page("triggers", "triggers", events.events, READERS, Menu("contract", _("触发事件"), FLAG, 40)),
    Page("notices", "notices", notices.notices, READERS, Menu("contract", _("文书送达"), LETTER, 42)),
    Page("notices/<int:notice_id>", "notice", notices.notice, READERS),
    Page("consents", "consents", consents.consents, READERS, Menu("contract", _("事先同意"), HAND, 44)),
    Page("consents/<int:consent_id>", "consent", consents.consent, READERS),
    Page("onsite", "onsite", onsite.onsite, READERS, Menu("service", _("驻场时段"), SEAT, 60)),
]
