"""整改: the orders of 甲方, each with its moment, its dispute, and its rounds until it conforms."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account
from yunwei.assessment import rectify, year
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Order
from yunwei.duties.models import Occurrence
from yunwei.duties.web.acts import file_of, number_of
from yunwei.duties.web.obligation import due, state_cell
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

#: where an order stands: tone and word
STATES = {
    "open": ("warn", gettext_lazy("待整改")),
    "overdue": ("bad", gettext_lazy("逾期未整改")),
    "reported": ("warn", gettext_lazy("待甲方复检")),
    "conforming": ("ok", gettext_lazy("已符合")),
}


@require_http_methods(["GET", "POST"])
def orders(request: HttpRequest) -> HttpResponse:
    """All orders, the newest first; 甲方 orders here."""
    problem, now = "", now_of_instance()
    if request.method == "POST":
        try:
            made = _order(request, now)
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("rectification", made.pk)
    rows = [(row, rectify.standing(row, now)) for row in rectify.everything()[::-1]]
    counted = {state: sum(there.state == state for _row, there in rows) for state in STATES}
    values: dict[str, tuple[object, str]] = {
        "n": (len(rows), "plain"), "ok": (counted["conforming"], "plain"),
        "open": (counted["open"] + counted["reported"], "warn" if counted["open"] + counted["reported"] else "mut"),
        "over": (counted["overdue"], "bad" if counted["overdue"] else "mut"),
    }  # fmt: skip
    by = request.user
    context = {
        "rows": rows, "states": STATES, "numbers": ledger.numbers_of(row.evidence for row, _there in rows), "problem": problem,
        "given": request.POST, "may": isinstance(by, Account) and by.role in year.CLIENT, "subject": rectify.subject,
        "sentence": words.pieces(_("整改 {n} 份：已符合 {ok} 份，进行中 {open} 份，逾期 {over} 份") if rows else _("甲方没有提出整改"), values),
    }  # fmt: skip
    response = page(request, "assessment/rectifications.jinja", context, here="rectifications")
    response.status_code = 400 if problem else 200
    return response


def _order(request: HttpRequest, now: datetime) -> Order:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    return rectify.order(
        given.get("what", ""), clause=given.get("clause", "").strip(), due_at=moment(given.get("due", "")),
        about=given.get("about", "").strip(), file=file_of(request), by=by, now=now,
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One order with its rounds; each side acts on it here."""
    row = (
        Order.objects.filter(pk=pk).select_related("ordered_by", "event", "disputed_by", "dispute_answered_by").first()
    )
    if row is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        try:
            _act(request, row, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("rectification", pk)
    response = page(request, "assessment/rectification.jinja", _context(request, row, problem), here="rectifications")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, row: Order, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    text = given.get("text", "")
    match given.get("act", ""):
        case "report":
            rectify.report(row.pk, statement=text, file=file_of(request), by=by, now=now)
        case "conforming" | "nonconforming" as act:
            rectify.check(row.pk, conforming=act == "conforming", finding=text, by=by, now=now)
        case "dispute":
            rectify.dispute(row.pk, until=moment(given.get("until", "")), reason=text, by=by, now=now)
        case "move":
            rectify.answer_dispute(row.pk, until=moment(given.get("until", "")), reason=text, by=by, now=now)
        case "keep":
            rectify.answer_dispute(row.pk, until=None, reason=text, by=by, now=now)
        case act:
            raise AssessmentError(_("没有这个操作"), where=act[:20])


def _context(request: HttpRequest, row: Order, problem: str) -> dict[str, Any]:
    now, by, folder = now_of_instance(), request.user, contract_folder()
    role = by.role if isinstance(by, Account) else ""
    rounds = list(row.rounds.select_related("reported_by", "checked_by").order_by("-number"))
    there = rectify.standing(row, now)
    clock = year.clock(folder.year_end.rectify, row.event) if folder.year_end else None
    numbers = ledger.numbers_of(
        [row.evidence, row.event.evidence, *(r.evidence for r in rounds), clock.evidence if clock else None]
    )
    done, waits = there.state == "conforming", row.disputed_at is not None and row.dispute_answered_at is None
    tone, word = STATES[there.state]
    values: dict[str, tuple[object, str]] = {
        "n": (row.pk, "plain"), "state": (word, "plain" if tone == "ok" else tone), "rounds": (len(rounds), "plain"),
        "due": (f"{row.due.astimezone(ZoneInfo(folder.contract.timezone)):%Y-%m-%d %H:%M}", "bad" if there.state == "overdue" else "plain"),
    }  # fmt: skip
    return {
        "row": row, "rounds": rounds, "there": there, "states": STATES, "numbers": numbers, "problem": problem, "given": request.POST,
        "clock": clock, "due": due, "state_cell": state_cell, "link": link_of(row.about), "subject": rectify.subject, "name": rectify.name(row),
        "sentence": words.pieces(_("整改 {n}：{state}，期限 {due}，已 {rounds} 轮"), values),
        "may": {
            "report": role in year.WORKERS and not done and there.state != "reported",
            "check": role in year.CLIENT and there.state == "reported",
            "dispute": role in year.VENDOR and not done and row.disputed_at is None,
            "answer": role in year.CLIENT and waits,
        },
    }  # fmt: skip


def moment(text: str) -> datetime:
    """What a date-and-time field sends, in the contract's zone. Raises AssessmentError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise AssessmentError(
            _("不是时间：{text}").format(text=text[:30]), where="due", hint="2026-10-12T18:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(contract_folder().contract.timezone))


def link_of(about: str) -> str:
    """Where the thing that an order is about is shown; "" where it is gone."""
    kind, _colon, rest = about.partition(":")
    if not about:
        return ""
    if kind == "finding":
        return reverse("finding", args=[number_of(rest)])
    if kind == "acceptance":
        return reverse("acceptance")
    if rest:
        found = Occurrence.objects.filter(obligation=kind, period=rest).values_list("pk", flat=True).first()
        return reverse("occurrence", args=[found]) if found else ""
    return reverse("ticket", args=[about])
