"""`yunwei upgrade`: a backup, a rehearsal on a copy, the real thing; and the way back."""

from __future__ import annotations

import fcntl
import re
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.keep.kit import inside, make, phrase, refused, said, work
from tests.server.test_instance import yunwei

pytestmark = pytest.mark.component

#: the database as an older program left it: one migration fewer
OLDER = """
from yunwei.server import instance
instance.setup()
from django.core.management import call_command
call_command("migrate", "ledger", "0001", verbosity=0)
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("upgrade")
    return make(place / "site", place / "client")


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "site")
    settings = tmp_path / "site" / "yunwei.toml"
    settings.write_text(re.sub(r"port = \d+", f"port = {free_port()}", settings.read_text()))
    inside(tmp_path / "site", OLDER)
    return tmp_path / "site"


def rows(site: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(site / "data" / "yunwei.sqlite3")) as db:
        return db.execute(query).fetchall()


def words(tmp_path: Path, *more: str) -> tuple[str | Path, ...]:
    return ("upgrade", "--to", tmp_path / "safe", "--passphrase-file", phrase(tmp_path), *more)


def test_an_upgrade_keeps_every_row_and_its_backup_is_the_way_back(site, tmp_path):
    before = rows(site, "SELECT count(*) FROM ledger_intake")
    told = said(*words(tmp_path), instance=site)
    assert told["migrations"] == ["ledger.0002_restored"]
    assert told["changes"] == []
    assert rows(site, "SELECT count(*) FROM ledger_restored") == [(0,)]
    assert rows(site, "SELECT count(*) FROM ledger_intake") == [(before[0][0] + 2,)]  # type: ignore[operator]
    assert yunwei("evidence", "audit", instance=site).returncode == 0
    assert said(*words(tmp_path), instance=site)["migrations"] == []
    way_back = ("restore", told["backup"], tmp_path / "back", "--passphrase-file", phrase(tmp_path))
    assert said(*way_back)["migrations"] == 1  # what was backed up is the older schema
    assert rows(tmp_path / "back", "SELECT count(*) FROM ledger_intake WHERE kind = 'instance.upgraded'") == [(0,)]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_rehearsal_that_fails_leaves_the_instance_as_it_was(site, tmp_path):
    with closing(sqlite3.connect(site / "data" / "yunwei.sqlite3")) as db:
        db.execute("CREATE TABLE ledger_restored (in_the_way INTEGER)")
        db.commit()
    assert "演练失败" in refused(*words(tmp_path), instance=site)
    assert rows(site, "SELECT count(*) FROM django_migrations WHERE app = 'ledger'") == [(1,)]
    assert rows(site, "SELECT count(*) FROM ledger_restored") == [(0,)]
    assert len(list((tmp_path / "safe").glob("*.ywb"))) == 1


def test_a_rehearsal_that_changes_rows_stops_unless_it_is_accepted(site, tmp_path):
    """A row that does not follow from the ledger stands for what a migration spoils: people look first."""
    inside(site, "from yunwei.server import instance\ninstance.setup()\nfrom yunwei.accounts.models import Account\n"
                 "Account.objects.filter(username='b_manager').update(role='b_desk')")  # fmt: skip
    assert "没有升级" in refused(*words(tmp_path), instance=site)
    assert rows(site, "SELECT count(*) FROM django_migrations WHERE app = 'ledger'") == [(1,)]
    (tmp_path / "safe").rename(tmp_path / "first")
    told = said(*words(tmp_path, "--accept"), instance=site)
    assert told["changes"]


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


def test_a_way_back_after_work_went_on_is_a_restore_that_says_what_it_loses(site, tmp_path):
    """Only the backup of before the upgrade fits the older program; what came after it is declared as lost."""
    told = said(*words(tmp_path), instance=site)
    work(site, 300, 4)
    way_back = ("restore", told["backup"], tmp_path / "back", "--passphrase-file", phrase(tmp_path))
    assert "须写明原因" in refused(*way_back)
