"""The handover list: frozen when it is opened, signed by both in any order, finished only when nothing is left."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui import contract_scene as scene
from tests.ui.contract_scene import FILE
from yunwei.accounts.models import Account, Organisation, Role
from yunwei.assessment import handover
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models import Handover, HandoverItem
from yunwei.assets import credentials
from yunwei.assets.models import Asset, Credential, Endpoint, Zone
from yunwei.duties import books, sources
from yunwei.duties import services as duties
from yunwei.duties.models import ManualProof, State
from yunwei.ledger import artifacts
from yunwei.ledger import services as ledger
from yunwei.ledger.audit import audit
from yunwei.ledger.models import Artifact, Intake

NOW = scene.NOW
H = timedelta(hours=1)
SECRET = "s3cret-of-the-switch"


@pytest.fixture(autouse=True)
def tidy(contract: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_seen", {})


@pytest.fixture
def stuff(people: dict[str, Account]) -> dict[str, Account]:
    """Two switches, a virtual machine, one thing of 乙方's own, a login; and somebody who keeps documents."""
    zone = Zone.objects.create(code="gov", name="政务外网区")
    b = people["b_manager"].organisation
    for code, kind, owner in (
        ("SW-1", "device", None),
        ("SW-2", "device", None),
        ("VM-1", "vm", None),
        ("LAP-1", "device", b),
    ):
        Asset.objects.create(code=code, name=f"设备 {code}", kind=kind, zone=zone, owner=owner, serial=f"SN-{code}")
    row = credentials.put("switch", "snmp2c", {"community": SECRET}, now=NOW - 100 * H, actor="sysadmin")
    Endpoint.objects.create(asset=Asset.objects.get(code="SW-1"), protocol="snmp", credential=row)
    people["b_documents"] = Account.objects.create(
        username="b_documents", display_name="资料员", role=Role.B_DOCUMENTS, organisation=b, password="x"
    )
    duties.bring_up_to_date(NOW)
    return people


def opened(people: dict[str, Account]) -> list[HandoverItem]:
    handover.open_list(by=people["b_documents"], now=NOW)
    return items()


def items() -> list[HandoverItem]:
    return list(HandoverItem.objects.order_by("id"))


def end(people: dict[str, Account]) -> None:
    duties.record_event("end_of_term", at=NOW, by=people["b_manager"], now=NOW, file=FILE)


pytestmark = pytest.mark.django_db


def test_the_list_holds_facilities_materials_and_accounts_and_no_secret(stuff: dict[str, Account]) -> None:
    found = {(i.kind, i.code) for i in opened(stuff)}
    assert {("facility", "SW-1"), ("facility", "SW-2"), ("resource", "VM-1"), ("material", "document:contract"),
            ("account", "switch")} <= found  # fmt: skip
    assert not any(code == "LAP-1" for _kind, code in found)  # 乙方's own goes nowhere
    assert not any(code == "document:nda" for _kind, code in found)  # not in hand
    account = HandoverItem.objects.get(kind="account")
    assert account.detail["opens"] == ["SW-1"]
    assert account.source == Intake.objects.get(kind="assets.credential.set").pk
    assert HandoverItem.objects.get(code="document:contract").source is not None
    content = artifacts.read(Artifact.objects.get(commitment=Handover.objects.get().artifact))
    everything = (
        json.dumps([i.detail for i in items()])
        + content.decode()
        + "".join(bytes(i.body).decode() for i in Intake.objects.all())
    )
    assert SECRET not in everything


def test_it_is_opened_once_by_who_keeps_the_documents(stuff: dict[str, Account]) -> None:
    for who in ("a_manager", "b_engineer", "auditor"):
        with pytest.raises(AssessmentError, match="乙方项目经理或资料员"):
            handover.open_list(by=stuff[who], now=NOW)
    opened(stuff)
    with pytest.raises(AssessmentError, match="已经开列"):
        handover.open_list(by=stuff["b_manager"], now=NOW)


def test_both_sign_each_item_or_refuse_with_a_reason(stuff: dict[str, Account]) -> None:
    a, b = stuff["a_manager"], stuff["b_manager"]
    rows = opened(stuff)
    one, two, *rest = rows
    for who in ("b_engineer", "tenant", "auditor"):
        with pytest.raises(AssessmentError, match="移交由"):
            handover.sign([one.pk], by=stuff[who], now=NOW)
    assert handover.sign([one.pk], by=a, now=NOW) == 1  # the receiver first
    assert handover.sign([one.pk], by=a, now=NOW) == 0
    assert not HandoverItem.objects.get(pk=one.pk).done
    handover.sign([one.pk], by=b, now=NOW)
    assert HandoverItem.objects.get(pk=one.pk).done
    with pytest.raises(AssessmentError, match="需要写明"):
        handover.refuse(two.pk, reason=" ", by=a, now=NOW)
    handover.refuse(two.pk, reason="缺一块电源", by=a, now=NOW)
    with pytest.raises(AssessmentError, match="已经签收或拒签"):
        handover.refuse(two.pk, reason="又缺", by=a, now=NOW)
    assert not handover.progress(items()).finished
    handover.sign([i.pk for i in rest], by=a, now=NOW)
    assert not handover.progress(items()).finished
    handover.sign([i.pk for i in rest], by=b, now=NOW)
    told = handover.progress(items())
    assert (told.finished, told.refused, told.done) == (True, 1, len(rows))
    handover.sign([two.pk], by=a, now=NOW + H)  # the power supply was found
    told = handover.progress(items())
    assert (told.finished, told.refused) == (False, 0)  # and now 乙方's signature is missing
    ledger.sequence(NOW + H)
    assert [d for d in audit() if d.room == "assessment"] == []
    HandoverItem.objects.filter(pk=two.pk).update(received=False, received_reason="x")
    HandoverItem.objects.filter(pk=one.pk).update(detail={})
    assert {d.field for d in audit() if d.room == "assessment"} == {"received", "received_reason", "items"}


def test_items_of_nobody_or_of_two_lists_are_refused(stuff: dict[str, Account]) -> None:
    rows = opened(stuff)
    other = Handover.objects.create(year="2025", opened_by=stuff["b_manager"], opened_at=NOW, artifact="x")
    foreign = HandoverItem.objects.create(handover=other, kind="facility", code="X", title="X")
    for wanted in ([], [10**12], [rows[0].pk, foreign.pk]):
        with pytest.raises(AssessmentError, match="没有这个移交项"):
            handover.sign(wanted, by=stuff["b_manager"], now=NOW)


ACTS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(("given", "received")), st.booleans()),
    unique_by=lambda act: (act[0], act[1]), max_size=8,
)  # fmt: skip


@settings(max_examples=40)
@given(acts=ACTS, data=st.data())
def test_the_order_of_signatures_does_not_matter_and_finished_means_nothing_is_left(
    acts: list[Any], data: st.DataObject
) -> None:
    """The states of items and list after any order of the same acts are the same, and `finished` is just what it says."""
    from django.db import transaction

    shuffled = data.draw(st.permutations(acts))
    ends = []
    for sequence in (acts, shuffled):
        around = transaction.atomic()
        with around:
            people = _two()
            made = Handover.objects.create(year="2026", opened_by=people["given"], opened_at=NOW, artifact="x")
            rows = [
                HandoverItem.objects.create(handover=made, kind="facility", code=f"F{i}", title="x") for i in range(4)
            ]
            for index, side, yes in sequence:
                if yes:
                    handover.sign([rows[index].pk], by=people[side], now=NOW)
                else:
                    handover.refuse(rows[index].pk, reason="缺", by=people[side], now=NOW)
            now_there = items()
            ends.append([(i.given, i.received, i.given_reason, i.received_reason) for i in now_there])
            nothing_left = all(
                (i.given is True and i.received is True) or (i.given is False and i.given_reason) or (i.received is False and i.received_reason)
                for i in now_there
            )  # fmt: skip
            assert handover.progress(now_there).finished is bool(nothing_left)
            transaction.set_rollback(True)
    assert all(one == other for one, other in pairwise(ends))


def _two() -> dict[str, Account]:
    found = {}
    for side, party, role in (("given", "B", Role.B_MANAGER), ("received", "A", Role.A_MANAGER)):
        org = Organisation.objects.create(code=f"o{party}", name=party, party=party)
        found[side] = Account.objects.create(
            username=side, display_name=side, role=role, organisation=org, password="x"
        )
    return found


def test_what_changes_after_the_list_was_frozen_is_a_difference_and_never_a_rewrite(stuff: dict[str, Account]) -> None:
    rows = opened(stuff)
    assert handover.changes(sources.folder(), rows) == []
    zone = Zone.objects.get()
    Asset.objects.create(code="SW-3", name="新", kind="device", zone=zone)
    Asset.objects.filter(code="SW-2").update(retired_at=NOW)
    Asset.objects.filter(code="SW-1").update(serial="SN-OTHER")
    found = {(c.what, c.code): c.fields for c in handover.changes(sources.folder(), items())}
    assert found == {("added", "SW-3"): (), ("gone", "SW-2"): (), ("changed", "SW-1"): ("serial",)}
    assert [i.code for i in items()] == [i.code for i in rows]


def test_accounts_are_reset_when_their_secret_was_set_anew_and_temporary_ones_are_named(
    stuff: dict[str, Account],
) -> None:
    rows = opened(stuff)
    assert handover.resets(rows, NOW) == {"switch": None}
    row = Credential.objects.get()
    row.changed_at = NOW + H
    row.save()
    assert handover.resets(items(), NOW) == {"switch": NOW + H}
    Account.objects.filter(username="b_engineer").update(is_active=False)
    assert [(a.username, a.is_active) for a in handover.temporary()] == [
        ("b_documents", True), ("b_manager", True), ("b_engineer", False),
    ]  # fmt: skip


def test_the_finished_list_is_the_proof_of_the_handover_s_own_clock(stuff: dict[str, Account]) -> None:
    b = stuff["b_manager"]
    rows = opened(stuff)
    with pytest.raises(AssessmentError, match="没有双方签收"):
        handover.prove(by=b, now=NOW)
    for who in (stuff["a_manager"], b):
        handover.sign([i.pk for i in rows], by=who, now=NOW)
    with pytest.raises(AssessmentError, match="还没有登记本年度运维工作结束"):
        handover.prove(by=b, now=NOW)
    end(stuff)
    proof = handover.prove(by=b, now=NOW)
    due = handover.clock(sources.folder())
    assert due is not None
    assert (due.obligation, due.due_at is not None) == ("G13", True)
    assert ManualProof.objects.get().occurrence_id == due.pk
    duties.answer_proof(proof.pk, confirm=True, by=stuff["a_manager"], now=NOW)
    due.refresh_from_db()
    assert due.state == State.KEPT
