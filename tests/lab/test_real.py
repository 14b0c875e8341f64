"""The real parts: snmpd and sshd of the system, on loopback, ended by their process ids."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import asyncssh
import pytest

from yunwei.lab.errors import LabError
from yunwei.lab.real import Snmpd, Sshd
from yunwei.lab.spec import User

pytestmark = pytest.mark.component
NAME = "1.3.6.1.2.1.1.5.0"


@pytest.mark.component
def test_snmpd_answers_v2c_and_v3_and_is_gone_afterwards():
    user = User(
        user="lab", auth_proto="SHA-256", auth_password="12345678a", priv_proto="AES", priv_password="12345678b"
    )
    v3 = ["-v3", "-l", "authPriv", "-u", "lab", "-a", "SHA-256", "-A", "12345678a", "-x", "AES", "-X", "12345678b"]
    with Snmpd(address="127.5.0.1", community="c0mm", users=[user]) as agent:
        pid = agent.pid
        assert agent.credential() == {"kind": "snmp2c", "community": "c0mm"}
        where = f"127.5.0.1:{agent.port}"
        for how, code in ((["-v2c", "-c", "c0mm"], 0), (v3, 0), (["-v2c", "-c", "guess", "-t", "0.3", "-r", "0"], 1)):
            done = subprocess.run(["snmpget", "-m", "", *how, where, NAME], capture_output=True, text=True, check=False)
            assert done.returncode == code, done.stderr
            assert ("lab-snmpd" in done.stdout) is (code == 0)
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.component
def test_snmpd_ends_with_whoever_started_it_however_that_ends():
    code = (
        "import time\n"
        "from yunwei.lab.real import Snmpd\n"
        "with Snmpd(community='c') as agent:\n"
        "    print(agent.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}/exe").exists():  # whoever adopts it may leave it a zombie, which has none
        assert time.monotonic() < end, "snmpd lives on"
        time.sleep(0.05)


def test_snmpd_only_on_loopback():
    with pytest.raises(LabError, match="环回"):
        Snmpd(address="192.0.2.1")


@pytest.mark.component
async def test_sshd_is_a_host_at_every_address():
    with Sshd() as host:
        key = asyncssh.import_private_key(host.private_key)
        known = ([asyncssh.import_public_key(host.host_key)], [], [])

        async def run(address: str) -> str:
            options = {"known_hosts": known, "client_keys": [key], "config": None, "agent_path": None}
            async with asyncssh.connect(address, host.port, username=host.user, **options) as connection:
                done = await connection.run("sh -s", input="echo $SSH_CONNECTION\nexit 7\n")
                assert done.exit_status == 7
                return str(done.stdout).split()[2]

        addresses = [f"127.2.{i}.1" for i in range(6)]
        assert await asyncio.gather(*map(run, addresses)) == addresses
        other = asyncssh.generate_private_key("ssh-ed25519")
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.2.0.1",
                host.port,
                username=host.user,
                known_hosts=known,
                client_keys=[other],
                config=None,
                agent_path=None,
            )
        idle = await asyncio.open_connection("127.2.0.1", host.port)
        assert (await idle[0].readline()).startswith(b"SSH-2.0-")
        servers = [server.pid for server in host._servers]
        port = host.port
    assert servers
    for pid in servers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    idle[1].close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.2.0.1", port)


def test_a_missing_program_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("yunwei.lab.real.SYSTEM_PATH", "/nowhere")
    for part in (Snmpd(community="c"), Sshd()):
        with pytest.raises(LabError, match="apt install"), part:
            pass
