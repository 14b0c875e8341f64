"""SNMP v2c and v3 on the product's own client: one socket for all devices, several columns per request.

A device that is dead costs one short probe, not the whole plan. The vendor file says what is asked for.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Any

from yunwei.inspect.collect.base import Look, Trouble, check_pinned
from yunwei.inspect.collect.own import is_ours
from yunwei.inspect.observation import DeviceResult
from yunwei.inspect.vendor import SnmpData, VendorFile, apply_snmp
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason
from yunwei.snmp.client import V3, Session, SnmpClient, V2c
from yunwei.snmp.errors import SnmpAuthError, SnmpError, SnmpGarbage, SnmpTimeout
from yunwei.snmp.values import Value

JSON = Any
SYS_DESCR = "1.3.6.1.2.1.1.1.0"
SYS_OBJECT_ID = "1.3.6.1.2.1.1.2.0"
SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
#: seconds and retries of the probe, and of the rest (a busy switch answers a large GETBULK late)
PROBE = (1.5, 1)
POLL = (4.0, 2)
#: rows of one table; a full MAC table is larger, no table of a vendor file is
MAX_ROWS = 20_000


def credential(opened: Mapping[str, JSON]) -> V2c | V3:
    """The client's credential; raises Trouble when a v3 user or a v2c community is missing."""
    if opened.get("user"):
        names = ("user", "auth_proto", "auth_password", "priv_proto", "priv_password")
        return V3(**{name: str(opened.get(name, "")) for name in names})
    if opened.get("community"):
        return V2c(str(opened["community"]))
    raise Trouble(Reason.AUTH, _("凭据里既没有团体名也没有用户"))


async def collect(look: Look) -> DeviceResult:
    """Look at one agent. What was read before the budget ended or the agent fell silent is judged and kept."""
    client = look.tools.snmp
    if client is None:
        raise Trouble(Reason.NOT_SUPPORTED, _("采集器没有打开 SNMP"))
    login = credential(look.credential())
    address = _literal(look.target.address)
    probe, data = await _probe(client, look, address, login)
    vendor = _match(look, data)
    session = client.session(
        address, look.target.port or 161, login, timeout=POLL[0], retries=POLL[1], bulk=vendor.quirks.bulk,
        engine=probe.engine,
    )  # fmt: skip
    problem, detail, partial = None, "", []
    try:
        async with asyncio.timeout(look.left()):
            partial = await read(session, vendor, data)
    except TimeoutError:
        problem, detail = Reason.BUDGET, _("设备的时间预算已用完")
    except SnmpError as error:
        problem, detail = reason_of(error), error.message
    _count(look, probe, session)
    if problem is not None:
        data.partial |= {c for table in vendor.snmp_tables for c in table.columns if c not in data.columns}
    reading = apply_snmp(vendor, data, look.target, look.terms)
    if problem is None and partial:
        problem, detail = Reason.PARTIAL, _("{n} 列没有读到可证明的末尾").format(n=len(partial))
    return look.result(reading, problem=problem, detail=detail or reading.detail, partial=partial)


def _literal(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise Trouble(Reason.NOT_REACHED, _("SNMP 设备的地址必须是 IP 地址")) from None


def reason_of(error: SnmpError) -> Reason:
    """What an SNMP error means for the verdict."""
    if isinstance(error, SnmpTimeout):
        return Reason.PARTIAL
    if isinstance(error, SnmpAuthError):
        return Reason.AUTH
    return Reason.GARBAGE if isinstance(error, SnmpGarbage) else Reason.PARTIAL


async def _probe(client: SnmpClient, look: Look, address: str, login: V2c | V3) -> tuple[Session, SnmpData]:
    """Ask who is there, shortly. v2c cannot tell a dead device from a wrong community: both are silence."""
    session = client.session(address, look.target.port or 161, login, timeout=PROBE[0], retries=PROBE[1])
    try:
        async with asyncio.timeout(look.left()):
            found = await session.get([SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME])
    except TimeoutError:
        if session.noted is not None:  # it is there and talks nonsense, however little time was left to hear it
            raise Trouble(reason_of(session.noted), session.noted.message) from None
        raise Trouble(Reason.NOT_REACHED, _("设备没有应答")) from None
    except SnmpTimeout:
        silent = _("设备没有应答（团体名错误时设备同样沉默）") if isinstance(login, V2c) else _("设备没有应答")
        raise Trouble(Reason.NOT_REACHED, silent) from None
    except SnmpError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and is_ours(cause):  # no socket could be opened
            raise cause from None
        raise Trouble(reason_of(error), error.message) from None
    if session.engine_id:
        check_pinned(look, "engine_id", session.engine_id.hex())
    return session, SnmpData(scalars=dict(found))


def _match(look: Look, data: SnmpData) -> VendorFile:
    object_id, descr = (Value(*data.scalars[oid]).as_text() for oid in (SYS_OBJECT_ID, SYS_DESCR))
    return look.vendor(lambda: look.tools.catalogue.match_snmp(object_id, descr))


async def read(session: Session, vendor: VendorFile, data: SnmpData) -> list[str]:
    """Read into `data` what the vendor file asks for; returns the columns whose end was not proven. Raises SnmpError, with
    what was read until then in `data`."""
    await _scalars(session, vendor, data)
    return await _tables(session, vendor, data)


async def _scalars(session: Session, vendor: VendorFile, data: SnmpData) -> None:
    wanted = [oid for oid in vendor.snmp_scalars if oid not in data.scalars]
    for start in range(0, len(wanted), 20):
        data.scalars.update(await session.get(wanted[start : start + 20]))


async def _tables(session: Session, vendor: VendorFile, data: SnmpData) -> list[str]:
    """Read the tables in turn, some columns of one together; returns the columns whose end was not proven.

    A table that breaks off does not take the others along; two in a row without any answer end the device. Tables that
    are joined have about as many rows as each other, so the last question of one asks for no more than that.
    """
    partial: list[str] = []
    absent, silent = await _absent(session, vendor)
    rows: dict[str, int] = {}
    for table in vendor.snmp_tables:
        data.columns.update((c, {}) for c in table.columns if c in absent)
        width = max(1, vendor.quirks.columns_per_request)
        expected = max((rows.get(join.of, 0) for join in table.joins), default=0)
        left = [c for c in table.columns if c not in data.columns]
        for start in range(0, len(left), width):
            asked = left[start : start + width]
            try:
                read = await session.columns(asked, vendor.quirks.max_repetitions, max_rows=MAX_ROWS, expected=expected)
            except SnmpTimeout:
                silent += 1
                partial += asked
                if silent >= 2:
                    raise
                continue
            silent = 0
            data.columns.update(read.rows)
            unended = [c for c in asked if not read.complete[c]]
            partial += unended
            data.partial.update(unended)
            expected = rows[table.name] = max(map(len, read.rows.values()))
    data.partial.update(partial)
    return partial


async def _absent(session: Session, vendor: VendorFile) -> tuple[set[str], int]:
    """The columns that are proven to be empty, and how many questions in a row had no answer."""
    try:
        return await session.without([table.columns for table in vendor.snmp_tables if table.columns]), 0
    except SnmpTimeout:
        return set(), 1


def _count(look: Look, *sessions: Session) -> None:
    for session in sessions:
        look.trace.count("requests", session.requests)
        look.trace.count("bytes_in", session.bytes_in)
