"""Where the product's CPU for one device goes: what bounds a row, measured and not guessed, and how far the limit is."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch

import asyncssh

from bench.switches import capture
from yunwei.gm import sm2
from yunwei.inspect.collect import redfish, snmp, ssh
from yunwei.inspect.collect.base import Look
from yunwei.inspect.collect.job import Keyring, run_job, write_result
from yunwei.inspect.collect.redfish_http import SESSIONS
from yunwei.inspect.observation import DeviceResult, Job, Target
from yunwei.kernel import heap

T = TypeVar("T")
COUNT = 60
HOSTS = 12


class Shares(NamedTuple):
    """Milliseconds of CPU a device in one process, by part; the first device's result as an example."""

    asking: float
    judging: float
    storable: float
    file: float
    device: DeviceResult

    @property
    def all(self) -> float:
        """All parts together."""
        return self.asking + self.judging + self.storable + self.file

    def rest(self) -> str:
        """What is done beside asking, which no peer does."""
        return (
            f"{self.judging:.1f} judging {len(self.device.observations)} readings and {len(self.device.parts)} parts,"
            f" {self.storable:.1f} making them storable, {self.file:.1f} packing and signing the result file"
        )


def shares(targets: Sequence[Target], ring: Keyring, judge: tuple[ModuleType, str]) -> Shares:
    """One job in this process, its parts timed: asking and decoding, judging, making storable, the signed file."""
    spent = {"judging": 0.0, "storable": 0.0}

    def timing(name: str, work: Callable[..., T]) -> Callable[..., T]:
        def timed(*arguments: Any, **named: Any) -> T:
            start = time.process_time()
            try:
                return work(*arguments, **named)
            finally:
                spent[name] += time.process_time() - start

        return timed

    job = Job("part", "run", "bench", datetime.now(UTC), list(targets))
    heap.settle()  # as a collector does
    run_job(job, ring)  # what is cached in the life of a collector is cached now
    module, name = judge
    with ExitStack() as stack:
        stack.enter_context(patch.object(module, name, timing("judging", getattr(module, name))))
        stack.enter_context(patch.object(Look, "result", timing("storable", Look.result)))
        start = time.process_time()
        result = run_job(job, ring)
        whole = time.process_time() - start
    start = time.process_time()
    write_result(result, ring.private)
    file = time.process_time() - start
    ms = 1000 / len(targets)
    asking = whole - sum(spent.values())
    return Shares(asking * ms, spent["judging"] * ms, spent["storable"] * ms, file * ms, result.devices[0])


def _targets(
    endpoints: Sequence[Mapping[str, Any]], credential: Mapping[str, str], most: int, **more: Any
) -> tuple[list[Target], Keyring]:
    ring = Keyring(sm2.generate())
    sealed = ring.seal(credential)
    found = [
        Target(e["address"], e["protocol"], e["address"], int(e["port"]), sealed, **more) for e in endpoints[:most]
    ]
    return found, ring


def bound(endpoints: Sequence[Mapping[str, Any]], credential: Mapping[str, str]) -> str:
    """Of the SNMP rows."""
    targets, ring = _targets(endpoints, credential, COUNT)
    found = shares(targets, ring, (snmp, "apply_snmp"))
    counts = found.device.counts
    return (
        f"of {found.all:.1f} ms a switch in one process, {found.asking:.1f} are asking and decoding"
        f" ({counts['requests']} requests, {counts['bytes_in']:,} bytes, about {len(capture()):,} values),"
        f" {found.rest()}; the peers do the first of these alone"
    )


def bound_redfish(endpoints: Sequence[Mapping[str, Any]], credential: Mapping[str, str], uris: Sequence[str]) -> str:
    """Of the Redfish rows: the limit is the same requests over the same TLS with nothing in between."""
    targets, ring = _targets(endpoints, credential, COUNT, profile="deep")
    found = shares(targets, ring, (redfish, "judged"))
    counts = found.device.counts
    hands, gets = _wire(endpoints[: min(COUNT, len(endpoints))], credential, uris)
    floor = hands + gets
    return (
        f"of {found.all:.1f} ms a BMC in one process, {found.asking:.1f} are asking over TLS"
        f" ({counts['requests']} requests, {counts['bytes_in']:,} bytes), {found.rest()}; the same requests written by"
        f" hand to a blocking socket, nothing decoded, cost {floor:.1f} ms ({hands:.1f} the handshake): asking stands"
        f" at {found.asking / floor:.1f} times what Python's own TLS needs"
    )


def _wire(
    endpoints: Sequence[Mapping[str, Any]], credential: Mapping[str, str], uris: Sequence[str]
) -> tuple[float, float]:
    """Milliseconds of CPU a BMC: one handshake, and a login, the GETs and a logout as bytes, bodies thrown away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    account = f'{{"UserName": "{credential["user"]}", "Password": "{credential["password"]}"}}'
    hands = gets = 0.0
    for endpoint in endpoints:
        start = time.process_time()
        with (
            socket.create_connection((endpoint["address"], int(endpoint["port"])), 10) as plain,
            context.wrap_socket(plain) as wire,
        ):
            hands += time.process_time() - start
            start = time.process_time()
            head = f"POST {SESSIONS} HTTP/1.1\r\nHost: b\r\nContent-Length: {len(account)}\r\n\r\n{account}"
            told = _exchange(wire, head)
            names = dict(line.split(": ", 1) for line in told.split("\r\n")[1:] if ": " in line)
            token = f"X-Auth-Token: {names['X-Auth-Token']}\r\n"
            for uri in uris:
                _exchange(wire, f"GET {uri} HTTP/1.1\r\nHost: b\r\n{token}\r\n")
            _exchange(wire, f"DELETE {names['Location']} HTTP/1.1\r\nHost: b\r\n{token}\r\n")
            gets += time.process_time() - start
    ms = 1000 / len(endpoints)
    return hands * ms, gets * ms


def _exchange(wire: ssl.SSLSocket, request: str) -> str:
    """One request; the head of its answer, when the body has come whole."""
    wire.sendall(request.encode())
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += wire.recv(65536)
    head, _end, body = raw.partition(b"\r\n\r\n")
    size = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    have = len(body)
    while have < size:
        have += len(wire.recv(65536))
    return head.decode("latin-1")


def bound_ssh(endpoints: Sequence[Mapping[str, Any]], credential: Mapping[str, str]) -> str:
    """Of the SSH row: the limit is a key exchange and a login that ask for nothing."""
    targets, ring = _targets(endpoints, credential, HOSTS)
    found = shares(targets, ring, (ssh, "judge"))
    ask = [_greet(target, credential) for target in targets]
    start = time.process_time()
    asyncio.run(_all(ask))
    greeting = (time.process_time() - start) * 1000 / len(targets)
    return (
        f"of {found.all:.1f} ms a host in one process, {greeting:.1f} are asyncssh's key exchange and login, which ask for"
        f" nothing yet, {max(0.0, found.asking - greeting):.1f} the one exec and its {found.device.counts['bytes_in']:,}"
        f" bytes; judging is {found.judging:.1f}, the result file {found.file:.1f}; no look is cheaper than its login"
    )


async def _all(work: Sequence[Callable[[], Awaitable[None]]]) -> None:
    await asyncio.gather(*(one() for one in work))


def _greet(target: Target, credential: Mapping[str, str]) -> Callable[[], Awaitable[None]]:
    """A connection to one host that is closed as soon as we are let in."""

    async def greet() -> None:
        key = asyncssh.import_private_key(credential["private_key"])
        options = {"config": None, "agent_path": None, "known_hosts": None, "kex_algs": ssh.KEX}
        async with asyncssh.connect(
            target.address, target.port, username=credential["user"], client_keys=[key], **options
        ):  # fmt: skip
            return

    return greet
