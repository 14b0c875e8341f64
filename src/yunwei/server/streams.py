"""`/events`: server-sent events, one open answer for each page that is looked at (ADR 9).

A stream carries topics (ui/live.py), a beat every `beat_s` seconds, and nothing else. The beat is an event and not a
comment: a browser hides comments from the page, and the page must notice when no beat comes. Whether the session still
holds is asked of the application itself, before a stream opens, at every beat, and when accounts changed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from yunwei.server.bridge import Answer, Receive, Scope, Send, plain
from yunwei.ui import live

#: seconds that a new stream is told of in retrospect: a page is rendered a moment before its stream opens
LOOK_BACK_S = 10.0
#: seconds the application may take to say whether a session holds, and a client to take what it is sent
PATIENCE_S = 20.0
#: milliseconds after which a browser connects again
RETRY_MS = 3000
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"connection", b"close"),
]
#: environ that makes the question one of a page that follows: a login page is no answer, and nobody did anything
QUESTION = {"HTTP_HX_REQUEST": "true", f"HTTP_{live.FOLLOWS.upper().replace('-', '_')}": "1"}

Ask = Callable[[Scope, dict[str, str]], Awaitable[Answer]]


@dataclass(slots=True, eq=False)
class Client:
    """One open stream: what it may be told, what it was not told yet."""

    who: str
    ids: bool
    pending: set[str] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, topics: Iterable[str]) -> None:
        """Put topics aside for it; a slow client has a longer list, never a queue."""
        self.pending |= set(topics)
        self.wake.set()


class Streams:
    """All open streams of this process: at most `cap`, and `each` of one account."""

    def __init__(self, ask: Ask, *, cap: int, each: int = 8, beat_s: float = 15.0) -> None:
        self._ask, self._cap, self._each, self._beat_s = ask, cap, each, beat_s
        self._open: set[Client] = set()
        self._opening = 0
        self._recent: deque[tuple[float, set[str]]] = deque(maxlen=200)
        self._closing = self._blind = False

    def publish(self, topics: set[str]) -> None:
        """Tell every stream; called on the loop."""
        self._recent.append((time.monotonic(), topics))
        for client in self._open:
            client.tell(topics)

    def sees(self, well: bool) -> None:
        """Whether changes are heard at present; while they are not, streams end and pages poll: no false 实时."""
        self._blind = not well
        if self._blind:
            for client in self._open:
                client.wake.set()

    def close(self) -> None:
        """End every stream now; pages connect again when there is somebody to connect to."""
        self._closing = True
        for client in self._open:
            client.wake.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request for `/events`."""
        if scope["method"] != "GET":
            await plain(send, HTTPStatus.METHOD_NOT_ALLOWED, (b"allow", b"GET"))
            return
        if self._closing or self._blind or len(self._open) + self._opening >= self._cap:
            await _busy(send)
            return
        self._opening += 1
        try:
            answer = await self._holds(scope)
        finally:
            self._opening -= 1
        if answer is None or answer.status != HTTPStatus.NO_CONTENT:
            await _pass_on(send, answer)
            return
        client = Client(answer.header(live.WHO), answer.header(live.SCOPE) == "ids")
        if Counter(c.who for c in self._open)[client.who] >= self._each:
            await _busy(send)
            return
        for at, topics in self._recent:
            if time.monotonic() - at < LOOK_BACK_S:
                client.tell(topics)
        self._open.add(client)
        try:
            await self._stream(client, scope, receive, send)
        finally:
            self._open.discard(client)

    async def _holds(self, scope: Scope) -> Answer | None:
        """What the application says to this session; None when it says nothing in time."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask(scope, QUESTION)
        except TimeoutError:
            return None

    async def _stream(self, client: Client, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        gone = asyncio.ensure_future(_left(client, receive))
        try:
            hello = {"beat": self._beat_s, "ids": client.ids}
            await _say(send, f"retry: {RETRY_MS}\n{_event('hello', hello)}")
            while await self._turn(client, scope, send, gone):
                pass
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            return  # it does not read what it is sent
        finally:
            gone.cancel()

    async def _turn(self, client: Client, scope: Scope, send: Send, gone: asyncio.Future[None]) -> bool:
        """Wait for news or the next beat, and say it; False when the stream is over."""
        try:
            async with asyncio.timeout(self._beat_s):
                await client.wake.wait()
        except TimeoutError:
            beat = True
        else:
            beat = False
        client.wake.clear()
        if self._closing or self._blind or gone.done():
            return False
        if beat or "accounts" in client.pending:
            answer = await self._holds(scope)
            if answer is None or answer.status != HTTPStatus.NO_CONTENT:
                await _say(send, _event("end", {}))
                return False
            client.ids = answer.header(live.SCOPE) == "ids"
        topics = sorted(client.pending if client.ids else live.without_ids(client.pending))
        client.pending = set()
        await _say(send, _event("change", {"topics": topics}) if topics else _event("beat", {}))
        return True


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def _say(send: Send, text: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _left(client: Client, receive: Receive) -> None:
    """Wait until the client is gone, and wake its stream."""
    while (await receive())["type"] != "http.disconnect":
        pass
    client.wake.set()


async def _busy(send: Send) -> None:
    await plain(send, HTTPStatus.SERVICE_UNAVAILABLE, (b"retry-after", b"30"))


async def _pass_on(send: Send, answer: Answer | None) -> None:
    """The application's refusal, as it said it."""
    if answer is None:
        await _busy(send)
        return
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})
