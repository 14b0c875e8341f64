"""Tools of the lab's tests: farms of the lab's own samples, net-snmp's clients, an HTTPS client."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from yunwei.lab.build import credentials, device
from yunwei.lab.farm import Farm
from yunwei.lab.spec import DeviceSpec, FarmSpec

SEED = "tests"
COMMUNITY, USER, LOGIN = credentials(SEED)
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{LOGIN.user}:{LOGIN.password}".encode()).decode()}
SNMP, BMC = "127.3.0.1", "127.3.0.2"

V2C = ["-v2c", "-c", COMMUNITY]
V3 = ["-v3", "-l", "authPriv", "-u", USER.user, "-a", USER.auth_proto, "-A", USER.auth_password]
V3 += ["-x", USER.priv_proto, "-X", USER.priv_password]


def snmp(address: str = SNMP, **more: Any) -> DeviceSpec:
    return device("snmp", address, "lab-switch", SEED, **more)


def bmc(address: str = BMC, **more: Any) -> DeviceSpec:
    return device("redfish", address, "lab-server", SEED, **more)


def farm_of(*devices: DeviceSpec, **more: Any) -> Farm:
    now: Callable[[], float] | None = more.pop("now", None)
    spec = FarmSpec(devices=devices, seed=SEED, **more)
    return Farm(spec, now=now) if now else Farm(spec)


async def tool(name: str, *arguments: str) -> tuple[int, str, str]:
    """Run one of net-snmp's clients without MIB files."""
    process = await asyncio.create_subprocess_exec(
        name, "-m", "", "-On", "-Oe", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


async def get(farm: Farm, *oids: str, address: str = SNMP, how: list[str] | None = None) -> dict[str, str]:
    """snmpget; OID → the value as net-snmp prints it. Raises TimeoutError when there is no answer."""
    quick = ["-t", "0.5", "-r", "0"]
    code, out, err = await tool("snmpget", *quick, *(how or V2C), f"{address}:{farm.snmp_port}", *oids)
    if code:
        raise TimeoutError(err)
    pairs = (line.partition(" = ") for line in out.splitlines() if " = " in line)
    return {oid.lstrip("."): value.partition(": ")[2] or value for oid, _equals, value in pairs}


async def walk(farm: Farm, prefix: str, *, address: str = SNMP, how: list[str] | None = None) -> list[str]:
    """snmpbulkwalk; the lines it prints. Raises RuntimeError with net-snmp's words when it fails."""
    where = f"{address}:{farm.snmp_port}"
    code, out, err = await tool("snmpbulkwalk", "-t", "1", "-r", "0", "-Cr25", *(how or V2C), where, prefix)
    if code:
        raise RuntimeError(err)
    return [line for line in out.splitlines() if "No more variables" not in line]


class Client:
    """A Redfish client with Basic authentication that remembers the certificate it saw last."""

    def __init__(self, session: aiohttp.ClientSession, farm: Farm) -> None:
        self.session = session
        self.farm = farm

    def url(self, path: str, address: str = BMC) -> str:
        return f"https://{address}:{self.farm.redfish_port}{path}"

    async def get(self, path: str, *, address: str = BMC, status: int = 200, **more: Any) -> Any:
        more.setdefault("headers", BASIC)
        async with self.session.get(self.url(path, address), **more) as response:
            body = await response.read()
            assert response.status == status, body
            return json.loads(body) if body else None

    async def login(self, address: str = BMC, password: str = LOGIN.password) -> tuple[int, dict[str, str], Any]:
        body = {"UserName": LOGIN.user, "Password": password}
        url = self.url("/redfish/v1/SessionService/Sessions", address)
        async with self.session.post(url, json=body) as response:
            return response.status, dict(response.headers), await response.json()

    async def fingerprint(self, address: str = BMC) -> str:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        _reader, writer = await asyncio.open_connection(address, self.farm.redfish_port, ssl=context)
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return hashlib.sha256(certificate).hexdigest()


@pytest.fixture
async def https() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=False, force_close=False)
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session
    await asyncio.sleep(0.05)  # aiohttp closes its TLS transports a moment later
