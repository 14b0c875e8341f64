"""Evidence bundles: a zip of data only, that `verify.py` checks without this software.

    manifest.json    range, public key
    heads.jsonl      the signed heads from the one before the range to the one that covers it, one a line
    entries.jsonl    the records: number, leaf, body as it was hashed, the search columns of the database
    proofs.json      peaks before the range, covers after it up to the newest head, links from heads the client holds
    artifacts.jsonl  salt, type, size of each artifact the records name; redacted ones as tombstones
    artifacts/…      their contents, by commitment
    extra.jsonl      redaction records outside of the range, and those of restores, each with its proof

The writer judges nothing and repairs nothing: it carries what the database and the disk hold, damage included, and the
verifier names it. The same range under the same newest head gives the same bytes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from yunwei.ledger import artifacts, heads, keys, proofs, reading, restored, services
from yunwei.ledger.artifacts import sync_folder
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Entry, Head, HeadPush, Intake

FORMAT = "yunwei-bundle/1"
Tell = Callable[[int, int], None]  # told how many of how many records are written
WINDOW = 2000
#: As SQLite and PostgreSQL write a time in UTC. fromisoformat takes more and would hide a change.
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?(\+00)?", re.ASCII)
ROW_COLUMNS = ("kind", "subject", "actor", "at", "clauses")
HEAD_COLUMNS = ("number", "size", "root", "prev", "at", "key", "hash")


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def export(
    first: int, last: int | None, path: Path, *, now: datetime, actor: str, tell: Tell = _silent
) -> dict[str, Any]:
    """Write the records `first` to `last` (None: to the newest) into `path`; the export itself becomes a record first.

    Returns what was written, with `warnings` when the ledger could not take the export's own record (a damaged ledger
    is exported all the same: that is when a bundle matters most). Raises LedgerError for an empty range or a full disk.
    """
    warnings: list[str] = []
    try:
        data = {"from": first, "to": last, "file": path.name, "about": reading.actors_of_range(first, last)}
        with transaction.atomic():
            services.record(reading.EXPORTED, "ledger", data, at=now, actor=actor)
        services.sequence(now)
        warnings += [p.problem for p in heads.push(now) if not p.ok]
    except (LedgerError, DatabaseError, ValueError) as e:  # a damaged row can break its own reading
        warnings.append(str(e))
    return {**write(first, last, path, tell), "warnings": warnings}


def range_of(start: datetime, end: datetime) -> tuple[int, int]:
    """The numbers given from `start` (in) to `end` (out), by the time of the heads. Raises LedgerError when none
    was.
    """

    def size_before(at: datetime) -> int:
        found = Head.objects.filter(at__lt=at).order_by("-number").first()
        return found.size if found else 0

    first, last = size_before(start) + 1, size_before(end)
    if first > last:
        raise LedgerError(_("这段时间内没有记录"), where=f"{services.stamp(start)} – {services.stamp(end)}")
    return first, last


def write(first: int, last: int | None, path: Path, tell: Tell = _silent) -> dict[str, Any]:
    """Write the bundle file, whole or not at all. Raises LedgerError for an empty range or a disk that refuses."""
    newest = _ends().last()
    if newest is None or newest.size < 1:
        raise LedgerError(_("台账还没有记录"))
    last = newest.size if last is None else last
    if not 1 <= first <= last <= newest.size:
        raise LedgerError(
            _("记录范围 %(a)s 至 %(b)s 不成立，台账共 %(n)s 条") % {"a": first, "b": last, "n": newest.size}
        )
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as f:
                with ZipFile(f, "w", ZIP_DEFLATED) as bundle:
                    facts = _fill(bundle, first, last, newest, tell)
                f.flush()
            _sync(temporary)
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as e:
        raise LedgerError(
            _("证据包写入失败：%(why)s") % {"why": e.strerror or e}, where=str(path), hint=_("请检查磁盘空间与权限")
        ) from e
    return {"path": str(path), "from": first, "to": last, "size": newest.size, **facts}


def _ends() -> QuerySet[Head]:
    """Heads by number and size alone: a damaged column must not stop the export that would show the damage."""
    return Head.objects.only("number", "size").order_by("number")


def _sync(path: Path) -> None:
    import os

    with path.open("rb") as f:
        os.fsync(f.fileno())


def _fill(bundle: ZipFile, first: int, last: int, newest: Head, tell: Tell) -> dict[str, int]:
    manifest = {"format": FORMAT, "from": first, "to": last, "key": keys.signer().public.point.hex()}
    _put(bundle, "manifest.json", _json(manifest))
    opening = _ends().filter(size__lte=first - 1).last()
    closing = _ends().filter(size__gte=last).first() or newest
    head_rows = list(_heads(opening.number if opening else 1, closing.number))
    _put(bundle, "heads.jsonl", b"".join(map(_json, head_rows)))
    _put(bundle, "proofs.json", _json(_proofs(first, last, closing, newest)))
    named: dict[str, None] = {}
    with bundle.open(_info("entries.jsonl"), "w", force_zip64=True) as out:
        records = _write_entries(out, first, last, named, tell)
    rows, outside = _artifacts(bundle, list(named), first, last)
    outside |= {n for n in restored.numbers() if not first <= n <= last}
    extra = [_with_proof(seq, newest.size) for seq in sorted(outside) if seq <= newest.size]
    _put(bundle, "artifacts.jsonl", b"".join(map(_json, rows)))
    _put(bundle, "extra.jsonl", b"".join(_json(row) for row in extra if row))
    return {"records": records, "heads": len(head_rows), "artifacts": len(rows)}


def _proofs(first: int, last: int, closing: Head, newest: Head) -> dict[str, Any]:
    # what the client holds outside of the range: handed-over heads, and the last one pushed before it
    held = set(
        HeadPush.objects.filter(ok=True, address__startswith=heads.HANDOVER).values_list("head__size", flat=True)
    )
    pushed = HeadPush.objects.filter(ok=True, head__size__lt=first).order_by("-head__size")
    held |= set(pushed.values_list("head__size", flat=True)[:1])
    after = restored.linked(newest.size)
    return {
        "left": [h.hex() for h in proofs.peaks(first - 1)],
        "right": [h.hex() for h in proofs.cover(last, closing.size)],
        "rest": [h.hex() for h in proofs.cover(closing.size, newest.size)],
        "links": [heads.link(m, newest.size) for m in sorted(held) if not first - 1 <= m <= last and m < newest.size],
        "newest": next(_heads(newest.number, newest.number)),
        **({"restored": after} if after else {}),
    }


def _write_entries(out: IO[bytes], first: int, last: int, named: dict[str, None], tell: Tell) -> int:
    """Write the records as lines; collects the commitments they name, in order."""
    count = 0
    for row in _entries(first, last):
        out.write(_json(row))
        count += 1
        if count % 500 == 0 or row["seq"] == last:
            tell(count, last - first + 1)
        try:
            for said in json.loads(row["body"])["artifacts"]:
                if artifacts.is_digest(said["commitment"]):
                    named[said["commitment"]] = None
        except (ValueError, KeyError, TypeError):
            continue  # a damaged body names nothing; the verifier names the record
    return count


def _text(column: str) -> str:
    """SQL that reads a column as it lies there, so that a damaged one cannot stop an export."""
    return f"CAST({column} AS BLOB)" if connection.vendor == "sqlite" else f"CAST({column} AS TEXT)"


def _entries(first: int, last: int) -> Iterator[dict[str, Any]]:
    columns = ", ".join(_text(f"i.{c}") for c in ROW_COLUMNS)
    query = (
        f"SELECT e.seq, e.leaf, i.body, {columns} FROM ledger_entry e LEFT JOIN ledger_intake i ON i.id = e.intake_id "  # noqa: S608 - constant names
        "WHERE e.seq BETWEEN %s AND %s ORDER BY e.seq"
    )
    for start in range(first, last + 1, WINDOW):
        with connection.cursor() as cursor:
            cursor.execute(query, [start, min(start + WINDOW - 1, last)])
            rows = cursor.fetchall()
        for seq, leaf, body, *values in rows:
            row = dict(zip(ROW_COLUMNS, map(_plain, values), strict=True))
            row["at"], row["clauses"] = _as_stamp(row["at"]), _as_json(row["clauses"])
            yield {"seq": seq, "leaf": bytes(leaf or b"").hex(), **_body(bytes(body or b"")), "row": row}


def _heads(start: int, end: int) -> Iterator[dict[str, Any]]:
    names = ("prev", "at", "key_id", "hash")
    columns = ", ".join(_text(c) for c in names)
    query = (
        f"SELECT number, size, root, body, signature, {columns} FROM ledger_head "  # noqa: S608 - constant names
        "WHERE number BETWEEN %s AND %s ORDER BY number"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [start, end])
        rows = cursor.fetchall()
    for number, size, root, body, signature, *values in rows:
        prev, at, key, own = map(_plain, values)
        columns_said = (number, size, bytes(root).hex(), prev, _as_stamp(at), key, own)
        text = bytes(body).decode("utf-8", "backslashreplace")
        yield {
            "body": text,
            "signature": bytes(signature).hex(),
            "row": dict(zip(HEAD_COLUMNS, columns_said, strict=True)),
        }


def _artifacts(bundle: ZipFile, named: list[str], first: int, last: int) -> tuple[list[dict[str, Any]], set[int]]:
    """Write the contents; returns the lines about them, and the redaction records that lie outside of the range."""
    rows: list[dict[str, Any]] = []
    outside: set[int] = set()
    for start in range(0, len(named), 500):
        part = named[start : start + 500]
        found = {str(row[0]): row for row in _artifact_rows(part)}
        for commitment, salt, media_type, size, content_hash, redacted in (found[c] for c in part if c in found):
            row = {"commitment": commitment, "salt": salt, "media_type": media_type, "size": size}
            if redacted:
                row |= {"redacted": True, "salt": ""}
                outside |= {n for n in _redactions(commitment) if not first <= n <= last}
            else:
                _put_content(bundle, commitment, content_hash)
            rows.append(row)
    return rows, outside


def _artifact_rows(commitments: list[str]) -> Iterator[tuple[Any, ...]]:
    """(commitment, salt, media type, size, content hash, whether redacted) as the rows lie there."""
    marks = ", ".join(["%s"] * len(commitments))
    query = (
        f"SELECT commitment, salt, size, redacted_at IS NOT NULL, {_text('media_type')}, {_text('content_hash')} "  # noqa: S608
        f"FROM ledger_artifact WHERE commitment IN ({marks})"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, commitments)
        for commitment, salt, size, redacted, media_type, content_hash in cursor.fetchall():
            yield commitment, bytes(salt).hex(), _plain(media_type), size, _plain(content_hash), bool(redacted)


def _redactions(commitment: str) -> Iterable[int]:
    claims = Intake.objects.filter(kind="ledger.redacted", subject=commitment)
    return Entry.objects.filter(intake__in=claims).values_list("seq", flat=True)


def _with_proof(seq: int, size: int) -> dict[str, Any]:
    peaks, cover = proofs.inclusion(seq, size)
    for row in _entries(seq, seq):
        return {**row, "peaks": [p.hex() for p in peaks], "cover": [c.hex() for c in cover]}
    return {}


def _put_content(bundle: ZipFile, commitment: str, content_hash: str) -> None:
    """Add an artifact's content, if it is there; the verifier says when it is not."""
    if artifacts.is_digest(content_hash) and artifacts.path_of(content_hash).is_file():
        _put(bundle, f"artifacts/{commitment}", artifacts.path_of(content_hash).read_bytes())


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # no time, no system: the same data gives the same bytes
    info.compress_type, info.create_system, info.external_attr = ZIP_DEFLATED, 3, 0o644 << 16
    return info


def _put(bundle: ZipFile, name: str, data: bytes) -> None:
    bundle.writestr(_info(name), data)


def _json(row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"


def _body(body: bytes) -> dict[str, str]:
    """The hashed bytes as text that people can read, or in base64 when they are no text any more."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body64": base64.b64encode(body).decode("ascii"), "body": ""}


def _plain(value: Any) -> Any:
    return bytes(value).decode("utf-8", "backslashreplace") if isinstance(value, (bytes, memoryview)) else value


def _as_stamp(text: Any) -> Any:
    """A time as the database wrote it, in the form the body uses; unreadable ones stay as they are."""
    try:
        at = datetime.fromisoformat(text) if _TIME.fullmatch(text) else None
    except (ValueError, TypeError):
        at = None
    if at is None:
        return text
    return services.stamp(at if at.tzinfo else at.replace(tzinfo=UTC))


def _as_json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text
