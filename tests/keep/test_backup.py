"""`yunwei backup` and `yunwei restore` of an embedded instance: as people run them, and what could go wrong on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.keep.kit import NOW, PHRASE, backed_up, inside, laid_out, own, phrase, refused, said, work, yunwei
from tests.server.test_instance import PASSWORD
from yunwei.gm import sm2
from yunwei.ledger import keys, verify
from yunwei.server.keep import take, unpack
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.sealed import Locks, Opener

pytestmark = pytest.mark.component

#: works until it is killed; prints a line when it has begun
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


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


def verified(bundle: Path, site: Path, *held: Path) -> tuple[list[str], dict[str, Any]]:
    """What the client's verifier finds, and its facts."""
    heads = [verify.read_head(path) for path in held]
    found, facts = verify.check_bundle(str(bundle), keys.fingerprint(site / "keys"), heads, verify.MAX_BYTES)
    return [f.code for f in found], facts


def test_a_backup_of_a_working_instance_restores_elsewhere_whole(site, tmp_path):
    """While a process adds records and files; every record and every file of the moment is there, and follows."""
    busy = subprocess.Popen(
        [sys.executable, "-c", BUSY], env=own() | {"YUNWEI_INSTANCE": str(site)}, stdout=subprocess.PIPE
    )
    assert busy.stdout is not None
    assert busy.stdout.readline() == b"begun\n"
    words = ("--passphrase-file", phrase(tmp_path))
    told = said("backup", tmp_path / "safe", *words, instance=site)
    assert busy.poll() is None
    busy.kill()
    busy.communicate()
    file = Path(told["file"])
    assert (told["read_back"], told["missing"], file.stat().st_mode & 0o077) == (True, 0, 0)
    for key in (site / "keys").iterdir():
        assert key.read_bytes()[:40] not in file.read_bytes()
    new = tmp_path / "new"
    assert said("restore", file, new, *words)["lost"] == 0
    assert said("evidence", "audit", instance=new)["differences"] == []
    said("evidence", "export", "--out", tmp_path / "b.zip", instance=new)
    found, facts = verified(tmp_path / "b.zip", new)
    assert (found, facts["artifacts"] > 20) == ([], True)
    assert sorted(p.name for p in new.iterdir()) == sorted(p.name for p in site.iterdir())
    for key in (new / "keys").iterdir():
        assert key.read_bytes() == (site / "keys" / key.name).read_bytes()
        assert key.stat().st_mode & 0o077 == 0
    assert leftovers(tmp_path) == leftovers(tmp_path / "safe") == []
    assert not list((site / "data").glob(".backup-*"))
    findings = json.loads(yunwei("doctor", "--json", instance=site).stdout)
    (found,) = [f for f in findings if f["what"] == "备份"]
    assert (found["state"], file.name in found["found"]) == ("ok", True)


def test_an_older_backup_is_declared_and_the_client_tells_it_from_a_cut_history(site, tmp_path):
    words = ("--passphrase-file", phrase(tmp_path))
    file = backed_up(site, tmp_path / "safe").path
    work(site, 100, 7)
    held = max((tmp_path / "client").glob("head-*.json"))
    restore = ("restore", file, tmp_path / "new", *words)
    assert "须写明原因" in refused(*restore)
    declared = (*restore, "--why", "磁盘损坏", "--by", "b_manager")
    assert "口令不对" in refused(*declared, stdin="wrong password 1\n")
    assert not (tmp_path / "new").exists()
    assert leftovers(tmp_path) == []
    told = said(*declared, stdin=PASSWORD + "\n")
    assert told["lost"] == 7
    new, number, bundle = tmp_path / "new", told["restored_record"], tmp_path / "b.zip"

    assert said("evidence", "export", "--out", bundle, instance=new)["warnings"] == []  # heads went out too
    assert verified(bundle, new, held)[0] == ["restored-open"]
    assert said("evidence", "restored", instance=new, code=1)[0]["lost"] == 7
    answer = ("evidence", "acknowledge", str(number), "--by")
    assert "甲方" in refused(*answer, "b_manager", instance=new, stdin=PASSWORD + "\n")
    said(*answer, "a_manager", instance=new, stdin=PASSWORD + "\n")
    said("evidence", "export", "--out", bundle, instance=new)
    assert verified(bundle, new, held)[0] == []
    assert said("evidence", "audit", instance=new)["differences"] == []


def test_where_the_clients_heads_are_must_be_said(site, tmp_path):
    """The instance pushes into its own folder only, so the backup's heads are as old as the backup."""
    settings = site / "yunwei.toml"
    settings.write_text(settings.read_text().replace(str(tmp_path / "client"), "heads"))
    work(site, 50, 2)
    file = backed_up(site, tmp_path / "safe").path
    work(site, 60, 3)
    restore = (
        "restore",
        file,
        tmp_path / "new",
        "--passphrase-file",
        phrase(tmp_path),
        "--why",
        "磁盘",
        "--by",
        "b_manager",
    )
    assert "--head" in refused(*restore, stdin=PASSWORD + "\n")
    assert said(*restore, "--head", site / "heads", stdin=PASSWORD + "\n")["lost"] == 3


def test_nothing_is_ever_laid_over_anything(site, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    unpack.require_empty(full)
    unpack.require_empty(tmp_path / "nowhere")
    (full / "mine").write_text("keep")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for target in (full, site, tmp_path / "link", full / "mine"):
        with pytest.raises(KeepError, match="不会覆盖"):
            unpack.require_empty(target)
    with unpack.beside(full) as temporary, pytest.raises(KeepError, match="已经有了内容"):
        unpack.appear(temporary, full)
    assert [p.name for p in full.iterdir()] == ["mine"]
    with pytest.raises(KeepError, match="实例目录里"):
        backed_up(site, site / "safe")
    backed_up(site, tmp_path / "safe")
    with pytest.raises(KeepError, match="同名的备份"):
        backed_up(site, tmp_path / "safe")
    assert len(list((tmp_path / "safe").iterdir())) == 1


def test_a_damaged_backup_or_a_wrong_phrase_leaves_nothing_behind(site, tmp_path):
    file = backed_up(site, tmp_path / "safe").path
    whole, spoiled = file.read_bytes(), tmp_path / "spoiled.ywb"
    shapes = [
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:],
        whole + b"x",
        b"PK",
    ]
    for i, data in enumerate(shapes):
        spoiled.write_bytes(data)
        with pytest.raises(KeepError, match="备份"):
            take.checked(spoiled, Opener(PHRASE))
        with pytest.raises(KeepError, match="备份"), unpack.beside(tmp_path / f"new{i}") as temporary:
            laid_out(spoiled, temporary / "x")
        assert leftovers(tmp_path) == []
    words = ("restore", file, tmp_path / "new", "--passphrase-file", phrase(tmp_path, "another phrase of sixteen"))
    assert "打不开备份" in refused(*words)
    assert not (tmp_path / "new").exists()
    assert said("restore", file, "--check", "--passphrase-file", phrase(tmp_path))["whole"] is True


def test_a_restore_that_was_killed_leaves_no_instance_and_the_next_one_takes_it_away(site, tmp_path):
    (site / "big").write_bytes(os.urandom(40 << 20))
    file = backed_up(site, tmp_path / "safe").path
    words = [
        sys.executable,
        "-m",
        "yunwei.cli.main",
        "restore",
        file,
        tmp_path / "new",
        "--passphrase-file",
        phrase(tmp_path),
    ]
    child = subprocess.Popen(list(map(str, words)), env=own(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not list(tmp_path.glob(".new.restoring-*/big")):
        assert child.poll() is None
        assert time.monotonic() < end
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "new").exists()
    assert len(list(tmp_path.glob(".new.restoring-*"))) == 1
    with unpack.beside(tmp_path / "new") as temporary:
        assert [p.name for p in tmp_path.glob(".new.restoring-*")] == [temporary.name]
        with unpack.beside(tmp_path / "new"):  # one that goes on is nobody's leftover
            assert temporary.exists()
    assert leftovers(tmp_path) == []


def test_a_backup_that_is_told_to_end_takes_its_file_away(site, tmp_path):
    (site / "big").write_bytes(os.urandom(40 << 20))
    words = [
        "-m",
        "yunwei.cli.main",
        "--instance",
        site,
        "backup",
        tmp_path / "safe",
        "--passphrase-file",
        phrase(tmp_path),
    ]
    child = subprocess.Popen(
        [sys.executable, *map(str, words)], env=own(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 120
    while not list(tmp_path.glob("safe/.*.part")):
        assert child.poll() is None
        assert time.monotonic() < end
        time.sleep(0.002)
    child.terminate()
    assert child.wait(30) == 128 + signal.SIGTERM
    assert list((tmp_path / "safe").iterdir()) == []


def test_a_restore_is_refused_when_the_heads_that_were_named_are_not_there(site, tmp_path):
    file = backed_up(site, tmp_path / "safe").path
    words = ("restore", file, tmp_path / "new", "--passphrase-file", phrase(tmp_path), "--head", tmp_path / "mistyped")
    assert "mistyped" in refused(*words)
    assert not (tmp_path / "new").exists()


def test_a_recipients_key_opens_what_the_machine_itself_cannot(site, tmp_path):
    key = sm2.generate()
    made = take.backup(site, tmp_path / "safe", Locks(recipients=[key.public]), now=NOW)
    with pytest.raises(KeepError, match="打不开备份"):
        take.checked(made.path, Opener(PHRASE))
    assert take.checked(made.path, Opener(key=key))["head"] == made.manifest["head"]
    with pytest.raises(KeepError, match="必须加密"):
        take.backup(site, tmp_path / "none", Locks(), now=NOW)
    assert list((tmp_path / "none").iterdir()) == []


def test_a_missing_file_is_told_and_the_rest_is_backed_up(site, tmp_path):
    (one, *_rest) = sorted((site / "data" / "artifacts").rglob("*/*"))
    one.unlink()
    made = backed_up(site, tmp_path / "safe")
    assert made.missing == [one.name]
    laid = laid_out(made.path, tmp_path / "new")
    assert len(list((laid.folder / "data" / "artifacts").rglob("*/*"))) == made.manifest["artifacts"] - 1


def test_a_file_that_was_removed_by_law_meanwhile_begins_the_backup_anew(site, tmp_path, monkeypatch):
    """Else the restored instance would miss a file that its rows say is there."""
    real, tries = take._artifact, []

    def redacted_first(packer, folder, name, made, told):
        if not tries:
            tries.append(name)
            inside(site, REDACT, name)
        real(packer, folder, name, made, told)

    monkeypatch.setattr(take, "_artifact", redacted_first)
    made = backed_up(site, tmp_path / "safe")
    assert made.missing == []
    assert not list(laid_out(made.path, tmp_path / "new").folder.rglob(tries[0]))


REDACT = """
import sys
from yunwei.server import instance
instance.setup()
from django.db import transaction
from yunwei.ledger import services
from yunwei.ledger.models import Artifact
with transaction.atomic():
    services.redact(Artifact.objects.get(content_hash=sys.argv[1]), "含个人信息", at=instance.clock().now(), actor="a_manager")
"""


def test_heads_of_after_the_moment_stay_out(site, tmp_path):
    """A relative address lies in the folder: its newest head may be newer than the databases' moment."""
    (site / "heads" / "head-000000009999-000000009999.json").write_text("{}")
    laid = laid_out(backed_up(site, tmp_path / "safe").path, tmp_path / "new")
    assert not list((laid.folder / "heads").glob("*9999.json"))


@pytest.mark.parametrize("migration", ["'ledger', '0099_later'", "'a_room_to_come', '0001_initial'"])
def test_a_backup_of_a_newer_program_is_refused(site, tmp_path, migration):
    inside(site, "from yunwei.server import instance\ninstance.setup()\nfrom django.db.migrations.recorder import MigrationRecorder\n"
                 f"from django.db import connection\nMigrationRecorder(connection).record_applied({migration})")  # fmt: skip
    file = backed_up(site, tmp_path / "safe").path
    assert "更新的版本" in refused("restore", file, tmp_path / "new", "--passphrase-file", phrase(tmp_path))
    assert not (tmp_path / "new").exists()
