"""Collectors in processes of their own: the same signed files, the same result, and an end with their parent."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.inspect.helpers import NOW, server, spec, switch

from yunwei.gm import sm2
from yunwei.inspect.collect.job import JobError, Keyring, contents, read_result, write_job
from yunwei.inspect.collect.process import Collectors
from yunwei.inspect.observation import Job, Target
from yunwei.lab.serve import FarmProcess

DEVICES = (switch("127.54.0.1", "fan_failed"), server("127.54.0.2"))


def _alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


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
