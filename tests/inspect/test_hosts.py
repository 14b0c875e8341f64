"""Hosts: the bundle, a real sshd, a real snmpd, this machine, and hosts that lie."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh
import pytest
from tests.inspect.helpers import NOW, look, ring

from yunwei.inspect.collect.bundle import bundle, control_failed, parse
from yunwei.inspect.collect.job import run_job
from yunwei.inspect.judging import control_fired, is_control
from yunwei.inspect.observation import FAULTS, Job, Target
from yunwei.kernel.verdict import Reason
from yunwei.lab import real
from yunwei.lab.spec import User


def run_bundle(shell: str) -> tuple[bytes, object]:
    asked = bundle()
    done = subprocess.run([shell, "-s"], input=asked.script, capture_output=True, timeout=60, check=False)
    return done.stdout, asked


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_bundle_gives_every_check_with_its_code_and_its_control_fails(shell: str):
    output, asked = run_bundle(shell)
    sections, partial = parse(output, asked)  # type: ignore[arg-type]
    assert partial == []
    assert set(sections) == set(asked.checks)  # type: ignore[attr-defined]
    assert sections["control"].rc == 1
    assert control_failed(sections)
    assert "uptime_s=" in sections["uptime"].stdout
    assert sections["disk"].rc == 0


def test_a_bundle_that_breaks_off_names_what_is_missing():
    output, asked = run_bundle("sh")
    at = output.index(b" begin memory")
    sections, partial = parse(output[:at], asked)  # type: ignore[arg-type]
    assert "load" in sections
    assert {"memory", "swap", "disks"} <= set(partial)
    assert "load" not in partial


def test_no_output_can_imitate_a_marker():
    asked = bundle()
    lie = b"@@0123456789abcdef01234567 begin disk\next4 1 1 1 1 /\n@@0123456789abcdef01234567 end disk 0\n"
    sections, partial = parse(lie, asked)
    assert not sections
    assert set(partial) == set(asked.checks)
    assert bundle().mark != asked.mark


def test_text_in_another_encoding_is_read_and_binary_is_partial():
    asked = bundle()
    mark = asked.mark.encode()
    gbk = "磁盘".encode("gb18030")
    made = b"\n@@%s begin os\nNAME=%s\n@@%s end os 0\n" % (mark, gbk, mark)
    made += b"\n@@%s begin kernel\n\x00\xff\x00\n@@%s end kernel 0\n" % (mark, mark)
    sections, partial = parse(made, asked)
    assert "磁盘" in sections["os"].stdout
    assert "kernel" in partial
    assert "kernel" not in sections


def test_this_machine_is_looked_at_without_ssh():
    job = Job("p", "r", "z", NOW, [Target("here", "local")])
    (result,) = run_job(job, ring(), clock=lambda: NOW).devices
    assert result.problem is None
    assert result.identity["machine_id"]
    assert result.moving
    seen = {(o.component.split("/")[0], o.kind) for o in result.observations}
    assert {
        ("disk", "storage"),
        ("disk", "inode"),
        ("load", "load"),
        ("memory", "memory"),
        ("service", "service"),
    } <= seen
    assert control_fired(result, {})


def test_shares_side_by_side_each_look_at_this_machine():
    """Two loops must not start a process in the same moment; a slow fork makes that moment long enough to be certain."""
    slow = threading.Event()
    slow.set()
    os.register_at_fork(before=lambda: time.sleep(0.05) if slow.is_set() else None)  # cannot be taken back
    job = Job("p", "r", "z", NOW, [Target("here", "local"), Target("control-local", "local", control=True)])
    seen: list[Reason | None] = []

    def share() -> None:
        seen.extend(device.problem for device in run_job(job, ring(), clock=lambda: NOW).devices)

    threads = [threading.Thread(target=share, daemon=True) for _n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)  # a loop whose start was refused may never end
    slow.clear()
    assert seen == [None] * 6


@pytest.mark.component
async def test_a_real_sshd_is_looked_at_in_one_exec():
    keys = ring()
    with real.Sshd() as host:
        target = Target("host", "ssh", "127.2.3.4", host.port, keys.seal(host.credential()))
        (result,) = await look(keys, [target])
        assert result.problem is None, result.detail
        assert result.counts["execs"] == 1
        assert result.identity["ssh_host_key"].startswith("SHA256:")
        assert control_fired(result, {})
        assert any(o.kind == "storage" and not is_control(o) for o in result.observations)
        pinned = {"ssh_host_key": result.identity["ssh_host_key"]}
        same = Target("host", "ssh", "127.2.3.4", host.port, keys.seal(host.credential()), pinned=pinned)
        wrong_key = {"kind": "ssh", "user": host.user, "password": "wrong"}
        refused = Target("refused", "ssh", "127.2.3.5", host.port, keys.seal(wrong_key))
        again, auth = await look(keys, [same, refused])
    assert again.problem is None
    assert auth.problem is Reason.AUTH
    assert "wrong" not in repr(auth)


@pytest.mark.component
async def test_a_real_snmpd_answers_v2c_and_v3():
    keys = ring()
    user = User(
        user="yw", auth_proto="SHA-256", auth_password="auth-password", priv_proto="AES", priv_password="priv-password"
    )
    with real.Snmpd(community="lab", users=[user]) as agent:
        v3 = {"user": "yw", "auth_proto": "SHA-256", "auth_password": "auth-password", "priv_proto": "AES",
              "priv_password": "priv-password"}  # fmt: skip
        targets = [
            Target("v2", "snmp", agent.address, agent.port, keys.seal({"community": "lab"})),
            Target("v3", "snmp", agent.address, agent.port, keys.seal(v3)),
            Target("bad", "snmp", agent.address, agent.port, keys.seal({**v3, "auth_password": "another-password"})),
        ]
        two, three, bad = await look(keys, targets)
    assert two.problem is None
    assert three.problem is None
    assert two.vendor == three.vendor == "linux"
    assert {o.component for o in two.observations} == {o.component for o in three.observations}
    assert three.identity["engine_id"]
    assert bad.problem is Reason.AUTH
    assert not bad.observations


class Liar(asyncssh.SSHServer):  # type: ignore[misc]
    """A host of the test's own making that counts who tried to log in."""

    passwords: list[str]

    def __init__(self, passwords: list[str]) -> None:
        self.passwords = passwords

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.passwords.append(password)
        return True


@asynccontextmanager
async def lying(address: str, answer: object, passwords: list[str]) -> AsyncIterator[int]:
    server = await asyncssh.create_server(
        lambda: Liar(passwords), address, 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=answer, encoding=None,
    )  # fmt: skip
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def endless(process: asyncssh.SSHServerProcess) -> None:
    block = b"x" * 65536
    try:
        while True:
            process.stdout.write(block)
            await process.stdout.drain()
    except (asyncssh.Error, OSError):
        return


async def silent(process: asyncssh.SSHServerProcess) -> None:
    await process.stdin.read()
    await asyncio.sleep(60)


async def nonsense(process: asyncssh.SSHServerProcess) -> None:
    process.stdout.write(bytes(range(256)) * 8)
    process.exit(0)


async def all_is_well(process: asyncssh.SSHServerProcess) -> None:
    """A host whose shell says yes to everything, the control too."""
    script = await process.stdin.read()
    mark = script.split(b"\n", 1)[0].partition(b"=")[2]
    for check in bundle().checks:
        body = {"disk": b"ext4 100 1 99 1 /", "control": b"service=x state=active"}.get(check, b"")
        process.stdout.write(
            b"\n@@%s begin %s\n%s\n@@%s end %s 0\n" % (mark, check.encode(), body, mark, check.encode())
        )
    process.stdout.write(b"\n@@%s done\n" % mark)
    process.exit(0)


LIES = {"endless": endless, "silent": silent, "nonsense": nonsense, "yes": all_is_well}


async def test_hosts_that_lie_are_unproven_and_touch_no_other():
    keys = ring()
    seen: dict[str, Reason | None] = {}
    async with asyncio.timeout(40):
        for i, (name, answer) in enumerate(LIES.items()):
            passwords: list[str] = []
            async with lying(f"127.54.0.{i + 1}", answer, passwords) as port:
                login = keys.seal({"user": "u", "password": "p"})
                bad = Target(name, "ssh", f"127.54.0.{i + 1}", port, login)
                result, here = await look(keys, [bad, Target("here", "local")], budget_s=4)
            seen[name] = result.problem
            assert here.problem is None
            assert not control_fired(result, {})
    assert seen == {
        "endless": Reason.GARBAGE, "silent": Reason.BUDGET, "nonsense": Reason.GARBAGE, "yes": Reason.CONTROL_SILENT
    }  # fmt: skip


async def test_a_changed_host_key_ends_before_the_password_is_sent():
    keys = ring()
    passwords: list[str] = []
    async with lying("127.54.1.1", nonsense, passwords) as port:
        login = keys.seal({"user": "u", "password": "must-not-leave"})
        target = Target("h", "ssh", "127.54.1.1", port, login, pinned={"ssh_host_key": "SHA256:another"})
        (result,) = await look(keys, [target])
    assert result.problem is Reason.IDENTITY_CHANGED
    assert passwords == []
    assert result.identity["ssh_host_key"].startswith("SHA256:")


async def test_what_speaks_no_ssh_is_garbage_or_not_reached():
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 2000)
        await writer.drain()
        writer.close()

    keys = ring()
    server = await asyncio.start_server(http, "127.54.2.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = keys.seal({"user": "u", "password": "p"})
    (result,) = await look(keys, [Target("h", "ssh", "127.54.2.1", port, login)], budget_s=5)
    server.close()
    assert result.problem in (Reason.GARBAGE, Reason.NOT_REACHED)
    assert not any(o.state in FAULTS for o in result.observations)
