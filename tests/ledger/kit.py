"""What the ledger's tests share: a filled ledger, exports, and the verifiers run as the client runs them.

There are two, verify.py and verify.html. Whatever a test asks of one is asked of the other, and they must agree.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from tests.ledger.twin import twin

from yunwei.ledger import bundle, keys, services, verify
from yunwei.ledger.models import Artifact, Intake

NOW = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
VERIFY = Path(verify.__file__)
_key_of = verify.key_of
_remembered = functools.lru_cache(_key_of)  # building its tables takes 0.1 s
verify.key_of = lambda point, given: (_remembered if isinstance(point, str) else _key_of)(point, given)


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
    """Findings and facts of verify.py in this process; verify.html must find the same."""
    heads = [verify.read_head(str(p)) for p in known]
    findings, facts = verify.check_bundle(str(path), keys.fingerprint(), heads, verify.MAX_BYTES)
    told = twin().check(path.read_bytes(), keys.fingerprint(), [(p.name, p.read_bytes()) for p in known])
    agree(findings, facts, told)
    return findings, facts


def agree(findings: list[Any], facts: dict[str, Any], told: dict[str, Any]) -> None:
    """Both verifiers name the same things in the same order and the same words."""
    ours = [f.facts() for f in findings]
    assert list(map(plain, told["findings"])) == list(map(plain, ours))
    assert told["facts"] == facts


def plain(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding without what a parser says about garbage, which is another for each parser."""
    return {**finding, "text": re.sub(r"无法读取（.*", "无法读取", finding["text"], flags=re.DOTALL)}


def first(path: Path, known: tuple[Path, ...] = ()) -> tuple[str, str] | None:
    """(code, place) of the first finding; None when everything holds."""
    findings, _facts = check(path, known)
    return (findings[0].code, findings[0].place) if findings else None


def run(*arguments: object, python: tuple[str, ...] = (sys.executable,)) -> tuple[int, dict[str, Any]]:
    """verify.py as the client runs it: isolated, without site-packages; exit code and its JSON. The page must agree."""
    command = [*python, "-I", "-S", str(VERIFY), "--json", *map(str, arguments)]
    if arguments and arguments[0] == "witness":
        command = [*python, "-I", "-S", str(VERIFY), *map(str, arguments), "--json"]
    told = _page(list(map(str, arguments)))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    said = json.loads(done.stdout)
    codes = [f["code"] for f in said["findings"] if f["code"] not in {"overdue", "usage"}]
    assert {f["code"] for f in told["findings"]} == set(codes)
    return done.returncode, said


def _page(arguments: list[str]) -> dict[str, Any]:
    """What the page finds when it is given what the command line names."""
    parser = argparse.ArgumentParser()
    for name in ("--store", "--key-fingerprint", "--first-head", "--max-age-hours"):
        parser.add_argument(name, default="")
    parser.add_argument("--max-bytes", type=int, default=verify.MAX_BYTES)
    options, files = parser.parse_known_args(arguments)
    store = Path(options.store) if options.store else None
    kept = sorted(store.glob("head-*.json")) if store else []
    pinned = (store / "key.txt").read_text() if store and (store / "key.txt").exists() else ""
    given = options.key_fingerprint
    if not (pinned or given):
        return {"findings": []}  # wrong usage
    names = [Path(f) for f in files if f not in {"witness", "add", "check"}]
    bundle = None if "add" in files else names.pop().read_bytes()
    heads = [*kept, *(Path(p) for p in verify.files_of(list(map(str, names))))]
    if options.first_head:
        heads.append(Path(options.first_head))
    return twin().check(bundle, given or pinned, [(h.name, h.read_bytes()) for h in heads], options.max_bytes)


def sql(query: str, *values: object) -> None:
    """Change a row behind the software's back."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        assert cursor.rowcount >= 1


def flipped(data: bytes, i: int) -> bytes:
    """`data` with one bit of byte i changed."""
    return data[:i] + bytes([data[i] ^ (1 << (i % 8))]) + data[i + 1 :]
