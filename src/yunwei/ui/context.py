"""What every page shows around its content: menu, who is looking, whether the ledger is whole, whether this is a demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from yunwei.contract.schema import Folder
from yunwei.duties import sources
from yunwei.kernel.clock import OffsetClock


@dataclass(frozen=True, slots=True)
class Entry:
    """One menu entry; a line of work that has no page has no entry."""

    title: Any
    url: str
    icon: str
    business: bool = False  # for the roles of the two parties; officers and departments do not see it


MENU: tuple[tuple[Any, tuple[Entry, ...]], ...] = (
    (_("总览"), (Entry(_("今日"), "today", "M4 11 12 4l8 7v9h-5v-6H9v6H4z"),)),
    (_("合同"), (Entry(_("触发事件"), "events", "M5 21V4h12l-3 4 3 4H5", business=True),)),
)


def contract_folder() -> Folder:
    """This instance's contract; loaded again only when a file of its folder changed."""
    return sources.folder()


def contract_names() -> dict[str, str]:
    """Title and number of this instance's contract, for the header."""
    contract = contract_folder().contract
    english = (translation.get_language() or "").startswith("en")
    return {"contract_title": contract.title_en if english else contract.title, "contract_number": contract.number}


def now() -> datetime:
    """The instance's present moment: pages are a door, so they may read the clock."""
    offset = settings.YUNWEI.get("clock", {}).get("offset_s", 0)
    return OffsetClock(timedelta(seconds=offset)).now()


def menu_of(account: Any) -> list[tuple[Any, list[Entry]]]:
    """The menu of one account; what a role may not open is not offered (the page itself refuses it too)."""
    business = getattr(account, "role", "").startswith(("a_", "b_"))
    groups = [(title, [entry for entry in entries if business or not entry.business]) for title, entries in MENU]
    return [(title, entries) for title, entries in groups if entries]


def page(request: HttpRequest, template: str, context: dict[str, Any], *, here: str = "") -> HttpResponse:
    """Render a page in the frame."""
    frame = {
        "menu": menu_of(request.user),
        "here": here,
        "account": request.user,
        "demo": settings.YUNWEI.get("demo", False),
        "language": getattr(request, "LANGUAGE_CODE", "zh-hans"),
    }
    return render(request, template, frame | contract_names() | context)
