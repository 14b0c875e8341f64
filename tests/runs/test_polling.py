"""The engine's looks at its queues: nothing is claimed that does not wait, and whatever waits is found."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOSClient

from yunwei.runs import polling
from yunwei.runs.polling import Polling

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engine]
ON_POSTGRES = "postgres" in os.environ.get("YUNWEI_TEST_DATABASE", "")


def sql(database: Any, statement: str) -> list[tuple[Any, ...]]:
    with database.engine.begin() as c:
        found = c.execute(sa.text(statement))
        return [tuple(row) for row in found] if found.returns_rows else []


def test_a_queue_is_looked_at_only_while_something_waits_in_it(client: DBOSClient):
    database = client._sys_db
    ours = Polling(database)
    assert ours.scopes("q") == []
    client.enqueue({"workflow_name": "w", "queue_name": "q", "workflow_id": "one"})
    assert ours.scopes("q") == database.dequeue_scopes("q") == [None]
    assert ours.scopes("another") == []
    table = "dbos.workflow_status" if ON_POSTGRES else "workflow_status"
    sql(database, f"UPDATE {table} SET status = 'PENDING'")  # taken by somebody
    assert ours.scopes("q") == []
    sql(database, f"UPDATE {table} SET status = 'ENQUEUED'")  # put back by a takeover
    assert ours.scopes("q") == [None]


@pytest.mark.skipif(ON_POSTGRES, reason="PostgreSQL reads an empty table without any index")
def test_the_index_of_what_waits_answers(client: DBOSClient):
    plan = sql(client._sys_db, "EXPLAIN QUERY PLAN " + polling.WAITS_LITE.replace("?", "'q'"))
    assert "idx_workflow_status_in_flight" in str(plan)


def test_when_it_cannot_be_asked_the_engine_looks_as_shipped(client: DBOSClient):
    ours = Polling(client._sys_db)
    ours._waits = "SELECT 1 FROM nowhere WHERE x = ?" if not ON_POSTGRES else "SELECT 1 FROM nowhere WHERE x = %s"
    assert ours.scopes("q") == [None]
    assert ours.scopes("q") == [None]  # the connection was not given back broken


def test_a_queues_row_is_read_once_in_a_while(client: DBOSClient, monkeypatch: pytest.MonkeyPatch):
    now, read = 100.0, list[str]()
    monkeypatch.setattr(polling, "time", SimpleNamespace(monotonic=lambda: now))
    database = client._sys_db
    monkeypatch.setattr(database, "get_queue", lambda name: read.append(name) or f"queue {name} {len(read)}")
    ours = Polling(database)
    assert [ours.queue("a"), ours.queue("a"), ours.queue("b")] == ["queue a 1", "queue a 1", "queue b 2"]
    now += polling.QUEUE_S + 1
    assert ours.queue("a") == "queue a 3"
    assert read == ["a", "b", "a"]
