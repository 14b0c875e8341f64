"""Who acts on tickets, what a result that did not hold is worth, and what the audit sees of each line."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import transaction

from tests.desk.test_tickets import NOW, asset, finding, plan, sweep
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assets.models import Asset, System, Zone
from yunwei.desk import services as desk
from yunwei.desk.models import Entry, Ticket, TicketKind, TicketState
from yunwei.duties import services as duties
from yunwei.duties.errors import DutyError
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.inspect.models import Finding
from yunwei.ledger.audit import Difference, audit
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact, Intake
from yunwei.ledger.services import redact

pytestmark = pytest.mark.django_db
__all__ = ["asset", "plan"]  # fixtures
H = timedelta(hours=1)


def asked(people: dict[str, Account], kind: str = TicketKind.CRYPTO) -> Ticket:
    ticket = desk.open_ticket(kind, "开通证书", by=people["tenant"], now=NOW)
    duties.bring_up_to_date(NOW)
    return ticket


def resolved(people: dict[str, Account], at=NOW + H, ticket: Ticket | None = None) -> Ticket:
    ticket = ticket or asked(people)
    ticket.refresh_from_db()
    if ticket.state == TicketState.NEW:
        desk.move(ticket.pk, "accepted", by=people["b_engineer"], now=at)
    desk.move(ticket.pk, "resolved", by=people["b_engineer"], now=at, text="证书已导入")
    return ticket


def result(ticket: Ticket) -> Occurrence:
    (row,) = [row for row in desk.clocks(ticket) if row.kind == "result"]
    return row


# --- who acts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "party"),
    [(Role.AUDITOR, "A"), (Role.SYSADMIN, "B"), (Role.SECADMIN, "A"), (Role.ASSESSOR, "X"), (Role.A_SUPERIOR, "S")],
)
def test_officers_and_onlookers_do_nothing_on_tickets_whatever_their_organisation(people, role, party):
    unit, _new = Organisation.objects.get_or_create(code=party, defaults={"name": party, "party": party})
    by = Account.objects.create(username="o", display_name="o", role=role, organisation=unit, password="x")
    ticket = asked(people)
    before = Intake.objects.count()
    for state in TicketState.values:
        Ticket.objects.update(state=state)
        assert desk.moves(Ticket.objects.get(), by) == []
        for to in TicketState.values:
            with pytest.raises(desk.DeskError):
                desk.move(ticket.pk, to, by=by, now=NOW, text="x")
    for act in (
        lambda: desk.comment(ticket.pk, "x", by=by, now=NOW),
        lambda: desk.reply(ticket.pk, "x", by=by, now=NOW),
        lambda: desk.open_ticket("request", "x", by=by, now=NOW),
    ):
        with pytest.raises(desk.DeskError):
            act()
    assert Intake.objects.count() == before


def test_an_account_that_was_closed_acts_no_more(people):
    ticket = asked(people)
    Account.objects.filter(username="b_engineer").update(is_active=False)
    with pytest.raises(desk.DeskError):
        desk.comment(ticket.pk, "x", by=Account.objects.get(username="b_engineer"), now=NOW)


@pytest.mark.parametrize("state", list(TicketState.values))
def test_what_is_offered_is_what_is_allowed(people, state):
    """`moves` is what the page offers; the service takes just these, for each side and for a department of another unit."""
    ticket = asked(people, TicketKind.SERVICE)
    for who in ("b_engineer", "a_manager", "tenant", "other"):
        Ticket.objects.filter(pk=ticket.pk).update(state=state)
        offered = desk.moves(Ticket.objects.get(pk=ticket.pk), people[who])
        for to in TicketState:
            taken = True
            try:
                with transaction.atomic():
                    desk.move(ticket.pk, to, by=people[who], now=NOW, text="因为")
                    transaction.set_rollback(True)
            except desk.DeskError:
                taken = False
            assert taken == (to in offered), (who, to)
    assert people["other"].party == "T"


@pytest.mark.parametrize(
    ("state", "who", "to", "needed"),
    [
        ("new", "b_engineer", "accepted", False), ("new", "b_engineer", "rejected", True),
        ("working", "b_engineer", "resolved", True), ("working", "b_engineer", "waiting", True),
        ("resolved", "tenant", "working", True), ("resolved", "a_manager", "working", True),
        ("resolved", "b_engineer", "working", False), ("resolved", "tenant", "closed", False),
        ("rejected", "tenant", "new", True), ("rejected", "tenant", "closed", False),
        ("waiting", "tenant", "working", False),
    ],
)  # fmt: skip
def test_a_no_and_a_question_say_why(people, state, who, to, needed):
    ticket = asked(people, TicketKind.SERVICE)
    Ticket.objects.filter(pk=ticket.pk).update(state=state)
    assert desk.needs_reason(state, to, people[who].party) is needed
    if needed:
        with pytest.raises(desk.DeskError, match="理由"):
            desk.move(ticket.pk, to, by=people[who], now=NOW, text="  ")
    else:
        assert desk.move(ticket.pk, to, by=people[who], now=NOW).state == to


def test_a_department_asks_about_its_own_systems_and_assets(people):
    edu, health = (Organisation.objects.get(code=c) for c in ("edu", "health"))
    ours, theirs = (System.objects.create(code=u.code, name=u.code, owner=u) for u in (edu, health))
    zone = Zone.objects.create(code="e", name="e")
    in_ours = Asset.objects.create(code="1", name="1", kind="vm", zone=zone, system=ours)
    in_theirs = Asset.objects.create(code="2", name="2", kind="vm", zone=zone, system=theirs)
    nobodys = Asset.objects.create(code="3", name="3", kind="vm", zone=zone)
    by = people["tenant"]
    for wrong in ({"system": theirs}, {"asset": in_theirs}, {"asset": nobodys}):
        with pytest.raises(desk.DeskError, match="不是本单位"):
            desk.open_ticket("request", "x", by=by, now=NOW, **wrong)
    made = desk.open_ticket("request", "x", by=by, now=NOW, system=ours, asset=in_ours, wanted_on=date(2026, 10, 12))
    assert (made.system, made.asset) == (ours, in_ours)
    assert desk.open_ticket("fault", "x", by=people["b_engineer"], now=NOW, asset=nobodys).asset == nobodys


@pytest.mark.parametrize("text", ["x" * 4001, "a\x00b"])
def test_what_cannot_be_kept_whole_is_refused(people, text):
    ticket = asked(people)
    by = people["b_engineer"]
    for act in (
        lambda: desk.comment(ticket.pk, text, by=by, now=NOW),
        lambda: desk.reply(ticket.pk, text, by=by, now=NOW),
        lambda: desk.move(ticket.pk, "rejected", by=by, now=NOW, text=text),
        lambda: desk.open_ticket("request", "x", by=by, now=NOW, body=text),
        lambda: desk.open_ticket("request", text[:300], by=by, now=NOW),
    ):
        with pytest.raises(desk.DeskError):
            act()
    assert ticket.history.count() == 1
    assert Ticket.objects.count() == 1


# --- a result that did not hold -----------------------------------------------------------------------------------------


def test_the_clients_not_received_refuses_the_result_and_the_next_one_counts_from_its_own_time(people, plan):
    ticket = resolved(people)
    desk.move(ticket.pk, "working", by=people["a_manager"], now=NOW + 2 * H, text="证书链不完整")
    (first,) = ManualProof.objects.filter(occurrence=result(ticket))
    assert (first.confirmed, first.answer) == (False, "证书链不完整")
    late = result(ticket).due_at + H
    resolved(people, late, ticket)
    desk.move(ticket.pk, "closed", by=people["a_manager"], now=late + H)
    assert result(ticket).state == State.LATE, "in time is when it was done so that it held"


def test_a_departments_not_received_leaves_the_answer_to_the_client_and_a_new_result_replaces_the_old(people, plan):
    ticket = resolved(people)
    desk.move(ticket.pk, "working", by=people["tenant"], now=NOW + 2 * H, text="还是报错")
    (first,) = ManualProof.objects.filter(occurrence=result(ticket))
    assert first.confirmed is None
    late = result(ticket).due_at + H
    resolved(people, late, ticket)
    first.refresh_from_db()
    assert (first.confirmed, first.answered_by) == (False, None)
    assert Intake.objects.filter(kind="duties.proof.withdrawn", actor="b_engineer").count() == 1
    desk.move(ticket.pk, "closed", by=people["a_manager"], now=late + H)
    assert result(ticket).state == State.LATE
    assert [d for d in audit() if d.room == "duties"] == []


def test_the_client_may_confirm_the_first_result_when_the_department_was_wrong(people, plan):
    ticket = resolved(people)
    desk.move(ticket.pk, "working", by=people["tenant"], now=NOW + 2 * H, text="还是报错")
    (first,) = ManualProof.objects.filter(occurrence=result(ticket))
    duties.answer_proof(first.pk, confirm=True, by=people["a_manager"], now=NOW + 3 * H)
    assert result(ticket).state == State.KEPT
    resolved(people, NOW + 30 * 24 * H, ticket)
    assert result(ticket).state == State.KEPT, "what is settled is not stated again"


def test_closing_confirms_no_result_that_was_contradicted_since(people, plan):
    """Taken up again, and then quiet without a new statement of 乙方: what it said first is not confirmed on the side."""
    ticket = resolved(people)
    desk.move(ticket.pk, "working", by=people["tenant"], now=NOW + 2 * H, text="还是报错")
    Ticket.objects.filter(pk=ticket.pk).update(state="resolved")
    desk.move(ticket.pk, "closed", by=people["a_manager"], now=NOW + 3 * H)
    assert ManualProof.objects.get(occurrence=result(ticket)).confirmed is None


def test_an_answer_that_was_given_stays_an_answer_when_the_result_is_refused(people, plan):
    ticket = asked(people)
    desk.reply(ticket.pk, "已受理", by=people["b_engineer"], now=NOW + H)
    resolved(people, NOW + 2 * H, Ticket.objects.get(pk=ticket.pk))
    desk.move(ticket.pk, "working", by=people["a_manager"], now=NOW + 3 * H, text="没有")
    kinds = dict(ManualProof.objects.values_list("occurrence__kind", "confirmed"))
    assert kinds == {"respond": None, "result": False}


def test_a_proof_is_withdrawn_by_its_own_side_before_it_is_answered_and_with_a_reason(people, plan):
    ticket = resolved(people)
    (proof,) = ManualProof.objects.filter(occurrence=result(ticket))
    for by, reason in (("a_manager", "x"), ("tenant", "x"), ("auditor", "x"), ("b_manager", " ")):
        with pytest.raises(DutyError):
            duties.withdraw_proof(proof.pk, by=people[by], now=NOW + 2 * H, reason=reason)
    duties.withdraw_proof(proof.pk, by=people["b_manager"], now=NOW + 2 * H, reason="重来")
    for act in (
        lambda: duties.withdraw_proof(proof.pk, by=people["b_manager"], now=NOW + 2 * H, reason="重来"),
        lambda: duties.answer_proof(proof.pk, confirm=True, by=people["a_manager"], now=NOW + 2 * H),
    ):
        with pytest.raises(DutyError, match="已有答复"):
            act()
    assert result(ticket).state == State.DUE


def test_the_audit_names_a_proof_that_the_other_side_withdrew(people, plan):
    ticket = resolved(people)
    (proof,) = ManualProof.objects.filter(occurrence=result(ticket))
    proof.stated_by = people["a_manager"]  # then a_manager's side could withdraw what 乙方 stated
    proof.save()
    duties.withdraw_proof(proof.pk, by=people["a_manager"], now=NOW, reason="x")
    told = {d.field for d in audit() if d.room == "duties"}
    assert "by" in told


def test_a_fault_that_a_sweep_sees_again_takes_the_confirmation_along(asset, people, plan):
    finding(asset, "fan/1", "风扇状态", "r1", NOW)
    sweep("r1", NOW)
    ticket = Ticket.objects.get()
    desk.move(ticket.pk, "accepted", by=people["b_engineer"], now=NOW)
    desk.move(ticket.pk, "resolved", by=people["b_engineer"], now=NOW + H, text="已更换")
    Finding.objects.update(last_run="r2")
    sweep("r2", NOW + 2 * H)
    assert desk.taken_up_again(Ticket.objects.get()) == NOW + 2 * H


# --- files, and what the audit sees ----------------------------------------------------------------------------------------


def test_a_file_is_read_by_who_may_see_its_line_and_that_is_recorded_once_a_day(people):
    ticket = asked(people)
    line = desk.comment(ticket.pk, "", by=people["tenant"], now=NOW, file=duties.File("a.txt", b"content"))
    inner = desk.comment(
        ticket.pk, "", by=people["a_manager"], now=NOW, inside=True, file=duties.File("b.txt", b"inner")
    )
    assert desk.read_file(line.pk, by=people["b_engineer"], now=NOW)[1] == b"content"
    desk.read_file(line.pk, by=people["b_engineer"], now=NOW + H)
    assert Intake.objects.filter(kind="ledger.read", actor="b_engineer").count() == 1
    for by, one in (("other", line), ("tenant", inner)):
        with pytest.raises(desk.DeskError):
            desk.read_file(one.pk, by=people[by], now=NOW)
    for nothing in (ticket.history.first().pk, 10**9):
        with pytest.raises(desk.DeskError):
            desk.read_file(nothing, by=people["b_engineer"], now=NOW)
    with transaction.atomic():
        redact(Artifact.objects.get(commitment=line.artifact), "依法", at=NOW, actor="auditor")
    with pytest.raises(LedgerError):
        desk.read_file(line.pk, by=people["b_engineer"], now=NOW)


def test_a_department_cannot_speak_inside(people):
    ticket = asked(people)
    assert desk.comment(ticket.pk, "x", by=people["tenant"], now=NOW, inside=True).inside is False


def found() -> list[Difference]:
    return [d for d in audit() if d.room == "desk"]


def test_each_line_follows_from_its_record(people):
    ticket = asked(people)
    desk.comment(ticket.pk, "请尽快", by=people["tenant"], now=NOW)
    line = desk.comment(ticket.pk, "在机房", by=people["b_engineer"], now=NOW, inside=True)
    desk.comment(ticket.pk, "", by=people["tenant"], now=NOW, file=duties.File("a.txt", b"content"))
    assert found() == []
    for change, field in (
        ({"inside": False}, "inside"),
        ({"text": "在机房，已修好"}, "text"),
        ({"by": people["tenant"]}, "by"),
        ({"what": "reply"}, "what"),
        ({"artifact": "0" * 64}, "artifact"),
    ):
        kept = {name: getattr(line, name) for name in change}
        Entry.objects.filter(pk=line.pk).update(**change)
        assert [d.field for d in found()] == [field], change
        Entry.objects.filter(pk=line.pk).update(**kept)
    Entry.objects.filter(pk=line.pk).delete()
    assert found() != []


def test_whom_a_ticket_belongs_to_follows_from_its_record(people):
    edu = Organisation.objects.get(code="edu")
    system = System.objects.create(code="s", name="s", owner=edu)
    desk.open_ticket("request", "x", by=people["tenant"], now=NOW, system=system, wanted_on=date(2026, 10, 12))
    assert found() == []
    Ticket.objects.update(requester=Organisation.objects.get(code="health"))
    assert [(d.field, d.row, d.said) for d in found()] == [("requester", "health", "edu")]
    Ticket.objects.update(requester=edu, system=None, wanted_on=date(2026, 10, 11))
    assert {d.field for d in found()} == {"system", "wanted_on"}


def test_words_that_were_removed_by_law_are_not_told_as_changed(people):
    ticket = asked(people)
    line = desk.comment(ticket.pk, "身份证号", by=people["tenant"], now=NOW)
    said = Artifact.objects.order_by("-pk").first()
    assert said is not None
    with transaction.atomic():
        redact(said, "个人信息", at=NOW, actor="auditor")
    Entry.objects.filter(pk=line.pk).update(text="（已依法删除）")
    assert found() == []
