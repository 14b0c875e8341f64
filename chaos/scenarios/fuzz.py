"""What strangers send: mutations and grammars against every reader, under a watchdog, with the memory watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from chaos.model import Ask, Outcome, Scenario

ROOT = Path(__file__).resolve().parents[2]
SECONDS, QUICK_SECONDS = 600, 45


def fuzz(ask: Ask) -> Outcome:
    """SNMP, Redfish, snmprec, contract texts, tables and bundles, spoilt: no crash, no hang, no memory growth."""
    return fuzzed(ask, QUICK_SECONDS if ask.quick else SECONDS)


def fuzzed(ask: Ask, seconds: float, inputs: int = 0) -> Outcome:
    """The same for so many seconds in all or so many inputs each, in a process of its own: even its end would be noticed."""
    outcome = Outcome(unit="inputs")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
    command = [
        sys.executable,
        "-m",
        "chaos.fuzz",
        "--seed",
        str(ask.seed),
        "--seconds",
        str(seconds),
        "--inputs",
        str(inputs),
    ]
    child = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    for line in child.stdout.splitlines():
        told = json.loads(line)
        outcome.count += told["inputs"]
        outcome.failures += [f"{told['target']}: {text}" for text in told["failures"]]
        figures = ", ".join(f"{name} {value}" for name, value in told["notes"].items())
        outcome.notes.append(f"{told['target']}: {told['inputs']} inputs, {told['refused']} refused, {figures}")
    if child.returncode:
        outcome.fail("the fuzzing process", f"ended with {child.returncode}: {child.stderr[-1500:]}")
    return outcome


SCENARIOS: dict[str, Scenario] = {"fuzz": fuzz}
