"""The desk's book: how a ticket gets its number, its lines and its clocks. Every line is a ledger record with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models.functions import Length
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, PartyOf
from yunwei.desk.models import Entry, Ticket, TicketState
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.models import Occurrence
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.ledger.models import Artifact

JSON = Any
ACTOR = "system:desk"
#: how often a number that another process took first is tried again
TRIES = 8


class DeskError(YunweiError):
    """A ticket cannot be opened, moved or answered like that."""


def create(kind: str, title: str, now: datetime, *, by: Account | None, **fields: Any) -> Ticket:
    """A new ticket with its first line; what decides who sees it stands in the ledger with it."""
    ticket = _numbered(now, kind=kind, title=title.strip()[:200], opened_at=now, opened_by=by, **fields)
    data = {"kind": kind, "title": ticket.title, "channel": ticket.channel, "severity": ticket.severity}
    if ticket.asset is not None:
        data |= {"asset": ticket.asset.code, "component": ticket.component}
    if ticket.system is not None:
        data["system"] = ticket.system.code
    if ticket.requester is not None:
        data["requester"] = ticket.requester.code
    if ticket.wanted_on is not None:
        data["wanted"] = ticket.wanted_on.isoformat()
    enter(ticket, "opened", now, by=by, state=TicketState.NEW, text=ticket.body, data=data)
    return ticket


def _numbered(now: datetime, **fields: Any) -> Ticket:
    """A new ticket under the next free number; who was slower than another process tries the one after it.

    The number is taken inside other people's transactions (a run is settled in it): a collision must not undo those.
    """
    for _again in range(TRIES):
        try:
            with transaction.atomic():
                return Ticket.objects.create(number=_number(now), **fields)
        except IntegrityError:
            continue
    return Ticket.objects.create(number=_number(now), **fields)


def _number(now: datetime) -> str:
    """`T-20261125-0001`: the day in the contract's zone and a count. Unique by the column, taken in a transaction."""
    day = now.astimezone(ZoneInfo(sources.folder().contract.timezone)).strftime("%Y%m%d")
    of_day = Ticket.objects.filter(number__startswith=f"T-{day}-").order_by(Length("number").desc(), "-number")
    last = of_day.values_list("number", flat=True).first()
    return f"T-{day}-{int(last.rpartition('-')[2]) + 1 if last else 1:04d}"


def start_clocks(ticket: Ticket, event: str, *, at: datetime, by: Account | None, now: datetime) -> None:
    """Record the event in the contract's books; its occurrences are the ticket's clocks."""
    if all(known.id != event for known in sources.folder().event_details):
        return
    ticket.event = duties.record_event(
        event, at=at, by=by, now=now, subject={"ticket": ticket.number}, note=ticket.title
    )
    ticket.save(update_fields=["event"])


def clocks(ticket: Ticket) -> list[Occurrence]:
    """The occurrences that this ticket's event started, earliest due first."""
    if ticket.event_id is None:
        return []
    return list(Occurrence.objects.filter(period=f"event:{ticket.event_id}").order_by("due_at"))


def locked(ticket_id: int) -> Ticket:
    """The ticket, held until the transaction ends. Raises DeskError when there is none."""
    ticket = Ticket.objects.select_for_update().filter(pk=ticket_id).first()
    if ticket is None:
        raise DeskError(_("没有这张工单"), where=str(ticket_id))
    return ticket


def moved(ticket: Ticket, to: TicketState, now: datetime, *, by: Account | None, text: str = "") -> None:
    """Write a move that was allowed."""
    before = ticket.state
    ticket.state = to
    if to == TicketState.RESOLVED:
        ticket.resolved_at, ticket.resolved_by = now, by
    elif to == TicketState.CLOSED:
        ticket.closed_at = now
    elif to == TicketState.WORKING:
        ticket.resolved_at = ticket.resolved_by = None
    if by is not None and by.party == PartyOf.B and ticket.assignee is None:
        ticket.assignee = by
    ticket.save()
    enter(ticket, "moved", now, by=by, state=to, text=text, data={"from": before, "to": str(to)})


def enter(
    ticket: Ticket,
    what: str,
    now: datetime,
    *,
    by: Account | None,
    state: str = "",
    text: str = "",
    data: Mapping[str, JSON] | None = None,
    artifact: Artifact | None = None,
    file_name: str = "",
    inside: bool = False,
) -> Entry:
    """Add one line of history, and the same to the ledger: the words as an artifact, so that they can be redacted."""
    said = ledger.store(text.encode(), "text/plain; charset=utf-8") if text else None
    intake = ledger.record(
        f"desk.ticket.{what}",
        ticket.number,
        dict(data or {}) | ({"inside": True} if inside else {}),
        at=now,
        actor=by.username if by else ACTOR,
        artifacts=[a for a in (said, artifact) if a is not None],
    )
    if what == "opened":
        ticket.evidence = intake.pk
        ticket.save(update_fields=["evidence"])
    return Entry.objects.create(
        ticket=ticket, at=now, by=by, what=what, state=state, text=text, file_name=file_name, inside=inside,
        artifact=artifact.commitment if artifact else "", evidence=intake.pk,
    )  # fmt: skip
