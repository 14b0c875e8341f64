"""The reader against the real contract text: every numbered item, the expected facts, and the worked clause table.

Run by `make check-shared DIR=…`; alone: `python scripts/check_shared_contract.py DIR`.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

from yunwei.contract.folder import load
from yunwei.contract.reader import Reading, compare, read

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "contracts" / "qingpu-2026"
NUMBERED = 90  # as counted in the text by hand and by program
#: the table's names for what the reader finds under the text's own numbers
TEXT_IDS = {"2.1-S": "2.1¶1", **{f"2.1-R{n}": f"2.1({n})" for n in range(1, 5)}}
BLANKS = {
    ("PRE", "label"): 5,
    ("2.3", "colon"): 1,
    ("3.6", "placeholder"): 1,
    ("5.1", "underline"): 1,
    ("5.2.1a", "underline"): 2,
    ("SIG", "label"): 1,
}
TERMS = [
    ("2.1(1)", 0, "always"),
    ("2.1(3)", 3, "working_day"),
    ("5.2.1a", 10, "working_day"),
    ("5.2.1b", 10, "working_day"),
    ("7.1.10", 15, "working_day"),
    ("7.2.16", 10, "working_day"),
    ("11.3", 15, "calendar_day"),
]


def run(directory: Path) -> list[str]:
    """What is wrong, one sentence each; nothing when all is right."""
    text = directory / "contract.txt"
    started = time.perf_counter()
    reading = read(text)
    elapsed = time.perf_counter() - started
    problems = [f"reading took {elapsed:.2f} s"] if elapsed > 1 else []
    problems += _clauses(reading, text.read_text(encoding="utf-8"), directory / "clauses.tsv")
    problems += _facts(reading)
    problems += _duties(reading, directory / "clauses.tsv")
    coverage = compare(reading, load(FOLDER))
    problems += [f"folder: clause {m.id} (line {m.line}) is not covered" for m in coverage.missing]
    problems += [f"folder: row {ident} is not in the text" for ident in coverage.not_in_text]
    return problems + [f"folder: {difference}" for difference in coverage.differences]


def _clauses(reading: Reading, text: str, table: Path) -> list[str]:
    ids = {clause.id for clause in reading.clauses}
    items = [m[0] for line in text.splitlines() if (m := re.match(r"\d+(?:\.\d+)+", line))]
    problems = [] if len(items) == NUMBERED else [f"the text has {len(items)} numbered items, expected {NUMBERED}"]
    problems += [f"numbered item {item} was not found" for item in items if item not in ids]
    with table.open(encoding="utf-8", newline="") as f:
        rows = [row["clause"] for row in csv.DictReader(f, delimiter="\t")]
    problems += [f"row {row} of the table was not found" for row in rows if TEXT_IDS.get(row, row) not in ids]
    if [stray.text for stray in reading.strays] != ["10月15日"]:
        problems.append(f"strays: {reading.strays}")
    by_id = {clause.id: clause for clause in reading.clauses}
    if "8" not in by_id or by_id["8"].number != "8、" or by_id["8"].parent:
        problems.append("«8、» is not article 8")
    joined = {"2.1(2)": "软件安装、配置", "4.1.3": "涉及信息和网络安全", "5.1": "规定的要求与标准", "8.1.2": "保密义务"}
    problems += [f"{k}: broken line not re-joined" for k, words in joined.items() if words not in by_id[k].text]
    return problems + reading.notes


def _facts(reading: Reading) -> list[str]:
    blanks: dict[tuple[str, str], int] = {}
    for blank in reading.blanks:
        blanks[blank.clause, blank.kind] = blanks.get((blank.clause, blank.kind), 0) + 1
    days = (10, "working_day")
    names = [("A", "上海市青浦区政务服务中心"), ("B", "上海长城电子信息网络有限公司")]
    found: list[tuple[object, object]] = [
        (reading.kind, "contract"),
        ([(p.role, p.name) for p in reading.parties], names),
        ([(a.clause, a.value, a.agrees) for a in reading.amounts], [("2.2", Decimal(2091800), True)]),
        (
            [(s.clause, s.share, s.rest, s.days, s.unit) for s in reading.instalments],
            [("5.2.1a", Decimal(70), False, *days), ("5.2.1b", Decimal(30), True, *days)],
        ),
        ([(t.clause, t.n, t.unit) for t in reading.terms], TERMS),
        ([(p.clause, p.months, p.blank, p.start) for p in reading.periods], [("2.3", 12, True, None)]),
        ([(s.role, s.date) for s in reading.signatures], [("A", date(2026, 1, 29)), ("B", date(2026, 2, 3))]),
        (blanks, BLANKS),
    ]
    return [f"found {got}, expected {want}" for got, want in found if got != want]


def _duties(reading: Reading, table: Path) -> list[str]:
    """The heuristic is held to 85 % of the worked duties, with the right party."""
    with table.open(encoding="utf-8", newline="") as f:
        rows = [
            r
            for r in csv.DictReader(f, delimiter="\t")
            if r["kind"].startswith(("OB", "OA")) and "-S" not in r["clause"]
        ]
    hits = 0
    for row in rows:
        ident, who = TEXT_IDS.get(row["clause"], row["clause"]), row["who"].replace(",", "")
        found = {d.who for d in reading.duties if d.clause == ident and d.kind in {"duty", "ban"}}
        hits += any(party and (party in who or who in party) for party in found)
    return [] if hits >= 0.85 * len(rows) else [f"duties: only {hits} of {len(rows)} found with the right party"]


if __name__ == "__main__":
    wrong = run(Path(sys.argv[1]))
    sys.stdout.write("\n".join(wrong or ["ok"]) + "\n")
    sys.exit(bool(wrong))
