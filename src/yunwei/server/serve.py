"""`yunwei serve`: one machine's processes as children, started together and ended together."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.lab.build import control_spec
from yunwei.lab.serve import FarmProcess
from yunwei.server import instance

#: seconds a child may take to stop before it is killed
GRACE_S = 8.0


class ServeError(YunweiError):
    """A process of the platform did not start or did not stay."""


@dataclass
class Children:
    """Our child processes by name; only these are ever ended, by their id."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], log: Path) -> None:
        # asks the kernel to end the child when we are gone, however we went (util-linux; part of every Debian)
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with log.open("ab") as out:
            self.running[name] = subprocess.Popen(
                [*leash, *command],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def dead(self) -> str:
        """The name of a child that has ended, or ""."""
        return next((name for name, child in self.running.items() if child.poll() is not None), "")

    def stop(self) -> None:
        """End all children: ask, wait, then kill."""
        for child in self.running.values():
            if child.poll() is None:
                child.terminate()
        end = time.monotonic() + GRACE_S
        for child in self.running.values():
            try:
                child.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.running.clear()


class Controls:
    """The positive controls of this machine's collectors: a farm of its own process, known to every local zone."""

    def __init__(self) -> None:
        self._farm = FarmProcess(control_spec())
        self._known: set[str] = set()

    def start(self) -> None:
        """Start the farm of faulty devices."""
        self._farm.start()

    def register(self, now: datetime) -> None:
        """Make the controls known to zones that do not know them yet (zones are imported while we run)."""
        from yunwei.assets.models import Zone
        from yunwei.inspect import jobs, keys

        for zone in set(Zone.objects.values_list("code", flat=True)) - self._known:
            if not keys.is_remote(zone):
                for told in self._farm.endpoints:
                    jobs.register_control(
                        zone, told["protocol"], told["address"], told["port"], told["credential"], now=now
                    )
            self._known.add(zone)

    def stop(self) -> None:
        """End the farm."""
        self._farm.stop()


def require_free(port: int, *, hint: str) -> None:
    """Raise ServeError when the console's port is taken, before anything else is started.

    A second `serve` of one instance would otherwise put its positive controls in the place of those of the first.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web process does: a port just left is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServeError(
                _("端口打不开：{error}").format(error=error.strerror), where=str(port), hint=hint
            ) from None


def start(children: Children, folder: Path, *, web: bool = True, workers: int = 1) -> None:
    """Start the workers and the web process of an instance."""
    logs = folder / "data" / "log"
    logs.mkdir(exist_ok=True)
    for i in range(workers):
        children.start(f"worker-{i + 1}", [sys.executable, "-m", "yunwei.server.worker"], logs / f"worker-{i + 1}.log")
    if "traps" in instance.settings():
        children.start("traps", [sys.executable, "-m", "yunwei.server.traps"], logs / "traps.log")
    if web:
        children.start("web", [sys.executable, "-m", "yunwei.server.web"], logs / "web.log")


def _ended(name: str, children: Children) -> ServeError:
    code = children.running[name].poll()
    return ServeError(
        _("进程“{name}”已退出（{code}）").format(name=name, code=code),
        hint=_("查看实例目录下 data/log/{name}.log").format(name=name),
    )


def wait_for(condition: Callable[[], bool], children: Children, *, seconds: float, what: str) -> None:
    """Wait until the condition holds; raises ServeError when a child ends or the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if name := children.dead():
            raise _ended(name, children)
        if time.monotonic() > end:
            raise ServeError(
                _("等了 {n:.0f} 秒，{what}仍未就绪").format(n=seconds, what=what), hint=_("查看实例目录下 data/log/")
            )
        time.sleep(0.1)


def watch(children: Children, controls: Controls) -> None:
    """Stay until asked to stop; a child that ends ends the platform, whose supervisor (systemd) restarts it."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _frame: stopping.append(n))
    clock = instance.clock()
    while not stopping:
        if name := children.dead():
            raise _ended(name, children)
        controls.register(clock.now())
        time.sleep(1.0)
