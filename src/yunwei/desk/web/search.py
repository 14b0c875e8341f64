"""搜索: one field for tickets, assets, findings, clauses, obligations, inspections and evidence numbers.

One statement a group, a few rows each, whatever the tables hold. A text that is exactly one thing's code leads straight
to it. People are not searched; a department finds its own tickets and systems.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from markupsafe import Markup

from yunwei.accounts.models import Account, PartyOf
from yunwei.assets.models import Asset, System
from yunwei.desk.models import Ticket
from yunwei.desk.web import speaking
from yunwei.desk.web.ticket import viewer_of
from yunwei.inspect.models import Finding
from yunwei.ledger.models import Entry
from yunwei.runs.models import Run
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page

#: rows of a group, characters of a question
SHOWN, LONGEST = 8, 100
NO_STATE = Markup("")
NUMBER = re.compile(r"(?:№|No\.?|#)?\s*(\d{1,18})", re.IGNORECASE)
ADDRESS = re.compile(r"[0-9a-fA-F:.]{3,45}")


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found. `exact`: the question is its code."""

    url: str
    code: str
    title: str
    note: str = ""
    state: Markup = NO_STATE
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind. `all_url`: the list that shows the rest, "" where there is none or nothing is left."""

    title: str
    hits: list[Hit] = field(default_factory=list)
    more: bool = False
    all_url: str = ""


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """The results, or the one thing that was meant."""
    viewer = viewer_of(request)
    asked = " ".join(request.GET.get("q", "").replace("\x00", " ").split())[:LONGEST]
    groups = [g for g in _groups(asked, viewer) if g.hits] if asked else []
    exact = {hit.url for g in groups for hit in g.hits if hit.exact and hit.url}
    if len(exact) == 1 and "stay" not in request.GET:
        return redirect(exact.pop())
    found = sum(len(g.hits) for g in groups)
    if not asked:
        title = _("搜索工单、设备、条款、证据号")
    elif not found:
        title = _("没有找到“{asked}”").format(asked=asked)
    elif any(g.more for g in groups):
        title = _("“{asked}”：先列出 {n} 条").format(asked=asked, n=found)
    else:
        title = _("“{asked}”：{n} 条").format(asked=asked, n=found)
    context: dict[str, Any] = {
        "groups": groups,
        "asked": asked,
        "tenant": viewer.party == PartyOf.TENANT,
    }
    return page(request, "desk/search.jinja", context, here="search", title=title)


def _groups(asked: str, viewer: Account) -> Iterable[Group]:
    if viewer.party == PartyOf.TENANT:
        return [_own_tickets(asked, viewer), _own_systems(asked, viewer)]
    kinds: tuple[Callable[[str, Account], Group], ...] = (
        _evidence, _tickets, _assets, _findings, _clauses, _obligations, _sweeps,
    )  # fmt: skip
    return [find(asked, viewer) for find in kinds]


def _url(name: str, viewer: Account, *args: object) -> str:
    """The address of a page that is there and opens for this account, or ""."""
    if not speaking.opens(name, viewer):
        return ""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:  # a code out of the data that the page's route does not take
        return ""


def _group(title: str, hits: list[Hit], all_url: str = "", key: str = "q", asked: str = "") -> Group:
    more = len(hits) > SHOWN
    url = f"{all_url}?{urlencode({key: asked})}" if more and all_url else ""
    return Group(title, hits[:SHOWN], more, url)


def _evidence(asked: str, viewer: Account) -> Group:
    match = NUMBER.fullmatch(asked)
    row = Entry.objects.select_related("intake").filter(seq=int(match[1])).first() if match else None
    if row is None:
        return Group(_("证据"))
    url = _url("evidence-one", viewer, row.seq)
    note = f"{row.intake.subject} · {cells.stamp(row.intake.at).striptags()}"
    return Group(_("证据"), [Hit(url, f"№ {row.seq}", words.event(row.intake.kind), note, exact=True)])


def _tickets(asked: str, viewer: Account) -> Group:
    rows = Ticket.objects.filter(_ticket_has(asked)).select_related("asset", "requester").order_by("-opened_at", "-id")
    hits = [_ticket_hit(t, asked, _url("ticket", viewer, t.number), speaking.state(t)) for t in rows[: SHOWN + 1]]
    return _group(_("工单"), _exact_first(hits), _url("tickets", viewer), asked=asked)


def _ticket_has(asked: str) -> Q:
    return Q(number__icontains=asked) | Q(title__icontains=asked) | Q(body__icontains=asked)


def _ticket_hit(ticket: Ticket, asked: str, url: str, state: Markup) -> Hit:
    note = f"{ticket.get_kind_display()} · {cells.stamp(ticket.opened_at).striptags()}"
    return Hit(url, ticket.number, ticket.title, note, state, _same(ticket.number, asked))


def _same(code: str, asked: str) -> bool:
    return code.casefold() == asked.casefold()


def _exact_first(hits: list[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: not hit.exact)


def _assets(asked: str, viewer: Account) -> Group:
    named = Q(code__icontains=asked) | Q(name__icontains=asked) | Q(serial__icontains=asked) | Q(model__icontains=asked)
    if ADDRESS.fullmatch(asked):
        named |= Q(pk__in=Asset.objects.filter(endpoints__address=asked).values("pk"))
    found = list(Asset.objects.filter(named).select_related("zone").order_by("code")[: SHOWN + 1])
    if len(found) > SHOWN and not any(_same(a.code, asked) for a in found):
        found = list(Asset.objects.filter(code__iexact=asked).select_related("zone")[:1]) + found
    hits = [
        Hit(
            _url("asset", viewer, a.code), a.code, a.name,
            " · ".join(part for part in (words.category(a.category), a.zone.name, a.model) if part),
            cells.state("mut", _("已退役")) if a.retired_at else NO_STATE, _same(a.code, asked),
        )
        for a in found
    ]  # fmt: skip
    return _group(_("资产"), _exact_first(hits), _url("assets", viewer), asked=asked)


def _findings(asked: str, viewer: Account) -> Group:
    named = (
        Q(name__icontains=asked)
        | Q(component__icontains=asked)
        | Q(asset__code__icontains=asked)
        | Q(asset__name__icontains=asked)
    )
    found = Finding.objects.filter(named).select_related("asset").order_by("state", "-opened_at", "-id")[: SHOWN + 1]
    hits = [
        Hit(
            _url("finding", viewer, f.pk), f.asset.code, f.name, words.finding(f),
            cells.state("mut" if f.closed_at else "bad" if f.severity == "critical" else "warn",
                        _("已消除") if f.closed_at else _("未关闭")),
        )
        for f in found
    ]  # fmt: skip
    # "opened" stands after "closed" in the alphabet: what is open comes first all the same
    hits.sort(key=lambda hit: "t-mut" in hit.state)
    return _group(_("发现"), hits, _url("findings", viewer), asked=asked)


def _clauses(asked: str, viewer: Account) -> Group:
    base = _url("contract-clauses", viewer)
    hits = []
    for clause in contract_folder().clauses:
        said = clause.gist_en if words.english() and clause.gist_en else clause.gist
        if _within(asked, clause.id, clause.gist, clause.gist_en):
            hits.append(Hit(f"{base}#c{clause.id}" if base else "", clause.id, said, exact=_same(clause.id, asked)))
    return _group(_("条款"), _exact_first(hits))


def _obligations(asked: str, viewer: Account) -> Group:
    hits = [
        Hit(
            _url("obligation", viewer, duty.id), duty.id, words.title(duty),
            f"{words.party(duty.owes.value)} · {words.clauses(duty.clauses)}", exact=_same(duty.id, asked),
        )
        for duty in contract_folder().obligations
        if _within(asked, duty.id, duty.title, duty.title_en)
    ]  # fmt: skip
    return _group(_("义务"), _exact_first(hits))


def _within(asked: str, *texts: str) -> bool:
    return any(asked.casefold() in text.casefold() for text in texts)


def _sweeps(asked: str, viewer: Account) -> Group:
    rows = Run.objects.filter(id__icontains=asked).order_by("-submitted_at", "id")[: SHOWN + 1]
    hits = [
        Hit(
            _url("sweep", viewer, run.id), run.id, str(run.get_state_display()),
            cells.stamp(run.submitted_at).striptags(), exact=_same(run.id, asked),
        )
        for run in rows
    ]  # fmt: skip
    return _group(_("巡检"), _exact_first(hits))


def _own_tickets(asked: str, viewer: Account) -> Group:
    rows = Ticket.objects.filter(_ticket_has(asked), requester=viewer.organisation_id).order_by("-opened_at", "-id")
    hits = [
        _ticket_hit(
            t, asked, reverse("portal-ticket", args=[t.number]),
            cells.state(speaking.TONE[t.state], speaking.PLAIN[t.state]),
        )
        for t in rows[: SHOWN + 1]
    ]  # fmt: skip
    return _group(_("我的申请"), _exact_first(hits), reverse("portal-tickets"), asked=asked)


def _own_systems(asked: str, viewer: Account) -> Group:
    rows = System.objects.filter(Q(code__icontains=asked) | Q(name__icontains=asked), owner=viewer.organisation_id)
    url = f"{reverse('portal')}#systems"
    return _group(_("我的系统"), [Hit(url, s.code, s.name) for s in rows.order_by("name")[: SHOWN + 1]])
