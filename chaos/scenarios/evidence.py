"""Evidence under attack by somebody who owns the database, the disk and the key: each change is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from chaos.model import Ask, Outcome, Scenario

ROOT = Path(__file__).resolve().parents[2]


def evidence(ask: Ask) -> Outcome:
    """Every single byte, cut, signed anew, swapped, redacted falsely: each is named by verify.py or the witness."""
    outcome = Outcome(unit="changes")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
    with tempfile.TemporaryDirectory(prefix="yunwei-chaos-") as place:
        folder = Path(place) / "demo"
        command = [sys.executable, "-m", "chaos.evidence", str(folder), "--seed", f"{ask.seed}:evidence"]
        if ask.quick:
            command += ["--quick", "--make"]
        else:
            ask.say("  a contract day is played: its instance is what is attacked")
            demo = [sys.executable, "-m", "yunwei.cli.main", "demo", "--once", "--json", "--folder", str(folder)]
            played = subprocess.run(demo, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=600)
            if played.returncode:
                outcome.fail("the demo", played.stderr[-500:])
                return outcome
        with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout or ():
                _note(json.loads(line), outcome)
        if child.returncode:
            outcome.fail("the attacks", f"broke off with exit code {child.returncode}")
    return outcome


def _note(told: dict[str, Any], outcome: Outcome) -> None:
    """One attack's outcome: how many changes, what they were called."""
    outcome.count += told["count"]
    outcome.failures += [f"{told['attack']}: {text}" for text in told["failures"]]
    codes = ", ".join(sorted({code.partition("@")[0] for code in told["codes"]}))
    outcome.notes.append(f"{told['attack']}: {told['count']} changes, {len(told['failures'])} unnamed ({codes})")


SCENARIOS: dict[str, Scenario] = {"evidence": evidence}
