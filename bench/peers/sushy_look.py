"""sushy looks deep into BMCs, one after the other: its own resources where it has them, its connector for the others.

Logs in with a session and deletes it, as it does by itself.
"""

from __future__ import annotations

import contextlib
from typing import Any

import sushy
import urllib3
from sushy import auth as sushy_auth

from bench.peers.serve import serve

urllib3.disable_warnings()


def look(address: str, port: int, asked: dict[str, Any]) -> dict[str, Any]:
    """One BMC; URI to body."""
    login = sushy_auth.SessionOrBasicAuth(asked["user"], asked["password"])
    root = sushy.Sushy(f"https://{address}:{port}", auth=login, verify=False)
    try:
        bodies = model(root)
        for uri in asked["uris"]:
            if uri.rstrip("/") not in bodies:
                bodies[uri.rstrip("/")] = root._conn.get(uri).json()  # noqa: SLF001 - sushy has no resource for it
    finally:
        login.close()
    return bodies


def model(root: Any) -> dict[str, Any]:
    """What sushy has resources for."""
    bodies: dict[str, Any] = {}

    def take(resource: Any) -> Any:
        bodies[resource.path.rstrip("/")] = resource.json
        return resource

    def members(collection: Any) -> list[Any]:
        return [take(member) for member in take(collection).get_members()]

    take(root)
    for system in members(root.get_system_collection()):
        members(system.processors)
        members(system.ethernet_interfaces)
        for storage in members(system.storage):
            for drive in storage.drives:
                take(drive)
            members(storage.volumes)
    for chassis in members(root.get_chassis_collection()):
        take(chassis.thermal)
        take(chassis.power)
    for manager in members(root.get_manager_collection()):
        members(manager.ethernet_interfaces)
    with contextlib.suppress(sushy.exceptions.MissingAttributeError):  # it insists on actions; the connector does not
        members(take(root.get_update_service()).firmware_inventory)
    return bodies


if __name__ == "__main__":
    serve(lambda asked: {address: look(address, port, asked) for address, port in asked["devices"]})
