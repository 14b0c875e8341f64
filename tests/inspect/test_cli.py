"""`yunwei inspect` and `yunwei collector`: output, exit codes, and that no secret is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from tests.inspect.conftest import DEVICES
from tests.inspect.helpers import NOW
from typer.testing import CliRunner, Result

from yunwei.cli import inspect as command
from yunwei.gm import sm2
from yunwei.inspect.collect.job import Sealer, read_result, write_job
from yunwei.inspect.observation import Job, Target
from yunwei.kernel.errors import YunweiError
from yunwei.lab.process import FarmProcess

app = typer.Typer()
app.command("inspect")(command.inspect)
app.add_typer(command.collector, name="collector")


def run(*words: str, **more: object) -> Result:
    return CliRunner().invoke(app, list(words), **more)  # type: ignore[arg-type]


def place(farm: FarmProcess, code: str) -> tuple[str, str, dict[str, str]]:
    made = DEVICES[code]
    port = next(e["port"] for e in farm.endpoints if e["address"] == made.address and e["protocol"] == made.protocol)
    return f"{made.address}:{port}", made.protocol, made.credential()


def look(farm: FarmProcess, code: str, *more: str) -> Result:
    address, protocol, credential = place(farm, code)
    return run(
        "inspect", address, "--protocol", protocol, "--credential", "env:YW_TEST", *more,
        env={"YW_TEST": json.dumps(credential)},
    )  # fmt: skip


@pytest.mark.parametrize("code", ["sw-1", "bmc-1"])
def test_one_device_as_json(farm_process: FarmProcess, code: str):
    done = look(farm_process, code, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["observations"]) > 10
    for seen in told["observations"]:
        assert {"asset", "component", "kind", "name"} <= set(seen)
        assert seen["source"]
    for secret in (v for k, v in DEVICES[code].credential().items() if k in ("community", "password")):
        assert secret not in done.output


def test_one_device_for_people(farm_process: FarmProcess):
    done = look(farm_process, "sw-1")
    assert done.exit_code == 0
    assert "部件" in done.stdout


def test_a_fault_is_exit_1_and_silence_exit_3(farm_process: FarmProcess):
    made = DEVICES["sw-2"]
    farm_process.set(made.address, "fan_failed", protocol="snmp")
    try:
        assert look(farm_process, "sw-2", "--json").exit_code == 1
    finally:
        farm_process.clear(made.address, "fan_failed", protocol="snmp")
    farm_process.set(made.address, "dead", protocol="snmp")
    try:
        assert look(farm_process, "sw-2", "--json").exit_code == 3
    finally:
        farm_process.clear(made.address, "dead", protocol="snmp")


def test_a_refused_credential_is_exit_2_and_not_shown(farm_process: FarmProcess):
    address, _protocol, _credential = place(farm_process, "bmc-1")
    wrong = {"user": "yunwei", "password": "hunter2-hunter2"}
    done = run(
        "inspect", address, "--protocol", "redfish", "--credential", "-", "--json", input=json.dumps(wrong) + "\n"
    )
    assert done.exit_code == 2
    assert "hunter2" not in done.output


@pytest.mark.parametrize(
    ("address", "protocol", "credential"),
    [
        ("127.0.0.1:99999", "snmp", "env:NONE"),
        ("127.0.0.1", "telnet", "env:NONE"),
        ("127.0.0.1", "snmp", "public"),
        ("127.0.0.1", "snmp", "file:/does/not/exist"),
        ("127.0.0.1", "snmp", "ask"),
    ],
)
def test_bad_usage_is_one_clear_error(address: str, protocol: str, credential: str):
    done = run("inspect", address, "--protocol", protocol, "--credential", credential)
    assert isinstance(done.exception, YunweiError)
    assert done.exception.exit_code == 2


def test_addresses():
    assert command.split("10.0.0.1", 161) == ("10.0.0.1", 161)
    assert command.split("10.0.0.1:1161", 161) == ("10.0.0.1", 1161)
    assert command.split("[fe80::1]:443", 443) == ("fe80::1", 443)
    assert command.split("fe80::1", 443) == ("fe80::1", 443)


def test_a_collector_runs_a_job_file(farm_process: FarmProcess, tmp_path: Path):
    platform, home = sm2.generate(), tmp_path / "home"
    (tmp_path / "platform.pub").write_bytes(platform.public.to_pem())
    assert run("collector", "init", str(home), "--platform", str(tmp_path / "platform.pub")).exit_code == 0
    assert (home / "collector.pem").stat().st_mode & 0o077 == 0
    public = sm2.PublicKey.from_pem((home / "collector.pub").read_bytes())
    address, protocol, credential = place(farm_process, "bmc-1")
    host, port = command.split(address, 0)
    job = Job("p", "r", "gov", NOW, [Target("a", protocol, host, port, Sealer(public).seal(credential))])
    (tmp_path / "job").write_bytes(write_job(job, platform))
    done = run(
        "collector", "run", str(tmp_path / "job"), "--out", str(tmp_path / "result"), "--home", str(home), "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["whole"] == 1
    result = read_result((tmp_path / "result").read_bytes(), [public])
    assert result.devices[0].problem is None
    (tmp_path / "job").write_bytes(write_job(job, sm2.generate()))
    refused = run("collector", "run", str(tmp_path / "job"), "--out", str(tmp_path / "no"), "--home", str(home))
    assert isinstance(refused.exception, YunweiError)
    assert not (tmp_path / "no").exists()
