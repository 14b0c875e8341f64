"""One ticket: where it stands, which clock runs by which rule, what one may do, and everything that happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from yunwei.accounts.models import Account, PartyOf
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket, TicketState
from yunwei.desk.web import clocks, history, speaking
from yunwei.desk.web.uploads import sent, uploaded
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof
from yunwei.inspect.models import Finding
from yunwei.kernel.errors import YunweiError
from yunwei.ui import cells, words
from yunwei.ui.context import now, page

#: what a form on the page said, shown again when it was refused
GIVEN = ("to", "text", "how", "proof", "row")
#: findings of the same part that are listed
FINDINGS = 6


@dataclass(frozen=True, slots=True)
class Move:
    """One button. `reason`: what its text is asked for, "" where none is needed. `ack`: the key `a` presses it."""

    to: str
    word: str
    reason: str
    first: bool
    ack: bool


def moves_of(ticket: Ticket, viewer: Account) -> list[Move]:
    """The guarded transitions this account may do now; what brings the ticket on first, refusals last."""
    order = {TicketState.REJECTED: 9, TicketState.WAITING: 8}
    if ticket.state == TicketState.RESOLVED:
        order[TicketState.WORKING] = 7
    found = sorted(desk.moves(ticket, viewer), key=lambda to: order.get(to, 0))
    return [
        Move(
            to.value,
            speaking.move_word(ticket.state, to, viewer.party),
            speaking.reason_word(ticket.state, to) if desk.needs_reason(ticket.state, to, viewer.party) else "",
            i == 0,
            to == TicketState.ACCEPTED,
        )
        for i, to in enumerate(found)
    ]


def viewer_of(request: HttpRequest) -> Account:
    """Who looks; the gate let nobody else in."""
    if not isinstance(request.user, Account):
        raise Http404
    return request.user


def _ticket(number: str) -> Ticket:
    found = (
        Ticket.objects.select_related("asset", "system", "requester", "opened_by", "assignee", "event")
        .filter(number=number)
        .first()
    )
    if found is None:
        raise Http404
    return found


def sentence(ticket: Ticket, of: list[clocks.Clock]) -> list[tuple[str, str]]:
    """Where the ticket stands, and the clock that runs out first."""
    state = str(ticket.get_state_display())
    asking = [c for c in of if c.running and not c.stated and c.row.due_at is not None]
    running = next((c for c in asking if c.row.counts), asking[0] if asking else None)
    if ticket.closed_at is not None or running is None:
        return [(ticket.title, ""), (" · ", ""), (state, speaking.TONE[ticket.state])]
    values = {
        "title": (ticket.title, ""),
        "state": (state, speaking.TONE[ticket.state]),
        "duty": (running.title, ""),
        "left": (running.left, running.tone),
    }
    return words.pieces(_("{title} · {state}，{duty} {left}"), values)


def facts(ticket: Ticket, viewer: Account) -> list[tuple[Any, Any]]:
    """What is known about a ticket beside its words; what is not there is not listed."""
    asset = ticket.asset
    pairs: list[tuple[Any, Any]] = [
        (_("类型"), ticket.get_kind_display()),
        (_("严重程度"), {"critical": _("严重"), "warning": _("警告")}.get(ticket.severity, "")),
        (_("申请单位"), ticket.requester.name if ticket.requester else ""),
        (_("系统"), ticket.system.name if ticket.system else ""),
        (_("资产"), speaking.linked("asset", viewer, f"{asset.code} {asset.name}", asset.code) if asset else ""),
        (_("部件"), ticket.component),
        (_("来源"), speaking.CHANNELS.get(ticket.channel, ticket.channel)),
        (_("收到"), cells.stamp(ticket.event.at) if ticket.event else ""),
        (_("登记"), cells.stamp(ticket.opened_at)),
        (_("登记人"), speaking.who(ticket.opened_by, viewer)),
        (_("希望完成"), str(ticket.wanted_on or "")),
        (_("经办"), speaking.who(ticket.assignee, viewer) if ticket.assignee else ""),
        (_("办结时间"), cells.stamp(ticket.resolved_at) if ticket.resolved_at else ""),
        (_("关闭时间"), cells.stamp(ticket.closed_at) if ticket.closed_at else ""),
    ]
    return [(name, value) for name, value in pairs if value]


def _findings(ticket: Ticket) -> list[Finding]:
    if ticket.asset_id is None or not ticket.component:
        return []
    rows = Finding.objects.filter(asset=ticket.asset_id, component=ticket.component)
    return list(rows.select_related("asset").order_by("closed_at", "-opened_at", "-id")[:FINDINGS])


def model(ticket: Ticket, viewer: Account) -> dict[str, Any]:
    """Everything the page and its fragment show."""
    at = now()
    rows = desk.clocks(ticket)
    world = clocks.world(at)
    of = clocks.clocks(rows, world, viewer)
    lines, more = history.lines(ticket, rows, viewer)
    findings = _findings(ticket)
    evidence = [ticket.evidence, *(c.row.evidence for c in of), *(p.intake for c in of for p in c.proofs)]
    return {
        "t": ticket,
        "viewer": viewer,
        "sentence": sentence(ticket, of),
        "clocks": of,
        "days_of": {c.row.pk: clocks.explained(c.row, world) for c in of},
        "lines": lines,
        "more": more,
        "readings": history.readings(lines, viewer),
        "findings": findings,
        "facts": facts(ticket, viewer),
        "number": speaking.numbers([*evidence, *(f.evidence for f in findings)]),
        "moves": moves_of(ticket, viewer),
        "speaking": speaking,
        "inside": viewer.party != PartyOf.TENANT,
        "may_say": desk.takes_part(viewer),
        "may_reply": desk.takes_part(viewer) and viewer.party == PartyOf.B and ticket.closed_at is None,
        "here_now": reverse("ticket-now", args=[ticket.number]),
        "actions": {name: reverse(f"ticket-{name}", args=[ticket.number]) for name in ("move", "say")},
        "file_url": lambda entry: reverse("ticket-file", args=[ticket.number, entry]),
    }


def shown(request: HttpRequest, ticket: Ticket, problem: str = "", given: dict[str, str] | None = None) -> HttpResponse:
    """The page; with a problem it keeps what was typed."""
    context = model(ticket, viewer_of(request)) | {"problem": problem, "given": given or dict.fromkeys(GIVEN, "")}
    response = page(request, "desk/ticket.jinja", context, here="tickets")
    response.status_code = 400 if problem else 200
    return response


@require_GET
def ticket(request: HttpRequest, number: str) -> HttpResponse:
    """The page of one ticket."""
    return shown(request, _ticket(number))


@require_GET
def ticket_now(request: HttpRequest, number: str) -> HttpResponse:
    """What changes on the page: `part` is its history, or its side with the title."""
    found = _ticket(number)
    context = model(found, viewer_of(request)) | {
        "problem": "",
        "given": dict.fromkeys(GIVEN, ""),
        "part": request.GET.get("part", ""),
    }
    return page(request, "desk/ticket_now.jinja", context, here="tickets")


def act(
    request: HttpRequest, found: Ticket, do: Callable[[], object], again: Callable[..., HttpResponse], name: str
) -> HttpResponse:
    """Do what a form asks and go back to the ticket; what the services refuse is said where it was asked."""
    given = {key: request.POST.get(key, "") for key in GIVEN}
    try:
        do()
    except YunweiError as error:
        found.refresh_from_db()
        return again(request, found, str(error), given)
    return redirect(name, found.number)


@require_POST
def move(request: HttpRequest, number: str) -> HttpResponse:
    """Move it."""
    found, by = _ticket(number), viewer_of(request)
    to, text = request.POST.get("to", ""), request.POST.get("text", "")
    return act(request, found, lambda: desk.move(found.pk, to, by=by, now=now(), text=text), shown, "ticket")


@require_POST
def say(request: HttpRequest, number: str) -> HttpResponse:
    """A reply to the requester (`how` = reply), or a remark, to all or between the parties (`how` = inside)."""
    found, by = _ticket(number), viewer_of(request)
    how, text = request.POST.get("how", ""), request.POST.get("text", "")

    def do() -> None:
        file = uploaded(request)
        if how == "reply":
            desk.reply(found.pk, text, by=by, now=now(), file=file)
        else:
            desk.comment(found.pk, text, by=by, now=now(), file=file, inside=how == "inside")

    return act(request, found, do, shown, "ticket")


@require_POST
def proof(request: HttpRequest, number: str) -> HttpResponse:
    """The other side answers a proof of one of this ticket's clocks, or the side that owes states one."""
    found, by = _ticket(number), viewer_of(request)
    rows = {row.pk for row in desk.clocks(found)}
    text = request.POST.get("text", "")

    def do() -> None:
        given = request.POST.get("proof", "")
        if given:
            row = ManualProof.objects.filter(pk=_whole(given), occurrence__in=rows).first()
            if row is None:
                raise Http404
            confirm = request.POST.get("answer") == "confirm"
            duties.answer_proof(row.pk, confirm=confirm, by=by, now=now(), answer=text)
            return
        clock = _whole(request.POST.get("row", ""))
        if clock not in rows:
            raise Http404
        duties.state_proof(clock, statement=text, file=uploaded(request), by=by, now=now())

    return act(request, found, do, shown, "ticket")


def _whole(text: str) -> int:
    """A row's number out of a form. Raises Http404."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Http404
    return int(text)


@require_GET
def file(request: HttpRequest, number: str, entry: int) -> HttpResponse:
    """An attachment, always as a download; that it was fetched is recorded."""
    return fetched(_ticket(number), entry, viewer_of(request))


def fetched(found: Ticket, entry: int, viewer: Account) -> HttpResponse:
    """The file of one line of this very ticket."""
    if not found.history.filter(pk=entry).exists():
        raise Http404
    try:
        line, content = desk.read_file(entry, by=viewer, now=now())
    except YunweiError as error:
        raise Http404 from error
    return sent(line, content)
