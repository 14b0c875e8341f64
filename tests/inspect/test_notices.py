"""A trap makes one extra look at the device that sent it; what it says proves nothing by itself."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest
from tests.inspect.conftest import DEVICES, Site

from yunwei.inspect import notices
from yunwei.inspect.models import Finding
from yunwei.lab.spec import DeviceSpec
from yunwei.ledger.models import Intake
from yunwei.runs.inline import InlineEngine
from yunwei.runs.models import Run
from yunwei.snmp.errors import SnmpError

pytestmark = [pytest.mark.django_db, pytest.mark.component]
FAN = "1.3.6.1.4.1.2011.5.25.219.2.6.1"


@pytest.fixture
def device(site: Site) -> DeviceSpec:
    made = DEVICES["sw-1"]
    site.add("sw-1", made)
    return made


@pytest.fixture
def wire() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        yield sock


def trap(wire: socket.socket, source: str, community: str, oid: str = FAN) -> tuple[bytes, str]:
    """Send one with net-snmp's own command; returns what came and from where."""
    target = f"127.0.0.1:{wire.getsockname()[1]}"
    command = ["snmptrap", f"--clientAddr={source}", "-v2c", "-c", community, target, "", oid]
    subprocess.run(command, check=True, capture_output=True, env={"MIBS": "", "PATH": "/usr/bin:/bin"})
    datagram, sender = wire.recvfrom(65535)
    return datagram, sender[0]


def test_a_trap_makes_one_look_and_the_look_finds_the_fault(site: Site, device: DeviceSpec, wire: socket.socket):
    address = device.address
    site.sweep()
    site.confirm()
    receiver = notices.receiver(b"\x80\x00\x1f\x88\x05test", 1)
    datagram, sender = trap(wire, address, device.community)
    assert sender == address
    note, _back = receiver.take(datagram, 1)
    assert note is not None
    assert not Finding.objects.exists(), "a trap opens no finding"
    site.farm.set(address, "fan_failed")
    run = notices.heard(note, sender, {}, now=site.clock.now())
    assert run is not None
    assert notices.heard(note, sender, {}, now=site.clock.now()) is None, "one look a minute"
    InlineEngine(site.clock).submit([run.id])
    run.refresh_from_db()
    assert run.outcome is not None
    assert run.outcome["coverage"]["agreed"] == 1
    assert site.verdicts(run)["sw-1"] == ("fail", ""), run.outcome
    assert [key for key, _phase in site.findings("sw-1")] != []
    assert Intake.objects.filter(kind="inspect.notice.heard", subject="sw-1").count() == 1


def test_a_stranger_is_not_heard(site: Site, device: DeviceSpec, wire: socket.socket):
    receiver = notices.receiver(b"\x80\x00\x1f\x88\x05test", 1)
    datagram, _sender = trap(wire, "127.0.0.1", "somebody")
    with pytest.raises(SnmpError):
        receiver.take(datagram, 1)
    datagram, sender = trap(wire, "127.0.0.1", device.community)
    note, _back = receiver.take(datagram, 1)
    assert note is not None
    assert notices.heard(note, sender, {}, now=site.clock.now()) is None
    assert not Run.objects.filter(id__startswith="trap:").exists()


def test_a_trap_is_called_by_the_vendor_files_name(site: Site, device: DeviceSpec, wire: socket.socket):
    receiver = notices.receiver(b"\x80\x00\x1f\x88\x05test", 1)
    note, _back = receiver.take(trap(wire, "127.0.0.1", device.community)[0], 1)
    assert note is not None
    assert notices.name_of(note, "huawei-vrp") == "风扇失效"
    assert notices.name_of(note, "no-such-file") == notices.UNNAMED
    cold, _back = receiver.take(trap(wire, "127.0.0.1", device.community, "1.3.6.1.6.3.1.1.5.1")[0], 1)
    assert cold is not None
    assert notices.name_of(cold, "no-such-file") == "冷启动"
