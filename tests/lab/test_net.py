"""The sockets: every 127.x.y.z, and nothing else."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from tests.lab.conftest import SNMP, bmc, farm_of, snmp
from yunwei.lab import net
from yunwei.lab.errors import LabError
from yunwei.lab.farm import Farm
from yunwei.lab.spec import DeviceSpec, FarmSpec, addresses, check, number_copies
from yunwei.lab.tls import Contexts, certificate_pem


def udp_client(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(0.3)
    sock.connect((address, port))
    return sock


def receive(sock: socket.socket) -> tuple[bytes, str, tuple[str, int]] | None:
    """Loopback delivers at once: what is not there now was dropped."""
    try:
        return net.receive(sock)
    except BlockingIOError:
        return None


def test_udp_knows_the_address_that_was_asked_and_answers_from_it():
    with net.udp_socket(0) as server, udp_client("127.201.3.4", server.getsockname()[1]) as client:
        client.send(b"question")
        data, local, peer = receive(server) or (b"", "", ("", 0))
        assert (data, local) == (b"question", "127.201.3.4")
        net.send(server, b"answer", local, peer)
        assert client.recv(100) == b"answer"  # a connected socket takes answers from that address alone


def test_both_sockets_are_bound_to_the_loopback_device():
    for sock in (net.udp_socket(0), net.tcp_listener(0)):
        with sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"


def test_the_kernel_drops_packets_for_other_networks_before_they_are_read():
    with net.udp_socket(0) as server:
        port = server.getsockname()[1]
        with udp_client("127.9.0.1", port) as inside, udp_client("127.10.0.1", port) as outside:
            net.attach(server, net.destination_filter("127.9.0.0/16"))
            outside.send(b"x")
            assert receive(server) is None
            inside.send(b"y")
            assert (receive(server) or (b"",))[0] == b"y"
            net.attach(server, net.destination_filter())
            outside.send(b"z")
            assert (receive(server) or (b"",))[0] == b"z"


def test_the_kernel_drops_connections_for_other_networks():
    with net.tcp_listener(0) as server, socket.socket() as client:
        if not net.attach(server, net.destination_filter("127.9.0.0/16")):
            pytest.skip("this kernel lets only root filter TCP")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.connect(("127.10.0.1", server.getsockname()[1]))
        with socket.create_connection(("127.9.0.1", server.getsockname()[1]), 1) as inside:
            connection, _peer = server.accept()
            with connection:
                assert net.local_address(connection) == "127.9.0.1"
            assert inside.getpeername()[0] == "127.9.0.1"


def test_a_machines_outer_address_does_not_reach_the_farm():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; asks the kernel which address it would use
        except OSError:
            pytest.skip("this machine has no outer address")
        outer = probe.getsockname()[0]
    with net.udp_socket(0) as server, udp_client(outer, server.getsockname()[1]) as client:
        client.send(b"x")
        assert receive(server) is None
    with net.tcp_listener(0) as listener, socket.socket() as client:
        client.settimeout(0.3)
        try:
            client.connect((outer, listener.getsockname()[1]))
        except (TimeoutError, ConnectionRefusedError):
            return
        # no filter for this user: the reader's own check is what is left
        connection, _peer = listener.accept()
        with connection:
            assert os.geteuid() != 0
            assert net.local_address(connection) is None


def test_silenced_addresses_hear_nothing_and_the_others_do():
    many = addresses("127.20.0.1", 900)
    with net.udp_socket(0) as server:
        net.attach(server, net.destination_filter(silenced=many))
        port = server.getsockname()[1]
        for address, heard in ((many[0], False), (many[-1], False), ("127.30.0.1", True)):
            with udp_client(address, port) as client:
                client.send(b"x")
                assert (receive(server) is not None) is heard


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"address": "192.0.2.7"}, "127"),
        ({"address": "localhost"}, "127"),
        ({"protocol": "ipmi"}, "snmp"),
        ({"community": "", "users": ()}, "凭据"),
        ({"loss": 1.5}, "丢包"),
        ({"latency_ms": -1}, "时延"),
    ],
)
def test_a_spec_that_cannot_be_served_is_refused(change: dict[str, object], match: str):
    fields = {field: getattr(snmp(), field) for field in DeviceSpec.__struct_fields__}
    with pytest.raises(LabError, match=match):
        Farm(FarmSpec(devices=(DeviceSpec(**{**fields, **change}),)))


def test_one_address_may_hold_both_protocols_but_none_twice():
    check(FarmSpec(devices=(snmp(), bmc(SNMP))))
    with pytest.raises(LabError, match=SNMP):
        check(FarmSpec(devices=(snmp(), snmp())))


async def test_unknown_sample_fault_and_taken_port_are_said():
    fields = {field: getattr(snmp(), field) for field in DeviceSpec.__struct_fields__}
    for change, match in (({"sample": "nothing"}, "nothing"), ({"faults": ("on_fire",)}, "on_fire")):
        with pytest.raises(LabError, match=match):
            async with Farm(FarmSpec(devices=(DeviceSpec(**{**fields, **change}),))):
                pass
    with pytest.raises(LabError, match="redfish"):
        async with farm_of(snmp(faults=("session_limit",))):
            pass
    async with farm_of(snmp()) as farm:
        with pytest.raises(LabError, match="端口"):
            async with farm_of(snmp(), snmp_port=farm.snmp_port):
                pass


async def test_nothing_is_left_open():
    before = len(asyncio.all_tasks())
    async with farm_of(snmp(), bmc()) as farm:
        port = farm.redfish_port
        _reader, writer = await asyncio.open_connection("127.3.0.2", port)  # never says a word
        await asyncio.sleep(0.05)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.3.0.2", port)
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == before


def test_addresses_leave_out_what_confuses_and_stay_inside():
    assert addresses("127.1.0.254", 3) == ["127.1.0.254", "127.1.1.1", "127.1.1.2"]
    with pytest.raises(LabError):
        addresses("127.255.255.250", 10)


def test_copies_are_counted_per_sample():
    devices = number_copies([snmp("127.3.0.1"), bmc("127.3.0.2"), snmp("127.3.0.3")])
    assert [device.copy for device in devices] == [0, 0, 1]


def test_certificates_are_stable_distinct_and_few_in_memory():
    assert certificate_pem("s", "127.0.0.1") == certificate_pem("s", "127.0.0.1")
    assert len({certificate_pem(s, a, g) for s in "st" for a in ("127.0.0.1", "127.0.0.2") for g in (0, 1)}) == 8
    contexts = Contexts("s", keep=2)
    first = contexts.get("127.0.0.1")
    assert contexts.get("127.0.0.1") is first
    for address in ("127.0.0.2", "127.0.0.3"):
        contexts.get(address)
    assert contexts.get("127.0.0.1") is not first
