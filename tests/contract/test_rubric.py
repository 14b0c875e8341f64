"""What the checker says of a rubric: errors that keep it from being used, warnings where it breaks law 4."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from yunwei.cli.main import app
from yunwei.contract.check import check

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONTRACTS / "qingpu-2026", tmp_path / "contract"))


def change(folder: Path, old: str, new: str) -> None:
    file = folder / "rubric.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("weight: 15", "weight: 14", "rubric.weights"),
        ("[S2.1]", "[S2.1, P1]", "rubric.side"),
        ("[S2.1]", "[S2.1, S1.2]", "rubric.twice"),
        ("[S2.1]", "[S2.1, S9.9]", "obligation.unknown"),
        ("event: security_incident", "event: nothing_known", "event.unknown"),
        ("cap: 59, clause: 4.3.1", "cap: 101, clause: 4.3.1", "rubric.cap"),
        ("clause: 7.2.15", "clause: 99.9", "clause.unknown"),
        ("clauses: [4.3.1, 5.1]", "clauses: [88.8]", "clause.unknown"),
        ("late: 0.5", "late: -0.5", "rubric.negative"),
        ("full: 100\n", "full: 100\ndocument: nothing\n", "document.unknown"),
        ("full: 100\n", "full: 100\ndocument: bid\n", "rubric.rank"),
        ("full: 100\n", "full: 100\nprice: [{start: 60, per_cent: 100}]\n", "price.steps"),
        ("full: 100\n", "full: 100\nprice: [{start: 0}]\n", "price.step"),
        ("full: 100\n", "full: 100\nprice: [{start: 0, over: 0}]\n", "price.step"),
        ("full: 100\n", "full: 100\nprice: [{start: 0, over: 90, per_cent: 100}]\n", "price.step"),
    ],
)
def test_an_error_is_named(folder: Path, old: str, new: str, code: str) -> None:
    change(folder, old, new)
    found = [p for p in check(folder) if not p.warning]
    assert [p.code for p in found] == [code]
    assert found[0].file == "rubric.yaml"
    assert found[0].line > 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("reported: 0", "reported: 1", "报告没有好处"),
        ("found: 1\n", "found: 3\n", "不看更便宜"),
        ("missed: 1.5\n    unproven: 1.5", "missed: 12\n    unproven: 12", "伪造不更贵"),
        ("late: 0.5", "late: 1", "迟做没有好处"),
        ("forged: forged_evidence", "forged: nothing", "没有伪造证据的否决项"),
    ],
)
def test_an_imposed_rubric_that_breaks_law_four_is_used_and_warned_of(
    folder: Path, old: str, new: str, words: str
) -> None:
    change(folder, old, new)
    found = check(folder)
    assert found
    assert all(p.warning and p.code == "rubric.honesty" for p in found)
    assert any(words in p.message for p in found)
    told = CliRunner().invoke(app, ["contract", "check", str(folder)])
    assert told.exit_code == 0
    assert "提醒" in told.stdout


def test_a_contract_without_a_rubric_is_whole(folder: Path) -> None:
    (folder / "rubric.yaml").unlink()
    assert check(folder) == []
