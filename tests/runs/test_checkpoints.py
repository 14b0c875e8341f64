"""The engine's checkpoints in one statement: what is written is what the engine would write, and it decides all else."""

from __future__ import annotations

import os
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOSClient
from dbos._error import DBOSStepNondeterminismError, DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError
from django.db import connection

from yunwei.runs import checkpoints, dbos_engine
from yunwei.runs.checkpoints import Checkpoints

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.engine,
    pytest.mark.skipif(
        "postgres" not in os.environ.get("YUNWEI_TEST_DATABASE", ""), reason="the engine's own way is taken on SQLite"
    ),
]
OURS, SHIPPED = "w-ours", "w-shipped"


class Bench:
    """The engine's database with two workflows that `me` has claimed, and what of it asks the database."""

    def __init__(self, database: Any) -> None:
        self.database, self.asked = database, list[str]()
        self.ours = Checkpoints(database, lambda _workflow: "me")
        really = self.ours._one

        def one(statement: str, values: tuple[Any, ...]) -> Any:
            self.asked.append(statement.split(maxsplit=1)[0])
            return really(statement, values)

        self.ours._one = one  # type: ignore[method-assign]

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with self.database.engine.begin() as c:
            found = c.execute(sa.text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    def result(self, workflow: str, step: int = 1, **more: Any) -> dict[str, Any]:
        return {
            "workflow_uuid": workflow, "function_id": step, "function_name": "一", "output": '{"a": "甲"}', "error": None,
            "serialization": "yunwei_json", "started_at_epoch_ms": 1_700_000_000_123, "child_workflow_id": None, **more,
        }  # fmt: skip

    def rows(self, workflow: str) -> list[tuple[Any, ...]]:
        """A workflow's rows, without its id and the moment of the sweep's order."""
        columns = (
            "function_id, function_name, output, error, child_workflow_id, started_at_epoch_ms, completed_at_epoch_ms"
        )
        return self.sql(
            f"SELECT {columns}, serialization, application_name, retention_timestamp IS NOT NULL"
            f" FROM dbos.operation_outputs WHERE workflow_uuid = '{workflow}' ORDER BY 1"
        )


@pytest.fixture
def bench(client: DBOSClient) -> Bench:
    for workflow in (OURS, SHIPPED):
        client.enqueue({"workflow_name": "w", "queue_name": "q", "workflow_id": workflow})
    made = Bench(client._sys_db)
    made.sql("UPDATE dbos.workflow_status SET status = 'PENDING', owner_xid = 'me'")
    return made


@pytest.mark.parametrize("more", [{}, {"output": None, "error": '{"__error__": "坏了"}'}])
def test_a_row_is_as_the_engine_would_write_it(bench: Bench, more: dict[str, Any]):
    bench.ours.record(bench.result(OURS, **more), completed_at_epoch_ms=5)
    bench.database.record_operation_result(bench.result(SHIPPED, **more), completed_at_epoch_ms=5, owner_xid="me")
    assert bench.rows(OURS) == bench.rows(SHIPPED) != []
    assert bench.asked == ["INSERT"]


def test_who_does_not_own_the_workflow_any_more_writes_nothing(bench: Bench):
    bench.sql("UPDATE dbos.workflow_status SET owner_xid = 'another'")
    with pytest.raises(DBOSWorkflowConflictIDError):
        bench.ours.record(bench.result(OURS), owner_xid="me")
    bench.ours._shipped_record = lambda *_args, **_more: None
    bench.ours.record(bench.result(OURS))
    assert bench.rows(OURS) == []


def test_a_result_that_is_there_is_given_and_a_cancelled_workflow_stops(bench: Bench):
    assert bench.ours.check(OURS, 1, "一") is None
    bench.ours.record(bench.result(OURS))
    bench.ours._here.next = None
    found = bench.ours.check(OURS, 1, "一")
    assert found is not None
    assert found["output"] == '{"a": "甲"}'
    assert bench.ours.check(OURS, 2, "二") is None
    bench.sql("UPDATE dbos.workflow_status SET status = 'CANCELLED', owner_xid = NULL")
    with pytest.raises(DBOSWorkflowCancelledError):
        bench.ours.check(OURS, 2, "二")


def test_the_step_that_follows_at_once_is_not_asked_about_and_any_other_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    bench.ours.record(bench.result(OURS))
    for workflow, step, asks in ((OURS, 2, False), (OURS, 2, True), (SHIPPED, 2, True)):
        before = len(bench.asked)
        assert bench.ours.check(workflow, step, "二") is None
        assert (len(bench.asked) > before) is asks, (workflow, step)
    monkeypatch.setattr(checkpoints, "AT_ONCE_S", 0.0)
    bench.ours.record(bench.result(OURS, 2))
    before = len(bench.asked)
    bench.ours.check(OURS, 3, "三")
    assert len(bench.asked) == before + 1  # time has passed


def test_a_write_whose_answer_was_lost_is_known_and_another_is_refused(bench: Bench):
    bench.ours.record(bench.result(OURS), completed_at_epoch_ms=5)
    with pytest.raises(DBOSStepNondeterminismError):
        bench.ours.record(bench.result(OURS), completed_at_epoch_ms=6, owner_xid="me")
    really = bench.ours._shipped_record

    def as_in_the_workflow(result: Any, **more: Any) -> None:
        really(result, **{**more, "owner_xid": "me"})

    bench.ours._shipped_record = as_in_the_workflow
    bench.ours.record(bench.result(OURS), completed_at_epoch_ms=5)
    assert len(bench.rows(OURS)) == 1


def test_a_broken_connection_is_left_to_the_engine(bench: Bench):
    with bench.database.engine.connect() as c:
        c.exec_driver_sql("SELECT 1")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert bench.ours.check(OURS, 1, "一") is None
    assert bench.asked == ["SELECT"]


def test_a_server_that_lets_nobody_in_is_left_to_the_engine(bench: Bench):
    """A pool hands on the driver's own error when it cannot connect: a restart that ended runs as failed (`make chaos`)."""
    away = dbos_engine.database_engine("postgresql://nobody@127.0.0.1:1/nothing")
    bench.ours._engine = away
    assert bench.ours.check(OURS, 1, "一") is None
    bench.ours.record(bench.result(OURS), completed_at_epoch_ms=5, owner_xid="me")
    assert len(bench.rows(OURS)) == 1
    away.dispose()
