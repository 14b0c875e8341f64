"""Tickets that inspections open, update and quiet: one per component of one asset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from yunwei.assets.models import Asset
from yunwei.desk import book
from yunwei.desk.models import Ticket, TicketKind, TicketState
from yunwei.inspect.models import Finding, Origin, Severity
from yunwei.inspect.services import looks
from yunwei.runs.services import RunEvent

#: what 甲方 or a department found is a fault that was reported; what 乙方 finds by itself is a defect it owes notice of
REPORTED, OWN_FIND = "fault_reported", "defect_found"
#: states in which a sweep that sees the fault gone may say so
QUIET_FROM = (TicketState.NEW, TicketState.ACCEPTED, TicketState.WORKING, TicketState.WAITING)


@dataclass(frozen=True, slots=True)
class Fault:
    """All open findings of one component of one asset: one fault, one ticket."""

    asset: Asset
    component: str
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> str:
        worst = any(f.severity == Severity.CRITICAL for f in self.findings)
        return Severity.CRITICAL if worst else Severity.WARNING

    @property
    def title(self) -> str:
        first = next((f for f in self.findings if f.severity == self.severity), self.findings[0])
        return f"{self.asset.name} · {first.name} {first.raw or first.value}".strip()


def on_run(event: RunEvent) -> None:
    """Open, update and quiet tickets by what a finished run found. Registered after inspect and duties (order 30)."""
    if event.kind != "finished" or not looks(event.run):
        return
    seen = Finding.objects.filter(last_run=event.run.id, closed_at__isnull=True).select_related("asset")
    for fault in faults(seen.order_by("asset_id", "component", "id")):
        found(fault, event.now)
    gone = Finding.objects.filter(closed_at=event.now).select_related("asset")
    for asset_id, component in {(f.asset_id, f.component) for f in gone}:
        still = Finding.objects.filter(asset_id=asset_id, component=component, closed_at__isnull=True)
        if not still.exists():
            quiet(asset_id, component, event.now)


def faults(findings: Iterable[Finding]) -> list[Fault]:
    """Group findings by asset and component."""
    groups: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.asset_id, finding.component), []).append(finding)
    return [Fault(group[0].asset, component, tuple(group)) for (_id, component), group in groups.items()]


def found(fault: Fault, now: datetime) -> Ticket:
    """A fault was seen: a new ticket the first time; later only what changed is entered, not one line per sweep."""
    ticket = Ticket.objects.filter(
        kind=TicketKind.FAULT, asset=fault.asset, component=fault.component, closed_at__isnull=True
    ).first()
    if ticket is None:
        own = all(f.origin in (Origin.SWEEP, Origin.VENDOR_REPORT) for f in fault.findings)
        body = "\n".join(f"{f.name}：{f.raw or f.value} {f.limit}".strip() for f in fault.findings)
        ticket = book.create(
            TicketKind.FAULT, fault.title, now, by=None, body=body, channel="sweep", asset=fault.asset,
            component=fault.component, severity=fault.severity,
        )  # fmt: skip
        book.start_clocks(ticket, OWN_FIND if own else REPORTED, at=now, by=None, now=now)
        return ticket
    if ticket.state == TicketState.RESOLVED:
        book.moved(ticket, TicketState.WORKING, now, by=None, text=_("巡检再次见到这一故障"))
    if ticket.severity != fault.severity:
        before, ticket.severity = ticket.severity, fault.severity
        ticket.save(update_fields=["severity"])
        book.enter(ticket, "sweep", now, by=None, text=fault.title, data={"severity": [before, str(fault.severity)]})
    return ticket


def quiet(asset_id: int, component: str, now: datetime) -> None:
    """A fault is no longer seen: the ticket waits for confirmation, it does not close by itself."""
    ticket = Ticket.objects.filter(
        kind=TicketKind.FAULT, asset_id=asset_id, component=component, closed_at__isnull=True, state__in=QUIET_FROM
    ).first()
    if ticket is not None:
        book.moved(ticket, TicketState.RESOLVED, now, by=None, text=_("巡检已见恢复正常"))
