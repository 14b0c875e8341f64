"""A house that cannot be seen is not shown as quiet: streams end, new ones are refused, and all comes back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.server.live_kit import SOON_S
from yunwei.server import watching
from yunwei.server.bridge import Answer
from yunwei.server.streams import Streams
from yunwei.ui import live


class Talk:
    """One client of `Streams`, played without a socket."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.over, self.more = asyncio.Event(), asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))
        self.more.set()

    async def until(self, text: str) -> None:
        async with asyncio.timeout(SOON_S):
            while text not in self.text:
                self.more.clear()
                await self.more.wait()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def text(self) -> str:
        return b"".join(m.get("body", b"") for m in self.sent[1:]).decode()


async def yes(_scope: Any, _extra: dict[str, str]) -> Answer:
    return Answer(204, [(b"yw-scope", b"ids"), (b"yw-who", b"7")])


SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/events"}


async def test_streams_end_while_nobody_sees_and_open_again_after():
    streams = Streams(yes, cap=5)
    first, second, third = Talk(), Talk(), Talk()
    open_ = asyncio.create_task(streams(SCOPE, first.receive, first.send))
    await first.until("hello")
    streams.sees(False)
    await asyncio.wait_for(open_, SOON_S)
    assert first.sent[-1] == {"type": "http.response.body", "body": b""}
    await streams(SCOPE, second.receive, second.send)
    assert second.status == 503
    streams.sees(True)
    open_ = asyncio.create_task(streams(SCOPE, third.receive, third.send))
    await third.until("hello")
    streams.publish({"desk"})
    await third.until("desk")
    third.over.set()
    await asyncio.wait_for(open_, SOON_S)


async def test_an_application_that_does_not_answer_opens_nothing(monkeypatch):
    monkeypatch.setattr("yunwei.server.streams.PATIENCE_S", 0.05)

    async def silent(_scope: Any, _extra: dict[str, str]) -> Answer:
        await asyncio.sleep(SOON_S)
        raise AssertionError

    talk = Talk()
    await Streams(silent, cap=5)(SCOPE, talk.receive, talk.send)
    assert talk.status == 503


def test_a_watcher_that_fails_says_so_and_goes_on_where_it_was(monkeypatch):
    """What changed while it could not look is told afterwards."""
    said: list[Any] = []
    enough = threading.Event()
    looks: list[live.Position] = []

    def look(since: live.Position) -> tuple[set[str], live.Position]:
        looks.append(since)
        if len(looks) == 2:
            raise ConnectionError("the database is away")
        return {f"t{len(looks)}"}, live.Position(seq=len(looks))

    def tell(topics: set[str]) -> None:
        said.append(topics)
        if len(looks) >= 3:
            enough.set()

    monkeypatch.setattr(live, "look", look)
    monkeypatch.setattr(live, "position", lambda: live.Position(seq=0))
    monkeypatch.setattr(watching, "_sqlite", lambda: iter([True] * 100))
    monkeypatch.setattr(watching, "_postgres", lambda: iter([True] * 100))
    monkeypatch.setattr(watching, "connection", type("Closed", (), {"vendor": "sqlite", "close": lambda self: None})())
    monkeypatch.setattr(watching, "AGAIN_S", 0.01)
    monkeypatch.setattr(watching, "STEP_S", 0.01)
    watcher = watching.Watcher(tell, said.append)
    watcher.start()
    assert enough.wait(SOON_S)
    watcher.stop()
    watcher.join(SOON_S)
    assert not watcher.is_alive()
    assert said[:5] == [True, {"t1"}, False, True, {"t3"}]
    assert [p.seq for p in looks[:3]] == [0, 1, 1]


@pytest.mark.parametrize("topics", [{"desk:1", "desk:2", "runs"}])
def test_without_ids_only_rooms_are_left(topics):
    assert live.without_ids(topics) == {"desk", "runs"}
