"""Guards of the desk that nothing else leans on: each test here fails when its one rule is taken out."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import transaction

from tests.desk.test_tickets import NOW, asset, finding, plan, sweep
from yunwei.accounts.models import Account
from yunwei.assets.models import Asset
from yunwei.contract.schema import Kind
from yunwei.desk import services as desk
from yunwei.desk.models import Ticket, TicketKind, TicketState
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof, Occurrence
from yunwei.inspect.models import Finding, Origin
from yunwei.ledger.models import Intake

pytestmark = pytest.mark.django_db
__all__ = ["asset", "plan"]  # fixtures
LATER = NOW + timedelta(hours=1)


def opened(people: dict[str, Account], kind: str = TicketKind.REQUEST) -> Ticket:
    return desk.open_ticket(kind, "x", by=people["tenant"], now=NOW)


@pytest.mark.parametrize("state", list(TicketState.values))
def test_whatever_its_state_the_vendor_closes_no_ticket(people: dict[str, Account], state: str) -> None:
    ticket = opened(people)
    Ticket.objects.filter(pk=ticket.pk).update(state=state)
    with pytest.raises(desk.DeskError):
        desk.move(ticket.pk, TicketState.CLOSED, by=people["b_manager"], now=NOW, text="x")


def test_a_ticket_has_a_title_and_its_clock_starts_when_it_was_received(people: dict[str, Account], plan: None) -> None:
    with pytest.raises(desk.DeskError, match="标题"):
        desk.open_ticket(TicketKind.REQUEST, "  ", by=people["tenant"], now=NOW)
    received = NOW - timedelta(days=3)
    ticket = desk.open_ticket(TicketKind.REQUEST, "x", by=people["tenant"], now=NOW, received_at=received)
    assert ticket.event is not None
    assert ticket.event.at == received


def asked(people: dict[str, Account]) -> Ticket:
    """A request for cryptography: the contract owes an answer and a result."""
    ticket = desk.open_ticket(TicketKind.CRYPTO, "x", by=people["a_manager"], now=NOW)
    duties.bring_up_to_date(NOW)
    return ticket


def proven(ticket: Ticket) -> set[str]:
    return set(
        ManualProof.objects.filter(occurrence__in=desk.clocks(ticket)).values_list("occurrence__kind", flat=True)
    )


def test_a_reply_proves_the_answer_and_not_the_repair_which_is_proved_when_it_is_resolved(
    people: dict[str, Account], plan: None
) -> None:
    ticket = asked(people)
    kinds = {clock.kind for clock in desk.clocks(ticket) if "B" in clock.owes}
    assert Kind.RESULT in kinds
    desk.reply(ticket.pk, "已安排", by=people["b_engineer"], now=LATER)
    assert Kind.RESULT not in proven(ticket)
    desk.move(ticket.pk, TicketState.RESOLVED, by=people["b_engineer"], now=LATER, text="已更换")
    assert Kind.RESULT in proven(ticket)


def test_only_the_vendor_replies(people: dict[str, Account]) -> None:
    ticket = opened(people)
    for name in ("tenant", "a_manager"):
        with pytest.raises(desk.DeskError, match="乙方"):
            desk.reply(ticket.pk, "x", by=people[name], now=NOW)


def test_a_clock_of_the_client_is_not_proved_by_the_vendor_s_act(people: dict[str, Account], plan: None) -> None:
    ticket = asked(people)
    Occurrence.objects.filter(pk__in=[c.pk for c in desk.clocks(ticket)]).update(owes="A")
    desk.move(ticket.pk, TicketState.WORKING, by=people["b_engineer"], now=LATER)
    desk.move(ticket.pk, TicketState.RESOLVED, by=people["b_engineer"], now=LATER, text="已更换")
    assert proven(ticket) == set()


def test_closing_confirms_what_the_vendor_stated_and_leaves_the_client_s_own_open(
    people: dict[str, Account], plan: None
) -> None:
    ticket = asked(people)
    desk.move(ticket.pk, TicketState.WORKING, by=people["b_engineer"], now=LATER)
    desk.move(ticket.pk, TicketState.RESOLVED, by=people["b_engineer"], now=LATER, text="已更换")
    mine = ManualProof.objects.filter(occurrence__in=desk.clocks(ticket)).latest("pk")
    ManualProof.objects.filter(pk=mine.pk).update(stated_by=people["a_manager"])
    desk.move(ticket.pk, TicketState.CLOSED, by=people["a_manager"], now=LATER)
    mine.refresh_from_db()
    assert mine.confirmed is None


def test_a_ticket_that_is_worked_on_again_is_resolved_by_nobody(people: dict[str, Account]) -> None:
    ticket = opened(people)
    desk.move(ticket.pk, TicketState.WORKING, by=people["b_engineer"], now=NOW)
    desk.move(ticket.pk, TicketState.RESOLVED, by=people["b_engineer"], now=NOW, text="完成")
    again = desk.move(ticket.pk, TicketState.WORKING, by=people["tenant"], now=LATER, text="还是不行")
    assert (again.resolved_at, again.resolved_by) == (None, None)


def test_words_are_committed_to(people: dict[str, Account]) -> None:
    desk.comment(opened(people).pk, "请尽快", by=people["tenant"], now=NOW)
    body = json.loads(bytes(Intake.objects.filter(kind="desk.ticket.comment").get().body))
    assert [a["media_type"] for a in body["artifacts"]] == ["text/plain; charset=utf-8"]


@pytest.mark.parametrize(
    ("origins", "event"),
    [
        ((Origin.SWEEP, Origin.VENDOR_REPORT), desk.OWN_FIND),
        ((Origin.SWEEP, Origin.CLIENT), desk.EVENTS[TicketKind.FAULT]),
        ((Origin.SURPRISE,), desk.EVENTS[TicketKind.FAULT]),
    ],
)
def test_what_the_client_found_too_is_no_find_of_the_vendor_s_own(
    asset: Asset, plan: None, origins: tuple[str, ...], event: str
) -> None:
    for n, origin in enumerate(origins):
        one = finding(asset, "fan/1", f"读数 {n}", "r1", NOW)
        Finding.objects.filter(pk=one.pk).update(origin=origin)
    sweep("r1", NOW)
    ticket = Ticket.objects.get()
    assert ticket.event is not None
    assert ticket.event.kind == event


def test_a_ticket_that_was_rejected_is_not_resolved_by_a_quiet_sweep(asset: Asset, people: dict[str, Account]) -> None:
    finding(asset, "fan/1", "风扇状态", "r1", NOW)
    sweep("r1", NOW)
    ticket = Ticket.objects.get()
    desk.move(ticket.pk, TicketState.REJECTED, by=people["b_engineer"], now=NOW, text="不是故障")
    with transaction.atomic():
        desk.quiet(asset.pk, "fan/1", LATER)
    ticket.refresh_from_db()
    assert ticket.state == TicketState.REJECTED
