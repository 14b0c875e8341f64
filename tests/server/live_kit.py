"""A web process of its own on loopback, before the database the tests use (SQLite or PostgreSQL), and a reader of streams."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection
from django.test import Client

from yunwei.accounts.models import Account, Organisation, Role
from yunwei.kernel.children import end, leashed
from yunwei.server import instance

#: a change must be told within this time, however loaded the machine is
SOON_S = 60.0


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def database_url() -> str:
    """The URL of the database this test is connected to."""
    config = connection.settings_dict
    if connection.vendor == "postgresql":
        return instance.postgres_url(config)
    return f"sqlite:///{config['NAME']}"


def account(name: str, role: Role, party: str) -> Account:
    organisation, _made = Organisation.objects.get_or_create(code=party, defaults={"name": party, "party": party[0]})
    return Account.objects.create(
        username=name, display_name=name, role=role, organisation=organisation, password="correct horse battery"
    )


def cookie(one: Account) -> str:
    """The cookie of a session that was begun just now."""
    client = Client(headers={"user-agent": "tests"})
    client.force_login(one)
    return "; ".join(f"{m.key}={m.value}" for m in client.cookies.values())


class Web:
    """A running web process."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self.folder, self.process, self.port = folder, process, port
        self.streams: list[Stream] = []

    def log(self) -> str:
        return (self.folder / "web.log").read_text()

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """One request; the answer is read whole."""
        talk = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SOON_S)
        talk.request("GET", path, headers=headers)
        answer = talk.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        talk.close()
        return answer

    def listen(self, session: str) -> Stream:
        self.streams.append(Stream(self.port, session))
        return self.streams[-1]

    def forget(self) -> None:
        """Close what was listened to."""
        while self.streams:
            self.streams.pop().close()


class Stream:
    """An open `/events`."""

    def __init__(self, port: int, session: str) -> None:
        self._talk = http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S)
        self._talk.request("GET", "/events", headers={"Cookie": session, "Accept": "text/event-stream"})
        self.answer = self._talk.getresponse()
        self.raw = b""

    def next(self) -> tuple[str, dict[str, Any]] | None:
        """The next event, or None at the end of the stream. Raises TimeoutError when nothing comes."""
        name, data = "", None
        while line := self.answer.readline():
            self.raw += line
            text = line.decode().rstrip("\n")
            key, _sep, value = text.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data = json.loads(value)
            elif not text and data is not None:
                return name, data
        return None

    def until(self, topic: str) -> set[str]:
        """All topics up to the event that has this one. Raises AssertionError when the stream ends or time is over."""
        end, seen = time.monotonic() + SOON_S, set[str]()
        while time.monotonic() < end:
            event = self.next()
            assert event is not None, f"the stream ended; {seen}"
            seen |= set(event[1].get("topics", ()))
            if topic in seen:
                return seen
        raise AssertionError(f"no {topic} in {SOON_S} s; {seen}")

    def rest(self) -> list[str]:
        """The names of all events until the stream ends. Raises AssertionError when it does not end."""
        end, names = time.monotonic() + SOON_S, []
        while (event := self.next()) is not None:
            assert time.monotonic() < end, f"the stream goes on: {names}"
            names.append(event[0])
        return names

    def close(self) -> None:
        self.answer.close()
        self._talk.close()


def wait(condition: Any, what: str) -> None:
    end = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.05)


@contextmanager
def web(folder: Path, port: int = 0, **settings: Any) -> Iterator[Web]:
    """Start a web process on a folder of its own and end it."""
    port = port or free_port()
    folder.mkdir(exist_ok=True)
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / "web.key").write_text("tests")  # tests/settings.py: sessions are signed with it
    lines = [f'database_url = "{database_url()}"', "[web]", f"port = {port}", 'hosts = ["127.0.0.1"]']
    lines += [f"{key} = {str(value).lower()}" for key, value in settings.items()]
    (folder / "yunwei.toml").write_text("\n".join(lines) + "\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO", "DATABASE_URL"))}
    env["YUNWEI_INSTANCE"] = str(folder)
    with (folder / "web.log").open("wb") as log:
        # a test run that is killed leaves nothing behind
        command = leashed([sys.executable, "-m", "yunwei.server.web"])
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        running = Web(folder, process, port)
        try:
            wait(lambda: process.poll() is not None or "running on" in running.log(), "the web process")
            assert process.poll() is None, running.log()
            yield running
        finally:
            running.forget()
            end(process)
