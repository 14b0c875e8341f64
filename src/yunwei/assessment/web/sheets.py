"""月度考核: the months, one month's sheet down to clause and evidence, and what each side may do about it there."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from yunwei.accounts.models import Account
from yunwei.assessment import explained, sheets
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Appeal, SheetState
from yunwei.duties import sources
from yunwei.duties.models import Occurrence
from yunwei.duties.web.acts import file_of, number_of
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page

#: lines of one kind that a page shows at once; the rest is in the command and in the file
SHOWN = 400


@require_GET
def months(request: HttpRequest) -> HttpResponse:
    """Every month of the term with its score."""
    now = now_of_instance()
    rubric = sources.folder().rubric
    if rubric is None:
        return page(request, "assessment/months.jinja", {"rows": [], "rubric": None}, here="assessment",
                    title=_("合同目录没有评分标准，不评分"))  # fmt: skip
    rows = explained.listed(now)
    due = [r for r in rows if r.over and r.row is None and r.score is not None]
    frozen = [r for r in rows if r.row and r.row.state == SheetState.FROZEN]
    values: dict[str, tuple[object, str]] = {
        "n": (len(frozen), "plain"), "all": (len(rows), "plain"), "due": (len(due), "warn" if due else "mut"),
    }  # fmt: skip
    context = {
        "rows": rows, "rubric": rubric, "rubric_items": rubric.items, "title_of": explained.title,
        "adopted": sheets.adopted(sources.folder(), rubric), "sentence": words.pieces(
            _("{all} 个月中 {n} 个已定分，{due} 个已满月待甲方评分"), values),
    }  # fmt: skip
    return page(request, "assessment/months.jinja", context, here="assessment")


@require_http_methods(["GET", "POST"])
def month(request: HttpRequest, key: str) -> HttpResponse:
    """One month's sheet; who may, acts on it here."""
    problem = ""
    if request.method == "POST":
        try:
            _act(request, key, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("sheet", key)
    try:
        told = explained.explain(key)
    except AssessmentError as error:
        raise Http404 from error
    response = page(request, "assessment/month.jinja", _context(request, told, problem), here="assessment")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, name: str, now: datetime) -> None:
    """Do what the form's button says. Raises an error of ours with what is wrong."""
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    match given.get("act", ""):
        case "score":
            sheets.score(name, by=by, now=now)
        case "freeze":
            sheets.freeze(name, by=by, now=now)
        case "sign" | "unsign" as act:
            sheets.answer(name, sign=act == "sign", text=given.get("text", ""), by=by, now=now)
        case "appeal":
            said = given.get("statement", "")
            sheets.appeal(name, given.get("line", ""), statement=said, file=file_of(request), by=by, now=now)
        case "grant" | "refuse" as act:
            which = number_of(given.get("id", ""))
            if not Appeal.objects.filter(pk=which, sheet__month=name).exists():
                raise AssessmentError(_("没有这项申诉"), where=name)
            sheets.decide(which, grant=act == "grant", reason=given.get("reason", ""), by=by, now=now)
        case "add":
            _add(request, by, name, now)
        case _:
            raise AssessmentError(_("没有这个操作"), where=name)


def _add(request: HttpRequest, by: Account, name: str, now: datetime) -> None:
    given = request.POST
    try:
        points = Decimal(given.get("points", ""))
    except InvalidOperation:
        raise AssessmentError(_("不是分数：{text}").format(text=given.get("points", "")[:20]), where=name) from None
    sheets.add(
        name, given.get("heading", ""), points=points, text=given.get("text", ""), file=file_of(request), by=by, now=now
    )


def _context(request: HttpRequest, told: explained.Explained, problem: str) -> dict[str, Any]:
    now, row, by = now_of_instance(), told.row, request.user
    if not isinstance(by, Account):
        raise PermissionDenied
    _start, end = sheets.bounds(sources.folder(), told.month)
    scorer, defender = by.role in sheets.SCORERS, by.role in sheets.DEFENDERS
    scored = row is not None and row.state == SheetState.SCORED
    frozen = row is not None and row.state == SheetState.FROZEN
    in_time = scored and row is not None and now <= row.appeal_until
    waiting = [t for t in told.lines if t.appeal and t.appeal.decided_at is None]
    names = {item.id: item for item in told.rubric.items}
    months_ = [m.name for m in sheets.months(sources.folder())]
    place = months_.index(told.month.name)
    return {
        "told": told, "row": row, "problem": problem, "given": request.POST, "sentence": _title(told),
        "items": [(explained.title(names[i.item]), i) for i in told.score.items],
        "costly": told.costly[:SHOWN], "more": len(told.costly) - SHOWN, "free": told.free[:SHOWN],
        "links": _links([t.line.key for t in [*told.costly[:SHOWN], *told.free[:SHOWN]]]),
        "title_of": explained.title, "number": ledger.number_of(row.evidence) if row and row.evidence else None,
        "previous": months_[place - 1] if place else "",
        "following": months_[place + 1] if place + 1 < len(months_) else "",
        "over": end <= now, "waiting": waiting,
        "may": {
            "score": scorer and not frozen and end <= now,
            "freeze": scorer and scored and not in_time and not waiting,
            "decide": scorer and scored,
            "add": scorer and not frozen,
            "appeal": defender and in_time,
            "sign": defender and frozen and row is not None and row.signed is None,
        },
    }  # fmt: skip


def _links(keys: list[str]) -> dict[str, str]:
    """Where a line leads: to its occurrence, its finding's list, its event."""
    wanted = {key for key in keys if key.partition(":")[0] not in ("finding", "event", "addition")}
    found = {
        f"{code}:{name}": reverse("occurrence", args=[pk])
        for pk, code, name in Occurrence.objects.filter(
            obligation__in={key.partition(":")[0] for key in wanted},
            period__in={key.partition(":")[2] for key in wanted},
        ).values_list("pk", "obligation", "period")
    }
    for key in keys:
        kind, _colon, number = key.partition(":")
        if kind == "finding":
            found[key] = reverse("finding", args=[number])
        elif kind == "event":
            found[key] = reverse("triggers")
    return found


def _title(told: explained.Explained) -> list[tuple[str, str]]:
    values: dict[str, tuple[object, str]] = {
        "month": (told.month.name, "plain"), "score": (told.score.score, "plain"),
        "lost": (told.score.lost, "bad" if told.score.lost > 0 else "mut"), "n": (len(told.costly), "plain"),
        "state": (told.state, "warn" if told.row is None else "plain"),
    }  # fmt: skip
    return words.pieces(_("{month} 得 {score} 分：{n} 行共扣 {lost} 分 · {state}"), values)
