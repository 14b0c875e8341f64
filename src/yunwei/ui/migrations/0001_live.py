"""On PostgreSQL the database itself says that something changed, in the transaction that changes it (ADR 9).

A trigger, and not a call in the services: it cannot be forgotten, bulk statements have it too, and a rollback takes it
back. The notice is empty; who hears it looks (ui/live.py), as on SQLite, where the file's data_version is watched.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

TABLES = (
    ("ledger_intake", "INSERT"),
    ("ledger_head", "INSERT"),
    ("ledger_headpush", "INSERT"),
    ("runs_run", "INSERT OR UPDATE"),
)


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute(
        "CREATE OR REPLACE FUNCTION yunwei_changed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('yunwei', ''); RETURN NULL; END $$"
    )
    for table, events in TABLES:
        schema_editor.execute(
            f"CREATE TRIGGER yunwei_changed AFTER {events} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION yunwei_changed()"
        )


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, _events in TABLES:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS yunwei_changed ON {table}")
    schema_editor.execute("DROP FUNCTION IF EXISTS yunwei_changed()")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("runs", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
