"""One clause: what it says in our own words, its figures and vague words, what it costs to break, and the five answers of
every obligation that rests on it."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from yunwei.contract import check_contract, openitems
from yunwei.contract.answers import duties_of
from yunwei.contract.schema import Clause, Figure, Obligation
from yunwei.contract.web import terms
from yunwei.contract.web.health import Item
from yunwei.duties.web import answers
from yunwei.duties.web.obligations import plan_now
from yunwei.duties.web.standing import NOTHING, standings
from yunwei.kernel.money import format_figures, share_of
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance


def figure(said: Figure) -> str:
    """A figure of a clause with its unit and what it measures."""
    return f"{said.of} {said.n.normalize():f} {terms.UNITS.get(said.unit, said.unit)}".strip()


def _remedies(clause: Clause, duties: dict[str, Obligation]) -> list[tuple[str, str, list[str]]]:
    total = contract_folder().contract.price.amount
    found = []
    for remedy in clause.remedies:
        text = str(answers.REMEDIES[remedy.kind])
        if remedy.share is not None:
            text += _("：合同金额的 {share} %，¥ {amount}").format(
                share=f"{remedy.share.normalize():f}", amount=format_figures(share_of(total, remedy.share))
            )
        found.append((words.party(remedy.against), text, [d for d in remedy.obligations if d in duties]))
    return found


def _title(clause: Clause, duties: list[Obligation]) -> list[tuple[str, str]]:
    who = words.party(clause.who) if clause.who else ""
    values: dict[str, tuple[object, str]] = {
        "id": (clause.id, "plain"), "who": (who, ""), "n": (len(duties), "plain"),
    }  # fmt: skip
    if duties:
        return words.pieces(_("条款 {id}：挂有 {n} 项义务"), values)
    if clause.remedies:
        return words.pieces(_("条款 {id}：{who}，没有到期的义务，写的是违反的后果"), values)
    return words.pieces(_("条款 {id}：没有课以义务"), values)


@require_GET
def one(request: HttpRequest, clause: str) -> HttpResponse:
    """The page."""
    now, folder = now_of_instance(), contract_folder()
    found = next((c for c in folder.clauses if c.id == clause), None)
    if found is None:
        raise Http404
    duties, plan, stand = duties_of(folder, found), plan_now(now), standings(now)
    known = {o.id: o for o in folder.obligations}
    place = [c.id for c in folder.clauses].index(clause)
    facts: list[tuple[str, Any]] = [
        (_("内容"), found.gist_en if words.english() and found.gist_en else found.gist),
        (_("哪一方"), words.party(found.who) if found.who else "—"),
        (_("类别"), " · ".join(str(terms.CLAUSE_KINDS.get(k, k)) for k in found.kinds)),
        (_("条文里的数字"), "；".join(figure(f) for f in found.figures) or _("没有")),
        (_("含糊词"), "、".join(found.vague_words) or _("没有")),
        (_("用什么证明"), found.evidence or "—"),
    ]
    if found.same_as:
        facts.append((_("同一约定"), cells.clause(found.same_as)))
    context = {
        "clause": found, "facts": facts, "sentence": _title(found, duties), "binds": check_contract.binds(found),
        "duties": [(o, words.title(o), stand.get(o.id, NOTHING), answers.answers(folder, o, plan)) for o in duties],
        "remedies": _remedies(found, known), "events": [e for e in folder.event_details if e.clause == clause],
        "open": [Item(i) for i in openitems.still_open(folder) if i.clause == clause],
        "previous": folder.clauses[place - 1].id if place else "",
        "following": folder.clauses[place + 1].id if place + 1 < len(folder.clauses) else "",
    }  # fmt: skip
    return page(request, "contract/clause.jinja", context, here="contract", as_of=now)
