"""不可抗力: each case with the contract's own clocks, what it hindered, and what of it is excused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account
from yunwei.assessment import force_majeure
from yunwei.assessment.claims import OTHER
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Majeure
from yunwei.assessment.web.claims import side_of
from yunwei.contract.between import ForceMajeure
from yunwei.duties import services as duties
from yunwei.duties.models import Claim, TriggerEvent
from yunwei.duties.web import terms
from yunwei.duties.web.acts import file_of, number_of
from yunwei.duties.web.obligation import due, period_name
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance


def _rule() -> ForceMajeure | None:
    folder = contract_folder()
    return folder.between.force_majeure if folder.between else None


@require_http_methods(["GET", "POST"])
def cases(request: HttpRequest) -> HttpResponse:
    """All cases; who binds the affected side opens one for a recorded event."""
    problem = ""
    if request.method == "POST":
        try:
            row = _open(request, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("majeure", row.pk)
    rows = list(Majeure.objects.select_related("occurred", "ended", "said_by").order_by("-id"))
    folder, side, rule = contract_folder(), side_of(request.user), _rule()
    taken = {r.occurred_id for r in rows if r.side == side}
    events = TriggerEvent.objects.filter(kind=rule.occurred).order_by("-at") if rule else []
    waits = sum(r.accepted is None for r in rows)
    values: dict[str, tuple[object, str]] = {"n": (len(rows), "plain"), "open": (waits, "warn" if waits else "mut")}
    context = {
        "rows": rows, "numbers": ledger.numbers_of(r.evidence for r in rows), "problem": problem, "given": request.POST,
        "events": [e for e in events if e.pk not in taken], "side": side, "rule": rule, "party": words.party,
        "owed": [(o.id, words.title(o)) for o in folder.obligations if side and side in o.owes.value],
        "chosen": request.POST.getlist("obligations"),
        "sentence": words.pieces(
            _("不可抗力卷宗 {n} 份，{open} 份尚无答复") if rows else _("没有不可抗力卷宗"), values),
    }  # fmt: skip
    response = page(request, "assessment/majeures.jinja", context, here="majeures")
    response.status_code = 400 if problem else 200
    return response


def _open(request: HttpRequest, now: datetime) -> Majeure:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    if given.get("act", "") != "open":
        raise AssessmentError(_("没有这个操作"), where=given.get("act", "")[:20])
    return force_majeure.open_case(
        number_of(given.get("event", "")), statement=given.get("statement", ""),
        obligations=given.getlist("obligations"), file=file_of(request), by=by, now=now,
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def case(request: HttpRequest, case_id: int) -> HttpResponse:
    """One case: its clocks, what it touches, what was named, and the other side's answer."""
    row = Majeure.objects.select_related("occurred", "ended", "said_by", "answered_by").filter(pk=case_id).first()
    if row is None or _rule() is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        try:
            _act(request, case_id, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("majeure", case_id)
    response = page(request, "assessment/majeure.jinja", _context(request, row, problem), here="majeures")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, case_id: int, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    match given.get("act", ""):
        case "end":
            force_majeure.end(case_id, number_of(given.get("event", "")), by=by, now=now)
        case "excuse":
            named = [number_of(text) for text in given.getlist("occurrences")]
            said = given.get("statement", "")
            force_majeure.excuse(case_id, named, statement=said, file=file_of(request), by=by, now=now)
        case "accept" | "dispute" as what:
            force_majeure.answer(case_id, accept=what == "accept", text=given.get("text", ""), by=by, now=now)
            duties.bring_up_to_date(now)
        case act:
            raise AssessmentError(_("没有这个操作"), where=act[:20])


def _context(request: HttpRequest, row: Majeure, problem: str) -> dict[str, Any]:
    now, side, rule, folder = now_of_instance(), side_of(request.user), _rule(), contract_folder()
    titles = {o.id: words.title(o) for o in folder.obligations}
    steps = [(s, titles.get(s.obligation, s.obligation)) for s in force_majeure.steps(row)]
    named = list(Claim.objects.filter(pk__in=row.claims).select_related("occurrence").order_by("occurrence__due_at"))
    taken = {c.occurrence_id for c in named}
    touched = [o for o in force_majeure.hindered(row, now) if o.pk not in taken]
    ends = TriggerEvent.objects.filter(kind=rule.ended, at__gte=row.occurred.at) if rule and rule.ended else []
    evidence = [row.evidence, row.occurred.evidence, *(s.occurrence.evidence for s, _t in steps if s.occurrence)]
    values: dict[str, tuple[object, str]] = {
        "what": (row.occurred.note or _("不可抗力"), "plain"), "n": (len(named), "plain"),
        "left": (len(touched), "warn" if touched else "mut"),
        "state": (_state(row), "plain"),
    }  # fmt: skip
    return {
        "row": row, "steps": steps, "named": named, "touched": touched, "titles": titles, "side": side, "rule": rule,
        "problem": problem, "given": request.POST, "ends": list(ends), "due": due, "period": period_name,
        "numbers": ledger.numbers_of([e for e in [*evidence, *(c.evidence for c in named)] if e]),
        "party": words.party, "tones": terms.TONES, "excuses": force_majeure.excusing(folder), "list_url": reverse("majeures"),
        "sentence": words.pieces(_("{what}：指明免责 {n} 项，另有 {left} 项受影响而未指明 · {state}"), values),
        "may": {
            "own": side == row.side and row.accepted is None, "end": side == row.side and row.ended_id is None,
            "answer": side == OTHER[row.side] and row.accepted is None and bool(row.claims),
        },
    }  # fmt: skip


def _state(row: Majeure) -> str:
    if row.accepted is None:
        return _("待对方答复")
    return _("对方认可") if row.accepted else _("对方有争议")
