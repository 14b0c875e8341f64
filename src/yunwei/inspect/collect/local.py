"""The same bundle on the machine that the collector runs on, without SSH."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import AsyncIterator

from yunwei.inspect.collect.base import Look, Trouble
from yunwei.inspect.collect.bundle import MAX_OUTPUT, bundle, parse
from yunwei.inspect.collect.ssh import judge
from yunwei.inspect.observation import DeviceResult
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

#: uvloop refuses to start a process while another loop of this process starts one (shares run in threads side by side)
_STARTING = threading.Lock()


@contextlib.asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """This loop's turn to start a process; waits without blocking the loop, for its own coroutines queue here too."""
    while not _STARTING.acquire(blocking=False):  # noqa: ASYNC110 - other loops hold it, no asyncio.Event reaches them
        await asyncio.sleep(0.002)
    try:
        yield
    finally:
        _STARTING.release()


async def collect(look: Look) -> DeviceResult:
    """Run the bundle here; the whole process group ends with the budget."""
    asked = bundle("linux")
    started = time.time()
    try:
        async with _turn():
            process = await asyncio.create_subprocess_exec(
                "sh", "-s", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
    except OSError as error:
        raise Trouble(Reason.NOT_SUPPORTED, _("本机不能执行检查脚本（{why}）").format(why=error.strerror)) from None
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise Trouble(Reason.NOT_SUPPORTED, _("本机不能执行检查脚本"))
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(max(0.0, look.left() - 0.5)):
            with contextlib.suppress(ConnectionError):
                stdin.write(asked.script)
                await stdin.drain()
                stdin.close()
            while size < MAX_OUTPUT and (chunk := await stdout.read(65536)):
                chunks.append(chunk)
                size += len(chunk)
    except TimeoutError:
        look.trace.count("cut")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    look.trace.count("execs")
    look.trace.count("bytes_in", size)
    sections, partial = parse(b"".join(chunks)[:MAX_OUTPUT], asked)
    identity = sections.get("identity")
    for line in identity.stdout.splitlines() if identity else ():
        name, _equals, value = line.partition("=")
        if name == "machine_id" and value:
            look.trace.identity["machine_id"] = value
    return judge(look, sections, partial, (started, time.time()), truncated=size >= MAX_OUTPUT)
