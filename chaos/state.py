"""What a day came to, as data that two plays of it can be compared by; and whether it still proves itself.

Left out is what may differ between two undisturbed plays: moments, salts and hashes, row ids, the executor's name.
Everything else is in: a ticket too many, a record twice, a finding not closed, a share looked at twice all show.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from chaos.machine import Bed

JSON = Any
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
HASH = re.compile(r"\b[0-9a-f]{32,128}\b")
NUMBER = re.compile(r"T-\d{8}-\d{4}")
#: fields of records that name rows by their number in the table, which has gaps where a transaction was rolled back
ROWS = frozenset({"id", "event", "proof", "started", "notice", "appeal", "claim", "entry"})
#: said by the sequencer when a clock runs back; no play does
CLOCK = "ledger.clock."


def plain(value: JSON, records: Mapping[int, str], name: str = "") -> JSON:
    """A value without what may differ; a record's number becomes what it is about (`records`), for which of two runs that
    go on at once ends first is no matter."""
    if isinstance(value, dict):
        return {key: plain(one, records, key) for key, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [plain(one, records) for one in value]
    if name == "evidence" and value in records:
        value = records[value]
    if isinstance(value, str):
        return HASH.sub(
            "#", MOMENT.sub("@", re.sub(r"\b(event|proof|claim|appeal|notice|finding):\d+", r"\1:#", value))
        )
    if isinstance(value, int) and not isinstance(value, bool) and name in ROWS:
        return "#"
    return value if isinstance(value, int | float | bool) or value is None else str(value)


def counted(
    rows: Iterable[Iterable[JSON]],
    titles: Mapping[str, str] | None = None,
    records: Mapping[int, str] | None = None,
) -> dict[str, int]:
    """Rows by what they say, with how many say it."""

    def title(found: re.Match[str]) -> str:
        return (titles or {}).get(found[0], found[0])

    said = (
        NUMBER.sub(title, json.dumps(plain(list(row), records or {}), ensure_ascii=False, default=str)) for row in rows
    )
    return dict(sorted(Counter(said).items()))


def taken(*, by_title: bool = False, without: tuple[str, ...] = ()) -> dict[str, dict[str, int]]:
    """Everything that a day leaves, by table.

    `by_title`: tickets by their titles, where their numbers depend on who came first. `without`: kinds of ledger records
    that a start of the platform makes by itself, by how they begin.
    """
    from yunwei.assessment.models import Appeal, Sheet
    from yunwei.desk.models import Entry, Ticket
    from yunwei.duties.models import Attempt, Claim, ManualProof, Notice, Occurrence, TriggerEvent
    from yunwei.inspect.models import DeviceSweep, Finding, PartRow, Standing
    from yunwei.ledger.models import Entry as Numbered
    from yunwei.runs.models import Run, RunResult

    titles = dict(Ticket.objects.values_list("number", "title")) if by_title else {}
    records = {
        seq: f"{kind} {subject}"
        for seq, kind, subject in Numbered.objects.values_list("seq", "intake__kind", "intake__subject")
    }

    def of(model: Any, *fields: str) -> dict[str, int]:
        return counted(model.objects.values_list(*fields), titles, records)

    return {
        "occurrences": of(Occurrence, "obligation", "period", "state", "cause", "counts", "waiting", "plan_version",
                          "provisional", "detail"),
        "attempts": of(Attempt, "run_id", "number", "verdict", "cause"),
        "events": of(TriggerEvent, "kind", "starts_clock", "subject", "note"),
        "proofs": of(ManualProof, "occurrence__obligation", "statement", "confirmed"),
        "claims": of(Claim, "occurrence__obligation", "state"),
        "notices": of(Notice, "kind", "title", "state", "outcome"),
        "runs": of(Run, "id", "procedure", "state", "done", "total", "error", "outcome"),
        "results": of(RunResult, "run_id", "part", "collector"),
        "sweeps": of(DeviceSweep, "run_id", "asset__code", "verdict", "reason", "cause", "faults", "parts"),
        "standings": of(Standing, "asset__code", "sweep__run_id"),
        "parts": of(PartRow, "asset__code", "component"),
        "findings": of(Finding, "asset__code", "key", "state", "severity", "origin", "times", "ok_seen", "recurrence",
                       "opened_run", "last_run"),
        "tickets": of(Ticket, "number", "kind", "title", "state", "severity", "asset__code", "component"),
        "history": of(Entry, "ticket__number", "what", "state", "text", "by__username"),
        "sheets": of(Sheet, "month", "state", "round", "score", "body"),
        "appeals": of(Appeal, "sheet__month", "line", "granted"),
        "records": _records(titles, records, without),
    }  # fmt: skip


def _records(titles: Mapping[str, str], records: Mapping[int, str], without: tuple[str, ...]) -> dict[str, int]:
    """The ledger's records by what they say."""
    from yunwei.ledger.models import Intake

    said = []
    for kind, subject, actor, body in Intake.objects.values_list("kind", "subject", "actor", "body"):
        if kind.startswith(without or ("-",)):
            continue
        told = json.loads(bytes(body))
        listed = told["data"].get("occurrences")
        # one record names all that fell due at one look: how many looks there were is no matter
        parts = [[one] for one in listed] if isinstance(listed, list) else [told["data"]]
        said += [[kind, subject, actor, told["clauses"], data, len(told["artifacts"])] for data in parts]
    return counted(said, titles, records)


def differences(wanted: dict[str, dict[str, int]], found: dict[str, dict[str, int]]) -> list[str]:
    """What of `found` is not as `wanted`, a sentence each."""
    told = []
    for table, rows in wanted.items():
        for row in sorted({*rows, *found[table]}):
            was, came = rows.get(row, 0), found[table].get(row, 0)
            if was != came:
                told.append(f"{table}: {came} instead of {was} × {_excerpt(row, {*rows, *found[table]} - {row})}")
    return told


def _excerpt(row: str, others: Iterable[str]) -> str:
    """The beginning of a row, and the place at which it parts from the one that is most like it."""
    common = max((_alike(row, other) for other in others), default=0)
    return row[:300] if common < 250 else f"{row[:120]} … {row[common - 100 : common + 200]}"


def _alike(one: str, other: str) -> int:
    """How many characters two rows begin with alike."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def heads() -> list[tuple[str, str]]:
    """The signed heads as hex: body and signature."""
    from yunwei.ledger.models import Head

    return [
        (bytes(body).hex(), bytes(signature).hex()) for body, signature in Head.objects.values_list("body", "signature")
    ]


def remember() -> None:
    """Let this process and its forks check each signature once: what was found to hold holds in every copy of it."""
    from yunwei.ledger import verify

    verify.key_of = lru_cache(maxsize=8)(verify.key_of)
    verify.Key.verify = lru_cache(maxsize=None)(verify.Key.verify)  # type: ignore[method-assign]


def check_once(home: Bed, signed: Iterable[tuple[str, str]]) -> None:
    """Check these heads here, so that forks need not."""
    from yunwei.ledger import verify

    file = verify.read_head(min((home.folder / "heads").glob("head-*.json")))
    key = verify.key_of(file.point or "", json.loads(file.body)["key"])
    for body, signature in signed:
        key.verify(bytes.fromhex(body), bytes.fromhex(signature))


def proven(home: Bed) -> list[str]:
    """What does not hold of the ledger: rows that do not follow from it, a bundle that does not verify, heads that the
    client was given and that it does not continue, claims without a number."""
    from yunwei.ledger import audit, bundle, keys, verify
    from yunwei.ledger.models import Intake, Waiting

    told = [f"audit: {d.room} {d.subject} {d.field}: {d.row} ≠ {d.said}" for d in audit.audit()]
    waiting = Waiting.objects.count()
    if waiting:
        told.append(f"{waiting} claims have no number")
    clocks = Intake.objects.filter(kind__startswith=CLOCK).count()
    if clocks:
        told.append(f"{clocks} records of a clock that ran back")
    with tempfile.TemporaryDirectory(prefix="yunwei-chaos-check-") as folder:
        file, store = Path(folder) / "all.zip", Path(folder) / "kept"
        bundle.write(1, None, file)
        key = ("--key-fingerprint", keys.fingerprint())
        heads = str(home.folder / "heads")
        for words in (
            ["witness", "add", heads, "--store", str(store), *key],
            ["witness", "check", str(file), "--store", str(store), *key],
        ):
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = verify.main(words)
            if code:
                told.append(f"verify.py {words[1]}: {said.getvalue().strip()[:300]}")
    return told


def left_behind(home: Bed) -> list[str]:
    """Files that nobody finished: half-written heads and artifacts."""
    folders = (home.folder / "heads", home.folder / "data" / "artifacts")
    return [f"left behind: {p.name}" for folder in folders for p in folder.rglob(".*") if p.is_file()]


def checkpoints(home: Bed) -> set[tuple[str, str]]:
    """The steps that the engine holds a result of: (workflow, name of the step)."""
    query = "SELECT workflow_uuid, function_name FROM {}operation_outputs"
    if home.database:
        import psycopg

        with psycopg.connect(home.database) as connection:
            rows = connection.execute(query.format("dbos.").encode()).fetchall()
    else:
        with contextlib.closing(sqlite3.connect(home.folder / "data" / "engine.sqlite3")) as lite:
            rows = lite.execute(query.format("")).fetchall()
    return {(str(workflow), str(name)) for workflow, name in rows}
