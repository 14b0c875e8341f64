"""`yunwei upgrade`: a backup, a rehearsal on a copy, the real thing; and the way back."""

from __future__ import annotations

import fcntl
import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.keep.kit import inside, phrase, refused, said

pytestmark = pytest.mark.component

#: a claim that nobody has numbered yet
WAITS = """
from datetime import datetime, UTC
from yunwei.server import instance
instance.setup()
from django.db import transaction
from yunwei.ledger import services
with transaction.atomic():
    services.record("test.waits", "instance", {}, at=datetime.now(UTC), actor="tester")
"""
#: the database as an older program left it: two migrations fewer
OLDER = """
from yunwei.server import instance
instance.setup()
from django.core.management import call_command
call_command("migrate", "ledger", "0001", verbosity=0)
"""


def rows(site: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(site / "data" / "yunwei.sqlite3")) as db:
        found = db.execute(query).fetchall()
        db.commit()
        return found


def words(tmp_path: Path, name: str = "safe") -> tuple[str | Path, ...]:
    return ("upgrade", "--to", tmp_path / name, "--passphrase-file", phrase(tmp_path))


def test_an_upgrade_keeps_every_row_and_its_backup_is_the_way_back(site, tmp_path):
    inside(site, OLDER)
    before = rows(site, "SELECT count(*) FROM ledger_intake")[0][0]
    told = said(*words(tmp_path), instance=site)
    assert told["migrations"] == ["ledger.0002_restored", "ledger.0003_waiting"]
    assert told["changes"] == []
    assert rows(site, "SELECT count(*) FROM ledger_restored") == [(0,)]
    assert rows(site, "SELECT count(*) FROM ledger_intake") == [(before + 2,)]  # type: ignore[operator]
    assert said("evidence", "audit", instance=site)["differences"] == []
    assert said(*words(tmp_path), instance=site)["migrations"] == []
    way_back = ("restore", told["backup"], tmp_path / "back", "--passphrase-file", phrase(tmp_path))
    assert said(*way_back)["migrations"] == 2  # what was backed up is the older schema; nothing outside is newer
    assert rows(tmp_path / "back", "SELECT count(*) FROM ledger_intake WHERE kind = 'instance.upgraded'") == [(0,)]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_claim_that_waited_for_its_number_before_the_upgrade_has_it_afterwards(site, tmp_path):
    """Before ledger.0003 a mark in the claim said that it waits."""
    inside(site, WAITS + OLDER)
    newest = "SELECT sequenced FROM ledger_intake ORDER BY id DESC LIMIT 2"
    assert rows(site, newest) == [(0,), (1,)]
    assert said(*words(tmp_path), instance=site)["changes"] == []
    numbered = "SELECT seq FROM ledger_entry JOIN ledger_intake ON id = intake_id WHERE kind = 'test.waits'"
    assert len(rows(site, numbered)) == 1
    assert rows(site, "SELECT count(*) FROM ledger_waiting") == [(0,)]
    assert said("evidence", "audit", instance=site)["differences"] == []


def test_a_rehearsal_that_fails_leaves_the_instance_as_it_was(site, tmp_path):
    inside(site, OLDER)
    rows(site, "CREATE TABLE ledger_restored (in_the_way INTEGER)")
    assert "演练失败" in refused(*words(tmp_path), instance=site)
    assert rows(site, "SELECT count(*) FROM django_migrations WHERE app = 'ledger'") == [(1,)]
    assert rows(site, "SELECT count(*) FROM ledger_restored") == [(0,)]
    assert len(list((tmp_path / "safe").glob("*.ywb"))) == 1


def test_a_rehearsal_that_changes_rows_stops_unless_it_is_accepted(site, tmp_path):
    """A row that does not follow from the ledger stands for what a migration spoils: people look first."""
    inside(site, OLDER)
    rows(site, "UPDATE accounts_account SET role = 'b_desk' WHERE username = 'b_manager'")
    assert "没有升级" in refused(*words(tmp_path), instance=site)
    assert rows(site, "SELECT count(*) FROM django_migrations WHERE app = 'ledger'") == [(1,)]
    assert said(*words(tmp_path, "again"), "--accept", instance=site)["changes"]


@pytest.mark.parametrize("what", ["worker", "web"])
def test_a_running_instance_is_refused(site, tmp_path, what):
    with socket.socket() as web, (site / "data" / "worker.lock").open("w") as lock:
        if what == "worker":
            fcntl.flock(lock, fcntl.LOCK_EX)
        else:
            port = int(re.search(r"port = (\d+)", (site / "yunwei.toml").read_text())[1])  # type: ignore[index]
            web.bind(("127.0.0.1", port))
            web.listen()
        assert "正在运行" in refused(*words(tmp_path), instance=site)
    assert not (tmp_path / "safe").exists()
