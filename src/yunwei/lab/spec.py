"""What a farm is, as data: devices at loopback addresses, their sample, credentials and faults.

Self-contained and JSON (msgspec), so a farm in a child process is given the same thing as one in this process.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Iterable

import msgspec

from yunwei.kernel.i18n import _
from yunwei.lab.errors import LabError

LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An SNMPv3 user (RFC 3414). The names of the algorithms are those of `yunwei.snmp.V3`; empty = none."""

    user: str
    auth_proto: str = ""
    auth_password: str = ""
    priv_proto: str = ""
    priv_password: str = ""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A Redfish account."""

    user: str
    password: str


class DeviceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One emulated device.

    `sample` is the sample's name (file name without `.snmprec` or `.tree.json`); `copy` tells devices of one sample
    apart: copy 0 shows the sample's own serial numbers and MAC addresses, every other copy shows its own, as two real
    devices of one model would. `latency_ms` is added to every answer, `loss` is the share of requests (0..1) left
    unanswered. SNMP answers to the community and to all users; an empty community switches v1/v2c off.
    """

    address: str
    protocol: str  # snmp | redfish
    sample: str
    name: str = ""
    copy: int = 0
    faults: tuple[str, ...] = ()
    latency_ms: float = 0.0
    loss: float = 0.0
    community: str = ""
    users: tuple[User, ...] = ()
    login: Login | None = None

    def credential(self) -> dict[str, str]:
        """What a client needs to log in, as one flat object; SNMP gives the community where there is one."""
        if self.login is not None:
            return {"kind": "redfish", "user": self.login.user, "password": self.login.password}
        if self.community:
            return {"kind": "snmp2c", "community": self.community}
        return self.user_credential(self.users[0]) if self.users else {}

    @staticmethod
    def user_credential(user: User) -> dict[str, str]:
        """An SNMPv3 user as a flat object."""
        return {"kind": "snmp3", **{key: value for key, value in msgspec.structs.asdict(user).items() if value}}


class FarmSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A whole farm. Port 0 takes a free one; `samples` are folders searched besides the product's own samples.

    `seed` fixes certificates, engine ids and derived serials, so a farm that is started again has the same
    identities. `jitter` lets Redfish sensor readings wander within their thresholds (clocks always move).
    """

    devices: tuple[DeviceSpec, ...]
    samples: tuple[str, ...] = ()
    snmp_port: int = 0
    redfish_port: int = 0
    control_port: int = 0
    seed: str = "yunwei-lab"
    jitter: bool = False


def check(spec: FarmSpec) -> None:
    """Refuse what cannot be served. Raises LabError: address outside loopback, taken twice, or no credential."""
    seen: set[tuple[str, str]] = set()
    for device in spec.devices:
        key = (device.protocol, device.address)
        if not is_loopback(device.address):
            raise LabError(_("实验室只在本机环回地址上应答"), where=device.address, hint=_("用 127.0.0.0/8 内的地址"))
        if key in seen:
            raise LabError(_("同一地址、同一协议只能有一台设备"), where=device.address)
        seen.add(key)
        if device.protocol not in {"snmp", "redfish"}:
            raise LabError(_("协议只能是 snmp 或 redfish"), where=device.address)
        if not device.credential():
            raise LabError(_("设备没有登录凭据"), where=device.address)
        if not 0 <= device.loss <= 1 or device.latency_ms < 0:
            raise LabError(_("丢包率在 0 到 1 之间，时延不为负"), where=device.address)


def is_loopback(address: str) -> bool:
    """Whether the text is an IPv4 address of 127.0.0.0/8 (host names are not resolved)."""
    try:
        return ipaddress.IPv4Address(address) in LOOPBACK
    except ValueError:
        return False


def number_copies(devices: Iterable[DeviceSpec]) -> tuple[DeviceSpec, ...]:
    """The same devices with `copy` counted per sample in the order given: the first keeps the sample's identity."""
    count: Counter[str] = Counter()
    out = []
    for device in devices:
        out.append(msgspec.structs.replace(device, copy=count[device.sample]))
        count[device.sample] += 1
    return tuple(out)


def addresses(first: str, count: int) -> list[str]:
    """`count` loopback addresses from `first` on, leaving out those that end in .0 or .255 (they confuse people)."""
    out: list[str] = []
    number = int(ipaddress.IPv4Address(first))
    while len(out) < count:
        if number & 0xFF not in {0, 255}:
            out.append(str(ipaddress.IPv4Address(number)))
        number += 1
    if out and not (is_loopback(out[0]) and is_loopback(out[-1])):
        raise LabError(_("地址超出 127.0.0.0/8"), where=out[-1])
    return out


def derive(seed: str, *words: object, size: int = 32) -> bytes:
    """Bytes that depend on seed and words alone: stable identities without storing them. Lab only, never a secret."""
    text = "\x1f".join([seed, *(str(word) for word in words)])
    return hashlib.shake_256(text.encode()).digest(size)
