"""HTTP/1.1 with keep-alive over TLS for the farm's BMCs: one asyncio protocol per connection, one request at a time.

Small on purpose: no chunked requests, no upgrade; a request that is not HTTP or larger than 64 KiB ends the connection.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Protocol

from yunwei.lab.redfish import Request, Response

MAX_REQUEST = 65536
IDLE_S = 60.0
ENDLESS_CHUNK = b"1000\r\n" + b" " * 4096 + b"\r\n"


class Device(Protocol):
    """What a connection needs of the device at its local address."""

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        ...

    def delay_s(self) -> float:
        """Seconds to wait before an answer leaves."""
        ...

    def lost(self) -> bool:
        """Whether this exchange is lost on the way."""
        ...


class BadRequestError(ValueError):
    """Bytes that are not an HTTP request."""


def parse(buffer: bytearray) -> Request | None:
    """Take one whole request off the buffer; None when more bytes are needed. Raises BadRequestError."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_REQUEST:
            raise BadRequestError("header")
        return None
    lines = buffer[:end].decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError("request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError("header")
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 6 or int(length) > MAX_REQUEST or "transfer-encoding" in headers:
        raise BadRequestError("length")
    stop = end + 4 + int(length)
    if len(buffer) < stop:
        return None
    body = bytes(buffer[end + 4 : stop])
    del buffer[:stop]
    return Request(parts[0], parts[1], headers, body)


@cache
def _opening(status: int, close: bool) -> str:
    """The lines that every answer of this status begins with."""
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "OData-Version: 4.0",
        "Content-Type: application/json",
        "Connection: close" if close else "Connection: keep-alive",
    )
    return "\r\n".join(lines)


def head(response: Response, *, close: bool = False) -> bytes:
    """Status line and headers."""
    length = (
        "Transfer-Encoding: chunked" if response.conduct == "endless_body" else f"Content-Length: {len(response.body)}"
    )
    more = "".join([f"\r\n{name}: {value}" for name, value in response.headers])
    return f"{_opening(response.status, close)}\r\n{length}{more}\r\n\r\n".encode("latin-1")


class Connection(asyncio.Protocol):
    """One client's connection to one device."""

    def __init__(self, device: Device, on_close: Callable[[Connection], None]) -> None:
        self._device = device
        self._on_close = on_close
        self._buffer = bytearray()
        self._busy = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None  # the answer that is due
        self._watch: asyncio.TimerHandle | None = (
            None  # one for the connection's life: a new one a request would cost more
        )
        self._heard = 0.0
        self._writable = True
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._heard = self._loop.time()
        self._watch = self._loop.call_later(IDLE_S, self._idle)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        for timer in (self._timer, self._watch):
            if timer is not None:
                timer.cancel()
        self._timer = self._watch = None
        self.transport = None
        self._on_close(self)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True

    def _idle(self) -> None:
        """Drop the connection when nothing was heard for so long; a request that is lost on the way is heard of no more."""
        left = self._heard + IDLE_S - self._loop.time()
        if left > 0 or self._timer is not None:
            self._watch = self._loop.call_later(max(left, 1.0), self._idle)
        else:
            self.drop()

    def drop(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._heard = self._loop.time()
        if not self._busy:
            self._next()

    def _next(self) -> None:
        try:
            request = parse(self._buffer)
        except BadRequestError:
            self.drop()
            return
        if request is None:
            return
        self._busy = True
        if self._device.lost():
            return  # the request went missing: the client waits in vain
        self._wait(self._device.delay_s(), self._answer, request)

    def _wait(self, seconds: float, then: Callable[..., None], *arguments: object) -> None:
        if seconds <= 0:
            then(*arguments)
        else:
            self._timer = self._loop.call_later(seconds, then, *arguments)

    def _answer(self, request: Request) -> None:
        self._timer = None
        if self.transport is None:
            return
        response = self._device.respond(request)
        close = request.headers.get("connection", "").lower() == "close"
        data = head(response, close=close) + (b"" if request.method == "HEAD" else response.body)
        if response.conduct:
            self._misbehave(response, data)
            return
        self.transport.write(data)
        if close:
            self.transport.close()
            return
        self._busy = False
        self._next()

    def _misbehave(self, response: Response, data: bytes) -> None:
        transport = self.transport
        if transport is None:
            return
        if response.conduct == "garbage":
            transport.write(random.Random(len(data)).randbytes(max(len(data), 64)))  # noqa: S311 - noise
            transport.close()
        elif response.conduct == "half":
            transport.write(data[: max(len(data) - max(len(response.body) // 2, 1), 1)])
            transport.close()
        else:
            transport.write(head(response))
            self._pour()

    def _pour(self) -> None:
        """White space without end, as fast as the client takes it: valid JSON so far, only a limit saves the client."""
        if self.transport is None:
            return
        if self._writable:
            self.transport.write(ENDLESS_CHUNK)
        self._wait(0.005, self._pour)
