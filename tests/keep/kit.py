"""What the tests of the platform's own operation share: an instance with records, and commands run as people run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.server.test_instance import CONTRACT, FIRST, PASSWORD, yunwei

PHRASE = "Zm9vYmFyYmF6cXV4 backups only"
ON_POSTGRES = "postgres" in os.environ.get("YUNWEI_TEST_DATABASE", "")

#: some records, one with a file; the newest head goes out to the client
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


def inside(folder: Path, code: str, *words: object) -> str:
    """Run some Python on an instance, in a process of its own; its output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))} | {
        "YUNWEI_INSTANCE": str(folder)
    }
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def work(folder: Path, start: int, count: int) -> None:
    """Records `start` to `start + count - 1` of the instance's work."""
    inside(folder, WORK, start, count)


def make(folder: Path, client: Path, database: str = "") -> Path:
    """An instance whose heads go to the client's folder `client`, with twenty records; two people have passwords of their own."""
    words = [
        "init",
        folder,
        "--contract",
        CONTRACT,
        "--client",
        "甲",
        "--vendor",
        "乙",
        "--heads",
        client,
        "--password-stdin",
        "--json",
    ]
    told = yunwei(*words, *(["--database", database] if database else []), stdin=FIRST + "\n")
    assert told.returncode == 0, told.stderr
    for name in ("b_manager", "a_manager"):
        changed = yunwei("account", "password", name, instance=folder, stdin=f"{FIRST}\n{PASSWORD}\n")
        assert changed.returncode == 0, changed.stderr
    work(folder, 1, 20)
    return folder


def phrase(folder: Path, text: str = PHRASE) -> Path:
    """The file of a passphrase."""
    path = folder / "phrase"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def said(*words: str | Path, instance: Path | None = None, stdin: str = "", code: int = 0) -> dict[str, Any]:
    """What a command says as JSON; it must end with `code`."""
    told = yunwei(*words, "--json", instance=instance, stdin=stdin)
    assert told.returncode == code, told.stdout + told.stderr
    return dict(json.loads(told.stdout))


def refused(*words: str | Path, instance: Path | None = None, stdin: str = "") -> str:
    """What a command says that does nothing: one sentence, no trace."""
    told = yunwei(*words, instance=instance, stdin=stdin)
    assert told.returncode == 2, told.stdout + told.stderr
    lines = [line for line in told.stderr.splitlines() if line.startswith("✗ ")]
    assert len(lines) == 1, told.stderr
    assert "Traceback" not in told.stderr
    return lines[0]
