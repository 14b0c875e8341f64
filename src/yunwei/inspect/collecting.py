"""One share of a run done: job built, handed to the zone's collector, its signed result taken in by the one door.

A collector on this machine goes through the same files as one elsewhere. For a zone whose collector is another
installation the job is laid in `outbox/` and its result awaited in `inbox/` until the job's budget ends; whoever is
permitted to move files between the zones does so.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from yunwei.inspect import jobs, keys
from yunwei.inspect.collect.job import MAX_FILE, JobError, read_job, read_result, run_job, write_job, write_result
from yunwei.inspect.observation import Job
from yunwei.ledger.keys import instance
from yunwei.runs import services as runs
from yunwei.runs.models import RunResult

JSON = Any
POLL_S = 1.0


def share(
    run_id: str, chunk: Mapping[str, JSON], terms: Mapping[str, JSON], *, deep: bool, clock: Callable[[], datetime]
) -> dict[str, JSON]:
    """Do one share. A share that was taken in before (the step ran again after a crash) is not looked at twice."""
    part, zone = str(chunk["part"]), str(chunk["zone"])
    if RunResult.objects.filter(run_id=run_id, part=part).exists():
        return {"part": part, "taken": True, "again": True}
    job = jobs.build(run_id, part, zone, chunk["assets"], terms, deep=deep, now=clock())
    payload = _elsewhere(job) if keys.is_remote(zone) else _here(job, clock)
    if payload is None:
        return {"part": part, "taken": False}
    taken = runs.take_in(run_id, part, payload, collector=zone, now=clock(), count=len(chunk["assets"]))
    _files(job)[1].unlink(missing_ok=True)  # only now: a crash before this finds the file again
    return {"part": part, "taken": True, "again": not taken}


#: does the jobs of this machine's zones: (job file, zone) → result file
Collector = Callable[[bytes, str], bytes]
_collector: Collector | None = None


def use(collector: Collector | None) -> None:
    """Have this machine's jobs done by processes of their own (`collect.process`), or, with None, by this one."""
    global _collector  # noqa: PLW0603 - one a process, set by the door
    _collector = collector


def _here(job: Job, clock: Callable[[], datetime]) -> bytes:
    """The collector on this machine, through the same signed files."""
    file = write_job(job, keys.platform())
    if _collector is not None:
        keys.collector(job.zone)  # made at first use, by us and not by the collector
        return _collector(file, job.zone)
    received = read_job(file, [keys.platform().public])
    result = run_job(received, keys.keyring(job.zone), collector=job.zone, state=state(job.zone), clock=clock)
    return write_result(result, keys.collector(job.zone))


def state(zone: str) -> Path:
    """The folder of what a zone's collector must remember over a crash."""
    return instance() / "data" / "collector" / zone


def _elsewhere(job: Job) -> bytes | None:
    """Lay the job out and await its result; None when the budget ended first. Waiting is bounded by the job's budget."""
    out, back = _files(job)
    for folder in (out.parent, back.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    new = out.with_suffix(".new")
    new.write_bytes(write_job(job, keys.platform()))
    new.replace(out)
    end = time.monotonic() + job.total_budget_s
    try:
        while time.monotonic() < end:
            if (payload := _brought(back, job)) is not None:
                return payload
            time.sleep(POLL_S)
    finally:
        out.unlink(missing_ok=True)
    return None


def _files(job: Job) -> tuple[Path, Path]:
    """Where a job is laid out and where its result is looked for."""
    name = f"{job.run_id}.{job.id}".replace(":", "_").replace("/", "_")
    return instance() / "outbox" / f"{name}.job", instance() / "inbox" / f"{name}.result"


def _brought(file: Path, job: Job) -> bytes | None:
    """The result in the inbox, None while there is none. What the collector did not sign is set aside, not believed."""
    try:
        facts = file.stat()
        fits = stat.S_ISREG(facts.st_mode) and facts.st_size <= MAX_FILE
        payload = file.read_bytes() if fits else b""
    except FileNotFoundError:
        return None
    try:
        result = read_result(payload, [keys.collector_public(job.zone)])
    except JobError:
        result = None
    if result is None or (result.run_id, result.job_id, result.zone) != (job.run_id, job.id, job.zone):
        file.replace(file.with_suffix(".refused"))
        return None
    return payload
