"""What the ledger's tests share: a filled ledger, exports, and the verifier run as the client runs it."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from yunwei.ledger import bundle, keys, services, verify
from yunwei.ledger.models import Artifact, Intake

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
VERIFY = Path(verify.__file__)
verify.key_of = functools.lru_cache(verify.key_of)  # type: ignore[assignment] - building its tables takes 0.1 s


def claim(i: int, at: datetime = NOW, artifacts: tuple[Artifact, ...] = ()) -> Intake:
    with transaction.atomic():
        return services.record(
            "test.claim", f"物:{i}", {"value": i}, at=at, actor="tester", clauses=["2.1"], artifacts=artifacts
        )


def fill(count: int, batch: int = 7, artifact_each: int = 3) -> list[Artifact]:
    """`count` claims in batches of `batch`, every third with an artifact of its own."""
    made = []
    for i in range(1, count + 1):
        kept: tuple[Artifact, ...] = ()
        if i % artifact_each == 0:
            kept = (services.store(f"原始应答 {i} {datetime.now(UTC).timestamp()}".encode(), "text/plain"),)
            made += kept
        claim(i, NOW + timedelta(seconds=i), kept)
        if i % batch == 0:
            services.sequence(NOW + timedelta(seconds=i))
    services.sequence(NOW + timedelta(seconds=count))
    return made


def write(path: Path, first: int = 1, last: int | None = None) -> Path:
    """A bundle of what is there, without the record that an export leaves."""
    bundle.write(first, last, path)
    return path


def check(path: Path, known: tuple[Path, ...] = ()) -> tuple[list[Any], dict[str, Any]]:
    """Findings and facts of the verifier, in this process."""
    heads = [verify.read_head(str(p)) for p in known]
    return verify.check_bundle(str(path), keys.fingerprint(), heads, verify.MAX_BYTES)


def first(path: Path, known: tuple[Path, ...] = ()) -> tuple[str, str] | None:
    """(code, place) of the first finding; None when everything holds."""
    findings, _facts = check(path, known)
    return (findings[0].code, findings[0].place) if findings else None


def run(*arguments: object, python: tuple[str, ...] = (sys.executable,)) -> tuple[int, dict[str, Any]]:
    """verify.py as the client runs it: isolated, without site-packages; exit code and its JSON."""
    command = [*python, "-I", "-S", str(VERIFY), "--json", *map(str, arguments)]
    if arguments and arguments[0] == "witness":
        command = [*python, "-I", "-S", str(VERIFY), *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def sql(query: str, *values: object) -> None:
    """Change a row behind the software's back."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        assert cursor.rowcount >= 1


def flipped(data: bytes, i: int) -> bytes:
    """`data` with one bit of byte i changed."""
    return data[:i] + bytes([data[i] ^ (1 << (i % 8))]) + data[i + 1 :]
