"""`yunwei device learn` against the farm, `yunwei device test` on what it recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from yunwei.cli.device import app
from yunwei.inspect.vendor.catalogue import folders
from yunwei.inspect.vendor.replay import expected_text, replay
from yunwei.lab.process import FarmProcess
from yunwei.lab.spec import DeviceSpec, FarmSpec, Login

SAMPLES = folders()[0] / "samples"
COMMUNITY = "s3cr3t-word"
PASSWORD = "s3cr3t-pass"


@pytest.fixture(scope="module")
def farm():
    devices = (
        DeviceSpec(address="127.9.7.1", protocol="snmp", sample="h3c-comware", community=COMMUNITY),
        DeviceSpec(
            address="127.9.7.2", protocol="redfish", sample="hpe-ilo", login=Login(user="ops", password=PASSWORD)
        ),
    )
    with FarmProcess(FarmSpec(devices=devices)) as running:
        yield {end["protocol"]: end for end in running.endpoints}


def learn(farm, tmp_path, protocol, monkeypatch, *more, credential=None):  # noqa: ANN002
    end = farm[protocol]
    out = tmp_path / {"snmp": "x.snmprec", "redfish": "x.tree.json"}[protocol]
    monkeypatch.setenv("DEVICE_LOGIN", json.dumps(credential or end["credential"]))
    command = ["learn", f"{end['address']}:{end['port']}", "--protocol", protocol, "--credential", "env:DEVICE_LOGIN",
               "--out", str(out), "--json", *more]  # fmt: skip
    return CliRunner().invoke(app, command), out


@pytest.mark.parametrize("protocol", ["snmp", "redfish"])
def test_what_was_recorded_replays_as_the_device_itself(farm, tmp_path, monkeypatch, protocol):
    result, out = learn(farm, tmp_path, protocol, monkeypatch)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["unfinished"] == []
    own = SAMPLES / {"snmp": "h3c-comware.snmprec", "redfish": "hpe-ilo.tree.json"}[protocol]
    assert told["vendor"] == own.name.split(".")[0]
    seen, expected = ({(o.component, o.kind): o.state for o in replay(p).reading.observations} for p in (out, own))
    assert seen == expected


@pytest.mark.parametrize("protocol", ["snmp", "redfish"])
def test_a_recording_holds_no_secret_and_with_scrub_no_name(farm, tmp_path, monkeypatch, protocol):
    result, out = learn(farm, tmp_path, protocol, monkeypatch, "--scrub")
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    serials = {"snmp": ["LAB-H3C-0001", "LAB-SFP-0002", "sw-h3c"], "redfish": ["LABHPE0001", "LABD0000"]}[protocol]
    for word in (COMMUNITY, PASSWORD, *serials):
        assert word not in text
        assert word.encode().hex() not in text
    reading = replay(out).reading
    assert [o for o in reading.observations if o.state in ("warning", "critical")] == []
    assert any(p.serial for p in reading.parts)


def test_a_wrong_credential_is_unreachable_and_writes_nothing(farm, tmp_path, monkeypatch):
    wrong = {"user": "ops", "password": "no"}
    result, out = learn(farm, tmp_path, "redfish", monkeypatch, credential=wrong)
    assert result.exit_code == 3
    assert not out.exists()


def test_a_sample_is_compared_with_what_is_expected(tmp_path):
    sample = SAMPLES / "ruijie.snmprec"
    good = CliRunner().invoke(
        app, ["test", str(sample), "--json", "--expect", str(SAMPLES / "ruijie.snmp.expected.json")]
    )
    assert good.exit_code == 0
    assert json.loads(good.stdout)["vendor"] == "ruijie"
    other = CliRunner().invoke(app, ["test", str(sample), "--expect", str(SAMPLES / "zte-zxr10.snmp.expected.json")])
    assert other.exit_code == 1


def test_a_vendor_file_can_be_tried_before_it_is_moved_in(tmp_path):
    draft = tmp_path / "draft.yaml"
    draft.write_text(
        "name: draft\ntitle: 草稿\nproof: synthetic\ninclude: [system]\n"
        "observe:\n  - {component: all, kind: count, name: 全部, value: sys_uptime}\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["test", str(SAMPLES / "zte-zxr10.snmprec"), "--vendor", str(draft), "--json"])
    assert result.exit_code == 0, result.output
    kinds = {o["component"]: o["value"] for o in json.loads(result.stdout)["observations"]}
    assert kinds == {"system": 43200.0, "all": 4320000}


def test_every_expected_file_belongs_to_a_sample():
    names = {p.name.split(".")[0] for p in SAMPLES.glob("*.expected.json")}
    assert names == {p.name.split(".")[0] for p in SAMPLES.glob("*.snmprec")}
    sample = Path(SAMPLES / "zte-zxr10.snmprec")
    assert json.loads(expected_text(replay(sample).reading))["observations"]
