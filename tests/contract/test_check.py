"""Every rule of `contract check` on a folder with exactly that fault; the line must be the one of the fault."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from tests.contract.conftest import CONTRACTS, Spoil
from yunwei.contract import check_contract
from yunwei.contract.check import check
from yunwei.contract.check_contract import binds
from yunwei.contract.findings import Findings
from yunwei.contract.folder import load

ROOM = Path(__file__).resolve().parents[2] / "src" / "yunwei" / "contract"
PROCEDURES = {"hardware.inspect", "hardware.deep"}
BW = "between.yaml"
C, D, CL, OB, OI, P = (
    "contract.yaml", "documents.yaml", "clauses.yaml", "obligations.yaml", "open_items.yaml", "plan.yaml",
)  # fmt: skip

#: code, file, text that is replaced, by what, text on whose line the problem must be reported (after the change)
FAULTS = [
    ("yaml.syntax", C, "title_en: Operation", "title_en: : Operation", "title_en: : Operation"),
    ("yaml.duplicate_key", C, "place: 上海", "id: again\nplace: 上海", "id: again"),
    ("schema.unknown_field", C, "place: 上海", "platz: 上海", "platz:"),
    ("schema.missing", C, "id: qingpu-2026\n", "", "number:"),
    ("schema.type", C, "days: 10\n    unit: working_day\n  - id: balance", "days: ten\n    unit: working_day\n  - id: balance", "days: ten"),
    ("schema.type", C, "date: 2026-01-29,", "date: 2026-02-30,", "2026-02-30"),
    ("schema.type", C, "share: 70", "share: [70]", "share: [70]"),
    ("schema.type", C, "number: 11N4251906122026201", "number:", "number:"),
    ("schema.type", C, "number: 11N4251906122026201", "number: !!python/name:os.system x", "number:"),
    ("schema.type", OB, "kind: pay\n    proof: [付款凭证]\n    trigger: invoice_received_first", "kind: money\n    proof: [付款凭证]\n    trigger: invoice_received_first", "kind: money"),
    ("id.duplicate", C, "- id: R2", "- id: R1  # twice", "# twice"),
    ("id.duplicate", D, "id: nda,", "id: contract,", "保密协议（"),
    ("id.duplicate", D, "id: requirement\n", "id: standard\n", "id: standard\n    clause: 4.1.1"),
    ("id.duplicate", CL, "- id: 1.2\n", "- id: 1.1 # twice\n", "# twice"),
    ("id.duplicate", OB, "- id: R3\n", "- id: R2 # twice\n", "# twice"),
    ("id.duplicate", OB, "id: invoice_received_balance,", "id: invoice_received_first,", "Equal invoice for the balance"),
    ("id.duplicate", OI, "- id: fax-b\n", "- id: fax-a # twice\n", "# twice"),
    ("id.duplicate", C, "- id: balance", "- id: first # twice", "# twice"),
    ("id.duplicate", P, "obligation: S1.2\n", "obligation: S1.1-walk # twice\n", "# twice"),
    ("id.duplicate", P, "lines:\n", "assets: [A-1,\n  A-1]\nlines:\n", "  A-1]"),
    ("party.role", C, "- role: B", "- role: C", "role: C"),
    ("party.missing", C, "- role: B", "- role: A", "parties:\n"),
    ("signature.missing", C, "  - {party: B, date: 2026-02-03, how: 网上签约}\n", "", "signatures:\n"),
    ("contract.timezone", C, "timezone: Asia/Shanghai", "timezone: Asia/Qingpu", "timezone:"),
    ("clause.unknown", C, "clause: 2.2", "clause: 2.22", "clause: 2.22"),
    ("clause.unknown", C, "plan_clauses: [7.2.2, 7.1.5]", "plan_clauses: [7.2.2, 7.1.55]", "plan_clauses:"),
    ("clause.unknown", C, "clause: 5.2.1a", "clause: 5.2.1z", "clause: 5.2.1z"),
    ("clause.unknown", D, "clause: 8.1.2}", "clause: 8.9}", "clause: 8.9}"),
    ("clause.unknown", D, "clause: 4.1.1", "clause: 4.1.11", "clause: 4.1.11"),
    ("clause.unknown", D, "id: bid, rank: 3.4", "id: bid, rank: 3.44", "rank: 3.44"),
    ("clause.unknown", OB, "clauses: [2.1-R3]", "clauses: [2.1-R33]", "clauses: [2.1-R33]"),
    ("clause.unknown", OB, "by: A, clause: 4.3.3}", "by: A, clause: 4.3.33}", "clause: 4.3.33}"),
    ("clause.unknown", OI, "clause: 5.1\n", "clause: 5.11\n", "clause: 5.11"),
    ("event.unknown", C, "anchors: [contract_effective,", "anchors: [contract_efective,", "anchors: [contract_efective"),
    ("event.unknown", OB, "trigger: paper_handed_over", "trigger: paper_handed", "trigger: paper_handed\n"),
    ("event.unknown", OB, "unit: working_day, basis: contract, anchor: paper_handed_over", "unit: working_day, basis: contract, anchor: paper", "anchor: paper}"),
    ("event.unknown", P, "anchor: staff_rejected", "anchor: staff", "anchor: staff}"),
    ("event.name", OB, "{id: plan_submitted", "{id: Plan-submitted", "id: Plan-submitted"),
    ("event.by", OB, "title_en: Fault reported, by: AB", "title_en: Fault reported, by: C", "Fault reported"),
    ("money.capitals", C, "capitals: 贰佰零玖万壹仟捌佰元整", "capitals: 贰佰零玖万壹仟玖佰元整", "capitals: 贰佰零玖万"),
    ("money.capitals", C, "capitals: 陆拾贰万柒仟伍佰肆拾元整", "capitals: 六十二万", "六十二万"),
    ("money.share_amount", C, "amount: 1464260.00", "amount: 1464260.02", "1464260.02"),
    ("money.shares", C, "share: 30", "share: 29", "instalments:\n"),
    ("money.sum", C, "amount: 627540.00", "amount: 627540.01", "instalments:\n"),
    ("instalment.no_anchor", C, "anchors: [contract_effective, invoice_received_first]", "anchors: []", "- id: first"),
    ("instalment.unknown", OB, "by: A, clause: 5.2.1a, instalment: first", "by: A, clause: 5.2.1a, instalment: zero", "instalment: zero"),
    ("instalment.unknown", OB, "    instalment: balance", "    instalment: rest", "instalment: rest"),
    ("instalment.missing", OB, "    instalment: balance\n", "", "- id: P2"),
    ("instalment.unpaid", OB, "    instalment: balance\n", "", None),
    ("instalment.deadline", C, "days: 10\n    unit: working_day\n  - id: balance", "days: 11\n    unit: working_day\n  - id: balance", None),
    ("instalment.anchor", C, "anchors: [contract_effective, invoice_received_first]", "anchors: [contract_effective]", None),
    ("period.reversed", C, "end: 2027-02-03", "end: 2025-02-03", "end: 2025-02-03"),
    ("period.confirmed_by", C, "    recommended: true\n", "    confirmed: true\n", "- id: R1"),
    ("period.confirmed_by", C, "    recommended: true\n", "    confirmed: true\n    confirmed_by: nda\n", "- id: R1"),
    ("period.recommended", C, "- id: R2\n", "- id: R2\n    recommended: true\n", "periods:\n"),
    ("period.same", C, "start: 2026-01-30\n    end: 2027-01-29", "start: 2026-02-03\n    end: 2027-02-02", "- id: R3"),
    ("document.order", D, "id: integrity-pact, rank: 3.2, order: 2", "id: integrity-pact, rank: 3.2, order: 3", "integrity-pact"),
    ("document.order", D, "rank: 3.4, order: 4", "rank: 3.4, order: 3", "documents:\n"),
    ("rule.unknown", D, "rule: strictest", "rule: strongest", "rule: strongest"),
    ("rule.subject", D, "subject: requirement", "subject: standard", "id: requirement\n"),
    ("rule.general", D, 'subject: "*"', "subject: all", "rules:\n"),
    ("clause.kind", CL, "kinds: [DEF, LIAB]", "kinds: [DEF, LIABLE]", "LIABLE"),
    ("clause.who", CL, "who: A\n    gist: “甲方”", "who: C\n    gist: “甲方”", "who: C"),
    ("clause.capability", CL, "capability: [NTC, OBL]", "capability: [NTC, OBLX]", "OBLX"),
    ("clause.figure", CL, "unit: person,", "unit: persons,", "unit: persons"),
    ("clause.same_as", CL, "same_as: 7.2.20", "same_as: 7.2.99", "same_as: 7.2.99"),
    ("clause.same_as", CL, "same_as: 7.2.20", "same_as: 9.1¶2", "same_as: 9.1¶2"),
    ("clause.no_obligation", OB, "clauses: [7.2.13]", "clauses: [7.2.14]", None),
    ("clause.no_obligation", OB, "clauses: [14.2]", "clauses: [14.1]", None),
    ("clause.no_remedy", CL, "    remedies:\n      - {kind: joint, against: B}\n", "", "- id: 1.4"),
    ("remedy.kind", CL, "{kind: joint, against: B}", "{kind: blame, against: B}", "kind: blame"),
    ("remedy.side", CL, "{kind: joint, against: B}", "{kind: joint, against: C}", "against: C"),
    ("remedy.side", CL, "{kind: damages, against: B, obligations: [Q6]}", "{kind: damages, against: A, obligations: [Q6]}", "against: A, obligations: [Q6]"),
    ("remedy.share", CL, "share: 30}", "share: 31}", "share: 31"),
    ("obligation.unknown", CL, "against: B, obligations: [Q6]", "against: B, obligations: [Q66]", "Q66"),
    ("obligation.no_title", OB, "title_en: \"Perform the rest during litigation\"", 'title_en: " "', "- id: F6"),
    ("event.unknown", BW, "event: paper_handed_over", "event: paper_lost", "paper_lost"),
    ("obligation.unknown", BW, "obligation: A4", "obligation: A44", "A44"),
    ("answer.clock", BW, "obligation: A4", "obligation: A3", "obligation: A3"),
    ("answer.clock", BW, "side: A", "side: B", "side: B"),
    ("majeure.ground", BW, 'ground: "11"', 'ground: "7.2.10"', "7.2.10"),
    ("event.unknown", BW, "occurred: force_majeure_occurred", "occurred: storm", "occurred: storm"),
    ("majeure.obligation", BW, "certificate: F2", "certificate: F3", "certificate: F3"),
    ("majeure.obligation", BW, "over: F3", "over: F9", "over: F9"),
    ("added.share", BW, "share: 10", "share: 0", "share: 0"),
    ("late.rate", BW, "per_day: 0.05", "per_day: 0", "per_day: 0"),
    ("late.item", BW, "by: B", "by: A", "by: A"),
    ("superior.rule", BW, "superior: assessment", "superior: general", "superior: general"),
    ("open.owner", OI, "owner: A\n    blocks: document.cover_number", "owner: C\n    blocks: document.cover_number", "owner: C"),
    ("open.blocks", OI, "blocks: payment.price", "blocks: payment.price, payment.balance", "payment.price, "),
    ("open.blocks", OI, "blocks: payment.price", 'blocks: ""', 'blocks: ""'),
    ("schema.missing", OI, "    owner: A\n    blocks: document.cover_number\n", "", "- id: internal-number"),
    ("open.closed_by", OI, "blocks: payment.price\n", "blocks: payment.price\n    closed_by: nda\n", "closed_by: nda"),
    ("obligation.no_clause", OB, "clauses: [2.1-R4]", "clauses: []", "- id: R4"),
    ("obligation.no_proof", OB, "proof: [考勤与顶岗记录]", "proof: []", "- id: R4"),
    ("obligation.no_proof", OB, "proof: [考勤与顶岗记录]", 'proof: [" "]', "- id: R4"),
    ("proof.confirmed_by", OB, "written: true\n    confirmed_by: AB\n  - id: F2", "written: true\n    confirmed_by: A\n  - id: F2", None),
    ("proof.confirmed_by", OB, "proof: [考勤与顶岗记录]\n    confirmed_by: A", "proof: [考勤与顶岗记录]\n    confirmed_by: B", "confirmed_by: B\n\n  # 三"),
    ("proof.confirmed_by", OB, "proof: [考勤与顶岗记录]\n    confirmed_by: A\n", "proof: [考勤与顶岗记录]\n", "- id: R4"),
    ("selector.kind", OB, "    procedure: hardware.deep\n    selector: {kinds: [device, host]}", "    procedure: hardware.deep\n    selector: {kinds: [toaster]}", "toaster"),
    ("obligation.trigger_and_cadence", OB, "trigger: system_changed\n", "trigger: system_changed\n    cadence: {every: day, basis: statute}\n    statute: x\n", "- id: A3"),
    ("obligation.never_due", P, "  - obligation: S1.2\n    cadence: {every: day, basis: plan, due_time: \"18:00\"}\n", "", None),
    ("procedure.unknown", OB, "procedure: hardware.deep", "procedure: hardware.sleep", "hardware.sleep"),
    ("cadence.every", P, "- obligation: S1.1-quarter\n    cadence: {every: quarter", "- obligation: S1.1-quarter\n    cadence: {every: fortnight", "fortnight"),
    ("cadence.due_time", P, "- obligation: S3.1\n    cadence: {every: day, basis: plan, due_time: \"18:00\"}", "- obligation: S3.1\n    cadence: {every: day, basis: plan, due_time: \"25:00\"}", "25:00"),
    ("cadence.day", P, "weekday: 1}", "weekday: 8}", "weekday: 8}"),
    ("deadline.negative", P, "{n: 4, unit: hour", "{n: -4, unit: hour", "n: -4"),
    ("basis.not_in_clause", OB, "{n: 3, unit: working_day, basis: contract", "{n: 2, unit: working_day, basis: contract", "n: 2, unit: working_day, basis: contract"),
    ("basis.not_in_clause", OB, "{n: 15, unit: calendar_day, basis: contract", "{n: 15, unit: working_day, basis: contract", "n: 15, unit: working_day, basis: contract, anchor: force"),
    ("basis.vague", OB, "trigger: system_changed\n", "trigger: system_changed\n    deadline: {n: 1, unit: working_day, basis: contract}\n", "n: 1, unit: working_day, basis: contract}"),
    ("basis.no_statute", OB, "    statute: 政府采购法 47\n", "", "{n: 7, unit: working_day, basis: statute"),
    ("basis.plan_in_contract", OB, "{n: 3, unit: working_day, basis: contract", "{n: 3, unit: working_day, basis: plan", "basis: plan"),
    ("basis.contract_in_plan", P, "{n: 4, unit: hour, basis: plan", "{n: 4, unit: hour, basis: contract", "basis: contract"),
    ("basis.contract_in_plan", P, "crit_low: 5, unit: min}", "crit_low: 5, unit: min, basis: statute}", "basis: statute"),
    ("plan.unknown_obligation", P, "obligation: S4.9", "obligation: S9.9", "obligation: S9.9"),
    ("plan.coverage", P, "coverage_target: 100", "coverage_target: 100.5", "100.5"),
    ("plan.coverage", P, "coverage_target: 100", "coverage_target: 0", "coverage_target: 0"),
    ("plan.loosens_contract", P, "  - obligation: R4\n", "  - obligation: R3\n    deadline: {n: 4, unit: working_day, basis: plan, anchor: request_received}\n  - obligation: R4\n", "n: 4, unit: working_day"),
    ("plan.loosens_contract", P, "  - obligation: R4\n", "  - obligation: R3\n    deadline: {n: 3, unit: calendar_day, basis: plan, anchor: request_received}\n  - obligation: R4\n", "n: 3, unit: calendar_day"),
    ("plan.cadence_on_trigger", P, "  - obligation: R4\n", "  - obligation: R3\n    cadence: {every: week, basis: plan}\n  - obligation: R4\n", None),
    ("limit.duplicate", P, '{kind: inode,', '{kind: storage, component: "",', 'component: ""'),
    ("limit.empty", P, "warn_high: 0.1, crit_high: 1", "warn_high: nan", "warn_high: nan"),
    ("clause.exempts", CL, "    exempts: damage\n", "", "- id: 7.2.10"),
    ("clause.exempts", CL, "    exempts: damage\n", "    exempts: everything\n", "- id: 7.2.10"),
    ("clause.exempts", CL, "kinds: [RB]\n    who: B\n    gist: 乙方取得约定报酬", "kinds: [RB]\n    exempts: damage\n    who: B\n    gist: 乙方取得约定报酬", "- id: 7.2.1\n"),
    ("limit.empty", P, "warn_low: 10, crit_low: 5, unit: min", "unit: min", "kind: runtime"),
    ("limit.reversed", P, "warn_high: 0.1, crit_high: 1", "warn_high: 3, crit_high: 1", "warn_high: 3"),
    ("limit.reversed", P, "warn_low: 10, crit_low: 5", "warn_low: 4, crit_low: 5", "warn_low: 4"),
    ("limit.reversed", P, "warn_high: 0.1, crit_high: 1", "warn_low: 0.5, warn_high: 0.1, crit_high: 1", "warn_low: 0.5"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "file", "old", "new", "at"), FAULTS, ids=[f"{n}-{f[0]}" for n, f in enumerate(FAULTS)]
)
def test_fault_is_named_with_its_line(spoil: Spoil, code: str, file: str, old: str, new: str, at: str | None) -> None:
    folder = spoil(file, old, new)
    problems = [p for p in check(folder, known_procedures=PROCEDURES) if p.code == code]
    assert problems, check(folder, known_procedures=PROCEDURES)
    if at is not None:
        text = (folder / file).read_text(encoding="utf-8")
        line = text[: text.index(at)].count("\n") + len(at) - len(at.lstrip("\n")) + 1
        assert (file, line) in {(p.file, p.line) for p in problems}


@pytest.mark.parametrize(
    ("id_", "kinds", "more"),
    [("9.8", "OB", ""), ("9.8", "OA", ""), ("9.8", "BAN", ""),
     ("9.8", "PROC", "    figures:\n      - {n: 5, unit: working_day, of: x}\n"), ("9.8", "PROC", "    vague_words: [尽快]\n")],
)  # fmt: skip
def test_a_clause_that_puts_a_duty_on_somebody_needs_its_obligation(
    spoil: Spoil, id_: str, kinds: str, more: str
) -> None:
    row = f"  - id: {id_}\n    kinds: [{kinds}]\n    who: AB\n    gist: x\n{more}"
    folder = spoil(CL, "  - id: 15.1\n", row + "  - id: 15.1\n")
    assert [(p.code, p.warning) for p in check(folder)] == [("clause.no_obligation", False)]


def test_removing_any_obligation_that_alone_carries_a_clause_is_seen(tmp_path: Path) -> None:
    """One obligation after the other is taken away; where it was the only one of a binding clause, that is a problem."""
    whole = load(CONTRACTS / "qingpu-2026")
    seen = 0
    for duty in whole.obligations:
        left = [o for o in whole.obligations if o.id != duty.id]
        covered = {c for o in left for c in o.clauses}
        alone = {c.id for c in whole.clauses if binds(c) and not {c.id, c.same_as} & covered}
        findings = Findings(msgspec.structs.replace(whole, obligations=left))
        check_contract.clauses(findings)
        named = {p.message for p in findings.problems if p.code == "clause.no_obligation"}
        assert len(named) == len(alone), duty.id
        seen += bool(alone)
    assert seen >= 30


@pytest.mark.parametrize(
    ("rank", "amounts", "codes"),
    [
        ("3.1", ["109180.00", "100000.00"], []),
        ("3.1", ["109180.00", "100000.01"], ["supplement.too_much"]),
        ("3.2", ["1.00"], ["document.order", "supplement.rank"]),
    ],
)
def test_supplements_rank_first_and_add_a_tenth_at_most(
    spoil: Spoil, rank: str, amounts: list[str], codes: list[str]
) -> None:
    folder = spoil(BW, "share: 10", "share: 10.0")
    rows = "".join(
        f"  - document: {{id: s{n}, rank: {rank}, order: 1, title: x}}\n    added: {amount}\n"
        for n, amount in enumerate(amounts)
    )
    (folder / "supplements.yaml").write_text("supplements:\n" + rows, encoding="utf-8")
    assert sorted({p.code for p in check(folder)}) == codes


def test_two_confirmed_readings_that_overlap(spoil: Spoil) -> None:
    folder = spoil(C, "- id: R1\n", "- id: R1\n    confirmed: true\n    confirmed_by: contract\n")
    assert check(folder) == []
    spoil(C, "- id: R2\n", "- id: R2\n    confirmed: true\n    confirmed_by: contract\n")
    assert [p.code for p in check(folder)] == ["period.overlap"]


def test_no_reading_at_all(tmp_path: Path, spoil: Spoil) -> None:
    text = (CONTRACTS / "qingpu-2026" / C).read_text(encoding="utf-8")
    start, end = text.index("periods:"), text.index("instalments:")
    assert "period.none" in {p.code for p in check(spoil(C, text[start:end], "periods: []\n"))}


def test_an_amount_above_capitals_and_shares_names_all_at_once(spoil: Spoil) -> None:
    folder = spoil(C, "capitals: 贰佰零玖万壹仟捌佰元整", "capitals: 壹佰元整")
    spoil(D, "rule: superior", "rule: boss")
    spoil(P, "obligation: S4.9", "obligation: S9.9")
    codes = [(p.file, p.code) for p in check(folder)]
    assert {(C, "money.capitals"), (D, "rule.unknown"), (P, "plan.unknown_obligation")} <= set(codes)


def test_structural_errors_of_several_files_come_together(spoil: Spoil) -> None:
    folder = spoil(C, "role: B", "rôle: B")
    spoil(CL, "- id: 1.2\n", "- idd: 1.2\n")
    (folder / P).unlink()
    (folder / "extra.yaml").write_text("x: 1")
    found = {(p.file, p.code) for p in check(folder)}
    assert found == {
        (C, "schema.unknown_field"), (C, "schema.missing"), (CL, "schema.unknown_field"), (CL, "schema.missing"),
        (P, "file.missing"), ("extra.yaml", "file.unknown"),
    }  # fmt: skip


@pytest.mark.parametrize("word", ["及时", "尽快", "定期"])
def test_a_vague_word_never_becomes_a_contract_number(spoil: Spoil, word: str) -> None:
    folder = spoil(OB, "    trigger: defect_found\n    vague: 及时\n", f"    trigger: defect_found\n    vague: {word}\n"
        "    deadline: {n: 24, unit: hour, basis: contract, anchor: defect_found}\n")  # fmt: skip
    assert [p.code for p in check(folder) if p.file == OB] == ["basis.vague"]


def test_hiding_the_vague_word_does_not_help(spoil: Spoil) -> None:
    folder = spoil(OB, "    trigger: defect_found\n    vague: 及时\n", "    trigger: defect_found\n"
        "    deadline: {n: 24, unit: hour, basis: contract, anchor: defect_found}\n")  # fmt: skip
    assert [p.code for p in check(folder) if p.file == OB] == ["basis.not_in_clause"]


def test_a_cadence_claimed_for_the_contract_needs_its_figure(spoil: Spoil) -> None:
    folder = spoil(
        OB, "cadence: {every: week, basis: contract", "cadence: {every: day, basis: contract", "yunting-2027"
    )
    assert [p.code for p in check(folder)] == ["basis.not_in_clause"]


def test_a_plan_may_not_look_less_often_than_the_contract(spoil: Spoil) -> None:
    more = "obligation: inspect\n    cadence: {every: day, basis: plan}\n"
    assert check(spoil(P, "obligation: inspect\n", more, "yunting-2027")) == []
    folder = spoil(P, "{every: day, basis: plan}", "{every: month, basis: plan}", "yunting-2027")
    assert [p.code for p in check(folder)] == ["plan.loosens_contract"]


def test_unknown_procedures_are_only_asked_for_when_the_known_are_given(spoil: Spoil) -> None:
    folder = spoil(OB, "procedure: hardware.deep", "procedure: hardware.sleep")
    assert check(folder) == []
    assert [p.code for p in check(folder, known_procedures=PROCEDURES)] == ["procedure.unknown"]


def test_every_code_of_the_checker_has_a_test() -> None:
    sources = [*ROOM.glob("check_*.py"), ROOM / "findings.py", ROOM / "folder.py"]
    codes = {c for f in sources for c in re.findall(r'"([a-z]+\.[a-z_]+)"', f.read_text()) if not c.endswith(".yaml")}
    codes -= {"file.unreadable"}  # a disk that fails to read; not brought about here
    tested = set(
        re.findall(
            r'"([a-z]+\.[a-z_]+)"',
            "".join(
                (Path(__file__).parent / f"test_{n}.py").read_text() for n in ("check", "dealings", "folder", "rubric")
            ),
        )
    )
    assert codes - tested == set()


def test_the_contract_s_own_cadence_must_be_one_a_calendar_can_follow(spoil: Spoil) -> None:
    folder = spoil(OB, 'weekday: 3, due_time: "17:00"', 'weekday: 9, due_time: "17:60"', "yunting-2027")
    assert {p.code for p in check(folder)} == {"cadence.day", "cadence.due_time"}
