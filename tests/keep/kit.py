"""What the tests of the platform's own operation share: an instance with records, and commands run as people run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.server.test_instance import CONTRACT, FIRST, PASSWORD
from yunwei.server.keep import take, unpack
from yunwei.server.keep.sealed import Locks, Opener
from yunwei.server.keep.take import Made
from yunwei.server.keep.unpack import Laid

PHRASE = "Zm9vYmFyYmF6cXV4 backups only"
NOW = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)
ON_POSTGRES = "postgres" in os.environ.get("YUNWEI_TEST_DATABASE", "")

#: some records, each with a file; the newest head goes out to the client
WORK = """
import sys
from yunwei.server import instance
instance.setup()
from django.db import transaction
from yunwei.ledger import heads, services
now = instance.clock().now()
start, count = int(sys.argv[1]), int(sys.argv[2])
for i in range(start, start + count):
    kept = services.store(f"原始应答 {i}".encode(), "text/plain")
    with transaction.atomic():
        services.record("test.claim", f"物:{i}", {"value": i}, at=now, actor="tester", artifacts=(kept,))
heads.push(now)
"""
#: the people who declare and acknowledge have passwords of their own
PEOPLE = f"""
from yunwei.server import instance
instance.setup()
from yunwei.accounts import passwords
from yunwei.accounts.models import Account
for name in ("b_manager", "a_manager"):
    passwords.change(Account.objects.get(username=name), {PASSWORD!r}, now=instance.clock().now())
"""


def own() -> dict[str, str]:
    """The environment of a process that belongs to no instance."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}


def yunwei(*words: str | Path, instance: Path | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A command in a process of its own. Patient: schemas are made here, on machines that do other things too."""
    command = [sys.executable, "-m", "yunwei.cli.main", *map(str, words)]
    env = own() | ({"YUNWEI_INSTANCE": str(instance)} if instance else {})
    return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, check=False, timeout=500)


def inside(folder: Path, code: str, *words: object) -> str:
    """Run some Python on an instance, in a process of its own; its output."""
    command = [sys.executable, "-c", code, *map(str, words)]
    env = own() | {"YUNWEI_INSTANCE": str(folder)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def work(folder: Path, start: int, count: int) -> None:
    """Records `start` to `start + count - 1` of the instance's work."""
    inside(folder, WORK, start, count)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def make(place: Path, database: str = "") -> Path:
    """The instance `site` in a folder, whose heads go to `client` beside it, with twenty records."""
    folder = place / "site"
    words = ["init", folder, "--contract", CONTRACT, "--client", "甲", "--vendor", "乙", "--heads", place / "client"]
    words += ["--port", str(free_port()), "--password-stdin", "--json", *(["--database", database] if database else [])]
    told = yunwei(*words, stdin=FIRST + "\n")
    assert told.returncode == 0, told.stderr
    inside(folder, PEOPLE)
    work(folder, 1, 20)
    return folder


def copied(made: Path, place: Path) -> Path:
    """An embedded instance with its client once more, in another place."""
    shutil.copytree(made, place / "site")
    shutil.copytree(made.parent / "client", place / "client")
    settings = (place / "site" / "yunwei.toml").read_text()
    settings = re.sub(r"port = \d+", f"port = {free_port()}", settings)
    (place / "site" / "yunwei.toml").write_text(settings.replace(str(made.parent / "client"), str(place / "client")))
    with closing(
        sqlite3.connect(place / "site" / "data" / "yunwei.sqlite3")
    ) as db:  # it knows addresses as they are set
        db.execute("UPDATE ledger_headpush SET address = ?", [str(place / "client")])
        db.commit()
    return place / "site"


def backed_up(site: Path, target: Path) -> Made:
    """A backup as the command makes it, in this process."""
    return take.backup(site, target, Locks(PHRASE), now=NOW)


def laid_out(file: Path, folder: Path, url: str = "") -> Laid:
    """A backup laid out again, in this process; nothing is declared."""
    folder.mkdir()
    return unpack.lay_out(file, folder, Opener(PHRASE), url=url)


def phrase(folder: Path, text: str = PHRASE) -> Path:
    """The file of a passphrase."""
    path = folder / "phrase"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def said(*words: str | Path, instance: Path | None = None, stdin: str = "", code: int = 0) -> Any:
    """What a command says as JSON; it must end with `code`."""
    told = yunwei(*words, "--json", instance=instance, stdin=stdin)
    assert told.returncode == code, told.stdout + told.stderr
    return json.loads(told.stdout)


def refused(*words: str | Path, instance: Path | None = None, stdin: str = "") -> str:
    """What a command says that does nothing: one sentence, no trace."""
    told = yunwei(*words, instance=instance, stdin=stdin)
    assert told.returncode == 2, told.stdout + told.stderr
    lines = [line for line in told.stderr.splitlines() if line.startswith("✗ ")]
    assert len(lines) == 1, told.stderr
    assert "Traceback" not in told.stderr
    return lines[0]
