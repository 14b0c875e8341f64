"""One sweep: bad devices among good ones, budgets, exactly one result per target, sessions, identities."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from tests.inspect.helpers import NOW, farm_look, look, ring, server, spec, switch, target

from yunwei.inspect.collect.base import Look, Tools, storable
from yunwei.inspect.collect.job import delete_left, run_job_async
from yunwei.inspect.collect.redfish_http import Bmc
from yunwei.inspect.collect.sessions import SessionBook
from yunwei.inspect.collect.sweep import Gates, Limits, sweep
from yunwei.inspect.collect.wire import Wire
from yunwei.inspect.observation import FAULTS, DeviceResult, Job, Observation, Part, Target
from yunwei.inspect.vendor import shipped
from yunwei.kernel.verdict import Reason
from yunwei.lab.build import control_spec
from yunwei.lab.farm import Farm
from yunwei.snmp.client import SnmpClient


def faulty(result: DeviceResult) -> set[str]:
    return {o.component for o in result.observations if o.state in FAULTS}


def shape(result: DeviceResult) -> list[tuple[str, str, str]]:
    return sorted((o.component, o.kind, str(o.state)) for o in result.observations)


async def test_healthy_and_faulty_devices_are_told_apart():
    well, bad, bmc, bad_bmc = await farm_look(
        [switch("127.51.0.1"), switch("127.51.0.2", "fan_failed"), server("127.51.0.3"),
         server("127.51.0.4", "fan_failed")]
    )  # fmt: skip
    assert [r.problem for r in (well, bad, bmc, bad_bmc)] == [None] * 4
    assert not faulty(well)
    assert not faulty(bmc)
    assert any("fan" in c.lower() for c in faulty(bad))
    assert any("fan" in c.lower() for c in faulty(bad_bmc))
    assert well.identity["base_mac"] != bad.identity["base_mac"]
    assert bmc.identity["serial"]
    assert bmc.identity["certificate"]
    assert bmc.moving
    assert well.moving
    # not all right: looked deeper, found parts that the rollup does not read
    assert bad_bmc.counts["deep"]
    assert "deep" not in bmc.counts
    assert {p.kind for p in bad_bmc.parts} > {p.kind for p in bmc.parts}


async def test_snmp_v3_gives_the_same_and_its_engine_as_identity():
    v2, v3 = await farm_look([switch("127.51.1.1"), switch("127.51.1.2", snmp="3")])
    assert shape(v2) == shape(v3)
    assert v3.identity["engine_id"]
    assert "engine_id" not in v2.identity


BAD = {
    "garbage": ({Reason.GARBAGE}, {Reason.GARBAGE}),
    "endless": ({Reason.PARTIAL, Reason.BUDGET}, None),
    "endless_body": (None, {Reason.GARBAGE, Reason.BUDGET}),
    "half": ({Reason.GARBAGE}, {Reason.PARTIAL, Reason.GARBAGE}),
    "slow": ({Reason.BUDGET, Reason.NOT_REACHED}, {Reason.BUDGET}),
    "dead": ({Reason.NOT_REACHED}, {Reason.NOT_REACHED, Reason.BUDGET}),
    "unauthorized": ({Reason.NOT_REACHED, Reason.AUTH}, {Reason.AUTH}),
    "wrong_encoding": (None, {Reason.GARBAGE, Reason.PARTIAL}),
}


async def test_bad_devices_are_unproven_with_their_reason_and_touch_no_other():
    devices, wanted = [switch("127.51.2.1"), server("127.51.2.2")], [{None}, {None}]
    for i, (fault, (snmp, redfish)) in enumerate(BAD.items()):
        if snmp:
            devices.append(switch(f"127.51.3.{i + 1}", fault))
            wanted.append(snmp)
        if redfish:
            devices.append(server(f"127.51.4.{i + 1}", fault))
            wanted.append(redfish)
    alone = await farm_look(devices[:2])
    together = await farm_look(devices, budget_s=8.0)
    assert len(together) == len(devices)
    for result, device, reasons in zip(together, devices, wanted, strict=True):
        assert result.asset == device.address
        assert result.problem in reasons, (device.faults, result.problem, result.detail)
        assert result.problem is None or result.detail
    assert [shape(r) for r in together[:2]] == [shape(r) for r in alone]


async def test_what_answers_nonsense_is_not_called_unreachable_when_its_budget_ends_first():
    [noise] = await farm_look([switch("127.51.3.77", "garbage")], budget_s=0.5)
    assert noise.problem == Reason.GARBAGE, noise.detail


async def test_tooBig_and_truncating_agents_lose_no_row():
    plain, big, short = await farm_look(
        [switch("127.51.5.1"), switch("127.51.5.2", "too_big"), switch("127.51.5.3", "truncating")]
    )
    assert shape(plain) == shape(big) == shape(short)
    assert big.counts["requests"] > plain.counts["requests"]


async def test_the_positive_control_is_found_faulty_by_the_same_path():
    keys = ring()
    async with Farm(control_spec()) as farm:
        results = await look(keys, [target(farm, d, keys, control=True) for d in farm.spec.devices])
    assert {r.protocol for r in results} == {"snmp", "redfish"}
    for result in results:
        assert result.control
        assert result.problem is None
        assert faulty(result)


# --- what no device can do to the sweep


def tools() -> Tools:
    return Tools(shipped(), ring(), lambda: NOW)


def job(count: int, *, budget_s: float = 1.0, total_s: float = 20.0) -> Job:
    return Job("p", "r", "z", NOW, [Target(f"d{i}", "x", f"127.52.0.{i}") for i in range(count)], {}, budget_s, total_s)


async def test_any_exception_of_one_device_stays_its_own():
    class StrangeError(BaseException):
        pass

    kinds: list[Callable[[], BaseException]] = [
        RuntimeError, RecursionError, MemoryError, KeyError, lambda: OSError(113, "no route"), asyncio.CancelledError,
        TimeoutError, lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), StrangeError,
    ]  # fmt: skip

    async def collect(at: Look) -> DeviceResult:
        number = int(at.target.asset[1:])
        if number < len(kinds):
            raise kinds[number]()  # noqa: RSE102 - made anew
        return at.result()

    seen: list[tuple[int, int]] = []
    results = await sweep(
        job(len(kinds) + 3), tools(), collectors={"x": collect}, progress=lambda done, total: seen.append((done, total))
    )
    assert [r.asset for r in results] == [f"d{i}" for i in range(len(kinds) + 3)]
    assert all(r.problem is not None and r.detail for r in results[: len(kinds)])
    assert results[4].problem is Reason.NOT_REACHED
    assert all(r.problem is None for r in results[len(kinds) :])
    assert seen[-1] == (len(results), len(results))


async def test_an_exception_text_never_reaches_the_result():
    async def collect(at: Look) -> DeviceResult:
        raise ValueError("password=hunter2")

    (result,) = await sweep(job(1), tools(), collectors={"x": collect})
    assert result.problem is Reason.GARBAGE
    assert "hunter2" not in repr(result)


async def test_a_look_that_cannot_be_stopped_is_left_behind(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("yunwei.inspect.collect.sweep.GRACE", 0.2)
    release = asyncio.Event()

    async def collect(at: Look) -> DeviceResult:
        while at.target.asset == "d0" and not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return at.result()

    results = await sweep(job(3, budget_s=0.2), tools(), collectors={"x": collect})
    release.set()
    assert [r.problem for r in results] == [Reason.BUDGET, None, None]
    await asyncio.sleep(0)


async def test_the_total_budget_names_every_device_that_had_no_turn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("yunwei.inspect.collect.sweep.GRACE", 0.1)

    async def collect(at: Look) -> DeviceResult:
        await asyncio.sleep(30)
        return at.result()

    started = time.monotonic()
    results = await sweep(job(40, budget_s=30, total_s=0.3), tools(), collectors={"x": collect})
    assert time.monotonic() - started < 20  # and not the 30 s that each look would take
    assert len(results) == 40
    assert {r.problem for r in results} == {Reason.BUDGET}


async def test_a_stopped_sweep_ends_with_a_result_for_all():
    stop = asyncio.Event()

    async def collect(at: Look) -> DeviceResult:
        if at.target.asset == "d1":
            await asyncio.sleep(30)
        stop.set()
        return at.result()

    results = await sweep(job(2, budget_s=30), tools(), collectors={"x": collect}, stop=stop)
    assert [r.problem for r in results] == [None, Reason.BUDGET]
    assert "停止" in results[1].detail


async def test_one_device_is_asked_once_at_a_time():
    inside: set[str] = set()

    async def collect(at: Look) -> DeviceResult:
        assert at.target.address not in inside
        inside.add(at.target.address)
        await asyncio.sleep(0.01)
        inside.discard(at.target.address)
        return at.result()

    twice = [Target(f"d{i}", "x", f"127.52.1.{i % 3}", 1) for i in range(12)]
    results = await sweep(Job("p", "r", "z", NOW, twice, {}, 5, 20), tools(), collectors={"x": collect})
    assert all(r.problem is None for r in results)


async def test_a_process_that_is_behind_with_those_under_way_begins_no_other():
    """Each turn of the loop costs two milliseconds a look: with fifty inside it would come round every tenth of a second."""
    inside, most = 0, 0

    async def collect(at: Look) -> DeviceResult:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _step in range(10):
            await asyncio.sleep(0)
            time.sleep(0.002)  # noqa: ASYNC251 - what an answer costs us
        inside -= 1
        return at.result()

    gates = Gates(Limits(protocol={"x": 100}))
    results = await sweep(job(100, budget_s=120.0, total_s=300.0), tools(), gates=gates, collectors={"x": collect})
    assert {r.problem for r in results} == {None}
    assert most < 70


async def test_a_process_that_keeps_up_looks_at_all_at_once():
    inside, all_in = 0, asyncio.Event()

    async def collect(at: Look) -> DeviceResult:
        nonlocal inside
        inside += 1
        if inside == 100:
            all_in.set()
        await all_in.wait()
        return at.result()

    results = await sweep(
        job(100, budget_s=120.0, total_s=300.0), tools(), collectors={"x": collect}, limits=Limits(protocol={"x": 100})
    )
    assert {r.problem for r in results} == {None}


async def test_who_gives_up_waiting_keeps_no_place_in_the_line_of_other_jobs():
    gates = Gates(Limits(total=1, protocol={"x": 1}))
    first, second = (Target(f"d{i}", "x", f"127.52.2.{i}", 1) for i in (1, 2))
    await gates.enter(first)
    for target_ in (first, second):  # one waits at the device, one at the protocol
        waiting = asyncio.create_task(gates.enter(target_))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    gates.leave(first)
    async with asyncio.timeout(5):
        await gates.enter(second)
        gates.leave(second)
        await gates.enter(first)


# --- hostile servers beyond what the farm plays


@asynccontextmanager
async def udp(answer: Callable[[bytes], bytes], address: str) -> AsyncIterator[int]:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(answer(data), addr)  # type: ignore[attr-defined]

    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_datagram_endpoint(Server, local_addr=(address, 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


async def test_fuzzed_snmp_answers_among_healthy_ones():
    dice = random.Random(20260302)

    def fuzz(data: bytes) -> bytes:
        raw = bytearray(data)
        for _ in range(dice.randint(1, 8)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        return bytes(raw[: dice.randint(1, len(raw))]) if dice.random() < 0.5 else bytes(raw)

    keys = ring()
    sealed = keys.seal({"community": "c"})
    async with Farm(spec(switch("127.51.6.1"))) as farm:
        bad, stack = [], []
        for i in range(12):
            context = udp(fuzz, f"127.51.7.{i + 1}")
            stack.append(context)
            bad.append(Target(f"bad{i}", "snmp", f"127.51.7.{i + 1}", await context.__aenter__(), sealed))
        results = await look(keys, [*bad, target(farm, farm.spec.devices[0], keys)], budget_s=6)
        for context in stack:
            await context.__aexit__(None, None, None)
    assert results[-1].problem is None
    assert not faulty(results[-1])
    assert len(results) == 13
    assert all(r.problem is not None for r in results[:-1])


# --- identities: another machine gets no secret


async def test_a_changed_certificate_ends_before_the_password_is_sent():
    keys = ring()
    async with Farm(spec(server("127.51.8.1"))) as farm:
        device = farm.spec.devices[0]
        (first,) = await look(keys, [target(farm, device, keys)])
        asked = farm.asked
        (other,) = await look(keys, [target(farm, device, keys, pinned={"certificate": "00" * 32})])
        assert farm.asked == asked  # not one request left
        (again,) = await look(keys, [target(farm, device, keys, pinned=first.identity)])
    assert other.problem is Reason.IDENTITY_CHANGED
    assert other.identity["certificate"] == first.identity["certificate"]
    assert not other.observations
    assert again.problem is None


async def test_a_changed_engine_ends_before_the_tables_are_read():
    keys = ring()
    async with Farm(spec(switch("127.51.8.2", snmp="3"))) as farm:
        device = farm.spec.devices[0]
        (result,) = await look(keys, [target(farm, device, keys, pinned={"engine_id": "80001f88"})])
    assert result.problem is Reason.IDENTITY_CHANGED
    assert not result.observations


# --- sessions of BMCs


async def test_no_session_is_left_even_when_the_budget_ends_or_the_sweep_is_cancelled():
    keys = ring()
    async with Farm(spec(server("127.51.9.1"), server("127.51.9.2", latency_ms=150))) as farm:
        one, slow = farm.spec.devices
        await look(keys, [target(farm, one, keys), target(farm, slow, keys)], budget_s=1.2)
        assert not farm.bmc(one.address).sessions
        assert not farm.bmc(slow.address).sessions
        task = asyncio.create_task(look(keys, [target(farm, slow, keys)]))
        while not farm.bmc(slow.address).sessions:  # noqa: ASYNC110 - the farm raises no event for it
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.5)
        assert not farm.bmc(slow.address).sessions


async def crashed(farm: Farm, keys: object, book: SessionBook) -> str:
    """Log in as a collector that dies before it logs out; returns the sealed session."""
    made = target(farm, farm.spec.devices[0], keys)  # type: ignore[arg-type]
    at = Look(made, {}, asyncio.get_running_loop().time() + 20, Tools(shipped(), keys, lambda: NOW, None, book), NOW)  # type: ignore[arg-type]
    bmc = await Bmc(at).__aenter__()
    await bmc.login(at.credential())
    for connection in bmc._wire._idle:
        connection.abort()
    await asyncio.sleep(0.05)  # TLS lets go of the look
    return at.trace.session


async def test_a_session_left_by_a_crash_is_deleted_at_the_next_start(tmp_path: Path):
    keys = ring()
    async with Farm(spec(server("127.51.9.3"))) as farm:
        address = farm.spec.devices[0].address
        sealed = await crashed(farm, keys, SessionBook(tmp_path))
        assert len(farm.bmc(address).sessions) == 1
        token = next(iter(farm.bmc(address).sessions.values()))
        ((_path, left),) = SessionBook(tmp_path).left()
        assert left == sealed
        assert token not in left
        assert await delete_left(SessionBook(tmp_path), keys) == 1
        assert not farm.bmc(address).sessions
        assert not list(SessionBook(tmp_path).left())


async def test_a_session_named_by_the_job_is_deleted_first(tmp_path: Path):
    keys = ring()
    async with Farm(spec(server("127.51.9.4"))) as farm:
        device = farm.spec.devices[0]
        sealed = await crashed(farm, keys, SessionBook(tmp_path))
        (result,) = await look(keys, [target(farm, device, keys, session=sealed)])
        assert result.counts["leftover_deleted"] == 1
        assert not farm.bmc(device.address).sessions
    assert result.problem is None
    assert result.session == ""


def test_a_session_of_a_job_that_still_runs_is_not_left_behind(tmp_path: Path):
    running = SessionBook(tmp_path)
    running.keep("https://127.0.0.1", "sealed")
    assert not list(SessionBook(tmp_path).left()), "two jobs may look at one BMC at the same time"
    running.close()
    assert [text for _path, text in SessionBook(tmp_path).left()] == ["sealed"]


def test_books_that_open_and_look_at_the_same_time_do_not_remove_each_other(tmp_path: Path):
    def job(number: int) -> bool:
        book = SessionBook(tmp_path)
        list(book.left())
        book.keep(f"https://127.0.0.{number}", "sealed")
        return (book.own / "lock").exists()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(job, range(200)))


async def test_where_all_sessions_are_taken_basic_still_sees_the_device():
    (result,) = await farm_look([server("127.51.9.5", "sessions_taken")])
    assert result.problem is None
    assert result.counts["basic_auth"] == 1


async def test_the_order_of_results_is_the_order_of_targets():
    keys = ring()
    async with Farm(spec(*(switch(f"127.51.10.{i}") for i in range(1, 31)))) as farm:
        targets = [target(farm, d, keys) for d in farm.spec.devices]
        answer = await run_job_async(Job("p", "r", "z", NOW, targets), keys, collector="c1")
    assert [d.asset for d in answer.devices] == [t.asset for t in targets]
    assert answer.collector == "c1"
    assert all(d.problem is None for d in answer.devices)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(2**70, float(2**70)), (-(2**64), float(-(2**64))), (10**400, None), (2**63 - 1, 2**63 - 1), (float("inf"), None),
     ("a\x00b", "ab"), ("\ud800x", "?x"), ("风扇", "风扇"), ("y" * 9000, "y" * 2000), (True, True), (None, None)],
)  # fmt: skip
def test_what_a_device_says_can_always_be_written(value: object, wanted: object):
    told = Observation("a", "c\x00", "state", "n\ud800", value, raw="\x00")  # type: ignore[arg-type]
    plain = Observation("a", "c", "state", "n", value)  # type: ignore[arg-type]
    good = Observation("a", "风扇", "state", "n", 7)
    kept, same, alone = storable([told, good, plain])
    assert same == good
    assert msgspec.json.decode(msgspec.json.encode(alone), type=Observation).value == wanted
    assert storable([good, plain]) == [good, alone]
    assert storable([good, good]) == [good, good]
    back = msgspec.json.decode(msgspec.json.encode(kept), type=Observation)
    assert back.value == wanted
    assert (back.component, back.name, back.raw) == ("c", "n?", "")
    (part,) = storable([Part("p", "disk", serial="S\x001")])
    assert part.serial == "S1"


async def test_a_disk_that_takes_no_note_of_a_session_blinds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(SessionBook, "keep", full)
    keys, bmc = ring(), server("127.51.0.3")
    async with Farm(spec(bmc)) as farm:
        (seen,) = await look(keys, [target(farm, bmc, keys)], state=tmp_path)
        assert seen.problem is None
        assert farm.sessions() == {bmc.address: 0}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EIO])
async def test_what_the_collector_lacks_is_not_said_of_the_device(monkeypatch: pytest.MonkeyPatch, number: int):
    async def lacks(*_args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Wire, "_dial", lacks)
    monkeypatch.setattr(SnmpClient, "_open", lacks)
    for blind in await farm_look([server("127.51.0.3"), switch("127.51.0.1")]):
        assert blind.problem == Reason.COLLECTOR_SILENT
        assert os.strerror(number) in blind.detail
