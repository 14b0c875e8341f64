"""Many reads of one moment, which hold up no writer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

BEGIN = {"sqlite": "BEGIN DEFERRED", "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


@contextmanager
def one_moment() -> Iterator[None]:
    """What is read inside is the database at the first of its reads, whatever others commit meanwhile; nothing may be written.

    Not `transaction.atomic`: that takes SQLite's write lock (settings: IMMEDIATE), and on PostgreSQL every statement of it sees
    another moment. Inside a transaction of the caller this does nothing.
    """
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(BEGIN[connection.vendor])
    try:
        yield
    finally:
        if connection.connection is not None:  # lost meanwhile: then its transaction is gone too
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
