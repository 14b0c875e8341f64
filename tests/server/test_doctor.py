"""`yunwei doctor` sees what stops an instance that otherwise looks well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from yunwei.server import doctor

pytestmark = pytest.mark.django_db


@contextmanager
def read_only() -> Iterator[None]:
    """The database as a standby or a file without rights gives it: it can be read."""
    with transaction.atomic(), connection.cursor() as cursor:
        lite = connection.vendor == "sqlite"
        cursor.execute("PRAGMA query_only = ON" if lite else "SET TRANSACTION READ ONLY")
        try:
            yield
        finally:
            if lite:
                cursor.execute("PRAGMA query_only = OFF")
            transaction.set_rollback(True)


def test_a_database_that_takes_nothing_in_is_a_fault(tmp_path: Path) -> None:
    with read_only():
        found = list(doctor._database(tmp_path))
    assert [one["state"] for one in found] == ["ok", "fault"]
    assert "不能写入" in found[1]["found"]
    assert "只读" in found[1]["hint"]


def test_one_that_can_be_written_is_not(tmp_path: Path) -> None:
    assert [one["state"] for one in doctor._database(tmp_path)] == ["ok"]
