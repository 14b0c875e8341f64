"""规则冲突: two rules that contradict each other, where they were sent, and which one the superior authority let hold."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account
from yunwei.assessment import conflicts
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Conflict
from yunwei.assessment.web.claims import side_of
from yunwei.duties.web.acts import file_of, number_of
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance


@require_http_methods(["GET", "POST"])
def listed(request: HttpRequest) -> HttpResponse:
    """All conflicts, the newest first; either party records, 甲方 sends and enters the authority's paper."""
    problem = ""
    if request.method == "POST":
        try:
            _act(request, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("conflicts")
    rows = list(Conflict.objects.select_related("said_by", "sent_by", "answered_by").order_by("-id"))
    folder, side = contract_folder(), side_of(request.user)
    open_ = sum(not r.holds for r in rows)
    try:
        rule = conflicts.rule_of(folder)
    except AssessmentError:
        rule = None
    values: dict[str, tuple[object, str]] = {"n": (len(rows), "plain"), "open": (open_, "warn" if open_ else "mut")}
    context = {
        "rows": rows, "numbers": ledger.numbers_of(r.evidence for r in rows), "problem": problem, "given": request.POST,
        "rule": rule, "side": side, "client": side == "A", "clauses": [c.id for c in folder.clauses],
        "duties": [(o.id, words.title(o)) for o in folder.obligations], "chosen": request.POST.getlist("obligations"),
        "sentence": words.pieces(
            _("规则冲突 {n} 项，{open} 项待主管单位裁定") if rows else _("没有登记规则冲突"), values),
    }  # fmt: skip
    response = page(request, "assessment/conflicts.jinja", context, here="conflicts")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    which = number_of(given.get("id", ""))
    match given.get("act", ""):
        case "record":
            conflicts.record(
                given.get("title", ""),
                conflicts.Rule(given.get("left", ""), given.get("left_clause", "")),
                conflicts.Rule(given.get("right", ""), given.get("right_clause", "")),
                given.getlist("obligations"), statement=given.get("statement", ""), file=file_of(request), by=by, now=now,
            )  # fmt: skip
        case "send":
            conflicts.send(which, given.get("authority", ""), by=by, now=now)
        case "left" | "right" as holds:
            conflicts.decide(which, holds, text=given.get("text", ""), file=file_of(request), by=by, now=now)
        case act:
            raise AssessmentError(_("没有这个操作"), where=act[:20])
