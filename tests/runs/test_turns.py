"""Writers of one process wait for each other in the process on SQLite, and do not on PostgreSQL, which queues them itself."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from yunwei.runs.turns import turn

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_writes_while_the_others_wait_on_sqlite_alone():
    inside: list[str] = []
    first_is_in, may_leave = threading.Event(), threading.Event()

    def first() -> None:
        with turn():
            first_is_in.set()
            may_leave.wait(30)
            inside.append("first")

    def second() -> None:
        with turn():
            inside.append("second")

    threads = [threading.Thread(target=work, daemon=True) for work in (first, second)]
    threads[0].start()
    assert first_is_in.wait(30)
    threads[1].start()
    waits = connection.vendor == "sqlite"
    threads[1].join(0.2 if waits else 30)
    assert inside == ([] if waits else ["second"])  # on SQLite the second one has not come in
    may_leave.set()
    for thread in threads:
        thread.join(30)
    assert inside == (["first", "second"] if waits else ["second", "first"])


def test_who_is_in_a_transaction_already_waits_for_nobody():
    with turn(), transaction.atomic(), turn():
        pass
