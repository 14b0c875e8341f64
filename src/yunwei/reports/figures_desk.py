"""The desk in a period: tickets opened, closed, left open. Their clocks are occurrences (figures_duties)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.db.models import Q

from yunwei.desk.models import Ticket, TicketKind
from yunwei.reports.evidence import Numbers
from yunwei.reports.period import Period, moment

JSON = Any


class Desk:
    """Reads the tickets of a period, wants their numbers, then tells."""

    def __init__(self, of: Period, as_of: datetime, numbers: Numbers) -> None:
        self.of, self.as_of, self.numbers = of, as_of, numbers
        self.tickets = list(
            Ticket.objects.filter(opened_at__lt=of.end)
            .filter(Q(closed_at__isnull=True) | Q(closed_at__gte=of.start))
            .select_related("requester", "asset").order_by("opened_at", "number")
        )  # fmt: skip
        numbers.want(*(t.evidence for t in self.tickets))

    def data(self) -> dict[str, JSON]:
        """The part of the report's data that is about tickets."""
        rows = [self._ticket(t) for t in self.tickets]
        kinds = {
            kind: {
                "opened": sum(r["opened_in"] for r in rows if r["kind"] == kind),
                "closed": sum(r["closed_in"] for r in rows if r["kind"] == kind),
                "open": sum(r["open_at_end"] for r in rows if r["kind"] == kind),
            }
            for kind in TicketKind.values
        }
        channels = Counter(r["channel"] for r in rows if r["opened_in"])
        return {"tickets": {"rows": rows, "kinds": kinds, "channels": dict(sorted(channels.items()))}}

    def _ticket(self, ticket: Ticket) -> dict[str, JSON]:
        closed = ticket.closed_at
        return {
            "number": ticket.number,
            "kind": ticket.kind,
            "title": ticket.title,
            "state": ticket.state,
            "severity": ticket.severity,
            "asset": ticket.asset.code if ticket.asset else "",
            "unit": ticket.requester.name if ticket.requester else "",
            "channel": ticket.channel,
            "opened": moment(ticket.opened_at),
            "closed": moment(closed),
            "event": f"event:{ticket.event_id}" if ticket.event_id else "",
            "opened_in": self.of.start <= ticket.opened_at < self.of.end,
            "closed_in": closed is not None and self.of.start <= closed < self.of.end,
            "open_at_end": closed is None or closed >= self.of.end,
            "evidence": self.numbers.of(ticket.evidence),
        }
