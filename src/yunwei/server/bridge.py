"""Our WSGI application behind an asynchronous server: requests come in whole, answers go out by pieces.

Only what is complete takes a thread. A body is read on the event loop first (in memory, beyond `SPOOL` in a file that
has no name), within `BODY_S` and `max_body`, so that whoever sends slowly, too much or half holds nobody up and never
reaches a view. An answer crosses from thread to loop once, or once for each `PIECE` when it is long.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Any

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: bytes of a body that are kept in memory; what is longer goes to a temporary file
SPOOL = 1 << 20
#: seconds a body may take to come in
BODY_S = 60.0
#: seconds a client may take to read one piece of a long answer, which holds a thread so long
PIECE_S = 30.0
#: bytes of an answer that are gathered before they cross to the loop
PIECE = 1 << 16


class Refused(Exception):  # noqa: N818 - it is an answer
    """The request does not reach the application: answered with `status`, or with nothing when the client is gone."""

    def __init__(self, status: HTTPStatus | None) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Answer:
    """What an application said."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header's value, or ""."""
        wanted = name.lower().encode()
        return next((value.decode("latin1") for key, value in self.headers if key == wanted), "")


class Bridge:
    """Calls a WSGI application from an ASGI server, `threads` requests at a time."""

    def __init__(self, app: Wsgi, *, threads: int, max_body: int) -> None:
        self._app, self._max_body = app, max_body
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="page")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            body = await self._read(scope, receive)
        except Refused as refused:
            if refused.status is not None:
                await plain(send, refused.status)
            return
        loop = asyncio.get_running_loop()
        with body:
            out = _Out(loop, receive, send)
            try:
                answer = await loop.run_in_executor(self._pool, self._call, environ_of(scope, body), out.piece)
                await out.end(answer)
            except ConnectionResetError:  # the client left in the middle of a long answer
                log.info("%s %s: left before the end", scope["method"], scope["path"])
            finally:
                out.close()

    async def ask(self, scope: Scope, extra: dict[str, str]) -> Answer:
        """What the application answers to this request's address and headers, without a body; `extra` is added to its
        environ. For questions of the server's own, such as whether a session still holds."""
        environ = environ_of(scope, io.BytesIO()) | extra | {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": "0"}

        def keep(_answer: Answer, _piece: bytes) -> None:
            raise ConnectionResetError  # a question has a short answer

        return await asyncio.get_running_loop().run_in_executor(self._pool, self._call, environ, keep)

    async def _read(self, scope: Scope, receive: Receive) -> IO[bytes]:
        """The whole body. Raises Refused when it is too long, too slow, or ends too early."""
        named = {name: value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
        if not named:
            return io.BytesIO()
        if int(named.get(b"content-length", b"0")) > self._max_body:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body: IO[bytes] = SpooledTemporaryFile(SPOOL)  # noqa: SIM115 - whoever gets it closes it
        try:
            async with asyncio.timeout(BODY_S):
                size = await self._fill(body, receive)
        except TimeoutError:
            body.close()
            raise Refused(HTTPStatus.REQUEST_TIMEOUT) from None
        except Refused:
            body.close()
            raise
        scope["headers"] = [h for h in scope["headers"] if h[0] != b"content-length"]
        scope["headers"].append((b"content-length", str(size).encode()))
        body.seek(0)
        return body

    async def _fill(self, body: IO[bytes], receive: Receive) -> int:
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(None)
            part = message.get("body", b"")
            size += len(part)
            if size > self._max_body:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            body.write(part)
            if not message.get("more_body", False):
                return size

    def _call(self, environ: dict[str, Any], piece: Callable[[Answer, bytes], None]) -> Answer:
        """In a thread: run the application; a long answer is handed over by pieces, its rest is returned."""
        answer = Answer()

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            answer.status = int(status.split(" ", 1)[0])
            answer.headers = [(k.lower().encode("latin1"), v.encode("latin1")) for k, v in headers]

        parts = self._app(environ, start)
        try:
            gathered = bytearray()
            for part in parts:
                gathered += part
                if len(gathered) >= PIECE:
                    piece(answer, bytes(gathered))
                    gathered.clear()
            answer.body = bytes(gathered)
        finally:
            if (close := getattr(parts, "close", None)) is not None:
                close()
        return answer

    def close(self) -> None:
        """Take no more requests; those in threads are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Out:
    """The way of one answer to the client; `piece` is called from the request's thread and waits until it is sent."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive, send: Send) -> None:
        self._loop, self._receive, self._send = loop, receive, send
        self._gone: asyncio.Future[Message] | None = None

    def piece(self, answer: Answer, part: bytes) -> None:
        """Send a part of a long answer. Raises ConnectionResetError when the client is gone: nobody reads on."""
        asyncio.run_coroutine_threadsafe(self._piece(answer, part), self._loop).result()

    async def _piece(self, answer: Answer, part: bytes) -> None:
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._receive())
            await self._start(answer)
        try:
            async with asyncio.timeout(PIECE_S):
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
        except TimeoutError:
            raise ConnectionResetError from None
        if self._gone.done():
            raise ConnectionResetError

    async def end(self, answer: Answer) -> None:
        """Send what is left."""
        if self._gone is None:
            await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def _start(self, answer: Answer) -> None:
        await self._send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})

    def close(self) -> None:
        if self._gone is not None:
            self._gone.cancel()


async def plain(send: Send, status: HTTPStatus, *more: tuple[bytes, bytes]) -> None:
    """An answer of the server itself, in one line; the connection ends with it."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": int(status), "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": f"{int(status)} {status.phrase}\n".encode()})


def environ_of(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    """The WSGI environ of a request (PEP 3333). A header with an underscore is dropped: it would be taken for the one
    with a dash, which a proxy in front of us has checked."""
    server, client = scope.get("server") or ("127.0.0.1", 80), scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin1"),
        "QUERY_STRING": scope["query_string"].decode("latin1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        if b"_" in raw:
            continue
        name = raw.decode("latin1").upper().replace("-", "_")
        key = name if name in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{name}"
        text = value.decode("latin1")
        if key in environ:
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    return environ
