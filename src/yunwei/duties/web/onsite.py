"""驻场: the slots of a month, who covers each and which are open. Slots are counted, nobody's minutes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account, StaffMember
from yunwei.contract import openitems
from yunwei.contract.period import duty_span
from yunwei.duties import onsite as rules
from yunwei.duties import sources
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Occurrence, RosterEntry
from yunwei.duties.web.acts import number_of
from yunwei.duties.web.dealing import day, problem_of, who
from yunwei.duties.web.pending import side_of
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

#: the function that an open item blocks while the contract names no hours
HOURS = "roster.coverage"


@require_http_methods(["GET", "POST"])
def onsite(request: HttpRequest) -> HttpResponse:
    """One month (`?month=2026-10`, the present one without) of slots; who may, fills or disputes them here."""
    by, problem, now = who(request), "", now_of_instance()
    today = now.astimezone(ZoneInfo(contract_folder().contract.timezone)).date()
    name = request.GET.get("month") or f"{today:%Y-%m}"
    try:
        first, last = rules.bounds(name)
    except DutyError as error:
        raise Http404 from error
    if request.method == "POST":
        problem = problem_of(lambda: _act(request, by, now))
        if not problem:
            return redirect(f"{reverse('onsite')}?month={name}")
    response = page(
        request,
        "duties/onsite.jinja",
        _context(request, by, name, (first, last), today) | {"problem": problem},
        here="onsite",
    )
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, by: Account, now: datetime) -> None:
    given = request.POST
    match given.get("act", ""):
        case "assign":
            _assign(request, by, now)
        case "clear":
            rules.clear(number_of(given.get("id", "")), by=by, now=now)
        case "empty":
            rules.found_empty(number_of(given.get("id", "")), by=by, now=now, reason=given.get("reason", ""))
        case act:
            raise DutyError(_("没有这个操作"), where=act[:20])


def _assign(request: HttpRequest, by: Account, now: datetime) -> None:
    given = request.POST
    rules.assign_days(
        day(given.get("first", "")), day(given.get("last", "") or given.get("first", "")), given.getlist("slot"),
        given.get("member", ""), by=by, now=now, stand_in=bool(given.get("stand_in")),
    )  # fmt: skip


def _context(request: HttpRequest, by: Account, name: str, span: tuple[date, date], today: date) -> dict[str, Any]:
    folder = contract_folder()
    terms, found, rows = rules.month(name)
    staffing = folder.contract.staffing
    obligation = next((o for o in folder.obligations if staffing and o.id == staffing.onsite), None)
    there: dict[tuple[date, str], list[RosterEntry]] = {}
    for row in rows:
        there.setdefault((row.day, row.slot), []).append(row)
    all_open = set(found.open)
    past = [key for key in found.open if key[0] < today]
    days = terms.days_of(*span, sources.calendar()) if terms else []
    months = duty_span(folder.contract)
    side = side_of(by)
    before, after = span[0] - timedelta(days=1), span[1] + timedelta(days=1)
    values: dict[str, tuple[object, str]] = {
        "month": (name, "plain"), "covered": (found.covered, "plain"), "all": (found.total, "plain"),
        "open": (len(past), "bad" if past else "mut"),
    }  # fmt: skip
    sentence: Any = words.pieces(_("{month} 共 {all} 个驻场时段，{covered} 个有人；已过去而无人的 {open} 个"), values)
    return {
        "name": name, "terms": terms, "found": found, "days": days, "there": there, "open": all_open, "today": today,
        "numbers": ledger.numbers_of(r.evidence for r in rows), "obligation": obligation, "given": request.POST,
        "title_of": words.title(obligation) if obligation else "", "item": openitems.blocked(folder, HOURS),
        "occurrence": Occurrence.objects.filter(obligation=obligation.id, period=name).first() if obligation else None,
        "members": _members(span) if side == "B" else [], "side": side, "weekdays": words.WEEKDAYS,
        "previous": f"{before:%Y-%m}" if before >= months.start else "",
        "following": f"{after:%Y-%m}" if after <= months.end else "",
        "sentence": sentence if terms else _("合同或服务方案没有写明驻场时段"),
    }  # fmt: skip


def _members(span: tuple[date, date]) -> list[StaffMember]:
    """Who may stand in a slot of these days."""
    rows = StaffMember.objects.filter(since__isnull=False)
    return [m for m in rows if rules.in_place(m, span[1]) or rules.in_place(m, span[0]) or m.until is None]
