"""The farm as a process of its own: what it prints, and a handle for whoever started it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import IO, Any, Self

import msgspec
import uvloop

from yunwei.kernel.i18n import _
from yunwei.lab import switch
from yunwei.lab.errors import LabError
from yunwei.lab.farm import Farm
from yunwei.lab.spec import FarmSpec


def run(spec: FarmSpec, *, until_eof: bool = False) -> None:
    """Serve until SIGINT or SIGTERM (or the end of standard input).

    Prints one JSON object a line: every endpoint, then `{"ready": true, "control": ..., "token": ...}`.
    """
    uvloop.run(_serve(spec, until_eof=until_eof))


async def _serve(spec: FarmSpec, *, until_eof: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Farm(spec) as farm:
        lines = [json.dumps(endpoint, ensure_ascii=False) for endpoint in farm.endpoints()]
        control = f"127.0.0.1:{farm.switch.port}"
        lines.append(json.dumps({"ready": True, "control": control, "token": farm.switch.token}))
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        if until_eof:
            loop.add_reader(sys.stdin, _watch_stdin, stop)
        await stop.wait()
        if until_eof:
            loop.remove_reader(sys.stdin)


def _watch_stdin(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()


class FarmProcess:
    """A farm in a child process: `with FarmProcess(spec) as farm:`; it ends with its parent, however that ends.

    `endpoints` are the lines the farm printed; `set` and `clear` switch faults while it runs.
    """

    def __init__(self, spec: FarmSpec) -> None:
        self.spec = spec
        self.endpoints: list[dict[str, Any]] = []
        self._control = 0
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] | None = None

    @property
    def pid(self) -> int:
        """The child's process id; 0 when it is not running."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> Self:
        """Start the child and wait until it serves. LabError with its own words when it does not."""
        command = [sys.executable, "-m", "yunwei.lab"]
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - not a pipe: one that nobody reads would stop the child
        # a group of its own: Ctrl-C is for the parent, which ends the farm when it has finished what it does
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words, start_new_session=True
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LabError(_("实验室没有启动"))
        try:
            stdin.write(msgspec.json.encode(self.spec) + b"\n")
            stdin.flush()
        except OSError as error:
            raise self._failed() from error
        for line in stdout:
            told = json.loads(line)
            if told.get("ready"):
                self._control = int(str(told["control"]).rpartition(":")[2])
                self._token = str(told["token"])
                return self
            self.endpoints.append(told)
        raise self._failed()

    def _failed(self) -> LabError:
        words: list[str] = []
        if self._process is not None and self._words is not None:
            self._process.wait(10)
            self._words.seek(0)
            words = self._words.read().decode(errors="replace").strip().splitlines()
        self.stop()
        return LabError(_("实验室没有启动：{words}").format(words=words[-1] if words else ""))

    def stop(self) -> None:
        """End the child by its id and wait for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout, self._words):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def set(self, address: str, fault: str, *, protocol: str = "") -> None:
        """Switch a fault on (LabError when the farm refuses)."""
        switch.ask(self._control, self._token, do="set", address=address, fault=fault, protocol=protocol)

    def clear(self, address: str, fault: str, *, protocol: str = "") -> None:
        """Switch a fault off."""
        switch.ask(self._control, self._token, do="clear", address=address, fault=fault, protocol=protocol)

    def set_clock(self, ahead_s: float) -> None:
        """Let the devices live so many seconds ahead of this machine."""
        switch.ask(self._control, self._token, do="clock", ahead_s=ahead_s)

    def sessions(self) -> dict[str, int]:
        """How many sessions each BMC holds, by address."""
        told: dict[str, int] = switch.ask(self._control, self._token, do="sessions")["sessions"]
        return told

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
