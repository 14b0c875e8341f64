"""Every single byte of sampled rows in the tables of the ledger, as a bad disk or a hand with SQL changes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from chaos.evidence.every_byte import changed
from chaos.evidence.world import Told, World


class Field(NamedTuple):
    """A column: texts are changed byte by byte and so are blobs; a number becomes its neighbours."""

    table: str
    key: str
    column: str
    kind: str  # "text", "blob", "number"


FIELDS = (
    *(Field("ledger_intake", "id", c, "text") for c in ("kind", "subject", "actor", "at", "clauses")),
    Field("ledger_intake", "id", "body", "blob"),
    Field("ledger_entry", "seq", "leaf", "blob"),
    Field("ledger_entry", "seq", "seq", "number"),
    Field("ledger_entry", "seq", "intake_id", "number"),
    *(Field("ledger_head", "number", c, "text") for c in ("prev", "at", "key_id", "hash")),
    *(Field("ledger_head", "number", c, "blob") for c in ("body", "signature", "root")),
    *(Field("ledger_head", "number", c, "number") for c in ("number", "size")),
    *(Field("ledger_artifact", "id", c, "text") for c in ("commitment", "media_type", "content_hash")),
    Field("ledger_artifact", "id", "salt", "blob"),
    Field("ledger_artifact", "id", "size", "number"),
)


def of_rows(world: World, *, rows: int, step: int = 1) -> Told:
    """Every byte of every column of so many records, of the head over each, and of an artifact each."""
    from django.db import connection, transaction

    told = Told("every byte of rows in the database")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.execute("PRAGMA ignore_check_constraints=ON")  # a bad disk asks no constraint
    for seq in sample(world, rows):
        for field, key in targets(seq):
            with transaction.atomic():
                _field(world, told, field, key, seq, step)
                transaction.set_rollback(True)
    connection.close()
    return told


def sample(world: World, rows: int) -> list[int]:
    """Some records, at least one of them with an artifact."""
    from yunwei.ledger.models import Entry

    named = sorted(set(Entry.objects.filter(intake__mentions__isnull=False).values_list("seq", flat=True)))
    chosen = {world.dice.choice(named)} if named else set()
    plain = list(range(1, world.size() + 1))
    while len(chosen) < min(rows, len(plain)):
        chosen.add(world.dice.choice(plain))
    return sorted(chosen)


def targets(seq: int) -> Iterator[tuple[Field, int]]:
    """The fields of a record with the row of each."""
    from yunwei.ledger.models import Entry, Head

    entry = Entry.objects.get(pk=seq)
    head = Head.objects.filter(size__gte=seq).order_by("number").values_list("number", flat=True)[0]
    artifact = entry.intake.mentions.order_by("id").values_list("artifact_id", flat=True).first()
    keys = {"ledger_intake": entry.intake_id, "ledger_entry": seq, "ledger_head": head, "ledger_artifact": artifact}
    for field in FIELDS:
        key = keys[field.table]
        if key is not None:
            yield field, key


def _field(world: World, told: Told, field: Field, key: int, seq: int, step: int) -> None:
    """One column of one row: each of its bytes, one at a time; whole again in between."""
    from django.db import connection, transaction

    table, name, column, kind = field
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT CAST({column} AS BLOB) FROM {table} WHERE {name} = %s", [key])  # noqa: S608 - our names
        data = bytes(cursor.fetchone()[0])
    shape = {"text": "CAST(%s AS TEXT)", "blob": "%s", "number": "%s"}[kind]
    first = world.dice.randrange(step)
    values: list[bytes | int] = [changed(data, at, world) for at in range(first, len(data), step)]
    if kind == "number":
        values = [int(data) + 1, int(data) - 1, -int(data), int(data) + (1 << 40)]
    for value in values:
        with transaction.atomic():  # a savepoint
            with connection.cursor() as cursor:
                if kind == "number":  # the neighbour may have the number that this row takes
                    cursor.execute(f"DELETE FROM {table} WHERE {column} = %s AND {name} != %s", [value, key])  # noqa: S608
                cursor.execute(f"UPDATE {table} SET {column} = {shape} WHERE {name} = %s", [value, key])  # noqa: S608
            if column == "clauses" and same_list(data, value):
                transaction.set_rollback(True)
                continue
            told.add(f"record {seq}: {table}.{column} of {key} = {value!r}", world.names(max(1, seq - 1), seq))
            transaction.set_rollback(True)


def same_list(before: bytes, after: bytes | int) -> bool:
    """Whether a column of JSON says the same: a tab for a space inside of it is no change."""
    try:
        return bool(json.loads(before) == json.loads(bytes(after)))
    except ValueError:
        return False
