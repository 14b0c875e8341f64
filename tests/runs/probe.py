"""A worker process for the engine tests: `probe.py DATABASE ENGINE_URL FOLDER EXECUTOR`.

Its procedures write each step they begin into a log file that is flushed to disk, so that a test can see what ran before
and after a kill. Not a test module.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

database, engine_url, folder_name, executor = sys.argv[1:5]
folder = Path(folder_name)
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["YUNWEI_TEST_DATABASE"] = database

import django  # noqa: E402 - settings first

django.setup()

from django.conf import settings  # noqa: E402

settings.INSTANCE = folder

from yunwei.kernel.clock import SystemClock  # noqa: E402
from yunwei.runs import dbos_engine, engine, services  # noqa: E402
from yunwei.runs import procedure as procedures  # noqa: E402
from yunwei.runs.dbos_engine import DbosEngine  # noqa: E402
from yunwei.runs.procedure import Procedure, Step, StepContext  # noqa: E402
from yunwei.runs.takeover import Takeover  # noqa: E402


def say(line: str) -> None:
    with (folder / "log").open("a") as f:
        f.write(f"{executor} {line}\n")
        f.flush()
        os.fsync(f.fileno())


def slow(ctx: StepContext) -> str:
    say(f"begin slow {ctx.run_id}")
    while not (folder / "go").exists():
        time.sleep(0.05)
    return "slow"


def chunk(ctx: StepContext) -> int:
    say(f"chunk {ctx.chunk} {ctx.run_id}")
    services.take_in(ctx.run_id, f"p{ctx.chunk}", b"{}", collector="probe", now=ctx.now(), count=1)
    return int(ctx.chunk) * 2


PROCEDURES = (
    Procedure(
        "probe.run",
        "探",
        "probe",
        "look",
        (
            Step("first", lambda ctx: say(f"first {ctx.run_id}") or {"n": 3}),
            Step("slow", slow),
            Step("fan", chunk, fan=lambda ctx: list(range(ctx.results["first"]["n"]))),
            Step("last", lambda ctx: say(f"last {ctx.results['fan']} {ctx.run_id}")),
        ),
    ),
)
found: dict[str, Procedure] = {}
procedures.collect(PROCEDURES, found, where="probe")
procedures.registry = lambda: found  # type: ignore[assignment]

if late := float(os.environ.get("PROBE_CLIENT_LATE_S", "0")):
    real_client = dbos_engine.DBOSClient

    def late_client(**options: Any) -> Any:
        time.sleep(late)
        return real_client(**options)

    dbos_engine.DBOSClient = late_client  # type: ignore[assignment,misc]

durable = DbosEngine(engine_url, executor_id=executor, clock=SystemClock(), polling=0.05)
stop = threading.Event()
takeover = None
if engine_url.startswith("postgresql"):
    takeover = Takeover(engine_url, durable, stop.set, period=0.5)
durable.launch()
engine.use(durable)
if takeover:
    takeover.start()
say("ready")
while not stop.wait(0.1) and not (folder / "stop").exists():
    if os.getppid() == 1:
        break
    services.reconcile()
if takeover:
    takeover.stop()
durable.destroy()
