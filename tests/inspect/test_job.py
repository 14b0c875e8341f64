"""Jobs and results as files: signed, sealed, carried to a collector that has no database, and back."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zlib
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.inspect.conftest import DEVICES, Site
from tests.inspect.helpers import NOW, ring

from yunwei.gm import sm2
from yunwei.inspect import jobs, keys, services
from yunwei.inspect.collect import job as files
from yunwei.inspect.collect.job import JobError, Keyring, read_job, read_result, write_job, write_result
from yunwei.inspect.models import DeviceSweep
from yunwei.inspect.observation import DeviceResult, Job, JobResult, Target
from yunwei.runs import services as runs

PLATFORM, COLLECTOR, OTHER = sm2.generate(), sm2.generate(), sm2.generate()


def a_job(**more: object) -> Job:
    return Job("gov-0000", "look:x:2026-03-02:1", "gov", NOW, [Target("a", "snmp", "127.0.0.1")], **more)  # type: ignore[arg-type]


def a_result(**more: object) -> JobResult:
    device = DeviceResult("a", "snmp", NOW, NOW)
    return JobResult("gov-0000", "look:x:2026-03-02:1", "gov", "c", NOW, NOW, [device], **more)  # type: ignore[arg-type]


def test_a_file_comes_back_as_it_was():
    assert read_job(write_job(a_job(), PLATFORM), [OTHER.public, PLATFORM.public]) == a_job()
    assert read_result(write_result(a_result(), COLLECTOR), [COLLECTOR.public]) == a_result()


def test_every_changed_byte_of_body_signature_or_kind_is_refused():
    data = write_job(a_job(), PLATFORM)
    file = json.loads(data)
    for name in ("body", "signature", "signer", "kind"):
        for at in range(0, len(file[name]), max(1, len(file[name]) // 40)):
            old = file[name][at]
            changed = {**file, name: file[name][:at] + ("0" if old != "0" else "1") + file[name][at + 1 :]}
            with pytest.raises(JobError):
                read_job(json.dumps(changed).encode(), [PLATFORM.public])


def test_a_result_is_no_job_and_a_stranger_signs_nothing():
    with pytest.raises(JobError, match="种类"):
        read_job(write_result(a_result(), PLATFORM), [PLATFORM.public])
    with pytest.raises(JobError, match="签名者"):
        read_job(write_job(a_job(), OTHER), [PLATFORM.public])


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b'{"kind": 1}', b'{"kind":"yunwei.job.v1"}' * 3])
def test_what_is_no_file_is_refused_clearly(data: bytes):
    with pytest.raises(JobError):
        read_job(data, [PLATFORM.public])


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MAX_BODY", 1 << 16)
    body = zlib.compress(b" " * (1 << 24))
    file = {
        "kind": files.KIND_JOB, "signer": PLATFORM.public.fingerprint, "body": base64.b64encode(body).decode(),
        "signature": PLATFORM.sign(files._signed(files.KIND_JOB, body)).hex(),
    }  # fmt: skip
    with pytest.raises(JobError, match="过大"):
        read_job(json.dumps(file).encode(), [PLATFORM.public])


def test_a_credential_opens_for_its_collector_only():
    sealer = files.Sealer(COLLECTOR.public)
    sealed = sealer.seal({"community": "very-secret"})
    assert "very-secret" not in sealed
    assert Keyring(COLLECTOR).open(sealed) == {"community": "very-secret"}
    for wrong in (sealed[:-4] + "AAA=", "", ".", "x.y", sealed.partition(".")[2]):
        with pytest.raises(JobError):
            Keyring(COLLECTOR).open(wrong)
    with pytest.raises(JobError):
        Keyring(OTHER).open(sealed)


def test_a_credential_for_another_collector_is_unproven_by_auth():
    job = Job(
        "p", "r", "z", NOW, [Target("a", "snmp", "127.0.0.1", 9, files.Sealer(OTHER.public).seal({"community": "c"}))]
    )
    (result,) = files.run_job(job, ring()).devices
    assert result.problem == "auth"


ELSEWHERE = """
import sys
from pathlib import Path
from yunwei.gm import sm2
from yunwei.inspect.collect.job import Keyring, read_job, run_job, write_result
job_file, key_file, platform_file, out = map(Path, sys.argv[1:])
private = sm2.PrivateKey.from_pem(key_file.read_bytes())
job = read_job(job_file.read_bytes(), [sm2.PublicKey.from_pem(platform_file.read_bytes())])
result = run_job(job, Keyring(private), collector="elsewhere", state=out.parent / "state")
out.write_bytes(write_result(result, private))
assert "django" not in sys.modules, "a collector needs no database"
"""


@pytest.mark.django_db
def test_a_job_is_carried_to_a_collector_without_a_database_and_its_result_back(site: Site, tmp_path: Path):
    for code, made in DEVICES.items():
        site.add(code, made)
    site.sweep()
    site.confirm()
    now = site.clock.advance(timedelta(hours=1))
    remote = sm2.generate()
    keys.trust("gov", remote.public.to_pem(), now=now)
    run = runs.submit("look:C2.1:2026-03-03:1", "hardware.inspect", {"assets": site.codes}, {}, {}, now=now)
    runs.start(run.id, now=now)
    (share,) = jobs.chunks(site.codes)
    terms = {"baseline": site.codes, "budget_s": 20}
    data = jobs.export(run.id, share["part"], share["zone"], share["assets"], terms, deep=False, now=now)
    told = json.loads(zlib.decompress(base64.b64decode(json.loads(data)["body"])))
    assert told["terms"] == {
        "budget_s": 20
    }  # the register's whole list is the platform's: a job would carry it 80 times
    secrets = [v for d in DEVICES.values() for k, v in d.credential().items() if k in ("community", "password")]
    assert not [s for s in secrets if s.encode() in zlib.decompress(base64.b64decode(json.loads(data)["body"]))]

    for name, content in (("job", data), ("key", remote.to_pem()), ("pub", keys.platform().public.to_pem())):
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *(str(tmp_path / n) for n in ("job", "key", "pub", "result"))],
        capture_output=True, text=True, timeout=60, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    back = (tmp_path / "result").read_bytes()

    # in this test the collector elsewhere has the machine's clock: the run is judged at that time
    ended = services.contents(back).ended_at
    forged = write_result(services.contents(back), OTHER)
    with pytest.raises(JobError):
        services.bring(forged, now=ended)
    assert services.bring(back, now=ended)
    assert not services.bring(back, now=ended)  # brought twice
    runs.finish(run.id, now=ended + timedelta(seconds=1))
    run.refresh_from_db()
    rows = DeviceSweep.objects.filter(run_id=run.id)
    assert {(r.asset.code, r.verdict, r.reason) for r in rows} == {(c, "pass", "") for c in DEVICES}
    assert run.outcome["coverage"]["control"] == {"gov/snmp": True, "gov/redfish": True}


@pytest.mark.django_db
def test_a_result_of_another_run_or_zone_is_not_taken(site: Site):
    site.add("sw-1", DEVICES["sw-1"])
    now = site.clock.now()
    run = runs.submit("look:C2.1:2026-03-04:1", "hardware.inspect", {"assets": site.codes}, {}, {}, now=now)
    runs.start(run.id, now=now)
    mine = msgspec.structs.replace(a_result(), run_id=run.id, zone="gov")
    with pytest.raises(JobError):  # right run, signed by a key of no zone
        services.bring(write_result(mine, OTHER), now=now)
    other = msgspec.structs.replace(mine, zone="nowhere")
    with pytest.raises(JobError):
        services.bring(write_result(other, keys.collector("gov")), now=now)
    wrong = write_result(msgspec.structs.replace(mine, run_id="look:other:2026-03-04:1"), keys.collector("gov"))
    with pytest.raises(JobError):
        runs.take_in(run.id, "gov-0000", wrong, collector="gov", now=now)
    assert not DeviceSweep.objects.filter(run_id=run.id).exists()


def test_a_result_is_never_written_out_as_text_on_its_way(monkeypatch: pytest.MonkeyPatch):
    # asyncio's runner does that, twice, with the result of the task it ran
    told: list[str] = []

    class Loud:
        def __repr__(self) -> str:
            told.append("written")
            return "result"

    result = Loud()

    async def done(*_given: object, **_named: object) -> Loud:
        return result

    monkeypatch.setattr(files, "run_job_async", done)
    assert files.run_job(Job("part", "run", "z", NOW, []), ring()) is result
    assert not told
