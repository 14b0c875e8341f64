"""`python -m bench [--quick] [--out FOLDER] [ROW …]`: runs the rows, prints, writes; 1 when one is not met, 2 when misused."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scripts.registry import Entry, Registry, listed

import bench.rows
from bench import facts, report
from bench.model import MissingPeer, Row, RowFunction

ROWS: Registry[RowFunction] = Registry(bench.rows, "ROWS", "row")
DOCS = Path(__file__).resolve().parent.parent / "docs"


def run(entry: Entry[RowFunction], *, quick: bool) -> Row:
    """One row, whatever happens in it: a row that cannot be measured is void, and the others still run."""
    load, start = facts.load(), time.monotonic()
    try:
        row = entry.function(quick)
    except MissingPeer as missing:
        row = Row(void=f"not measured, a peer is missing: {missing}")
    except Exception as error:  # noqa: BLE001 - said in the row; the other rows do not depend on it
        row = Row(void=f"not measured: {type(error).__name__}: {error}".replace(str(DOCS.parent), "."))
    return replace(row, name=entry.name, title=entry.title, load=load, seconds=time.monotonic() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for. 0 when every row is met, 1 when one is not met or void, 2 for a name that is no row's."""
    parser = argparse.ArgumentParser(
        prog="make bench", description="the product against what a user would pick instead"
    )
    parser.add_argument("rows", nargs="*", help="names of rows, or what they begin with; all for none")
    parser.add_argument("--quick", action="store_true", help="fewer devices and rounds: all rows in some minutes")
    parser.add_argument("--list", action="store_true", help="the names of the rows")
    parser.add_argument("--out", type=Path, help="folder of benchmarks.md and .json; docs/ when all rows run")
    asked = parser.parse_args(arguments)
    try:
        entries = ROWS.chosen(asked.rows)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if asked.list:
        sys.stdout.write(listed(entries))
        return 0
    machine = facts.facts()
    say(", ".join(f"{name} {value}" for name, value in machine.items()))
    rows = []
    for entry in entries:
        rows.append(run(entry, quick=asked.quick))
        say(*report.lines(rows[-1]))
    folder = asked.out or (None if asked.rows else DOCS)
    if folder is not None:
        report.write(folder, rows, machine, quick=asked.quick)
    short = [row.name for row in rows if not row.met]
    say(f"{len(rows) - len(short)} of {len(rows)} rows met" + (f"; not: {' '.join(short)}" if short else ""))
    return 1 if short else 0


def say(*texts: str) -> None:
    """Print at once."""
    sys.stdout.write("\n".join(texts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
