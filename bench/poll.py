"""The product's own poll alone, as a process beside the peers: asked and decoded, nothing judged, stored or signed.

It does what the collector does up to judging: the probe, the scalars, the tables, with the same client and the same vendor
file. What the values mean is told afterwards, on nobody's account, so that they are compared like those of the peers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import uvloop

from bench.peers.serve import serve
from bench.switches import read_by_peer, vendor
from yunwei.inspect.collect import snmp
from yunwei.inspect.collect.sweep import Limits
from yunwei.inspect.vendor import SnmpData, VendorFile
from yunwei.kernel import heap
from yunwei.snmp.client import V3, SnmpClient, V2c

AT_ONCE = Limits().protocol["snmp"]


async def poll(client: SnmpClient, address: str, port: int, login: V2c | V3, plan: VendorFile) -> SnmpData:
    """One switch, as `snmp.collect` reads it. Raises SnmpError; RuntimeError for a column without a proven end."""
    timeout, retries = snmp.PROBE
    probe = client.session(address, port, login, timeout=timeout, retries=retries)
    data = SnmpData(scalars=dict(await probe.get([snmp.SYS_DESCR, snmp.SYS_OBJECT_ID, snmp.SYS_UPTIME])))
    timeout, retries = snmp.POLL
    session = client.session(
        address, port, login, timeout=timeout, retries=retries, bulk=plan.quirks.bulk, engine=probe.engine
    )
    if partial := await snmp.read(session, plan, data):
        raise RuntimeError(f"{address}: no proven end of {partial}")
    return data


async def sweep(devices: list[tuple[str, int]], keep: int, login: V2c | V3, plan: VendorFile) -> dict[str, SnmpData]:
    """All switches, as many at once as the collector has under way. What the first `keep` said is kept, to be compared; the
    others' values go as soon as they were read, as the collector's do."""
    gate, found = asyncio.Semaphore(AT_ONCE), dict[str, SnmpData]()

    async with SnmpClient() as client:

        async def one(number: int, address: str, port: int) -> None:
            async with gate:
                data = await poll(client, address, port, login, plan)
                if number < keep:
                    found[address] = data

        await asyncio.gather(*(one(number, address, port) for number, (address, port) in enumerate(devices)))
    return found


def values(data: SnmpData) -> dict[str, tuple[int, Any]]:
    """What was read, as OID to tag and value."""
    out = {oid: (value[0], value[1]) for oid, value in data.scalars.items()}
    for column, rows in data.columns.items():
        out |= {f"{column}.{index}": (value[0], value[1]) for index, value in rows.items()}
    return out


def main() -> None:
    """Answer until the input ends."""
    plan = vendor()
    heap.settle()  # as a collector does

    def run(asked: Mapping[str, Any]) -> dict[str, SnmpData]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(sweep(asked["devices"], asked["keep"], snmp.credential(asked["credential"]), plan))

    serve(run, lambda given: {address: read_by_peer(address, values(data)) for address, data in given.items()})


if __name__ == "__main__":
    main()
