"""Two sequencers at once, and processes that are killed: on a SQLite file, and on PostgreSQL where the tests have
one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from yunwei.ledger import tree

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


class Place:
    """A real instance in a folder, worked on by processes of their own."""

    def __init__(self, folder: Path) -> None:
        (folder / "keys").mkdir(parents=True)
        (folder / "data").mkdir()
        (folder / "yunwei.toml").write_text("")
        (folder / "keys" / "web.key").write_text("x")
        self.env = {**os.environ, "YUNWEI_INSTANCE": str(folder), "DJANGO_SETTINGS_MODULE": "yunwei.server.settings"}
        self.env["DATABASE_URL"] = f"sqlite:///{folder}/data/yunwei.sqlite3"
        facts = connection.settings_dict
        if connection.vendor == "postgresql":
            user = f"{facts['USER']}:{facts['PASSWORD']}@" if facts["USER"] else ""
            self.env["DATABASE_URL"] = f"postgres://{user}{facts['HOST']}:{facts['PORT']}/{facts['NAME']}"

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.ledger.hammer", *map(str, arguments)]
        return subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, text=True)

    def run(self, *arguments: object) -> list[int]:
        with self.start(*arguments) as process:
            said, _err = process.communicate(timeout=60)
        assert process.returncode == 0
        return [int(line) for line in said.split()]

    def rows(self, query: str) -> list[Any]:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        import sqlite3

        base = sqlite3.connect(self.env["DATABASE_URL"].removeprefix("sqlite:///"))
        try:
            return base.execute(query).fetchall()
        finally:
            base.close()

    def check(self) -> list[int]:
        """Numbers without a gap, each intake once, and the newest head over exactly these; returns the numbers."""
        entries = self.rows(
            "SELECT e.seq, e.leaf, i.body FROM ledger_entry e JOIN ledger_intake i ON i.id = e.intake_id ORDER BY seq"
        )
        numbers = [seq for seq, _leaf, _body in entries]
        assert numbers == list(range(1, len(numbers) + 1))
        peaks: list[bytes] = []
        for seq, leaf, body in entries:
            assert bytes(leaf) == tree.leaf_hash(bytes(body))
            tree.add(peaks, seq - 1, bytes(leaf))
        size, root = self.rows("SELECT size, root FROM ledger_head ORDER BY number DESC LIMIT 1")[0]
        assert (size, bytes(root)) == (len(numbers), tree.fold(peaks))
        heads = self.rows("SELECT number FROM ledger_head ORDER BY number")
        assert [n for (n,) in heads] == list(range(1, len(heads) + 1))
        return numbers


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "instance")
    made.run("x", 0, "migrate")
    return made


def test_two_sequencers_never_give_a_number_twice_or_leave_a_gap(place):
    one, two = place.start("a", 25, "both"), place.start("b", 25, "both")
    with one, two:
        given = [int(n) for p in (one, two) for n in p.communicate(timeout=60)[0].split()]
    assert (one.returncode, two.returncode) == (0, 0)
    assert sorted(given) == list(range(1, 51))
    assert len(place.check()) == 50


def test_a_claim_committed_before_a_crash_is_numbered_after_it(place):
    ids = place.run("a", 5, "record")  # this process ended between intake and sequencing
    assert place.rows("SELECT count(*) FROM ledger_entry")[0][0] == 0
    given = place.run("b", 1, "both")
    assert given == [len(ids) + 1]
    assert len(place.check()) == 6


def test_what_was_acknowledged_survives_a_kill(place):
    process = place.start("a", 100_000, "both")
    with process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(25)]
        process.kill()
        told += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    place.run("b", 1, "both")
    assert set(told) <= set(place.check())
