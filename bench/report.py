"""What a run prints and writes: lines for the terminal, `docs/benchmarks.md`, `docs/benchmarks.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.model import Row, shown

_PREFACE = (
    "Written by `{command}` on {at:%Y-%m-%d %H:%M} UTC; do not edit. A figure is `median (minimum…maximum)` over rounds in"
    " which the sides ran in turn; the median decides. Before anything is timed the sides must have read the same values:"
    " a row with unequal results is void, whatever its speed."
)
Facts = Mapping[str, str | int | float]


def lines(row: Row) -> list[str]:
    """A row for the terminal."""
    state = "void" if row.void else "met" if row.met else "NOT met"
    out = [f"{row.name}: {state} - {row.title}  [{row.seconds:.0f} s, load {row.load}]"]
    if row.void:
        out.append(f"    void: {row.void}")
    for claim in row.claims:
        against = f" against {claim.against}" if claim.against else ""
        told = shown(claim.value, claim.must.unit) if claim.value else "—"
        out.append(f"    {claim.what}{against}: {told}, must be {claim.must}: {claim.verdict()}")
    out += [f"      {figure.side}: {figure.what} {shown(figure.value, figure.unit)}" for figure in row.figures]
    for name, text in (("equal", row.equal), ("bound", row.bound), *(("note", note) for note in row.notes)):
        if text:
            out.append(f"      {name}: {text}")
    return out


def markdown(rows: Sequence[Row], facts: Facts, *, quick: bool, at: datetime) -> str:
    """The document."""
    out = [
        "# Benchmarks",
        "",
        _PREFACE.format(command="make bench" + (" ARGS=--quick" if quick else ""), at=at),
        "",
        "Machine: " + ", ".join(f"{name} {value}" for name, value in facts.items()) + ".",
        "",
        "| work | against | figure | must | measured | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        for claim in row.claims:
            told = shown(claim.value, claim.must.unit) if claim.value else "—"
            verdict = "void" if row.void else claim.verdict()
            out.append(
                f"| [{row.title}](#{row.name}) | {claim.against or '—'} | {claim.what} | {claim.must} | {told} | {verdict} |"
            )
        if not row.claims:
            out.append(f"| [{row.title}](#{row.name}) | — | — | — | — | void |")
    for row in rows:
        out += _section(row)
    return "\n".join(out) + "\n"


def _section(row: Row) -> list[str]:
    out = ["", f"## {row.name}", "", f"{row.title}. Load before: {row.load}; took {row.seconds:.0f} s.", ""]
    if row.void:
        out += [f"**Void**: {row.void}", ""]
    if row.figures:
        out += ["| side | figure | measured |", "| --- | --- | --- |"]
        out += [f"| {f.side} | {f.what} | {shown(f.value, f.unit)} |" for f in row.figures]
        out.append("")
    out += [f"- {name}: {text}" for name, text in (("equal results", row.equal), ("bound by", row.bound)) if text]
    out += [f"- {note}" for note in row.notes]
    out += [f"- {name}: {value}" for name, value in row.more.items()]
    return out


def document(rows: Sequence[Row], facts: Facts, *, quick: bool, at: datetime) -> dict[str, Any]:
    """The same as JSON: every claim with its verdict."""
    told = []
    for row in rows:
        plain = asdict(row)
        plain["met"] = row.met
        for claim, made in zip(plain["claims"], row.claims, strict=True):
            claim["met"] = made.met and not row.void
        told.append(plain)
    return {"at": at.isoformat(timespec="seconds"), "quick": quick, "machine": dict(facts), "rows": told}


def write(folder: Path, rows: Sequence[Row], facts: Facts, *, quick: bool) -> list[Path]:
    """Both files; returns them."""
    folder.mkdir(parents=True, exist_ok=True)
    at = datetime.now(UTC)
    text, data = folder / "benchmarks.md", folder / "benchmarks.json"
    text.write_text(markdown(rows, facts, quick=quick, at=at), encoding="utf-8")
    told = json.dumps(document(rows, facts, quick=quick, at=at), ensure_ascii=False, indent=1)
    data.write_text(told + "\n", encoding="utf-8")
    return [text, data]
