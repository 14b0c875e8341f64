"""API of what it is worth: monthly sheets, the account, surprise tests, closings, claims."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema

from yunwei.accounts.tokens import Scope
from yunwei.assessment import account, explained
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Demand, Sheet, Surprise
from yunwei.contract.models import Closing
from yunwei.ui.api import After, Asked, Code, Id, Limit, Needs, PageOf, Text, keyset
from yunwei.ui.context import contract_folder
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.pages import READERS

router = Router(tags=["assessment"])
GATE = Needs(Scope.READ, READERS)


class SheetOut(Schema):
    """A month as 甲方 scored it."""

    id: int
    month: str
    state: str
    score: Decimal
    round: int
    days: int
    appeal_until: datetime
    frozen_at: datetime | None
    signed: bool | None


class SurpriseOut(Schema):
    """A surprise test: nothing but a hash until it is revealed."""

    id: int
    commitment: str
    committed_at: datetime
    revealed_at: datetime | None
    component: str
    done_at: datetime | None
    detected_at: datetime | None
    ticket_at: datetime | None
    notice_at: datetime | None


class ClosingOut(Schema):
    """A document that closes an open item; `confirmed` is null while the other side has not answered."""

    id: int
    item: str
    file_name: str
    proposed_at: datetime
    confirmed: bool | None
    reason: str
    decided_at: datetime | None


class DemandOut(Schema):
    """A claim of one side against the other; `outcome` is empty while it is not answered."""

    id: int
    side: str
    kind: str
    ground: str
    amount: Decimal | None
    statement: str
    said_at: datetime
    outcome: str
    agreed: Decimal | None
    answer: str
    answered_at: datetime | None


class InstalmentOut(Schema):
    """One instalment; `amount` is null while nobody agreed on it."""

    id: str
    clause: str
    amount: Decimal | None
    capitals: str
    due_at: datetime | None
    state: str
    paid: bool


class MissingOut(Schema):
    """What the price lacks and who must act."""

    what: str
    who: str
    item: str


class InterestOut(Schema):
    """Statutory interest on one instalment, beside the account."""

    instalment: str
    principal: Decimal
    due: date
    until: date
    days: int
    amount: Decimal
    running: bool


class AccountOut(Schema):
    """The account between the parties. `price` and `balance` are null while something is missing."""

    total: Decimal
    instalments: list[InstalmentOut]
    score: Decimal | None
    price: Decimal | None
    missing: list[MissingOut]
    paid: Decimal
    set_off: Decimal
    balance: Decimal | None
    negative: bool
    added: Decimal
    interest: list[InterestOut]


class Pages(Asked):
    """The query of a list without filters."""

    after: Text = After
    limit: int = Limit


class ItemPages(Pages):
    """The query of closings."""

    item: Text = ""


@router.get("/sheets", response=PageOf[SheetOut], auth=GATE, summary="月度考核")
def sheets_list(request: HttpRequest, asked: Query[Pages]) -> dict[str, Any]:
    """Months that were scored, the newest first."""
    return keyset(Sheet.objects.all(), ("-month", "-id"), asked.after, asked.limit)


@router.get("/sheets/{month}", response=dict[str, Any], auth=GATE, summary="一个月的考核表")
def sheet(request: HttpRequest, month: Code) -> dict[str, Any]:
    """One month with every line, scored or tried out: the same as the page and `yunwei assess`."""
    try:
        return explained.as_json(explained.explain(month))
    except AssessmentError as error:
        raise Http404 from error


@router.get("/payment", response=AccountOut, auth=GATE, summary="价款与付款")
def payment(request: HttpRequest) -> dict[str, Any]:
    """The account as it stands: the same as the page and `yunwei payment`."""
    return account.as_json(account.told(contract_folder(), now_of_instance()))


@router.get("/surprises", response=PageOf[SurpriseOut], auth=GATE, summary="暗测")
def surprises(request: HttpRequest, asked: Query[Pages]) -> dict[str, Any]:
    """Surprise tests, the newest first."""
    return keyset(Surprise.objects.all(), ("-committed_at", "-id"), asked.after, asked.limit)


@router.get("/closings", response=PageOf[ClosingOut], auth=GATE, summary="了结文件")
def closings(request: HttpRequest, asked: Query[ItemPages]) -> dict[str, Any]:
    """Documents that close open items, the newest first."""
    rows = Closing.objects.filter(item=asked.item) if asked.item else Closing.objects.all()
    return keyset(rows, ("-id",), asked.after, asked.limit)


@router.get("/claims", response=PageOf[DemandOut], auth=GATE, summary="索赔")
def claims(request: HttpRequest, asked: Query[Pages]) -> dict[str, Any]:
    """Claims of both sides, the newest first."""
    return keyset(Demand.objects.all(), ("-id",), asked.after, asked.limit)


@router.get("/claims/{claim_id}", response=DemandOut, auth=GATE, summary="一项索赔")
def claim(request: HttpRequest, claim_id: Id) -> Demand:
    """One claim."""
    return get_object_or_404(Demand, pk=claim_id)
