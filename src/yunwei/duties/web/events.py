"""触发事件: what happened and started a clock, and the form by which the parties record it with a file."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from markupsafe import Markup

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract.schema import Event, Folder
from yunwei.duties import services
from yunwei.duties.models import Occurrence, TriggerEvent
from yunwei.duties.proofs import OFFICERS
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.models import Entry
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, equals, show

FIELDS = ("kind", "at", "amount", "note")
#: bytes of a file that proves an event; larger ones belong on paper with their digest
MAX_FILE = 20 * 1024 * 1024


def title_of(event: Event) -> str:
    """An event's name in the reader's language."""
    return event.title_en if (translation.get_language() or "").startswith("en") else event.title


def may_record(account: Account) -> bool:
    """The two parties record; the officers, tenants and third parties do not."""
    return account.party in (PartyOf.A, PartyOf.B) and account.role not in OFFICERS


# --- the list ---------------------------------------------------------------------------------------------------------


def _rows(_request: HttpRequest) -> QuerySet[TriggerEvent]:
    return TriggerEvent.objects.select_related("recorded_by")


def _attach(found: list[Any]) -> None:
    """What each is called, what it started and its ledger number. Two statements."""
    titles = {e.id: title_of(e) for e in contract_folder().event_details}
    started = Counter(
        Occurrence.objects.filter(period__in=[f"event:{e.pk}" for e in found]).values_list("period", flat=True)
    )
    evidence = [e.evidence for e in found if e.evidence]
    numbers = dict(Entry.objects.filter(intake_id__in=evidence).values_list("intake_id", "seq"))
    for one in found:
        one.title = titles.get(one.kind, one.kind)
        one.started = started[f"event:{one.pk}"]
        one.number = numbers.get(one.evidence)


def _what(row: Any) -> Markup:
    small = Markup("").join(
        Markup('<small class="{}" translate="no">{}</small>').format(tone, text)
        for tone, text in (("mut", row.note), ("mut", row.file_name), ("t-warn", row.why))
        if text
    )
    return Markup("<div>{}{}</div>").format(row.title, small)


def _who(row: TriggerEvent) -> str:
    return row.recorded_by.display_name if row.recorded_by else _("平台")


def _who_cell(row: TriggerEvent) -> Markup:
    return Markup('<div>{}<small class="mut">{}</small></div>').format(_who(row), cells.stamp(row.recorded_at))


def _kinds() -> list[tuple[str, str]]:
    """The kinds of events that there have been."""
    there = set(TriggerEvent.objects.order_by().values_list("kind", flat=True).distinct())
    return [(e.id, title_of(e)) for e in contract_folder().event_details if e.id in there]


LISTING = Listing(
    name="triggers",
    rows=_rows,
    columns=(
        Column("at", gettext_lazy("发生"), lambda e: e.at, lambda e: cells.stamp(e.at), "lead"),
        Column("kind", gettext_lazy("事件"), lambda e: " · ".join(p for p in (e.title, e.note) if p), _what, "wide"),
        Column("started", gettext_lazy("起算"), lambda e: e.started, lambda e: cells.figure(e.started), "num"),
        Column("by", gettext_lazy("登记"), _who, _who_cell),
        Column("recorded", gettext_lazy("登记时间"), lambda e: e.recorded_at, kind="file"),
        Column("seq", gettext_lazy("证据"), lambda e: e.number, lambda e: cells.proof(e.number, waiting=bool(e.evidence)), "num"),
    ),
    order=("-at", "-id"),
    filters=(
        Filter("kind", gettext_lazy("事件"), equals("kind"), _kinds),
        Filter("q", gettext_lazy("说明"), contains("note", "file_name")),
    ),
    attach=_attach,
)  # fmt: skip


def _sentence(shown: Shown) -> Any:
    """How many there are, and what those that are shown started."""
    if not shown.total:
        return _("没有符合筛选条件的事件") if shown.chosen else _("还没有登记过事件")
    values: dict[str, tuple[object, str]] = {
        "n": (shown.total, "plain"), "m": (len(shown.rows), "plain"),
        "k": (sum(e.started for e in shown.rows), "plain"),
    }  # fmt: skip
    return words.pieces(_("登记过 {n} 件事件；下面 {m} 件起算了 {k} 项期限"), values)


@require_http_methods(["GET", "POST"])
def events(request: HttpRequest) -> HttpResponseBase:
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
            # the form shows which event it is; its id is no word of people
            context["problem"] = error.message if error.where == request.POST.get("kind", "") else str(error)
        else:
            return redirect("triggers")
    choices = [(e.id, title_of(e), e.file) for e in folder.event_details if account.party in e.by]
    context["choices"] = choices if may_record(account) else []
    response = show(request, LISTING, _sentence, template="duties/events.jinja", context=context)
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
        file = services.File(str(upload.name), upload.read(), upload.content_type or "application/octet-stream")
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
