"""A whole platform as it is run: an instance of its own, `yunwei serve` over it, and a hand inside that asks and reads.

`with site() as platform:` makes the instance; `with platform.serve():` runs its processes. What the rows count is what
these processes do; the hand (`bench.site_work`) submits runs and reads what they proved, between the measurements.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import env
from yunwei.lab.process import FarmProcess

ROOT = env.ROOT
PATIENCE_S = 60.0
PASSWORD = "bench correct horse"  # noqa: S105 - of an instance that lives for minutes on loopback
USER = "b_manager"


def clean(**more: str) -> dict[str, str]:
    """The environment without another instance in it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO", "DATABASE_URL"))}
    return {**kept, **more}


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Hand:
    """The process inside the instance, asked line by line."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "bench.site_work", str(folder)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=clean(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def ask(self, do: str, **asked: Any) -> dict[str, Any]:
        """Its answer. Raises RuntimeError when it ended instead."""
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise RuntimeError("no pipes")
        into.write(json.dumps({"do": do, **asked}) + "\n")
        into.flush()
        line = out.readline()
        if not line:
            raise RuntimeError(f"the hand ended with {self._process.wait(10)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """No more questions: it ends by itself."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(30)


class Platform:
    """One instance and, inside `serve`, its processes."""

    def __init__(self, folder: Path, port: int, hand: Hand, ahead_s: float) -> None:
        self.folder, self.port, self.hand = folder, port, hand
        self.ahead_s = ahead_s  # how far the platform's clock stands off from this machine's
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serve(self, *, workers: int = 1) -> Iterator[int]:
        """`yunwei serve`, until the block ends; the id of the process above all others. Raises RuntimeError."""
        log = (self.folder / "serve.log").open("ab")
        command = [sys.executable, "-m", "yunwei.cli.main", "serve", "--workers", str(workers)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean(YUNWEI_INSTANCE=str(self.folder)), stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            self._await(process, workers)
            self._process = process
            yield process.pid
            self._lives()
        finally:
            self._process = None
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()

    def _lives(self) -> None:
        """Raises RuntimeError with the platform's last words when it has ended."""
        if self._process is not None and self._process.poll() is not None:
            words = (self.folder / "serve.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise RuntimeError(f"the platform ended with {self._process.returncode}: {' '.join(words[-3:])}")

    def _await(self, process: subprocess.Popen[bytes], workers: int) -> None:
        """Wait until the pages answer and every worker has told of itself."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if process.poll() is not None:
                raise RuntimeError(f"the platform ended with {process.returncode}")
            if self._answers() and self.hand.ask("workers")["alive"] >= workers:
                return
            time.sleep(0.2)
        raise RuntimeError("the platform did not come up")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/login", timeout=5) as answer:  # noqa: S310 - our own, on loopback
                return bool(answer.status == 200)
        except OSError:
            return False

    def register(self, farms: Mapping[str, FarmProcess]) -> None:
        """Everything in these farms becomes an asset, and lives in the platform's time."""
        self.hand.ask("register", endpoints=[endpoint for farm in farms.values() for endpoint in farm.endpoints])
        for farm in farms.values():
            farm.set_clock(self.ahead_s)

    def run(self, *names: str, most_s: float, every_s: float = 0.25, **asked: Any) -> dict[str, Any]:
        """Submit looks at the register, each run at its part of it, and wait until all have ended. Raises RuntimeError when
        they do not."""
        self.hand.ask("submit", runs=names, **asked)
        end = time.monotonic() + most_s
        while True:
            told = self.hand.ask("state", runs=names)
            if told["error"]:
                raise RuntimeError(f"{names[0]}: {told['error']}")
            if told["ended_at"]:
                return told
            self._lives()
            if time.monotonic() > end:
                raise RuntimeError(f"{names[0]}: {told['done']} of {told['total']} after {most_s:.0f} s")
            time.sleep(every_s)

    def proved(self, *names: str) -> dict[str, Any]:
        """What these runs came to."""
        return self.hand.ask("told", runs=names)


@contextmanager
def site(database: str = "") -> Iterator[Platform]:
    """A new instance on the embedded database (or a URL's), gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="yunwei-bench-") as parent:
        folder, port = Path(parent) / "instance", free_port()
        hand = Hand(folder)
        try:
            made = hand.ask("create", port=port, database=database, password=PASSWORD)
            yield Platform(folder, port, hand, made["ahead_s"])
        finally:
            hand.end()
