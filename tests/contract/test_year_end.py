"""year_end.yaml: what it names is there, its clocks are the contract's own, each requirement chooses one of its standards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from yunwei.contract.check import check
from yunwei.contract.folder import load
from yunwei.contract.year_end import Group

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str], list[tuple[str, int]]]:
    """The codes and lines that the checker names after one change of the file."""

    def change(old: str, new: str) -> list[tuple[str, int]]:
        folder = tmp_path / "contract"
        shutil.copytree(CONTRACTS / "qingpu-2026", folder, dirs_exist_ok=True)
        path = folder / "year_end.yaml"
        text = path.read_text("utf-8")
        assert text.count(old) >= 1, old
        path.write_text(text.replace(old, new, 1), "utf-8")
        return [(p.code, p.line) for p in check(folder) if p.file == "year_end.yaml"]

    return change


def test_the_contract_s_own_file_is_right_and_a_contract_may_be_without_one() -> None:
    folder = load(CONTRACTS / "qingpu-2026")
    assert folder.year_end is not None
    assert {r.group for r in folder.year_end.requirements} == set(Group)
    known = {o.id for o in folder.obligations}
    assert all(name in known for r in folder.year_end.requirements for name in r.proven_by)
    assert load(CONTRACTS / "yunting-2027").year_end is None
    assert [p for p in check(CONTRACTS / "yunting-2027") if not p.warning] == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("passed: acceptance_passed", "passed: acceptance_gone", "event.unknown"),
        ("rectify: Q8", "rectify: Q99", "obligation.unknown"),
        ("returns: [G15]", "returns: [G15, G99]", "obligation.unknown"),
        ("handover_clauses: [7.2.16, 7.2.17]", "handover_clauses: [7.2.16, 99]", "clause.unknown"),
        ("rectify: Q8", "rectify: Q9", "year_end.clock"),
        ("handover: G13", "handover: G5", "year_end.clock"),
        ("- id: 技2", "- id: 技1", "id.duplicate"),
        ("chosen: 服务方案", "chosen: GB/T 1", "year_end.standard"),
        ("proven_by: [S1.1-remote,", "proven_by: [S9,", "obligation.unknown"),
        ("proven_by: [S1.1-remote,", "proven_by: [P1,", "year_end.owner"),
        ("group: technical", "group: nice", "schema.type"),
        ("requirements:", "document: nowhere\nrequirements:", "document.unknown"),
    ],
)
def test_each_rule_names_its_line(
    changed: Callable[[str, str], list[tuple[str, int]]], old: str, new: str, code: str
) -> None:
    found = changed(old, new)
    assert [c for c, _line in found] == [code]
    assert found[0][1] > 0


def test_a_mandatory_standard_is_passed_over_only_with_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "contract"
    shutil.copytree(CONTRACTS / "qingpu-2026", folder)
    path = folder / "year_end.yaml"
    text = path.read_text("utf-8").replace("level: national", "level: mandatory", 1)
    path.write_text(text, "utf-8")
    assert check(folder) == []
    lines = text.splitlines()
    why = next(i for i, line in enumerate(lines) if line.startswith("    why: "))
    lines[why] = '    why: ""'
    path.write_text("\n".join(lines), "utf-8")
    assert [p.code for p in check(folder)] == ["year_end.floor"]
