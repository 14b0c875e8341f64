"""The farm of the sweep rows: half switches (a third of them with 65 ports), half BMCs over TLS, some faulty, some dead.

What must be found is written here by hand for each model and fault: the product has no part in it.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.servers import ROOT
from bench.switches import SENSOR, capture
from yunwei.lab.build import device
from yunwei.lab.find import OWN
from yunwei.lab.process import FarmProcess
from yunwei.lab.spec import FarmSpec, addresses, number_copies

SEED = "bench-mix"
LATENCY_MS = 50.0
FIRST = {"snmp": "127.48.0.1", "redfish": "127.52.0.1"}
SWITCH_65, SWITCH_14, SERVER = "bench-switch", "lab-switch", "bench-server"
FAULTY, DEAD = 0.01, 0.005
#: a fault of a model → the keys of the findings it must give, no more and no less
EXPECTED: Mapping[tuple[str, str], frozenset[str]] = {
    (SWITCH_65, "fan_failed"): frozenset({"sensor/Fan 3:state"}),
    (SWITCH_65, "psu_lost"): frozenset({"sensor/Power supply 2:state"}),
    (SWITCH_14, "fan_failed"): frozenset({"device/Fan tray 1:state", "sensor/Fan 1 speed:state"}),
    (SWITCH_14, "psu_lost"): frozenset({"device/Power supply 2:state", "sensor/PSU 2 input:state"}),
    (SERVER, "fan_failed"): frozenset({"fan/Fan 1:fan_speed"}),
    (SERVER, "psu_lost"): frozenset({"psu/PSU 1:state"}),
    (SERVER, "disk_predicted"): frozenset({"disk/Drive 0:state", "disk/Drive 0/prediction:state"}),
}
#: the 65-port switch's own faults: the sensor of a power supply or a fan says that it does not work
SIDECAR = f"""
faults:
  fan_failed:
    snmp:
      - {{oid: {SENSOR}.4.3, value: 0}}
      - {{oid: {SENSOR}.5.3, value: 3}}
  psu_lost:
    snmp:
      - {{oid: {SENSOR}.4.2, value: 0}}
      - {{oid: {SENSOR}.5.2, value: 3}}
"""
#: so much less than others these processes get when cores are short: in the field they are other machines
FARM_NICE = 10


@dataclass(frozen=True)
class Mix:
    """Running farms, one for each protocol, and what is broken in them now."""

    farms: Mapping[str, FarmProcess]
    models: Mapping[str, str]  # asset → model
    addresses: Mapping[str, tuple[str, str]]  # asset → protocol and address
    dead: frozenset[str]
    broken: dict[str, str]  # asset → fault

    @property
    def endpoints(self) -> list[dict[str, Any]]:
        """What the farms printed."""
        return [endpoint for farm in self.farms.values() for endpoint in farm.endpoints]

    @property
    def pids(self) -> list[int]:
        """The farms' processes."""
        return [farm.pid for farm in self.farms.values()]

    def bury(self) -> None:
        """Some devices answer nobody any more."""
        for asset in self.dead:
            protocol, address = self.addresses[asset]
            self.farms[protocol].set(address, "dead", protocol=protocol)

    def break_others(self, turn: int) -> None:
        """Mend what is broken and break as many other devices, chosen by the number of the turn."""
        for asset in self.broken:
            protocol, address = self.addresses[asset]
            self.farms[protocol].clear(address, self.broken[asset], protocol=protocol)
        self.broken.clear()
        for asset, fault in chosen(self.models, self.dead, turn).items():
            protocol, address = self.addresses[asset]
            self.farms[protocol].set(address, fault, protocol=protocol)
            self.broken[asset] = fault

    def wrong(self, told: Mapping[str, Sequence[Any]], opened: Mapping[str, Sequence[str]]) -> str:
        """The first thing in which what a sweep told differs from what is; "" when it told every device right.

        `told`: by asset its verdict, the reason why it is unproven, and the keys of its faults; `opened`: findings that
        are open after it. A device lost, a fault missed, one invented or one not closed is named.
        """
        if set(told) != set(self.models):
            return f"{len(told)} devices told of {len(self.models)}"
        for asset, model in self.models.items():
            wanted = wanted_of(model, self.broken.get(asset, ""), dead=asset in self.dead)
            verdict, reason, keys = told[asset]
            if (verdict, reason, frozenset(keys)) != wanted:
                return f"{asset} {self.broken.get(asset, 'well')}: {verdict} {reason} {keys}, wanted {wanted}"
            standing = frozenset(opened.get(asset, ()))
            if asset not in self.dead and standing != wanted[2]:
                return f"{asset}: open findings {sorted(standing)}, wanted {sorted(wanted[2])}"
        return ""


def wanted_of(model: str, fault: str, *, dead: bool) -> tuple[str, str, frozenset[str]]:
    """Verdict, reason and faults that a device must be given."""
    if dead:
        return "unproven", "not_reached", frozenset()
    if fault:
        return "fail", "", EXPECTED[model, fault]
    return "pass", "", frozenset()


def chosen(models: Mapping[str, str], dead: frozenset[str], turn: int) -> dict[str, str]:
    """One device in a hundred and its fault, another set for each turn; every model and fault in it when it can be."""
    dice = random.Random(f"{SEED}:{turn}")  # noqa: S311 - repeatable, no secret
    alive = [asset for asset in models if asset not in dead]
    out = {}
    for asset in dice.sample(alive, round(FAULTY * len(models))):
        faults = sorted(fault for model, fault in EXPECTED if model == models[asset])
        out[asset] = faults[dice.randrange(len(faults))]
    return out


@contextmanager
def mix(count: int, *, latency_ms: float = LATENCY_MS, small: bool = False) -> Iterator[Mix]:
    """So many endpoints: 1/6 switches of 65 ports, 1/3 of 14, 1/2 BMCs without `$expand`; `small`: switches of 14 alone, none
    of them dead."""
    share = 0 if small else count // 2
    models = [SWITCH_65 if n % 3 == 0 and not small else SWITCH_14 for n in range(count - share)] + [SERVER] * share
    dice = random.Random(SEED)  # noqa: S311 - repeatable, no secret
    codes = [f"{'SRV' if model == SERVER else 'SW'}-{n:05d}" for n, model in enumerate(models)]
    dead = frozenset() if small else frozenset(dice.sample(codes, round(DEAD * count)))
    with tempfile.TemporaryDirectory(prefix="yunwei-bench-") as folder:
        _samples(Path(folder))
        farms, where = {}, {}
        for protocol in ("snmp", "redfish"):
            own = [(c, m) for c, m in zip(codes, models, strict=True) if (m == SERVER) == (protocol == "redfish")]
            places = addresses(FIRST[protocol], len(own))
            devices = [
                device(protocol, place, model, SEED, snmp="2c", name=code, latency_ms=latency_ms)
                for (code, model), place in zip(own, places, strict=True)
            ]
            where.update({code: (protocol, place) for (code, _model), place in zip(own, places, strict=True)})
            if own:
                spec = FarmSpec(devices=number_copies(devices), samples=(folder,), seed=f"{SEED}-{protocol}")
                farms[protocol] = FarmProcess(spec)
        try:
            for farm in farms.values():
                farm.start()
                _put_back(farm.pid)
            yield Mix(farms, dict(zip(codes, models, strict=True)), where, dead, {})
        finally:
            for farm in farms.values():
                farm.stop()


def _put_back(pid: int) -> None:
    """Let a farm stand back, and its session, which outranks nice where the kernel groups by session."""
    os.setpriority(os.PRIO_PROCESS, pid, FARM_NICE)
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(FARM_NICE))


def _samples(folder: Path) -> None:
    """The models' samples that are the bench's own."""
    (folder / f"{SWITCH_65}.snmprec").write_text("\n".join(capture()) + "\n", encoding="utf-8")
    (folder / f"{SWITCH_65}.faults.yaml").write_text(SIDECAR, encoding="utf-8")
    tree = json.loads((OWN / "lab-server.tree.json").read_text(encoding="utf-8"))
    tree[ROOT].pop("ProtocolFeaturesSupported")
    (folder / f"{SERVER}.tree.json").write_text(json.dumps(tree), encoding="utf-8")
