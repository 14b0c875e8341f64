"""Deep inspection of BMCs by Redfish: the product's sweep against sushy and `requests`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from bench.measure import Measured, Sample, Side, alternate
from bench.model import Claim, Row, RowFunction, at_least
from bench.peer import Peer
from bench.product import NAME, Product
from bench.servers import asked_by_product, login, read_by_peer, servers
from bench.shares import bound_redfish

LATENCY_MS = 50.0
THREADS = 16
#: neither peer verifies certificates here, and loading the system's list of authorities for each connection anyway can cost
#: more than all the rest: they are spared it
NO_CA = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
OURS = "ours: the collector as shipped, one session for each BMC and at most two connections, every reading judged"
SUSHY = (
    "sushy: its own resources, its connector where it has none, one session for each BMC; by its own choice it makes a"
    " connection for every request; it judges nothing"
)
REQUESTS = f"requests: {THREADS} threads, a session for each BMC, the same GETs; it judges nothing"


def _peer(name: str, peer: Peer, asked: Mapping[str, Any], endpoints: Sequence[Mapping[str, Any]]) -> Side:
    """A peer's side over some BMCs."""
    devices = [(endpoint["address"], endpoint["port"]) for endpoint in endpoints]

    def run() -> Sample:
        done = peer.run({**asked, "devices": devices})
        results = {address: read_by_peer(address, bodies) for address, bodies in done.given.items()}
        return Sample(len(devices), done.cpu_s, done.wall_s, results)

    return Side(name, run)


def _figures(measured: Measured) -> Any:
    return measured.figures("CPU per BMC", lambda sample: sample.cpu, "ms", 1000.0) + measured.figures(
        "BMCs per second", lambda sample: sample.rate, "/s"
    )


def cpu(quick: bool) -> Row:
    """Redfish deep inspection, CPU per BMC"""
    ours, theirs, times = (60, 6, 3) if quick else (300, 20, 7)
    with servers(ours) as farm, Product() as product, Peer("sushy_look", NO_CA) as sushy:
        uris = asked_by_product(farm.endpoints[0])
        targets = product.targets(farm.endpoints, login(), profile="deep")
        asked = {**login(), "uris": uris}
        sides = [Side(NAME, lambda: product.look(targets)[0]), _peer("sushy", sushy, asked, farm.endpoints[:theirs])]
        measured = alternate(sides, times)
        what = "" if measured.void else bound_redfish(farm.endpoints, login(), uris)
    value = measured.ratio("sushy", NAME, lambda sample: sample.cpu)
    return Row(
        claims=(Claim("CPU per BMC, theirs / ours", at_least(6), value, "sushy"),), figures=_figures(measured),
        equal=measured.equal, void=measured.void, bound=what,
        notes=(OURS, SUSHY, f"{len(uris)} GETs a BMC over TLS"),
    )  # fmt: skip


def _waits(runs: Sequence[Sample], gets: int) -> str:
    """What a sweep of waiting BMCs is bound by: its collector's core, and what no core can shorten."""
    cpu, wall = (sum(getattr(run, name) for run in runs) for name in ("cpu_s", "wall_s"))
    least = (gets / 2 + 3) * LATENCY_MS / 1000
    return (
        f"one collector process on one core, which was busy {cpu / wall:.0%} of the time; one BMC alone cannot be read in"
        f" less than {least:.1f} s ({gets} GETs two at a time, login, logout and root, {LATENCY_MS:.0f} ms each), whatever"
        " the core; more collectors on more cores go on from here"
    )


def rate(quick: bool) -> Row:
    """Redfish deep inspection at 50 ms latency, BMCs per second"""
    ours, one, many, times = (100, 2, 16, 2) if quick else (500, 5, 96, 5)
    with (
        servers(ours, latency_ms=LATENCY_MS) as farm, Product() as product,
        Peer("sushy_look", NO_CA) as sushy, Peer("requests_look", NO_CA) as threads,
    ):  # fmt: skip
        uris = asked_by_product(farm.endpoints[0])
        targets = product.targets(farm.endpoints, login(), profile="deep")
        asked = {**login(), "uris": uris, "threads": THREADS}
        sides = [
            Side(NAME, lambda: product.look(targets)[0]),
            _peer("sushy, one after the other", sushy, asked, farm.endpoints[:one]),
            _peer(f"requests, {THREADS} threads", threads, asked, farm.endpoints[:many]),
        ]
        measured = alternate(sides, times)
    what = "" if measured.void else _waits(measured.samples[NAME], len(uris))
    values = [measured.ratio(NAME, side.name, lambda sample: sample.rate) for side in sides[1:]]
    return Row(
        claims=(
            Claim("BMCs per second, ours / theirs", at_least(20), values[0], sides[1].name),
            Claim("BMCs per second, ours / theirs", at_least(4), values[1], sides[2].name),
        ),
        figures=_figures(measured), equal=measured.equal, void=measured.void, bound=what,
        notes=(OURS, SUSHY, REQUESTS, f"{len(uris)} GETs a BMC over TLS, {LATENCY_MS:.0f} ms before every answer"),
    )  # fmt: skip


ROWS: dict[str, RowFunction] = {"redfish-cpu": cpu, "redfish-rate": rate}
