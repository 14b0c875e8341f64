"""The worker process: ticks the duties, runs the procedures, sequences the ledger, pushes the heads.

On SQLite exactly one (a file lock holds it); on PostgreSQL as many as wanted, on as many machines as wanted.
"""

from __future__ import annotations

import faulthandler
import fcntl
import logging
import math
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, NoReturn

from yunwei.kernel import heap
from yunwei.kernel.background import stand_back
from yunwei.kernel.clock import Clock
from yunwei.kernel.failing import Failing
from yunwei.server import instance
from yunwei.server.controls import Register

if TYPE_CHECKING:
    from yunwei.inspect.collect.process import Collectors
    from yunwei.runs.services import RunEvent

log = logging.getLogger(__name__)

#: seconds between two looks at what is due; a duty is due by the day, an event should start its clock at once
TICK_S = 5.0
#: seconds between two looks at the ledger's intake: pages show a number within a second
SEQUENCE_S = 0.2
#: seconds between two looks whether the head is due at the client's address; a finished run is not waited for
HEADS_S = 60.0
#: seconds without a job after which the collectors of this machine end; the next job starts them again
REST_S = 60.0
#: seconds a database connection serves before it is made anew
KEEP_S = 60
#: seconds in which a worker ends once it is told to; then it ends as it is, and says where its threads stood
LAST_S = 7.0
#: how far workers and their collectors stand back where they share cores with the pages: people wait for those
NICE = 10


class Stop:
    """Set by a signal or by a lost lock; every loop looks at it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self, *_: object) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)


def every(
    stop: Stop, seconds: float, name: str, job: Callable[[datetime], object], clock: Clock, *, queues: bool = True
) -> threading.Thread:
    """Call `job(now)` again and again in a thread of its own; a failure is logged and tried again next time. It takes its
    turn among this process's writers, unless it may wait for something else than the database (`queues` False)."""
    from django.db import connections

    from yunwei.runs.patience import AWAY

    failing = Failing(log, name, *AWAY)

    def loop() -> None:
        while True:
            attempt(failing, job, clock, queues=queues)
            if stop.wait(seconds):
                connections.close_all()
                return

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    return thread


def attempt(failing: Failing, job: Callable[[datetime], object], clock: Clock, *, queues: bool = True) -> None:
    """`job(now)` once; see `every`."""
    from django.db import close_old_connections, connections

    from yunwei.runs.turns import turn

    close_old_connections()
    try:
        with turn() if queues else nullcontext():
            job(clock.now())
    except Exception as error:  # noqa: BLE001 - told, and tried again
        failing.failed(error)
        connections.close_all()
    else:
        failing.worked()


@contextmanager
def only_one(path: str) -> Iterator[IO[str]]:
    """Hold the file lock that makes this the only worker of an embedded instance."""
    from yunwei.server.instance import InstanceError

    with open(path, "w", encoding="utf-8") as f:  # noqa: PTH123 - flock wants the open file
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstanceError(
                "这个实例已经有一个工作进程", where=path, hint="SQLite 只能有一个；需要更多时改用 PostgreSQL"
            ) from None
        yield f


class Heads:
    """Pushes the head after each run that ended, and at least once a minute where something was added (law 2)."""

    def __init__(self) -> None:
        from yunwei.runs.services import observe

        self._last = 0.0
        self._ended = threading.Event()
        observe(90, self.on_run)

    def on_run(self, event: RunEvent) -> None:
        """Told inside the transaction: the push itself is this thread's, a second later."""
        if event.kind == "finished":
            self._ended.set()

    def __call__(self, now: datetime) -> None:
        from yunwei.ledger import heads

        if self._ended.is_set() or time.monotonic() - self._last >= HEADS_S:
            self._ended.clear()
            try:
                heads.push(now)
            except BaseException:
                self._ended.set()  # it is owed still
                raise
            self._last = time.monotonic()


def tick(executor: str, now: datetime) -> None:
    """What is due now is brought up to date, submitted and settled; then runs that no engine knows are handed over, and
    sessions whose browser never came back are ended."""
    from yunwei.accounts import sessions
    from yunwei.duties import services as duties
    from yunwei.runs import lent
    from yunwei.runs import services as runs

    lent.sweep()
    runs.worker_seen(executor, now)
    duties.tick(now)
    runs.reconcile(now)
    sessions.sweep(now=now)


def work(
    stop: Stop | None = None, *, clock: Clock | None = None, ready: Callable[[], None] = lambda: None,
    stopping: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Run the worker until it is told to stop (SIGTERM, SIGINT) or loses its lock; `stopping` is called then."""
    from django.db import connections

    from yunwei.contract import closings, supplements
    from yunwei.duties import sources
    from yunwei.inspect import collecting, jobs
    from yunwei.ledger import services as ledger
    from yunwei.runs import dbos_engine, engine
    from yunwei.runs.patience import AWAY

    stop = stop or Stop()
    clock = clock or instance.clock()
    # a connection is kept from step to step and look to look, and asked whether it lives before it is used again
    connections["default"].settings_dict |= {"CONN_MAX_AGE": KEEP_S, "CONN_HEALTH_CHECKS": True}
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    url = instance.engine_url()
    embedded = url.startswith("sqlite")
    name = "solo" if embedded else f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    durable = dbos_engine.DbosEngine(url, executor_id=name, clock=clock)
    with only_one(str(instance.folder() / "data" / "worker.lock")) if embedded else _nothing():
        takeover = None
        if not embedded:
            from yunwei.runs.takeover import Takeover

            takeover = Takeover(url, durable, stop)
        register = Register(os.environ)
        jobs.stand_beside(register.endpoints)
        # those of the start before this one do not answer any more
        attempt(Failing(log, "controls", *AWAY), register, clock)
        collectors = _collectors(clock)
        collecting.use(collectors)
        durable.launch()
        engine.use(durable)
        if takeover is not None:
            takeover.start()
        threads = [
            every(stop, SEQUENCE_S, "sequencer", ledger.sequence, clock),
            every(stop, 1.0, "controls", register, clock),
            every(stop, TICK_S, "tick", partial(tick, name), clock),
            every(stop, 1.0, "heads", Heads(), clock, queues=False),
        ]
        closings.publish(sources.contract_dir())  # what was closed just before a crash
        supplements.publish(sources.contract_dir())
        heap.settle()
        ready()
        while not stop.wait(1.0):
            pass
        stopping()
        for thread in threads:
            thread.join(10)
        if takeover is not None:
            takeover.stop()
        durable.destroy()
        collectors.stop()
        ledger.sequence(clock.now())


def _collectors(clock: Clock) -> Collectors:
    """This machine's collectors, one a core: the worker's own interpreter is busy enough with what they bring."""
    from yunwei.inspect.collect.process import Collectors

    def ahead_s() -> float:
        return (clock.now() - datetime.now(UTC)).total_seconds()

    keys, state = instance.folder() / "keys", instance.folder() / "data" / "collector"
    return Collectors(len(os.sched_getaffinity(0)), keys, state, ahead_s=ahead_s, rest_s=REST_S)


def main() -> NoReturn:
    """This process as a worker, standing back behind the pages. It ends at once when its work is put down: a step that
    is cut short is done again at the next start, and its thread need not be waited for."""
    heap.share()
    stand_back(NICE)
    # threads that wait for a database which is away are not waited for long: another worker may do this one's work by now
    work(stopping=partial(end_within, LAST_S))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def end_within(seconds: float) -> None:
    """End this process with code 1 after `seconds` if it is still there, with the places of its threads on stderr; from
    the main thread. The places are read by a Python thread, which holds the others still: faulthandler's own watchdog
    reads them while they go on, and once ended the process by SIGSEGV with nothing said."""

    def last() -> None:
        time.sleep(seconds)
        log.critical("the worker did not stop within %g s and ends as it is; its threads stood here", seconds)
        faulthandler.dump_traceback(all_threads=True)
        os._exit(1)

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(seconds) + 10)  # by the kernel, where a thread keeps the interpreter to itself
    threading.Thread(target=last, name="last", daemon=True).start()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


if __name__ == "__main__":
    instance.setup()
    main()
