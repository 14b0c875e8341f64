"""What `contract check` says about ways of service, kinds of notice, staff and slots: one fault of each kind, by its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from yunwei.contract.check import check

Spoil = Callable[..., Path]
C, OB, P = "contract.yaml", "obligations.yaml", "plan.yaml"
SLOTS = 'slots: [{id: am, start: "09:00", end: "12:00"}, {id: pm, start: "13:00", end: "17:00"}]'

FAULTS = [
    ("way.outcomes", C, "title_en: By hand, outcomes: [signed]", "title_en: By hand, outcomes: []"),
    ("way.outcomes", C, "title_en: By hand, outcomes: [signed]", "title_en: By hand, outcomes: [lost]"),
    ("way.basis", C, "outcomes: [told], basis: platform", "outcomes: [told], basis: plan"),
    ("way.at_once", C, "outcomes: [told], basis", "outcomes: [told, signed], basis"),
    ("way.needs", C, "needs: {A: notice.fax_to_a,", "needs: {A: notice.fax_to_c,"),
    ("way.needs", C, "needs: {A: notice.fax_to_a,", "needs: {C: notice.fax_to_a,"),
    ("id.duplicate", C, "{id: courier, title: 快递", "{id: post, title: 快递"),
    ("notice.by", C, "title_en: Notice of a system change, by: A", "title_en: x, by: C"),
    ("clause.unknown", C, "by: A, clause: 7.1.9, of", "by: A, clause: 7.1.99, of"),
    ("event.unknown", C, "starts: rules_demanded", "starts: rules_demande"),
    ("notice.event_by", C, "by: A, clause: 4.1.4, starts", "by: AB, clause: 4.1.4, starts"),
    ("notice.obligation", C, "performs: A3", "performs: A33"),
    ("notice.obligation", C, "performs: A3", "performs: A2"),
    ("notice.obligation", C, "performs: G9", "performs: A3"),
    ("notice.performs", C, "of: system_changed, performs: A3", "of: system_changed"),
    ("obligation.permission", OB, "kind: consent\n    proof: [许可记录", "kind: consent\n    permission: true\n    proof: [许可记录"),
    ("staffing.consent", C, "swap: G2", "swap: G3"),
    ("staffing.consent", C, "obligation: G10}", "obligation: G100}"),
    ("staffing.obligation", C, "onsite: R4", "onsite: R44"),
    ("event.unknown", C, "rejected: staff_rejected", "rejected: staff_reject"),
    ("staffing.warn_days", C, "warn_days: 60", "warn_days: -1"),
    ("slots.days", P, "days: working_day, at_least", "days: sunday, at_least"),
    ("slots.at_least", P, "at_least: 1, slots", "at_least: 0, slots"),
    ("slots.form", P, SLOTS, "slots: []"),
    ("slots.form", P, SLOTS, SLOTS.replace("13:00", "11:00")),
    ("slots.form", P, SLOTS, SLOTS.replace("17:00", "25:00")),
    ("slots.form", P, SLOTS, SLOTS.replace("id: pm", "id: am")),
    ("slots.form", P, SLOTS, "slots: half_day"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "file", "was", "becomes"), FAULTS)
def test_a_fault_is_named(spoil: Spoil, code: str, file: str, was: str, becomes: str) -> None:
    found = [p for p in check(spoil(file, was, becomes)) if p.code == code]
    assert found
    assert all(p.file == file and p.line for p in found)
