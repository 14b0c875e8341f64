"""补充文件: the documents in their order, the supplements that both signed, and what may still be bought in addition."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract import check_between, closings, supplements
from yunwei.contract.errors import ContractError
from yunwei.contract.folder import PriceTable
from yunwei.contract.models import PlanVersion, Supplement
from yunwei.contract.schema import Folder
from yunwei.contract.web import tree
from yunwei.contract.web.openitem import annex, day_of
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.web.acts import MAX_FILE, number_of
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.money import format_figures, parse_figures, share_of
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance


@require_http_methods(["GET", "POST"])
def documents(request: HttpRequest) -> HttpResponse:
    """The page; who binds a party lays a supplement down, the other confirms it."""
    problem = ""
    if request.method == "POST":
        try:
            _act(request, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("supplements")
    response = page(request, "contract/supplements.jinja", _context(request, problem), here="supplements")
    response.status_code = 400 if problem else 200
    return response


def _context(request: HttpRequest, problem: str) -> dict[str, Any]:
    folder, by = contract_folder(), request.user
    rows = list(Supplement.objects.select_related("proposed_by__organisation", "decided_by").order_by("-id"))
    binds = isinstance(by, Account) and by.role in closings.SIGNERS.get(PartyOf(by.party), frozenset())
    waiting = sum(r.confirmed is None for r in rows)
    agreed = sum(r.confirmed is True for r in rows)
    values: dict[str, tuple[object, str]] = {
        "n": (agreed, "plain"), "sum": (format_figures(check_between.added(folder)), "plain"),
        "waiting": (waiting, "warn" if waiting else "mut"),
    }  # fmt: skip
    text = _("已签补充文件 {n} 份，共追加 ¥ {sum}；待确认 {waiting} 份") if rows else _("没有补充文件")
    return {
        "rows": rows, "numbers": ledger.numbers_of(r.evidence for r in rows), "problem": problem, "given": request.POST,
        "sentence": words.pieces(text, values), "ranks": tree.ranks(folder), "limit": limit(folder),
        "figures": format_figures, "first": folder.ranks[0] if folder.ranks else "", "binds": binds,
        "side": by.party if isinstance(by, Account) else "", "today": now_of_instance().date(),
        "plans": list(PlanVersion.objects.order_by("-version").values_list("version", flat=True)[:20]),
    }  # fmt: skip


def limit(folder: Folder) -> list[tuple[str, Any]]:
    """The arithmetic of what may be bought in addition; empty where no statute limits it."""
    rule = folder.between.added if folder.between else None
    if rule is None:
        return []
    total, before = folder.contract.price.amount, check_between.added(folder)
    most = share_of(total, rule.share)
    return [
        (_("依据"), rule.statute),
        (_("合同金额"), f"¥ {format_figures(total)}"),
        (_("追加上限"), f"{rule.share.normalize():f} % = ¥ {format_figures(most)}"),
        (_("已追加"), f"¥ {format_figures(before)}"),
        (_("还可追加"), f"¥ {format_figures(max(most - before, Decimal(0)))}"),
    ]


def _act(request: HttpRequest, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    folder = contract_folder()
    match given.get("act", ""):
        case "propose":
            upload = request.FILES.get("file")
            content = upload.read() if upload is not None and (upload.size or 0) <= MAX_FILE else b""
            name = duties.File(str(upload.name), b"").shown if upload is not None else ""
            paper = closings.Paper(
                given.get("title", ""),
                folder.ranks[0] if folder.ranks else "",
                day_of(given.get("date", "")),
                name,
                content,
            )
            changes = supplements.Changes(
                added=parse_figures(given.get("added", "")) if given.get("added", "").strip() else Decimal(0),
                price=annex(request, PriceTable).price if request.FILES.get("annex") else (),
                plan=number_of(given.get("plan", "")), note=given.get("note", ""),
            )  # fmt: skip
            supplements.propose(folder, paper, changes, by=by, now=now)
        case "confirm" | "refuse" as act:
            supplements.decide(
                number_of(given.get("id", "")), confirm=act == "confirm", by=by, now=now,
                reason=given.get("reason", ""), folder=folder, directory=sources.contract_dir(),
            )  # fmt: skip
            duties.bring_up_to_date(now)
        case act:
            raise ContractError(_("没有这个操作"), where=act[:20])
