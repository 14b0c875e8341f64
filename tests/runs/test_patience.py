"""A database that is away and a disk that is full: a step is done again, the engine waits, a run does not hang."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from dbos._utils import retriable_sqlite_exception
from django.db import OperationalError, connections

from yunwei.ledger.errors import LedgerError
from yunwei.runs import dbos_engine, engine, patience, services
from yunwei.runs.models import Run, RunState
from yunwei.runs.patience import patient

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited, without waiting; the test's own connection stays."""
    told: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", told.append)
    monkeypatch.setattr(connections, "close_all", lambda: None)
    return told


class Flaky:
    """Fails so many times, then works."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error = times, error

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


def full() -> LedgerError:
    error = LedgerError("证据文件写入失败")
    error.__cause__ = OSError(28, "No space left on device")
    return error


AWAY = sa.exc.OperationalError("INSERT", {}, RuntimeError("terminating connection"))


@pytest.mark.parametrize("error", [OperationalError("terminating connection"), AWAY, full()])
def test_a_step_is_done_again_while_database_or_disk_fails(error: Exception, waited: list[float]) -> None:
    assert patient(Flaky(3, error).__call__)() == "done"
    assert waited == list(patience.WAITS[:3])


def test_it_fails_in_the_end(waited: list[float]) -> None:
    with pytest.raises(OperationalError):
        patient(Flaky(99, OperationalError("disk is full")).__call__)()
    assert sum(waited) == sum(patience.WAITS) > 30


def test_what_a_step_itself_refuses_is_not_tried_again(waited: list[float]) -> None:
    with pytest.raises(services.RunError):
        patient(Flaky(1, services.RunError("设备拒绝")).__call__)()
    assert waited == []


@pytest.mark.django_db
def test_inside_of_a_transaction_nothing_is_tried_again(waited: list[float]) -> None:
    from django.db import transaction

    with pytest.raises(OperationalError), transaction.atomic():
        patient(Flaky(1, OperationalError("x")).__call__)()
    assert waited == []


def test_the_engine_waits_for_room_as_for_a_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'engine.sqlite3'}"
    made = dbos_engine.database_engine(url)
    with made.begin() as c:
        c.execute(sa.text("CREATE TABLE t (x BLOB)"))
        c.execute(sa.text("PRAGMA max_page_count = 4"))
    with pytest.raises(sa.exc.OperationalError, match="disk is full") as caught, made.begin() as c:
        c.execute(sa.text("PRAGMA max_page_count = 4"))
        c.execute(sa.text("INSERT INTO t VALUES (zeroblob(100000))"))
    assert retriable_sqlite_exception(caught.value)
    with pytest.raises(sa.exc.OperationalError) as caught, made.begin() as c:
        c.execute(sa.text("SELECT nothing FROM nowhere"))
    assert not retriable_sqlite_exception(caught.value)
    assert isinstance(caught.value.orig, sqlite3.OperationalError)
    made.dispose()


class Engine:
    """An engine that knows what it is told to know."""

    def __init__(self, known: dict[str, bool]) -> None:
        self._known, self.submitted = known, list[str]()

    def submit(self, run_ids: Sequence[str]) -> None:
        self.submitted.extend(run_ids)

    def known(self, run_ids: list[str]) -> dict[str, bool]:
        return {run_id: self._known[run_id] for run_id in run_ids if run_id in self._known}

    def cancel(self, run_id: str) -> None:
        raise NotImplementedError


@pytest.mark.django_db
def test_a_run_that_the_engine_has_put_down_ends_as_failed_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "_observers", [])
    for name in ("gone", "under-way", "unknown"):
        Run.objects.create(id=name, procedure="hardware.inspect", scope={}, terms={}, cause={}, submitted_at=NOW)
    double = Engine({"gone": True, "under-way": False})
    engine.use(double)
    try:
        assert services.reconcile(NOW) == 1
    finally:
        engine.use(None)
    states = dict(Run.objects.values_list("id", "state"))
    assert states == {"gone": RunState.FAILED, "under-way": RunState.SUBMITTED, "unknown": RunState.SUBMITTED}
    assert Run.objects.get(pk="gone").error == services.PUT_DOWN
    assert double.submitted == ["unknown"]
