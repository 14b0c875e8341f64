"""价款与付款: instalments with their clocks, what the price still lacks, the balance, set-offs and their answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account
from yunwei.assessment import account, payments, sheets
from yunwei.assessment.errors import AssessmentError
from yunwei.duties.web.acts import file_of, number_of
from yunwei.duties.web.obligation import due
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.money import capitals, format_figures, parse_figures
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance


@require_http_methods(["GET", "POST"])
def payment(request: HttpRequest) -> HttpResponse:
    """The account between the parties; 甲方 sets off and 乙方 answers here."""
    problem = ""
    if request.method == "POST":
        try:
            _act(request, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("payment")
    response = page(request, "assessment/payment.jinja", _context(request, problem), here="payment")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    act = given.get("act", "")
    if act == "set-off":
        amount = parse_figures(given.get("amount", ""))
        payments.set_off(
            amount,
            ground=given.get("ground", ""),
            clause=given.get("clause", ""),
            file=file_of(request),
            by=by,
            now=now,
        )
    elif act in ("accept", "dispute"):
        payments.answer(
            number_of(given.get("id", "")), accept=act == "accept", text=given.get("text", ""), by=by, now=now
        )
    else:
        raise AssessmentError(_("没有这个操作"), where=act[:20])


def _context(request: HttpRequest, problem: str) -> dict[str, Any]:
    folder, by = contract_folder(), request.user
    whole = account.told(folder, now_of_instance())
    told = whole.statement
    evidence = [p.occurrence.evidence for p in told.parts if p.occurrence and p.occurrence.evidence]
    evidence += [off.evidence for off in told.set_offs if off.evidence]
    numbers = ledger.numbers_of(evidence)
    role = by.role if isinstance(by, Account) else ""
    titles = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    return {
        "told": told, "sentence": _title(told), "numbers": numbers, "problem": problem, "given": request.POST,
        "price": folder.contract.price, "capitals": capitals, "figures": format_figures, "titles": titles, "due": due,
        "late": whole.late, "interest": whole.interest,
        "allowed": payments.set_off_clauses(folder), "added": whole.added,
        "may": {"set_off": role in sheets.SCORERS, "answer": role in sheets.DEFENDERS},
    }  # fmt: skip


def _title(told: payments.Statement) -> list[tuple[str, str]]:
    values: dict[str, tuple[object, str]] = {
        "paid": (format_figures(told.paid), "plain"), "n": (len(told.missing), "warn"),
        "price": (format_figures(told.price) if told.price is not None else "", "plain"),
        "left": (format_figures(told.balance) if told.balance is not None else "", "bad" if told.negative else "plain"),
    }  # fmt: skip
    if told.price is None:
        return words.pieces(_("已付 ¥ {paid}；最终价款待双方确认，还缺 {n} 项"), values)
    if told.negative:
        return words.pieces(_("最终价款 ¥ {price}，已付超出，差额 ¥ {left} 待双方协商，不支付负数"), values)
    return words.pieces(_("最终价款 ¥ {price}，已付 ¥ {paid}，尾款 ¥ {left}"), values)
