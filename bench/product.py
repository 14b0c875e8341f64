"""The product's side: a collector process as shipped. A signed job file goes in, the signed result file comes out.

What is measured is everything that a sweep pays outside the database: the job's signature and credentials, polling,
matching the vendor file, judging every reading, and writing and signing the result. Only the start is left out, which the
shipped collector pays once in its life.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.measure import Sample, digest, timed
from yunwei.gm import sm2
from yunwei.inspect.collect.job import Keyring, read_result, write_job
from yunwei.inspect.collect.process import Collectors
from yunwei.inspect.observation import DeviceResult, Job, Observation, Part, Target

ZONE = "bench"
NAME = "yunwei"
#: readings that differ from one second to the next, by their nature
MOVING = frozenset({"uptime", "clock", "runtime"})


class Product:
    """`with Product() as product:` a collector process; `look` runs one job in it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="yunwei-bench-")
        keys = Path(self._folder.name)
        self._platform, own = sm2.generate(), sm2.generate()
        (keys / "platform.pem").write_bytes(self._platform.to_pem())
        (keys / f"collector-{ZONE}.pem").write_bytes(own.to_pem())
        self._own = own.public
        self.ring = Keyring(own)
        self._collectors = Collectors(1, keys, keys / "state")

    def targets(
        self, endpoints: Iterable[Mapping[str, Any]], credential: Mapping[str, str], **more: Any
    ) -> list[Target]:
        """Targets for endpoints of a farm (as it printed them), all with one sealed credential."""
        sealed = self.ring.seal(credential)
        return [Target(e["address"], e["protocol"], e["address"], int(e["port"]), sealed, **more) for e in endpoints]

    def look(self, targets: Sequence[Target], *, budget_s: float = 120.0) -> tuple[Sample, list[DeviceResult]]:
        """One job over the targets: what it cost and what it found. Raises RuntimeError when a device was not read whole."""
        job = Job("part", "run", ZONE, datetime.now(UTC), list(targets), {}, budget_s, 20 * budget_s)
        file = write_job(job, self._platform)
        written, cpu_s, wall_s = timed(lambda: self._collectors(file, ZONE), pids=self._collectors.pids())
        devices = read_result(written, [self._own]).devices
        for device in devices:
            if device.problem is not None:
                raise RuntimeError(f"{device.asset}: {device.problem} {device.detail}")
        results = {device.asset: judged(device.observations, device.parts) for device in devices}
        return Sample(len(devices), cpu_s, wall_s, results), devices

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._collectors.stop()
        self._folder.cleanup()


def judged(observations: Iterable[Observation], parts: Iterable[Part]) -> str:
    """Count and digest of what was found at one device, without what moves with time."""
    rows = [
        f"{o.component}|{o.kind}|{o.name}|{o.value}|{o.unit}|{o.raw}|{o.state}"
        for o in observations
        if o.kind not in MOVING
    ]
    rows += [f"{p.component}|{p.kind}|{p.model}|{p.serial}|{p.firmware}|{p.size}|{p.present}" for p in parts]
    return digest(rows)
