"""Several workers on one PostgreSQL: one is killed, one loses its lock session, the server itself restarts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from scripts.with_postgres import binaries

from chaos import machine, mould, served, state
from chaos.forks import child
from chaos.machine import Bed, Lab, bed
from chaos.model import Ask, NotHere, Outcome, Scenario
from chaos.served import Platform
from yunwei.runs.takeover import lock_key

ROUNDS, QUICK = 5, 2
#: seconds within which a dead worker's runs must go on at another one
TAKEN_S = 5.0
#: seconds within which a worker without its lock must have ended
GONE_S = 60.0
HOUR = 13.0
STARTS = ("assets.credential",)
#: a look at a dead device takes seconds: there is something to take over
BROKEN = {**machine.MORNING, **machine.SLOW}


def killed(ask: Ask) -> Outcome:
    """Two workers on PostgreSQL, one killed in the middle of a run: the other goes on with it within 5 s"""
    return scenario(ask, lambda rounds: rounds.workers(kill))


def lock_lost(ask: Ask) -> Outcome:
    """A worker whose lock session is ended by the server stops itself, and the other goes on with its runs"""
    return scenario(ask, lambda rounds: rounds.workers(end_session))


def restarted(ask: Ask) -> Outcome:
    """PostgreSQL restarted (immediate) in the middle of a run"""
    return scenario(ask, lambda rounds: rounds.served())


def scenario(ask: Ask, act: Callable[[Rounds], Outcome]) -> Outcome:
    """A scenario in a process of its own that has loaded the product."""

    def all_of_it() -> dict[str, Any]:
        mould.warm(home)
        outcome = act(Rounds(home, ask))
        return outcome.told()

    with Lab() as lab, bed("postgres") as home:
        with psycopg.connect(home.server) as connection:
            home.strategy = " STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
        machine.prepare(home, lab)
        lab.show(BROKEN)
        ended = child(None, all_of_it, patience=3600)
    if ended.problem:
        raise RuntimeError(ended.problem)
    return Outcome(**ended.value)


@dataclass
class Team:
    """Worker processes of one instance by their ids."""

    home: Bed
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        """One more worker, waited for until it tells of itself."""
        with (self.home.work / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "yunwei.server.worker"], env=served.environment(self.home, {}),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        name = f"-{process.pid}-"
        until(lambda: any(name in row[0] for row in self.home.rows("SELECT executor FROM runs_worker")), "a worker")
        return process

    def of(self, executor: str) -> subprocess.Popen[bytes] | None:
        """The worker of an executor's name."""
        return next((p for p in self.running if f"-{p.pid}-" in executor), None)

    def stop(self) -> None:
        """End them all."""
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> float:
    """Wait for a condition; seconds waited. Raises RuntimeError."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise RuntimeError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)
    return time.monotonic() - begun


def kill(_home: Bed, victim: subprocess.Popen[bytes], _executor: str) -> None:
    """kill -9."""
    victim.send_signal(signal.SIGKILL)


def end_session(home: Bed, _victim: subprocess.Popen[bytes], executor: str) -> None:
    """The server ends the session that holds a worker's lock, as a network does that was cut."""
    query = """SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND ((classid::bigint << 32) | objid::bigint) = %s"""
    with psycopg.connect(home.database, autocommit=True) as connection:
        ended = connection.execute(query, (lock_key(executor),)).fetchall()
    if len(ended) != 1:
        raise RuntimeError(f"{len(ended)} sessions hold the lock of {executor}")


@dataclass
class Rounds:
    """Rounds of one look each, at a device that does not answer among others, undisturbed and disturbed."""

    home: Bed
    ask: Ask

    @property
    def count(self) -> int:
        """How many."""
        return self.ask.points or (QUICK if self.ask.quick else ROUNDS)

    def workers(self, harm: Callable[[Bed, subprocess.Popen[bytes], str], None]) -> Outcome:
        """Two workers; in each round the one that has the run is harmed."""
        outcome = Outcome(unit="workers lost")
        wanted = self.play(None, outcome)
        found = self.play(harm, outcome)
        outcome.failures += [*found["wrong"], *state.differences(wanted["state"], found["state"])]
        return outcome

    def play(
        self, harm: Callable[[Bed, subprocess.Popen[bytes], str], None] | None, outcome: Outcome
    ) -> dict[str, Any]:
        """All rounds from the morning on."""
        self.home.restore("morning")
        self.done(self.begin)
        team, took, gone = Team(self.home), [], []
        try:
            team.start()
            team.start()
            until(self.settled, "the day's own runs")
            for number in range(1, self.count + 1):
                run = f"look:chaos:{number:03d}:1"
                self.done(lambda run=run: submit(run))  # type: ignore[misc]
                if harm is not None:
                    executor = self.held(run)
                    victim = team.of(executor)
                    if victim is None:
                        raise RuntimeError(f"nobody is {executor}")
                    begun = time.monotonic()
                    harm(self.home, victim, executor)
                    outcome.count += 1
                    until(lambda run=run, executor=executor: self.moved(run, executor), "another worker")  # type: ignore[misc]
                    took.append(time.monotonic() - begun)
                    try:
                        victim.wait(GONE_S)
                        gone.append(time.monotonic() - begun)
                    except subprocess.TimeoutExpired:
                        outcome.fail(f"round {number}", f"the worker still runs after {GONE_S:.0f} s")
                        victim.kill()
                    team.running.remove(victim)
                    team.start()
                until(self.settled, f"the end of round {number}")
        finally:
            team.stop()
        if took:
            outcome.notes.append(f"runs went on elsewhere after {', '.join(f'{s:.1f}' for s in took)} s")
            outcome.notes.append(f"the worker had ended after {', '.join(f'{s:.1f}' for s in gone)} s")
            outcome.failures += [f"taken over after {s:.1f} s" for s in took if s > TAKEN_S]
        return self.told()

    def served(self) -> Outcome:
        """The whole platform with two workers; in each round the server restarts under a run."""
        outcome = Outcome(unit="restarts of PostgreSQL")
        self.home.restore("morning")
        self.done(self.begin)
        told = []
        for harm in (False, True):
            self.home.restore("morning")
            self.done(self.begin)
            with Platform(self.home, workers=2) as platform:
                platform.wait(self.settled_or_away, "the day's own runs")
                for number in range(1, self.count + 1):
                    run = f"look:chaos:{number:03d}:1"
                    self.done(lambda run=run: submit(run))  # type: ignore[misc]
                    if harm:
                        self.held(run)
                        restart(self.home)
                        outcome.count += 1
                    platform.wait(self.settled_or_away, f"the end of round {number}")
                    platform.wait(platform.answers, "the console")
                if harm:
                    outcome.notes.append(f"{platform.starts} starts of the platform")
            told.append(self.told())
        outcome.failures += [*told[1]["wrong"], *state.differences(told[0]["state"], told[1]["state"])]
        return outcome

    def begin(self) -> None:
        """The instance's clock; in a child."""
        from yunwei.server import instance

        instance.set_clock(machine.at(HOUR))

    def done(self, act: Callable[[], Any]) -> Any:
        """Something done in a child, which must succeed."""
        ended = self.home.child(act)
        if ended.problem:
            raise RuntimeError(ended.problem)
        return ended.value

    def held(self, run: str) -> str:
        """The executor that has a run in hand, once one of its shares is being looked at."""
        found: list[str] = []

        def begun() -> bool:
            found[:] = [executor for workflow, executor in self.pending(run) if "/" in workflow]
            return bool(found)

        until(begun, f"{run} to be in hand")
        return found[0]

    def moved(self, run: str, executor: str) -> bool:
        """Whether nothing of a run is in the hands of an executor any more, and something is in another's, or it ended."""
        ended = (run,) in self.home.rows("SELECT id FROM runs_run WHERE ended_at IS NOT NULL")
        holders = {held for _workflow, held in self.pending(run)}
        return ended or bool(holders and executor not in holders)

    def pending(self, run: str) -> list[tuple[str, str]]:
        """What of a run is in whose hands."""
        rows = self.home.rows("SELECT workflow_uuid, executor_id FROM dbos.workflow_status WHERE status = 'PENDING'")
        return [(str(workflow), str(executor)) for workflow, executor in rows if str(workflow).startswith(run)]

    def settled(self) -> bool:
        """Whether the platform has come to rest."""
        return served.settled(self.home)

    def settled_or_away(self) -> bool:
        """The same of a server that may be away."""
        try:
            return self.settled()
        except psycopg.OperationalError:
            return False

    def told(self) -> dict[str, Any]:
        """What it came to."""
        told: dict[str, Any] = self.done(lambda: last_look(self.home))
        return told


def last_look(home: Bed) -> dict[str, Any]:
    """What it came to, after one more look at what is due, as a worker takes every few seconds; in a child."""
    from yunwei.duties import services as duties
    from yunwei.ledger import services as ledger
    from yunwei.server import instance

    duties.tick(instance.clock().now())
    ledger.sequence(instance.clock().now())
    return {"state": state.taken(by_title=True, without=STARTS), "wrong": state.proven(home)}


def submit(run_id: str) -> None:
    """Ask for a look, as a command does; in a child."""
    from yunwei.runs import services as runs
    from yunwei.server import instance

    codes = list(machine.DEVICES)
    runs.submit(
        run_id, "hardware.inspect", {"assets": codes}, {"baseline": codes}, {"why": "chaos"},
        now=instance.clock().now(),
    )  # fmt: skip


def restart(home: Bed) -> None:
    """Restart the server as if it had crashed."""
    with psycopg.connect(home.server, autocommit=True) as connection:
        ((data,),) = connection.execute("SHOW data_directory").fetchall()
    owner = Path(data).stat()
    prefix = []
    if os.geteuid() == 0:
        prefix = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
    command = [
        *prefix,
        str(binaries() / "pg_ctl"),
        "-D",
        data,
        "-w",
        "-m",
        "immediate",
        "-l",
        f"{data}/../log",
        "restart",
    ]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(re.sub(r"\s+", " ", done.stderr))


SCENARIOS: dict[str, Scenario] = {
    "worker-killed": killed,
    "worker-lock-lost": lock_lost,
    "postgres-restarted": restarted,
}
