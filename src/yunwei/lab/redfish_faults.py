"""Standard faults of a Redfish tree, for any vendor: the first fan, power supply, drive or port that is well.

The fault shows where real BMCs show it: at the part, and as `HealthRollup` on what the part belongs to (storage,
chassis, system), so that a client that reads rollups only knows where to look deeper (DSP0266, Resource.Status).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from yunwei.kernel.i18n import _
from yunwei.lab.errors import LabError

Json = dict[str, Any]
Tree = dict[str, Json]


def apply(fault: str, tree: Tree) -> set[str]:
    """Write one content fault into a parsed tree; the URIs that changed. LabError where the tree has no such part."""
    recipe = RECIPES.get(fault)
    changed = recipe(tree) if recipe else set()
    if recipe and not changed:
        raise LabError(_("样本里没有可以出这种故障的部件"), where=fault)
    return changed


def _well(part: Json) -> bool:
    status = part.get("Status")
    return isinstance(status, dict) and status.get("Health") in ("OK", None) and status.get("State") != "Absent"


def _of_type(tree: Tree, *names: str) -> Iterator[tuple[str, Json]]:
    """Resources of a Redfish type, by @odata.type ("#Drive.v1_5_0.Drive"), in the order of the tree."""
    for uri, body in tree.items():
        kind = str(body.get("@odata.type", "")).rpartition(".")[2]
        if kind in names:
            yield uri, body


def _entry(tree: Tree, holder: str, array: str, resource: str) -> tuple[str, Json] | None:
    """The first well part: an entry of an array (Thermal.Fans) or, since Redfish 2020.4, a resource (Fan)."""
    for uri, body in tree.items():
        if str(body.get("@odata.type", "")).rpartition(".")[2] == holder:
            for part in body.get(array) or []:
                if isinstance(part, dict) and _well(part):
                    return uri, part
    return next(((uri, body) for uri, body in _of_type(tree, resource) if _well(body)), None)


def _status(body: Json, health: str, **more: Any) -> None:
    status = body.setdefault("Status", {})
    status.update({"Health": health, **more})


def _roll_up(tree: Tree, uri: str, health: str) -> set[str]:
    """Put `health` into the rollup of every resource above `uri` and of the systems of its chassis."""
    above = {parent for parent in tree if uri.startswith(parent + "/") and isinstance(tree[parent].get("Status"), dict)}
    for parent in tuple(above):
        for link in (tree[parent].get("Links") or {}).get("ComputerSystems") or []:
            target = str(link.get("@odata.id", "")).rstrip("/") if isinstance(link, dict) else ""
            if isinstance(tree.get(target, {}).get("Status"), dict):
                above.add(target)
    for parent in above:
        status = tree[parent]["Status"]
        key = next((key for key in ("HealthRollup", "HealthRollUp") if key in status), None)
        if key is None:  # old BMCs have no rollup: their Health is one
            key = "Health"
        if status.get(key) != "Critical":  # the worst of several faults is what rolls up
            status[key] = health
    return above


def _fan_failed(tree: Tree) -> set[str]:
    found = _entry(tree, "Thermal", "Fans", "Fan")
    if found is None:
        return set()
    uri, fan = found
    _status(fan, "Critical")
    if "Reading" in fan:
        fan["Reading"] = 0
    if isinstance(fan.get("SpeedPercent"), dict):
        fan["SpeedPercent"] |= {"Reading": 0, "SpeedRPM": 0}
    return {uri} | _roll_up(tree, uri, "Critical")


def _psu_lost(tree: Tree) -> set[str]:
    found = _entry(tree, "Power", "PowerSupplies", "PowerSupply")
    if found is None:
        return set()
    uri, supply = found
    _status(supply, "Critical", State="UnavailableOffline")
    zero = ("LineInputVoltage", "LastPowerOutputWatts", "PowerInputWatts", "PowerOutputWatts", "InputPowerWatts")
    supply.update({key: 0 for key in zero if key in supply})
    if "LineInputStatus" in supply:
        supply["LineInputStatus"] = "LossOfInput"
    return {uri} | _roll_up(tree, uri, "Critical")


def _disk_predicted(tree: Tree) -> set[str]:
    for uri, drive in _of_type(tree, "Drive"):
        if _well(drive):
            drive["FailurePredicted"] = True
            _status(drive, "Warning")
            return {uri} | _roll_up(tree, uri, "Warning") | _storage_of(tree, uri)
    for uri, body in _of_type(tree, "SimpleStorage"):
        for device in body.get("Devices") or []:
            if _well(device):
                _status(device, "Warning")
                return {uri} | _roll_up(tree, uri, "Warning")
    return set()


def _storage_of(tree: Tree, drive: str) -> set[str]:
    """Storage that lists the drive though the drive's URI hangs elsewhere (under a chassis): rolled up as well."""
    changed: set[str] = set()
    for uri, body in _of_type(tree, "Storage"):
        members = (str(link.get("@odata.id", "")).rstrip("/") for link in body.get("Drives") or [])
        if drive in members and not drive.startswith(uri + "/"):
            changed |= {uri} | _roll_up(tree, uri + "/", "Warning")
    return changed


def _port_errors(tree: Tree) -> set[str]:
    for uri, body in _of_type(tree, "Port", "NetworkPort", "EthernetInterface"):
        if _well(body):
            _status(body, "Warning")
            return {uri} | _roll_up(tree, uri, "Warning")
    return set()


def _health_misplaced(tree: Tree) -> set[str]:
    """Health and State swapped, as H3C's HDM 1.85.02 does on its manager; on the first system too."""
    changed: set[str] = set()
    for kind in ("Manager", "ComputerSystem"):
        for uri, body in _of_type(tree, kind):
            if isinstance(body.get("Status"), dict):
                body["Status"] = {"Health": "Enabled", "State": "OK", **_rollup_too(body["Status"])}
                changed.add(uri)
                break
    return changed


def _rollup_too(status: Json) -> Json:
    return {key: "Enabled" for key in ("HealthRollup", "HealthRollUp") if key in status}


RECIPES: dict[str, Callable[[Tree], set[str]]] = {
    "fan_failed": _fan_failed,
    "psu_lost": _psu_lost,
    "disk_predicted": _disk_predicted,
    "port_errors": _port_errors,
    "health_misplaced": _health_misplaced,
}
