"""触发事件: what happened and started a clock, and the form by which the parties record it with a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract.schema import Event, Folder
from yunwei.duties import services
from yunwei.duties.models import Occurrence, TriggerEvent
from yunwei.duties.proofs import OFFICERS
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.models import Entry
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

SHOWN = 50
FIELDS = ("kind", "at", "amount", "note")
#: bytes of a file that proves an event; larger ones belong on paper with their digest
MAX_FILE = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded event as the page shows it."""

    event: TriggerEvent
    title: str
    started: int  # occurrences whose clock it started
    number: int | None  # in the ledger


def title_of(event: Event) -> str:
    """An event's name in the reader's language."""
    return event.title_en if (translation.get_language() or "").startswith("en") else event.title


def may_record(account: Account) -> bool:
    """The two parties record; the officers, tenants and third parties do not."""
    return account.party in (PartyOf.A, PartyOf.B) and account.role not in OFFICERS


def rows(folder: Folder) -> list[Row]:
    """The newest events with what they started."""
    titles = {e.id: title_of(e) for e in folder.event_details}
    found = list(TriggerEvent.objects.select_related("recorded_by").order_by("-at", "-id")[:SHOWN])
    periods = [f"event:{e.pk}" for e in found]
    started: dict[str, int] = {}
    for period in Occurrence.objects.filter(period__in=periods).values_list("period", flat=True):
        started[period] = started.get(period, 0) + 1
    evidence = [e.evidence for e in found if e.evidence]
    numbers = dict(Entry.objects.filter(intake_id__in=evidence).values_list("intake_id", "seq"))
    return [
        Row(e, titles.get(e.kind, e.kind), started.get(f"event:{e.pk}", 0), numbers.get(e.evidence or 0)) for e in found
    ]


@require_http_methods(["GET", "POST"])
def events(request: HttpRequest) -> HttpResponse:
    """The list and, for the parties, the form."""
    account = request.user
    if not isinstance(account, Account):
        raise PermissionDenied
    folder = contract_folder()
    given = {name: request.POST.get(name, "") for name in FIELDS}
    context: dict[str, Any] = {"problem": "", "given": given}
    if request.method == "POST":
        if not may_record(account):
            raise PermissionDenied
        try:
            _record(request, account, folder)
        except YunweiError as error:
            context["problem"] = str(error)
        else:
            return redirect("triggers")
    choices = [(e.id, title_of(e), e.file) for e in folder.event_details if account.party in e.by]
    context |= {
        "rows": rows(folder),
        "choices": choices if may_record(account) else [],
        "now": now_of_instance(),
    }
    response = page(request, "duties/events.jinja", context, here="triggers")
    response.status_code = 400 if context["problem"] else 200
    return response


def _record(request: HttpRequest, account: Account, folder: Folder) -> None:
    """Record what the form says. Raises YunweiError with what is wrong."""
    given = request.POST
    upload = request.FILES.get("file")
    file = None
    if upload is not None:
        if (upload.size or 0) > MAX_FILE:
            raise YunweiError(_("文件超过 {n} MB").format(n=MAX_FILE // 1024 // 1024), where=str(upload.name))
        file = services.File(str(upload.name)[:120], upload.read(), upload.content_type or "application/octet-stream")
    amount = given.get("amount", "").strip()
    services.record_event(
        given.get("kind", ""),
        at=_moment(given.get("at", ""), ZoneInfo(folder.contract.timezone)),
        by=account,
        now=now_of_instance(),
        file=file,
        subject={"amount": amount} if amount else {},
        note=given.get("note", "").strip()[:300],
    )
    services.bring_up_to_date(now_of_instance())


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """The form's local time, in the contract's zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise YunweiError(_("请填写发生的时间"), where=text) from None
    return at if at.tzinfo else at.replace(tzinfo=zone)
