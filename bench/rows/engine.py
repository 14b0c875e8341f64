"""The durable engine: flushes a step costs on SQLite, steps a second beside a broker, and what more workers give."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from scripts.with_postgres import cluster

from bench import env
from bench.measure import Sample, Side, alternate
from bench.mix import Mix, mix
from bench.model import Claim, Figure, Row, RowFunction, Spread, at_least, at_most
from bench.peer import Peer
from bench.rabbit import broker
from bench.rows.ledger import FLUSH
from bench.site import Platform, clean, site
from bench.steps_work import CHECKPOINTS
from bench.watch import cpu_s, tree

CELERY = "Celery chain over RabbitMQ"
NAME = "yunwei"
#: connections of the server: each of four workers keeps some twenty
CONNECTIONS = 200
#: a look's first answer is waited for 1.5 s; what is left is for a machine that is busy
WORKERS_LATENCY_MS, MOST_S = 1_100.0, 900.0
#: shares of devices that a worker has in hand at once, as shipped; the looks of the row, each of one share, fill those of four
SHARES, RUNS, EACH, WARM = 8, 32, 10, 2
#: when quick: fewer devices a look, and half the wait. At a quarter of it, what a look costs the processor decided on two
#: threads of one core, and not the wait
QUICK_EACH, QUICK_LATENCY_MS = 2, 550.0


class Worker:
    """The measured worker, asked line by line."""

    def __init__(self, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "bench.steps_work", str(folder)], cwd=env.ROOT, env=clean(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        self._line()

    def _line(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"the worker ended with {self._process.wait(10)}")
        told: dict[str, Any] = json.loads(line)
        return told

    def jobs(self, count: int) -> dict[str, Any]:
        """So many runs through the engine."""
        if self._process.stdin is None:
            raise RuntimeError("no pipes")
        self._process.stdin.write(json.dumps({"jobs": count}) + "\n")
        self._process.stdin.flush()
        return self._line()

    def end(self) -> None:
        """No more words: it ends by itself."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def worker(folder: Path, prefix: tuple[str, ...] = ()) -> Iterator[Worker]:
    """A worker until the block ends."""
    running = Worker(folder, prefix)
    try:
        yield running
    finally:
        running.end()


def right(results: dict[str, str], count: int) -> str:
    """What is wrong with the runs' results as the engine keeps them; "" when every run did every step once."""
    for job in range(count):
        wanted = f"done {CHECKPOINTS} {(job + 1) * 2 - 1}"
        if results.get(str(job)) != wanted:
            return f"job {job}: {results.get(str(job))}, wanted {wanted}"
    return ""


def flushes(quick: bool) -> Row:
    """Flushes to disk per durable step on SQLite"""
    strace = env.program("strace", "strace")
    count, rounds = (20, 2) if quick else (100, 5)
    per_step: list[float] = []
    with site() as platform:
        log = platform.folder.parent / "strace.txt"
        prefix = (strace, "-f", "-e", "trace=fsync,fdatasync,sync_file_range", "-o", str(log))
        with worker(platform.folder, prefix) as running:
            running.jobs(10)
            for _round in range(rounds):
                before = len(FLUSH.findall(log.read_text(errors="replace")))
                told = running.jobs(count)
                if why := right(told["results"], count):
                    return Row(void=why)
                made = len(FLUSH.findall(log.read_text(errors="replace"))) - before
                per_step.append(made / (count * CHECKPOINTS))
    return Row(
        claims=(Claim("flushes per durable step", at_most(3, ""), Spread.of(per_step), "strace's own count"),),
        figures=(Figure(NAME, "flushes per run", Spread.of(v * CHECKPOINTS for v in per_step), ""),),
        bound=(
            "one flush of the engine's log for each checkpoint is the least that lets no checkpointed step run again; the others"
            " are the queue's entry and exit, the run's own two commits, and the sequencer's, five times a second"
        ),
        equal=f"{count} runs a round, each with {CHECKPOINTS} checkpoints kept and the result that its steps make",
        notes=(f"a run is {CHECKPOINTS} checkpointed steps; all that the worker does meanwhile is counted: submission, queue, ledger",),
    )  # fmt: skip


def rate(quick: bool) -> Row:
    """Durable steps per second on PostgreSQL"""
    count, rounds = (100, 2) if quick else (300, 5)
    with (
        tempfile.TemporaryDirectory(prefix="yunwei-bench-") as parent, broker() as url,
        cluster(durable=True, connections=CONNECTIONS) as database, site(database) as platform,
        Peer("celery_chain", {"BENCH_BROKER": url, "BENCH_DONE": str(Path(parent) / "done")}) as peer,
        worker(platform.folder) as running,
    ):  # fmt: skip

        def ours() -> Sample:
            told = running.jobs(count)
            if why := right(told["results"], count):
                raise RuntimeError(why)
            results = {job: text.rpartition(" ")[2] for job, text in told["results"].items()}
            return Sample(count * CHECKPOINTS, told["cpu_s"], told["wall_s"], results)

        def theirs() -> Sample:
            done = peer.run({"jobs": count})
            return Sample(count * CHECKPOINTS, done.cpu_s, done.given["wall_s"], done.given["results"])

        measured = alternate([Side(NAME, ours), Side(CELERY, theirs)], rounds)
    ratio = measured.ratio(NAME, CELERY, lambda sample: sample.rate)
    return Row(
        claims=(Claim("steps per second, ours / theirs", at_least(0.5), ratio, CELERY),),
        figures=measured.figures("steps per second", lambda sample: sample.rate, "/s"),
        equal=measured.equal, void=measured.void,
        bound=(
            "hops: a run is some thirteen statements, each a round trip between two processes, and eight of them commits; a"
            " checkpoint is one statement and one commit, which the flushes of the other runs share"
        ),
        notes=(
            f"ours: one worker as shipped; a run is {CHECKPOINTS} steps, each kept on disk before the next, with its rows and its ledger records",
            (f"theirs: a chain of {CHECKPOINTS} tasks, one worker process with 16 threads, late acknowledgement, persistent messages;"
            " it is not durable per step: no publisher confirm, no result kept, a task that was acknowledged and not yet"
            " passed on is lost with the worker"),
        ),
    )  # fmt: skip


def workers(quick: bool) -> Row:
    """Four workers on PostgreSQL on a latency-bound farm"""
    each, rounds, latency_ms = (QUICK_EACH, 1, QUICK_LATENCY_MS) if quick else (EACH, 3, WORKERS_LATENCY_MS)
    count = RUNS * each
    rates: dict[int, list[float]] = {1: [], 4: []}
    busy: dict[int, list[float]] = {1: [], 4: []}
    with (
        cluster(durable=True, connections=CONNECTIONS) as database, site(database) as platform,
        mix(count, latency_ms=latency_ms, small=True) as farm,
    ):  # fmt: skip
        platform.register(farm.farms)
        with platform.serve():
            platform.run("contact:bench:0:1", most_s=MOST_S)
            platform.hand.ask("confirm")
        server = postmaster(database)
        turn = 0
        for _round in range(rounds):
            for number, per_second in rates.items():
                turn += 1
                found = _swept(platform, number, turn, farm, server)
                if isinstance(found, str):
                    return Row(void=found)
                per_second.append(found[0])
                busy[number].append(found[1])
    gain = [four / one for one, four in zip(rates[1], rates[4], strict=True)]
    return Row(
        claims=(Claim("devices per second, four / one", at_least(3.2), Spread.of(gain), "one worker"),),
        figures=tuple(
            Figure(f"{number} worker{'s' * (number > 1)}", what, Spread.of(found), unit)
            for number in rates
            for what, found, unit in (
                ("devices per second", rates[number], "/s"),
                ("processor used by platform, database and farm together, of one core", busy[number], "%"),
            )
        ),
        equal=f"{count:,} devices told of and passed in every sweep, by either number of workers",
        bound=(
            f"one worker waits: {SHARES} shares of {each} devices are in hand at once, and a device takes its 15 answers one after"
            " the other; what the processor does meanwhile is among the figures, and four workers do four times as much of it"
        ),
        notes=(
            (f"switches with {latency_ms:.0f} ms before each of their 15 answers; {RUNS} looks fall due at once, as duties of one"
            f" morning do, each at {each} of them: a share. Four workers have room for all, one for a quarter"),
        ),
    )  # fmt: skip


def postmaster(database: str) -> int:
    """The process above all of the server's."""
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    if found is None:
        raise RuntimeError("the server does not tell its process")
    return int(str(found[0]).splitlines()[0])


def _swept(platform: Platform, number: int, turn: int, farm: Mix, server: int) -> str | tuple[float, float]:
    """One sweep by so many workers, whose collectors have been started by another one before: devices per second and the
    processor used in percent of one core; or what was wrong."""
    runs = [f"look:bench:{turn}-{part}:1" for part in range(RUNS)]
    with platform.serve(workers=number) as pid:
        platform.run(*(f"warm:{run}" for run in runs[: number * SHARES]), most_s=MOST_S, most=WARM)
        roots = (pid, server, *farm.pids)
        before = sum(cpu_s(tree(root)) for root in roots)
        told = platform.run(*runs, most_s=MOST_S)
        used = sum(cpu_s(tree(root)) for root in roots) - before
    took = told["ended_at"] - told["started_at"]
    proved = platform.proved(*runs)
    return farm.wrong(proved["devices"], proved["open"]) or (len(farm.models) / took, used / took * 100)


ROWS: dict[str, RowFunction] = {"step-flushes": flushes, "step-rate": rate, "workers": workers}
