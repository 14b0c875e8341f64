"""The process that the rows of durable steps measure: a worker as shipped, with a procedure of tiny steps beside its own.

`python -m bench.steps_work FOLDER` is `yunwei worker` of that instance. Standard input asks by lines of JSON: `{"jobs"}`
submits so many runs in one transaction, as duties of one morning are, and answers when all have ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from yunwei.runs.procedure import Procedure, Step, StepContext

NAME = "bench.steps"
#: what a run checkpoints: these three, and the opening and closing that the product puts around them
STEPS = ("one", "two", "three")
CHECKPOINTS = len(STEPS) + 2
LOOK_S = 0.02


def job(run: str) -> int:
    """The number that a job starts with: it is in the run's id."""
    return int(run.split(":")[2])


def one(ctx: StepContext) -> int:
    """The first step."""
    return job(ctx.run_id) + 1


def two(ctx: StepContext) -> int:
    """The second step, on the first one's result as the engine kept it."""
    return int(ctx.results["one"]) * 2


def three(ctx: StepContext) -> int:
    """The last step."""
    return int(ctx.results["two"]) - 1


PROCEDURE = Procedure(NAME, "测步", "Bench steps", "result", (Step("one", one), Step("two", two), Step("three", three)))


class Asked:
    """Submits and waits, in a thread of the worker."""

    def __init__(self) -> None:
        self.turn = 0

    def jobs(self, count: int) -> dict[str, Any]:
        """So many runs, from the first submission until the last has ended; what each came to."""
        from django.db import connection, transaction

        from yunwei.runs import services

        self.turn += 1
        ids = [f"bench:{self.turn}:{n}:1" for n in range(count)]
        cpu, start = time.process_time(), time.perf_counter()
        with transaction.atomic():
            for run in ids:
                services.submit(run, NAME, {}, {}, {"why": "bench"}, now=datetime.now(UTC))
        while self._unended():
            time.sleep(LOOK_S)
        wall = time.perf_counter() - start
        cpu = time.process_time() - cpu
        results = self._results(ids)
        connection.close()
        return {"wall_s": wall, "cpu_s": cpu, "results": results}

    def _unended(self) -> bool:
        """Whether a run of this turn goes on; by hand, as the other side's look is at a file and no statement to build."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM runs_run WHERE ended_at IS NULL AND id LIKE %s LIMIT 1", [f"bench:{self.turn}:%"]
            )
            return cursor.fetchone() is not None

    def _results(self, ids: list[str]) -> dict[str, Any]:
        """By job what the engine keeps as the last step's result, and that the run is done."""
        from dbos import DBOS

        from yunwei.runs.models import Run

        states = dict(Run.objects.filter(pk__in=ids).values_list("pk", "state"))
        out = {}
        for run in ids:
            kept = {step["function_name"]: step["output"] for step in DBOS.list_workflow_steps(run)}
            names = [name for name in kept if name in (*STEPS, "open", "close")]
            out[str(job(run))] = f"{states[run]} {len(names)} {kept.get('three')}"
        return out


def answer(asked: Asked) -> None:
    """Answer until the input ends, then stop the worker."""
    for line in iter(sys.stdin.readline, ""):
        sys.stdout.write(json.dumps(asked.jobs(int(json.loads(line)["jobs"]))) + "\n")
        sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """The worker, with the procedure in its register."""
    from yunwei.runs.procedure import collect, registry
    from yunwei.server import instance, worker

    instance.setup(Path(sys.argv[1]))
    collect([PROCEDURE], registry(), where=__name__)  # type: ignore[arg-type]  # the register is a dict inside

    def ready() -> None:
        sys.stdout.write(json.dumps({"ready": True}) + "\n")
        sys.stdout.flush()
        threading.Thread(target=answer, args=(Asked(),), daemon=True).start()

    worker.work(ready=ready)


if __name__ == "__main__":
    main()
