"""A day of devices that are another way at every look: what the processes and the database hold stays flat."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from chaos.model import Ask, Outcome, Scenario

ROOT = Path(__file__).resolve().parents[2]
HOURS = 24
#: minutes between two looks
EVERY, QUICK_EVERY = 10, 60
#: what the median of the last quarter may lie above that of the third: KiB of memory, descriptors, threads
LEVELS = {"rss": 6 << 10, "fds": 1, "threads": 1}
#: how many times as much as in the third quarter a look may add in the last, beside some pages: what breaks is chance
STEADY, SLACK = 1.5, 16 << 10
#: bytes that the look at one device may add to the database where every device changes at every look: its row, its
#: share of the run, of the judgement and of the head, and the records of a finding that comes or goes
EXPLAINED = 6 << 10


def flapping(ask: Ask) -> Outcome:
    """24 hours of contract time, devices flapping at every look: memory, descriptors, threads, sessions, database stay flat."""
    minutes = QUICK_EVERY if ask.quick else EVERY
    sweeps = HOURS * 60 // minutes
    outcome = Outcome(unit="looks")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
    with tempfile.TemporaryDirectory(prefix="yunwei-chaos-") as place:
        command = [sys.executable, "-m", "chaos.flapping", f"{place}/inst", "--seed", f"{ask.seed}:flapping"]
        command += ["--sweeps", str(sweeps), "--minutes", str(minutes)]
        with (
            Path(place, "err").open("wb") as err,
            subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=err, text=True) as child,
        ):
            told = heard(child, ask, sweeps)
        if child.returncode:
            words = Path(place, "err").read_text(encoding="utf-8", errors="replace")
            outcome.fail("the play", f"ended with {child.returncode}: {words[-1500:]}")
    outcome.count = len(told)
    if len(told) != sweeps:
        outcome.fail("the play", f"{len(told)} looks of {sweeps}")
        return outcome
    judge(told, outcome)
    return outcome


def heard(child: subprocess.Popen[str], ask: Ask, sweeps: int) -> list[dict[str, Any]]:
    """The measurements as they come; every sixth of the day is said."""
    told: list[dict[str, Any]] = []
    for line in child.stdout or ():
        told.append(json.loads(line))
        if len(told) % max(1, sweeps // 6) == 0:
            ask.say(
                f"  {len(told)} of {sweeps} looks, {told[-1]['play.rss'] >> 10} MiB, database {told[-1]['db'] >> 10} KiB"
            )
    return told


def judge(told: Sequence[dict[str, Any]], outcome: Outcome) -> None:
    """Compare the third quarter with the last: the first half is for warming up."""
    third, last = told[len(told) // 2 : len(told) * 3 // 4], told[len(told) * 3 // 4 :]
    for name in [n for n in told[0] if "." in n and not n.startswith("rows.")]:
        before, after = (statistics.median(t[name] for t in part) for part in (third, last))
        may = LEVELS[name.rpartition(".")[2]]
        outcome.notes.append(f"{name}: {before:.0f} → {after:.0f}")
        if after - before > may:
            outcome.fail(
                name, f"grew from {before:.0f} to {after:.0f} between the third and the last quarter (may: {may})"
            )
    sessions = [t["sessions"] for t in told]
    outcome.notes.append(f"BMC sessions left open after a look: at most {max(sessions)}, at the end {sessions[-1]}")
    if max(sessions) > told[0]["bmcs"]:  # one that could not be deleted is deleted at the next look
        outcome.fail("sessions", f"{max(sessions)} at {told[0]['bmcs']} BMCs: {sessions}")
    growth(told, third, last, outcome)


def growth(
    told: Sequence[dict[str, Any]], third: Sequence[dict[str, Any]], last: Sequence[dict[str, Any]], outcome: Outcome
) -> None:
    """What a look adds to the database is little, is no more at the end than before, and every table that grows is named."""
    for name in ("db", "artifacts"):
        before, after = (statistics.median(b[name] - a[name] for a, b in pairwise(part)) for part in (third, last))
        outcome.notes.append(
            f"{name}: {told[-1][name] / 2**20:.1f} MiB; a look adds {before / 1024:.1f} → {after / 1024:.1f} KiB (median)"
        )
        if after > before * STEADY + SLACK:
            outcome.fail(name, f"a look adds {before:.0f} bytes in the third quarter and {after:.0f} in the last")
    half = [*third, *last]
    rows = {n: (half[-1][n] - half[0][n]) / (len(half) - 1) for n in told[0] if n.startswith("rows.")}
    grown = sorted(((n.removeprefix("rows."), by) for n, by in rows.items() if by), key=lambda one: -one[1])
    outcome.notes.append("rows that a look adds: " + ", ".join(f"{n} {by:.1f}" for n, by in grown))
    each = (half[-1]["db"] - half[0]["db"]) / max(
        1, half[-1]["rows.inspect_devicesweep"] - half[0]["rows.inspect_devicesweep"]
    )
    outcome.notes.append(f"the look at one device adds {each / 1024:.1f} KiB to the database")
    if each > EXPLAINED:
        outcome.fail("db", f"the look at one device adds {each:.0f} bytes (may: {EXPLAINED}): rows that nobody needs")


SCENARIOS: dict[str, Scenario] = {"flapping": flapping}
