"""The hardware section: counted from the rows of the sweeps, drifts from the signed readings, both with their evidence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.reports.conftest import World
from tests.reports.month import NOW
from yunwei.gm import sm2
from yunwei.inspect.collect.job import write_result
from yunwei.inspect.models import DeviceSweep
from yunwei.inspect.observation import DeviceResult, JobResult, Observation, State
from yunwei.ledger import services as ledger
from yunwei.reports import lines
from yunwei.reports.errors import ReportError
from yunwei.runs.models import Run
from yunwei.work.hardware import report

KEY = ("SW-1", "snmp", "temp/1", "temperature")


def reading(
    value: float, *, limit: str = "plan: warn>=40 crit>=50", state: State = State.OK, unit: str = "°C"
) -> Observation:
    return Observation("SW-1", "temp/1", "temperature", "进风温度", value=value, unit=unit, state=state, limit=limit)


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (reading(30), reading(35), True),  # five more would reach 40
        (reading(30), reading(34), False),  # four more would not
        (reading(35), reading(30), False),  # it went away from the limit
        (reading(36), reading(38), True),
        (reading(37), reading(38), False),  # less than a twentieth of the limit
        (reading(30), reading(41), False),  # over it already: a finding, no hint
        (reading(30), reading(35, state=State.WARNING), False),
        (reading(30, unit="K"), reading(35), False),
        (reading(30), reading(35, limit="device: crit>=50"), False),  # no warning limit
        (reading(90, limit="vendor: warn<=20"), reading(50, limit="vendor: warn<=20"), True),  # a charge that falls
        (reading(50, limit="vendor: warn<=20"), reading(90, limit="vendor: warn<=20"), False),
    ],
)
def test_a_drift_is_what_would_reach_its_limit_with_as_much_again(
    first: Observation, last: Observation, told: bool
) -> None:
    assert bool(list(report.drifts({KEY: first}, {KEY: last}))) is told


def test_a_reading_without_a_first_one_is_no_drift() -> None:
    assert not list(report.drifts({}, {KEY: reading(39)}))


@pytest.mark.django_db
def test_devices_are_counted_by_class_and_named_with_their_evidence(month: World) -> None:
    told = report.data(month.of, NOW)
    rows = DeviceSweep.objects.all()
    assert told["runs"] == Run.objects.count() == 12
    for name in ("pass", "fail", "unproven"):
        assert sum(c[name] for c in told["classes"]) == rows.filter(verdict=name).count() > 0
    for listed, verdict in ((told["failed"], "fail"), (told["blind"], "unproven")):
        assert listed["all"] == rows.filter(verdict=verdict).values("asset").distinct().count()
        for device in listed["rows"]:
            mine = rows.filter(verdict=verdict, asset__code=device["code"])
            assert device["times"] == mine.count()
            newest = max(mine.values_list("run_id", flat=True))
            assert report._judged([newest])[newest] == device["number"] > 0
    assert told["drifts"]["state"] == "gone"  # the scene keeps no readings


@pytest.mark.django_db
def test_drifts_are_read_from_the_results_that_collectors_signed(month: World) -> None:
    runs = list(Run.objects.order_by("submitted_at"))
    collector = sm2.generate()
    first = DeviceSweep.objects.filter(run_id=runs[0].id).exclude(verdict="unproven").values("asset")
    code = DeviceSweep.objects.filter(run_id=runs[-1].id, verdict="pass", asset__in=first)[0].asset.code
    for run, value in ((runs[0], 30.0), (runs[-1], 36.5)):
        at = run.submitted_at
        devices = [
            DeviceResult(code, "snmp", at, at, observations=[reading(value)]),
            DeviceResult(code, "snmp", at, at, control=True, observations=[reading(99)]),
        ]
        result = JobResult("part", run.id, "ext", "local", at, at + timedelta(seconds=9), devices)
        kept = ledger.store(write_result(result, collector), "application/json")
        DeviceSweep.objects.filter(run_id=run.id, asset__code=code).update(artifact=kept.content_hash)
    told = report.data(month.of, NOW)["drifts"]
    (row,) = told["rows"]
    assert (row["code"], row["first"], row["last"]) == (code, "30", "36.5")
    assert told["numbers"] == [report._judged([r.id])[r.id] for r in (runs[0], runs[-1])]
    text = str(report.section(report.data(month.of, NOW), month.of))
    assert "36.5 °C" in text
    assert f"№ {told['numbers'][1]}" in text


@pytest.mark.django_db
def test_what_was_not_looked_at_is_said(month: World) -> None:
    from yunwei.reports import period

    empty = period.parse("monthly", "2027-01", "Asia/Shanghai")
    assert "没有对设备的巡检结果" in str(report.section(report.data(empty, NOW), empty))


def test_lines_of_work_are_found_and_half_a_module_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines.modules()["hardware"] is report
    monkeypatch.delattr(report, "section")
    lines.modules.cache_clear()
    try:
        with pytest.raises(ReportError):
            lines.modules()
    finally:
        lines.modules.cache_clear()
