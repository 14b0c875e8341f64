"""The farm as a process of its own: how long it lives and what it prints."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import uvloop

from yunwei.lab.farm import Farm
from yunwei.lab.spec import FarmSpec


def run(spec: FarmSpec, *, until_eof: bool = False) -> None:
    """Serve until SIGINT or SIGTERM (or the end of standard input).

    Prints one JSON object a line: every endpoint, then `{"ready": true, "control": ..., "token": ...}`.
    """
    uvloop.run(_serve(spec, until_eof=until_eof))


async def _serve(spec: FarmSpec, *, until_eof: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Farm(spec) as farm:
        lines = [json.dumps(endpoint, ensure_ascii=False) for endpoint in farm.endpoints()]
        control = f"127.0.0.1:{farm.switch.port}"
        lines.append(json.dumps({"ready": True, "control": control, "token": farm.switch.token}))
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        if until_eof:
            loop.add_reader(sys.stdin, _watch_stdin, stop)
        await stop.wait()
        if until_eof:
            loop.remove_reader(sys.stdin)


def _watch_stdin(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()
