"""Collectors in processes of their own: the same signed files, the same result, and an end with their parent."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.inspect.helpers import NOW, server, spec, switch

from yunwei.gm import sm2
from yunwei.inspect.collect import process
from yunwei.inspect.collect.job import JobError, Keyring, contents, read_result, write_job
from yunwei.inspect.collect.process import Collectors
from yunwei.inspect.observation import Job, Target
from yunwei.lab.process import FarmProcess
from yunwei.lab.spec import DeviceSpec

DEVICES = (switch("127.54.0.1", "fan_failed"), server("127.54.0.2"))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_job_goes_in_and_its_signed_result_comes_out_in_the_play_s_time(tmp_path: Path):
    platform, own = sm2.generate(), sm2.generate()
    (tmp_path / "platform.pem").write_bytes(platform.to_pem())
    (tmp_path / "collector-z.pem").write_bytes(own.to_pem())
    ring, ahead = Keyring(own), 86_400.0 * 100
    with FarmProcess(spec(*DEVICES)) as farm:
        ports = {e["protocol"]: e["port"] for e in farm.endpoints}
        targets = [
            Target(d.address, d.protocol, d.address, ports[d.protocol], ring.seal(d.credential())) for d in DEVICES
        ]
        job = Job("part", "run", "z", NOW, targets, {}, 20.0, 40.0)
        with Collectors(1, tmp_path, tmp_path / "state", ahead_s=lambda: ahead) as collectors:
            result = collectors(write_job(job, platform), "z")
            with pytest.raises(JobError):  # not signed by the platform
                collectors(write_job(job, sm2.generate()), "z")
            again = collectors(write_job(job, platform), "z")  # a refused job stops no collector
            (pid,) = collectors.pids()
            assert _alive(pid)
    assert not _alive(pid)
    told = read_result(result, [own.public])
    assert [d.problem for d in told.devices] == [None, None]
    assert any(o.state == "critical" for o in told.devices[0].observations)
    assert abs(told.ended_at.timestamp() - time.time() - ahead) < 60
    assert abs(told.devices[0].counts["wall_s"] - time.time() - ahead) < 60
    assert contents(again).run_id == "run"


def test_collectors_end_when_their_input_does(tmp_path: Path):
    (tmp_path / "platform.pem").write_bytes(sm2.generate().to_pem())
    collectors = Collectors(2, tmp_path, tmp_path / "state")
    pids = collectors.pids()
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    collectors.stop()
    assert not any(_alive(pid) for pid in pids)


class Yard:
    """Keys of a zone and jobs for it; `job` with a dead device waits for its silence, seconds long."""

    def __init__(self, folder: Path, farm: FarmProcess) -> None:
        self.folder, self.farm = folder, farm
        self.platform, own = sm2.generate(), sm2.generate()
        (folder / "platform.pem").write_bytes(self.platform.to_pem())
        (folder / "collector-z.pem").write_bytes(own.to_pem())
        self.ring = Keyring(own)

    def job(self, device: DeviceSpec) -> bytes:
        port = next(e["port"] for e in self.farm.endpoints if e["address"] == device.address)
        at = Target(device.address, device.protocol, device.address, port, self.ring.seal(device.credential()))
        return write_job(Job("part", "run", "z", NOW, [at], {}, 20.0, 40.0), self.platform)

    def collectors(self, **more: float) -> Collectors:
        return Collectors(1, self.folder, self.folder / "state", **more)

    def waiting(self, collectors: Collectors, device: DeviceSpec) -> tuple[threading.Thread, list[object]]:
        """A thread that asks, and what it was given."""
        given: list[object] = []

        def ask() -> None:
            try:
                given.append(collectors(self.job(device), "z"))
            except JobError as error:
                given.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        return thread, given


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with FarmProcess(spec(WELL, SILENT)) as farm:
        yield Yard(tmp_path, farm)


WELL, SILENT = switch("127.54.0.3"), switch("127.54.0.4", "dead")


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_waits_for_no_other_job_of_its_collector(yard: Yard):
    with yard.collectors() as collectors:
        thread, given = yard.waiting(collectors, SILENT)
        until(lambda: bool(collectors._all[0].jobs))
        assert contents(collectors(yard.job(WELL), "z")).devices[0].problem is None
        assert not given  # the silent device is still waited for
        thread.join(60)
    assert contents(given[0]).devices[0].problem == "not_reached"


def test_a_collector_that_dies_fails_its_jobs_and_is_replaced(yard: Yard):
    with yard.collectors() as collectors:
        thread, given = yard.waiting(collectors, SILENT)
        until(lambda: bool(collectors._all[0].jobs))
        (first,) = collectors.pids()
        os.kill(first, signal.SIGKILL)
        thread.join(60)
        assert isinstance(given[0], JobError)
        assert contents(collectors(yard.job(WELL), "z")).devices[0].problem is None
        assert collectors.pids() != [first]


def test_collectors_that_may_rest_live_from_the_first_job_until_a_while_after_the_last(yard: Yard):
    with yard.collectors(rest_s=0.3) as collectors:
        assert collectors.pids() == []
        for _time in range(2):
            collectors(yard.job(WELL), "z")
            (pid,) = collectors.pids()
            until(lambda: collectors.pids() == [])
            until(lambda pid=pid: not _alive(pid))


def test_who_waits_when_all_stops_is_given_no_result_that_the_stop_cut_short(yard: Yard):
    collectors = yard.collectors()
    _thread, given = yard.waiting(collectors, SILENT)
    until(lambda: bool(collectors._all[0].jobs))
    (pid,) = collectors.pids()
    collectors.stop()
    assert not _alive(pid)
    assert not given
    with pytest.raises(JobError):
        collectors(yard.job(WELL), "z")


def test_a_collector_stands_back_behind_the_pages_with_its_whole_session(yard: Yard):
    with yard.collectors() as collectors:
        collectors(yard.job(WELL), "z")
        (pid,) = collectors.pids()
        assert os.getpriority(os.PRIO_PROCESS, pid) >= 15
        group = Path(f"/proc/{pid}/autogroup")  # sessions share the cores evenly, however nice who is in them
        if group.exists() and os.access(group, os.W_OK):
            assert group.read_text().split()[-1] == "15"


def test_what_a_job_left_in_circles_is_given_back_when_nothing_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Answer:
        """Megabytes that an error holds."""

    left: list[weakref.ref[Answer]] = []

    async def fails(*_args: object) -> bytes:
        answer = Answer()
        answer.itself = answer  # type: ignore[attr-defined]
        left.append(weakref.ref(answer))
        return b"done"

    monkeypatch.setattr(process, "_do", fails)
    for name in ("platform", "collector-z"):
        (tmp_path / f"{name}.pem").write_bytes(sm2.generate().to_pem())
    said = io.BytesIO()
    process._send(said, {"id": "1", "zone": "z", "ahead_s": 0}, b"job")
    gc.disable()
    try:
        asyncio.run(process.serve(tmp_path, tmp_path, io.BytesIO(said.getvalue()), io.BytesIO()))
        assert left
        assert left[0]() is None
    finally:
        gc.enable()
