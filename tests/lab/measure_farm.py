# ruff: noqa: T201 - a script that prints what it measured
"""How large a farm is when every device of it has been asked: `python -m tests.lab.measure_farm 10000`."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from yunwei.lab.build import farm_spec
from yunwei.lab.process import FarmProcess
from yunwei.snmp.client import V3, SnmpClient, V2c

OIDS = ["1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.3.0"]
COLUMNS = [f"1.3.6.1.2.1.2.2.1.{column}" for column in (2, 7, 8, 10, 14)]
AT_ONCE = 64


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def cpu_s(pid: int) -> float:
    """User and system time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def each(items: list[Any], do: Any) -> None:
    """Run `do` over all items, a few at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> None:
        async with gate:
            await do(item)

    await asyncio.gather(*map(one, items))


async def ask_agents(endpoints: list[dict[str, Any]], *, v3: bool = False, table: bool = False) -> None:
    """GET (and read five columns of) every agent; an agent that does not answer whole is an error."""
    async with SnmpClient() as client:

        async def ask(endpoint: dict[str, Any]) -> None:
            user = endpoint["users"][0]
            login = V2c(endpoint["credential"]["community"])
            if v3:
                login = V3(*(user[f] for f in ("user", "auth_proto", "auth_password", "priv_proto", "priv_password")))
            session = client.session(endpoint["address"], endpoint["port"], login, timeout=5.0, retries=2)
            assert len(await session.get(OIDS)) == len(OIDS)  # some captures have no sysName
            if table:
                assert (await session.columns(COLUMNS)).whole

        await each(endpoints, ask)


async def ask_bmcs(endpoints: list[dict[str, Any]], session: aiohttp.ClientSession) -> None:
    """GET root and, with Basic authentication, the systems of every BMC over TLS."""

    async def ask(endpoint: dict[str, Any]) -> None:
        login = endpoint["credential"]
        basic = {"Authorization": aiohttp.encode_basic_auth(login["user"], login["password"])}
        base = f"https://{endpoint['address']}:{endpoint['port']}/redfish/v1"
        for path, headers in (("/", {}), ("/Systems", basic)):
            async with session.get(base + path, headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as response:
                assert response.status == 200, await response.text()
                await response.read()

    await each(endpoints, ask)


async def measure(count: int) -> None:
    """Start a farm of `count` devices, ask all of them by every way, print what it took."""
    start = time.monotonic()
    with FarmProcess(farm_spec(count=count, only=["lab-switch", "lab-server"], first="127.16.0.1")) as farm:
        print(f"{count} endpoints, ready in {time.monotonic() - start:.1f} s, {rss_mb(farm.pid):.0f} MB")
        agents = [e for e in farm.endpoints if e["protocol"] == "snmp"]
        bmcs = [e for e in farm.endpoints if e["protocol"] == "redfish"]
        connector = aiohttp.TCPConnector(ssl=False, limit=AT_ONCE, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            for name, work in (
                ("SNMP v2c, GET and 5 columns", ask_agents(agents, table=True)),
                ("SNMP v3 authPriv, GET", ask_agents(agents, v3=True)),
                ("Redfish over TLS, 2 GETs", ask_bmcs(bmcs, session)),
            ):
                before, start = cpu_s(farm.pid), time.monotonic()
                await work
                spent = cpu_s(farm.pid) - before
                print(f"{name}: {time.monotonic() - start:.1f} s, farm CPU {spent:.1f} s, {rss_mb(farm.pid):.0f} MB")
    print(f"client peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
