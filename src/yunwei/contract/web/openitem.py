"""One open item: what it blocks and what is done meanwhile; the document that closes it, laid down by one side and
confirmed by the other; what follows from that."""

from __future__ import annotations

import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract import closings, openitems
from yunwei.contract.closing import PRICE, READING, RUBRIC
from yunwei.contract.errors import ContractError
from yunwei.contract.folder import PriceTable, load_part
from yunwei.contract.models import Closing
from yunwei.contract.schema import OpenItem, Rubric
from yunwei.contract.web.health import Item
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.web.acts import MAX_FILE, number_of
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance


@require_http_methods(["GET", "POST"])
def one(request: HttpRequest, item_id: str) -> HttpResponse:
    """One open item; who binds a party acts on it here."""
    folder, problem = contract_folder(), ""
    item = next((i for i in folder.open_items if i.id == item_id), None)
    if item is None:
        raise Http404
    if request.method == "POST":
        try:
            _act(request, item, now_of_instance())
        except ContractError as error:
            problem = str(error)
        else:
            return redirect("open-item", item_id)
    response = page(request, "contract/openitem.jinja", _context(request, item, problem), here="contract")
    response.status_code = 400 if problem else 200
    return response


def _context(request: HttpRequest, item: OpenItem, problem: str) -> dict[str, Any]:
    folder, by = contract_folder(), request.user
    rows = list(Closing.objects.filter(item=item.id).select_related("proposed_by__organisation", "decided_by"))
    numbers = ledger.numbers_of(r.evidence for r in rows)
    still = openitems.is_open(folder, item)
    waiting = next((r for r in rows if r.confirmed is None), None)
    binds = isinstance(by, Account) and by.role in closings.SIGNERS.get(PartyOf(by.party), frozenset())
    document = next((d for d in folder.documents if d.id == item.closed_by), None)
    values: dict[str, tuple[object, str]] = {"what": (Item(item).title, "plain"), "who": (Item(item).owner, "warn")}
    text = _("{what}：待{who}以文件了结") if still else _("{what}：已了结")
    return {
        "item": item, "said": Item(item), "still": still, "rows": rows, "numbers": numbers, "waiting": waiting,
        "document": document, "problem": problem, "given": request.POST, "sentence": words.pieces(text, values),
        "ranks": folder.ranks, "readings": folder.contract.periods,
        "asks": {"reading": item.blocks == READING, "price": item.blocks == PRICE, "rubric": item.blocks == RUBRIC},
        "may": {
            "propose": binds and still and waiting is None,
            "decide": binds and waiting is not None and isinstance(by, Account)
            and waiting.proposed_by.party != by.party,
        },
        "today": now_of_instance().date(),
    }  # fmt: skip


def _act(request: HttpRequest, item: OpenItem, now: datetime) -> None:
    """Do what the form's button says. Raises ContractError with what is wrong."""
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    folder = contract_folder()
    act = given.get("act", "")
    if act == "propose":
        upload = request.FILES.get("file")
        content = upload.read() if upload is not None and (upload.size or 0) <= MAX_FILE else b""
        paper = closings.Paper(
            given.get("title", ""), given.get("rank", ""), day_of(given.get("date", "")),
            duties.File(str(upload.name), b"").shown if upload is not None else "", content,
        )  # fmt: skip
        closings.propose(
            folder, item.id, paper, by=by, now=now, reading=given.get("reading", ""),
            price=annex(request, PriceTable).price if item.blocks == PRICE else (),
            rubric=annex(request, Rubric) if item.blocks == RUBRIC else None,
        )  # fmt: skip
    elif act in ("confirm", "refuse"):
        which = number_of(given.get("id", ""))
        if not Closing.objects.filter(pk=which, item=item.id).exists():
            raise ContractError(_("没有这份文件"), where=item.id)
        closings.decide(
            which, confirm=act == "confirm", by=by, now=now, reason=given.get("reason", ""), folder=folder,
            directory=sources.contract_dir(),
        )  # fmt: skip
        duties.bring_up_to_date(now)
    else:
        raise ContractError(_("没有这个操作"), where=item.id)


def day_of(text: str) -> date:
    """A day that a form sends. Raises ContractError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ContractError(_("文件日期不是日期"), where=text[:20], hint="2026-03-01") from None


def annex(request: HttpRequest, kind: Any) -> Any:
    """The machine-readable annex of the document, as the folder's own reader reads it."""
    upload = request.FILES.get("annex")
    if upload is None:
        raise ContractError(_("需要附上机器可读的附件（YAML）"), where="annex")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annex.yaml"
        path.write_bytes(upload.read())
        return load_part(path, kind)
