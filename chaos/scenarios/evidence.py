"""Evidence under attack by somebody who owns the database, the disk and the key: each change is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

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
        done = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        for line in done.stdout or ():
            told = json.loads(line)
            outcome.count += told["count"]
            outcome.failures += [f"{told['attack']}: {text}" for text in told["failures"]]
            codes = ", ".join(f"{code.partition('@')[0]}" for code in told["codes"])
            outcome.notes.append(
                f"{told['attack']}: {told['count']} changes, {len(told['failures'])} unnamed ({_short(codes)})"
            )
        if done.wait() not in (0, 1):
            outcome.fail("the attacks", f"broke off with exit code {done.returncode}")
    return outcome


def _short(codes: str) -> str:
    return ", ".join(sorted(set(codes.split(", "))))


SCENARIOS: dict[str, Scenario] = {"evidence": evidence}
