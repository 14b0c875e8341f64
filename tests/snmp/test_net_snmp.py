"""net-snmp is the judge, both ways: our client against its agent, its client against our agent, same rows."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.snmp.helpers import ENGINE, content, free_port, run_tool, serve, tool
from yunwei.snmp import values as t
from yunwei.snmp.agent import Agent, Table
from yunwei.snmp.client import SnmpClient
from yunwei.snmp.errors import SnmpAuthError, SnmpError, SnmpTimeout
from yunwei.snmp.usm import V3, V2c
from yunwei.snmp.values import Value

pytestmark = pytest.mark.component

AUTH, PRIV = "auth-password", "priv-password"
CREDENTIALS: dict[str, V2c | V3] = {
    "v2c": V2c("public"),
    "noauth": V3("noauth"),
    "sha1": V3("sha1", "SHA", AUTH),
    "sha512": V3("sha512", "SHA-512", AUTH),
    "sha1aes": V3("sha1aes", "SHA", AUTH, "AES", PRIV),
    "sha224aes": V3("sha224aes", "SHA-224", AUTH, "AES", PRIV),
    "sha256aes": V3("sha256aes", "SHA-256", AUTH, "AES", PRIV),
    "sha384aes256": V3("sha384aes256", "SHA-384", AUTH, "AES-256", PRIV),
    "sha256aes256": V3("sha256aes256", "SHA-256", AUTH, "AES-256", PRIV),
    "sha1aes192": V3("sha1aes192", "SHA", AUTH, "AES-192", PRIV),
    "sha1aes256": V3("sha1aes256", "SHA", AUTH, "AES-256", PRIV),  # the hash is shorter than the key: Blumenthal
    "sha1aes256c": V3("sha1aes256c", "SHA", AUTH, "AES-256-C", PRIV),  # Reeder
}
USERS = {name: user for name, user in CREDENTIALS.items() if isinstance(user, V3)}
MODULES = "1.3.6.1.4.1.8072.1.2.1.1.4"  # nsModuleName: hundreds of rows with long string indices, and they stand still
SYS_OR = [f"1.3.6.1.2.1.1.9.1.{column}" for column in (2, 3, 4)]
SYSTEM = ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.99.0"]


def options(credential: V2c | V3) -> list[str]:
    """The credential as net-snmp's command line takes it."""
    if isinstance(credential, V2c):
        return ["-v2c", "-c", str(credential.community)]
    level = "authPriv" if credential.priv_proto else "authNoPriv" if credential.auth_proto else "noAuthNoPriv"
    out = ["-v3", "-u", credential.user, "-l", level]
    out += ["-a", credential.auth_proto, "-A", credential.auth_password] if credential.auth_proto else []
    return out + (["-x", credential.priv_proto, "-X", credential.priv_password] if credential.priv_proto else [])


def walked(program: str, credential: V2c | V3, port: int, *rest: str) -> dict[str, str]:
    """OID -> "TYPE: value" as net-snmp prints it (numbers, hex strings)."""
    done = run_tool(program, *options(credential), "-On", "-Ot", "-Ox", "-t3", f"127.0.0.1:{port}", *rest)
    assert done.returncode == 0, done.stderr
    lines = re.sub(r"\n(?!\.)", " ", done.stdout.strip()).split("\n")
    pairs = (line.split(" = ", 1) for line in lines if "No more variables" not in line)
    return {name.removeprefix("."): re.sub(r"\s+", " ", value).strip() for name, value in pairs}


def printed(value: Value) -> str:  # noqa: PLR0911 - one a type
    """The value as net-snmp prints it with -On -Ot -Ox."""
    names = {
        t.INTEGER: "INTEGER", t.COUNTER32: "Counter32", t.GAUGE32: "Gauge32", t.COUNTER64: "Counter64",
        t.IP_ADDRESS: "IpAddress",
    }  # fmt: skip
    match value.tag:
        case t.OCTET_STRING:
            assert isinstance(value.value, bytes)
            return "Hex-STRING: " + value.value.hex(" ").upper() if value.value else '""'
        case t.OID:
            return f"OID: .{value.value}"
        case t.TIMETICKS:
            return str(value.value)
        case t.OPAQUE_FLOAT:
            return f"Opaque: Float: {value.value:.6f}"
        case t.NO_SUCH_OBJECT:
            return "No Such Object available on this agent at this OID"
        case t.NO_SUCH_INSTANCE:
            return "No Such Instance currently exists at this OID"
    return f"{names[value.tag]}: {value.value}"


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real snmpd on a free loopback port, with every user of CREDENTIALS."""
    folder = tmp_path_factory.mktemp("snmpd")
    port = free_port()
    lines = [f"agentaddress udp:127.0.0.1:{port}", "rocommunity public 127.0.0.1"]
    for user in USERS.values():
        auth = f" {user.auth_proto} {AUTH}" if user.auth_proto else ""
        lines.append(f"createUser {user.user}{auth}" + (f" {user.priv_proto} {PRIV}" if user.priv_proto else ""))
        lines.append(f"rouser {user.user} " + ("priv" if user.priv_proto else "auth" if auth else "noauth"))
    conf = folder / "snmpd.conf"
    conf.write_text("\n".join(lines) + "\n")
    command = [tool("snmpd"), "-f", "-C", "-c", str(conf), "-Lf", str(folder / "log"), "-I-smux,mteTrigger"]
    process = subprocess.Popen(command, env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder), "MIBS": ""})
    try:
        _wait(port, process, folder / "log")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    async def answers() -> bool:
        async with SnmpClient() as client:
            try:
                await client.session("127.0.0.1", port, V2c("public"), timeout=0.2, retries=0).get(SYSTEM[:1])
            except SnmpError:
                return False
            return True

    deadline = time.monotonic() + 15
    while not asyncio.run(answers()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_our_client_reads_from_snmpd_what_net_snmp_reads(snmpd: int, name: str) -> None:
    credential = CREDENTIALS[name]
    columns = [*SYS_OR, MODULES]
    async with SnmpClient() as client:
        session = client.session("127.0.0.1", snmpd, credential, timeout=3)
        system = await session.get(SYSTEM)
        got = await session.columns(columns, 40)
        nexts = await client.session("127.0.0.1", snmpd, credential, bulk=False, timeout=3).columns(SYS_OR)
    assert got.whole, got.reasons
    assert {oid: printed(value) for oid, value in system.items()} == walked("snmpget", credential, snmpd, *SYSTEM)
    tables = ["1.3.6.1.2.1.1.9.1", MODULES] if name in ("v2c", "sha1aes") else ["1.3.6.1.2.1.1.9.1"]
    for table in tables:
        truth = walked("snmpbulkwalk", credential, snmpd, table)
        ours = {f"{c}.{i}": printed(value) for c in columns if c.startswith(table) for i, value in got.rows[c].items()}
        assert ours == truth
        assert len(truth) >= 15
    assert len(got.rows[MODULES]) > 100
    assert {column: got.rows[column] for column in SYS_OR} == nexts.rows


async def test_every_type_is_read_from_snmpd_and_the_end_of_its_mib_is_proven(snmpd: int) -> None:
    # not 1.3.6.1 as a whole: snmpd takes minutes for the connection tables of a busy machine
    parts = ["1.3.6.1.2.1.1", "1.3.6.1.2.1.2", "1.3.6.1.2.1.4.20", "1.3.6.1.2.1.31", "1.3.6.1.4.1.2021.10", "1.3.6.1.6"]
    async with SnmpClient() as client:
        got = await client.session("127.0.0.1", snmpd, CREDENTIALS["sha1aes"], timeout=5).columns(parts, 60)
    assert got.whole, got.reasons
    tags = {value.tag for rows in got.rows.values() for value in rows.values()}
    every = {t.INTEGER, t.OCTET_STRING, t.OID, t.COUNTER32, t.GAUGE32, t.TIMETICKS, t.COUNTER64, t.IP_ADDRESS}
    assert tags >= every | {t.OPAQUE_FLOAT}
    assert len(got.rows["1.3.6.1.6"]) > 20


@pytest.mark.parametrize(
    ("credential", "error"),
    [
        (V2c("wrong"), SnmpTimeout),
        (V3("sha1aes", "SHA", "wrong-password", "AES", PRIV), SnmpAuthError),
        (V3("sha1aes", "SHA-256", AUTH, "AES", PRIV), SnmpAuthError),
        (V3("sha1aes", "SHA", AUTH), SnmpAuthError),
        (V3("nobody", "SHA", AUTH), SnmpAuthError),
        (V3("noauth", "SHA", AUTH), SnmpAuthError),
        (V3("sha1aes", "SHA", AUTH, "AES", "wrong-password"), SnmpTimeout),  # snmpd keeps silent
    ],
)
async def test_snmpd_refuses_wrong_credentials(snmpd: int, credential: V2c | V3, error: type[SnmpError]) -> None:
    async with SnmpClient() as client:
        with pytest.raises(error) as caught:
            await client.session("127.0.0.1", snmpd, credential, timeout=0.5, retries=0).get(SYSTEM)
    assert error is SnmpAuthError or isinstance(credential, V2c) or "加密口令" in caught.value.hint


# --- the other way round

BASE = "1.3.6.1.4.1.2011.5.25"
SAMPLES: list[tuple[int, int | float | bytes | str]] = [
    (t.INTEGER, -(2**31)), (t.INTEGER, 0), (t.INTEGER, 2**31 - 1), (t.COUNTER32, 2**32 - 1), (t.GAUGE32, 128),
    (t.COUNTER64, 2**64 - 1), (t.OCTET_STRING, b""), (t.OCTET_STRING, "交换机".encode()),
    (t.OCTET_STRING, b"x" * 300), (t.OID, "1.3.6.1.4.1.4294967295.16384"), (t.OID, "0.0"),
    (t.IP_ADDRESS, "255.0.128.1"), (t.TIMETICKS, 4294967295), (t.OPAQUE_FLOAT, 36.5),
]  # fmt: skip


def everything() -> Table:
    """Every type under indices that test the order: 127/128, 16383/16384, the largest number."""
    indices = ["0", "127", "128.5", "16383", "16384", "16384.0", "4294967295", "4294967295.1"]
    records = [
        (f"{BASE}.{column}.{index}", min(tag, 0xFF) if tag < 0x100 else t.OPAQUE, content(tag, value))
        for column, (tag, value) in enumerate(SAMPLES, start=1)
        for index in indices
    ]
    return Table.build(records)


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_net_snmp_reads_from_our_agent_what_our_client_reads(name: str) -> None:
    credential = CREDENTIALS[name]
    table = everything()
    agent = Agent(table, users={user.user.encode(): user for user in USERS.values()}, engine_id=ENGINE, boots=3)
    async with serve(agent) as (port, _seen), SnmpClient() as client:
        got = await client.session("127.0.0.1", port, credential).walk(BASE, 30)
        bulk = await asyncio.to_thread(walked, "snmpbulkwalk", credential, port, BASE)
        missing = [f"{BASE}.1.5", "1.3.9.9"]
        theirs = await asyncio.to_thread(walked, "snmpget", credential, port, f"{BASE}.2.0", *missing)
        ours = await client.session("127.0.0.1", port, credential).get([f"{BASE}.2.0", *missing])
    rows = {f"{BASE}.{index}": printed(value) for index, value in got.rows[BASE].items()}
    assert got.whole
    assert len(rows) == len(table) == 8 * len(SAMPLES)
    assert list(rows) == list(bulk)
    assert rows == bulk
    assert {oid: printed(value) for oid, value in ours.items()} == theirs


async def test_net_snmp_walks_a_small_agent_by_getnext_and_by_trimmed_bulk() -> None:
    agent = Agent(everything(), max_size=484, truncate=7)
    async with serve(agent) as (port, _seen):
        for program in ("snmpwalk", "snmpbulkwalk"):
            assert len(await asyncio.to_thread(walked, program, V2c("public"), port, BASE)) == 8 * len(SAMPLES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (options(V3("sha1aes", "SHA", "wrong-password", "AES", PRIV)), "Authentication failure"),
        (options(V3("sha1aes", "SHA", AUTH, "AES", "wrong-password")), "Decryption error"),
        (options(V3("nobody", "SHA", AUTH)), "Unknown user name"),
        (options(V3("sha1aes", "SHA", AUTH)), "Unsupported security level"),
        (["-v2c", "-c", "wrong"], "Timeout"),
    ],
)
async def test_net_snmp_understands_our_refusals(arguments: list[str], message: str) -> None:
    agent = Agent(everything(), users={b"sha1aes": USERS["sha1aes"]}, engine_id=ENGINE)
    async with serve(agent) as (port, _seen):
        target = ["-t1", "-r0", f"127.0.0.1:{port}", f"{BASE}.1.0"]
        done = await asyncio.to_thread(run_tool, "snmpget", *arguments, *target)
    assert message in done.stderr


async def test_our_agent_refuses_to_be_written() -> None:
    async with serve(Agent(everything())) as (port, _seen):
        done = await asyncio.to_thread(
            run_tool, "snmpset", "-v2c", "-c", "public", f"127.0.0.1:{port}", f"{BASE}.2.0", "i", "1"
        )
    assert "notWritable" in done.stderr
