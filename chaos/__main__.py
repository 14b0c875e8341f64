"""`python -m chaos [--seed N] [--quick] [SCENARIO …]`: breaks things, prints a verdict each; 1 when one did not survive, 2 when misused."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from scripts.registry import Entry, Registry, listed

import chaos.scenarios
from chaos.model import Ask, NotHere, Outcome, Scenario

SCENARIOS: Registry[Scenario] = Registry(chaos.scenarios, "SCENARIOS", "scenario")
#: failures of one scenario that are printed; the rest are counted
SHOWN = 20


def run(entry: Entry[Scenario], ask: Ask) -> Outcome:
    """One scenario, whatever happens in it: one that breaks off has not passed, and the others still run."""
    start = time.monotonic()
    try:
        outcome = entry.function(ask)
    except NotHere as missing:
        outcome = Outcome(failures=[f"not done: {missing}"])
    except Exception as error:  # noqa: BLE001 - said in the verdict; the other scenarios do not depend on it
        ask.say(traceback.format_exc())
        outcome = Outcome(failures=[f"broke off: {type(error).__name__}: {error}"])
    outcome.name, outcome.title, outcome.seconds = entry.name, entry.title, time.monotonic() - start
    return outcome


def lines(outcome: Outcome) -> list[str]:
    """A scenario's verdict for people."""
    word = "survived" if outcome.passed else "FAILED"
    told = [f"  {word}: {outcome.count} {outcome.unit} in {outcome.seconds:.0f} s"]
    told += [f"    {note}" for note in outcome.notes]
    told += [f"    ✗ {failure}" for failure in outcome.failures[:SHOWN]]
    if len(outcome.failures) > SHOWN:
        told.append(f"    ✗ and {len(outcome.failures) - SHOWN} more")
    return told


def table(outcomes: Sequence[Outcome], seed: int) -> list[str]:
    """All verdicts, one a line."""
    wide = max(len(o.name) for o in outcomes)
    rows = [
        f"{'✓' if o.passed else '✗'} {o.name:<{wide}}  {o.count:>6} {o.unit}  {len(o.failures)} failures  {o.seconds:.0f} s"
        for o in outcomes
    ]
    bad = [o.name for o in outcomes if not o.passed]
    last = f"{len(outcomes) - len(bad)} of {len(outcomes)} survived, seed {seed}"
    return ["", *rows, last + (f"; not: {' '.join(bad)}" if bad else "")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for. 0 when all was survived, 1 when something was not, 2 for a name that is no scenario's."""
    parser = argparse.ArgumentParser(
        prog="make chaos", description="things die; nothing is lost and nothing happens twice"
    )
    parser.add_argument("scenarios", nargs="*", help="names of scenarios, or what they begin with; all for none")
    parser.add_argument("--seed", type=int, help="what everything random follows from; another one each time")
    parser.add_argument("--quick", action="store_true", help="a sample of the points: minutes")
    parser.add_argument("--points", type=int, default=0, metavar="N", help="a sample of at most so many a scenario")
    parser.add_argument("--list", action="store_true", help="the names of the scenarios")
    asked = parser.parse_args(arguments)
    try:
        entries = SCENARIOS.chosen(asked.scenarios)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if asked.list:
        sys.stdout.write(listed(entries))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with us, by whatever word we end
    seed = asked.seed if asked.seed is not None else secrets.randbelow(1_000_000)
    ask = Ask(seed, asked.quick, asked.points, say)
    say(f"seed {seed}" + (" (a sample of the points)" if asked.quick or asked.points else ""))
    outcomes = []
    for entry in entries:
        say(f"{entry.name}: {entry.title}")
        outcomes.append(run(entry, ask))
        for line in lines(outcomes[-1]):
            say(line)
    for line in table(outcomes, seed):
        say(line)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
