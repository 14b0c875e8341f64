"""What is wrong with a contract folder, in its shape and in its meaning: every problem with file, line, code and hint.

Structure comes first (`folder.read`); only a folder that fits the schema is judged by meaning. Each rule is a small
function over the loaded folder in `check_contract` (facts, documents, clauses, open items), `check_obligations`,
`check_plan`, `check_rubric`, `check_dealings`, `check_year_end` and `check_between`; each has a test that fails without it.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from yunwei.contract import (
    check_between,
    check_contract,
    check_dealings,
    check_obligations,
    check_plan,
    check_rubric,
    check_year_end,
)
from yunwei.contract.findings import Findings
from yunwei.contract.folder import Problem, read

__all__ = ["Problem", "check"]


def check(directory: Path | str, *, known_procedures: Collection[str] | None = None) -> list[Problem]:
    """All problems of a folder, in the order of file and line; empty means the folder may be used.

    `known_procedures` are the names the lines of work registered; None leaves that one question open (a folder can
    be checked where no line of work is installed).
    """
    loaded = read(Path(directory))
    if loaded.folder is None:
        return _ordered(loaded.problems)
    findings = Findings(loaded.folder, loaded)
    rooms = (check_contract, check_obligations, check_plan, check_rubric, check_dealings, check_year_end, check_between)
    for rule in (rule for room in rooms for rule in room.RULES):
        rule(findings)
    if known_procedures is not None:
        check_obligations.procedures_known(findings, known_procedures)
    return _ordered(findings.problems)


def _ordered(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda p: (p.file, p.line, p.code))
