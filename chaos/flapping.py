"""`python -m chaos.flapping FOLDER --seed N --sweeps N --minutes M`: looks again and again at devices that are another way each
time, on the replay's clock; one JSON object a look: what every process holds, what the database holds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from yunwei.cli import common, demo_replay
from yunwei.cli.demo_stage import Stage
from yunwei.lab import district

MODELS = ("SW-CORE", "SW-ACC", "SRV-D", "SRV-H", "STO-O", "UPS-A")
#: what comes and goes; by protocol. The slow ones (silence is waited for) come seldom.
OFTEN = {
    "snmp": ("port_errors", "fan_failed", "psu_lost", "truncating", "too_big", "garbage", "wrong_encoding", "frozen", "endless"),
    "redfish": ("fan_failed", "psu_lost", "disk_predicted", "garbage", "half", "unauthorized", "session_limit", "sessions_taken",
                "frozen", "endless_body", "identity_changed"),
}  # fmt: skip
SELDOM = ("dead",)


def flap(farm: Any, items: Sequence[district.Equipment], dice: random.Random, now: dict[str, str]) -> int:
    """Every device leaves the state it is in: what was broken is whole, what was whole breaks. Returns the changes."""
    changes = 0
    for item in items:
        address, protocol = item.device.address, item.device.protocol
        if fault := now.pop(item.code, ""):
            farm.clear(address, fault, protocol=protocol)
        else:
            now[item.code] = breaks(farm, item, dice)
        changes += 1
    return changes


def breaks(farm: Any, item: district.Equipment, dice: random.Random) -> str:
    """Something goes wrong with a device; returns what."""
    from yunwei.lab.errors import LabError

    address, protocol = item.device.address, item.device.protocol
    fault = dice.choice(SELDOM if dice.random() < 0.04 else OFTEN[protocol])
    try:
        farm.set(address, fault, protocol=protocol)
    except LabError:  # this model cannot show it
        fault = "garbage"
        farm.set(address, fault, protocol=protocol)
    return fault


def held(pids: dict[str, int]) -> dict[str, int]:
    """Resident memory (KiB), open descriptors and threads of each process."""
    out = {}
    for name, pid in pids.items():
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        )
        out[f"{name}.rss"] = int(status["VmRSS"].split()[0])
        out[f"{name}.threads"] = int(status["Threads"])
        out[f"{name}.fds"] = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
    return out


def database(file: Path) -> dict[str, int]:
    """Bytes of the database, of what lies in its pages, and rows by table."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
        pages, free, size = (
            db.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "freelist_count", "page_size")
        )
        tables = [
            name
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        ]
        rows = {f"rows.{name}": db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608 - names of its own
    db.close()
    return {"db": (pages - free) * size, **rows}


def main() -> int:
    """Play."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--sweeps", type=int, default=144)
    parser.add_argument("--minutes", type=float, default=10.0)
    asked = parser.parse_args()
    items = district.few(1, MODELS)
    score = demo_replay.Score(date(2026, 3, 2), date(2026, 3, 4), asked.seed, items, hosts=False)
    stage = Stage()
    with ExitStack() as stack:
        stack.callback(stage.stop)
        with common.progress(quiet=True):
            replay = demo_replay._open(asked.folder, score, stage, stack, port=0)  # noqa: SLF001 - the play without its people
        agree(replay.clock.now())
        play(replay, items, asked)
    return 0


def agree(now: Any) -> None:
    """The client confirms the identities it was shown."""
    from yunwei.assets import identity

    client = common.actor_account("a_manager")
    for pin in list(identity.waiting()):
        identity.confirm(pin, by=client, now=now)


def play(replay: demo_replay.Replay, items: Sequence[district.Equipment], asked: argparse.Namespace) -> None:
    """Look, number, push, measure; so many times."""
    from yunwei.assets.models import Asset
    from yunwei.duties import services as duties
    from yunwei.ledger import heads
    from yunwei.runs import services as runs

    dice = random.Random(asked.seed)  # noqa: S311
    state = {item.code: breaks(replay.farm, item, dice) for item in items[::2]}  # half are broken while half are whole
    codes = list(Asset.objects.filter(code__in=[i.code for i in items]).values_list("code", flat=True))
    pids = {"play": os.getpid()} | {f"collector{i}": pid for i, pid in enumerate(replay.collectors.pids())}
    start = replay.clock.now()
    for n in range(asked.sweeps):
        replay.clock.jump(start + timedelta(minutes=asked.minutes * (n + 1)))
        replay.ahead_s()
        changes = flap(replay.farm, items, dice, state)
        now = replay.clock.now()
        runs.submit(
            f"look:flap:{n}:1", "hardware.inspect", {"assets": codes}, {"baseline": codes}, {"why": "flapping"}, now=now
        )
        duties.tick(replay.clock.now())
        heads.push(replay.clock.now())
        facts = {"sweep": n, "changes": changes, "sessions": sum(replay.farm.sessions().values()), **held(pids)}
        facts["bmcs"] = sum(item.model.protocol == "redfish" for item in items)
        facts |= database(replay.folder / "data" / "yunwei.sqlite3")
        facts["artifacts"] = sum(
            p.stat().st_size for p in (replay.folder / "data" / "artifacts").rglob("*") if p.is_file()
        )
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
