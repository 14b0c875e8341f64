"""Servers of the farm for the Redfish rows: the lab's own server without `$expand`, and what a peer read, judged.

Without `$expand` every side has to GET each resource by itself, as with most BMCs in the field; where a BMC offers it the
product needs fewer requests, which no row takes credit for.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.product import judged
from yunwei.gm import sm2
from yunwei.inspect.collect.job import Keyring, run_job
from yunwei.inspect.collect.redfish_http import Answer, Bmc
from yunwei.inspect.observation import Job, Target
from yunwei.inspect.vendor import apply_redfish, shipped
from yunwei.lab.build import credentials, device
from yunwei.lab.find import OWN
from yunwei.lab.process import FarmProcess
from yunwei.lab.spec import FarmSpec, addresses, number_copies

SEED, SAMPLE, FIRST = "bench", "bench-server", "127.44.0.1"
ROOT = "/redfish/v1"


def login() -> dict[str, str]:
    """The account of every server."""
    account = credentials(SEED)[2]
    return {"user": account.user, "password": account.password}


@contextmanager
def servers(count: int, *, latency_ms: float = 0.0) -> Iterator[FarmProcess]:
    """A farm of so many servers with TLS, each with its own serial numbers; `latency_ms` is added to every answer."""
    tree = json.loads((OWN / "lab-server.tree.json").read_text(encoding="utf-8"))
    tree[ROOT].pop("ProtocolFeaturesSupported")
    with tempfile.TemporaryDirectory(prefix="yunwei-bench-") as folder:
        (Path(folder) / f"{SAMPLE}.tree.json").write_text(json.dumps(tree), encoding="utf-8")
        places = addresses(FIRST, count)
        devices = [device("redfish", place, SAMPLE, SEED, latency_ms=latency_ms) for place in places]
        with FarmProcess(FarmSpec(devices=number_copies(devices), samples=(folder,), seed=SEED)) as farm:
            yield farm


def asked_by_product(endpoint: Mapping[str, Any]) -> list[str]:
    """The URIs that the product's deep look GETs from one server, in its order: peers that only fetch get this list."""
    asked: list[str] = []
    ring, get = Keyring(sm2.generate()), Bmc.get

    async def noting(self: Bmc, uri: str) -> Answer:
        asked.append(uri)
        return await get(self, uri)

    target = Target(
        "one", "redfish", endpoint["address"], int(endpoint["port"]), ring.seal(login()), profile="deep"
    )  # fmt: skip
    with patch.object(Bmc, "get", noting):
        run_job(Job("plan", "plan", "plan", datetime.now(UTC), [target]), ring)
    return asked


def read_by_peer(address: str, bodies: Mapping[str, Mapping[str, Any]]) -> str:
    """What a peer's resources (URI to body) mean, judged by the product's own vendor file."""
    tree = {uri.rstrip("/"): body for uri, body in bodies.items()}
    systems, managers = ([b for u, b in tree.items() if u.startswith(f"{ROOT}/{kind}/") and u.count("/") == 4]
                         for kind in ("Systems", "Managers"))  # fmt: skip
    vendor = shipped().match_redfish(tree[ROOT], systems, managers)
    reading = apply_redfish(vendor, tree, Target(address, "redfish", address), {})
    return judged(reading.observations, reading.parts)
