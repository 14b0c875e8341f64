"""Every single byte: of a bundle's files, of the zip around them, of the rows in the database, of artifacts on disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos.evidence.world import Client, Told, World
from yunwei.ledger import verify

ROWS = ("entries.jsonl", "heads.jsonl", "artifacts.jsonl", "extra.jsonl")
WHOLE = ("manifest.json", "proofs.json")


def members(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle."""
    with zipfile.ZipFile(bundle) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(files: dict[str, bytes], path: Path) -> Path:
    """A bundle of these files, stored: nothing but the files matters here."""
    with zipfile.ZipFile(path, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def meaning(name: str, data: bytes) -> str:
    """What the verifier reads in a file: a byte that changes nothing of that (a space for a line's end) is no change."""
    if name.startswith("artifacts/"):
        return data.hex()
    lines = io.BytesIO(data) if name in ROWS else [data]
    return repr([verify.parse(line) for line in lines])


def changed(data: bytes, at: int, world: World) -> bytes:
    """The data with byte `at` of another value."""
    return data[:at] + bytes([(data[at] + world.dice.randrange(1, 256)) % 256]) + data[at + 1 :]


def places(name: str, data: bytes, world: World, lines: int) -> Iterator[int]:
    """Which bytes: all of a file, or of so many of its lines; of an artifact at most 500."""
    if name.startswith("artifacts/"):
        yield from sorted(world.dice.sample(range(len(data)), min(len(data), 500)))
        return
    starts = [0, *(i + 1 for i, byte in enumerate(data[:-1]) if byte == 0x0A)]
    for start in sorted(world.dice.sample(starts, min(lines, len(starts)))):
        end = data.find(b"\n", start) + 1 or len(data)
        yield from range(start, end)


def of_bundle(world: World, *, lines: int, span: int, step: int = 1) -> Told:
    """Every byte of the files of one bundle: of `lines` rows of each table, of every artifact in it."""
    told = Told("every byte of a bundle")
    last = world.size() - world.dice.randrange(2)
    path = world.write(max(1, last - span + 1), last)
    whole, known = members(path), world.client.check(path)
    if known[0]:
        told.failures.append(f"the bundle was not whole to begin with: {known[0]}")
    for name, data in whole.items():
        for at in list(places(name, data, world, lines))[:: step if len(data) > 100 else 1]:
            after = changed(data, at, world)
            named = look(world.client, {**whole, name: after}, world.scratch / "c.zip", known[1])
            if not named and same(name, data, after):
                continue
            told.add(f"{name}, byte {at}: {data[max(0, at - 20) : at]!r} {data[at]} → {after[at]}", named)
    return told


def look(client: Client, files: dict[str, bytes], path: Path, before: dict[str, Any]) -> list[str]:
    """What the client sees: findings, or heads of its own that the bundle no longer proves to continue."""
    codes, facts = client.check(zipped(files, path))
    lost = facts.get("linked_heads", 0) < before["linked_heads"]
    return codes or (["unlinked"] if lost else [])


def same(name: str, before: bytes, after: bytes) -> bool:
    """Whether two files say the same."""
    try:
        return meaning(name, before) == meaning(name, after)
    except verify.MALFORMED:
        return False


def of_zip(world: World, *, count: int) -> Told:
    """Bytes of the zip file itself: what is read from it afterwards is the same, or it is named."""
    told = Told("every byte of the zip around it")
    path = world.write(max(1, world.size() - 3))
    data, whole = path.read_bytes(), members(path)
    target = world.scratch / "z.zip"
    for at in sorted(world.dice.sample(range(len(data)), min(count, len(data)))):
        target.write_bytes(changed(data, at, world))
        codes, _facts = world.client.check(target)
        if not codes and members(target) == whole:
            continue  # a date or an attribute of the container, which no reader looks at
        told.add(f"byte {at}", codes)
    return told


def of_artifacts(world: World, *, count: int, each: int) -> Told:
    """Bytes of the files of artifacts on disk."""
    from yunwei.ledger import artifacts
    from yunwei.ledger.models import Artifact

    told = Told("every byte of artifacts on disk")
    alive = list(Artifact.objects.filter(redacted_at__isnull=True).exclude(size=0).order_by("id"))
    for row in world.dice.sample(alive, min(count, len(alive))):
        file, seq = artifacts.path_of(row.content_hash), number_of(row)
        data = file.read_bytes()
        for at in sorted(world.dice.sample(range(len(data)), min(each, len(data)))):
            file.write_bytes(changed(data, at, world))
            told.add(f"artifact of record {seq}, byte {at}", world.names(seq, seq))
        file.write_bytes(data[:-1])
        told.add(f"artifact of record {seq}, one byte less", world.names(seq, seq))
        file.write_bytes(data)
    return told


def number_of(row: Any) -> int:
    """The number of the first record that names an artifact."""
    from yunwei.ledger.models import Entry

    return int(Entry.objects.filter(intake__mentions__artifact=row).order_by("seq").values_list("seq", flat=True)[0])
