"""`python -m chaos.evidence FOLDER [--make] [--seed N] [--quick]`: attacks a copy of an instance; one JSON object an attack."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from chaos.evidence.world import Told, World, remembered_signatures

Attack = Callable[[World], Told]


def attacks(*, quick: bool) -> list[Attack]:
    """All of them; `quick` takes fewer samples of each."""
    from chaos.evidence import database, every_byte, history, redactions

    n = 1 if quick else 4
    return [
        lambda w: every_byte.of_bundle(w, lines=n, span=6, step=11 if quick else 1),
        lambda w: every_byte.of_zip(w, count=120 * n * n),
        lambda w: every_byte.of_artifacts(w, count=n, each=20 if quick else 300),
        lambda w: database.of_rows(w, rows=n + 1, step=23 if quick else 3),
        lambda w: history.of_cuts(w, cuts=n - 1 if quick else 12),
        lambda w: history.of_resigning(w, count=n - 1 if quick else 6),
        lambda w: history.of_removals(w, count=n),
        lambda w: history.of_artifacts(w, count=n),
        lambda w: redactions.of_redactions(w, count=n),
    ]


def main() -> int:
    """Run them; what nobody named stands in what is printed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make", action="store_true", help="make a small instance there first")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yunwei-chaos-") as place:
        copy = Path(place) / "inst"
        if asked.make:
            from chaos.evidence import small

            small.make(copy)
        else:
            shutil.copytree(asked.folder, copy)
            from yunwei.server import instance

            instance.setup(copy)
        return attack(copy, asked.seed, quick=asked.quick)


def attack(copy: Path, seed: str, *, quick: bool) -> int:
    """Hand the kit over to the client, as is done once, then attack."""
    from yunwei.ledger import heads, services

    newest = services.head()
    if newest is None:
        sys.stderr.write("the ledger is empty\n")
        return 2
    now = newest.at + timedelta(minutes=5)
    heads.handover(copy.parent / "kit", now, "a_manager")
    heads.push(now)
    world = World(copy, random.Random(seed), now)  # noqa: S311 - a run that can be had again
    try:
        with remembered_signatures():
            for one in attacks(quick=quick):
                world.fresh()
                told = one(world)
                sys.stdout.write(json.dumps(asdict(told), ensure_ascii=False) + "\n")
                sys.stdout.flush()
    finally:
        world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
