"""pysnmp reads the poll of switches: the same columns in the same multi-column GETBULKs as the product asks for.

Its leaner interface (v1arch), without MIB lookup; several switches at once on its one dispatcher.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pysnmp.hlapi.v1arch.asyncio import CommunityData, SnmpDispatcher, UdpTransportTarget, bulk_cmd, get_cmd
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.proto.rfc1902 import ObjectName

from bench.peers.serve import serve

AT_ONCE = 8
END = (rfc1905.EndOfMibView, rfc1905.NoSuchObject, rfc1905.NoSuchInstance)
NULL = rfc1902.Null("")
Values = dict[str, Any]


class PollError(Exception):
    """An answer that is none."""


async def ask(command: Any, *arguments: Any) -> list[tuple[Any, Any]]:
    """One exchange; its varbinds."""
    silent, status, _index, found = await command(*arguments, lookupMib=False)
    if silent or status:
        raise PollError(str(silent or status))
    return list(found)


async def poll(engine: Any, address: str, port: int, asked: dict[str, Any]) -> Values:
    """One switch."""
    community = CommunityData(asked["community"], mpModel=1)  # noqa: S508 - v2c is what is compared
    target = await UdpTransportTarget.create((address, port), timeout=5, retries=2)
    out: Values = {}
    scalars = [(ObjectName(oid), NULL) for oid in asked["scalars"]]
    for oid, value in await ask(get_cmd, engine, community, target, *scalars):
        if not isinstance(value, END):
            out[str(oid)] = value
    for group in asked["groups"]:
        await columns(engine, community, target, group, asked["max_repetitions"], out)
    return out


async def columns(engine: Any, community: Any, target: Any, group: list[str], repetitions: int, out: Values) -> None:
    """Some columns together, each until it ends."""
    after = {column: ObjectName(column) for column in group}
    while after:
        names = list(after)
        wanted = [(after[name], NULL) for name in names]
        found = await ask(bulk_cmd, engine, community, target, 0, repetitions, *wanted)
        if not found:
            raise PollError("an empty answer")
        for position, (oid, value) in enumerate(found):
            name = names[position % len(names)]
            text = str(oid)
            if name not in after:
                continue
            if isinstance(value, END) or not text.startswith(f"{name}."):
                del after[name]
            else:
                out[text] = value
                after[name] = oid


async def sweep(asked: dict[str, Any]) -> dict[str, Values]:
    """All switches."""
    engine, gate = SnmpDispatcher(), asyncio.Semaphore(AT_ONCE)
    out: dict[str, Values] = {}

    async def one(address: str, port: int) -> None:
        async with gate:
            out[address] = await poll(engine, address, port, asked)

    try:
        await asyncio.gather(*(one(address, port) for address, port in asked["devices"]))
    finally:
        engine.transport_dispatcher.close_dispatcher()
    return out


def plain(value: Any) -> list[Any]:
    """Tag and value as JSON: numbers, hex for strings, dotted text for OIDs."""
    tag = value.tagSet.superTags[-1]
    number = tag.tagClass | tag.tagId
    if number in (4, 0x44):
        return [number, bytes(value).hex()]
    return [number, str(value) if number in (6, 0x40) else int(value)]


if __name__ == "__main__":
    serve(
        lambda asked: asyncio.run(sweep(asked)),
        lambda given: {a: {oid: plain(v) for oid, v in found.items()} for a, found in given.items()},
    )
