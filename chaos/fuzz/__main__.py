"""`python -m chaos.fuzz [--seed N] [--seconds S] [--only NUMBER] [TARGET …]`: one JSON object a target."""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import secrets
import sys
import warnings
from dataclasses import asdict

from chaos.fuzz import engine

#: address space of this process: an input that wants more gets a MemoryError, which is a crash
SPACE = 4 << 30


def targets() -> tuple[engine.Target, ...]:
    """All of them."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yunwei.server.settings")
    import django

    django.setup()
    from chaos.fuzz import file_targets, redfish_targets, snmp_targets
    from yunwei.inspect.vendor import shipped

    shipped()  # seconds, once
    return (*snmp_targets.TARGETS, *redfish_targets.TARGETS, *file_targets.TARGETS)


def main() -> int:
    """Run them in turn, each for its share of the time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seed", default="")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--inputs", type=int, default=0, help="so many inputs of each target instead of a time")
    parser.add_argument("--only", type=int, help="one input, by its number, with whatever it raises")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    logging.disable(logging.CRITICAL)  # readers may log what they refuse
    warnings.simplefilter("ignore")
    seed = asked.seed or str(secrets.randbelow(1 << 31))
    chosen = [t for t in targets() if not asked.targets or t.name in asked.targets]
    if asked.only is not None:
        for target in chosen:
            target.feed(target.make(engine.dice_of(seed, target.name, asked.only)))
        return 0
    sys.stderr.write(f"seed {seed}\n")
    for target in chosen:
        report = engine.run(target, seed, asked.seconds / len(chosen), asked.inputs)
        sys.stdout.write(json.dumps(asdict(report), ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
