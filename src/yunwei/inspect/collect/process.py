"""Collectors in processes of their own on this machine: a signed job file goes in, a signed result file comes out.

They use the machine's other cores, need no database, and end with their parent, however that ends. Each does several jobs
at once in one event loop: a share waits seconds for its last dead device, and nobody else should. What is said over the
pipe: a line of JSON `{"id", "zone", "ahead_s", "size"}` and so many bytes of the job file; back come, in whatever order
the jobs end, `{"id", "size"}` or `{"id", "error"}` and the result file.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import uvloop

from yunwei.gm import sm2
from yunwei.inspect.collect.job import JobError, Keyring, read_job, run_job_async, write_result
from yunwei.inspect.collect.sweep import Gates, Limits
from yunwei.inspect.vendor import shipped
from yunwei.kernel import heap
from yunwei.kernel.background import stand_back
from yunwei.kernel.children import program
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

log = logging.getLogger(__name__)
#: how far a collector stands back: it computes most of the time, and nobody waits for one device
NICE = 15
#: seconds a collector may take to end what it does once its input has ended
GRACE_S = 10.0


class _Child:
    """One collector process and the jobs that it was given."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.jobs: dict[int, Future[bytes]] = {}
        self.dead = False
        self._writing = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="collector", daemon=True)
        self._reader.start()

    def send(self, number: int, facts: dict[str, Any], job: bytes) -> None:
        """Hand a job over. Raises OSError or ValueError when the process is gone."""
        if self.process.stdin is None:
            raise OSError
        with self._writing:
            _send(self.process.stdin, {"id": number, **facts}, job)

    def _read(self) -> None:
        """Give every answer to whoever waits for it, until the process ends."""
        out = self.process.stdout
        try:
            while out is not None:
                told, result = _receive(out)
                waiting = self.jobs.pop(int(told["id"]), None)
                if waiting is None:
                    continue
                if told.get("error"):
                    waiting.set_exception(JobError(str(told["error"])))
                else:
                    waiting.set_result(result)
        except (OSError, ValueError, EOFError, KeyError):
            heap.give_back()
        self.dead = True
        for waiting in list(self.jobs.values()):
            with suppress(Exception):  # answered at this very moment
                waiting.set_exception(JobError(_("采集进程中断")))

    def stop(self) -> None:
        """Its input ends, and it with that. Who still waits is told nothing: see `Collectors.stop`."""
        self.jobs.clear()
        if self.process.stdin is not None:
            with suppress(OSError), self._writing:
                self.process.stdin.close()
        try:
            self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(GRACE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


class Collectors:
    """`with Collectors(2, keys, state) as collectors:` then `collectors(job_file, zone)` from any thread.

    `keys` is the folder with `platform.pem` and each zone's `collector-<zone>.pem`; `state` what collectors remember over
    a crash. `ahead_s` says how far the clock of jobs and devices stands off from this machine's. With `rest_s` they are
    started by the first job and ended when for so many seconds none came: most of a day nothing is looked at, and each
    holds some 80 MB.
    """

    def __init__(
        self, count: int, keys: Path, state: Path, *, ahead_s: Callable[[], float] = lambda: 0.0,
        rest_s: float | None = None,
    ) -> None:  # fmt: skip
        self._command = program("yunwei.inspect.collect.process", str(keys), str(state))
        self._count, self._ahead_s, self._rest_s = count, ahead_s, rest_s
        self._all: list[_Child] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._rest: threading.Timer | None = None
        self._stopped = False
        if rest_s is None:
            self._fill()

    def __call__(self, job: bytes, zone: str) -> bytes:
        """The result of a job, from the collector that has the fewest. Raises JobError when it could not be done."""
        number, done = next(self._numbers), Future[bytes]()
        with self._lock:
            if self._stopped:
                raise JobError(_("采集进程没有启动"))
            self._stay()
            self._fill()
            child = min(self._all, key=lambda one: len(one.jobs))
            child.jobs[number] = done
        try:
            child.send(number, {"zone": zone, "ahead_s": self._ahead_s()}, job)
            if child.dead and not done.done():  # it ended between our choice and its reader's last look
                raise JobError(_("采集进程中断"))
            return done.result()
        except (OSError, ValueError):
            raise JobError(_("采集进程中断")) from None
        finally:
            with self._lock:
                child.jobs.pop(number, None)
                self._rest_later()

    def _fill(self) -> None:
        """As many living processes as there should be; one that died is replaced."""
        for child in [one for one in self._all if one.dead]:
            self._all.remove(child)
            child.stop()
            log.warning("collector %d ended by itself and is replaced", child.process.pid)
        while len(self._all) < self._count:
            self._all.append(_Child(self._command))

    def _stay(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _rest_later(self) -> None:
        """With the lock: when nothing is under way, rest after a while."""
        if self._rest_s is None or self._stopped or any(child.jobs for child in self._all):
            return
        self._stay()
        self._rest = threading.Timer(self._rest_s, self._end_idle)
        self._rest.daemon = True
        self._rest.start()

    def _end_idle(self) -> None:
        with self._lock:
            idle = [] if any(child.jobs for child in self._all) else self._all
            if idle:
                self._all = []
        for child in idle:
            child.stop()

    def pids(self) -> list[int]:
        """The processes' ids; none while they rest."""
        return [child.process.pid for child in self._all]

    def stop(self) -> None:
        """End them: their input ends, and they with it.

        A thread that still waits for a job waits for ever: this process is about to end, and an answer that the stop cut
        short, or an error, would be kept as the step's result instead of the step being done again at the next start.
        """
        with self._lock:
            self._stopped = True
            self._stay()
            children, self._all = self._all, []
        for child in children:
            child.stop()

    def __enter__(self) -> Collectors:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


def _send(stream: IO[bytes], facts: dict[str, Any], content: bytes) -> None:
    stream.write(json.dumps({**facts, "size": len(content)}).encode() + b"\n" + content)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    line = stream.readline(65536)
    if not line:
        raise EOFError
    facts = json.loads(line)
    content = stream.read(int(facts["size"]))
    if len(content) != facts["size"]:
        raise EOFError
    return facts, content


async def serve(keys: Path, state: Path, into: IO[bytes], out: IO[bytes]) -> None:
    """Do jobs, each as it comes, until the input ends; what is under way then is cut short and answered."""
    platform = sm2.PrivateKey.from_pem((keys / "platform.pem").read_bytes()).public
    rings: dict[str, Keyring] = {}
    loop, stop, sending = asyncio.get_running_loop(), asyncio.Event(), asyncio.Lock()
    gates = Gates(Limits())
    under_way: set[asyncio.Task[None]] = set()

    async def answer(facts: dict[str, Any], file: bytes) -> None:
        zone, ahead = str(facts["zone"]), float(facts["ahead_s"])
        told: dict[str, Any] = {"id": facts["id"]}
        result = b""
        try:
            if zone not in rings:
                rings[zone] = Keyring(sm2.PrivateKey.from_pem((keys / f"collector-{zone}.pem").read_bytes()))
            result = await _do(file, platform, rings[zone], zone, state / zone, ahead, gates, stop)
        except (YunweiError, OSError) as error:
            told["error"] = str(error)
        except Exception as error:  # a job that cannot be done stops no other
            log.exception("a job ended with %s", type(error).__name__)
            told["error"] = type(error).__name__
        with suppress(OSError):  # the parent is gone
            async with sending:
                await asyncio.to_thread(_send, out, told, result)

    def ended(task: asyncio.Task[None]) -> None:
        under_way.discard(task)
        if not under_way:
            heap.give_back()

    while True:
        try:
            facts, file = await loop.run_in_executor(None, _receive, into)
        except EOFError:
            break
        task = loop.create_task(answer(facts, file))
        under_way.add(task)
        task.add_done_callback(ended)
    stop.set()
    if under_way:
        await asyncio.wait(under_way, timeout=GRACE_S)


async def _do(
    file: bytes, platform: sm2.PublicKey, ring: Keyring, zone: str, state: Path, ahead: float, gates: Gates,
    stop: asyncio.Event,
) -> bytes:  # fmt: skip
    result = await run_job_async(
        read_job(file, [platform]),
        ring,
        collector=zone,
        state=state,
        clock=lambda: datetime.now(UTC) + timedelta(seconds=ahead),
        wall=lambda: time.time() + ahead,
        gates=gates,
        stop=stop,
    )
    # in a thread: packing a share's readings takes a tenth of a second, in which the devices of others would wait
    return await asyncio.to_thread(write_result, result, ring.private)


def main() -> None:
    """`python -m yunwei.inspect.collect.process KEYS STATE`: nothing that a library prints may get into the pipe."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    heap.share()
    stand_back(NICE)
    shipped()
    heap.settle()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.buffer, out))


if __name__ == "__main__":
    main()
