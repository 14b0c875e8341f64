"""恢复记录: each time the ledger was restored from a backup, what that lost, and the client's answer (ADR 13)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.kernel.errors import YunweiError
from yunwei.ledger import restored as rules
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Restored
from yunwei.ledger.services import numbers_of
from yunwei.ledger.web.evidence import account_of
from yunwei.ui import words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page


@require_http_methods(["GET", "POST"])
def restored(request: HttpRequest) -> HttpResponseBase:
    """All of them, the newest first; 甲方's signers answer here."""
    by, problem = account_of(request), ""
    if request.method == "POST":
        try:
            _answer(request)
        except YunweiError as error:
            problem = str(error)
        if not problem:
            return redirect("evidence-restored")
    rows = list(Restored.objects.select_related("head").order_by("-seq"))
    context: dict[str, Any] = {
        "rows": rows,
        "numbers": numbers_of(row.answer_id for row in rows),
        "may_answer": by.party == "A" and by.role in rules.SIGNERS,
        "problem": problem,
        "given": request.POST,
        "sentence": _sentence(rows),
    }
    response = page(request, "ledger/restored.jinja", context, here="evidence", title=_("恢复记录"))
    response.status_code = 400 if problem else 200
    return response


def _sentence(rows: list[Restored]) -> Any:
    if not rows:
        return _("这本台账没有从备份恢复过")
    lost = sum(row.lost or 0 for row in rows)
    waiting = sum(row.agreed is None for row in rows)
    values: dict[str, tuple[object, str]] = {
        "n": (len(rows), "plain"), "lost": (lost, "bad" if lost else "plain"), "waiting": (waiting, "warn" if waiting else "mut"),
    }  # fmt: skip
    return words.pieces(_("从备份恢复过 {n} 次，丢失 {lost} 条记录，{waiting} 次待甲方确认"), values)


def _answer(request: HttpRequest) -> None:
    given = request.POST
    act, seq = given.get("act", ""), given.get("seq", "")
    if act not in ("agree", "refuse") or not (seq.isascii() and seq.isdigit() and len(seq) < 19):
        raise LedgerError(_("没有这个操作"), where=act[:20])
    rules.answer(
        int(seq), agree=act == "agree", by=account_of(request), now=now_of_instance(), reason=given.get("reason", "")
    )
