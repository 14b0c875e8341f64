"""Every vendor file has a sample of its own, says of it what was agreed, and sees each fault that the lab can make.

`YUNWEI_UPDATE_EXPECTED=1 pytest tests/vendor/test_samples.py` writes the expected files anew: read the difference
before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from yunwei.inspect.observation import EVALUATED, FAULTS, State
from yunwei.inspect.vendor import shipped
from yunwei.inspect.vendor.catalogue import folders
from yunwei.inspect.vendor.replay import Replay, expected_text, of_redfish, of_snmp, read_snmprec, replay
from yunwei.inspect.vendor.sample import read_tree
from yunwei.lab import redfish_faults

SAMPLES = folders()[0] / "samples"
FILES = sorted(p for end in ("snmprec", "tree.json", "checks.json") for p in SAMPLES.glob(f"*.{end}"))
PROTOCOL = {".snmprec": "snmp", ".json": "redfish"}
HEALTHY_EXCEPTIONS = {"control/bundle"}  # the bundle's own control must fail


def name_of(path: Path) -> str:
    return path.name.split(".", 1)[0]


def expected_of(path: Path) -> Path:
    protocol = "ssh" if path.name.endswith(".checks.json") else PROTOCOL[path.suffix]
    return path.with_name(f"{name_of(path)}.{protocol}.expected.json")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_sample_gives_what_was_expected(path):
    found = replay(path)
    assert found.vendor.name == name_of(path)
    text = expected_text(found.reading)
    if os.environ.get("YUNWEI_UPDATE_EXPECTED"):
        expected_of(path).write_text(text, encoding="utf-8")
    assert text == expected_of(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_sample_is_a_healthy_device_with_something_evaluated(path):
    reading = replay(path).reading
    assert [o for o in reading.observations if o.state in FAULTS and o.component not in HEALTHY_EXCEPTIONS] == []
    assert sum(o.state in EVALUATED for o in reading.observations) >= 3
    assert reading.moving
    assert reading.identity
    assert reading.problem is None


def test_every_vendor_file_has_a_sample():
    assert {name_of(p) for p in FILES} == set(shipped().files)


def cases():
    for path in sorted(SAMPLES.glob("*.faults.yaml")):
        name = name_of(path)
        for fault, recipe in yaml.safe_load(path.read_text(encoding="utf-8")).get("faults", {}).items():
            if recipe.get("snmp"):
                yield pytest.param(name, fault, recipe["snmp"], id=f"{name}-{fault}")


def with_edits(name: str, edits: list[dict[str, object]]) -> Replay:
    """The sample after the edits; an edit of an OID that the sample does not have would change nothing: refused."""
    values = read_snmprec(SAMPLES / f"{name}.snmprec")
    for edit in edits:
        oid, value = str(edit["oid"]), edit["value"]
        tag, _old = values[oid]
        if edit.get("type") == "hex":
            value = bytes.fromhex(str(value))
        elif tag == 4:
            value = str(value).encode()
        values[oid] = (tag, value)
    return of_snmp(values)


COMPONENT = {"fan_failed": ("fan", "temperature", "sensor"), "disk_predicted": ("disk", "sensor", "battery", "storage")}


@pytest.mark.parametrize(("name", "fault", "edits"), list(cases()))
def test_a_fault_is_seen_where_it_is(name, fault, edits):
    found = with_edits(name, edits)
    assert found.vendor.name == name
    faults = [o for o in found.reading.observations if o.state in FAULTS]
    if fault in ("health_misplaced", "wrong_encoding"):
        healthy = replay(SAMPLES / f"{name}.snmprec").reading.observations
        assert faults == []
        assert len(found.reading.observations) == len(healthy)
        if fault == "health_misplaced":
            assert (
                sum(o.state is State.OK for o in found.reading.observations)
                == sum(o.state is State.OK for o in healthy) - 1
            )
        return
    assert faults, fault
    assert all(not o.limit.startswith("explained") and o.kind != "rollup" for o in faults)
    if fault in COMPONENT:
        assert all(o.component.startswith(COMPONENT[fault]) for o in faults), faults


TREES = sorted(SAMPLES.glob("*.tree.json"))


@pytest.mark.parametrize("fault", ["fan_failed", "psu_lost", "disk_predicted"])
@pytest.mark.parametrize("path", TREES, ids=lambda p: p.name)
def test_a_fault_in_a_tree_is_seen_at_the_part_alone(path, fault):
    bodies = read_tree(path)
    redfish_faults.apply(fault, bodies)
    faults = [o for o in of_redfish(bodies).reading.observations if o.state in FAULTS]
    place = {"fan_failed": "fan/", "psu_lost": "psu/", "disk_predicted": "disk/"}[fault]
    assert faults
    assert {o.component.split("/")[0] + "/" for o in faults} == {place}


@pytest.mark.parametrize("path", TREES, ids=lambda p: p.name)
def test_a_health_in_the_wrong_field_is_neither_red_nor_green(path):
    bodies = read_tree(path)
    before = sum(o.state is State.OK for o in of_redfish(read_tree(path)).reading.observations)
    redfish_faults.apply("health_misplaced", bodies)
    found = of_redfish(bodies).reading.observations
    assert [o for o in found if o.state in FAULTS] == []
    assert sum(o.state is State.OK for o in found) < before


def test_a_host_that_is_full_failing_and_without_audit_is_found():
    from yunwei.inspect.observation import Target
    from yunwei.inspect.vendor import CheckOutput, apply_ssh

    sections = {
        "disk": CheckOutput(0, "ext4 100 91 9 91 /\next4 100 10 90 10 /data"),
        "load": CheckOutput(0, "load15=17\ncores=8"),
        "audit_service": CheckOutput(4, "service=auditd state=absent"),
        "log_service": CheckOutput(0, "service=rsyslog state=active"),
        "failed_units": CheckOutput(0, "nginx.service"),
        "reboot": CheckOutput(127, ""),
        "clock": CheckOutput(0, "epoch_s=1772409600.1\noffset_s=-3.2\nNTPSynchronized=no"),
        "raid": CheckOutput(0, "md0 active raid1 2/1 U_"),
        "hardware_log": CheckOutput(127, ""),
    }
    reading = apply_ssh(shipped().for_ssh(), sections, Target("h", "ssh"), {})
    states = {(o.component, o.kind): o.state for o in reading.observations}
    assert states["disk//", "storage"] is State.CRITICAL
    assert states["disk//data", "storage"] is State.OK
    assert states["load", "load"] is State.CRITICAL
    assert states["service/audit", "service"] is State.CRITICAL
    assert states["service/log", "service"] is State.OK
    assert states["units", "service"] is State.WARNING
    assert states["reboot", "reboot"] is State.UNKNOWN  # no means to look: never green
    assert states["clock", "clock"] is State.CRITICAL
    assert states["clock/sync", "state"] is State.WARNING
    assert states["raid/md0", "state"] is State.CRITICAL
    assert ("kernel/oom", "log") not in states
    assert reading.problem is not None  # memory, swap and others never came
