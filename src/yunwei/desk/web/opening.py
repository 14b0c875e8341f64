"""Opening a ticket: what the form asks, what it says, and what each kind of request is promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account, Organisation, PartyOf
from yunwei.assets.models import Asset, System
from yunwei.contract import plans
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket, TicketKind
from yunwei.desk.services import TITLE
from yunwei.desk.web import speaking
from yunwei.desk.web.ticket import viewer_of
from yunwei.desk.web.uploads import uploaded
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.schedule import count
from yunwei.kernel.errors import YunweiError
from yunwei.ui import words
from yunwei.ui.context import contract_folder, now, page
from yunwei.ui.vocabulary import BASIS, amount

FIELDS = ("kind", "title", "body", "channel", "received", "unit", "asset", "system", "wanted")
#: by which way a request reached the desk
WAYS = ("phone", "mail", "sms", "wechat", "desk")
#: the same words by the same person within this time are one request sent twice
TWICE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Promise:
    """What 乙方 owes for a kind of request: the rule, whose number it is, and when that would be from now."""

    title: str
    rule: str
    due: str
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One kind of request as the form offers it."""

    kind: str
    word: str
    note: str
    promises: list[Promise] = field(default_factory=list)


def choices(at: datetime) -> list[Choice]:
    """The kinds with what each is promised; one statement."""
    folder, plan = contract_folder(), plans.plan_at(at)
    lines = {line.obligation: line for line in plan.plan.lines} if plan is not None else {}
    zone, calendar = ZoneInfo(folder.contract.timezone), sources.calendar()
    made = []
    for kind in TicketKind:
        promises = []
        for duty in folder.obligations:
            line = lines.get(duty.id)
            rule = duty.deadline or (line.deadline if line is not None else None)
            if duty.trigger != desk.EVENTS[kind] or "B" not in duty.owes.value or rule is None:
                continue
            said = _("{rule}（{basis}）").format(rule=amount(rule.n, rule.unit), basis=BASIS[rule.basis])
            due = count(at, rule.n, rule.unit.value, calendar, zone).due
            promises.append(Promise(words.title(duty), said, words.due(due, at, zone), tuple(duty.clauses)))
        word, note = speaking.KINDS_PLAIN[kind]
        made.append(Choice(kind.value, str(word), str(note), promises))
    return made


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form of the two parties: what reached the desk by telephone, mail or message, or what one of them asks."""
    viewer = viewer_of(request)
    given = {name: request.POST.get(name, request.GET.get(name, "")) for name in FIELDS}
    problem = ""
    if request.method == "POST":
        try:
            ticket = _opened(request, viewer, given)
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("ticket", ticket.number)
    context: dict[str, Any] = {
        "given": given,
        "problem": problem,
        "kinds": choices(now()),
        "ways": [(way, speaking.CHANNELS[way]) for way in WAYS],
        "units": list(Organisation.objects.filter(party__in=(PartyOf.A, PartyOf.TENANT)).order_by("name")),
        "systems": list(System.objects.select_related("owner").order_by("name")[:500]),
        "may_open": desk.takes_part(viewer),
        "longest": TITLE,
    }
    response = page(request, "desk/new.jinja", context, here="tickets", title=_("登记一张工单"))
    response.status_code = 400 if problem else 200
    return response


def _opened(request: HttpRequest, by: Account, given: Mapping[str, str]) -> Ticket:
    """Open what the form says. Raises YunweiError with what is wrong."""
    at = now()
    twice = sent_twice(by, given, at)
    if twice is not None:
        return twice
    way = given["channel"]
    ticket = desk.open_ticket(
        given["kind"],
        given["title"],
        by=by,
        now=at,
        body=given["body"],
        channel=way if way in WAYS else "desk",
        received_at=_received(given["received"], at),
        asset=_found(Asset, given["asset"], _("没有编号为“{code}”的资产")),
        system=_found(System, given["system"], _("没有编号为“{code}”的系统")),
        requester=_found(Organisation, given["unit"], _("没有编号为“{code}”的单位")),
        wanted_on=wanted(given["wanted"]),
        file=uploaded(request),
    )
    duties.bring_up_to_date(at)
    return ticket


def _found(model: Any, code: str, nothing: str) -> Any:
    code = code.strip()
    if not code:
        return None
    found = None if "\x00" in code else model.objects.filter(code=code).first()
    if found is None:
        raise YunweiError(nothing.format(code=code[:60]))
    return found


def _received(text: str, at: datetime) -> datetime | None:
    """When it reached the desk, in the contract's zone; empty: now."""
    if not text:
        return None
    try:
        received = datetime.fromisoformat(text)
    except ValueError:
        raise YunweiError(_("收到时间不是时间"), where=text[:40]) from None
    received = received if received.tzinfo else received.replace(tzinfo=ZoneInfo(contract_folder().contract.timezone))
    if received > at:
        raise YunweiError(_("收到时间晚于现在"), where=text[:40])
    return received


def wanted(text: str) -> date | None:
    """By when it is wished; a wish moves no clock. Raises YunweiError for what is no date."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise YunweiError(_("希望完成的日期不是日期"), where=text[:40]) from None


def sent_twice(by: Account, given: Mapping[str, str], at: datetime) -> Ticket | None:
    """The ticket that the same person opened with the same words a moment ago: a form sent twice starts one clock."""
    title = " ".join(given["title"].split())[:TITLE]
    return (
        Ticket.objects.filter(
            opened_by=by, kind=given["kind"], title=title, body=given["body"].strip(), opened_at__gt=at - TWICE
        )
        .order_by("-id")
        .first()
        if "\x00" not in f"{title}{given['body']}{given['kind']}"
        else None
    )
