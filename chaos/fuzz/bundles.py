"""A small honest bundle made without a database: what the verifier's rules say, from a key of its own."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from yunwei.gm import sm2
from yunwei.kernel.canonical import canonical
from yunwei.ledger import verify

RECORDS = 5
SALT = b"s" * 32
CONTENT = "原始应答".encode() * 5


@cache
def _private() -> sm2.PrivateKey:
    """The same key every time: an input that failed can be had again."""
    number, point = int.from_bytes(verify.sm3(b"fuzz"), "big") % verify.N, None
    for i, row in enumerate(verify.comb(verify.G)):
        if digit := number >> 4 * i & 15:
            point = verify.plus(point, row[digit - 1])
    if point is None:
        raise ValueError("no point")
    x, y = verify.to_affine(point)
    return sm2.PrivateKey.from_number(number.to_bytes(32, "big"), x.to_bytes(32, "big") + y.to_bytes(32, "big"))


def fingerprint() -> str:
    """What the client was handed."""
    return str(_private().public.fingerprint)


@cache
def _key() -> verify.Key:
    return _Key(_private().public.point)


def key_of(point: Any, given: str) -> verify.Key:
    """verify.key_of with its tables made once: they take 0.1 s."""
    if point == _private().public.point.hex() and given == fingerprint():
        return _key()
    raise verify.Bad("key", "公钥", "不是移交时的那一个")


class _Key(verify.Key):
    """A key that remembers what it has verified: of a thousand bundles nearly all heads are the same."""

    @lru_cache(maxsize=4096)  # noqa: B019 - there is one
    def verify(self, message: bytes, signature: bytes) -> bool:
        """As its base does."""
        return super().verify(message, signature)


def _line(row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


@cache
def _signed() -> dict[str, Any]:
    peaks: list[bytes] = []
    for i, body in enumerate(_bodies()):
        verify.add(peaks, i, verify.sm3(b"\x00" + body))
    said = {"v": 1, "number": 1, "size": RECORDS, "root": verify.fold(peaks).hex(), "prev": "0" * 64,
            "at": "2026-03-02T01:00:00.000000Z", "key": fingerprint()}  # fmt: skip
    body = canonical(said)
    signature = _private().sign(body)
    row = {k: said[k] for k in ("number", "size", "root", "prev", "at", "key")}
    row["hash"] = verify.sm3(body + signature).hex()
    return {"body": body.decode(), "signature": signature.hex(), "row": row}


@cache
def _bodies() -> tuple[bytes, ...]:
    commitment = verify.sm3(SALT + CONTENT).hex()
    kept = [{"commitment": commitment, "media_type": "text/plain", "size": len(CONTENT)}]
    return tuple(
        canonical({"v": 1, "kind": "fuzz", "subject": f"物:{i}", "actor": "x", "at": "2026-03-02T00:59:00.000000Z", "clauses": ["1"],
                   "data": {"i": i}, "artifacts": kept if i == 1 else []})
        for i in range(RECORDS)
    )  # fmt: skip


@cache
def files() -> dict[str, bytes]:
    """The files of the bundle."""
    entries = []
    for i, body in enumerate(_bodies()):
        said = json.loads(body)
        columns = {k: said[k] for k in ("kind", "subject", "actor", "at", "clauses")}
        entries.append({"seq": i + 1, "leaf": verify.sm3(b"\x00" + body).hex(), "body": body.decode(), "row": columns})
    commitment = verify.sm3(SALT + CONTENT).hex()
    artifact = {"commitment": commitment, "salt": SALT.hex(), "media_type": "text/plain", "size": len(CONTENT)}
    proofs = {"left": [], "right": [], "rest": [], "links": [], "newest": _signed()}
    manifest = {"format": "yunwei-bundle/1", "from": 1, "to": RECORDS, "key": _private().public.point.hex()}
    return {
        "manifest.json": _line(manifest), "heads.jsonl": _line(_signed()), "proofs.json": _line(proofs),
        "entries.jsonl": b"".join(map(_line, entries)), "artifacts.jsonl": _line(artifact), "extra.jsonl": b"",
        f"artifacts/{commitment}": CONTENT,
    }  # fmt: skip


def head_file(folder: Path) -> Path:
    """The head as the client was given it."""
    path = folder / "head-000000000005-000000000001.json"
    if not path.exists():
        said = {k: _signed()[k] for k in ("body", "signature")}
        path.write_bytes(_line({**said, "public": _private().public.point.hex(), "links": []}))
    return path
