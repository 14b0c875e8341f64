"""The farm: one UDP socket and one TCP listener that play every device of a `FarmSpec` at its own loopback address.

The local address of a packet or connection picks the device. Nothing is kept per device until it is first spoken to.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from yunwei.kernel.i18n import _
from yunwei.lab import find, http, net
from yunwei.lab.agents import ANCHOR, Sample, SnmpDevice
from yunwei.lab.errors import LabError
from yunwei.lab.overlay import SLOW_MS, check_faults
from yunwei.lab.redfish import Bmc, Request, Response
from yunwei.lab.spec import DeviceSpec, FarmSpec, check
from yunwei.lab.switch import Switch
from yunwei.lab.tls import Contexts
from yunwei.lab.tree import Tree

PACKETS_PER_TURN = 256
HANDSHAKE_S = 30.0


class _Face:
    """What a connection sees of a BMC: its state with the farm's clock, delays and losses."""

    def __init__(self, farm: Farm, address: str) -> None:
        self._farm = farm
        self._address = address

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        self._farm.asked += 1
        return self._farm.bmc(self._address).respond(request, self._farm.now())

    def delay_s(self) -> float:
        """Seconds to wait before an answer leaves."""
        return self._farm.delay_s("redfish", self._address)

    def lost(self) -> bool:
        """Whether this exchange is lost on the way."""
        return self._farm.lost("redfish", self._address)


class Farm:
    """`async with Farm(spec) as farm:` - then `farm.snmp_port`, `farm.redfish_port`, `farm.set_fault(...)`.

    `now` gives the wall clock in seconds since the epoch (injected by tests). Raises LabError on entry for a spec that
    cannot be served: unknown sample or fault, address outside loopback, port taken.
    """

    def __init__(self, spec: FarmSpec, *, now: Callable[[], float] = time.time) -> None:
        check(spec)
        self.spec = spec
        self.now = now
        self.snmp_port = 0
        self.redfish_port = 0
        self.dropped = 0  # answers that did not fit into the socket's buffer
        self.asked = 0  # packets and requests that devices have heard
        self._specs = {(device.protocol, device.address): device for device in spec.devices}
        self._faults = {key: frozenset(device.faults) for key, device in self._specs.items() if device.faults}
        self._files = find.find([*map(Path, spec.samples), *find.own_folders()])
        self._samples: dict[str, Sample] = {}
        self._trees: dict[str, Tree] = {}
        self._snmp: dict[str, SnmpDevice] = {}
        self._bmcs: dict[str, Bmc] = {}
        self._contexts = Contexts(spec.seed)
        self._connections: dict[str, set[http.Connection]] = {}
        self._handshakes: set[asyncio.Task[None]] = set()
        self._dice = random.Random(spec.seed)  # noqa: S311 - losses, repeatable
        self._udp: socket.socket | None = None
        self._tcp: socket.socket | None = None
        self._unheard: list[socket.socket] = []  # to dead devices, where the kernel does not drop them for us
        self.switch = Switch(self)

    async def __aenter__(self) -> Self:
        for key, device in self._specs.items():
            self._check_device(key, device)
        loop = asyncio.get_running_loop()
        try:
            if any(protocol == "snmp" for protocol, _address in self._specs):
                self._udp = net.udp_socket(self.spec.snmp_port)
                self.snmp_port = self._udp.getsockname()[1]
                loop.add_reader(self._udp, self._read_udp, self._udp)
            if any(protocol == "redfish" for protocol, _address in self._specs):
                self._tcp = net.tcp_listener(self.spec.redfish_port)
                self.redfish_port = self._tcp.getsockname()[1]
                loop.add_reader(self._tcp, self._accept, self._tcp)
            await self.switch.start(self.spec.control_port)
        except OSError as error:
            await self.aclose()
            raise LabError(_("实验室打不开端口：{error}").format(error=error.strerror)) from error
        self._silence()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop answering and close every connection."""
        loop = asyncio.get_running_loop()
        for sock in (self._udp, self._tcp):
            if sock is not None:
                loop.remove_reader(sock)
                sock.close()
        self._udp = self._tcp = None
        self._forget_unheard()
        await self.switch.stop()
        for task in self._handshakes:
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        for connection in [one for group in self._connections.values() for one in group]:
            connection.drop()
        await asyncio.sleep(0)  # let the transports close

    def _check_device(self, key: tuple[str, str], device: DeviceSpec) -> None:
        check_faults(device.faults, device.protocol, where=device.address)
        sample = self.tree(device.sample) if device.protocol == "redfish" else self.sample(device.sample)
        sample.variant(self._faults.get(key, frozenset()))

    # --- samples and devices, made when first needed

    def sample(self, name: str) -> Sample:
        """The SNMP sample of this name, loaded once. LabError when there is none."""
        if name not in self._samples:
            self._samples[name] = Sample(self._file("snmp", name))
        return self._samples[name]

    def tree(self, name: str) -> Tree:
        """The Redfish sample of this name, loaded once. LabError when there is none."""
        if name not in self._trees:
            self._trees[name] = Tree(self._file("redfish", name))
        return self._trees[name]

    def _file(self, protocol: str, name: str) -> find.SampleFile:
        file = self._files.get((protocol, name))
        if file is None:
            raise LabError(_("没有名为 {name} 的 {protocol} 样本").format(name=name, protocol=protocol))
        return file

    def snmp(self, address: str) -> SnmpDevice:
        """The SNMP device at an address (KeyError when none is there)."""
        device = self._snmp.get(address)
        if device is None:
            spec = self._specs["snmp", address]
            faults = self._faults.get(("snmp", address), frozenset())
            device = SnmpDevice(spec, self.sample(spec.sample), self.spec.seed, faults, self.now())
            self._snmp[address] = device
        return device

    def bmc(self, address: str) -> Bmc:
        """The BMC at an address (KeyError when none is there)."""
        device = self._bmcs.get(address)
        if device is None:
            spec = self._specs["redfish", address]
            faults = self._faults.get(("redfish", address), frozenset())
            frozen_at = ANCHOR if "frozen" in faults else None
            device = Bmc(spec, self.tree(spec.sample), self.spec.seed, self.spec.jitter, faults, frozen_at)
            self._bmcs[address] = device
        return device

    def endpoints(self) -> Iterator[dict[str, Any]]:
        """Each device as the line that `yunwei lab farm` prints."""
        for device in self.spec.devices:
            port = self.redfish_port if device.protocol == "redfish" else self.snmp_port
            yield {
                "address": device.address,
                "port": port,
                "protocol": device.protocol,
                "name": device.name or device.sample,
                "sample": device.sample,
                "credential": device.credential(),
                **({"users": [device.user_credential(user) for user in device.users]} if device.users else {}),
                **({"faults": list(device.faults)} if device.faults else {}),
            }

    def sessions(self) -> dict[str, int]:
        """How many sessions each BMC holds that was ever spoken to, by address."""
        return {address: len(bmc.sessions) for address, bmc in self._bmcs.items()}

    def set_clock(self, ahead_s: float) -> None:
        """Let the devices live so many seconds ahead of this machine (behind, when negative): all that moves follows."""
        self.now = lambda: time.time() + ahead_s

    # --- faults

    def faults(self, protocol: str, address: str) -> frozenset[str]:
        """What is wrong with a device now."""
        return self._faults.get((protocol, address), frozenset())

    def set_fault(self, address: str, fault: str, *, on: bool, protocol: str = "") -> None:
        """Switch one fault of the device(s) at an address. LabError: no such device or fault, or it cannot show it."""
        keys = [key for key in self._specs if key[1] == address and protocol in {"", key[0]}]
        if not keys:
            raise LabError(_("这个地址没有设备"), where=address)
        for key in keys:
            check_faults([fault], key[0], where=address)
            before = self._faults.get(key, frozenset())
            after = before | {fault} if on else before - {fault}
            spec = self._specs[key]
            (self.tree(spec.sample) if key[0] == "redfish" else self.sample(spec.sample)).variant(after)
            self._faults[key] = after
            self._apply(key, before, after)
        self._silence()

    def _apply(self, key: tuple[str, str], before: frozenset[str], after: frozenset[str]) -> None:
        protocol, address = key
        if protocol == "snmp" and address in self._snmp:
            self._snmp[address].set_faults(after, self.now())
        if protocol == "redfish":
            bmc = self._bmcs.get(address)
            if bmc is not None:
                if ("frozen" in before) != ("frozen" in after):
                    bmc.frozen_at = self.now() if "frozen" in after else None
                bmc.faults = after
            if (before ^ after) & {"dead", "identity_changed"}:  # a BMC that restarts keeps no connection
                for connection in list(self._connections.get(address, ())):
                    connection.drop()

    def _silence(self) -> None:
        """Let the kernel drop what is sent to dead devices: their clients see what the network gives, nothing."""
        self._forget_unheard()
        for protocol, sock in (("snmp", self._udp), ("redfish", self._tcp)):
            if sock is not None:
                dead = [
                    address for (kind, address), faults in self._faults.items() if kind == protocol and "dead" in faults
                ]
                net.attach(sock, net.destination_filter(silenced=dead))

    def _forget_unheard(self) -> None:
        for sock in self._unheard:
            sock.close()
        self._unheard.clear()

    def delay_s(self, protocol: str, address: str) -> float:
        """Seconds an answer of this device takes."""
        extra = SLOW_MS if "slow" in self.faults(protocol, address) else 0.0
        return (self._specs[protocol, address].latency_ms + extra) / 1000

    def lost(self, protocol: str, address: str) -> bool:
        """Whether this exchange is lost (by the device's share of losses), or the device is dead."""
        loss = self._specs[protocol, address].loss
        return "dead" in self.faults(protocol, address) or (loss > 0 and self._dice.random() < loss)

    # --- SNMP

    def _read_udp(self, sock: socket.socket) -> None:
        for _turn in range(PACKETS_PER_TURN):
            try:
                packet = net.receive(sock)
            except (BlockingIOError, InterruptedError):
                return
            if packet is not None and ("snmp", packet[1]) in self._specs:
                self._answer(*packet)

    def _answer(self, datagram: bytes, address: str, client: tuple[str, int]) -> None:
        self.asked += 1
        if self.lost("snmp", address):
            return
        delay = self.delay_s("snmp", address)
        if delay:
            asyncio.get_running_loop().call_later(delay, self._reply, datagram, address, client)
        else:
            self._reply(datagram, address, client)

    def _reply(self, datagram: bytes, address: str, client: tuple[str, int]) -> None:
        reply = self.snmp(address).respond(datagram, self.now())
        if reply is None or self._udp is None:
            return
        try:
            net.send(self._udp, reply, address, client)
        except OSError:  # the buffer is full or the client is gone: lost, as on any network
            self.dropped += 1

    # --- Redfish

    def _accept(self, listener: socket.socket) -> None:
        for _turn in range(64):
            try:
                sock, _peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file handles left: the client waits in the backlog, and we do not spin
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                loop.call_later(0.2, self._listen_again)
                return
            address = net.local_address(sock)
            if address is None or ("redfish", address) not in self._specs:
                sock.close()
                continue
            if "dead" in self.faults("redfish", address):  # no filter (see net): connected, and never a word
                self._unheard.append(sock)
                continue
            sock.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._serve(sock, address))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _listen_again(self) -> None:
        if self._tcp is not None:
            asyncio.get_running_loop().add_reader(self._tcp, self._accept, self._tcp)

    async def _serve(self, sock: socket.socket, address: str) -> None:
        connections = self._connections.setdefault(address, set())
        connection = http.Connection(_Face(self, address), connections.discard)
        generation = int("identity_changed" in self.faults("redfish", address))
        try:
            transport, _protocol = await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                sock,
                ssl=self._contexts.get(address, generation),
                ssl_handshake_timeout=HANDSHAKE_S,
            )
        except (OSError, ssl.SSLError):  # the client gave up or does not like the certificate
            with contextlib.suppress(OSError):
                sock.close()
            return
        if transport.is_closing():
            return
        connections.add(connection)


def apply_overlays(spec: FarmSpec, overlays: object) -> FarmSpec:
    """The spec with overlays put on its devices; their form is `Overlay`. LabError for one that fits no device."""
    try:
        wanted = msgspec.convert(overlays, list[Overlay])
    except msgspec.ValidationError as error:
        raise LabError(_("故障叠加读不懂：{error}").format(error=error)) from error
    devices = list(spec.devices)
    for overlay in wanted:
        places = [
            i
            for i, device in enumerate(devices)
            if device.address == overlay.address and overlay.protocol in {"", device.protocol}
        ]
        if not places:
            raise LabError(_("这个地址没有设备"), where=overlay.address)
        for i in places:
            devices[i] = msgspec.structs.replace(
                devices[i], faults=overlay.faults, latency_ms=overlay.latency_ms, loss=overlay.loss
            )
    return msgspec.structs.replace(spec, devices=tuple(devices))


class Overlay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wrong with one device, as given in a file or by a test."""

    address: str
    protocol: str = ""
    faults: tuple[str, ...] = ()
    latency_ms: float = 0.0
    loss: float = 0.0
