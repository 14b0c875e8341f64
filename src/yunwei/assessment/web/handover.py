"""移交: the frozen list with both signatures item by item, what changed since, accounts, what goes back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from markupsafe import Markup

from yunwei.accounts.models import Account, PartyOf
from yunwei.assessment import handover, year
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.explained import title
from yunwei.assessment.models_year import Handover, HandoverItem, ItemKind
from yunwei.contract.schema import Folder
from yunwei.duties.web.obligation import due, state_cell
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.reports.models import KindOf, Report
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, contains, equals, show

#: what a frozen item's facts are called
FACTS = {
    "model": gettext_lazy("型号"), "serial": gettext_lazy("序列号"), "place": gettext_lazy("机房"), "position": gettext_lazy("位置"),
    "zone": gettext_lazy("分区"), "system": gettext_lazy("系统"), "category": gettext_lazy("类别"), "clause": gettext_lazy("条款"),
    "file": gettext_lazy("文件"), "kind": gettext_lazy("种类"), "holder": gettext_lazy("持有人"), "opens": gettext_lazy("可登录"),
    "set": gettext_lazy("口令上次设置"), "title": gettext_lazy("名称"),
}  # fmt: skip
WHAT = {
    "added": ("info", gettext_lazy("新增")),
    "gone": ("bad", gettext_lazy("不再存在")),
    "changed": ("warn", gettext_lazy("变更")),
}
DONE = Q(given=False) | Q(received=False) | Q(given=True, received=True)


def signature(said: bool | None) -> Markup:
    """One side's signature on an item."""
    if said is None:
        return cells.state("warn", _("未签"))
    return cells.state("ok", _("已签")) if said else cells.state("bad", _("拒签"))


def _rows(_request: HttpRequest) -> QuerySet[HandoverItem]:
    return HandoverItem.objects.filter(handover__year=year.of(contract_folder()).key)


def _state(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    wanted = {
        "left": ~DONE,
        "b": Q(given__isnull=True),
        "a": Q(received__isnull=True),
        "refused": Q(given=False) | Q(received=False),
    }.get(text)
    return rows.filter(wanted) if wanted is not None else rows.none()


def _attach(rows: list[Any]) -> None:
    numbers = ledger.numbers_of([pk for r in rows for pk in (r.source, r.evidence)])
    for row in rows:
        row.source_number, row.number = numbers.get(row.source), numbers.get(row.evidence)


def _detail(row: HandoverItem) -> str:
    keys = ("model", "serial", "place", "zone", "file", "clause", "holder")
    return " · ".join(str(row.detail[k]) for k in keys if row.detail.get(k))


LISTING = Listing(
    name="handover",
    rows=_rows,
    columns=(
        Column("code", gettext_lazy("项目"), lambda r: r.code, lambda r: cells.name(r.code, note=r.title if r.title != r.code else ""), kind="lead"),
        Column("kind", gettext_lazy("种类"), lambda r: r.get_kind_display()),
        Column("detail", gettext_lazy("内容"), _detail, kind="wide", sparse=True),
        Column("given", gettext_lazy("乙方移出"), lambda r: r.given, lambda r: signature(r.given)),
        Column("received", gettext_lazy("甲方接收"), lambda r: r.received, lambda r: signature(r.received)),
        Column("source", gettext_lazy("存在的证据"), lambda r: r.source_number,
               lambda r: cells.proof(r.source_number, waiting=True) if r.source else cells.state("unp", _("无证明"))),
        Column("evidence", gettext_lazy("签收的证据"), lambda r: r.number, lambda r: cells.proof(r.number, waiting=r.evidence is not None)),
    ),
    order=("id",),
    filters=(
        Filter("kind", gettext_lazy("种类"), equals("kind"), choices=lambda: ItemKind.choices),
        Filter("state", gettext_lazy("签收"), _state, choices=lambda: [
            ("left", _("尚未了结")), ("b", _("待乙方签")), ("a", _("待甲方签")), ("refused", _("拒签"))]),
        Filter("q", gettext_lazy("查找"), contains("code", "title"), hint=gettext_lazy("编号或名称")),
    ),
    link=lambda r: reverse("handover-item", args=[r.pk]),
    attach=_attach,
)  # fmt: skip


@require_http_methods(["GET", "POST"])
def listed(request: HttpRequest) -> HttpResponseBase:
    """The list of this contract's year; each side signs here."""
    if request.method == "POST":
        try:
            _act(request, now_of_instance())
        except YunweiError as error:
            response = _page(request, str(error))
            response.status_code = 400
            return response
        return redirect("handover")
    return _page(request, "")


def _act(request: HttpRequest, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    match given.get("act", ""):
        case "open":
            handover.open_list(by=by, now=now)
        case "sign-all":
            handover.sign(_unsigned(by, given.get("kind", "")), by=by, now=now)
        case "prove":
            handover.prove(by=by, now=now)
        case act:
            raise AssessmentError(_("没有这个操作"), where=act[:20])


def _unsigned(by: Account, kind: str) -> list[int]:
    """The items of a kind that this side neither signed nor refused."""
    side = "received" if by.party == PartyOf.A else "given"
    rows = HandoverItem.objects.filter(
        handover__year=year.of(contract_folder()).key, kind=kind[:8], **{f"{side}__isnull": True}
    )
    return list(rows.values_list("pk", flat=True))


def _page(request: HttpRequest, problem: str) -> HttpResponseBase:
    folder = contract_folder()
    row = handover.current(folder)
    if request.GET.get("format"):
        return show(request, LISTING, lambda _shown: "")
    context = _context(request, folder, row) | {"problem": problem, "title": _("移交")}
    return show(
        request,
        LISTING,
        lambda _shown: _title(row, context["progress"]),
        template="assessment/handover.jinja",
        context=context,
    )


def _context(request: HttpRequest, folder: Folder, row: Handover | None) -> dict[str, Any]:
    items, ends, by = list(row.items.all()) if row else [], folder.year_end, request.user
    progress, clock, ended = handover.progress(items), handover.clock(folder), handover.ended(folder)
    role = by.role if isinstance(by, Account) else ""
    side = "received" if role in year.CLIENT else "given" if role in year.KEEPERS else ""
    files = list(Report.objects.filter(kind=KindOf.HANDOVER, key=year.of(folder).key).order_by("-edition")[:3])
    returns = [c for name in ends.returns if (c := year.clock(name, ended)) is not None] if ends else []
    known = {o.id: o for o in folder.obligations}
    return {
        "row": row, "ends": ends, "progress": progress, "clock": clock, "ended": ended, "due": due, "state_cell": state_cell, "files": files,
        "changes": handover.changes(folder, items) if row else [], "what": WHAT, "facts": FACTS, "temporary": handover.temporary(),
        "resets": handover.resets(items, row.opened_at) if row else {}, "known": known, "title_of": title, "kinds": dict(ItemKind.choices),
        "returns": returns, "year": year.of(folder).key, "side": side,
        "numbers": ledger.numbers_of([*([row.evidence] if row else []), ended.evidence if ended else None, *(f.evidence for f in files)]),
        "left": [(kind, word, n) for kind, word in ItemKind.choices
                 if side and (n := sum(i.kind == kind and getattr(i, side) is None for i in items))],
        "may": {"open": role in year.KEEPERS and row is None and ends is not None, "make": bool(side) and row is not None,
                "prove": role in year.KEEPERS and progress.finished and clock is not None and clock.state in ("due", "missed", "unproven")},
    }  # fmt: skip


def _title(row: Handover | None, p: handover.Progress) -> list[tuple[str, str]]:
    values: dict[str, tuple[object, str]] = {
        "all": (p.all, "plain"), "done": (p.done, "plain"), "refused": (p.refused, "bad" if p.refused else "mut"),
        "b": (p.all - p.given, "warn" if p.given < p.all else "mut"), "a": (p.all - p.received, "warn" if p.received < p.all else "mut"),
    }  # fmt: skip
    if row is None:
        return words.pieces(_("移交清单还没有开列"), {})
    if p.finished:
        return words.pieces(_("移交 {all} 项全部了结，其中拒签 {refused} 项"), values)
    return words.pieces(
        _("移交 {all} 项：双方了结 {done} 项，乙方未签 {b} 项，甲方未签 {a} 项，拒签 {refused} 项"), values
    )


@require_http_methods(["GET", "POST"])
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One item: what it is, and both signatures."""
    row = HandoverItem.objects.filter(pk=pk).select_related("handover", "given_by", "received_by").first()
    if row is None:
        raise Http404
    problem, by = "", request.user
    if request.method == "POST" and isinstance(by, Account):
        try:
            act = request.POST.get("act", "")
            if act == "refuse":
                handover.refuse(pk, reason=request.POST.get("text", ""), by=by, now=now_of_instance())
            elif act == "sign":
                handover.sign([pk], by=by, now=now_of_instance())
            else:
                raise AssessmentError(_("没有这个操作"), where=act[:20])
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("handover-item", pk)
    _attach([row])
    role = by.role if isinstance(by, Account) else ""
    side = "received" if role in year.CLIENT else "given" if role in year.KEEPERS else ""
    following = (
        HandoverItem.objects.filter(handover=row.handover, pk__gt=pk)
        .order_by("pk")
        .values_list("pk", flat=True)
        .first()
    )
    values: dict[str, tuple[object, str]] = {
        "code": (row.code, "plain"),
        "state": (_("已了结") if row.done else _("尚未了结"), "plain" if row.done else "warn"),
    }
    reset = handover.resets([row], row.handover.opened_at).get(row.code) if row.kind == ItemKind.ACCOUNT else None
    context = {
        "row": row, "problem": problem, "facts": [(FACTS.get(k, k), _said(v)) for k, v in row.detail.items() if v], "signature": signature,
        "following": following, "reset": reset, "sentence": words.pieces("{code} · {state}", values), "asset": row.kind in (ItemKind.FACILITY, ItemKind.RESOURCE),
        "may": {"sign": bool(side) and getattr(row, side) is not True, "refuse": bool(side) and getattr(row, side) is None},
    }  # fmt: skip
    response = page(request, "assessment/handover_item.jinja", context, here="handover")
    response.status_code = 400 if problem else 200
    return response


def _said(value: Any) -> Any:
    return "、".join(str(v) for v in value) if isinstance(value, list) else str(value)
