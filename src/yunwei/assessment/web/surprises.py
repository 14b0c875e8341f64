"""暗测: the client's surprise tests; a hash before, the words after, and how long the platform and the desk took."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account, PartyOf
from yunwei.assessment import surprise
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Surprise
from yunwei.duties.proofs import OFFICERS
from yunwei.duties.web.acts import number_of
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page


@require_http_methods(["GET", "POST"])
def surprises(request: HttpRequest) -> HttpResponse:
    """All tests, the newest first; 甲方 commits and reveals here."""
    problem = ""
    if request.method == "POST":
        try:
            _act(request, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("surprises")
    rows = list(Surprise.objects.select_related("asset", "committed_by"))
    numbers = ledger.numbers_of(r.evidence for r in rows)
    missed = sum(r.revealed_at is not None and r.detected_at is None for r in rows)
    values: dict[str, tuple[object, str]] = {
        "n": (len(rows), "plain"), "found": (sum(r.detected_at is not None for r in rows), "plain"),
        "missed": (missed, "bad" if missed else "mut"),
        "sealed": (sum(r.revealed_at is None for r in rows), "plain"),
    }  # fmt: skip
    by = request.user
    context = {
        "rows": rows, "numbers": numbers, "minutes": surprise.minutes, "problem": problem, "given": request.POST,
        "may": isinstance(by, Account) and by.party == PartyOf.A and by.role not in OFFICERS,
        "sentence": words.pieces(
            _("暗测 {n} 次：发现 {found} 次，漏过 {missed} 次，{sealed} 次尚未揭示") if rows else _("甲方还没有做过暗测"), values),
    }  # fmt: skip
    response = page(request, "assessment/surprises.jinja", context, here="surprises")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    act = given.get("act", "")
    if act == "commit":
        surprise.commit(given.get("commitment", "").strip(), by=by, now=now)
    elif act == "reveal":
        # a form sends lines with CR LF; the words were hashed with LF
        surprise.reveal(number_of(given.get("id", "")), given.get("text", "").replace("\r\n", "\n"), by=by, now=now)
    else:
        raise AssessmentError(_("没有这个操作"), where=act[:20])
