"""Writing stays cheap: a fixed number of statements per part, whatever the number of assets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.inspect.conftest import Site

from yunwei.assets.models import Asset, Endpoint, IdentityPin
from yunwei.inspect import keys
from yunwei.inspect.collect.job import write_result
from yunwei.inspect.models import DeviceSweep, Finding, PartRow
from yunwei.inspect.observation import DeviceResult, JobResult, Observation, Part, State
from yunwei.runs import services as runs

pytestmark = pytest.mark.django_db


def results(site: Site, codes: list[str], turn: int, *, faulty: int = 0) -> list[DeviceResult]:
    at = site.clock.now()
    out = []
    for i, code in enumerate(codes):
        state = State.CRITICAL if i < faulty else State.OK
        seen = [Observation(code, f"port/{n}", "port", f"port {n}", 1, state=State.OK, source="x") for n in range(20)]
        seen.append(Observation(code, "fan/1", "state", "fan 1", "on", state=state, source="x"))
        parts = [Part(f"psu/{n}", "psu", "P", f"{code}-{n}") for n in range(2)]
        out.append(DeviceResult(code, "snmp", at, at, identity={"serial": code}, moving={"up": str(turn)},
                                observations=seen, parts=parts))  # fmt: skip
    control = Observation("control-snmp", "fan/1", "state", "fan", "off", state=State.CRITICAL, source="x")
    out.append(DeviceResult("control-snmp", "snmp", at, at, observations=[control], control=True))
    return out


def register(site: Site, prefix: str, count: int) -> list[str]:
    codes = [f"{prefix}-{i}" for i in range(count)]
    made = Asset.objects.bulk_create([Asset(code=c, name=c, kind="device", zone=site.zone) for c in codes])
    points = Endpoint.objects.bulk_create(
        [Endpoint(asset=a, protocol="snmp", address="10.0.0.1", port=161) for a in made]
    )
    IdentityPin.objects.bulk_create([
        IdentityPin(endpoint=p, fields={"serial": p.asset.code}, weak=True, pinned_at=site.clock.now(), pinned_by="x",
                    confirmed_by=site.client, confirmed_at=site.clock.now()) for p in points])  # fmt: skip
    return codes


def one_run(site: Site, codes: list[str], turn: int, *, faulty: int = 0) -> tuple[int, int]:
    """Take one part in and settle; statements of both."""
    now = site.clock.advance(timedelta(hours=24))
    run = runs.submit(f"look:x:{codes[0]}:{turn}", "hardware.inspect", {"assets": codes}, {}, {}, now=now)
    runs.start(run.id, now=now)
    told = JobResult("gov-0000", run.id, "gov", "c", now, now, results(site, codes, turn, faulty=faulty))
    data = write_result(told, keys.collector("gov"))
    with CaptureQueriesContext(connection) as taking:
        runs.take_in(run.id, "gov-0000", data, collector="gov", now=now)
    with CaptureQueriesContext(connection) as settling:
        runs.finish(run.id, now=now)
    verdicts = set(DeviceSweep.objects.filter(run_id=run.id).values_list("verdict", flat=True))
    assert verdicts == ({"pass", "fail"} if faulty else {"pass"})
    return len(taking), len(settling)


def test_the_number_of_statements_does_not_grow_with_the_assets(site: Site):
    few, many = register(site, "few", 10), register(site, "many", 300)
    one_run(site, few, 1)
    one_run(site, many, 1)
    (taking, settling), (taking_many, settling_many) = one_run(site, few, 2), one_run(site, many, 2)
    assert settling_many == settling
    assert taking_many - taking <= 10  # batches that SQLite's limit of parameters asks for, not assets
    assert PartRow.objects.count() == 2 * 310


def test_ten_faults_are_ten_findings_and_stay_ten(site: Site):
    codes = register(site, "x", 40)
    one_run(site, codes, 1, faulty=10)
    taking, settling = one_run(site, codes, 2, faulty=10)
    assert Finding.objects.count() == 10
    assert {f.phase for f in Finding.objects.all()} == {"still"}
    assert taking + settling < 60
