"""The SNMP client: one UDP socket for all devices, one outstanding question per device.

    async with SnmpClient() as client:
        session = client.session("192.0.2.1", 161, V2c("public"), timeout=2.0, retries=1)
        system = await session.get(["1.3.6.1.2.1.1.2.0"])
        ports = await session.columns(["1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1.1"], max_repetitions=25)

An answer belongs to a question when it comes from the address and port that was asked and carries its id; anything
else on the socket is counted (`stray`) and dropped. Garbage from the right address does not end the wait, since
anybody can send it; it is remembered and becomes the error if nothing better comes (`SnmpGarbage` or `SnmpAuthError`
instead of `SnmpTimeout`). How many devices are asked at once is the caller's business.

SNMPv3: `session.engine` is what was learned of the engine. Kept by the caller and handed in at the next sweep it
saves the discovery round; when the device now has another engine id, `session.engine_id` shows it afterwards.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time as wall
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple, Self

from yunwei.kernel.i18n import _
from yunwei.snmp import ber, message
from yunwei.snmp.columns import ColumnReader, Columns
from yunwei.snmp.errors import SnmpAuthError, SnmpError, SnmpGarbage, SnmpStatus, SnmpTimeout, SnmpTooBig
from yunwei.snmp.message import Pdu, RowReader, value_of
from yunwei.snmp.security import Community, User, new_id
from yunwei.snmp.usm import V3, EngineState, V2c
from yunwei.snmp.values import END_OF_MIB_VIEW, NO_SUCH_OBJECT, Value

__all__ = ["V3", "Columns", "EngineState", "Session", "SnmpClient", "V2c"]

NO_SUCH_NAME = 2
NAMES_PER_GET = 40
NAMES_PER_NEXT = 16
DEAF = 0.05  # seconds a timer may be late before the loop counts as having been busy elsewhere
RECEIVE_BUFFER = 4 << 20  # asked of the kernel, which may give less: thousands of answers can arrive at once

Endpoint = tuple[str, int]


class _Waiter:
    """One outstanding question."""

    __slots__ = ("future", "idents", "read", "session", "timer")

    def __init__(self, session: Session, future: asyncio.Future[Pdu | None], read: RowReader | None) -> None:
        self.session = session
        self.future = future
        self.read = read
        self.idents: set[int] = set()
        self.timer: asyncio.TimerHandle | None = None

    def watch(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Wait `seconds` for the answer to this try."""
        self.timer = loop.call_later(seconds, self._expire, loop, loop.time() + seconds)

    def _expire(self, loop: asyncio.AbstractEventLoop, due: float | None) -> None:
        """The time for this try is over, unless it was us who did not listen: what came meanwhile is still unread. Once a try
        (`due` None: it was given already), or a loop that is always behind would wait for ever."""
        late = 0.0 if due is None else loop.time() - due
        if late > DEAF:
            self.timer = loop.call_later(late, self._expire, loop, None)
        elif not self.future.done():
            self.future.set_result(None)

    def unwatch(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class _Protocol(asyncio.DatagramProtocol):
    """Hands datagrams to whoever waits for that address."""

    def __init__(self, client: SnmpClient) -> None:
        self.client = client

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        waiter = self.client.waiting.get((addr[0], addr[1]))
        if waiter is None or waiter.future.done():
            self.client.stray += 1
            return
        waiter.session.bytes_in += len(data)
        try:
            pdu = waiter.session.security.unwrap(data, waiter.idents, waiter.read)
        except SnmpError as error:
            waiter.session.noted = error
            return
        if pdu is None:
            self.client.stray += 1
        else:
            waiter.future.set_result(pdu)

    def error_received(self, _exc: Exception) -> None:
        """An ICMP error or a failed send says nothing certain about a device: its timeout does."""


class Session:
    """One device with one credential; made by `SnmpClient.session`.

    `requests`, `bytes_in` and `bytes_out` count over the session's life. All methods raise `SnmpError` only.
    """

    def __init__(
        self, client: SnmpClient, endpoint: Endpoint, security: Community | User, *, timeout: float, retries: int
    ) -> None:
        self.client = client
        self.endpoint = endpoint
        self.security = security
        self.timeout = timeout
        self.retries = retries
        self.bulk = True
        self.answered = False  # True from the first answer to a question on
        self.noted: SnmpError | None = None  # what came instead of an answer to the last question
        self.requests = self.bytes_in = self.bytes_out = 0
        self.where = f"[{endpoint[0]}]:{endpoint[1]}" if ":" in endpoint[0] else f"{endpoint[0]}:{endpoint[1]}"

    @property
    def engine(self) -> EngineState | None:
        """v3: what is known of the engine, to be handed in at the next sweep; None under v2c."""
        return self.security.engine

    @property
    def engine_id(self) -> bytes | None:
        """v3: the device's engine id (part of its identity); None before first contact and under v2c."""
        engine = self.security.engine
        return engine.engine_id if engine else None

    async def get(self, oids: Iterable[str]) -> dict[str, Value]:
        """GET; keyed by the OIDs as asked; what the device has not comes as a value with `missing`.

        Questions are split where the device answers tooBig or only in part; SnmpTooBig when one value alone is.
        """
        asked = {text: ber.oid_content(text) for text in oids}
        found: dict[bytes, Value] = {}
        todo = list(dict.fromkeys(asked.values()))
        size = NAMES_PER_GET
        while todo:
            part = todo[:size]
            pdu = await self._ask(message.GET, 0, 0, [message.null_varbind(oid) for oid in part])
            if pdu.status == message.TOO_BIG or (not pdu.status and not pdu.varbinds):
                if len(part) == 1:
                    raise SnmpTooBig(
                        _("设备装不下一个值的应答：{oid}").format(oid=ber.oid_text(part[0])), where=self.where
                    )
                size = len(part) // 2
                continue
            if pdu.status:
                found[self._absent(pdu, part)] = Value(NO_SUCH_OBJECT, None)
            else:
                self._take(pdu, part, found)
            todo = [oid for oid in todo if oid not in found]
        return {text: found[oid] for text, oid in asked.items()}

    def _take(self, pdu: Pdu, part: Sequence[bytes], found: dict[bytes, Value]) -> None:
        """The answer to a GET: the names that were asked, in their order, perhaps not all of them."""
        if [oid for oid, _element in pdu.varbinds] != list(part[: len(pdu.varbinds)]):
            raise SnmpGarbage(_("设备答了没有问的 OID"), where=self.where)
        try:
            found.update((oid, value_of(element)) for oid, element in pdu.varbinds)
        except SnmpGarbage as error:
            error.where = self.where
            raise

    def _absent(self, pdu: Pdu, part: Sequence[bytes]) -> bytes:
        """noSuchName, the v1 way to say "not here" that some v2c agents keep; other errors are raised."""
        if pdu.status == NO_SUCH_NAME and 1 <= pdu.at <= len(part):
            return part[pdu.at - 1]
        known = 0 <= pdu.status < len(message.STATUS_NAMES)
        name = message.STATUS_NAMES[pdu.status] if known else str(pdu.status)
        text = _("设备返回错误 {status}").format(status=name)
        raise SnmpStatus(text, status=pdu.status, index=pdu.at, where=self.where)

    async def columns(
        self, oids: Iterable[str], max_repetitions: int = 25, *, max_rows: int = 100_000, expected: int = 0
    ) -> Columns:
        """Columns of one or several tables read together (GETBULK, or GETNEXT when bulk=False).

        Raises only if the device gave nothing at all; what breaks later leaves columns incomplete, with `error` set.
        A column with more than `max_rows` rows is given up as incomplete; of about `expected` rows no more is asked than
        they need. See `columns.ColumnReader` for the rules.
        """
        before = self.requests, self.bytes_in, self.bytes_out
        reader = ColumnReader(oids, max_repetitions, bulk=self.bulk, max_rows=max_rows, expected=expected)
        while (question := reader.ask()) is not None:
            tag, status, at, names = question
            try:
                pdu = await self._ask(tag, status, at, names, reader.rows)
            except SnmpError as error:
                if isinstance(error, SnmpTimeout) and self.answered and reader.fit_one_packet():
                    continue  # it is there, so perhaps only its long answers are lost: once more, shorter
                if not reader.answers:
                    raise
                reader.fail(error)
                break
            reader.take(pdu)
        result = reader.result()
        result.requests = self.requests - before[0]
        result.bytes_in = self.bytes_in - before[1]
        result.bytes_out = self.bytes_out - before[2]
        return result

    async def without(self, tables: Iterable[Sequence[str]]) -> set[str]:
        """The columns that the device proves to be empty, by one small question for the first column of each table.

        What follows a table's first column in the device's order leaves no place for anything in between: a table that
        is not there costs one varbind instead of an answer full of what stands after it. Where the device answers with
        an error nothing is proven. Raises SnmpError.
        """
        ordered = [_ordered(tuple(table)) for table in tables]
        proven: set[str] = set()
        for start in range(0, len(ordered), NAMES_PER_NEXT):
            part = ordered[start : start + NAMES_PER_NEXT]
            pdu = await self._ask(message.GETNEXT, 0, 0, [message.null_varbind(table[0].prefix) for table in part])
            if pdu.status or len(pdu.varbinds) != len(part):
                continue
            for table, (oid, element) in zip(part, pdu.varbinds, strict=True):
                proven.update(_before(table, oid, element[0]))
        return proven

    async def walk(self, prefix: str, max_repetitions: int = 25, *, max_rows: int = 100_000) -> Columns:
        """All below one prefix: `columns` with one column, whose indices are the OIDs below the prefix."""
        return await self.columns([prefix], max_repetitions, max_rows=max_rows)

    # --- one exchange

    async def _ask(self, tag: int, status: int, at: int, names: Sequence[bytes], read: RowReader | None = None) -> Pdu:
        """One question (`names` are its varbinds) and its answer; v3 discovers and resynchronises as need be."""
        ident = new_id()
        pdu = message.build_pdu(tag, ident, status, at, names)
        async with self.client.lock(self.endpoint):
            for _round in range(4):  # discovery, time, the answer, and one engine that changed in between
                reply = await self._exchange(ident, pdu, read)
                if reply.tag == message.REPORT:
                    self._heed(reply)
                    continue
                if reply.request_id != ident:  # v2c has checked it already
                    raise SnmpGarbage(_("应答的 request-id 不符"), where=self.where)
                if reply.status == message.AUTHORIZATION_ERROR:
                    raise SnmpAuthError(_("设备拒绝这个凭据读取"), where=self.where)
                self.answered = True
                return reply
        raise SnmpAuthError(_("设备一再要求重新同步引擎时间"), where=self.where)

    def _heed(self, report: Pdu) -> None:
        try:
            self.security.heed(report)
        except SnmpError as error:
            error.where = self.where
            raise

    async def _exchange(self, ident: int, pdu: bytes, read: RowReader | None) -> Pdu:
        """Send, wait, send again; the lock of this endpoint is held."""
        loop = asyncio.get_running_loop()
        transport = await self.client.transport(self.endpoint)
        waiter = _Waiter(self, loop.create_future(), read)
        self.client.waiting[self.endpoint] = waiter
        self.noted = None
        try:
            for _try in range(self.retries + 1):
                if not self.security.one_id:
                    ident = new_id()
                waiter.idents.add(ident)
                datagram = self.security.wrap(ident, pdu)
                self.requests += 1
                self.bytes_out += len(datagram)
                transport.sendto(datagram, self.endpoint)
                waiter.watch(loop, self.timeout)
                try:
                    reply = await waiter.future
                finally:
                    waiter.unwatch()
                if reply is not None:
                    return reply
                waiter.future = loop.create_future()
        finally:
            del self.client.waiting[self.endpoint]
        if self.noted is not None:
            self.noted.where = self.where
            raise self.noted
        # snmpd and others keep silent where they cannot decrypt: say so where the engine did answer its discovery
        met = isinstance(self.security, User) and self.security.met
        hint = _("设备答了引擎发现，不答请求：请核对加密口令和算法") if met else ""
        raise SnmpTimeout(_("设备没有应答"), where=self.where, hint=hint)


class _Place(NamedTuple):
    """Where a column stands in the order of all objects."""

    key: bytes
    prefix: bytes
    name: str


@lru_cache(maxsize=1024)
def _ordered(columns: tuple[str, ...]) -> list[_Place]:
    """Columns in the order of their OIDs."""
    return sorted(_Place(ber.oid_key(ber.oid_content(name)), ber.oid_content(name), name) for name in columns)


def _before(table: Sequence[_Place], oid: bytes, tag: int) -> list[str]:
    """The columns (in order) that end before an OID which follows the first one; all of them where nothing follows."""
    if tag >= NO_SUCH_OBJECT:
        return [column.name for column in table] if tag == END_OF_MIB_VIEW else []
    key = ber.oid_key(oid)
    if key <= table[0].key:
        return []
    return [column.name for column in table if key > column.key and not oid.startswith(column.prefix)]


class SnmpClient:
    """All sessions of one event loop, on one socket per address family. `stray` counts datagrams nobody waited for.

    `clock` gives seconds for the age of SNMPv3 engine times; it must be the same clock from sweep to sweep.
    """

    def __init__(self, clock: Callable[[], float] = wall.time) -> None:
        self.clock = clock
        self.stray = 0
        self._closed = False
        self.waiting: dict[Endpoint, _Waiter] = {}
        self._transports: dict[int, asyncio.DatagramTransport] = {}
        self._opening = asyncio.Lock()
        self._locks: dict[Endpoint, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets; whoever still waits gets an error, and no new socket is opened."""
        self._closed = True
        for waiter in self.waiting.values():
            if not waiter.future.done():
                waiter.future.set_exception(SnmpError(_("SNMP 客户端已关闭"), where=waiter.session.where))
        for transport in self._transports.values():
            transport.close()
        self._transports.clear()

    def lock(self, endpoint: Endpoint) -> asyncio.Lock:
        """The lock that keeps one question outstanding per device."""
        lock = self._locks.get(endpoint)
        if lock is None:
            lock = self._locks[endpoint] = asyncio.Lock()
        return lock

    async def transport(self, endpoint: Endpoint) -> asyncio.DatagramTransport:
        """The socket for an endpoint's address family, opened at first use."""
        family = socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET
        found = self._transports.get(family)
        if found is not None:
            return found
        if self._closed:
            raise SnmpError(_("SNMP 客户端已关闭"))
        async with self._opening:
            if family not in self._transports:
                try:
                    self._transports[family] = await self._open(family)
                except OSError as error:
                    raise SnmpError(_("打不开 UDP 套接字：{error}").format(error=error)) from error
            return self._transports[family]

    async def _open(self, family: int) -> asyncio.DatagramTransport:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104 - replies only, by address
            loop = asyncio.get_running_loop()
            transport, _protocol = await loop.create_datagram_endpoint(lambda: _Protocol(self), sock=sock)
        except BaseException:
            sock.close()
            raise
        return transport

    def session(
        self,
        address: str,
        port: int,
        credential: V2c | V3,
        *,
        timeout: float = 2.0,
        retries: int = 1,
        bulk: bool = True,
        engine: EngineState | None = None,
    ) -> Session:
        """A session with one device; sends nothing yet.

        `address` is a literal IPv4 or IPv6 address; `timeout` seconds per try, `retries` tries after the first;
        `bulk=False` for agents whose GETBULK is broken; `engine` what `Session.engine` gave at the last sweep.
        """
        try:
            endpoint = (str(ipaddress.ip_address(address)), port)
        except ValueError as error:
            raise SnmpError(_("不是 IP 地址：{address}").format(address=address[:80])) from error
        if not 0 < port < 65536:
            raise SnmpError(_("端口超出范围：{port}").format(port=port))
        security = Community(credential) if isinstance(credential, V2c) else User(credential, engine, self.clock)
        made = Session(self, endpoint, security, timeout=timeout, retries=retries)
        made.bulk = bulk
        return made
