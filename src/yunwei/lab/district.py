"""The demo's district: two rooms, two zones, some departments, and the equipment of a small e-government cloud.

All invented. The equipment is emulated by the farm from the product's own synthetic samples; which faults show is data
here, and the inspection has to find them like anybody's.
"""

from __future__ import annotations

import csv as csv_module
import io
from collections.abc import Sequence
from dataclasses import dataclass

from yunwei.lab.build import device
from yunwei.lab.spec import DeviceSpec, FarmSpec, addresses, number_copies

SEED = "yunwei-demo"
FIRST = "127.20.0.1"
INTERNET, EXTRANET = "internet", "extranet"

PLACES = (("qp-a", "一号机房"), ("qp-b", "二号机房"))
ZONES = ((INTERNET, "互联网区"), (EXTRANET, "政务外网区"))
#: the departments whose systems run on the cloud: code, name, side (accounts.PartyOf); the parties are the contract's
ORGANISATIONS = (
    ("edu", "演示·区教育部门", "T"),
    ("health", "演示·区卫生部门", "T"),
    ("civil", "演示·区民政部门", "T"),
)


@dataclass(frozen=True, slots=True)
class Model:
    """So many devices of one model; codes are `<prefix>-01` …"""

    prefix: str
    name: str
    sample: str
    protocol: str
    category: str
    vendor: str
    zone: str
    count: int
    snmp: str = "2c"


MODELS = (
    Model("SW-CORE", "核心交换机", "huawei-vrp", "snmp", "switch", "huawei", EXTRANET, 4, "3"),
    Model("SW-ACC", "接入交换机", "h3c-comware", "snmp", "switch", "h3c", EXTRANET, 12),
    Model("SW-NET", "互联网区交换机", "ruijie", "snmp", "switch", "ruijie", INTERNET, 5),
    Model("SW-AGG", "汇聚交换机", "zte-zxr10", "snmp", "switch", "zte", INTERNET, 2),
    Model("SW-OPT", "传输交换机", "fiberhome", "snmp", "switch", "fiberhome", EXTRANET, 2),
    Model("FW", "边界防火墙", "fortinet", "snmp", "firewall", "fortinet", INTERNET, 2, "3"),
    Model("SRV-D", "计算服务器", "dell-idrac", "redfish", "server", "dell", EXTRANET, 8),
    Model("SRV-H", "计算服务器", "hpe-ilo", "redfish", "server", "hpe", EXTRANET, 5),
    Model("SRV-S", "计算服务器", "supermicro", "redfish", "server", "supermicro", INTERNET, 4),
    Model("SRV-B", "计算服务器", "huawei-ibmc", "redfish", "server", "huawei", EXTRANET, 6),
    Model("STO-O", "集中存储", "huawei-oceanstor", "snmp", "storage", "huawei", EXTRANET, 2),
    Model("STO-P", "备份存储", "dell-powervault", "snmp", "storage", "dell", EXTRANET, 2),
    Model("UPS-A", "不间断电源", "apc-ups", "snmp", "ups", "apc", EXTRANET, 2),
    Model("UPS-H", "不间断电源", "huawei-ups", "snmp", "ups", "huawei", INTERNET, 1),
)

#: what does not move from the first contact on
FROM_THE_START = ("frozen",)
#: what shows on the contract day, after the identities were agreed: asset → fault of the farm
FAULTS = {
    "SW-CORE-02": "fan_failed",
    "SW-ACC-03": "port_errors",
    "SRV-D-04": "psu_lost",
    "SRV-H-02": "disk_predicted",
    "SRV-B-05": "fan_failed",
    "SW-NET-03": "dead",
    "SRV-S-02": "unauthorized",
    "SRV-D-07": "identity_changed",
    "UPS-A-02": "frozen",
    "SW-ACC-06": "truncating",
    "SW-AGG-01": "too_big",
}
#: an identity that the client has not confirmed yet
UNCONFIRMED = ("SRV-B-06",)


@dataclass(frozen=True, slots=True)
class Equipment:
    """One asset of the district and the emulated device behind it."""

    code: str
    name: str
    model: Model
    place: str
    device: DeviceSpec


def equipment() -> list[Equipment]:
    """Every device with its address, in the order of MODELS."""
    wanted = [(model, i + 1) for model in MODELS for i in range(model.count)]
    places = addresses(FIRST, len(wanted))
    plain = []
    for (model, i), address in zip(wanted, places, strict=True):
        code = f"{model.prefix}-{i:02d}"
        plain.append(device(model.protocol, address, model.sample, SEED, snmp=model.snmp, name=code))
    numbered = number_copies(plain)
    return [
        Equipment(spec.name, f"{model.name} {i:02d}", model, PLACES[i % 2][0], spec)
        for (model, i), spec in zip(wanted, numbered, strict=True)
    ]


def few(per_model: int = 1, models: Sequence[str] = ()) -> list[Equipment]:
    """A small district: the first devices of each model, or of the models named by their prefixes."""
    wanted = [e for e in equipment() if not models or e.model.prefix in models]
    return [e for e in wanted if int(e.code.rpartition("-")[2]) <= per_model]


def farm(items: Sequence[Equipment] = ()) -> FarmSpec:
    """The farm that emulates the district, or some of it; ports are free ones."""
    return FarmSpec(devices=tuple(e.device for e in items or equipment()), seed=SEED, jitter=True)


#: hosts behind a real sshd and a real snmpd, where they are installed; one each, for a second sshd on this machine would
#: be the same machine under another name, which the inspection rightly calls unproven
SSH_HOST = "127.21.0.1"
SNMPD_HOST = "127.21.0.9"
OWNERS = ("edu", "health", "civil")


def row(item: Equipment, port: int, credential: str) -> dict[str, str]:
    """A line of the inventory table for a device of the farm."""
    model = item.model
    zone_names, place_names = dict(ZONES), dict(PLACES)
    return {
        "code": item.code,
        "name": item.name,
        "kind": "device",
        "category": model.category,
        "zone": model.zone,
        "zone_name": zone_names[model.zone],
        "place": item.place,
        "place_name": place_names[item.place],
        "vendor": model.vendor,
        "protocol": model.protocol,
        "address": item.device.address,
        "port": str(port),
        "credential": credential,
    }


def self_row() -> dict[str, str]:
    """The machine that the platform runs on, looked at without a network."""
    return {
        "code": "HOST-SELF",
        "name": "云维平台主机",
        "kind": "host",
        "category": "host",
        "zone": EXTRANET,
        "zone_name": dict(ZONES)[EXTRANET],
        "protocol": "local",
    }


def host_row(number: int, protocol: str, address: str, port: int, credential: str) -> dict[str, str]:
    """A host behind a real server program."""
    return {
        "code": f"HOST-{number:02d}",
        "name": f"业务主机 {number:02d}",
        "kind": "host",
        "category": "host",
        "zone": EXTRANET,
        "zone_name": dict(ZONES)[EXTRANET],
        "owner": OWNERS[number % len(OWNERS)],
        "protocol": protocol,
        "address": address,
        "port": str(port),
        "credential": credential,
    }


def csv(rows: Sequence[dict[str, str]]) -> bytes:
    """The rows as the CSV file that an import reads."""
    names = list(dict.fromkeys(name for line in rows for name in line))
    out = io.StringIO()
    writer = csv_module.DictWriter(out, names)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()
