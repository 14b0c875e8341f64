"""A run's row by hand is the ORM's; runs of one transaction are handed over together; connections are lent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections, transaction

from yunwei.runs import engine, lent, rows, services
from yunwei.runs import procedure as procedures
from yunwei.runs.models import Run, RunState
from yunwei.runs.procedure import Procedure, Step

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 25, 1, 0, 0, 123456, tzinfo=UTC)
GIVEN = {
    "procedure": "p", "scope": {"assets": ["甲", "b"]}, "terms": {"n": 1.5, "x": None}, "cause": {}, "submitted_at": NOW,
}  # fmt: skip


def test_a_row_by_hand_is_the_row_that_the_orm_would_write():
    assert rows.add(Run(id="by-hand", **GIVEN))
    Run.objects.create(id="by-orm", **GIVEN)
    hand, orm = (Run.objects.filter(pk=pk).values().get() for pk in ("by-hand", "by-orm"))
    assert {**hand, "id": ""} == {**orm, "id": ""}
    with connection.cursor() as cursor:  # and as the database keeps it
        cursor.execute("SELECT * FROM runs_run ORDER BY id")
        first, second = cursor.fetchall()
    assert first[1:] == second[1:]
    assert set(rows.COLUMNS) == {f.column for f in Run._meta.fields if not f.null}


def test_a_known_run_stays_as_it_is():
    rows.add(Run(id="r", **GIVEN))
    assert not rows.add(Run(id="r", **{**GIVEN, "procedure": "other"}))
    assert Run.objects.get().procedure == "p"


def test_a_run_goes_one_way():
    rows.add(Run(id="r", **GIVEN))
    later = NOW + timedelta(seconds=1)
    opened = rows.open_("r", later)
    assert opened is not None
    assert (opened.state, opened.started_at, opened.scope) == (RunState.RUNNING, later, GIVEN["scope"])
    assert rows.open_("r", later) is None
    ended = rows.close("r", RunState.FAILED, later, "坏了")
    assert ended is not None
    assert (ended.state, ended.ended_at, ended.error) == (RunState.FAILED, later, "坏了")
    for changed in (
        rows.open_("r", NOW),
        rows.close("r", RunState.DONE, NOW, ""),
        rows.close("none", RunState.DONE, NOW, ""),
    ):
        assert changed is None
    assert Run.objects.filter(state=RunState.FAILED, ended_at=later, error="坏了").exists()


class Engine:
    """Notes what it is handed, and knows nothing."""

    def __init__(self) -> None:
        self.handed: list[list[str]] = []

    def submit(self, run_ids: Sequence[str]) -> None:
        self.handed.append(list(run_ids))

    def known(self, run_ids: list[str]) -> dict[str, bool]:
        return {}

    def cancel(self, run_id: str) -> None:
        raise NotImplementedError


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    step = Procedure("p", "探", "p", "result", (Step("x", lambda ctx: None),))
    monkeypatch.setattr(procedures, "registry", lambda: {"p": step})
    made = Engine()
    engine.use(made)
    yield made
    engine.use(None)


def submit(run_id: str) -> None:
    services.submit(run_id, "p", {}, {}, {}, now=NOW)


def test_runs_of_one_transaction_are_handed_over_at_once_and_those_rolled_back_never(taken: Engine):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        submit("gone")
        1 / 0  # noqa: B018
    with transaction.atomic():
        submit("a")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            submit("gone-too")
            1 / 0  # noqa: B018
        submit("b")
        submit("a")
        assert taken.handed == []
    submit("c")
    assert taken.handed == [["a", "b"], ["c"]]


def test_what_is_being_handed_over_is_not_lost(taken: Engine):
    looked: list[int] = []
    look = threading.Thread(target=lambda: (looked.append(services.reconcile()), connection.close()))

    def slowly(run_ids: Sequence[str]) -> None:
        look.start()
        look.join(0.2)
        assert not looked  # the reconciler waits until the engine can know them
        taken.handed.append(list(run_ids))

    taken.submit = slowly  # type: ignore[method-assign]
    submit("a")
    taken.submit = lambda run_ids: None  # type: ignore[method-assign]
    look.join(30)
    assert looked
    assert taken.handed == [["a"]]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a worker, where a connection lives for a while."""
    monkeypatch.setitem(connections["default"].settings_dict, "CONN_MAX_AGE", 60)
    yield
    lent.sweep(0)


def used(broken: bool = False) -> object:
    """The driver's connection that a thread of its own is lent for one statement."""
    found: list[object] = []

    def work() -> None:
        with lent.lent():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            found.append(connection.connection)
            if broken:
                connection.errors_occurred = True
                connection.connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    return found[0]


def test_one_connection_goes_from_thread_to_thread_and_a_broken_one_does_not(kept: None):
    other = first = used()
    if connection.vendor == "postgresql":  # SQLite's does not break
        assert used(broken=True) is first
        other = used()
        assert other is not first
    assert used() is other
    assert lent.sweep(60) == 0
    assert lent.sweep(0) == 1
    assert used() is not other


def test_one_that_was_left_in_a_transaction_is_not_lent_again(kept: None):
    held: list[object] = []

    def work() -> None:
        with lent.lent():
            transaction.atomic().__enter__()
            held.append(connection.connection)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert used() is not held[0]


def test_without_an_age_none_is_kept():
    used()
    assert lent.sweep(0) == 0


def test_one_that_has_rested_is_asked_whether_it_lives(kept: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(connections["default"].settings_dict, "CONN_HEALTH_CHECKS", True)
    first = used()
    if connection.vendor == "postgresql":
        first.close()  # type: ignore[attr-defined]
        monkeypatch.setattr(lent, "ASK_S", 0.0)
        time.sleep(0.01)
        assert used() is not first


def test_a_run_goes_its_way_though_a_column_is_added_meanwhile():
    for n in range(8):  # more often than a statement is seen before its plan is kept
        rows.add(Run(id=f"r{n}", **GIVEN))
        rows.open_(f"r{n}", NOW)
    rows.add(Run(id="later", **GIVEN))
    upgrade = connection.copy()  # in its own session, which would forget its plans at this
    try:
        upgrade.cursor().execute("ALTER TABLE runs_run ADD COLUMN added_by_an_upgrade integer NULL")
        opened = rows.open_("later", NOW)
        assert opened is not None
        assert opened.state == RunState.RUNNING
        assert rows.close("later", RunState.DONE, NOW, "") is not None
    finally:
        upgrade.cursor().execute("ALTER TABLE runs_run DROP COLUMN added_by_an_upgrade")
        upgrade.close()
