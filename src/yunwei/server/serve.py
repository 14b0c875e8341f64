"""`yunwei serve`: one machine's processes as children, started together and ended together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from yunwei.kernel.errors import YunweiError
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
        with log.open("ab") as out:
            self.running[name] = subprocess.Popen(
                command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
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


def yunwei(*words: str) -> list[str]:
    """The command line of one of our own commands, by this very interpreter."""
    return [sys.executable, "-m", "yunwei.cli.main", *words]


def start(children: Children, folder: Path, *, web: bool = True, workers: int = 1) -> None:
    """Start the control farm, the workers and the web process of an instance."""
    logs = folder / "data" / "log"
    logs.mkdir(exist_ok=True)
    children.start(
        "control", yunwei("lab", "control", "--out", str(folder / "data" / "control.json")), logs / "control.log"
    )
    for i in range(workers):
        children.start(f"worker-{i + 1}", yunwei("worker"), logs / f"worker-{i + 1}.log")
    if web:
        port = instance.settings()["web"]["port"]
        gunicorn = [sys.executable, "-m", "gunicorn", "yunwei.server.wsgi:application", "--bind", f"127.0.0.1:{port}"]
        gunicorn += ["--worker-class", "gthread", "--threads", "4", "--graceful-timeout", "3", "--no-control-socket"]
        children.start("web", gunicorn, logs / "web.log")


def wait_for(condition: Callable[[], bool], children: Children, *, seconds: float, what: str) -> None:
    """Wait until the condition holds; raises ServeError when a child ends or the time is over."""
    end = time.monotonic() + seconds
    while not condition():
        if name := children.dead():
            raise ServeError(f"进程“{name}”已退出", hint=f"查看实例目录下 data/log/{name}.log")
        if time.monotonic() > end:
            raise ServeError(f"等了 {seconds:.0f} 秒，{what}仍未就绪", hint="查看实例目录下 data/log/")
        time.sleep(0.1)


def watch(children: Children, *, report: Callable[[str], None]) -> None:
    """Stay until asked to stop; a child that ends is reported and ends the platform, whose supervisor restarts it."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _frame: stopping.append(n))
    while not stopping:
        if name := children.dead():
            report(json.dumps({"ended": name}))
            raise ServeError(f"进程“{name}”已退出", hint=f"查看实例目录下 data/log/{name}.log")
        time.sleep(0.5)
