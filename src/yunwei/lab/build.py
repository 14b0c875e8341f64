"""Farms that people and doors ask for: all samples once, many copies, captures of a folder, the positive control."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from itertools import cycle, islice
from pathlib import Path

from yunwei.kernel.i18n import _
from yunwei.lab import find
from yunwei.lab.errors import LabError
from yunwei.lab.spec import DeviceSpec, FarmSpec, Login, User, addresses, derive, number_copies

FIRST = "127.1.0.1"
CONTROLS = {
    "snmp": ("127.88.0.1", "lab-switch", ("fan_failed", "psu_lost")),
    "redfish": ("127.88.0.2", "lab-server", ("fan_failed", "disk_predicted")),
}


def credentials(seed: str) -> tuple[str, User, Login]:
    """Community, SNMPv3 user (SHA-256, AES-128) and Redfish login of a farm: they follow from its seed."""
    word = derive(seed, "credential").hex()
    user = User(
        user="yunwei",
        auth_proto="SHA-256",
        auth_password=word[:20],
        priv_proto="AES",
        priv_password=word[20:40],
    )
    return f"lab-{word[40:48]}", user, Login(user="yunwei", password=word[48:64])


def device(protocol: str, address: str, sample: str, seed: str, *, snmp: str = "both", **more: object) -> DeviceSpec:
    """One device with the farm's own credentials; `snmp` is 2c, 3 or both."""
    community, user, login = credentials(seed)
    kind: dict[str, object] = {"login": login}
    if protocol == "snmp":
        kind = {"community": "" if snmp == "3" else community, "users": () if snmp == "2c" else (user,)}
    return DeviceSpec(address=address, protocol=protocol, sample=sample, **kind, **more)  # type: ignore[arg-type]


def farm_spec(
    *,
    captures: Path | None = None,
    count: int = 0,
    only: Iterable[str] = (),
    first: str = FIRST,
    seed: str = "yunwei-lab",
    snmp_port: int = 0,
    redfish_port: int = 0,
    control_port: int = 0,
    snmp: str = "both",
    jitter: bool = False,
) -> FarmSpec:
    """A farm of every sample found (or of `captures`, a folder, alone), each at its own address from `first` on.

    `count` > 0 makes so many devices, going round the samples; `only` are names of samples; `snmp` is 2c, 3 or
    both. LabError when there is nothing to serve.
    """
    if snmp not in {"2c", "3", "both"}:
        raise LabError(_("SNMP 版本只能是 2c、3 或 both"), where=snmp)
    if captures is not None and not captures.is_dir():
        raise LabError(_("没有这个文件夹"), where=str(captures))
    found = find.find([captures] if captures is not None else find.own_folders())
    names = set(only)
    chosen = [key for key in sorted(found, key=lambda key: (key[1], key[0])) if not names or key[1] in names]
    missing = names - {name for _protocol, name in chosen}
    if missing:
        raise LabError(_("没有这些样本：{names}").format(names=" ".join(sorted(missing))))
    if not chosen:
        raise LabError(_("文件夹里没有样本（*.snmprec、*.tree.json）"), where=str(captures or ""))
    rounds = list(islice(cycle(chosen), count or len(chosen)))
    places = addresses(first, len(rounds))
    devices = [
        device(protocol, address, name, seed, snmp=snmp, name=name)
        for (protocol, name), address in zip(rounds, places, strict=True)
    ]
    return FarmSpec(
        devices=number_copies(devices),
        samples=(str(captures),) if captures is not None else (),
        snmp_port=snmp_port,
        redfish_port=redfish_port,
        control_port=control_port,
        seed=seed,
        jitter=jitter,
    )


def control_spec(protocols: Sequence[str] = ("snmp", "redfish"), *, seed: str = "") -> FarmSpec:
    """The positive control: one faulty device per protocol, built in, to be started beside each collector.

    It must be found faulty in every run, or the run proves nothing (law 1). It is the same farm and the same kind of
    sample and fault as any other; `seed` keeps its identity and credentials over restarts, none makes new ones.
    """
    seed = seed or secrets.token_hex(16)
    devices = []
    for protocol in protocols:
        address, sample, faults = CONTROLS[protocol]
        devices.append(device(protocol, address, sample, seed, name=f"control-{protocol}", faults=faults))
    return FarmSpec(devices=tuple(devices), seed=seed)
