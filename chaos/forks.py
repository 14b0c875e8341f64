"""Children that may die: a function is done in a forked process, and what became of it is told."""

from __future__ import annotations

import faulthandler
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

#: seconds after which a child is taken for hanging, which is a fault like any other
PATIENCE_S = 120.0
#: seconds in which one that is asked to end has ended what it started
ENDING_S = 30.0
#: seconds between two calls of what is done while one is waited for
MEANWHILE_S = 0.2
#: seconds in which one that hangs says where
TELLING_S = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code (a negative one is the signal that killed it) and what its function returned.

    `problem` is the traceback of what it raised, or that it hung.
    """

    code: int
    value: Any = None
    problem: str = ""

    @property
    def killed(self) -> bool:
        """Whether it died of SIGKILL, as it was asked to."""
        return self.code == -signal.SIGKILL


class Running:
    """A function that is being done in a forked process whose output goes to `log` (None: where ours goes).

    Its value must be what JSON can say. The caller must have no thread and no open database: a fork copies neither whole.
    """

    def __init__(self, log: Path | None, act: Callable[[], Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._read, write = os.pipe()
        self._stacks = os.memfd_create("stacks")
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._read)
            faulthandler.register(signal.SIGUSR1, file=self._stacks, all_threads=True)
            _live(log, act, write)
        os.close(write)

    def ended(self) -> bool:
        """Whether it has ended (or said so much that it waits for us to listen)."""
        ready, _w, _x = select.select([self._read], [], [], 0.0)
        return bool(ready)

    def wait(self, patience: float = PATIENCE_S, meanwhile: Callable[[], None] | None = None) -> Ended:
        """How it ended; killed when it takes longer than `patience` seconds. `meanwhile` is called again and again until
        then. What ends us meanwhile ends it before."""
        try:
            said, hung = _listen(self._read, patience, meanwhile)
        except BaseException:
            self.end()
            raise
        where = self._kill() if hung else ""
        os.close(self._stacks)
        _pid, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if hung:
            return Ended(code, problem=f"hung for {patience:.0f} s\n{where}")
        told = json.loads(said) if said else {}
        return Ended(code, told.get("value"), told.get("problem", ""))

    def _kill(self) -> str:
        """Kill one that hangs; where each of its threads was."""
        os.kill(self.pid, signal.SIGUSR1)
        time.sleep(TELLING_S)
        os.kill(self.pid, signal.SIGKILL)
        return os.pread(self._stacks, 1 << 20, 0).decode(errors="replace")

    def end(self, patience: float = ENDING_S) -> None:
        """Ask it to end, so that it cleans up what it started; killed when it takes longer than `patience` seconds."""
        os.close(self._stacks)
        os.kill(self.pid, signal.SIGTERM)
        late = time.monotonic() + patience
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > late:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return
            time.sleep(0.02)


def end_when_asked() -> None:
    """Let SIGTERM end this process with all that it started; once, for another one would break off the cleaning up."""

    def asked(*_of: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(143)

    signal.signal(signal.SIGTERM, asked)


def child(
    log: Path | None,
    act: Callable[[], Any],
    *,
    patience: float = PATIENCE_S,
    meanwhile: Callable[[], None] | None = None,
) -> Ended:
    """Do a function in a forked process and wait for it, see `Running.wait`."""
    return Running(log, act).wait(patience, meanwhile)


def _live(log: Path | None, act: Callable[[], Any], write: int) -> NoReturn:
    """The child's whole life. It never returns into its parent's code."""
    if log is not None:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
    code = 0
    try:
        told: dict[str, Any] = {"value": act()}
    except BaseException:  # noqa: BLE001 - told to the parent, who judges
        told, code = {"problem": traceback.format_exc()}, 3
    data = json.dumps(told).encode()
    while data:
        data = data[os.write(write, data) :]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _listen(read: int, patience: float, meanwhile: Callable[[], None] | None) -> tuple[bytes, bool]:
    """What the child says until its end of the pipe closes; whether it took too long."""
    end = time.monotonic() + patience
    said = b""
    try:
        while True:
            left = max(0.0, end - time.monotonic())
            ready, _w, _x = select.select([read], [], [], left if meanwhile is None else min(left, MEANWHILE_S))
            if not ready and meanwhile is not None and left > 0:
                meanwhile()
                continue
            if not ready:
                return said, True
            piece = os.read(read, 1 << 16)
            if not piece:
                return said, False
            said += piece
    finally:
        os.close(read)
