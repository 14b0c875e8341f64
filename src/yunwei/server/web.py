"""The web process: pages, API, static files and live events on one port, in one process, by one kind of server (ADR 9)."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from yunwei.server import instance
from yunwei.server.bridge import Bridge, Receive, Scope, Send

#: `[web]` of yunwei.toml
DEFAULTS: dict[str, Any] = {
    "port": instance.PORT,
    "threads": 4,  # requests worked on at once
    "events": 200,  # open event streams; who comes later polls
    "beat_s": 15.0,  # seconds between two beats of a stream
    "body_mb": 32,  # the longest body of a request
}
#: connections beside the event streams that are answered at once
CONNECTIONS = 300
#: seconds and bytes a request's head may take
HEAD_S, HEAD_BYTES = 10.0, 1 << 16
#: seconds that pages under way may still take when the process is asked to stop
GRACE_S = 2
#: seconds a database connection is kept for the next request; opening one costs more than most pages (ADR 9)
KEEP_S = 60


class Patient(HttpToolsProtocol):
    """A connection whose heads must come in within `HEAD_S` and `HEAD_BYTES`; the server itself waits for ever."""

    _deadline: asyncio.TimerHandle | None = None
    _size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self.transport.close)

    def _expect_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._size = None, 0

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._expect()
            self._size += len(data)
        super().data_received(data)
        if self._deadline is not None and self._size > HEAD_BYTES:
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._expect_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_more()
        super().connection_lost(exc)


class Site:
    """What the server serves: `/events` by streams, everything else by the Django application in threads."""

    def __init__(self, web: dict[str, Any]) -> None:
        from yunwei.server.streams import Streams
        from yunwei.server.wsgi import application

        self.pages = Bridge(application, threads=web["threads"], max_body=web["body_mb"] << 20)
        self.streams = Streams(self.pages.ask, cap=web["events"], beat_s=web["beat_s"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["path"] == "/events":
            await self.streams(scope, receive, send)
        else:
            await self.pages(scope, receive, send)


class Server(uvicorn.Server):
    """Ends the streams first when it is asked to stop: they would not end by themselves."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        from yunwei.server.watching import Watcher

        self._site = site
        streams = site.streams
        self._watcher = Watcher(
            lambda topics: self._on_loop(streams.publish, topics), lambda well: self._on_loop(streams.sees, well)
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and watch the database."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._watcher.start()

    def _on_loop(self, what: Callable[[Any], None], said: Any) -> None:
        """Called from the watcher's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, said)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: streams, then pages under way, then the threads."""
        self._watcher.stop()
        self._site.streams.close()
        await super().shutdown(sockets)
        self._site.pages.close()


def main() -> None:
    """Run this instance's web process until it is told to stop (SIGTERM, SIGINT)."""
    instance.setup()
    from django.db import connections
    from django.urls import get_resolver

    _ = (
        get_resolver().url_patterns
    )  # a page that cannot be imported ends the process now, and the first visit is not slow
    connections["default"].settings_dict["CONN_MAX_AGE"] = KEEP_S
    connections["default"].settings_dict["CONN_HEALTH_CHECKS"] = True
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    web = DEFAULTS | instance.settings().get("web", {})
    site = Site(web)
    config = uvicorn.Config(
        site,
        host="127.0.0.1",
        port=web["port"],
        loop="uvloop",
        http=Patient,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whom to believe about addresses is the application's policy (accounts/addresses.py)
        limit_concurrency=web["events"] + CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
    )
    Server(config, site).run()


if __name__ == "__main__":
    main()
