"""`requests` in threads: a session for each BMC, the same GETs as the product's, JSON decoded, session deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import urllib3

from bench.peers.serve import serve

urllib3.disable_warnings()
TIMEOUT_S = 30
SESSIONS = "/redfish/v1/SessionService/Sessions"


def look(address: str, port: int, asked: dict[str, Any]) -> dict[str, Any]:
    """One BMC; URI to body."""
    base = f"https://{address}:{port}"
    with requests.Session() as http:
        http.verify, http.trust_env = False, False
        account = {"UserName": asked["user"], "Password": asked["password"]}
        opened = http.post(base + SESSIONS, json=account, timeout=TIMEOUT_S)
        opened.raise_for_status()
        http.headers["X-Auth-Token"] = opened.headers["X-Auth-Token"]
        bodies = {}
        for uri in asked["uris"]:
            answer = http.get(base + uri, timeout=TIMEOUT_S)
            answer.raise_for_status()
            bodies[uri.rstrip("/")] = answer.json()
        http.delete(base + opened.headers["Location"], timeout=TIMEOUT_S).raise_for_status()
    return bodies


def sweep(asked: dict[str, Any]) -> dict[str, Any]:
    """All BMCs."""
    with ThreadPoolExecutor(asked["threads"]) as pool:
        bodies = pool.map(lambda device: look(device[0], device[1], asked), asked["devices"])
        return {address: body for (address, _port), body in zip(asked["devices"], bodies, strict=True)}


if __name__ == "__main__":
    serve(sweep)
