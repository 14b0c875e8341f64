"""Jobs against the lab: targets of a farm's devices under a fresh collector key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from yunwei.gm import sm2
from yunwei.inspect.collect.job import Keyring, run_job_async
from yunwei.inspect.observation import DeviceResult, Job, Target
from yunwei.lab.build import device
from yunwei.lab.farm import Farm
from yunwei.lab.spec import DeviceSpec, FarmSpec, number_copies

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SEED = "tests-inspect"


def ring() -> Keyring:
    return Keyring(sm2.generate())


def spec(*devices: DeviceSpec) -> FarmSpec:
    return FarmSpec(devices=number_copies(devices), seed=SEED)


def switch(address: str, *faults: str, snmp: str = "2c", **more: object) -> DeviceSpec:
    return device("snmp", address, "lab-switch", SEED, snmp=snmp, faults=faults, **more)


def server(address: str, *faults: str, **more: object) -> DeviceSpec:
    return device("redfish", address, "lab-server", SEED, faults=faults, **more)


def target(farm: Farm, made: DeviceSpec, keys: Keyring, **more: object) -> Target:
    port = farm.snmp_port if made.protocol == "snmp" else farm.redfish_port
    return Target(made.address, made.protocol, made.address, port, keys.seal(made.credential()), **more)


async def look(
    keys: Keyring,
    targets: Iterable[Target],
    *,
    budget_s: float = 20.0,
    total_s: float = 40.0,
    state: Path | None = None,
) -> list[DeviceResult]:
    job = Job("part", "run", "z", NOW, list(targets), {}, budget_s, total_s)
    return (await run_job_async(job, keys, state=state)).devices


async def farm_look(devices: Sequence[DeviceSpec], **more: object) -> list[DeviceResult]:
    """One sweep of a farm of these devices."""
    keys = ring()
    async with Farm(spec(*devices)) as farm:
        return await look(keys, [target(farm, d, keys) for d in farm.spec.devices], **more)  # type: ignore[arg-type]
