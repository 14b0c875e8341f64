"""API of the desk: tickets, read and written by the same services as the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from yunwei.accounts.models import Account
from yunwei.accounts.tokens import Scope
from yunwei.assets.models import Asset
from yunwei.desk import services
from yunwei.desk.models import Entry, Ticket, TicketKind, TicketState
from yunwei.ui.api import After, Asked, Code, Limit, Needs, PageOf, Text, account_of, keyset
from yunwei.ui.context import now
from yunwei.ui.pages import PARTIES, READERS, TENANTS, VENDOR

router = Router(tags=["desk"])


class TicketOut(Schema):
    """A ticket."""

    number: str
    kind: str
    title: str
    body: str
    severity: str
    state: str
    asset: str | None
    component: str
    requester: str | None
    channel: str
    opened_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None

    @staticmethod
    def resolve_asset(row: Ticket) -> str | None:
        return row.asset.code if row.asset else None

    @staticmethod
    def resolve_requester(row: Ticket) -> str | None:
        return row.requester.code if row.requester else None


class TicketQuery(Asked):
    """Filters of the list."""

    state: TicketState | None = None
    kind: TicketKind | None = None
    asset: Text = ""
    after: Text = After
    limit: int = Limit


class NewTicket(Schema):
    """What is asked or reported."""

    kind: TicketKind
    title: Text = Field(min_length=1, max_length=200)
    body: Text = Field("", max_length=20_000)
    asset: Text = Field("", max_length=60)


class Move(Schema):
    """The state to go to, and why."""

    to: TicketState
    text: Text = Field("", max_length=4000)


class Comment(Schema):
    """Words to add."""

    text: Text = Field(min_length=1, max_length=4000)


class EntryOut(Schema):
    """One line of a ticket's history."""

    at: datetime
    what: str
    state: str
    text: str
    file_name: str


def _mine(account: Account) -> Any:
    """The tickets one may see: a department its own."""
    rows = Ticket.objects.select_related("asset", "requester")
    return rows.filter(requester=account.organisation_id) if account.role in TENANTS else rows


@router.get("/tickets", response=PageOf[TicketOut], auth=Needs(Scope.READ, READERS | TENANTS), summary="工单")
def tickets(request: HttpRequest, asked: Query[TicketQuery]) -> dict[str, Any]:
    """Tickets, the newest first; a department's own only."""
    rows = _mine(account_of(request))
    wanted = {"state": asked.state, "kind": asked.kind, "asset__code": asked.asset}
    return keyset(
        rows.filter(**{k: v for k, v in wanted.items() if v}), ("-opened_at", "-id"), asked.after, asked.limit
    )


@router.post("/tickets", response={201: TicketOut}, auth=Needs(Scope.TICKETS, PARTIES | TENANTS), summary="新建工单")
def new(request: HttpRequest, asked: NewTicket) -> Any:
    """Open a ticket; a department's is its own, and its clock starts now."""
    account = account_of(request)
    asset = None
    if asked.asset:
        mine = Asset.objects.filter(owner=account.organisation_id) if account.role in TENANTS else Asset.objects.all()
        asset = get_object_or_404(mine, code=asked.asset)
    made = services.open_ticket(
        asked.kind,
        asked.title,
        by=account,
        now=now(),
        body=asked.body,
        channel="portal" if account.role in TENANTS else "desk",
        asset=asset,
        requester=account.organisation if account.role in TENANTS else None,
    )
    return Status(201, made)


@router.get("/tickets/{number}", response=TicketOut, auth=Needs(Scope.READ, READERS | TENANTS), summary="一张工单")
def ticket(request: HttpRequest, number: Code) -> Ticket:
    """One ticket."""
    found: Ticket = get_object_or_404(_mine(account_of(request)), number=number)
    return found


@router.get(
    "/tickets/{number}/history",
    response=list[EntryOut],
    auth=Needs(Scope.READ, READERS | TENANTS),
    summary="工单的经过",
)
def history(request: HttpRequest, number: Code) -> list[Entry]:
    """What happened to it, in order; a department reads what is meant for it."""
    account = account_of(request)
    found = get_object_or_404(_mine(account), number=number)
    return list(services.lines_of(found, account).order_by("at", "id"))


@router.post(
    "/tickets/{number}/move", response=TicketOut, auth=Needs(Scope.TICKETS, PARTIES | TENANTS), summary="改变工单状态"
)
def move(request: HttpRequest, number: Code, asked: Move) -> Ticket:
    """Move it, if its state and the account's side allow."""
    account = account_of(request)
    found = get_object_or_404(_mine(account), number=number)
    return services.move(found.pk, asked.to, by=account, now=now(), text=asked.text)


@router.post(
    "/tickets/{number}/comments",
    response={201: EntryOut},
    auth=Needs(Scope.TICKETS, PARTIES | TENANTS),
    summary="补充说明",
)
def comment(request: HttpRequest, number: Code, asked: Comment) -> Any:
    """Add words."""
    account = account_of(request)
    found = get_object_or_404(_mine(account), number=number)
    return Status(201, services.comment(found.pk, asked.text, by=account, now=now()))


@router.post(
    "/tickets/{number}/replies", response={201: EntryOut}, auth=Needs(Scope.TICKETS, VENDOR), summary="答复申请人"
)
def reply(request: HttpRequest, number: Code, asked: Comment) -> Any:
    """Answer the requester; the text is the proof for the answer's clock."""
    account = account_of(request)
    found = get_object_or_404(_mine(account), number=number)
    return Status(201, services.reply(found.pk, asked.text, by=account, now=now()))
