"""The engine's own database, alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbos import DBOSClient
from django.db import connection

from yunwei.runs import dbos_engine
from yunwei.server.instance import postgres_url

ON_POSTGRES = "postgres" in os.environ.get("YUNWEI_TEST_DATABASE", "")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[DBOSClient]:
    """A client of a new database of the engine, everything as shipped."""
    url = f"sqlite:///{tmp_path / 'engine.sqlite3'}"
    if ON_POSTGRES:
        url = postgres_url(connection.settings_dict)
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS dbos CASCADE")
    dbos_engine.migrate(url)
    engine = dbos_engine.database_engine(url)
    made = DBOSClient(
        system_database_url=url, system_database_engine=engine, serializer=dbos_engine.JsonSerializer(),
        application_name=dbos_engine.APPLICATION,
    )  # fmt: skip
    yield made
    made.destroy()
    engine.dispose()
    connection.close()
