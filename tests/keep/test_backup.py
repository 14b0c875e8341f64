"""`yunwei backup` and `yunwei restore` of an embedded instance, as people run them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.keep.kit import inside, make, phrase, refused, said, work
from tests.server.test_instance import PASSWORD, yunwei
from yunwei.gm import sm2

pytestmark = pytest.mark.component

#: works until it is told to stop; prints a line when it has begun
BUSY = """
import itertools, sys
from yunwei.server import instance
instance.setup()
from django.db import transaction
from yunwei.ledger import services
for i in itertools.count():
    kept = services.store(f"忙碌 {i}".encode(), "text/plain")
    with transaction.atomic():
        services.record("test.busy", f"忙:{i}", {"value": i}, at=instance.clock().now(), actor="tester", artifacts=(kept,))
    services.sequence(instance.clock().now())
    if i == 0:
        print("begun", flush=True)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance, its client's folder beside it; not to be changed."""
    place = tmp_path_factory.mktemp("keep")
    return make(place / "site", place / "client")


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Path:
    """The instance with its client, as copies of the test's own."""
    shutil.copytree(made.parent / "client", tmp_path / "client")
    shutil.copytree(made, tmp_path / "site")
    settings = tmp_path / "site" / "yunwei.toml"
    settings.write_text(settings.read_text().replace(str(made.parent / "client"), str(tmp_path / "client")))
    # the ledger knows addresses as they stand in the settings
    with closing(sqlite3.connect(tmp_path / "site" / "data" / "yunwei.sqlite3")) as db:
        db.execute("UPDATE ledger_headpush SET address = ?", [str(tmp_path / "client")])
        db.commit()
    return tmp_path / "site"


def backup(site: Path, tmp_path: Path) -> Path:
    told = said("backup", tmp_path / "safe", "--passphrase-file", phrase(tmp_path), instance=site)
    assert told["read_back"] is True
    return Path(told["file"])


def restore_words(file: Path, target: Path, tmp_path: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return ("restore", file, target, "--passphrase-file", phrase(tmp_path), *more)


def leftovers(tmp_path: Path) -> list[str]:
    return [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_backup_of_a_working_instance_restores_elsewhere_whole(site, tmp_path):
    """While a process adds records and files; every record and every file of the moment is there, and follows."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))} | {
        "YUNWEI_INSTANCE": str(site)
    }
    busy = subprocess.Popen([sys.executable, "-c", BUSY], env=env, stdout=subprocess.PIPE)
    assert busy.stdout is not None
    assert busy.stdout.readline() == b"begun\n"
    file = backup(site, tmp_path)
    assert busy.poll() is None
    busy.kill()
    busy.communicate()
    assert file.stat().st_mode & 0o077 == 0
    for key in (site / "keys").iterdir():
        assert key.read_bytes()[:40] not in file.read_bytes()
    told = said(*restore_words(file, tmp_path / "new", tmp_path))
    assert told["lost"] == 0
    again = said("evidence", "audit", instance=tmp_path / "new")
    assert again["differences"] == []
    bundle = tmp_path / "b.zip"
    said("evidence", "export", "--out", bundle, instance=tmp_path / "new")
    checked = yunwei("evidence", "verify", bundle, "--json", instance=tmp_path / "new")
    assert json.loads(checked.stdout)["findings"] == []
    assert json.loads(checked.stdout)["artifacts"] > 20
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in site.iterdir())
    for key in (tmp_path / "new" / "keys").iterdir():
        assert key.read_bytes() == (site / "keys" / key.name).read_bytes()
        assert key.stat().st_mode & 0o077 == 0
    assert leftovers(tmp_path) == []
    assert leftovers(tmp_path / "safe") == []
    assert not list((site / "data").glob(".backup-*"))


def test_an_older_backup_is_declared_and_the_client_tells_it_from_a_cut_history(site, tmp_path):
    file = backup(site, tmp_path)
    work(site, 100, 7)
    (held,) = list((tmp_path / "client").glob("head-*.json"))[-1:]
    words = restore_words(file, tmp_path / "new", tmp_path)
    assert "须写明原因" in refused(*words)
    assert "须有人说明" in refused(*words, "--why", "磁盘损坏")
    assert "口令不对" in refused(*words, "--why", "磁盘损坏", "--by", "b_manager", stdin="wrong password 1\n")
    assert not (tmp_path / "new").exists()
    told = said(*words, "--why", "磁盘损坏", "--by", "b_manager", stdin=PASSWORD + "\n")
    assert told["lost"] == 8  # and the record of the backup itself
    new, number = tmp_path / "new", told["restored_record"]
    assert said("evidence", "push", instance=new)["pushed"][0]["ok"] is True
    assert len(list((tmp_path / "client").glob("head-*.json"))) == len(
        {p.name for p in (tmp_path / "client").iterdir()}
    )
    held = max((tmp_path / "client").glob("head-*.json"), key=lambda p: p.name)
    bundle = tmp_path / "b.zip"

    def verified() -> tuple[int, list[str]]:
        exported = said("evidence", "export", "--out", bundle, instance=new)
        assert exported["warnings"] == []
        checked = yunwei("evidence", "verify", bundle, "--first-head", held, "--json", instance=new)
        return checked.returncode, [f["code"] for f in json.loads(checked.stdout)["findings"]]

    assert verified() == (1, ["restored-open"])
    listed = yunwei("evidence", "restored", "--json", instance=new)
    assert listed.returncode == 1
    assert json.loads(listed.stdout)[0]["lost"] == 8
    by = ("--by", "b_manager")
    assert "甲方" in refused("evidence", "acknowledge", str(number), *by, instance=new, stdin=PASSWORD + "\n")
    said("evidence", "acknowledge", str(number), "--by", "a_manager", instance=new, stdin=PASSWORD + "\n")
    assert verified() == (0, [])
    assert yunwei("evidence", "audit", instance=new).returncode == 0


def test_where_the_clients_heads_are_must_be_said(site, tmp_path):
    """The instance pushes into its own folder only, so the backup's heads are as old as the backup."""
    settings = site / "yunwei.toml"
    settings.write_text(settings.read_text().replace(str(tmp_path / "client"), "heads"))
    work(site, 50, 2)
    file = backup(site, tmp_path)
    work(site, 60, 3)
    words = restore_words(file, tmp_path / "new", tmp_path, "--why", "磁盘损坏", "--by", "b_manager")
    assert "--head" in refused(*words, stdin=PASSWORD + "\n")
    told = said(*words, "--head", site / "heads", stdin=PASSWORD + "\n")
    assert told["lost"] == 4
    assert "不会覆盖" in refused(*words, "--head", site / "heads", stdin=PASSWORD + "\n")
    told = said(
        *restore_words(file, tmp_path / "third", tmp_path, "--why", "丢了", "--by", "b_manager", "--no-heads"),
        stdin=PASSWORD + "\n",
    )
    assert told["lost"] is None


def test_nothing_is_ever_laid_over_anything(site, tmp_path):
    file = backup(site, tmp_path)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("keep")
    assert "不会覆盖" in refused(*restore_words(file, full, tmp_path))
    assert [p.name for p in full.iterdir()] == ["mine"]
    assert "不会覆盖" in refused(*restore_words(file, site, tmp_path))
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "不会覆盖" in refused(*restore_words(file, tmp_path / "link", tmp_path))
    (tmp_path / "empty").mkdir()
    assert said(*restore_words(file, tmp_path / "empty", tmp_path))["lost"] == 0
    assert "实例目录里" in refused("backup", site / "safe", "--passphrase-file", phrase(tmp_path), instance=site)


def test_a_damaged_backup_or_a_wrong_phrase_leaves_nothing_behind(site, tmp_path):
    file = backup(site, tmp_path)
    whole = file.read_bytes()
    spoiled = tmp_path / "spoiled.ywb"
    for data in (
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:],
        whole + b"x",
        b"PK",
    ):
        spoiled.write_bytes(data)
        words = restore_words(spoiled, tmp_path / "new", tmp_path)
        assert "备份" in refused(*words)
        assert refused("restore", spoiled, "--check", "--passphrase-file", phrase(tmp_path))
        assert not (tmp_path / "new").exists()
        assert leftovers(tmp_path) == []
    wrong = phrase(tmp_path, "another phrase of sixteen")
    assert "打不开备份" in refused("restore", file, tmp_path / "new", "--passphrase-file", wrong)
    assert said("restore", file, "--check", "--passphrase-file", phrase(tmp_path))["whole"] is True


def test_a_restore_that_was_killed_leaves_no_instance_and_the_next_one_takes_it_away(site, tmp_path):
    (site / "big").write_bytes(os.urandom(60 << 20))
    file = backup(site, tmp_path)
    words = [sys.executable, "-m", "yunwei.cli.main", *map(str, restore_words(file, tmp_path / "new", tmp_path))]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}
    child = subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not list(tmp_path.glob(".new.restoring-*/keys/ledger.pem")):
        assert child.poll() is None
        assert time.monotonic() < end
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "new").exists()
    assert len(list(tmp_path.glob(".new.restoring-*"))) == 1
    assert said(*restore_words(file, tmp_path / "new", tmp_path))["lost"] == 0
    assert leftovers(tmp_path) == []


def test_a_recipients_key_opens_what_the_machine_itself_cannot(site, tmp_path):
    key = sm2.generate()
    (tmp_path / "public.pem").write_bytes(key.public.to_pem())
    (tmp_path / "private.pem").write_bytes(key.to_pem())
    told = said("backup", tmp_path / "safe", "--to-key", tmp_path / "public.pem", instance=site)
    assert told["read_back"] is False
    assert "打不开备份" in refused(*restore_words(Path(told["file"]), tmp_path / "new", tmp_path))
    words = ("restore", told["file"], tmp_path / "new", "--key", tmp_path / "private.pem")
    assert said(*words)["lost"] == 0
    assert "必须加密" in refused("backup", tmp_path / "safe", instance=site)


def test_a_missing_file_is_told_and_the_rest_is_backed_up(site, tmp_path):
    (one, *_rest) = sorted((site / "data" / "artifacts").rglob("*/*"))
    one.unlink()
    told = said("backup", tmp_path / "safe", "--passphrase-file", phrase(tmp_path), instance=site, code=1)
    assert told["missing"] == 1
    assert said(*restore_words(Path(told["file"]), tmp_path / "new", tmp_path))["lost"] == 0


def test_doctor_tells_when_the_last_backup_was_made(site, tmp_path):
    def found() -> dict[str, str]:
        (one,) = [f for f in json.loads(yunwei("doctor", "--json", instance=site).stdout) if f["what"] == "备份"]
        return dict(one)

    assert found()["state"] == "note"
    assert "yunwei backup" in found()["hint"]
    file = backup(site, tmp_path)
    assert found()["state"] == "ok"
    assert file.name in found()["found"]


def test_a_backup_of_a_newer_program_is_refused(site, tmp_path):
    inside(site, "from yunwei.server import instance\ninstance.setup()\nfrom django.db.migrations.recorder import MigrationRecorder\n"
                 "from django.db import connection\nMigrationRecorder(connection).record_applied('ledger', '0099_later')")  # fmt: skip
    file = backup(site, tmp_path)
    assert "更新的版本" in refused(*restore_words(file, tmp_path / "new", tmp_path))
    assert not (tmp_path / "new").exists()
