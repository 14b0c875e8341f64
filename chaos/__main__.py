"""`python -m chaos [--seed N] [--quick] [SCENARIO …]`: breaks things, prints a verdict each; 1 when one did not survive, 2 when misused.

Each scenario is done in a process of its own, `--jobs` of them at once: some of them mostly wait.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from scripts.registry import Entry, Registry, listed

import chaos.scenarios
from chaos.forks import Running, end_when_asked
from chaos.model import Ask, NotHere, Outcome, Scenario

SCENARIOS: Registry[Scenario] = Registry(chaos.scenarios, "SCENARIOS", "scenario")
#: failures of one scenario that are printed; the rest are counted
SHOWN = 20


#: seconds that one scenario may take at most: none takes a quarter of it
LONGEST_S = 4 * 3600.0
#: seconds between two looks at which scenario has ended
LOOK_S = 0.2


def run(entry: Entry[Scenario], ask: Ask) -> Outcome:
    """One scenario, whatever happens in it: one that breaks off has not passed, and the others still run."""
    try:
        return entry.function(ask)
    except NotHere as missing:
        return Outcome(failures=[f"not done: {missing}"])
    except Exception as error:  # noqa: BLE001 - said in the verdict; the other scenarios do not depend on it
        ask.say(traceback.format_exc())
        return Outcome(failures=[f"broke off: {type(error).__name__}: {error}"])


@dataclass(slots=True)
class Job:
    """A scenario that is being done in a process of its own."""

    entry: Entry[Scenario]
    running: Running
    start: float

    def outcome(self) -> Outcome:
        """What came of it, once it has ended."""
        ended = self.running.wait(LONGEST_S)
        outcome = Outcome(**ended.value) if ended.value else Outcome()
        if not ended.value:
            outcome.failures.append(f"its process ended with {ended.code}: {ended.problem[-900:]}")
        outcome.name, outcome.title = self.entry.name, self.entry.title
        outcome.seconds = time.monotonic() - self.start
        return outcome


def play(entries: Sequence[Entry[Scenario]], ask: Ask, jobs: int) -> Iterator[Outcome]:
    """Do the scenarios, so many at once; each outcome as it comes. Whatever ends us ends them too, and they clean up."""
    waiting, going = deque(entries), list[Job]()
    try:
        while waiting or going:
            while waiting and len(going) < jobs:
                going.append(begin(waiting.popleft(), ask))
            for job in [job for job in going if job.running.ended()]:
                going.remove(job)
                yield job.outcome()
            time.sleep(LOOK_S)
    finally:
        for job in going:
            job.running.end()


def begin(entry: Entry[Scenario], ask: Ask) -> Job:
    """Start one in a process of its own."""

    def told(text: str) -> None:
        ask.say(f"[{entry.name}] {text.strip()}")

    ask.say(f"[{entry.name}] {entry.title}")
    own = replace(ask, say=told)
    return Job(entry, Running(None, lambda: run(entry, own).told()), time.monotonic())


def lines(outcome: Outcome) -> list[str]:
    """A scenario's verdict for people."""
    word = "survived" if outcome.passed else "FAILED"
    told = [f"{outcome.name} {word}: {outcome.count} {outcome.unit} in {outcome.seconds:.0f} s"]
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
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="so many scenarios at once")
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
    end_when_asked()
    seed = asked.seed if asked.seed is not None else secrets.randbelow(1_000_000)
    ask = Ask(seed, asked.quick, asked.points, say)
    say(
        f"seed {seed}"
        + (" (a sample of the points)" if asked.quick or asked.points else "")
        + f", {asked.jobs} at once"
    )
    outcomes = []
    for outcome in play(entries, ask, max(1, asked.jobs)):
        outcomes.append(outcome)
        for line in lines(outcome):
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
