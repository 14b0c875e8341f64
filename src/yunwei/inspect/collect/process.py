"""Collectors in processes of their own on this machine: a signed job file goes in, a signed result file comes out.

They use the machine's other cores, need no database, and end with their parent, however that ends. What is said over the
pipe: a line of JSON `{"zone", "ahead_s", "size"}` and so many bytes of the job file; back come `{"size"}` or
`{"error"}` and the result file.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from yunwei.gm import sm2
from yunwei.inspect.collect.job import JobError, Keyring, read_job, run_job, write_result
from yunwei.inspect.vendor import shipped
from yunwei.kernel import heap
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _


class Collectors:
    """`with Collectors(2, keys, state) as collectors:` then `collectors(job_file, zone)` from any thread.

    `keys` is the folder with `platform.pem` and each zone's `collector-<zone>.pem`; `state` what collectors remember over
    a crash. `ahead_s` says how far the clock of jobs and devices stands off from this machine's.
    """

    def __init__(self, count: int, keys: Path, state: Path, *, ahead_s: Callable[[], float] = lambda: 0.0) -> None:
        self._command = [sys.executable, "-m", "yunwei.inspect.collect.process", str(keys), str(state)]
        self._ahead_s = ahead_s
        self._all: list[subprocess.Popen[bytes]] = []
        self._free: queue.Queue[subprocess.Popen[bytes]] = queue.Queue()
        for _n in range(count):
            child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            self._all.append(child)
            self._free.put(child)

    def __call__(self, job: bytes, zone: str) -> bytes:
        """The result of a job. Waits for a free collector; raises JobError when it could not be done."""
        child = self._free.get()
        try:
            return self._exchange(child, job, zone)
        finally:
            self._free.put(child)

    def _exchange(self, child: subprocess.Popen[bytes], job: bytes, zone: str) -> bytes:
        into, out = child.stdin, child.stdout
        if into is None or out is None:
            raise JobError(_("采集进程没有启动"))
        try:
            _send(into, {"zone": zone, "ahead_s": self._ahead_s()}, job)
            told, result = _receive(out)
        except (OSError, ValueError, EOFError):
            raise JobError(_("采集进程中断")) from None
        if told.get("error"):
            raise JobError(str(told["error"]))
        return result

    def pids(self) -> list[int]:
        """The processes' ids."""
        return [child.pid for child in self._all]

    def stop(self) -> None:
        """End them: their input ends, and they with it."""
        for child in self._all:
            if child.stdin is not None:
                child.stdin.close()
        for child in self._all:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        self._all.clear()

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


def serve(keys: Path, state: Path, into: IO[bytes], out: IO[bytes]) -> None:
    """Do jobs until the input ends."""
    platform = sm2.PrivateKey.from_pem((keys / "platform.pem").read_bytes()).public
    rings: dict[str, Keyring] = {}
    while True:
        try:
            facts, file = _receive(into)
        except EOFError:
            return
        zone, ahead = str(facts["zone"]), float(facts["ahead_s"])
        try:
            if zone not in rings:
                rings[zone] = Keyring(sm2.PrivateKey.from_pem((keys / f"collector-{zone}.pem").read_bytes()))
            result = _do(file, platform, rings[zone], zone, state / zone, ahead)
        except (YunweiError, OSError) as error:
            _send(out, {"error": str(error)}, b"")
        else:
            _send(out, {}, result)


def _do(file: bytes, platform: sm2.PublicKey, ring: Keyring, zone: str, state: Path, ahead: float) -> bytes:
    result = run_job(
        read_job(file, [platform]),
        ring,
        collector=zone,
        state=state,
        clock=lambda: datetime.now(UTC) + timedelta(seconds=ahead),
        wall=lambda: time.time() + ahead,
    )
    return write_result(result, ring.private)


def main() -> None:
    """`python -m yunwei.inspect.collect.process KEYS STATE`: nothing that a library prints may get into the pipe."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    shipped()
    heap.settle()
    serve(Path(sys.argv[1]), Path(sys.argv[2]), sys.stdin.buffer, out)


if __name__ == "__main__":
    main()
