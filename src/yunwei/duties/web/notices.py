"""文书与告知: what one side told the other, from when it counts as served, and the clocks of both sides that run from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from markupsafe import Markup

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract.closings import SIGNERS
from yunwei.contract.schema import Folder, NoticeKind, Service, Way
from yunwei.duties import notices as rules
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Notice, NoticeState, Occurrence, Outcome, State, TriggerEvent
from yunwei.duties.web import terms
from yunwei.duties.web.acts import file_of, number_of
from yunwei.duties.web.dealing import local, moment, problem_of, who
from yunwei.duties.web.obligation import due
from yunwei.duties.web.pending import side_of
from yunwei.ledger import services as ledger
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, equals, show
from yunwei.ui.vocabulary import BASIS

TONES = {NoticeState.SENT: "warn", NoticeState.SERVED: "ok", NoticeState.FAILED: "bad"}
OPEN = (State.DUE, State.RUNNING)
#: what became of a document, as something that happened
OUTCOMES = {
    Outcome.SIGNED: gettext_lazy("已签收"), Outcome.REFUSED: gettext_lazy("已拒签"), Outcome.RETURNED: gettext_lazy("已退回"),
    Outcome.CONFIRMED: gettext_lazy("发送已确认"), Outcome.TOLD: gettext_lazy("已告知"),
    Outcome.ACKNOWLEDGED: gettext_lazy("对方已查收"),
}  # fmt: skip
#: events of one kind that a form offers to hang a notice on
EVENTS = 12


def word(one: Any) -> str:
    """The title of a way or a kind in the reader's language."""
    return str(one.title_en if words.english() else one.title)


def _service() -> Service | None:
    return contract_folder().contract.service


def _named(service: Service | None) -> tuple[dict[str, NoticeKind], dict[str, Way]]:
    kinds = {k.id: k for k in service.kinds} if service else {}
    return kinds, {w.id: w for w in service.ways} if service else {}


def _rows(_request: HttpRequest) -> QuerySet[Notice]:
    return Notice.objects.select_related(
        "sent_by", "answered_by", "outcome_by", "event", "started", "proof__occurrence"
    )


def _attach(found: list[Any]) -> None:
    kinds, ways = _named(_service())
    numbers = ledger.numbers_of(r.evidence for r in found)
    for row in found:
        kind, way = kinds.get(row.kind), ways.get(row.way)
        row.kind_word, row.way_word = word(kind) if kind else row.kind, word(way) if way else row.way
        row.clause, row.by_day = (kind.clause if kind else ""), bool(way and way.by_day)
        row.number = numbers.get(row.evidence)


def _state(row: Any) -> Markup:
    small = Markup("")
    if row.received is False:
        small = Markup("<br>{}").format(cells.state("bad", _("收到方有争议")))
    elif row.outcome:
        said = [OUTCOMES[Outcome(row.outcome)], _("收到方已确认") if row.received else ""]
        small = Markup('<br><small class="mut">{}</small>').format(" · ".join(str(s) for s in said if s))
    return Markup("<div>{}{}</div>").format(cells.state(TONES[NoticeState(row.state)], row.get_state_display()), small)


def _when(row: Notice) -> Markup:
    """Sent, and under it from when it is served."""
    served = Markup("<br>{} {}").format(_("已送达"), cells.stamp(row.effective_at)) if row.effective_at else ""
    return Markup('<div class="nowrap">{} {}{}</div>').format(_("发出"), cells.stamp(row.sent_at), served)


def _what(row: Any) -> Markup:
    tag = cells.clause(row.clause) if row.clause else ""
    return Markup('<div>{} {}<small class="mut">{}</small></div>').format(row.kind_word, tag, row.way_word)


LISTING = Listing(
    name="notices",
    rows=_rows,
    columns=(
        Column("title", gettext_lazy("文书"), lambda r: r.title, lambda r: cells.name(r.title), "lead"),
        Column("kind", gettext_lazy("事由与方式"), lambda r: f"{r.kind_word} · {r.way_word}", _what, "wide"),
        Column("sender", gettext_lazy("发出方"), lambda r: words.party(r.sender)),
        Column("sent", gettext_lazy("发出与送达"), lambda r: r.sent_at, _when),
        Column("served", gettext_lazy("送达"), lambda r: r.effective_at, kind="file"),
        Column("state", gettext_lazy("状态"), lambda r: r.get_state_display(), _state),
        Column("seq", gettext_lazy("证据"), lambda r: r.number, lambda r: cells.proof(r.number, waiting=bool(r.evidence)), "num"),
    ),
    order=("-sent_at", "-id"),
    filters=(
        Filter("sender", gettext_lazy("发出方"), equals("sender"), lambda: [(p, words.party(p)) for p in ("A", "B")]),
        Filter("state", gettext_lazy("状态"), equals("state"), lambda: NoticeState.choices),
        Filter("kind", gettext_lazy("事由"), equals("kind"), lambda: [(k.id, word(k)) for k in _named(_service())[0].values()]),
        Filter("q", gettext_lazy("文书"), contains("title", "text")),
    ),
    link=lambda r: reverse("notice", args=[r.pk]),
    attach=_attach,
)  # fmt: skip


def _sentence(shown: Shown) -> Any:
    if not shown.total and not shown.chosen:
        return _("双方还没有送达过文书")
    rows = Notice.objects.values_list("sender", "state", "received")
    sent, waiting, disputed = {"A": 0, "B": 0}, 0, 0
    for sender, state, received in rows:
        sent[sender] += 1
        waiting += state == NoticeState.SENT
        disputed += received is False
    values: dict[str, tuple[object, str]] = {
        "a": (sent["A"], "plain"), "b": (sent["B"], "plain"), "waiting": (waiting, "warn" if waiting else "mut"),
        "disputed": (disputed, "bad" if disputed else "mut"),
    }  # fmt: skip
    return words.pieces(_("甲方发出 {a} 件，乙方发出 {b} 件；{waiting} 件在途，{disputed} 件有争议"), values)


@require_http_methods(["GET", "POST"])
def notices(request: HttpRequest) -> HttpResponseBase:
    """The list, the running clocks of both sides, and the form."""
    by, problem, folder = who(request), "", contract_folder()
    if request.method == "POST":
        made: list[Notice] = []
        problem = problem_of(lambda: made.append(_send(request, by, now_of_instance())))
        if not problem:
            return redirect("notice", made[0].pk)
    context = _form(folder, by) | {
        "problem": problem, "given": request.POST, "here": "notices", "clocks": _clocks(folder),
        "service": folder.contract.service, "due": due, "local_now": local(now_of_instance()),
        "outcome_words": OUTCOMES, "word": word, "basis": BASIS,
        "addresses": [(side, rules.address_of(side, now_of_instance())) for side in ("A", "B")],
    }  # fmt: skip
    response = show(request, LISTING, _sentence, template="duties/notices.jinja", context=context)
    response.status_code = 400 if problem else response.status_code
    return response


def _form(folder: Folder, by: Account) -> dict[str, Any]:
    """What this account may send, by which ways, and the events that a notice may tell of."""
    side, service = side_of(by), folder.contract.service
    binds = by.role in SIGNERS.get(PartyOf(by.party), frozenset())
    if service is None or not side:
        return {"kinds": [], "ways": [], "events": [], "shut": []}
    kinds = [k for k in service.kinds if side in k.by and (binds or not k.written)]
    shut = [why for w in service.ways if (why := rules.closed(folder, w, rules.OTHER[side]))]
    ways = [w for w in service.ways if not rules.closed(folder, w, rules.OTHER[side])]
    told = {k.of for k in kinds if k.of}
    titles = {e.id: word(e) for e in folder.event_details}
    events = TriggerEvent.objects.filter(kind__in=told).order_by("-at", "-id")[:EVENTS]
    return {"kinds": kinds, "ways": ways, "shut": shut, "events": [(e, titles.get(e.kind, e.kind)) for e in events]}


def _clocks(folder: Folder) -> list[tuple[str, list[tuple[Occurrence, str]]]]:
    """Both sides' open clocks that a notice can start or answer, with equal weight."""
    service = folder.contract.service
    if service is None:
        return []
    events = {k.starts for k in service.kinds} | {k.of for k in service.kinds}
    started = {o.id: o for o in folder.obligations if o.trigger and o.trigger in events}
    rows = list(
        Occurrence.objects.filter(obligation__in=started, state__in=OPEN).order_by("due_at", "starts_at", "id")[:60]
    )
    return [
        (side, [(r, words.title(started[r.obligation])) for r in rows if side in r.owes])
        for side in ("A", "B")
    ]  # fmt: skip


def _send(request: HttpRequest, by: Account, now: datetime) -> Notice:
    given = request.POST
    happened, event = given.get("happened_at", ""), number_of(given.get("event", ""))
    return rules.send(
        given.get("kind", ""), way=given.get("way", ""), title=given.get("title", ""), text=given.get("text", ""), by=by,
        sent_at=moment(given.get("sent_at", "")), now=now, file=file_of(request),
        happened_at=moment(happened) if happened else None, event_id=event or None,
        new_address=given.get("new_address", ""),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def notice(request: HttpRequest, notice_id: int) -> HttpResponseBase:
    """One notice with what became of it; both sides say their part here."""
    row = get_object_or_404(_rows(request), pk=notice_id)
    by, problem = who(request), ""
    if request.method == "POST":
        problem = problem_of(lambda: _answer(request, row, by, now_of_instance()))
        if not problem:
            return redirect("notice", notice_id)
    _attach([row])
    found: Any = row
    folder, side = contract_folder(), side_of(by)
    _kinds, ways = _named(folder.contract.service)
    way = ways.get(row.way)
    titles = {o.id: words.title(o) for o in folder.obligations}
    events = {e.id: word(e) for e in folder.event_details}
    linked = [e for e in (row.event, row.started) if e is not None]
    clocks = Occurrence.objects.filter(period__in=[f"event:{e.pk}" for e in linked]).order_by("due_at", "id")
    values: dict[str, tuple[object, str]] = {
        "title": (row.title, "plain"), "state": (row.get_state_display(), TONES[NoticeState(row.state)]),
        "at": (local(row.effective_at).replace("T", " ") if row.effective_at else "—", "plain"),
    }  # fmt: skip
    template = _("{title}：{state}，{at} 起生效") if row.effective_at else _("{title}：{state}，尚未生效")
    context = {
        "row": row, "problem": problem, "given": request.POST, "way": way, "word": word, "basis": BASIS,
        "linked": [(e, events.get(e.kind, e.kind)) for e in linked], "clocks": [(o, titles.get(o.obligation, "")) for o in clocks],
        "due": due, "tones": terms.TONES, "state_of": State, "outcomes": OUTCOMES, "local_now": local(now_of_instance()),
        "serving": way.outcomes if way else [], "sentence": words.pieces(template, values), "clause": found.clause,
        "may_deliver": bool(side) and row.state == NoticeState.SENT,
        "may_reply": bool(side) and side != row.sender and row.state == NoticeState.SERVED and row.received is None,
        "sending": side == row.sender,
    }  # fmt: skip
    response = page(request, "duties/notice.jinja", context, here="notices")
    response.status_code = 400 if problem else 200
    return response


def _answer(request: HttpRequest, row: Notice, by: Account, now: datetime) -> None:
    given = request.POST
    match given.get("act", ""):
        case "deliver":
            outcome, at = given.get("outcome", ""), moment(given.get("at", ""))
            rules.deliver(row.pk, outcome=outcome, at=at, by=by, now=now, file=file_of(request))
        case "received" | "disputed" as act:
            rules.reply(row.pk, received=act == "received", by=by, now=now, text=given.get("text", ""))
        case act:
            raise DutyError(_("没有这个操作"), where=act[:20])
