"""One sweep: all targets of a job in one asyncio process, each ending in exactly one result.

Limits hold globally, per protocol and per device; a budget in seconds holds per device and in total. Whatever one
device does (garbage, endless, an exception of any kind in code that reads it) touches no other. A device that cannot
even be stopped is left behind after a grace period, with its result written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from yunwei.inspect.collect import local, redfish, snmp, ssh
from yunwei.inspect.collect.base import Look, Tools, Trouble
from yunwei.inspect.collect.own import is_ours
from yunwei.inspect.observation import DeviceResult, Job, Target
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

log = logging.getLogger(__name__)
Collector = Callable[[Look], Coroutine[Any, Any, DeviceResult]]
Progress = Callable[[int, int], None]

COLLECTORS: Mapping[str, Collector] = {
    "snmp": snmp.collect,
    "redfish": redfish.collect,
    "ssh": ssh.collect,
    "local": local.collect,
}
#: seconds of one turn of the event loop from which on no further look begins, and how many go on however long turns take
BUSY, FEW = 0.05, 8
#: seconds after the budget in which a look may log out and judge what it has
GRACE = 3.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many looks go on at once: in all, and by protocol (a key exchange of SSH costs 20 times an SNMP poll)."""

    total: int = 600
    #: TLS handshakes under way: of hundreds begun together the last would be refused for having waited for the others
    connecting: int = 32
    protocol: Mapping[str, int] = field(default_factory=lambda: {"snmp": 400, "redfish": 250, "ssh": 24, "local": 1})


class Gates:
    """The semaphores of one sweep, or of all that one process does at once. Two targets behind one address and port are
    looked at one after the other, and none is begun while the process is behind with those under way: hundreds that share
    a core, or the tenth of one that others leave, would all run out of their time together, and none of it is theirs."""

    def __init__(self, limits: Limits) -> None:
        self.connecting = asyncio.Semaphore(limits.connecting)
        self._total = asyncio.Semaphore(limits.total)
        self._protocol = {name: asyncio.Semaphore(n) for name, n in limits.protocol.items()}
        self._device: dict[tuple[str, str, int], asyncio.Lock] = {}
        self._door = asyncio.Lock()
        self._inside = 0

    async def enter(self, target: Target) -> None:
        """Wait for one's turn at the device, the protocol and in all; who is cancelled meanwhile keeps no place."""
        places: list[asyncio.Lock | asyncio.Semaphore] = []
        try:
            for place in (self._lock(target), self._gate(target), self._total):
                await place.acquire()
                places.append(place)
            await self._keep_up()
        except BaseException:
            for place in reversed(places):
                place.release()
            raise

    async def _keep_up(self) -> None:
        """Wait, one after the other, until the event loop comes round soon enough to hear what those inside are told."""
        async with self._door:
            while self._inside >= FEW:
                before = time.monotonic()
                await asyncio.sleep(0)
                if time.monotonic() - before < BUSY:
                    break
                await asyncio.sleep(BUSY)
            self._inside += 1

    def leave(self, target: Target) -> None:
        self._inside -= 1
        self._total.release()
        self._gate(target).release()
        self._lock(target).release()

    def _lock(self, target: Target) -> asyncio.Lock:
        return self._device.setdefault((target.protocol, target.address, target.port), asyncio.Lock())

    def _gate(self, target: Target) -> asyncio.Semaphore:
        return self._protocol.get(target.protocol, self._total_of_one(target.protocol))

    def _total_of_one(self, protocol: str) -> asyncio.Semaphore:
        return self._protocol.setdefault(protocol, asyncio.Semaphore(1))


async def sweep(
    job: Job,
    tools: Tools,
    *,
    limits: Limits | None = None,
    gates: Gates | None = None,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
    collectors: Mapping[str, Collector] = COLLECTORS,
) -> list[DeviceResult]:
    """Look at every target of the job; one result each, in the job's order.

    `gates` are those of a process that does several jobs at once: their devices wait in one line.
    `progress(done, total)` is called after each device. When `stop` is set, or the job's total budget ends, what is
    not finished ends as `budget` with the cause said. Cancelling this coroutine stops all looks and raises.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + job.total_budget_s
    gates = gates or Gates(limits or Limits())
    tools.connecting = gates.connecting
    tasks = {
        asyncio.create_task(_guarded(target, job, tools, gates, end, collectors)): index
        for index, target in enumerate(job.targets)
    }
    results: list[DeviceResult | None] = [None] * len(tasks)
    stopper = asyncio.create_task(stop.wait()) if stop else None
    waiting: set[asyncio.Task[Any]] = set(tasks)

    def take(done: set[asyncio.Task[Any]]) -> None:
        for task in done & waiting:
            waiting.discard(task)
            if not task.cancelled():
                results[tasks[task]] = task.result()
            if progress:
                progress(len(results) - len(waiting), len(results))

    try:
        while waiting:
            left = end + 2 * GRACE - loop.time()
            watched = waiting | ({stopper} if stopper else set())
            done, _pending = await asyncio.wait(watched, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED)
            take(done)
            if not done or stopper in done:
                break
    finally:
        for task in (*waiting, *((stopper,) if stopper else ())):
            task.cancel()
        if waiting:
            take((await asyncio.wait(waiting, timeout=GRACE))[0])
    why = _("采集被停止") if stop and stop.is_set() else _("整次巡检的时间预算已用完")
    now = tools.clock()
    return [
        result
        or DeviceResult(
            asset=target.asset, protocol=target.protocol, started_at=now, ended_at=now,
            problem=Reason.BUDGET, detail=why, control=target.control,
        )
        for result, target in zip(results, job.targets, strict=True)
    ]  # fmt: skip


async def _guarded(
    target: Target, job: Job, tools: Tools, gates: Gates, end: float, collectors: Mapping[str, Collector]
) -> DeviceResult:
    """One device inside its limits. Never raises but CancelledError."""
    loop = asyncio.get_running_loop()
    await gates.enter(target)
    try:
        now = loop.time()
        look = Look(target, job.terms, min(now + job.budget_s, end), tools, tools.clock())
        if now >= end:
            return look.result(problem=Reason.BUDGET, detail=_("整次巡检的时间预算已用完，未轮到这台设备"))
        return await _look(look, collectors.get(target.protocol))
    finally:
        gates.leave(target)


async def _look(look: Look, collector: Collector | None) -> DeviceResult:
    if collector is None:
        return look.result(
            problem=Reason.NOT_SUPPORTED, detail=_("没有这种协议的采集器：{name}").format(name=look.target.protocol)
        )
    task = asyncio.create_task(collector(look))
    try:
        await asyncio.wait({task}, timeout=look.left() + GRACE)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)
    if not task.done() or task.cancelled():
        return look.result(problem=Reason.BUDGET, detail=_("设备的时间预算已用完"))
    return _outcome(task, look)


def _outcome(task: asyncio.Task[DeviceResult], look: Look) -> DeviceResult:
    """The result of a finished look, whatever it ended with."""
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, Trouble):
        return look.result(problem=error.reason, detail=error.message)
    if isinstance(error, TimeoutError):
        return look.result(problem=Reason.BUDGET, detail=_("设备的时间预算已用完"))
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        if is_ours(error):  # a full disk or no descriptor here is not the device's silence
            log.warning("look at %s ended with %s of our own", look.target.asset, why)
            return look.result(problem=Reason.COLLECTOR_SILENT, detail=_("采集器自身的故障：{why}").format(why=why))
        return look.result(problem=Reason.NOT_REACHED, detail=_("连接失败：{why}").format(why=why))
    # The text of a foreign exception may quote what it choked on: the type alone goes into the evidence.
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}" if frame else "?"
    log.warning("look at %s ended with %s in %s", look.target.asset, type(error).__name__, place)
    return look.result(problem=Reason.GARBAGE, detail=_("无法理解的应答（{kind}）").format(kind=type(error).__name__))
