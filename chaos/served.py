"""The platform as it is run: `yunwei serve` and its processes, restarted by us as a supervisor would, killed by their ids."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chaos import machine
from chaos.machine import Bed

#: seconds in which the platform must be there again, and in which whatever runs must have ended
BACK_S = 120.0
#: seconds between two tries to start it, as `Restart=always` with `RestartSec=1`
AGAIN_S = 1.0
#: looks that fall due by themselves on the day
OF_DAY = f"SELECT count(*) FROM runs_run WHERE id LIKE '%:{machine.DAY}:%'"  # noqa: S608 - a constant
ROLES = {"worker": r"yunwei\.server\.worker", "web": r"yunwei\.server\.web", "serve": r"yunwei\.server\.serve"}


def environment(home: Bed, more: Mapping[str, str]) -> dict[str, str]:
    """Ours without another instance in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO", "DATABASE_URL"))}
    return {**kept, "YUNWEI_INSTANCE": str(home.folder), "PYTHONDONTWRITEBYTECODE": "", **more}


class Platform:
    """`with Platform(home) as platform:` a served instance that is started again whenever it has ended."""

    def __init__(self, home: Bed, *, workers: int = 1, more: Mapping[str, str] | None = None) -> None:
        self.home, self._workers, self._more = home, workers, dict(more or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._known: set[int] = set()
        self.starts = 0
        self._tried = 0.0

    def __enter__(self) -> Platform:
        self.tend()
        self.wait(self.answers, "the console")
        return self

    def __exit__(self, *_error: object) -> None:
        """End it as its supervisor does, and whatever of it is left by its id."""
        self._note()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in self._known:
            if alive(pid, str(self.home.folder)):
                os.kill(pid, signal.SIGKILL)

    def tend(self) -> None:
        """Start it when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._note()
            return
        if time.monotonic() - self._tried < AGAIN_S:
            return
        self._tried = time.monotonic()
        self.starts += 1
        command = [sys.executable, "-m", "yunwei.cli.main", "serve", "--workers", str(self._workers)]
        with (self.home.work / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment(self.home, self._more), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def _note(self) -> None:
        if self._process is not None:
            self._known.update(descendants(self._process.pid))

    def pids(self, role: str) -> list[int]:
        """The living processes of a role."""
        if self._process is None:
            return []
        below = [self._process.pid, *descendants(self._process.pid)]
        return [pid for pid in below if re.search(ROLES[role], command_of(pid))]

    def kill(self, what: str) -> list[int]:
        """Kill one worker, the web process, or everything (`group`) at once; returns the ids."""
        if self._process is None:
            return []
        pids = [self._process.pid, *descendants(self._process.pid)] if what == "group" else self.pids(what)[:1]
        self._known.update(pids)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return pids

    def wait(self, condition: Callable[[], bool], what: str, *, seconds: float = BACK_S) -> float:
        """Tend it until a condition holds; seconds waited. Raises RuntimeError when it takes too long."""
        begun = time.monotonic()
        while not condition():
            self.tend()
            if time.monotonic() - begun > seconds:
                raise RuntimeError(f"waited {seconds:.0f} s for {what}\n{self.log()}")
            time.sleep(0.1)
        return time.monotonic() - begun

    def log(self, most: int = 2000) -> str:
        """The end of what its processes said."""
        files = [self.home.work / "serve.log", *sorted((self.home.folder / "data" / "log").glob("*.log"))]
        return "\n".join(f"{f.name}: {f.read_text(errors='replace')[-most:]}" for f in files if f.exists())

    def answers(self) -> bool:
        """Whether the console answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.home.port}/login", timeout=3) as page:
                return bool(page.status == 200)
        except (OSError, ValueError):
            return False


def call(port: int, token: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """Ask the API. Raises OSError when it does not answer, urllib's HTTPError (an OSError) when it refuses."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def ask_for(port: int, token: str, title: str, *, patience: float = BACK_S) -> str:
    """Open a ticket as a person does who is not sure that it was taken: look first, then ask again. Its number."""
    end = time.monotonic() + patience
    while True:
        try:
            rows = call(port, token, "/tickets?limit=200")["items"]
            found = [row["number"] for row in rows if row["title"] == title]
            if found:
                return str(found[0])
            return str(call(port, token, "/tickets", {"kind": "request", "title": title})["number"])
        except (OSError, ValueError, KeyError):  # gone, going, half an answer, or an error page
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def command_of(pid: int) -> str:
    """A process's command line, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def alive(pid: int, folder: str) -> bool:
    """Whether a process still is the one we started for this instance: ids are given anew."""
    try:
        return folder in Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    """All living processes below one."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += children
    return found


def settled(home: Bed) -> bool:
    """Whether every run has ended, the day's own among them (which of two looks finds a fault first must be no question),
    and every claim has its number."""
    ((runs,),) = home.rows("SELECT count(*) FROM runs_run WHERE ended_at IS NULL")
    ((of_day,),) = home.rows(OF_DAY)
    ((waiting,),) = home.rows("SELECT count(*) FROM ledger_waiting")
    return bool(of_day > 0 and runs == 0 and waiting == 0)
