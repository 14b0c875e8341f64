"""Redactions that are none: content is gone or declared gone, and the log holds no record that allows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chaos.evidence.every_byte import members, number_of, zipped
from chaos.evidence.world import Told, World


def of_redactions(world: World, *, count: int) -> Told:
    """Every way to pretend one; the true one stands beside and holds."""
    from yunwei.ledger.models import Artifact

    told = Told("redactions that are none")
    alive = list(Artifact.objects.filter(redacted_at__isnull=True).exclude(content_hash="").order_by("id"))
    for _n in range(count if len(alive) > 1 else 0):
        one, two = world.dice.sample(alive, 2)
        seq = number_of(one)
        for name, pretend in PRETENCES.items():
            world.fresh()
            pretend(world, one, two)
            told.add(f"record {seq}, {name}", world.names(seq, seq))
        world.fresh()
        for name, files in _in_the_bundle(members(world.write(seq, seq)), one.commitment):
            codes = world.client.names(zipped(files, world.scratch / "r.zip"))
            told.add(f"record {seq}, {name}", codes)
        world.fresh()
        _truly(world, one)
        said = [*world.names(seq, seq), *world.names()]
        told.failures += [f"a true redaction of record {seq} is called {code}" for code in said]
    return told


def _row(one: Any, at: Any) -> None:
    type(one).objects.filter(pk=one.pk).update(redacted_at=at, salt=b"", content_hash="")


def _record(world: World, kind: str, subject: str, data: dict[str, Any], *, number: bool = True) -> None:
    from django.db import transaction

    from yunwei.ledger import services

    world.now += timedelta(minutes=90)
    with transaction.atomic():
        services.record(kind, subject, data, at=world.now, actor="a_manager")
    if number:
        services.sequence(world.now)


def _silent(world: World, one: Any, _two: Any) -> None:
    _row(one, world.now)


def _of_another(world: World, one: Any, two: Any) -> None:
    """The record is about another artifact, under this one's name."""
    _record(world, "ledger.redacted", one.commitment, {"commitment": two.commitment, "reason": "依法"})
    _row(one, world.now)


def _of_another_kind(world: World, one: Any, _two: Any) -> None:
    _record(world, "ledger.redaction", one.commitment, {"commitment": one.commitment, "reason": "依法"})
    _row(one, world.now)


def _not_numbered(world: World, one: Any, _two: Any) -> None:
    """The record waits outside of the log for ever."""
    _record(world, "ledger.redacted", one.commitment, {"commitment": one.commitment, "reason": "依法"}, number=False)
    _row(one, world.now)


def _taken_back(world: World, one: Any, _two: Any) -> None:
    """Redacted truly, then the record's body is made to speak of something else."""
    from yunwei.ledger.models import Intake

    _truly(world, one)
    row = Intake.objects.filter(kind="ledger.redacted").order_by("-id")[0]
    Intake.objects.filter(pk=row.pk).update(body=bytes(row.body).replace(b'"reason":"', b'"reason":"x'))


PRETENCES: dict[str, Callable[[World, Any, Any], None]] = {
    "a row says so and no record": _silent,
    "a record of another artifact": _of_another,
    "a record of another kind": _of_another_kind,
    "a record that has no number": _not_numbered,
    "a record that was changed afterwards": _taken_back,
}


def _in_the_bundle(files: dict[str, bytes], commitment: str) -> list[tuple[str, dict[str, bytes]]]:
    """The bundle is changed on its way instead."""
    rows = [json.loads(line) for line in files["artifacts.jsonl"].splitlines()]
    said = [{**r, "redacted": True, "salt": ""} if r["commitment"] == commitment else r for r in rows]
    gone = {name: data for name, data in files.items() if name != f"artifacts/{commitment}"}
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in said)
    (entry,) = files["entries.jsonl"].splitlines()
    body = json.loads(json.loads(entry)["body"])
    forged = {**body, "kind": "ledger.redacted", "data": {"commitment": commitment}, "artifacts": []}
    return [
        ("content left out", gone),
        ("declared in the bundle alone", {**gone, "artifacts.jsonl": lines}),
        ("declared, the content still there", {**files, "artifacts.jsonl": lines}),
        (
            "with a record that is not in the log",
            {**gone, "artifacts.jsonl": lines, "extra.jsonl": _forged(entry, forged)},
        ),
    ]


def _forged(entry: bytes, body: dict[str, Any]) -> bytes:
    """A redaction record with a right leaf, whose proof cannot be."""
    from yunwei.ledger import verify

    row = json.loads(entry)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    columns = {k: body[k] for k in ("kind", "subject", "actor", "at", "clauses")}
    leaf = verify.sm3(b"\x00" + text.encode()).hex()
    peaks = ["0" * 64] * (row["seq"] - 1).bit_count()
    forged = {"seq": row["seq"], "leaf": leaf, "body": text, "row": columns, "peaks": peaks, "cover": []}
    return json.dumps(forged, ensure_ascii=False).encode() + b"\n"


def _truly(world: World, one: Any) -> None:
    from django.db import transaction

    from yunwei.ledger import services

    world.now += timedelta(minutes=90)
    with transaction.atomic():
        services.redact(one, "含个人信息", at=world.now, actor="a_manager", basis="个人信息保护法")
    services.sequence(world.now)
