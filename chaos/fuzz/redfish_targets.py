"""Redfish: a BMC whose resources contradict themselves, and one whose HTTP does."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self
from unittest import mock

import orjson

from chaos.fuzz import mutate
from chaos.fuzz.engine import Target as FuzzTarget
from yunwei.inspect.collect import redfish
from yunwei.inspect.collect.base import Look, Tools, Trouble
from yunwei.inspect.collect.redfish_http import Answer, Bmc, _object
from yunwei.inspect.observation import Target
from yunwei.inspect.vendor import shipped
from yunwei.lab import find, tls

JSON = Any
NOW = datetime(2026, 3, 2, tzinfo=UTC)


class _Clear:
    """Opens and seals nothing: no secrets are at stake here."""

    def open(self, _sealed: str) -> dict[str, JSON]:
        """The lab's login."""
        return {"user": "u", "password": "p"}

    def seal(self, content: Mapping[str, JSON]) -> str:
        """Some text."""
        return str(sorted(content))


def look(port: int = 443, *, profile: str = "deep") -> Look:
    """A look at one BMC that has plenty of time."""
    deadline = asyncio.get_running_loop().time() + 60
    target = Target("b", "redfish", "127.0.0.1", port, "sealed", profile=profile)
    return Look(target, {}, deadline, Tools(shipped(), _Clear(), lambda: NOW), NOW)


@cache
def resources() -> dict[str, JSON]:
    """The lab's own server, resource by resource."""
    told: dict[str, JSON] = orjson.loads(find.find(find.own_folders())["redfish", "lab-server"].path.read_bytes())
    return {uri.rstrip("/"): body for uri, body in told.get("resources", told).items()}


def trees(dice: random.Random) -> tuple[int, float, int]:
    """Seed and share of a spoilt tree (the tree itself would fill the memory test)."""
    return dice.randrange(1 << 30), dice.choice((0.003, 0.01, 0.03, 0.1)), dice.randrange(4)


class _Fake:
    """A BMC that answers from spoilt resources, as if over HTTPS."""

    def __init__(self, _look: Look, dice: random.Random, share: float) -> None:
        self.dice, self.share = dice, share

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return None

    async def login(self, _credential: object, _uri: str = "") -> None:
        """Anybody."""

    def widen(self) -> None:
        """There is no connection."""

    async def get(self, uri: str) -> Answer:
        """One resource, spoilt anew each time."""
        dice, body = self.dice, resources().get(uri.partition("?")[0].rstrip("/"))
        if body is None or dice.random() < self.share / 3:
            return Answer(dice.choice((404, 404, 200, 301, 401, 500, 503)), None, {}, 0)
        if dice.random() < self.share / 10:
            raw = mutate.deep(dice)
        else:
            raw = mutate.dumped(dice, mutate.tree(dice, body, self.share if uri.count("/") > 3 else self.share / 5))
        return Answer(200, _object(raw), {}, len(raw))


def read_tree(made: tuple[int, float, int]) -> None:
    """A whole look: rollup, deep, judged; it ends in one result that can be stored, or in Trouble."""
    import msgspec

    seed, share, profile = made
    dice = random.Random(seed)  # noqa: S311

    async def go() -> None:
        with mock.patch.object(redfish, "Bmc", lambda one: _Fake(one, dice, share)):
            result = await redfish.collect(look(profile="deep" if profile else "rollup"))
        msgspec.json.encode(result).decode("utf-8")

    asyncio.run(go())


# --- HTTP


@cache
def server_context() -> ssl.SSLContext:
    """TLS of the lab."""
    return tls.server_context(tls.certificate_pem("fuzz", "127.0.0.1"))


HEADERS = (b"Content-Type: application/json", b"Content-Length: %d", b"Transfer-Encoding: chunked", b"Content-Encoding: gzip", b"Connection: close",
           b"Location: /redfish/v1/SessionService/Sessions/1", b"Location: //[", b"Location: http://[::1", b"X-Auth-Token: t", b"Retry-After: 0",
           b"Retry-After: \xc2\xb2", b"Retry-After: 9999999999", b"Set-Cookie: a=b", b"X: " + b"y" * 20000, b"Content-Length: -1",
           b"Content-Encoding: deflate", b"Content-Encoding: br", b"\xff\xfe: \x00")  # fmt: skip
STATUS = (
    b"200 OK",
    b"201 Created",
    b"204 No Content",
    b"301 Moved",
    b"401 No",
    b"404 No",
    b"500 Oops",
    b"503 Busy",
    b"100 Continue",
    b"999 ?",
    b"abc",
)


def response(dice: random.Random) -> bytes:
    """An HTTP response, honest or not."""
    body = (
        mutate.dumped(dice, mutate.tree(dice, resources()["/redfish/v1"], 0.02))
        if dice.random() < 0.9
        else mutate.deep(dice)
    )
    headers = {HEADERS[0], HEADERS[1] % len(body), *dice.sample(HEADERS[4:], dice.randrange(3))}
    if dice.random() < 0.3:
        headers = {h if b"%" not in h else h % dice.randrange(9999) for h in dice.sample(HEADERS, 5)}
    whole = b"HTTP/1.1 " + (dice.choice(STATUS) if dice.random() < 0.4 else STATUS[0]) + b"\r\n"
    whole += b"\r\n".join(sorted(headers)) + b"\r\n\r\n" + body
    return mutate.data(dice, whole) if dice.random() < 0.5 else whole


def read_response(made: bytes) -> None:
    """One login, one GET and one logout against a server that answers each with these bytes and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(reader.read(4096), 5)
            writer.write(made)
            await writer.drain()
        except (OSError, TimeoutError):
            pass
        finally:
            writer.close()

    async def go() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context())
        try:
            port = server.sockets[0].getsockname()[1]
            async with asyncio.timeout(30), Bmc(look(port)) as bmc:
                for act in (lambda: bmc.get("/redfish/v1"), lambda: bmc.login({"user": "u", "password": "p"})):
                    try:
                        await act()
                    except Trouble:
                        continue
        finally:
            server.close()

    asyncio.run(go())


TARGETS = (
    FuzzTarget("redfish-tree", trees, read_tree, (Trouble,), batch=8),
    FuzzTarget("redfish-http", response, read_response, (Trouble,), batch=10),
)
