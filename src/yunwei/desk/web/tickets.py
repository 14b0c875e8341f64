"""工单: all tickets as a list and as a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, When, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from markupsafe import Markup

from yunwei.accounts.models import Account
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket, TicketKind, TicketState
from yunwei.desk.web import clocks, speaking
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Entry as Numbered
from yunwei.ui import cells, words
from yunwei.ui.context import now, page
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, equals, filtered, show

#: cards a column of the board shows; the rest has its count and its list
CARDS = 8
#: states that ask for somebody; what is done stands at the end of the board
DONE = (TicketState.CLOSED, TicketState.REJECTED)


def _rows(_request: HttpRequest) -> QuerySet[Ticket]:
    """Every ticket: who may open the page reads them all. Its evidence number comes with it."""
    seq = Numbered.objects.filter(intake_id=OuterRef("evidence")).values("seq")[:1]
    return Ticket.objects.select_related("asset", "requester").annotate(seq=Subquery(seq))


def _attach(rows: Sequence[Any]) -> None:
    """The clock that matters of each row; two statements."""
    attach_clocks(rows, now())


def attach_clocks(rows: Sequence[Any], at: datetime, owes: str = "") -> None:
    """Set `clock` of each ticket to the one that runs out first, or to how the last one ended; two statements. `owes`:
    of this side alone."""
    world = clocks.world(at)
    by_event = desk.clocks_of([row.event_id for row in rows if row.event_id is not None])
    for row in rows:
        row.clock = clocks.most_urgent((r for r in by_event.get(row.event_id or 0, []) if owes in r.owes), world)


def clock_cell(row: Any) -> Markup:
    """What is left, and under it the rule by which it runs."""
    one: clocks.Clock | None = row.clock
    if one is None:
        return cells.NOTHING
    quiet = one.tone == "ok" if not one.running else row.state in DONE
    tone = "mut" if quiet else one.tone
    return Markup('<span class="num left t-{}">{}</span><small>{} · {} · {}</small>').format(
        tone, one.left, one.rule, words.clauses(one.row.clauses), one.owner
    )


def _clock_text(row: Any) -> str:
    one: clocks.Clock | None = row.clock
    return "" if one is None else f"{one.left}（{one.rule}，{words.clauses(one.row.clauses)}，{one.owner}）"


def _of_text(row: Ticket) -> str:
    if row.asset is not None:
        return f"{row.asset.code} {row.component}".strip()
    return row.requester.name if row.requester else ""


def _of(row: Ticket) -> Any:
    """The asset and its part, or the department that asked."""
    unit = row.requester.name if row.requester else ""
    if row.asset is None:
        return Markup('<span translate="no">{}</span>').format(unit) if unit else cells.NOTHING
    return cells.name(row.asset.code, note=" · ".join(p for p in (row.component, unit) if p))


def _overdue(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    if text != "1":
        return rows
    return rows.filter(closed_at__isnull=True, event_id__in=clocks.overdue(now()))


def _state(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    return rows.filter(closed_at__isnull=True) if text == "open" else equals("state")(rows, text)


FILTERS = (
    Filter("q", gettext_lazy("内容"), contains("number", "title", "body"), hint=gettext_lazy("工单号、标题或描述")),
    Filter(
        "state",
        gettext_lazy("状态"),
        _state,
        lambda: [("open", _("未关闭")), *((s.value, s.label) for s in TicketState)],
    ),
    Filter("kind", gettext_lazy("类型"), equals("kind"), lambda: [(k.value, k.label) for k in TicketKind]),
    Filter("overdue", gettext_lazy("时限"), _overdue, lambda: [("1", _("已超过"))]),
    Filter(
        "unit",
        gettext_lazy("申请单位"),
        contains("requester__name", "requester__code"),
        hint=gettext_lazy("名称或代码"),
    ),
    Filter("asset", gettext_lazy("资产"), contains("asset__code", "asset__name", "component"), hint=gettext_lazy("编号或名称")),
)  # fmt: skip

LISTING = Listing(
    name="tickets",
    rows=_rows,
    columns=(
        Column("number", gettext_lazy("工单"), lambda t: t.number, lambda t: Markup('<span translate="no">{}</span>').format(t.number), "lead"),
        Column("title", gettext_lazy("标题"), lambda t: t.title, lambda t: cells.name(t.title, note=t.get_kind_display()), "wide"),
        Column("state", gettext_lazy("状态"), lambda t: t.get_state_display(), speaking.state),
        Column("asset", gettext_lazy("资产或申请单位"), _of_text, _of, "part"),
        Column("unit", gettext_lazy("申请单位"), lambda t: t.requester.name if t.requester else "", kind="file"),
        Column("clock", gettext_lazy("时限"), _clock_text, clock_cell, "clock"),
        Column("opened", gettext_lazy("提出"), lambda t: t.opened_at, lambda t: cells.stamp(t.opened_at)),
        Column("evidence", gettext_lazy("证据"), lambda t: t.seq, lambda t: speaking.number(t.seq, t.evidence)),
    ),
    order=("-opened_at", "-id"),
    filters=FILTERS,
    link=lambda t: reverse("ticket", args=[t.number]),
    attach=_attach,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """What the desk has before it now."""

    open: int
    overdue: int
    new: int
    confirm: int


def counts(at: datetime) -> Counts:
    """One statement."""
    is_open = Q(closed_at__isnull=True)
    found = Ticket.objects.aggregate(
        open=Count("id", filter=is_open),
        overdue=Count("id", filter=is_open & Q(event_id__in=clocks.overdue(at))),
        new=Count("id", filter=Q(state=TicketState.NEW)),
        confirm=Count("id", filter=Q(state=TicketState.RESOLVED)),
    )
    return Counts(**found)


def sentence(n: Counts) -> list[tuple[str, str]]:
    """The title that answers: what is open, what is late, what waits for whom."""
    if not n.open:
        return [(_("没有未关闭的工单"), "")]
    return words.pieces(
        _("{open} 张工单未关闭：{overdue} 张超过时限，{new} 张待受理，{confirm} 张待对方确认"),
        {
            "open": (n.open, "ink"),
            "overdue": (n.overdue, "bad" if n.overdue else "mut"),
            "new": (n.new, "warn" if n.new else "mut"),
            "confirm": (n.confirm, "ink" if n.confirm else "mut"),
        },
    )


def _tabs(request: HttpRequest, here: str) -> list[tuple[Any, str, bool, None]]:
    query = request.GET.copy()
    for key in ("after", "format"):
        query.pop(key, None)
    tail = f"?{query.urlencode()}" if query else ""
    return [
        (_("列表"), reverse("tickets") + tail, here == "tickets", None),
        (_("看板"), reverse("tickets-board") + tail, here == "board", None),
    ]


def _exported(request: HttpRequest, rows: int) -> None:
    """That the register was taken out is a record (reading evidence is evidence)."""
    _rows_of, chosen = filtered(LISTING, request)
    asked = {**chosen, "format": request.GET.get("format", "")}
    with transaction.atomic():
        ledger.record(
            "desk.exported", "tickets", {"rows": rows, "filter": asked}, at=now(), actor=request.user.get_username()
        )


def tickets(request: HttpRequest) -> HttpResponseBase:
    """The list."""
    if request.GET.get("format"):
        return show(request, LISTING, lambda _shown: "", exported=_exported)
    at = now()
    said = sentence(counts(at))
    context = {"tabs": _tabs(request, "tickets"), "may_open": _may_open(request)}

    def answer(_shown: Shown) -> list[tuple[str, str]]:
        return said

    return show(request, LISTING, answer, template="desk/tickets.jinja", context=context)


def _may_open(request: HttpRequest) -> bool:
    return isinstance(request.user, Account) and desk.takes_part(request.user)


@dataclass(frozen=True, slots=True)
class Stack:
    """One column of the board. `all` is how many there are; `cards` the ones shown; `url` the list of them all."""

    state: str
    title: str
    tone: str
    all: int
    cards: list[Any]
    url: str


def stacks(request: HttpRequest, at: datetime) -> tuple[list[Stack], dict[str, str], int]:
    """The columns with true counts, the filters that are set, and how many tickets they leave. Four statements."""
    rows, chosen = filtered(LISTING, request)
    totals = dict(rows.order_by().values_list("state").annotate(n=Count("id")))
    late = Case(When(event_id__in=clocks.overdue(at), then=0), default=1, output_field=IntegerField())
    # what is over its time first, then what has waited longest; what is done: the newest first
    rank = Window(
        RowNumber(),
        partition_by=F("state"),
        order_by=[
            late.asc(),
            Case(When(state__in=DONE, then=None), default=F("opened_at")).asc(nulls_last=True),
            F("opened_at").desc(),
            F("id").desc(),
        ],
    )
    cards = list(rows.annotate(rank=rank).filter(rank__lte=CARDS).order_by("state", "rank"))
    attach_clocks(cards, at)
    made = []
    for state in (*(s for s in TicketState if s not in DONE), *DONE):
        if state == TicketState.REJECTED and not totals.get(state):
            continue
        query = request.GET.copy()
        query["state"] = state.value
        of_state = [card for card in cards if card.state == state]
        url = f"{reverse('tickets')}?{query.urlencode()}"
        made.append(Stack(state.value, str(state.label), speaking.TONE[state], totals.get(state, 0), of_state, url))
    return made, chosen, sum(totals.values())


def board(request: HttpRequest) -> HttpResponse:
    """The board: a column for each state."""
    at = now()
    made, chosen, total = stacks(request, at)
    options = {f.key: f.choices() for f in LISTING.filters if f.choices}
    context = {
        "stacks": made,
        "shown": Shown(LISTING, [], total, chosen, options, "", "", "", ""),
        "tabs": _tabs(request, "board"),
        "may_open": _may_open(request),
        "query": f"?{request.GET.urlencode()}" if request.GET else "",
    }
    template = "desk/board_body.jinja" if request.headers.get("HX-Request") else "desk/board.jinja"
    return page(request, template, context | {"sentence": sentence(counts(at))}, here="tickets")
