"""索赔: what one party claims from the other on a clause, the clock in which the other answers, and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account, PartyOf
from yunwei.assessment import claims
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Demand
from yunwei.assessment.models_claims import Outcome
from yunwei.contract import closings
from yunwei.duties.models import Occurrence
from yunwei.duties.web.acts import file_of, number_of
from yunwei.duties.web.obligation import due
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.money import format_figures, parse_figures
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

TONES = {"": "warn", "accepted": "ok", "partly": "warn", "disputed": "bad", "withdrawn": "mut"}
#: rows on the page; claims are few, and older ones are told by their number
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One claim with its clock and who may act on it now."""

    row: Demand
    clock: Occurrence | None
    may_answer: bool
    may_withdraw: bool

    @property
    def tone(self) -> str:
        return TONES[self.row.outcome]

    @property
    def word(self) -> str:
        if self.row.outcome:
            return str(Outcome(self.row.outcome).label)
        return _("待{who}答复").format(who=words.party(claims.OTHER[self.row.side]))


def side_of(account: object) -> str:
    """The side that an account binds in writing; empty for everybody else."""
    if not isinstance(account, Account) or account.role not in closings.SIGNERS.get(PartyOf(account.party), ()):
        return ""
    return str(account.party)


@require_http_methods(["GET", "POST"])
def listed(request: HttpRequest) -> HttpResponse:
    """All claims, the newest first; who binds a party claims, answers and withdraws here."""
    problem = ""
    if request.method == "POST":
        try:
            _act(request, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("claims")
    response = page(request, "assessment/claims.jinja", _context(request, problem), here="claims")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    which = number_of(given.get("id", ""))
    match given.get("act", ""):
        case "claim":
            kind = given.get("kind", "")
            claims.claim(
                kind, given.get("ground", ""), statement=given.get("statement", ""), file=file_of(request), by=by, now=now,
                amount=_amount(given.get("amount", "")),
            )  # fmt: skip
        case "withdraw":
            claims.withdraw(which, reason=given.get("text", ""), by=by, now=now)
        case "accepted" | "partly" | "disputed" as outcome:
            agreed = _amount(given.get("agreed", "")) if outcome == "partly" else None
            claims.answer(
                which, outcome, text=given.get("text", ""), agreed=agreed, file=file_of(request), by=by, now=now
            )
        case act:
            raise AssessmentError(_("没有这个操作"), where=act[:20])


def _amount(text: str) -> Decimal | None:
    return parse_figures(text) if text.strip() else None


def clocks(rows: list[Demand]) -> dict[int, Occurrence]:
    """The clock of each claim, by claim; one statement."""
    wanted = {
        (clock.obligation, f"event:{row.event_id}"): row.pk
        for row in rows
        if row.event_id and (clock := claims.clock_of(contract_folder(), claims.OTHER[row.side])) is not None
    }
    found: QuerySet[Occurrence] = Occurrence.objects.filter(
        obligation__in={o for o, _p in wanted}, period__in={p for _o, p in wanted}
    )
    return {wanted[o.obligation, o.period]: o for o in found if (o.obligation, o.period) in wanted}


def _context(request: HttpRequest, problem: str) -> dict[str, Any]:
    folder, side = contract_folder(), side_of(request.user)
    rows = list(Demand.objects.select_related("said_by", "answered_by").order_by("-id")[:SHOWN])
    times = clocks(rows)
    lines = [
        Line(r, times.get(r.pk), bool(side) and not r.outcome and side != r.side, not r.outcome and side == r.side)
        for r in rows
    ]
    count, open_ = Demand.objects.count(), Demand.objects.filter(outcome="").count()
    values: dict[str, tuple[object, str]] = {
        "n": (count, "plain"), "open": (open_, "warn" if open_ else "mut"),
        "disputed": (sum(r.outcome == Outcome.DISPUTED for r in rows), "plain"),
    }  # fmt: skip
    text = _("索赔 {n} 项，待答复 {open} 项，有争议 {disputed} 项") if count else _("双方都没有提出索赔")
    owed = {c for o in folder.obligations if side and claims.OTHER[side] in o.owes.value for c in o.clauses}
    return {
        "lines": lines, "sentence": words.pieces(text, values), "problem": problem, "given": request.POST, "side": side,
        "grounds": claims.grounds(folder, side) if side else [], "figures": format_figures, "due": due,
        "owed": [c for c in folder.clauses if c.id in owed], "party": words.party,
        "clock": claims.clock_of(folder, claims.OTHER[side]) if side else None,
        "numbers": ledger.numbers_of(r.evidence for r in rows),
    }  # fmt: skip
