"""The server in front of the pages: who sends slowly, too much or half holds nobody up and reaches no view."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from tests.server.live_kit import SOON_S, free_port
from yunwei.server import bridge, web

LIMIT = 4 << 20


class App:
    """A WSGI application that says what it was given."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.pieces = 0
        self.closed = threading.Event()
        self.release = threading.Event()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        self.seen.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        path = environ["PATH_INFO"]
        if path == "/wait":
            self.release.wait(SOON_S)
        if path == "/broken":
            raise RuntimeError("broken")
        start("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return self._long() if path == "/long" else [b"hello ", b"there"]

    def _long(self) -> Iterator[bytes]:
        try:
            while True:
                self.pieces += 1
                yield b"x" * 70_000
        finally:
            self.closed.set()


@contextmanager
def serving(app: App, threads: int = 2) -> Iterator[int]:
    port = free_port()
    site = bridge.Bridge(app, threads=threads, max_body=LIMIT)
    config = uvicorn.Config(
        site, port=port, http=web.Patient, lifespan="off", ws="none", log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        end = time.monotonic() + SOON_S
        while not server.started:
            assert time.monotonic() < end
            time.sleep(0.02)
        yield port
    finally:
        app.release.set()
        server.should_exit = True
        thread.join(SOON_S)
        site.close()


def ask(port: int, raw: bytes) -> bytes:
    """Send bytes as they are, read until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as s:
        s.sendall(raw)
        got = b""
        while part := s.recv(65536):
            got += part
        return got


def get(port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    talk = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S)
    try:
        talk.request(method, path, body=body, headers=headers)
        answer = talk.getresponse()
        return answer.status, answer.read()
    finally:
        talk.close()


def test_a_request_arrives_as_wsgi_wants_it():
    app = App()
    with serving(app) as port:
        raw = (
            b"POST /%E6%9C%8D%E5%8A%A1?q=%E4%BA%91&a=1 HTTP/1.1\r\nHost: example:1\r\nContent-Type: text/x\r\nX-One: 1\r\n"
            b"X-One: 2\r\nX_Forwarded_For: 6.6.6.6\r\nCookie: a=1\r\nCookie: b=2\r\nContent-Length: 4\r\n"
            b"Connection: close\r\n\r\nbody"
        )
        answer = ask(port, raw)
    (environ,) = app.seen
    assert environ["PATH_INFO"].encode("latin1").decode() == "/服务"
    assert environ["QUERY_STRING"] == "q=%E4%BA%91&a=1"
    assert environ["CONTENT_LENGTH"] == "4"
    assert environ["CONTENT_TYPE"] == "text/x"
    assert environ["HTTP_X_ONE"] == "1,2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert "HTTP_X_FORWARDED_FOR" not in environ, "an underscore is not taken for a dash"
    assert app.bodies == [b"body"]
    assert answer.lower().count(b"set-cookie:") == 2
    assert b"hello there" in answer


def test_a_long_body_comes_in_whole_and_a_longer_one_not_at_all():
    app = App()
    with serving(app) as port:
        body = b"0123456789" * (LIMIT // 10)
        assert get(port, "/", "POST", body)[0] == 200
        assert app.bodies == [body]
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode()
        assert ask(port, head).startswith(b"HTTP/1.1 413 ")
        chunk = b"10000\r\n" + b"y" * 65536 + b"\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            with pytest.raises(OSError):  # noqa: PT011 - cut off somewhere behind the limit
                for _ in range(LIMIT // 65536 + 500):
                    s.sendall(chunk)
    assert len(app.bodies) == 1


def test_a_body_that_ends_too_early_reaches_no_view():
    app = App()
    with serving(app) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as s:
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert get(port, "/")[0] == 200
    assert app.bodies == [b""]


def test_slow_senders_take_no_thread(monkeypatch):
    """More of them than threads: pages are answered meanwhile, and they are cut off in the end."""
    monkeypatch.setattr(bridge, "BODY_S", 1.5)
    monkeypatch.setattr(web, "HEAD_S", 1.5)
    app = App()
    with serving(app) as port:
        slow = [socket.create_connection(("127.0.0.1", port), timeout=SOON_S) for _ in range(6)]
        for i, s in enumerate(slow):
            s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx" if i % 2 else b"GET / HTTP/1.1\r\nHo")
        assert get(port, "/")[0] == 200
        ends = [s.recv(100) for s in slow]
        for s in slow:
            s.close()
    assert all(end.startswith(b"HTTP/1.1 408 ") for end in ends[1::2])
    assert ends[::2] == [b""] * 3
    assert app.bodies == [b""]


def test_a_connection_that_says_nothing_and_one_that_only_sends_empty_lines_are_closed(monkeypatch):
    monkeypatch.setattr(web, "HEAD_S", 0.5)
    with serving(App()) as port:
        assert ask(port, b"") == b""
        with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while b"hello there" not in got:
                got += s.recv(65536)
            s.sendall(b"\r\n")  # takes uvicorn's own timer away
            s.settimeout(SOON_S)
            rest = b""
            while part := s.recv(65536):
                rest += part


def test_a_head_without_end_is_refused():
    app = App()
    with serving(app) as port:
        answer = ask(port, b"GET / HTTP/1.1\r\nX: " + b"y" * (web.HEAD_BYTES + 1))
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert app.seen == []


def test_a_long_answer_is_no_longer_made_when_nobody_reads_it():
    app = App()
    with serving(app) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as s:
            s.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(1000)
        assert app.closed.wait(SOON_S)
        made = app.pieces
        assert get(port, "/")[0] == 200
    assert app.pieces == made


def test_an_application_that_breaks_is_an_error_and_the_next_request_is_answered():
    with serving(App()) as port:
        assert get(port, "/broken")[0] == 500
        assert get(port, "/") == (200, b"hello there")
        assert get(port, "/", "HEAD") == (200, b"")


def test_a_request_under_way_is_answered_although_the_server_is_to_stop():
    app = App()
    said: list[tuple[int, bytes]] = []
    with serving(app) as port:
        asking = threading.Thread(target=lambda: said.append(get(port, "/wait")))
        asking.start()
        end = time.monotonic() + SOON_S
        while not app.seen:
            assert time.monotonic() < end
            time.sleep(0.01)
    asking.join(SOON_S)
    assert said == [(200, b"hello there")]


def test_a_question_of_the_servers_own_has_no_body_and_its_own_marks():
    app = App()
    made = bridge.Bridge(app, threads=1, max_body=LIMIT)
    scope = {
        "type": "http", "method": "GET", "path": "/events", "query_string": b"", "http_version": "1.1",
        "headers": [(b"cookie", b"s=1")],
    }  # fmt: skip
    answer = asyncio.run(made.ask(scope, {"HTTP_YW_LIVE": "1"}))
    made.close()
    assert (answer.status, answer.body) == (200, b"hello there")
    assert answer.header("Content-Type") == "text/plain"
    assert app.seen[0]["HTTP_YW_LIVE"] == "1"
    assert app.seen[0]["HTTP_COOKIE"] == "s=1"
    assert isinstance(app.seen[0]["wsgi.input"], io.BytesIO)


def test_a_long_answer_that_nobody_takes_gives_its_thread_back(monkeypatch):
    monkeypatch.setattr(bridge, "PIECE_S", 0.5)
    app = App()
    with serving(app, threads=1) as port, socket.create_connection(("127.0.0.1", port), timeout=SOON_S) as s:
        s.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        assert app.closed.wait(SOON_S), "it is still connected and reads nothing"
        assert get(port, "/")[0] == 200
