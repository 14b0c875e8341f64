"""A farm in a child process, and the hand on it: started, told of faults while it runs, ended by its id.

Light, because it stays in processes that only watch: what a farm is made of is loaded by the child alone.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import tempfile
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from yunwei.kernel.children import end, program
from yunwei.kernel.i18n import _
from yunwei.lab.errors import LabError
from yunwei.lab.spec import FarmSpec

#: bytes of a line on the farm's switch
LINE_LIMIT = 65536


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

    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the child and wait until it serves. LabError with its own words when it does not."""
        command = program("yunwei.lab")
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
        end(process)
        for stream in (process.stdin, process.stdout, self._words):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def set(self, address: str, fault: str, *, protocol: str = "") -> None:
        """Switch a fault on (LabError when the farm refuses)."""
        ask(self._control, self._token, do="set", address=address, fault=fault, protocol=protocol)

    def clear(self, address: str, fault: str, *, protocol: str = "") -> None:
        """Switch a fault off."""
        ask(self._control, self._token, do="clear", address=address, fault=fault, protocol=protocol)

    def set_clock(self, ahead_s: float) -> None:
        """Let the devices live so many seconds ahead of this machine."""
        ask(self._control, self._token, do="clock", ahead_s=ahead_s)

    def sessions(self) -> dict[str, int]:
        """How many sessions each BMC holds, by address."""
        told: dict[str, int] = ask(self._control, self._token, do="sessions")["sessions"]
        return told

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def ask(
    port: int, token: str, *, do: str, address: str = "", fault: str = "", protocol: str = "", ahead_s: float = 0.0
) -> dict[str, Any]:
    """Tell a running farm to set or clear a fault, to set its clock, or ask what is set. LabError when it refuses or is
    not there."""
    message = {"token": token, "do": do, "address": address, "fault": fault, "protocol": protocol, "ahead_s": ahead_s}
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(json.dumps(message).encode() + b"\n")
            with sock.makefile("rb") as stream:
                reply: dict[str, Any] = json.loads(stream.readline(LINE_LIMIT * 16))
    except (OSError, ValueError) as error:
        raise LabError(_("实验室没有应答"), where=f"127.0.0.1:{port}", hint=_("先运行 yunwei lab farm")) from error
    if not reply["ok"]:
        raise LabError(str(reply["error"]), where=address)
    return reply
