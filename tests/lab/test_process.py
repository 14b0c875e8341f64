"""The farm as a process: what it prints, its switch, the command line, its size."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from tests.lab.conftest import COMMUNITY, SEED, SNMP, bmc, snmp
from tests.lab.measure_farm import ask_agents, ask_bmcs, rss_mb
from yunwei.cli.lab import app
from yunwei.lab.build import CONTROLS, control_spec, farm_spec
from yunwei.lab.errors import LabError
from yunwei.lab.farm import Farm, apply_overlays
from yunwei.lab.overlay import CONDUCT, CONTENT, FAULTS
from yunwei.lab.process import FarmProcess, ask
from yunwei.lab.spec import FarmSpec
from yunwei.snmp.client import SnmpClient, V2c
from yunwei.snmp.errors import SnmpTimeout

NAME = "1.3.6.1.2.1.1.5.0"


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def name(address: str, port: int, community: str = COMMUNITY) -> str:
    async with SnmpClient() as client:
        reply = await client.session(address, port, V2c(community), timeout=0.4, retries=0).get([NAME])
        return reply[NAME].as_text()


async def test_a_child_serves_switches_and_ends():
    spec = FarmSpec(devices=(snmp(), bmc()), seed=SEED)
    with FarmProcess(spec) as farm:
        pid = farm.pid
        assert [(e["protocol"], e["address"]) for e in farm.endpoints] == [("snmp", SNMP), ("redfish", "127.3.0.2")]
        port = farm.endpoints[0]["port"]
        assert await name(SNMP, port, farm.endpoints[0]["credential"]["community"]) == "lab-switch"
        farm.set(SNMP, "dead")
        with pytest.raises(SnmpTimeout):
            await name(SNMP, port)
        farm.clear(SNMP, "dead")
        assert await name(SNMP, port) == "lab-switch"
        with pytest.raises(LabError, match=r"127\.3\.0\.9"):
            farm.set("127.3.0.9", "dead")
        with pytest.raises(LabError, match="on_fire"):
            farm.set(SNMP, "on_fire")
    assert gone(pid)


def test_a_child_that_cannot_serve_says_why():
    with pytest.raises(LabError, match="nothing"):
        FarmProcess(
            FarmSpec(devices=(type(snmp())(address=SNMP, protocol="snmp", sample="nothing", community="c"),))
        ).start()


def test_the_farm_ends_with_its_parent():
    """A parent that is killed cannot stop its children; the farm sees the end of its standard input."""
    code = (
        "import time\n"
        "from yunwei.lab.process import FarmProcess\n"
        "from yunwei.lab.build import farm_spec\n"
        "farm = FarmProcess(farm_spec(only=['lab-switch'])).start()\n"
        "print(farm.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    until = time.monotonic() + 5
    while not gone(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert gone(child)


async def test_the_switch_wants_its_token_and_plain_orders():
    async with Farm(control_spec(("snmp",), seed=SEED)) as farm:
        import asyncio

        address = CONTROLS["snmp"][0]
        port, token = farm.switch.port, farm.switch.token
        with pytest.raises(LabError, match="口令"):
            await asyncio.to_thread(ask, port, "guess", do="set", address=address, fault="dead")
        assert "dead" not in farm.faults("snmp", address)
        reply = await asyncio.to_thread(ask, port, token, do="set", address=address, fault="slow")
        assert reply["devices"] == [
            {"address": address, "protocol": "snmp", "faults": ["fan_failed", "psu_lost", "slow"]}
        ]
        reply = await asyncio.to_thread(ask, port, token, do="status")
        assert len(reply["devices"]) == 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"nonsense\n")
        assert json.loads(await reader.readline())["ok"] is False
        writer.close()
    with pytest.raises(LabError, match="没有应答"):
        ask(port, token, do="status")


async def test_the_positive_control_is_a_faulty_device_per_protocol():
    async with Farm(control_spec()) as farm:
        endpoints = {endpoint["protocol"]: endpoint for endpoint in farm.endpoints()}
        assert set(endpoints) == {"snmp", "redfish"}
        assert all(endpoint["faults"] for endpoint in endpoints.values())
        snmp_end = endpoints["snmp"]
        async with SnmpClient() as client:
            session = client.session(
                snmp_end["address"], snmp_end["port"], V2c(snmp_end["credential"]["community"]), timeout=0.5
            )
            oid = "1.3.6.1.2.1.99.1.1.1.5.110"
            assert (await session.get([oid]))[oid].as_int() == 3
    async with Farm(control_spec()) as other:
        again = {endpoint["protocol"]: endpoint for endpoint in other.endpoints()}
    assert again["snmp"]["credential"] != endpoints["snmp"]["credential"]  # fresh without a seed


def test_overlays_by_data_reach_their_devices():
    spec = FarmSpec(devices=(snmp(), bmc()), seed=SEED)
    out = apply_overlays(spec, [{"address": SNMP, "faults": ["fan_failed"], "latency_ms": 5, "loss": 0.1}])
    assert (out.devices[0].faults, out.devices[0].latency_ms, out.devices[0].loss) == (("fan_failed",), 5.0, 0.1)
    assert out.devices[1] == spec.devices[1]
    for bad in ([{"address": "127.9.9.9"}], [{"address": SNMP, "fault": ["x"]}], "nonsense"):
        with pytest.raises(LabError):
            apply_overlays(spec, bad)


def test_farms_of_captures_and_of_many(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.snmprec").write_text("1.3.6.1.2.1.1.5.0|4|one\n")
    (tmp_path / "two.tree.json").write_text('{"/redfish/v1": {}}')
    spec = farm_spec(captures=tmp_path, count=5)
    assert [(d.sample, d.protocol, d.copy) for d in spec.devices] == [
        ("one", "snmp", 0),
        ("two", "redfish", 0),
        ("one", "snmp", 1),
        ("two", "redfish", 1),
        ("one", "snmp", 2),
    ]
    assert {d.sample for d in farm_spec().devices} >= {"lab-switch", "lab-server"}
    assert not farm_spec(only=["lab-switch"], snmp="3").devices[0].community
    for bad in (
        {"captures": tmp_path / "none"},
        {"only": ["nothing"]},
        {"captures": tmp_path / "deep", "only": ["two"]},
    ):
        with pytest.raises(LabError):
            farm_spec(**bad)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match="没有样本"):
        farm_spec(captures=tmp_path / "empty")


def test_every_fault_has_a_name_for_people_and_one_kind():
    assert set(CONTENT) | set(CONDUCT) == set(FAULTS)
    assert not set(CONTENT) & set(CONDUCT)
    result = CliRunner().invoke(app, ["faults", "--json"])
    assert [row["name"] for row in json.loads(result.stdout)] == list(FAULTS)


def test_the_command_prints_a_line_each_then_serves(tmp_path: Path):
    overlays = tmp_path / "faults.yaml"
    overlays.write_text("- {address: 127.4.0.1, faults: [fan_failed]}\n")
    code = "from yunwei.cli.lab import app; app()"
    arguments = ["farm", "--only", "lab-switch", "--count", "2", "--first", "127.4.0.1", "--overlays", str(overlays)]
    farm = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert farm.stdout is not None
        lines = [json.loads(farm.stdout.readline()) for _line in range(3)]
        assert {"address", "port", "protocol", "name", "credential"} <= set(lines[0])
        assert lines[2]["ready"] is True
        options = ["--control", lines[2]["control"], "--token", lines[2]["token"], "--json"]
        said = CliRunner().invoke(app, ["fault", "127.4.0.1", "set", "psu_lost", *options])
        assert json.loads(said.stdout)[0]["faults"] == ["fan_failed", "psu_lost"]
        said = CliRunner().invoke(app, ["fault", "127.4.0.1", "clear", "fan_failed", *options])
        assert json.loads(said.stdout)[0]["faults"] == ["psu_lost"]
        farm.send_signal(signal.SIGINT)
        assert farm.wait(10) == 0
    finally:
        farm.kill()
        farm.communicate()


async def test_two_thousand_endpoints_stay_small(https: aiohttp.ClientSession):
    """Half SNMP, half Redfish; all agents and 150 of the BMCs are asked (`measure_farm` asks all of 10,000)."""
    spec = farm_spec(count=2000, first="127.16.0.1", seed=SEED)
    with FarmProcess(spec) as farm:
        assert len(farm.endpoints) == 2000
        await ask_agents([e for e in farm.endpoints if e["protocol"] == "snmp"])
        await ask_bmcs([e for e in farm.endpoints if e["protocol"] == "redfish"][:150], https)
        used = rss_mb(farm.pid)
    assert used < 100
