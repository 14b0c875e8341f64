"""Switches of the farm for the SNMP rows: an invented one with 65 ports, its poll plan, and what a peer read, judged.

The switch has the columns that the product's poll asks for and little else (`EXTRA`), so that a peer which can only walk
a subtree reads hardly more than the poll does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.product import judged
from yunwei.inspect.observation import Target
from yunwei.inspect.vendor import SnmpData, VendorFile, apply_snmp, shipped
from yunwei.lab.build import credentials, device
from yunwei.lab.process import FarmProcess
from yunwei.lab.spec import FarmSpec, Login, User, addresses, number_copies

SEED, SAMPLE, PORTS = "bench", "bench-switch", 65
FIRST = "127.40.0.1"
IF, IFX, ENTITY, SENSOR = (f"1.3.6.1.2.1.{tail}" for tail in ("2.2.1", "31.1.1.1", "47.1.1.1.1", "99.1.1.1"))
#: one subtree that holds all the poll asks for
SUBTREE = "1.3.6.1.2.1"


@dataclass(frozen=True)
class Switches:
    """A running farm of them."""

    farm: FarmProcess
    community: str
    user: User
    login: Login

    @property
    def endpoints(self) -> list[dict[str, Any]]:
        """What the farm printed, one for each switch."""
        return self.farm.endpoints

    def plan(self) -> dict[str, Any]:
        """What the product asks one switch for, for peers that can be told: scalars, columns asked together, repetitions."""
        ours = vendor()
        width = max(1, ours.quirks.columns_per_request)
        groups = [
            list(table.columns[start : start + width])
            for table in ours.snmp_tables
            for start in range(0, len(table.columns), width)
        ]
        return {
            "scalars": list(ours.snmp_scalars),
            "groups": groups,
            "max_repetitions": ours.quirks.max_repetitions,
            "community": self.community,
        }


@contextmanager
def switches(count: int) -> Iterator[Switches]:
    """A farm of so many switches, each with its own serial numbers and MAC addresses."""
    community, user, login = credentials(SEED)
    with tempfile.TemporaryDirectory(prefix="yunwei-bench-") as folder:
        (Path(folder) / f"{SAMPLE}.snmprec").write_text("\n".join(capture()) + "\n", encoding="utf-8")
        devices = [device("snmp", address, SAMPLE, SEED) for address in addresses(FIRST, count)]
        with FarmProcess(FarmSpec(devices=number_copies(devices), samples=(folder,), seed=SEED)) as farm:
            yield Switches(farm, community, user, login)


def capture() -> list[str]:
    """The switch as lines of a capture: 48 ports of 1G, 16 of 10G and one for management, 4 power supplies and fans."""
    out = [
        "1.3.6.1.2.1.1.1.0|4|Yunwei bench switch, 48 x 1G + 16 x 10G, software 1.0",
        "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.32473.1.65",
        "1.3.6.1.2.1.1.3.0|67|319680000",
        "1.3.6.1.2.1.1.5.0|4|bench-switch",
    ]
    for port in range(1, PORTS + 1):
        fast = 48 < port < PORTS
        name = "Management0" if port == PORTS else f"{'Ten' if fast else ''}GigabitEthernet0/0/{port}"
        up, errors = (1 if port % 3 else 2), (0 if port % 7 else port * 11)
        speed = 10_000 if fast else 1_000
        cells = {2: (4, name), 3: (2, 6), 5: (66, min(speed * 10**6, 2**32 - 1)), 6: ("4x", f"020000ab{port:04x}")}
        cells |= {7: (2, 1), 8: (2, up), 10: (65, 0), 11: (65, 0), 14: (65, errors), 17: (65, 0), 20: (65, 0)}
        out += [f"{IF}.{column}.{port}|{tag}|{value}" for column, (tag, value) in cells.items()]
        cells = {1: (4, name), 6: (70, 0), 7: (70, 0), 11: (70, 0), 15: (66, speed)}
        out += [f"{IFX}.{column}.{port}|{tag}|{value}" for column, (tag, value) in cells.items()]
    for entity, (word, kind) in enumerate(
        [("Chassis", 3), *[("Power supply", 6), ("Fan", 7)] * 4, ("Inlet sensor", 8)], 1
    ):
        texts = {2: word, 7: f"{word} {entity}", 9: "1.0", 10: "1.0", 11: f"BENCH{entity:05d}", 13: f"M-{kind}"}
        out += [f"{ENTITY}.{column}.{entity}|4|{text}" for column, text in texts.items()]
        out += [f"{ENTITY}.5.{entity}|2|{kind}", f"{ENTITY}.16.{entity}|2|{1 if kind != 8 else 2}"]
        reading = {3: (1, 1), 6: (6, 420), 7: (10, 4200), 8: (8, 24)}[kind]
        if kind != 3:
            cells = {1: (2, reading[0]), 2: (2, 9), 3: (2, 0), 4: (2, reading[1]), 5: (2, 1)}
            out += [f"{SENSOR}.{column}.{entity}|{tag}|{value}" for column, (tag, value) in cells.items()]
    return out


def vendor() -> VendorFile:
    """What the product asks of it."""
    return shipped().match_snmp("1.3.6.1.4.1.32473.1.65")


def read_by_peer(address: str, raw: Mapping[str, tuple[int, Any]]) -> str:
    """What a peer's values (OID to tag and value, strings as bytes) mean, judged by the product's own vendor file.

    Equal to `product.judged` of the product's look at the same switch exactly when every reading and part is. A column
    the peer did not read gives fewer rows and is seen here.
    """
    ours = vendor()
    data = SnmpData(scalars={oid: raw[oid] for oid in ours.snmp_scalars if oid in raw})
    told: dict[str, dict[str, tuple[int, Any]]] = {c: {} for table in ours.snmp_tables for c in table.columns}
    for oid, value in raw.items():
        head = _column(oid, told)
        if head:
            told[head][oid[len(head) + 1 :]] = value
    data.columns.update(told)
    reading = apply_snmp(ours, data, Target(address, "snmp", address), {})
    return judged(reading.observations, reading.parts)


def _column(oid: str, columns: Mapping[str, Any]) -> str:
    """The column an OID is in; tables of the poll are indexed by one number."""
    head = oid.rpartition(".")[0]
    return head if head in columns else ""
