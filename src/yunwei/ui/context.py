"""What every page shows around its content: menu, who is looking, whether the ledger is whole, whether this is a demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from yunwei.contract.schema import Folder
from yunwei.duties import sources
from yunwei.kernel.clock import OffsetClock
from yunwei.ledger import heads
from yunwei.ledger.models import Head, HeadPush
from yunwei.ui import pages


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


@dataclass(frozen=True, slots=True)
class Chain:
    """What the header says of the ledger: the newest signed head, and whether one did not reach the client in time."""

    number: int  # records under the newest head; 0: no head yet
    overdue: bool


def menu_of(account: Any) -> list[tuple[Any, list[pages.Page]]]:
    """The menu of one account, by group; what a role may not open is not offered (the page itself refuses it too)."""
    mine = [p for p in pages.REGISTRY.values() if p.menu and p.allows(account)]
    mine.sort(key=lambda p: p.menu.order if p.menu else 0)
    groups = [(title, [p for p in mine if p.menu and p.menu.group == key]) for key, title in pages.GROUPS.items()]
    return [(title, found) for title, found in groups if found]


def chain(at: datetime) -> Chain:
    """The state of the ledger, in two statements."""
    newest = Head.objects.only("size", "at").order_by("-number").first()
    if newest is None:
        return Chain(0, overdue=False)
    wanted = heads.addresses()
    pushed = HeadPush.objects.filter(ok=True, address__in=wanted).values_list("address").annotate(last=Max("at"))
    last = dict(pushed)
    return Chain(newest.size, any(at - last.get(address, newest.at) > heads.HOURLY for address in wanted))


def page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    here: str = "",
    title: str = "",
    as_of: datetime | None = None,
) -> HttpResponse:
    """Render a page in the frame. `here` names the menu entry, `title` is the sentence that answers, `as_of` the moment
    the shown data is of (default: now). A fragment (HX-Request) is rendered by the same call with its own template."""
    at = as_of or now()
    frame: dict[str, Any] = {
        "here": here,
        "account": request.user,
        "sentence": title,
        "as_of": at,
        "demo": settings.YUNWEI.get("demo", False),
        "language": getattr(request, "LANGUAGE_CODE", "zh-hans"),
    }
    if not request.headers.get("HX-Request"):
        frame |= {"menu": menu_of(request.user), "chain": chain(now()), "search": pages.REGISTRY.get("search")}
    return render(request, template, frame | contract_names() | context)
