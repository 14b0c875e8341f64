"""The threat model points at tests: each of them is there, and no row says that something holds without one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [
    line.strip("|").split(" | ") for line in TEXT.splitlines() if line.startswith("| ") and "| attempt |" not in line
]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", TEXT)))


def test_there_is_a_table_for_each_who_may_try():
    assert len(NAMED) > 80
    who = ("administrator", "database", "Engineer", "network", "Tenant", "forged device")
    assert all(re.search(rf"^### .*{one}", TEXT, flags=re.MULTILINE) for one in who)


@pytest.mark.parametrize("file", sorted({file for file, _name in NAMED}))
def test_each_named_test_is_there(file: str):
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert {name for f, name in NAMED if f == file} - there == set()


def test_a_row_names_a_test_or_says_that_nothing_stops_it():
    assert len(ROWS) > 60
    silent = [row[0] for row in ROWS if "::test_" not in row[2] and "**nothing does**" not in row[1]]
    assert silent == []
