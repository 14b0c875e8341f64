"""The lock session, lost while the engine waits for a database that does not answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import psycopg
import pytest
from django.db import connection

from yunwei.runs.takeover import Takeover, lock_key
from yunwei.server.instance import postgres_url

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("postgres" not in os.environ.get("YUNWEI_TEST_DATABASE", ""), reason="locks of PostgreSQL"),
]


class Waiting:
    """An engine that waits for its database, as it does for minutes while that is away."""

    executor_id = "one-1-abcd"

    def __init__(self) -> None:
        self.asked, self.free = threading.Event(), threading.Event()

    def pending(self) -> dict[str, list[tuple[str, str]]]:
        self.asked.set()
        self.free.wait(30)
        return {}

    def resume(self, workflow_ids: Sequence[str], queue: str) -> None:
        raise AssertionError((workflow_ids, queue))


def test_a_lost_session_is_noticed_while_the_engine_waits() -> None:
    engine, lost = Waiting(), threading.Event()
    url = postgres_url(connection.settings_dict)
    takeover = Takeover(url, engine, lost.set, period=0.05)
    takeover.start()
    try:
        assert engine.asked.wait(10)
        assert not lost.wait(0.3)
        with psycopg.connect(url, autocommit=True) as other:
            key = lock_key(engine.executor_id)
            found = other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
                " AND (classid::bigint << 32 | objid::bigint) = %s",
                [key],
            ).fetchall()
            assert found == [(True,)]
        assert lost.wait(10)
    finally:
        engine.free.set()
        takeover.stop()


def test_who_stops_by_itself_has_lost_nothing() -> None:
    engine, lost = Waiting(), threading.Event()
    engine.free.set()
    takeover = Takeover(postgres_url(connection.settings_dict), engine, lost.set, period=0.05)
    takeover.start()
    assert engine.asked.wait(10)
    takeover.stop()
    assert not lost.wait(0.3)
