"""The collector's own HTTP: whole answers in every framing, few connections, and each way an exchange can fail."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from yunwei.inspect.collect.wire import (
    BrokenError,
    EndlessError,
    NoHttpError,
    NotTlsError,
    Patience,
    Raw,
    UnreachedError,
    Wire,
    WireError,
)
from yunwei.lab.tls import certificate_pem, server_context

MOST = 10_000
PLACE = "127.56.0.1"
Say = Callable[[bytes], bytes]


def trusting(_fingerprint: str) -> None:
    """Takes any certificate."""


class Server:
    """A TLS server that says to each request what it is told to, and keeps what it heard."""

    def __init__(self, say: Say, *, close: bool) -> None:
        self.say, self.close = say, close
        self.heard: list[bytes] = []
        self.connections, self.open_now, self.most_open = 0, 0, 0
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next((int(x[15:]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")), 0)
                self.heard.append(head + await reader.readexactly(size))
                writer.write(self.say(self.heard[-1]))
                await writer.drain()
                if self.close:
                    break
        self.open_now -= 1
        writer.close()


@asynccontextmanager
async def served(say: bytes | Say, *, close: bool = False) -> AsyncIterator[tuple[Server, Wire]]:
    server = Server(say if callable(say) else lambda _request: say, close=close)
    context = server_context(certificate_pem("tests-wire", PLACE))
    listening = await asyncio.start_server(server, PLACE, 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    wire = Wire(PLACE, server.port, trusting, most=MOST, connect_s=5)
    try:
        yield server, wire
    finally:
        await wire.close()
        listening.close()
        await asyncio.sleep(0.05)  # the goodbyes of TLS


def ok(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"Content-Length: %d" % len(body), b"", b""]) + body


WHOLE = {
    "length": ok(b"{}abc"),
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n3\r\nabc\r\n0\r\n\r\n",
    "gzip": ok(gzip.compress(b"{}abc"), b"Content-Encoding: gzip"),
    "until it closes": b"HTTP/1.0 200 OK\r\n\r\n{}abc",
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"{}abc"),
}


@pytest.mark.parametrize("framing", WHOLE)
async def test_an_answer_comes_whole_however_it_is_framed(framing: str):
    async with served(WHOLE[framing], close=framing == "until it closes") as (_server, wire):
        raw = await wire.ask("GET", "/redfish/v1", {})
    assert (raw.status, raw.body) == (200, b"{}abc")


async def test_an_answer_without_a_body_has_none():
    async with served(b"HTTP/1.1 204 No Content\r\nX-Auth-Token: t\r\n\r\n") as (server, wire):
        raw = [await wire.ask("DELETE", "/s/1", {"X-Auth-Token": "k"}) for _time in range(2)][1]
        assert raw == Raw(204, {"x-auth-token": "t"}, b"")
        assert server.connections == 1


async def test_a_request_is_one_of_ours_and_nobody_s_value_writes_a_header():
    async with served(ok(b"")) as (server, wire):
        await wire.ask("POST", "/redfish/v1/Sessions", {"X-Auth-Token": "a\r\nEvil: 1"}, b'{"a":1}')
        await wire.ask("GET", "/redfish/v1/部件?$expand=.($levels=1)", {})
    lines = server.heard[0].decode().split("\r\n")
    assert lines[0] == "POST /redfish/v1/Sessions HTTP/1.1"
    assert f"Host: {PLACE}:{server.port}" in lines
    assert "X-Auth-Token: aEvil: 1" in lines
    assert lines[-1] == '{"a":1}'
    assert "Content-Length: 7" in lines
    assert server.heard[1].startswith(b"GET /redfish/v1/%E9%83%A8%E4%BB%B6?$expand=.($levels=1) HTTP/1.1\r\n")


@pytest.mark.parametrize("wide", [0, 1, 2])
async def test_one_connection_or_two_serve_all_questions_at_once(wide: int):
    async with served(ok(b"x")) as (server, wire):
        for _time in range(wide):
            wire.widen()
        raws = await asyncio.gather(*(wire.ask("GET", f"/{n}", {}) for n in range(20)))
        assert {raw.body for raw in raws} == {b"x"}
        assert server.connections == server.most_open == (2 if wide else 1)
        assert sorted(head.split()[1] for head in server.heard) == sorted(b"/%d" % n for n in range(20))


async def test_a_connection_that_is_to_be_closed_is_not_used_again():
    async with served(ok(b"x", b"Connection: close")) as (server, wire):
        for _time in range(2):
            await wire.ask("GET", "/", {})
        assert server.connections == 2


BAD: dict[str, tuple[bytes, type[WireError]]] = {
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", NoHttpError),
    "a broken length": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", NoHttpError),
    "a head without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, NoHttpError),
    "a body too long": (ok(b"x" * (MOST + 1)), EndlessError),
    "a bomb": (ok(gzip.compress(b"x" * 1_000_000), b"Content-Encoding: gzip"), EndlessError),
    "half a gzip": (ok(gzip.compress(b"x" * 100)[:20], b"Content-Encoding: gzip"), NoHttpError),
    "another coding": (ok(b"x", b"Content-Encoding: br"), NoHttpError),
    "another protocol": (b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", NoHttpError),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_no_answer_is_an_error_and_ends_its_connection(case: str):
    said, error = BAD[case]
    async with served(said) as (server, wire):
        for number in (1, 2):
            with pytest.raises(error):
                await wire.ask("GET", "/", {})
            assert server.connections == number


@pytest.mark.parametrize(("said", "silent"), [(b"", True), (ok(b"0123456789")[:-4], False), (b"HTTP/1.1 20", False)])
async def test_an_answer_that_breaks_off_says_whether_it_had_begun(said: bytes, silent: bool):
    async with served(said, close=True) as (_server, wire):
        with pytest.raises(BrokenError) as broken:
            await wire.ask("GET", "/", {})
    assert broken.value.silent is silent


async def test_what_comes_after_an_answer_is_no_answer_to_the_next_question():
    answers = iter([ok(b"first") + ok(b"forged"), ok(b"second")])
    async with served(lambda _request: next(answers)) as (_server, wire):
        assert (await wire.ask("GET", "/", {})).body == b"first"
        await asyncio.sleep(0.05)
        assert (await wire.ask("GET", "/", {})).body == b"second"


async def test_a_question_that_is_given_up_takes_its_connection_along():
    answers = iter([b"HTTP/1.1 200 OK\r\nContent-Le", ok(b"x")])
    async with served(lambda _request: next(answers)) as (server, wire):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await wire.ask("GET", "/", {})
        assert (await wire.ask("GET", "/", {})).body == b"x"
        assert server.connections == 2


async def test_a_refused_certificate_hears_nothing_of_us():
    class RefusedError(Exception):
        pass

    seen: list[str] = []

    def refuse(fingerprint: str) -> None:
        seen.append(fingerprint)
        raise RefusedError

    async with served(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (server, _trusting):
        wire = Wire(PLACE, server.port, refuse, most=MOST, connect_s=5)
        for _turn in range(2):
            with pytest.raises(RefusedError):
                await wire.ask("POST", "/login", {"X-Auth-Token": "secret"}, b"password")
        await wire.close()
        await asyncio.sleep(0.05)
        assert server.heard == []
        assert (server.connections, server.open_now) == (2, 0)
    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert re.fullmatch("[0-9a-f]{64}", seen[0])


async def test_nobody_there_silence_and_no_tls_are_told_apart():
    over = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    found = []
    for handler in (silent, plain):
        listening = await asyncio.start_server(handler, PLACE, 0)
        port = listening.sockets[0].getsockname()[1]
        wire = Wire(PLACE, port, trusting, most=MOST, connect_s=0.5)
        with pytest.raises(WireError) as error:
            await wire.ask("GET", "/", {})
        found.append(error.value)
        listening.close()
    with pytest.raises(WireError) as error:
        await wire.ask("GET", "/", {})  # the port is closed now
    found.append(error.value)
    over.set()
    await asyncio.sleep(0.05)
    assert [type(one) for one in found] == [UnreachedError, NotTlsError, UnreachedError]
    assert [one.waited for one in found if isinstance(one, UnreachedError)] == [True, False]


async def test_who_waits_for_other_handshakes_is_not_charged_for_them():
    over, begun = asyncio.Event(), 0

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        begun += 1
        await over.wait()
        writer.close()

    listening = await asyncio.start_server(silent, PLACE, 0)
    port = listening.sockets[0].getsockname()[1]
    gate = asyncio.Semaphore(1)
    wires = [Wire(PLACE, port, trusting, most=MOST, connect_s=0.4, connecting=gate) for _n in range(3)]
    found = await asyncio.gather(*(wire.ask("GET", "/", {}) for wire in wires), return_exceptions=True)
    assert begun == 3  # each had its own time with the silent machine, one after the other
    assert all(isinstance(error, UnreachedError) and error.waited for error in found)
    over.set()
    listening.close()
    await asyncio.sleep(0.05)


async def test_time_in_which_we_did_not_listen_is_nobody_s_silence():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)

        async def hear() -> bytes:
            async with Patience(0.1):
                return await loop.sock_recv(ours, 1)

        hearing = asyncio.create_task(hear())
        await asyncio.sleep(0)
        theirs.send(b"x")
        time.sleep(0.3)  # noqa: ASYNC251 - busy elsewhere, past the moment at which the answer counts as missing
        assert await hearing == b"x"
        with pytest.raises(TimeoutError):
            await hear()  # who says nothing while we do listen is silent


async def test_a_loop_that_is_always_behind_ends_its_waiting_too():
    loop = asyncio.get_running_loop()

    async def compute() -> None:
        while True:
            time.sleep(0.06)  # noqa: ASYNC251 - every turn is late
            await asyncio.sleep(0)

    computing, began = asyncio.create_task(compute()), loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(8), Patience(0.2):
            await loop.create_future()
    computing.cancel()
    assert loop.time() - began < 6


async def test_a_machine_that_answered_while_we_were_busy_is_reached():
    listening, heard, go = threading.Event(), threading.Event(), threading.Event()
    port: list[int] = []

    def serve() -> None:
        context = server_context(certificate_pem("tests-wire", PLACE))
        with socket.create_server((PLACE, 0)) as server:
            port.append(server.getsockname()[1])
            listening.set()
            plain, _peer = server.accept()
            plain.settimeout(5)
            plain.recv(1, socket.MSG_PEEK)
            heard.set()
            go.wait(5)
            with context.wrap_socket(plain, server_side=True) as speaking:
                speaking.recv(4096)
                speaking.sendall(ok(b"{}"))

    machine = threading.Thread(target=serve)
    machine.start()
    assert listening.wait(5)
    wire = Wire(PLACE, port[0], trusting, most=MOST, connect_s=1.5)
    asking = asyncio.create_task(wire.ask("GET", "/", {}))
    assert await asyncio.to_thread(heard.wait, 5)
    go.set()
    time.sleep(2.5)  # noqa: ASYNC251 - busy elsewhere: its half of the handshake waits in our socket
    assert (await asking).status == 200
    await wire.close()
    await asyncio.to_thread(machine.join)
