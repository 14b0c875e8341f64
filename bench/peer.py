"""A peer in its own environment, seen from the bench: `with Peer("pysnmp_poll") as peer: peer.run({...})`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

from bench import env


class Outcome(NamedTuple):
    """What one run of a peer cost (its process and the children it waited for) and gave."""

    cpu_s: float
    wall_s: float
    given: Any


class Peer:
    """The module `bench.peers.NAME` as a process of the peers' environment; ends with its input. Raises MissingPeer.

    With `ours` the module `bench.NAME` in the product's environment: a part of the product beside its peers.
    """

    def __init__(self, name: str, environment: Mapping[str, str] | None = None, *, ours: bool = False) -> None:
        python, module = (sys.executable, f"bench.{name}") if ours else (str(env.python()), f"bench.peers.{name}")
        command = [python, "-W", "ignore", "-m", module]
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=env.ROOT,
            env={**os.environ, **(environment or {})}, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, asked: Mapping[str, Any]) -> Outcome:
        """One run. Raises RuntimeError with the peer's words when it failed."""
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise RuntimeError(f"{self.name} did not start")
        into.write(json.dumps(asked) + "\n")
        into.flush()
        line = out.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._process.wait(10)}")
        told = json.loads(line)
        if told["error"]:
            raise RuntimeError(f"{self.name}: {told['error']}")
        return Outcome(told["cpu_s"], told["wall_s"], told["given"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
