"""Workflows are enqueued as the engine would enqueue them, by a statement that is not compiled anew."""

from __future__ import annotations

import os
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOSClient

from yunwei.runs import enqueueing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.engine]
SCHEMA = "dbos." if "postgres" in os.environ.get("YUNWEI_TEST_DATABASE", "") else ""
#: more than the engine puts into one statement
MANY = 501


def enqueue(client: DBOSClient, *ids: str, inputs: str = "甲") -> set[str]:
    """The workflows that were not known before."""
    options: Any = {"workflow_name": "w", "queue_name": "q", "app_version": "1"}
    return client._sys_db.init_workflows(
        [client._build_enqueue_status(options | {"workflow_id": one}, inputs)[1] for one in ids]
    )


def kept(client: DBOSClient, prefix: str) -> list[list[Any]]:
    """All columns of those workflows and of their inputs, without their ids and the moment."""
    with client._sys_db.engine.connect() as c:
        found = []
        for table in ("workflow_status", "workflow_input"):
            rows = c.execute(
                sa.text(f"SELECT * FROM {SCHEMA}{table} WHERE workflow_uuid LIKE '{prefix}%' ORDER BY workflow_uuid")
            )
            moving = {"workflow_uuid", "created_at", "updated_at", "retention_timestamp"}
            found.append([[(k, v if k not in moving else bool(v)) for k, v in row.items()] for row in rows.mappings()])
        return found


def test_what_is_enqueued_is_what_the_engine_would_enqueue(client: DBOSClient):
    shipped = [f"s{n:04}" for n in range(MANY)]
    assert enqueue(client, *shipped) == set(shipped)
    enqueueing.stand_before(client._sys_db)
    ours = [f"o{n:04}" for n in range(MANY)]
    assert enqueue(client, *ours) == set(ours)
    assert kept(client, "o") == kept(client, "s")
    assert list(map(len, kept(client, "o"))) == [MANY, MANY]


def test_what_is_known_stays_as_it_is(client: DBOSClient):
    enqueueing.stand_before(client._sys_db)
    enqueue(client, "a", "b")
    before = kept(client, "")
    assert enqueue(client, "b", "a", inputs="乙") == set()
    assert kept(client, "") == before
    assert enqueue(client, "a", "c", inputs="乙") == {"c"}
    assert kept(client, "a") == [table[:1] for table in before]


def test_a_statement_is_compiled_once_however_many_rows_it_takes(client: DBOSClient):
    enqueueing.stand_before(client._sys_db)
    enqueue(client, "one")
    statements = list[str]()

    @sa.event.listens_for(client._sys_db.engine, "before_execute")
    def _note(_c: Any, statement: Any, multi: Any, params: Any, _options: Any) -> None:
        statements.append(f"{bool(statement._multi_values)} {len(multi or [params])}")

    enqueue(client, *"xyz")
    assert statements == ["False 3", "False 3"]
