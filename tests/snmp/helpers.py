"""Loopback agents of any behaviour, and the real net-snmp."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, settings

from yunwei.snmp import ber
from yunwei.snmp.agent import Agent, Table, answer
from yunwei.snmp.usm import V3
from yunwei.snmp.values import COUNTER64, INTEGER, OCTET_STRING

ENGINE = bytes.fromhex("80001f8804aabbccdd")
IF_TABLE = "1.3.6.1.2.1.2.2.1"
IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
IF_HC_IN = "1.3.6.1.2.1.31.1.1.1.6"
SYSTEM = "1.3.6.1.2.1.1"
USER = V3("operator", "SHA-256", "auth-password", "AES", "priv-password")


def rule(examples: int = 100) -> settings:
    """Settings of every property test here: the same examples every time, whatever else the machine is doing."""
    slow = [HealthCheck.too_slow]
    return settings(database=None, max_examples=examples, suppress_health_check=slow)


Reply = bytes | None
Behaviour = Callable[[bytes], Reply | Iterable[bytes]]


def content(tag: int, value: int | float | bytes | str | None) -> bytes:
    """The value's content bytes."""
    element = ber.encode_value(tag, value)
    _tag, start, stop = ber.read(element, 0, len(element))
    return element[start:stop]


def switch(ports: int = 40) -> Table:
    """A small switch: system group, ifTable columns 1-3 and 7-8, ifXTable columns 1 and 6."""
    records = [(f"{SYSTEM}.{n}.0", OCTET_STRING, f"system {n}".encode()) for n in (1, 4, 5, 6)]
    records.append((f"{SYSTEM}.2.0", 6, content(6, "1.3.6.1.4.1.2011.2.23.1")))
    for port in range(1, ports + 1):
        name = f"GigabitEthernet0/0/{port}".encode()
        records += [(f"{IF_TABLE}.{column}.{port}", INTEGER, content(INTEGER, column)) for column in (1, 3, 7, 8)]
        records += [(f"{IF_TABLE}.2.{port}", OCTET_STRING, name), (f"{IF_NAME}.{port}", OCTET_STRING, name)]
        records.append((f"{IF_HC_IN}.{port}", COUNTER64, content(COUNTER64, 2**63 + port)))
    return Table.build(records)


class _Server(asyncio.DatagramProtocol):
    def __init__(self, behaviour: Behaviour, delay: float) -> None:
        self.behaviour, self.delay = behaviour, delay
        self.seen: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.seen.append(data)
        replies = self.behaviour(data)
        for reply in [replies] if isinstance(replies, bytes) else replies or ():
            asyncio.get_running_loop().call_later(self.delay, self._send, reply, addr)

    def _send(self, reply: bytes, addr: tuple[str, int]) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(reply, addr)


@asynccontextmanager
async def serve(
    behaviour: Behaviour | Agent, *, delay: float = 0.0, now: Callable[[], int] = lambda: 1000
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """An agent on loopback: (port, datagrams it saw)."""
    act = behaviour
    if isinstance(behaviour, Agent):
        agent = behaviour

        def act(data: bytes) -> Reply:
            return answer(agent, data, now())

    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: _Server(act, delay), local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1], server.seen
    finally:
        transport.close()
        await asyncio.sleep(0)


def tool(name: str) -> str:
    """The path of a net-snmp program; a missing one is a failure: these tests are the judge of the codec."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed (apt install snmp snmpd): `make test` installs it")
    return path


def run_tool(name: str, *args: str, timeout: float = 15) -> subprocess.CompletedProcess[str]:
    """Run a net-snmp program without any configuration file of this machine."""
    command = [tool(name), *args]
    with tempfile.TemporaryDirectory(prefix="yunwei-net-snmp-") as state:
        environment = {"SNMPCONFPATH": state, "SNMP_PERSISTENT_DIR": state, "MIBS": "", "PATH": os.environ["PATH"]}
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)


def free_port() -> int:
    """A UDP port nobody listens on right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
