"""The process that the ledger rows measure: one instance of the product, and beside it a bare table for the raw insert.

`python -m bench.ledger_work FOLDER` answers one line of JSON for each word on its standard input:
`ours`, `raw`: so many commits of 100 records, what they cost and a digest of every row as it can be read back;
`fill N EACH`: N records with a signed head after every EACH, for an export; `end`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

A_COMMIT, COMMITS = 100, 10
AT = datetime.now(UTC)  # not before the instance's first head: a clock set back is an entry of its own
DATA = {
    "run": "hardware.inspect:S1.1-remote:2026-11-26:1", "state": "judged", "asked": 60, "reached": 58, "failed": 2,
    "unproven": ["SW-NET-03", "SRV-D-07"], "detail": "两台未能证明：身份已变、没有应答",
}  # fmt: skip
COLUMNS = "kind, subject, actor, at, clauses, body"


class Ours:
    """Records as every room takes them in, then the sequencer, whose group commit takes all that waits."""

    def __init__(self) -> None:
        self.done = 0

    def write(self, count: int = A_COMMIT * COMMITS) -> None:
        """`count` records, 100 a commit, all numbered, hashed and signed for when this returns."""
        from django.db import transaction

        from yunwei.ledger import services

        for start in range(self.done, self.done + count, A_COMMIT):
            with transaction.atomic():
                for i in range(start, min(start + A_COMMIT, self.done + count)):
                    services.record(
                        "inspect.run.judged", f"run:{i}", DATA, at=AT, actor="system:worker", clauses=("2.1-S",)
                    )
        services.sequence(AT)
        self.done += count

    def rows(self, count: int) -> list[tuple[Any, ...]]:
        """The newest rows, with the leaf hash of each."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {COLUMNS}, leaf FROM ledger_intake JOIN ledger_entry ON intake_id = id ORDER BY id DESC LIMIT %s",  # noqa: S608
                [count],
            )
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found[::-1]


class Raw:
    """The same rows into the same tables by `executemany`, with the SM3 of each body: the least that keeps them."""

    def __init__(self, path: Path, schema: list[str]) -> None:
        from yunwei.gm import sm3

        self.digest = sm3.digest
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        for statement in schema:
            self.db.execute(statement)
        self.done = 0

    def write(self, rows: list[tuple[Any, ...]]) -> None:
        """These rows, 100 a commit."""
        for start in range(0, len(rows), A_COMMIT):
            some = [(self.done + i, *row[:6]) for i, row in enumerate(rows[start : start + A_COMMIT], 1)]
            self.db.execute("BEGIN IMMEDIATE")
            self.db.executemany(f"INSERT INTO ledger_intake (id, {COLUMNS}) VALUES (?,?,?,?,?,?,?)", some)  # noqa: S608
            leaves = [(row[0], row[0], self.digest(b"\x00" + row[6])) for row in some]
            self.db.executemany("INSERT INTO ledger_entry (seq, intake_id, leaf) VALUES (?,?,?)", leaves)
            self.db.execute("COMMIT")
            self.done += len(some)

    def rows(self, count: int) -> list[tuple[Any, ...]]:
        """The newest rows, with the leaf hash of each."""
        sql = f"SELECT {COLUMNS}, leaf FROM ledger_intake JOIN ledger_entry ON intake_id = id ORDER BY id DESC LIMIT ?"  # noqa: S608
        return self.db.execute(sql, (count,)).fetchall()[::-1]


def digests(rows: list[tuple[Any, ...]]) -> list[str]:
    """One text a row: subject, body and leaf as they were read back."""
    return [f"{row[1]} {bytes(row[5]).decode()} {bytes(row[6]).hex()}" for row in rows]


def measured(work: Callable[[], None], read: Callable[[], list[tuple[Any, ...]]]) -> dict[str, Any]:
    """What the work cost, and what can be read afterwards."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return {**told, "rows": digests(read())}


def answers(folder: Path, words: Iterator[list[str]]) -> Iterator[dict[str, Any]]:
    """One answer a word."""
    os.environ["YUNWEI_INSTANCE"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "yunwei.server.settings"
    import django

    django.setup()
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name IN ('ledger_intake', 'ledger_entry') AND sql IS NOT NULL"
            " AND name != 'sqlite_sequence' ORDER BY type DESC"
        )
        schema = [row[0] for row in cursor.fetchall()]
    ours, raw = Ours(), Raw(folder / "data" / "raw.sqlite3", schema)
    count = A_COMMIT * COMMITS
    for word, *more in words:
        if word == "ours":
            yield measured(ours.write, lambda: ours.rows(count))
        elif word == "raw":
            rows = ours.rows(count)
            yield measured(lambda rows=rows: raw.write(rows), lambda: raw.rows(count))  # type: ignore[misc]
        elif word == "fill":
            for _head in range(int(more[0]) // int(more[1])):
                ours.write(int(more[1]))
            yield {"done": ours.done}


def main() -> None:
    """Words in, answers out."""
    lines = (line.split() for line in iter(sys.stdin.readline, "") if line.strip() != "end")
    for answer in answers(Path(sys.argv[1]), lines):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
