"""Celery over RabbitMQ: a chain of tiny tasks a job, acknowledged late, messages persistent, results written by the last."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery, chain

from bench.peers.serve import serve

BROKER, DONE = os.environ["BENCH_BROKER"], Path(os.environ["BENCH_DONE"])
SLOTS, LOOK_S, PATIENCE_S = 16, 0.02, 120.0
app = Celery("bench", broker=BROKER)
app.conf.update(
    task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)  # fmt: skip


def start(job: int) -> list[int]:
    """A task before the steps, as our opening of a run."""
    return [job, job]


def one(told: list[int]) -> list[int]:
    """The first step."""
    return [told[0], told[1] + 1]


def two(told: list[int]) -> list[int]:
    """The second step."""
    return [told[0], told[1] * 2]


def three(told: list[int]) -> list[int]:
    """The last step."""
    return [told[0], told[1] - 1]


def end(told: list[int]) -> None:
    """A task after the steps, as our closing of a run: it says what the job came to."""
    with DONE.open("a", encoding="ascii") as file:
        file.write(f"{told[0]} {told[1]}\n")


#: the chain of a job
TASKS = [app.task(work, name=work.__name__) for work in (start, one, two, three, end)]


class Worker:
    """One worker process with threads, as ours is."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "bench.peers.celery_chain", "worker", "-P", "threads",
                   "-c", str(SLOTS), "--without-gossip", "--without-mingle", "-l", "ERROR"]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self) -> None:
        """End it by its id."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def jobs(asked: dict[str, Any]) -> dict[str, Any]:
    """So many jobs, from the first publication until the last has ended."""
    count = int(asked["jobs"])
    DONE.write_text("", encoding="ascii")
    begun = time.perf_counter()
    for job in range(count):
        chain(TASKS[0].s(job), *(task.s() for task in TASKS[1:])).apply_async()
    lines: list[str] = []
    while len(lines) < count:
        if time.perf_counter() - begun > PATIENCE_S:
            raise TimeoutError(f"{len(lines)} of {count}")
        time.sleep(LOOK_S)
        lines = DONE.read_text(encoding="ascii").splitlines()
    wall = time.perf_counter() - begun
    return {"wall_s": wall, "results": dict(line.split() for line in lines)}


if __name__ == "__main__":
    worker = Worker()
    try:
        serve(jobs)
    finally:
        worker.stop()
