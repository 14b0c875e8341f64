"""服务门户: what a department sees: its systems, its requests with their clocks, and a new request. Nothing of others.

Every query here begins with the department's own organisation; another department's object is a 404, as one that is not
there. Engineers are roles, equipment has no address, and no money is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yunwei.accounts.models import Account, PartyOf
from yunwei.assets.models import Asset, System
from yunwei.desk import services as desk
from yunwei.desk.models import Entry, Ticket, TicketState
from yunwei.desk.services import TITLE
from yunwei.desk.web import clocks, history, opening, speaking
from yunwei.desk.web.ticket import GIVEN, act, fetched, moves_of, viewer_of
from yunwei.desk.web.tickets import attach_clocks, clock_cell
from yunwei.desk.web.uploads import uploaded
from yunwei.duties import services as duties
from yunwei.duties.models import Occurrence, State
from yunwei.inspect.models import DeviceSweep
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.models import Entry as Numbered
from yunwei.ledger.models import Intake
from yunwei.ui import cells, words
from yunwei.ui.context import now, page
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, show

#: tickets a section shows; the rest has its count and its list
SHOWN = 12
#: assets of one department that are looked through
MOST = 500
#: the department's own turn
MINE = (TicketState.RESOLVED, TicketState.WAITING, TicketState.REJECTED)
FIELDS = ("kind", "title", "body", "system", "wanted")
#: what asks to be looked at first
WORST = ("bad", "unp", "ok", "mut")
#: what a verdict means to somebody who does not know our words; not looked at is not fine
VERDICTS = {
    "fail": ("bad", gettext_lazy("发现故障")),
    "unproven": ("unp", gettext_lazy("没能看清，不能说正常")),
    "": ("unp", gettext_lazy("还没有看过")),
    "pass": ("ok", gettext_lazy("看过，正常")),
}


def mine(viewer: Account) -> QuerySet[Ticket]:
    """The tickets of the viewer's department."""
    return Ticket.objects.filter(requester=viewer.organisation_id)


# --- systems ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Thing:
    """One host or device of a system and what the last look said of it."""

    name: str
    tone: str
    word: str
    seen: datetime | None
    ticket: str  # in hand as, "" for none
    intake: int | None  # of the judgement


@dataclass(frozen=True, slots=True)
class Place:
    """One system with its things, the worst first; `rows` of the same words are counted together."""

    name: str
    level: int | None
    tone: str
    word: str
    things: list[Thing]
    seen: datetime | None


def systems(viewer: Account) -> list[Place]:
    """The department's systems, and what else of the cloud is its own; four statements."""
    unit = viewer.organisation_id
    judged = Intake.objects.filter(kind="inspect.run.judged", subject=OuterRef("standing__sweep__run_id"))
    assets = list(
        Asset.objects.filter(Q(owner=unit) | Q(system__owner=unit), retired_at__isnull=True)
        .select_related("standing__sweep", "system")
        .annotate(judged=Subquery(judged.order_by("-id").values("id")[:1]))
        .order_by("code")[:MOST]
    )
    open_ = Ticket.objects.filter(asset__in=[a.pk for a in assets], closed_at__isnull=True)
    in_hand = dict(open_.values_list("asset", "state"))
    own = list(System.objects.filter(owner=unit).order_by("name"))
    by_system: dict[int | None, list[Thing]] = {system.pk: [] for system in own}
    for asset in assets:
        key = asset.system_id if asset.system_id in by_system else None
        by_system.setdefault(key, []).append(_thing(asset, in_hand))
    made = [_place(system.name, system.mlps_level, by_system[system.pk]) for system in own]
    if by_system.get(None):
        made.append(_place(_("未归入系统的主机与设备"), None, by_system[None]))
    return sorted(made, key=lambda place: WORST.index(place.tone))


def _thing(asset: Any, in_hand: Mapping[Any, str]) -> Thing:
    standing = getattr(asset, "standing", None)
    sweep: DeviceSweep | None = standing.sweep if standing is not None else None
    tone, word = VERDICTS[sweep.verdict if sweep is not None else ""]
    state = in_hand.get(asset.pk)
    return Thing(
        name=asset.name,
        tone=tone,
        word=str(word),
        seen=sweep.observed_at if sweep is not None else None,
        ticket=str(TicketState(state).label) if state else "",
        intake=asset.judged if sweep is not None else None,
    )


def _place(name: str, level: int | None, things: list[Thing]) -> Place:
    things.sort(key=lambda t: (WORST.index(t.tone), t.name))
    by = Counter(t.tone for t in things)
    seen = max((t.seen for t in things if t.seen is not None), default=None)
    if not things:
        return Place(name, level, "mut", _("没有登记主机或设备"), things, None)
    parts = []
    if by["bad"]:
        parts.append(_("{n} 台发现故障").format(n=by["bad"]))
    if by["unp"]:
        parts.append(_("{n} 台没能看清").format(n=by["unp"]))
    if by["ok"]:
        parts.append(_("{n} 台正常").format(n=by["ok"]))
    tone = next(t for t in WORST if by[t])
    return Place(name, level, tone, (", " if words.english() else "、").join(parts), things, seen)


# --- the first page -----------------------------------------------------------------------------------------------------


def _kept(viewer: Account) -> dict[str, int]:
    """How the promises to this department ended, and how many still run; two statements."""
    events = mine(viewer).filter(event__isnull=False).order_by("-id").values_list("event", flat=True)[:MOST]
    rows = Occurrence.objects.filter(period__in=[f"event:{pk}" for pk in events], owes__contains="B")
    states = dict(rows.values_list("state").annotate(n=Count("id")).order_by())
    return {state.value: states.get(state.value, 0) for state in State}


def _answers(tickets: Iterable[Ticket]) -> dict[int, Entry]:
    """The newest word of the other side to each ticket; one statement."""
    newest = Entry.objects.filter(ticket__in=[t.pk for t in tickets], inside=False).exclude(text="")
    said = newest.exclude(what__in=("opened", "sweep")).exclude(by__organisation__party="T").order_by("id")
    return {entry.ticket_id: entry for entry in said}


def model(viewer: Account) -> dict[str, Any]:
    """What the first page shows, with a fixed number of statements."""
    at = now()
    n = mine(viewer).aggregate(
        open=Count("id", filter=Q(closed_at__isnull=True)),
        turn=Count("id", filter=Q(closed_at__isnull=True, state__in=MINE)),
        done=Count("id", filter=Q(closed_at__isnull=False)),
    )
    turn = list(mine(viewer).filter(closed_at__isnull=True, state__in=MINE).order_by("-opened_at", "-id")[:SHOWN])
    running = list(
        mine(viewer).filter(closed_at__isnull=True).exclude(state__in=MINE).order_by("opened_at", "id")[:SHOWN]
    )
    done = list(mine(viewer).filter(closed_at__isnull=False).order_by("-closed_at", "-id")[:5])
    attach_clocks([*turn, *running, *done], at, PartyOf.B)  # 甲方 and 乙方 answer to each other, 乙方 to it
    places = systems(viewer)
    intakes = [t.intake for place in places for t in place.things]
    rows = [*turn, *running, *done]
    return {
        "viewer": viewer,
        "n": n,
        "turn": turn,
        "running": running,
        "done": done,
        "answers": _answers(rows),
        "places": places,
        "kept": _kept(viewer),
        "number": speaking.numbers([*intakes, *(t.evidence for t in rows)]),
        "speaking": speaking,
        "sentence": _sentence(n, places, rows),
        "as_of": at,
    }


def _sentence(n: Mapping[str, int], places: list[Place], rows: list[Any]) -> list[tuple[str, str]]:
    bad = sum(place.tone == "bad" for place in places)
    late = sum(1 for t in rows if t.closed_at is None and t.clock and t.clock.running and t.clock.tone == "bad")
    values = {
        "turn": (n["turn"], "warn" if n["turn"] else "mut"),
        "open": (n["open"], "ink" if n["open"] else "mut"),
        "late": (late, "bad"),
        "bad": (bad, "bad"),
    }
    if n["turn"]:
        text = _("有 {turn} 件事等您办理，{open} 项申请在办")
    elif n["open"]:
        text = _("{open} 项申请在办，没有等您办理的事")
    else:
        text = _("没有在办的申请")
    if late:
        text += _("；{late} 项已超过时限")
    if bad:
        text += _("；{bad} 个系统发现故障")
    return words.pieces(text, values)


@require_GET
def portal(request: HttpRequest) -> HttpResponse:
    """The department's first page."""
    return page(request, "desk/portal.jinja", model(viewer_of(request)), here="portal")


@require_GET
def body(request: HttpRequest) -> HttpResponse:
    """Its changing part."""
    return page(request, "desk/portal_body.jinja", model(viewer_of(request)), here="portal")


# --- asking ---------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form of a department, and what is promised to each kind of request."""
    viewer = viewer_of(request)
    own = list(System.objects.filter(owner=viewer.organisation_id).order_by("name"))
    given = {name: request.POST.get(name, request.GET.get(name, "")) for name in FIELDS}
    problem = ""
    if request.method == "POST":
        try:
            ticket = _opened(request, viewer, given, own)
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("portal-ticket", ticket.number)
    context = {
        "given": given,
        "problem": problem,
        "kinds": opening.choices(now()),
        "systems": own,
        "longest": TITLE,
    }
    response = page(request, "desk/portal_new.jinja", context, here="portal", title=_("提出申请或报告故障"))
    response.status_code = 400 if problem else 200
    return response


def _opened(request: HttpRequest, by: Account, given: Mapping[str, str], own: list[System]) -> Ticket:
    """Open what the form says, in the department's own name. Raises YunweiError with what is wrong."""
    at = now()
    twice = opening.sent_twice(by, given, at)
    if twice is not None:
        return twice
    system = next((s for s in own if s.code == given["system"]), None)
    if system is None and given["system"]:
        raise YunweiError(_("不是本单位的系统或资产"))
    ticket = desk.open_ticket(
        given["kind"], given["title"], by=by, now=at, body=given["body"], channel="portal", system=system,
        wanted_on=opening.wanted(given["wanted"]), file=uploaded(request),
    )  # fmt: skip
    duties.bring_up_to_date(at)
    return ticket


# --- the department's tickets -------------------------------------------------------------------------------------------


def _rows(request: HttpRequest) -> QuerySet[Ticket]:
    seq = Numbered.objects.filter(intake_id=OuterRef("evidence")).values("seq")[:1]
    return mine(viewer_of(request)).select_related("system").annotate(seq=Subquery(seq))


def _state(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    wanted = {"open": Q(closed_at__isnull=True), "turn": Q(closed_at__isnull=True, state__in=MINE)}
    return rows.filter(wanted.get(text, Q(closed_at__isnull=False)))


LISTING = Listing(
    name="portal-tickets",
    rows=_rows,
    columns=(
        Column("title", gettext_lazy("事项"), lambda t: t.title, lambda t: cells.name(t.title), "lead"),
        Column("number", gettext_lazy("编号"), lambda t: t.number, lambda t: cells.name(t.number, note=t.system or "")),
        Column("state", gettext_lazy("进展"), lambda t: speaking.PLAIN[t.state], lambda t: cells.state(speaking.TONE[t.state], speaking.PLAIN[t.state])),
        Column("clock", gettext_lazy("时限"), lambda t: f"{t.clock.left}（{t.clock.rule}）" if t.clock else "", clock_cell, "clock"),
        Column("opened", gettext_lazy("提出"), lambda t: t.opened_at, lambda t: cells.stamp(t.opened_at)),
        Column("evidence", gettext_lazy("证据"), lambda t: t.seq, lambda t: speaking.proof(t.seq, t.evidence, None)),
    ),
    order=("-opened_at", "-id"),
    filters=(
        Filter("q", gettext_lazy("内容"), contains("number", "title", "body"), hint=gettext_lazy("编号、事项或描述")),
        Filter("state", gettext_lazy("进展"), _state, lambda: [("open", _("在办")), ("turn", _("等您办理")), ("done", _("已办结"))]),
    ),
    link=lambda t: reverse("portal-ticket", args=[t.number]),
    attach=lambda rows: attach_clocks(rows, now(), PartyOf.B),
)  # fmt: skip


def tickets(request: HttpRequest) -> HttpResponseBase:
    """All the department's requests."""

    def answer(shown: Shown) -> str:
        if not shown.total:
            return _("没有符合筛选条件的申请") if shown.chosen else _("还没有提出过申请")
        return _("共 {n} 项申请").format(n=shown.total)

    return show(request, LISTING, answer, template="desk/portal_tickets.jinja")


def _ticket(viewer: Account, number: str) -> Ticket:
    found = mine(viewer).select_related("system", "requester", "event", "asset").filter(number=number).first()
    if found is None:
        raise Http404
    return found


def _one(ticket: Ticket, viewer: Account) -> dict[str, Any]:
    """Everything the page of one request shows."""
    at = now()
    rows = desk.clocks(ticket)
    world = clocks.world(at)
    of = clocks.clocks(rows, world, viewer)
    lines, more = history.lines(ticket, rows, viewer)
    facts = [
        (_("编号"), ticket.number),
        (_("类型"), speaking.KINDS_PLAIN[ticket.kind][0]),
        (_("系统"), ticket.system.name if ticket.system else ""),
        (_("提出"), cells.stamp(ticket.opened_at)),
        (_("希望完成"), str(ticket.wanted_on or "")),
        (_("办结时间"), cells.stamp(ticket.resolved_at) if ticket.resolved_at else ""),
        (_("关闭时间"), cells.stamp(ticket.closed_at) if ticket.closed_at else ""),
    ]
    return {
        "t": ticket,
        "viewer": viewer,
        "sentence": [
            (ticket.title, ""),
            (": " if words.english() else "：", ""),
            (speaking.PLAIN[ticket.state], speaking.TONE[ticket.state]),
        ],
        "clocks": of,
        "days_of": {c.row.pk: clocks.explained(c.row, world) for c in of},
        "lines": lines,
        "more": more,
        "readings": history.readings(lines, viewer),
        "findings": [],
        "facts": [(name, value) for name, value in facts if value],
        "number": speaking.numbers(
            [ticket.evidence, *(c.row.evidence for c in of), *(p.intake for c in of for p in c.proofs)]
        ),
        "moves": moves_of(ticket, viewer),
        "speaking": speaking,
        "inside": False,
        "may_say": desk.takes_part(viewer),
        "may_reply": False,
        "here_now": reverse("portal-ticket-now", args=[ticket.number]),
        "actions": {name: reverse(f"portal-ticket-{name}", args=[ticket.number]) for name in ("move", "say")},
        "file_url": lambda entry: reverse("portal-ticket-file", args=[ticket.number, entry]),
    }


def _shown(
    request: HttpRequest, ticket: Ticket, problem: str = "", given: dict[str, str] | None = None
) -> HttpResponse:
    context = _one(ticket, viewer_of(request)) | {"problem": problem, "given": given or dict.fromkeys(GIVEN, "")}
    response = page(request, "desk/ticket.jinja", context, here="portal")
    response.status_code = 400 if problem else 200
    return response


@require_GET
def ticket(request: HttpRequest, number: str) -> HttpResponse:
    """One request of the department."""
    return _shown(request, _ticket(viewer_of(request), number))


@require_GET
def ticket_now(request: HttpRequest, number: str) -> HttpResponse:
    """What changes on it."""
    viewer = viewer_of(request)
    context = _one(_ticket(viewer, number), viewer) | {
        "problem": "",
        "given": dict.fromkeys(GIVEN, ""),
        "part": request.GET.get("part", ""),
    }
    return page(request, "desk/ticket_now.jinja", context, here="portal")


@require_POST
def move(request: HttpRequest, number: str) -> HttpResponse:
    """Confirm, send back, or go on."""
    by = viewer_of(request)
    found, to, text = _ticket(by, number), request.POST.get("to", ""), request.POST.get("text", "")
    return act(request, found, lambda: desk.move(found.pk, to, by=by, now=now(), text=text), _shown, "portal-ticket")


@require_POST
def say(request: HttpRequest, number: str) -> HttpResponse:
    """A remark or a file."""
    by = viewer_of(request)
    found, text = _ticket(by, number), request.POST.get("text", "")
    return act(
        request, found, lambda: desk.comment(found.pk, text, by=by, now=now(), file=uploaded(request)), _shown,
        "portal-ticket",
    )  # fmt: skip


@require_GET
def file(request: HttpRequest, number: str, entry: int) -> HttpResponse:
    """An attachment of one's own request."""
    viewer = viewer_of(request)
    return fetched(_ticket(viewer, number), entry, viewer)
