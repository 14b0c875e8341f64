"""`yunwei serve`: one machine's processes as children, started together and ended together."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from yunwei.kernel import i18n
from yunwei.kernel.children import leashed, program
from yunwei.kernel.errors import YunweiError, words
from yunwei.kernel.i18n import _
from yunwei.lab.build import control_spec
from yunwei.lab.process import FarmProcess
from yunwei.server import controls, instance

#: seconds a child may take to stop before it is killed
GRACE_S = 8.0


class ServeError(YunweiError):
    """A process of the platform did not start or did not stay."""


@dataclass
class Children:
    """Our child processes by name; only these are ever ended, by their id."""

    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], log: Path, told: Mapping[str, str] | None = None) -> None:
        """Start one; `told` is added to its environment."""
        with log.open("ab") as out:
            self.running[name] = subprocess.Popen(
                leashed(command),
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **(told or {})},
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
    """The positive controls of this machine's collectors: a farm of faulty devices in a process of its own."""

    def __init__(self) -> None:
        self._farm = FarmProcess(control_spec())

    def start(self) -> None:
        """Start it. LabError when it does not come."""
        self._farm.start()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._farm.alive()

    def told(self) -> dict[str, str]:
        """What a worker must find in its environment."""
        return {controls.VARIABLE: json.dumps(self._farm.endpoints)}

    def stop(self) -> None:
        """End it."""
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


def start(children: Children, folder: Path, *, given: Controls, web: bool = True, workers: int = 1) -> None:
    """Start the workers, which are told of the controls, and the web process of an instance."""
    logs = folder / "data" / "log"
    logs.mkdir(exist_ok=True)
    for i in range(workers):
        name = f"worker-{i + 1}"
        children.start(name, program("yunwei.server.worker"), logs / f"{name}.log", given.told())
    if "traps" in instance.settings():
        children.start("traps", program("yunwei.server.traps"), logs / "traps.log")
    if web:
        children.start("web", program("yunwei.server.web"), logs / "web.log")


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


def asked_to_stop() -> Callable[[], bool]:
    """From now on SIGTERM and SIGINT end nothing by themselves: what comes back says whether one came."""
    came: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _frame: came.append(n))
    return lambda: bool(came)


def watch(children: Children, controls: Controls, stop: Callable[[], bool]) -> None:
    """Stay until asked to stop; a child that ends ends the platform, whose supervisor (systemd) restarts it."""
    while not stop():
        if name := children.dead():
            raise _ended(name, children)
        if not controls.alive():  # without them no look proves anything
            raise ServeError(_("阳性对照设备的进程已退出"))
        time.sleep(0.5)


def run(workers: int) -> None:
    """An instance's processes, from here until a signal; raises ServeError or LabError when one does not come or stay."""
    stop = asked_to_stop()
    children, given = Children(), Controls()
    try:
        given.start()
        start(children, instance.folder(), workers=workers, given=given)
        port = instance.port_of(instance.folder())
        with contextlib.suppress(OSError):  # a broken pipe is no reason not to serve
            sys.stderr.write(_("控制台：http://127.0.0.1:{port}/").format(port=port) + "\n")
        watch(children, given, stop)
    finally:
        children.stop()
        given.stop()


def become(workers: int) -> NoReturn:
    """Let this process go on as the one above all others, without what it has loaded: it does nothing but wait, for weeks,
    and Django with all rooms is 60 MB."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.environ["YUNWEI_LANG"] = i18n.chosen()
    os.execv(sys.executable, program("yunwei.server.serve", str(workers)))  # noqa: S606 - ourselves


def main() -> None:
    """`python -m yunwei.server.serve WORKERS`, which `yunwei serve` becomes."""
    i18n.use(os.environ.get("YUNWEI_LANG", i18n.chosen()))
    try:
        run(int(sys.argv[1]))
    except YunweiError as error:
        _refuse(str(error), error.exit_code)
    except OSError as error:  # no permission, disk full
        _refuse(words(error), YunweiError.exit_code)


def _refuse(text: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):  # nobody reads it any more
        sys.stderr.write(f"✗ {text}\n")
        sys.stderr.flush()
    os._exit(code)  # a stream that cannot be written would change the code


if __name__ == "__main__":
    main()
