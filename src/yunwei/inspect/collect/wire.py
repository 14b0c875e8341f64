"""HTTP/1.1 to one machine over TLS, as little of it as a BMC needs: one or two connections kept alive, bounded answers.

A general client spends as long on one small answer as TLS, JSON and the judge together (ADR 15). This one sends a request
as the bytes it is, has the answer taken apart by the parser that the web process uses, and knows no cookies, redirects,
proxies or names of hosts. What goes wrong ends as one of four errors, which say what a look may conclude.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import re
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

import httptools

from yunwei.inspect.collect.own import is_ours

#: bytes of an answer's status line and headers
MAX_HEAD = 64 << 10
#: seconds after which the event loop itself ends a handshake, however patient we are
HANDSHAKE_S = 60.0
#: seconds that a closing connection waits for the other side's goodbye
GOODBYE_S = 1.0
#: seconds that a timer may be late before the loop counts as having been busy elsewhere
DEAF = 0.05
#: what may stand in a request line as it is; everything else is percent-encoded (RFC 3986 §2)
PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]*")


class WireError(Exception):
    """The exchange did not come to an answer."""


class UnreachedError(WireError):
    """Nobody took the connection; `waited`: not even a refusal came in time."""

    def __init__(self, *, waited: bool = False) -> None:
        super().__init__()
        self.waited = waited


class NotTlsError(WireError):
    """Whoever took the connection does not speak TLS that can be used."""


class BrokenError(WireError):
    """The connection ended before the answer did; `silent`: before a single byte of it."""

    def __init__(self, *, silent: bool = False) -> None:
        super().__init__()
        self.silent = silent


class NoHttpError(WireError):
    """What came is no HTTP answer."""


class EndlessError(WireError):
    """The answer is longer than was allowed."""


class Raw(NamedTuple):
    """One answer: status, headers by lower-case name, body without its content coding."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Patience:
    """`async with Patience(6.0):` is `asyncio.timeout` that charges nobody for our own deafness. Raises TimeoutError.

    After the loop was busy elsewhere its timers fire before it reads what came meanwhile: a machine would be told silent
    whose answer waits in our socket. So a timer that fires late is set again for as long as it was late; in all for as long
    again as was allowed, so that a loop that is always behind ends its waiting too.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = self._spare = seconds
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self._listen(self._seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, tb)

    def _listen(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._due, self._loop.time() + seconds)

    def _due(self, due: float) -> None:
        late = self._loop.time() - due
        if late > DEAF and self._spare > 0:
            more = min(late, self._spare)
            self._spare -= more
            self._listen(more)
        else:
            self._limit.reschedule(due)


class _Connection(asyncio.Protocol):
    """One connection; one exchange at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiter: asyncio.Future[Raw] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser
        self.gone: asyncio.Future[None]
        self.open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.gone = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.open, self._transport = False, None
        self.gone.set_result(None)
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._headed and not self._framed:
            self._finish()  # an answer without a length ends with its connection (RFC 9112 §6.3)
        else:
            self._fail(BrokenError(silent=not self._heard))

    async def exchange(self, request: bytes) -> Raw:
        """Send one request and wait for its answer. Raises WireError; cancelling closes the connection."""
        if self._transport is None:
            raise BrokenError(silent=True)
        self._waiter = asyncio.get_running_loop().create_future()
        self._status, self._size, self._heard = 0, 0, 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._headed = self._framed = self._ended = False
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._transport.write(request)
            return await self._waiter
        finally:
            if not self._ended:  # whatever comes now belongs to no question
                self.abort()
            self._waiter = None

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.abort()  # nobody asked
            return
        self._heard += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(NoHttpError())
            return
        if not self._headed and self._heard > MAX_HEAD:
            self._fail(NoHttpError())

    # --- called by the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; the first of two with one name counts."""
        if self._ended:  # of a second answer to one question
            self.abort()
            return
        self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())

    def on_headers_complete(self) -> None:
        """Status and headers are there."""
        self._status = self._parser.get_status_code()
        self._headed = self._status >= 200
        headers = self._headers
        self._framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()

    def on_body(self, data: bytes) -> None:
        """Some of the body."""
        self._size += len(data)
        if self._size > self._most:
            self._fail(EndlessError())
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole; one of 1xx only announces the real one (RFC 9110 §15.2)."""
        if self._status < 200:
            self._headers, self._body = {}, []
        else:
            self._finish()

    def _finish(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        try:
            body = decoded(b"".join(self._body), self._headers.get("content-encoding", ""), self._most)
        except WireError as error:
            self._fail(error)
            return
        self._ended = True
        if not self._parser.should_keep_alive():
            self.close()
        waiter.set_result(Raw(self._status, self._headers, body))

    def _fail(self, error: WireError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.abort()

    def close(self) -> None:
        """No more exchanges: with TLS's goodbye."""
        self.open = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """The same at once: whoever sends without end is not waited for."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()


def decoded(body: bytes, coding: str, most: int) -> bytes:
    """The body without its content coding. Raises EndlessError when it grows too large, NoHttpError for another coding."""
    name = coding.strip().lower()
    if name in ("", "identity") or not body:
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise NoHttpError
    try:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either head
        content = unpacker.decompress(body, most + 1)
    except zlib.error:
        raise NoHttpError from None
    if len(content) > most:
        raise EndlessError
    if not unpacker.eof:
        raise NoHttpError
    return content


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """TLS 1.2 at least, whoever answers: trust is the fingerprint that a `Wire` judges. One for all machines, since making
    one costs two fifths of a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Wire:
    """The connection to one machine. `await wire.ask("GET", "/redfish/v1", headers)`; `widen` where much is to be asked;
    `close` when done."""

    def __init__(
        self, host: str, port: int, judge: Callable[[str], None], *, most: int, connect_s: float,
        connecting: asyncio.Semaphore | None = None,
    ) -> None:  # fmt: skip
        """`judge` gets the SHA-256 fingerprint of the certificate (hexadecimal) when the handshake is through and before a
        byte is sent, and refuses it by raising, which ends the connection. `most` bytes of one body; `connect_s` seconds
        until a connection stands, and as many until its handshake does, counted from when `connecting`, which others share, lets it begin."""
        self._connecting = connecting or asyncio.Semaphore(1)
        self._host, self._port, self._judge = host, port, judge
        self._most, self._connect_s = most, connect_s
        self._idle: list[_Connection] = []
        self._made: list[_Connection] = []
        self._slots, self._wide = asyncio.Semaphore(1), False
        name = f"[{host}]" if ":" in host else host
        self._head = (
            f"Host: {name}:{port}\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\nOData-Version: 4.0\r\n"
            "User-Agent: yunwei\r\n"
        )

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Raw:
        """One exchange, on a connection that is kept for the next. Raises WireError; the caller limits the time."""
        request = self._request(method, path, headers, body)
        async with self._slots:
            connection = await self._take()
            raw = await connection.exchange(request)
            if connection.open:
                self._idle.append(connection)
            return raw

    def widen(self) -> None:
        """Ask over two connections from now on. A handshake is the dearest thing that a BMC does for us: the second one
        pays for some dozens of questions, not for the ten of a daily look."""
        if not self._wide:
            self._wide = True
            self._slots.release()

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        if PLAIN.fullmatch(path) is None:
            path = quote(path, safe="-._~:/?[]@!$&'()*+,;=%")
        lines = [f"{method} {path} HTTP/1.1\r\n", self._head]
        lines += [f"{name}: {_one_line(value)}\r\n" for name, value in headers.items()]
        if body is None:
            return "".join([*lines, "\r\n"]).encode("latin-1", "replace")
        lines.append(f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
        return "".join(lines).encode("latin-1", "replace") + body

    async def _take(self) -> _Connection:
        while self._idle:
            if (connection := self._idle.pop()).open:
                return connection
        loop = asyncio.get_running_loop()
        try:
            async with Patience(self._connect_s):
                sock = await self._dial()
            await self._turn(sock)
            try:
                async with Patience(self._connect_s):
                    transport, connection = await loop.create_connection(
                        lambda: _Connection(self._most), sock=sock, ssl=tls(), server_hostname=self._host,
                        ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=GOODBYE_S,
                    )  # fmt: skip
            finally:
                self._connecting.release()
        except ssl.SSLError:
            raise NotTlsError from None
        except OSError as error:
            if is_ours(error):
                raise
            raise UnreachedError(waited=isinstance(error, TimeoutError)) from None
        self._made.append(connection)
        certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        try:
            self._judge(hashlib.sha256(certificate).hexdigest())
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _turn(self, sock: socket.socket) -> None:
        """Wait for a turn to shake hands; who gives up waiting leaves no socket behind."""
        try:
            await self._connecting.acquire()
        except BaseException:
            sock.close()
            raise

    async def _dial(self) -> socket.socket:
        """A connected socket: where nobody answers, nobody waits for a turn to shake hands."""
        loop = asyncio.get_running_loop()
        try:
            literal = ipaddress.ip_address(self._host)
            family, place = (socket.AF_INET, socket.AF_INET6)[literal.version == 6], (str(literal), self._port)
        except ValueError:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            family, place = found[0][0], found[0][4]  # type: ignore[assignment]
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, place)
        except BaseException:
            sock.close()
            raise
        return sock

    async def close(self) -> None:
        """End what is kept alive, and see it gone: an event loop that ends sooner leaves the socket open. The transport
        gives the other side `GOODBYE_S` for its part."""
        self._idle.clear()
        going = [connection.gone for connection in self._made if not connection.gone.done()]
        for connection in self._made:
            connection.close()
        if going:
            await asyncio.wait(going, timeout=2 * GOODBYE_S)


def _one_line(value: str) -> str:
    """A header's value; what a machine gave us as its token writes no further header."""
    return value.replace("\r", "").replace("\n", "")
