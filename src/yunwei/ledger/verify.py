#!/usr/bin/env python3
"""Checks evidence bundles and keeps the heads of a 云维 ledger, alone: Python 3.8+, standard library, nothing else.

This file is handed to the client once, with the key's fingerprint and the first head, apart from the bundles:

    python3 verify.py BUNDLE.zip --key-fingerprint F [--first-head FILE]   check a bundle; name the first bad record
    python3 verify.py witness add HEAD-FILE-OR-FOLDER... --store DIR       keep heads; report rewritten or cut history
    python3 verify.py witness check BUNDLE.zip --store DIR                 check a bundle against the heads kept
    python3 verify.py surprise --asset CODE --at TIME [--component C] [--what W]   the text of a surprise test, and its SM3

Exit 0: everything holds. 1: something does not, and it is named. 2: wrong usage. `--json` prints one JSON object.
verify.html does the same in a browser. It works offline, also where Python's OpenSSL has no SM3, and runs nothing that a bundle holds. The rules:
leaf = SM3(00 ‖ body), node = SM3(01 ‖ left ‖ right), tree as in RFC 6962; a head is signed by SM2 (r ‖ s, ID
1234567812345678) and names the SM3 of the head before it; an artifact is named by SM3(salt ‖ content).
"""

from __future__ import annotations

import argparse
import base64
import bisect
import contextlib
import hashlib
import json
import re
import secrets
import struct
import sys
import zipfile
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:  # Python 3.8 could not run these lines
    from collections.abc import Callable, Iterable, Iterator

    Affine = tuple[int, int]
    Jacobian = tuple[int, int, int]
    Outcome = tuple[list["Bad"], dict[str, Any]]

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
DOUBTFUL = timedelta(hours=1)  # heads are signed at least hourly: a record should not claim an earlier time than that
MAX_LINE, MAX_JSON, MAX_BYTES, BLOCK = 32 << 20, 64 << 20, 8 << 30, 1 << 20
# fmt: off
MALFORMED = (  # what zipfile, json and our own reading raise on garbage (RecursionError is a RuntimeError)
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, KeyError, TypeError, IndexError, OverflowError, AttributeError,
)
# fmt: on


class Bad(Exception):  # noqa: N818 - a finding about the evidence, not a fault of this program
    """A finding: `code` for machines, `place` and `text` for people, `seq` to find the first."""

    def __init__(self, code: str, place: str, text: str, seq: int = 0) -> None:
        super().__init__(f"{place}：{text}")
        self.code, self.place, self.text, self.seq = code, place, text, seq

    def facts(self) -> dict[str, Any]:
        """For --json."""
        return {"code": self.code, "place": self.place, "text": self.text, "seq": self.seq or None}


# --- SM3 (GB/T 32905) ------------------------------------------------------------------------------------------------
def _rounds() -> Iterator[int]:
    for j in range(64):
        t, n = 0x79CC4519 if j < 16 else 0x7A879D8A, j % 32
        yield ((t << n) | (t >> (32 - n) if n else 0)) & 0xFFFFFFFF


T = list(_rounds())


def sm3_pure(data: bytes) -> bytes:
    """SM3 in plain Python."""
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    data = data + b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack(">Q", len(data) * 8)
    m = 0xFFFFFFFF
    for at in range(0, len(data), 64):
        w = list(struct.unpack_from(">16I", data, at))
        for j in range(16, 68):
            y, z = w[j - 3], w[j - 13]
            x = w[j - 16] ^ w[j - 9] ^ ((y << 15 | y >> 17) & m)
            w.append(x ^ ((x << 15 | x >> 17) & m) ^ ((x << 23 | x >> 9) & m) ^ ((z << 7 | z >> 25) & m) ^ w[j - 6])
        a, b, c, d, e, f, g, h = state
        for j in range(64):
            r = (a << 12 | a >> 20) & m
            s = (r + e + T[j]) & m
            s = (s << 7 | s >> 25) & m
            if j < 16:
                x = ((a ^ b ^ c) + d + (s ^ r) + (w[j] ^ w[j + 4])) & m
                y = ((e ^ f ^ g) + h + s + w[j]) & m
            else:
                x = ((a & b | c & (a | b)) + d + (s ^ r) + (w[j] ^ w[j + 4])) & m
                y = ((g ^ e & (f ^ g)) + h + s + w[j]) & m
            d, c, b, a = c, (b << 9 | b >> 23) & m, a, x
            h, g, f, e = g, (f << 19 | f >> 13) & m, e, y ^ ((y << 9 | y >> 23) & m) ^ ((y << 17 | y >> 15) & m)
        state = [p ^ q for p, q in zip(state, (a, b, c, d, e, f, g, h))]
    return struct.pack(">8I", *state)


def _choose_sm3() -> Callable[[bytes], bytes]:
    """hashlib's where it has one, hundreds of times faster."""
    try:
        empty = hashlib.new("sm3")
    except ValueError:
        return sm3_pure

    def sm3_native(data: bytes) -> bytes:
        h = empty.copy()  # half the time of asking OpenSSL for the algorithm by its name again
        h.update(data)
        return h.digest()

    return sm3_native


sm3 = _choose_sm3()

# --- SM2 verification (GB/T 32918.2; all inputs are public, so variable time does no harm) -----------------
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")


def double(q: Jacobian) -> Jacobian:
    """2q for a Jacobian point; a = -3."""
    x, y, z = q
    yy, zz = y * y % P, z * z % P
    s, m = 4 * x * yy % P, 3 * (x - zz) * (x + zz) % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * yy * yy) % P, 2 * y * z % P


def plus(q: Jacobian | None, affine: Affine) -> Jacobian | None:
    """q + an affine point, q Jacobian or None for infinity."""
    if q is None:
        return (affine[0], affine[1], 1)
    x, y, z = q
    zz = z * z % P
    h, r = (affine[0] * zz - x) % P, (affine[1] * z * zz - y) % P
    if h == 0:
        return double(q) if r == 0 else None
    hh = h * h % P
    hhh, v = h * hh % P, x * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - y * hhh) % P, z * h % P


def to_affine(q: Jacobian) -> Affine:
    """x, y of a Jacobian point."""
    inverse = pow(q[2], -1, P)
    return q[0] * inverse * inverse % P, q[1] * inverse * inverse * inverse % P


def comb(point: Affine) -> list[list[Affine]]:
    """For each of 64 hexadecimal digits of a scalar: the 15 multiples of point × 16^i."""
    tables = []
    for _ in range(64):
        row, q = [point], double((point[0], point[1], 1))
        for _ in range(14):
            row.append(to_affine(q))
            q = plus(q, point) or q  # never infinity: the order is prime and large
        tables.append(row)
        point = to_affine(q)  # 16 × point
    return tables


class Key:
    """A public key that verifies many signatures."""

    tables_of_g: tuple[list[Affine], ...] = ()

    def __init__(self, point: bytes) -> None:
        x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
        if len(point) != 64 or max(x, y) >= P or (y * y - x * x * x + 3 * x - B) % P:
            raise Bad("key", "公钥", "不是 SM2 曲线上的点")
        numbers = b"".join(n.to_bytes(32, "big") for n in (P - 3, B, G[0], G[1], x, y))
        self.za = sm3(b"\x00\x80" + b"1234567812345678" + numbers)
        self.fingerprint = sm3(SPKI + point).hex()
        Key.tables_of_g = Key.tables_of_g or tuple(comb(G))
        self.tables = comb((x, y))

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether r ‖ s is this key's over `message`."""
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        t = (r + s) % N
        if len(signature) != 64 or not (0 < r < N and 0 < s < N and t):
            return False
        q: Jacobian | None = None
        for scalar, tables in ((s, Key.tables_of_g), (t, self.tables)):
            for i, row in enumerate(tables):
                digit = scalar >> 4 * i & 15
                if digit:
                    q = plus(q, row[digit - 1])
        e = int.from_bytes(sm3(self.za + message), "big")
        return q is not None and (e + to_affine(q)[0]) % N == r


# --- the tree (RFC 6962 §2.1): peaks are the complete subtrees of a size, largest first -----------------
def add(peaks: list[bytes], at: int, node: bytes, level: int = 0) -> None:
    """Add a complete subtree of 2^level leaves to a tree of `at` leaves."""
    index = at >> level
    while index & 1:
        node = sm3(b"\x01" + peaks.pop() + node)
        index >>= 1
    peaks.append(node)


def fold(peaks: list[bytes]) -> bytes:
    """The root."""
    if not peaks:
        return sm3(b"")
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = sm3(b"\x01" + peak + root)
    return root


def extend(peaks: list[bytes], start: int, end: int, nodes: list[bytes]) -> list[bytes]:
    """Peaks after adding the largest complete subtrees from `start` to `end`; ValueError when they are not as many."""
    peaks, nodes = list(peaks), list(nodes)
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        if not nodes:
            raise ValueError("the proof is too short")
        add(peaks, start, nodes.pop(0), level)
        start += 1 << level
    if nodes or start > end:
        raise ValueError("the proof is too long")
    return peaks


def consistent(old: Head, new_root: bytes, new_size: int, link: dict[str, Any]) -> bool:
    """Whether `link` (size, peaks, cover) proves that a tree of new_root extends the head `old`."""
    try:
        peaks = hashes(link["peaks"])
        if link["size"] != old.size or len(peaks) != bin(old.size).count("1") or fold(peaks) != old.root:
            return False
        return bool(fold(extend(peaks, old.size, new_size, hashes(link["cover"]))) == new_root)
    except MALFORMED:
        return False


# --- reading ---------------------------------------------------------------------------------------------------------
def number(text: str) -> int:
    """An integer of JSON; a million digits would take minutes."""
    if len(text) > 20:
        raise ValueError("a number out of range")
    return int(text)


JSON = json.JSONDecoder(parse_int=number)  # made once: json.loads makes one each time


def parse(data: bytes | str) -> Any:
    """JSON, strictly UTF-8."""
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    try:
        value, end = JSON.scan_once(text, 0)  # type: ignore[attr-defined]  # CPython has it
    except StopIteration:
        end = -1
    return value if end == len(text) else JSON.decode(text)  # which takes spaces around it, and says what is wrong


def shown(value: Any) -> Any:
    """A number as JSON writes it, so that both verifiers say the same of one that is none."""
    return json.dumps(value) if isinstance(value, float) else value


def unhex(text: str, size: int = 32) -> bytes:
    """Bytes of lower-case hexadecimal of exactly this size."""
    data = bytes.fromhex(text)
    if len(data) != size or data.hex() != text:
        raise ValueError(f"not {size} bytes of lower-case hexadecimal")
    return data


def whole(value: Any) -> int:
    """An integer that every reader of JSON keeps exact: 1.5 records would be compared with nothing, and so pass."""
    if type(value) is not int or abs(value) >= 1 << 53:
        raise ValueError("not a whole number")
    return value


def name_of(row: dict[str, Any]) -> str:
    """The commitment by which an artifact goes."""
    name = row["commitment"]
    if not isinstance(name, str):
        raise ValueError("not a text")
    return name


def hashes(texts: list[str]) -> list[bytes]:
    """A list of digests."""
    return [unhex(text) for text in texts]


def when(text: str) -> datetime:
    """A time as heads write it."""
    if not TIME.fullmatch(text):
        raise ValueError("not a time")
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=timezone.utc)  # strptime takes ten times as long


class Gap:
    """What a head says that goes on after a restore: the old head that is no longer there, and the kept one it grew from."""

    def __init__(self, said: dict[str, Any]) -> None:
        old, kept = said["old"], said["kept"]
        self.old_number, self.old_size, self.old_hash = whole(old["number"]), whole(old["size"]), old["hash"]
        self.number, self.size, self.hash = whole(kept["number"]), whole(kept["size"]), kept["hash"]
        self.lost, self.said = whole(said["lost"]), {"old": old, "kept": kept, "lost": said["lost"]}

    def fits(self, head: Head) -> bool:
        """Whether the head says of itself what the gap says: it counts on from the old head, its tree from the kept one."""
        numbers = 0 < self.number < self.old_number == head.number - 1 and head.prev == self.old_hash
        return numbers and 0 <= self.lost == self.old_size - self.size and head.size == self.size + 1

    def covers(self, head: Head) -> bool:
        """Whether a head is one of those that the restore lost."""
        return self.number < head.number <= self.old_number

    def denies(self, head: Head) -> bool:
        """Whether a head, kept or lost, is another one than this says."""
        if head.number == self.number:
            return (head.hash, head.size) != (self.hash, self.size)
        if head.number == self.old_number:
            return (head.hash, head.size) != (self.old_hash, self.old_size)
        return self.covers(head) and not self.size <= head.size <= self.old_size

    def words(self) -> str:
        """For people."""
        return f"从备份恢复：编号 {self.size + 1} 至 {self.old_size} 的 {self.lost} 条记录丢失"


class Head:
    """A signed head as a file or a bundle carries it."""

    def __init__(self, facts: dict[str, Any], place: str = "签名头") -> None:
        try:
            self.text, self.signature = facts["body"], unhex(facts["signature"], 64)
            self.body = self.text.encode("utf-8")
            said = parse(self.text)
            self.number, self.size = whole(said["number"]), whole(said["size"])
            self.root, self.prev = unhex(said["root"]), said["prev"]
            self.at, self.key, self.said = when(said["at"]), said["key"], said
            self.links = facts.get("links", [])
            if not isinstance(self.links, list):
                raise ValueError("links")
            self.gap = Gap(said["restored"]) if "restored" in said else None
            if not (self.number > 0 and self.size >= 0 and len(self.prev) == 64):
                raise ValueError("numbers out of range")
        except MALFORMED as e:
            raise Bad("malformed", place, f"无法读取（{e}）") from None
        self.seen = False  # set when it was compared on the way through the records
        self.place = f"签名头 {self.number}（{self.size} 条，{said['at']}）"
        self.hash = sm3(self.body + self.signature).hex()
        self.point, self.row = facts.get("public"), facts.get("row")

    def check(self, key: Key) -> None:
        """Raise unless the pinned key signed this."""
        if self.key != key.fingerprint:
            raise Bad("key", self.place, f"由另一把密钥签名（{self.key}）")
        if not key.verify(self.body, self.signature):
            raise Bad("signature", self.place, "SM2 签名不成立：内容或签名被改动")
        if self.gap is not None and not self.gap.fits(self):
            raise Bad("restored-false", self.place, "声明是从备份恢复的，但前后的编号、条数或哈希自相矛盾")
        if self.row is not None:
            mine = {k: self.said[k] for k in ("number", "size", "root", "prev", "at", "key")}
            if self.row != dict(mine, hash=self.hash):
                raise Bad("head-row", self.place, "数据库中的列与签名内容不符")

    def follows(self, older: Head) -> None:
        """Raise unless this head can come after `older` (proofs apart)."""
        after = self.gap is not None and older.number >= self.gap.number
        if after:
            self.resumes(older)
        elif self.size < older.size:
            raise Bad("cut", self.place, f"历史被截短：之前的{older.place}已有更多记录")
        if self.at < older.at:
            raise Bad("time", self.place, f"时间早于之前的{older.place}")
        if after:
            return
        if self.size == older.size and self.root != older.root:
            raise Bad("rewritten", self.place, f"记录数相同而树根不同：历史在{older.place}之后被改写")
        if self.number == older.number + 1 and self.prev != older.hash:
            raise Bad("chain", self.place, f"没有接在{older.place}之后：签名头被替换或重签")

    def resumes(self, older: Head) -> None:
        """Raise unless `older`, which was kept or lost by the restore that this head tells of, is as it says."""
        if self.gap is not None and self.gap.denies(older):
            raise Bad("restored-false", self.place, f"声明是从备份恢复的，但所说的与{older.place}不符")


def by_size(heads: Iterable[Head]) -> dict[int, list[Head]]:
    """The heads of each size: a year has thousands, and every record asks."""
    found: dict[int, list[Head]] = {}
    for head in heads:
        found.setdefault(head.size, []).append(head)
    return found


def read_head(path: str | Path) -> Head:
    """The head in a file. Raises Bad for anything else."""
    try:
        size = Path(path).stat().st_size
        if size > MAX_JSON:
            raise ValueError("too large")
        with Path(path).open("rb") as f:
            data = f.read(size + 1)  # not "read(MAX_JSON)", for which Python takes 64 MiB first
        facts = parse(data)
    except (OSError, *MALFORMED) as e:
        raise Bad("malformed", str(path), f"无法读取（{e}）") from None
    return Head(facts, str(path))


def key_of(point: str, fingerprint: str) -> Key:
    """The key of a point, which must have the fingerprint that was handed over."""
    try:
        key = Key(unhex(point, 64))
    except MALFORMED:
        raise Bad("key", "公钥", "无法读取") from None
    if key.fingerprint != fingerprint.lower().replace(":", "").replace(" ", ""):
        raise Bad("key", "公钥", f"指纹不是移交时的那一个（现为 {key.fingerprint}）")
    return key


class Bundle:
    """The files of a bundle, each read once and within limits; nothing is ever unpacked to disk."""

    NAMES = ("manifest.json", "entries.jsonl", "heads.jsonl", "proofs.json", "artifacts.jsonl", "extra.jsonl")

    def __init__(self, file: BinaryIO, max_bytes: int) -> None:
        self.zip, self.max_bytes = zipfile.ZipFile(file), max_bytes

    def survey(self) -> None:
        """Raise for anything that is not the data of a bundle, before any of it is read."""
        infos = self.zip.infolist()
        self.names = {i.filename: i for i in infos}
        for i in infos:
            known = i.filename in self.NAMES or (i.filename.startswith("artifacts/") and len(i.filename) == 74)
            if not known or i.flag_bits & 1 or i.compress_type not in (0, 8):
                raise Bad("malformed", i.filename[:100], "证据包只应有数据，不应有这个文件")
        if len(self.names) != len(infos):
            raise Bad("malformed", "证据包", "同名文件出现两次")
        if sum(i.file_size for i in infos) > self.max_bytes:
            raise Bad("too-large", "证据包", f"展开后超过 {self.max_bytes} 字节，疑似压缩炸弹（可用 --max-bytes 放宽）")
        for name in self.NAMES:
            if name not in self.names:
                raise Bad("malformed", name, "缺失")

    def whole(self, name: str, limit: int = MAX_JSON) -> bytes:
        """A file's content."""
        if self.names[name].file_size > limit:
            raise Bad("too-large", name, "过大")
        with self.zip.open(name) as f:
            return f.read(limit + 1)

    def lines(self, name: str) -> Iterator[Any]:
        """Each line as JSON; a line that is none is named."""
        for count, line in enumerate(self.split(name), 1):
            try:
                if len(line) > MAX_LINE:
                    raise ValueError("too long")
                yield parse(line)
            except MALFORMED as e:
                raise Bad("malformed", f"{name} 第 {count} 行", f"无法读取（{e}）") from None

    def split(self, name: str) -> Iterator[bytes]:
        """The lines, cut out of large blocks (a zip's own readline takes as long as the hashing). One without an end is
        given as far as it was read, so that it is found too long."""
        with self.zip.open(name) as f:
            rest = b""
            while True:
                block = f.read(BLOCK)
                if not block:
                    break
                *lines, rest = (rest + block).split(b"\n")
                yield from lines
                if len(rest) > MAX_LINE:
                    break
            if rest:
                yield rest


# --- checking a bundle -----------------------------------------------------------------------------------------------
class Check:
    """One bundle, walked once from its first record to its last; findings are collected, the first one leads."""

    def __init__(self, path: str, fingerprint: str, known: Iterable[Head] = (), max_bytes: int = MAX_BYTES) -> None:
        self.path, self.fingerprint, self.known = path, fingerprint, list(known)
        self.findings: list[Bad] = []
        self.facts: dict[str, Any] = {}
        self.max_bytes, self.linked, self.behind = max_bytes, 0, 0
        self.doubtful: list[int] = []
        self.between: dict[
            int, tuple[str, str]
        ] = {}  # by place among the heads: the times that a record there may claim
        self.gaps: dict[int, Head] = {}  # by number: the heads that go on after a restore
        self.told: dict[int, dict[str, Any]] = {}  # by number: the records of restores
        self.answers: dict[int, tuple[int, dict[str, Any]]] = {}  # what the client answered, by the restore's record

    def tell(self, done: int, total: int) -> None:
        """How far it is, in one line of a terminal that somebody watches."""
        if sys.stderr.isatty():
            print(f"\r已核对 {done} / {total} 条记录", end="", file=sys.stderr, flush=True)

    def run(self) -> list[Bad]:
        """All findings, the first one first."""
        try:
            with Path(self.path).open("rb") as file:
                self.bundle = Bundle(file, self.max_bytes)
                self.walk()
        except Bad as e:
            self.findings.append(e)
        except OSError as e:
            self.findings.append(Bad("unreadable", str(self.path), str(e)))
        except MALFORMED as e:
            self.findings.append(Bad("malformed", "证据包", f"无法读取（{type(e).__name__}: {e}）"))
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        self.findings.sort(key=lambda e: e.seq)  # stable: what stands above the records (key, heads) comes first
        return self.findings

    def walk(self) -> None:
        """The checks in their order; raises for what makes the rest unreadable."""
        self.bundle.survey()
        self.manifest = parse(self.bundle.whole("manifest.json"))
        self.proofs = parse(self.bundle.whole("proofs.json"))
        if self.manifest["format"] != "yunwei-bundle/1":
            raise Bad("malformed", "manifest.json", "不认识的格式")
        self.first, self.last = whole(self.manifest["from"]), whole(self.manifest["to"])
        if not 1 <= self.first <= self.last + 1:
            raise Bad("malformed", "manifest.json", "记录范围不成立")
        self.key = key_of(self.manifest["key"], self.fingerprint)
        self.heads()
        self.resumptions()
        self.artifacts = {name_of(a): a for a in self.bundle.lines("artifacts.jsonl")}
        self.redactions()
        self.entries()

    def note(self, code: str, place: str, text: str, seq: int = 0) -> None:
        """Add a finding and go on."""
        if len(self.findings) < 200:
            self.findings.append(Bad(code, place, text, seq))

    def heads(self) -> None:
        """All heads signed, chained, in order; the newest stands for the whole log."""
        self.list, self.newest = [Head(h) for h in self.bundle.lines("heads.jsonl")], Head(self.proofs["newest"])
        self.sizes, self.held = sorted(h.size for h in self.list), by_size(self.list)
        older = None
        for head in [*self.list, self.newest]:
            try:
                head.check(self.key)
                if head.row is None:  # a bundle carries the columns beside each head; without them none are compared
                    raise Bad("head-row", head.place, "没有给出数据库中的列")
                if older is not None:
                    before = head.number - 1 if head.gap is None else head.gap.number
                    if head is not self.newest and older.number != before:
                        raise Bad("chain", head.place, f"与{older.place}之间缺少签名头")
                    head.follows(older)
                elif head is not self.newest and head.number > 1 and head.size >= self.first:
                    raise Bad("chain", head.place, "之前缺少签名头")  # the one before the range is carried too
            except Bad as e:
                self.findings.append(e)
            older = head
        self.facts.update(heads=len(self.list), size=self.newest.size, head_at=self.newest.said["at"])
        if not self.list or self.list[-1].size < self.last:
            raise Bad("uncovered", f"记录 {self.last}", "没有签名头覆盖这个范围")

    def resumptions(self) -> None:
        """The heads that go on after a restore: signed, and the newest one continues each of them."""
        carried = self.proofs.get("restored", [])
        if not isinstance(carried, list):
            raise ValueError("restored")
        for facts in carried:
            head = Head(facts)
            try:
                head.check(self.key)
                if head.gap is None or not consistent(head, self.newest.root, self.newest.size, facts["link"]):
                    raise Bad("restored-false", head.place, "声明是从备份恢复的，但台账不是它的延续")
                self.gaps[head.number] = head
            except Bad as e:
                self.findings.append(e)
        for head in [*self.list, self.newest]:
            if head.gap is not None:
                self.gaps.setdefault(head.number, head)
        self.kept = by_size(h for h in self.known if self.lost_by(h) is None)

    def lost_by(self, head: Head) -> Gap | None:
        """The restore that lost this head, which the client holds; None when no head says so."""
        return next((g.gap for g in self.gaps.values() if g.gap is not None and g.gap.covers(head)), None)

    def record(self, row: dict[str, Any], place: str) -> tuple[dict[str, Any], bytes]:
        """The body of a record and its leaf, after the body was checked against the leaf and the columns."""
        seq = row["seq"]
        data = base64.b64decode(row["body64"], validate=True) if "body64" in row else row["body"].encode("utf-8")
        stored, leaf = row["leaf"], sm3(b"\x00" + data)
        if stored != leaf.hex():
            self.note("altered", place, "内容与其叶哈希不符：记录被改动", seq)
            with contextlib.suppress(*MALFORMED):
                leaf = unhex(stored)  # go on with the stored hash: if the heads hold with it, only this record is bad
            return {}, leaf
        try:
            body = parse(data)
            columns = {k: body[k] for k in ("kind", "subject", "actor", "at", "clauses")}
            if not isinstance(body["artifacts"], list):
                raise ValueError("artifacts")
        except MALFORMED as e:
            self.note("malformed", place, f"内容无法读取（{e}）", seq)
            return {}, leaf
        if row["row"] != columns:
            wrong = [k for k in columns if not isinstance(row["row"], dict) or row["row"].get(k) != columns[k]]
            self.note("columns", place, "数据库中的列与记录内容不符：" + "、".join(wrong), seq)
        return body, leaf

    def redactions(self) -> None:
        """Redaction records that stand outside of the range, and those of restores, come with a proof of their own."""
        self.redacted: dict[str, int] = {}
        for row in self.bundle.lines("extra.jsonl"):
            seq = whole(row["seq"])
            place = f"记录 {seq}（范围之外）"
            body, leaf = self.record(row, place)
            peaks = hashes(row["peaks"])
            fits = len(peaks) == bin(seq - 1).count("1") and 0 < seq <= self.newest.size
            if not fits or fold(
                extend(extend(peaks, seq - 1, seq, [leaf]), seq, self.newest.size, hashes(row["cover"]))
            ) != (self.newest.root):
                self.note("forged", place, "不在签名头覆盖的台账中", seq)
            else:
                self.learn(seq, body)

    def learn(self, seq: int, body: dict[str, Any]) -> None:
        """Remember what a redaction record allows, what a restore's record says, and what the client answered to it."""
        kind = body.get("kind")
        if kind == "ledger.redacted":
            self.redacted[name_of(body["data"])] = seq
        elif kind == "ledger.restored":
            self.told[seq] = body
        elif kind in ("ledger.restored.acknowledged", "ledger.restored.refused"):
            self.answers[whole(body["data"]["seq"])] = (seq, body)

    def dated(self, seq: int, body: dict[str, Any]) -> None:
        """Count records that claim another time than the heads around them allow: entered long after the fact, or before.

        No finding, because an honest machine that stood still also enters late; people look at these."""
        place = bisect.bisect_left(self.sizes, seq)
        if place not in self.between:
            low = (self.list[place - 1].at - DOUBTFUL).strftime(STAMP) if place else ""
            high = (self.list[place].at + DOUBTFUL).strftime(STAMP) if place < len(self.list) else "~"
            self.between[place] = (low, high)
        low, high = self.between[place]
        at = body.get("at")
        if isinstance(at, str) and not low <= at <= high and TIME.fullmatch(at):  # of one length, they sort as texts
            self.doubtful.append(seq)

    def entries(self) -> None:
        """Grow the tree record by record and compare it with each head on the way."""
        size, wanted = self.first - 1, []
        peaks = hashes(self.proofs["left"])
        if len(peaks) != bin(size).count("1"):
            raise Bad("malformed", "proofs.json", "左侧证明长度不对")
        good = size
        for row in self.bundle.lines("entries.jsonl"):
            good = self.at_size(size, peaks, good)
            seq = row["seq"]
            if seq != size + 1:
                raise Bad("missing", f"记录 {size + 1}", f"缺失或次序被改（其后是记录 {shown(seq)}）", size + 1)
            body, leaf = self.record(row, f"记录 {seq}")
            self.learn(seq, body)
            self.dated(seq, body)
            wanted += [(seq, a) for a in body.get("artifacts", [])]
            add(peaks, size, leaf)
            size += 1
            if size % 1000 == 0:
                self.tell(size - self.first + 1, self.last - self.first + 1)
        good = self.at_size(size, peaks, good)
        if size != self.last:
            raise Bad("missing", f"记录 {size + 1}", "缺失：证据包声明的范围没有给全", size + 1)
        self.contents(wanted)
        closing = self.list[-1]
        try:
            peaks = extend(peaks, size, closing.size, hashes(self.proofs["right"]))
            if fold(peaks) != closing.root:
                self.blame(good, closing, size)
            if fold(extend(peaks, closing.size, self.newest.size, hashes(self.proofs["rest"]))) != self.newest.root:
                self.note("inconsistent", self.newest.place, f"不是{closing.place}的延续", self.last + 1)
        except ValueError as e:
            self.note("malformed", "proofs.json", f"无法读取（{e}）")
        self.facts.update(
            {"from": self.first, "to": self.last, "artifacts": len({a["commitment"] for _s, a in wanted})}
        )
        if self.doubtful:
            self.facts.update({"doubtful_times": len(self.doubtful), "doubtful_records": self.doubtful[:50]})
        self.restores()
        for head in self.known:
            self.link(head)
        if self.behind:
            self.facts["behind"] = self.behind

    def restores(self) -> None:
        """Each restore: record and head say the same, and the client has acknowledged it."""
        found = []
        for number in sorted(self.gaps):
            gap = self.gaps[number].gap
            if gap is not None:
                found.append(self.restore(gap.size + 1, self.gaps[number], gap))
        done = [one["seq"] for one in found]
        found += [self.restore(seq, None, None) for seq in sorted(self.told) if seq not in done]
        if found:
            self.facts["restored"] = found

    def restore(self, seq: int, head: Head | None, gap: Gap | None) -> dict[str, Any]:
        """One restore, for the facts."""
        body = self.told.get(seq)
        data = body["data"] if body else {}
        place = f"记录 {seq}" if head is None else head.place
        if gap is not None and body is None:
            self.note("restored-false", place, "声明是从备份恢复的，但没有恢复记录", seq)
        elif gap is not None and {k: data.get(k) for k in gap.said} != gap.said:
            self.note("restored-false", place, f"恢复记录 {seq} 与签名头的声明不符", seq)
        elif gap is None and data.get("old") is not None:
            self.note("restored-false", place, "是恢复记录，但没有签名头这样声明", seq)
        at, answer = self.answers.get(seq, (0, {}))
        lost = "从备份恢复，没有旧的签名头可对照，丢失条数不明" if gap is None else gap.words()
        agreed = answer.get("kind") == "ledger.restored.acknowledged" if answer else None
        if agreed is None:
            self.note("restored-open", place, f"{lost}；甲方尚未确认", seq)
        elif not agreed:
            self.note("restored-refused", place, f"{lost}；甲方不认可（记录 {at}）", seq)
        facts: dict[str, Any] = {"seq": seq, "head": None, "old": None, "lost": None, "agreed": agreed}
        if head is not None and gap is not None:
            facts.update({"head": head.number, "old": gap.old_number, "lost": gap.lost})
        return dict(facts, answer=at or None, by=answer.get("actor"), why=data.get("why"))

    def at_size(self, size: int, peaks: list[bytes], good: int) -> int:
        """Compare with the heads of this size (ours and the client's); returns the last size that was right."""
        if size not in self.held and size not in self.kept:
            return good
        root = fold(peaks)
        for head in self.held.get(size, []):
            if head.root != root:
                self.blame(good, head, size)
                return size
        for head in self.kept.get(size, []):
            self.linked += 1
            head.seen = True
            if head.root != root:
                self.note("rewritten", head.place, "您保存的签名头与证据包不符：历史被改写", good + 1)
        return size

    def blame(self, good: int, head: Head, size: int) -> None:
        """Name the records between the last root that was right and this one."""
        if any(good < e.seq <= size and e.code == "altered" for e in self.findings):
            return  # already named
        self.note(
            "root",
            f"记录 {good + 1} 至 {max(size, good + 1)}",
            f"与{head.place}的树根不符：其中有记录连同哈希一起被改写",
            good + 1,
        )

    def contents(self, wanted: list[tuple[int, dict[str, Any]]]) -> None:
        """Each artifact that a record names is there and is the one it committed to, or was redacted by a record."""
        present = {n[len("artifacts/") :] for n in self.bundle.names if n.startswith("artifacts/")}
        named, done = set(), set()
        for seq, said in wanted:
            name = name_of(said)
            named.add(name)
            if name not in done:
                done.add(name)
                self.content(seq, said, name, self.artifacts.get(name), name in present)
        for name in sorted((present | set(self.artifacts)) - named):
            self.note("stray", f"证据文件 {name[:16]}", "没有任何记录提到它", self.last)

    def content(self, seq: int, said: dict[str, Any], name: str, row: dict[str, Any] | None, present: bool) -> None:
        """One artifact."""
        place = f"记录 {seq} 的证据文件 {name[:16]}"
        if row is None:
            return self.note("artifact-missing", place, "缺失", seq)
        if (row["media_type"], row["size"]) != (said["media_type"], said["size"]):
            return self.note("artifact-columns", place, "类型或大小与记录不符", seq)
        if row.get("redacted"):
            if name not in self.redacted:
                self.note("fake-redaction", place, "声称已依法删除，但台账中没有删除记录", seq)
            return None
        if not present:
            return self.note("artifact-missing", place, "内容缺失，且没有删除记录", seq)
        try:
            if self.bundle.names["artifacts/" + name].file_size != said["size"]:
                raise ValueError("size")
            content = self.bundle.whole("artifacts/" + name, MAX_BYTES)
            if sm3(unhex(row["salt"]) + content).hex() == name:
                return None
        except MALFORMED:
            pass
        return self.note("artifact-altered", place, "内容与记录的承诺值不符：被改动或调换", seq)

    def link(self, head: Head) -> None:
        """Place a head that the client holds in the history of this bundle."""
        if head.seen:
            return
        if any(g.gap is not None and g.gap.denies(head) for g in self.gaps.values()):
            self.note("restored-false", head.place, "恢复记录所说的签名头与您保存的不符")
        if self.lost_by(head) is not None:
            self.linked += 1
            return
        same = [h for h in [*self.list, self.newest, *self.gaps.values()] if h.number == head.number]
        if same and same[0].hash != head.hash:
            self.note("resigned", head.place, "同一编号的签名头有两个版本：历史被改写并重签")
        elif head.number in self.gaps:
            self.linked += 1  # it was proven when it was taken in
        elif head.size > self.newest.size:
            if head.at <= self.newest.at:
                self.note("cut", head.place, "您保存的签名头有更多记录：历史被截短")
            else:  # an old bundle, or one that was made to look old: only people know when they asked for it
                self.behind = max(self.behind, head.size - self.newest.size)
        elif head.size == self.newest.size or any(x["size"] == head.size for x in self.proofs["links"]):
            self.linked += 1
            proofs = [x for x in self.proofs["links"] if x["size"] == head.size]
            same_root = head.size == self.newest.size and head.root == self.newest.root
            if not same_root and not any(consistent(head, self.newest.root, self.newest.size, x) for x in proofs):
                self.note("rewritten", head.place, "证据包不是您保存的签名头的延续：历史被改写")


def check_bundle(path: str, fingerprint: str, known: list[Head], max_bytes: int) -> Outcome:
    """Findings and facts. With heads known, at least one must be tied to the bundle."""
    check = Check(path, fingerprint, known, max_bytes)
    check.run()
    if known and not check.findings and not check.linked:
        check.note("unlinked", "证据包", "没有带来与您保存的签名头相衔接的证明")
    check.facts["linked_heads"] = check.linked
    return check.findings, check.facts


# --- the witness -----------------------------------------------------------------------------------------------------
class Store:
    """The client's folder of heads. A head that contradicts is kept too: two under one number convict."""

    def __init__(self, folder: str) -> None:
        self.folder, self.pin = Path(folder), Path(folder) / "key.txt"
        self.heads: list[Head] = []
        if self.folder.is_dir():
            self.heads = sorted(map(read_head, files_of([folder])), key=lambda h: h.number)

    def fingerprint(self, given: str) -> str:
        """The pinned fingerprint; the first `add` pins the one given, and another one later is refused."""
        if self.pin.exists():
            pinned = self.pin.read_text(encoding="ascii").strip()
            if given and given.lower() != pinned:
                raise Bad("key", str(self.pin), "给出的指纹与首次登记的不同")
            return pinned
        if not given:
            raise Bad("usage", str(self.folder), "首次使用请给出 --key-fingerprint（移交时的密钥指纹）")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write("key.txt", given.lower().encode("ascii"))
        return given.lower()

    def write(self, name: str, data: bytes) -> None:
        """Keep a file; what is there already is never overwritten."""
        path, temporary = self.folder / name, self.folder / (name + ".tmp")
        if not path.exists():
            temporary.write_bytes(data)
            temporary.replace(path)

    def add(self, path: str, fingerprint: str) -> tuple[str, Head]:
        """Take a head in: ("new" or "known", head). Raises Bad for one that contradicts what is kept."""
        head = read_head(path)
        head.check(key_of(head.point or "", fingerprint))
        data = Path(path).read_bytes()
        same = [h for h in self.heads if h.number == head.number]
        if same and same[0].hash == head.hash:
            return "known", head
        try:
            if same:
                raise Bad("resigned", head.place, "同一编号已有另一个签名头：历史被改写并重签")
            self.compare(head)
        except Bad as e:
            if e.code != "gap":
                self.write(f"conflict-{head.number:012d}-{head.hash[:16]}.json", data)
            raise
        self.write(f"head-{head.size:012d}-{head.number:012d}.json", data)
        self.heads = sorted([*self.heads, head], key=lambda h: h.number)
        return "new", head

    def compare(self, head: Head) -> None:
        """Raise unless the head stands between its neighbours, and is proven to continue the one before it."""
        older = [h for h in self.heads if h.number < head.number]
        newer = [h for h in self.heads if h.number > head.number]
        if older and head.gap is not None:
            self.declared(head, head.gap, older)
        elif older:
            head.follows(older[-1])
            self.proven(older[-1], head)
        if newer:
            newer[0].follows(head)
            if not older:
                self.proven(head, newer[0])

    def declared(self, head: Head, gap: Gap, older: list[Head]) -> None:
        """Raise unless a head that goes on after a restore tells the truth about the heads kept here."""
        for one in older:
            if one.number >= gap.number or one is older[-1]:
                head.follows(one)
        if gap.number < older[-1].number < gap.old_number:
            raise Bad(
                "gap", head.place, f"声明从备份恢复，但旧签名头 {gap.old_number} 不在这里：缺少签名头文件，请索要"
            )
        kept = [h for h in older if h.number <= gap.number]
        if not kept:
            raise Bad("unlinked", head.place, "声明从备份恢复，退到了您保存的所有签名头之前，无从衔接")
        self.proven(kept[-1], head)

    def restored(self, judged: Iterable[int] = ()) -> Iterator[Bad]:
        """The restores that heads kept here tell of, until a bundle has shown that the client acknowledged them."""
        for head in self.heads:
            if head.gap is None or any(h.gap is not None and h.gap.covers(head) for h in self.heads):
                continue  # or a later restore lost it
            if head.number not in judged and not (self.folder / acknowledged(head)).exists():
                yield Bad("restored", head.place, f"{head.gap.words()}；请用证据包核对甲方是否已经确认")

    def proven(self, older: Head, head: Head) -> None:
        """Raise unless a proof ties `head` to `older`."""
        if older.size == head.size:
            return
        links = [x for x in head.links if isinstance(x, dict)]
        if any(
            consistent(h, head.root, head.size, x)
            for h in [*self.heads, older]
            if h.number >= older.number
            for x in links
        ):
            return
        if any(x.get("size") == older.size for x in links):
            raise Bad("rewritten", head.place, f"不是{older.place}的延续：历史被改写")
        raise Bad("gap", head.place, f"没有带来与{older.place}相衔接的证明：中间缺少签名头文件，请索要")


def acknowledged(head: Head) -> str:
    """The file of the store which says that a bundle showed the client's acknowledgement of a restore."""
    return f"acknowledged-{head.number:012d}.json"


def files_of(paths: list[str]) -> Iterator[str]:
    """The head files that the arguments name."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from (str(p) for p in sorted(path.glob("head-*.json")))
        else:
            yield str(path)


def oldest_first(paths: Iterable[str]) -> list[str]:
    """In the order of their numbers, so that each head meets the one from which its proof starts; unreadable ones lead."""

    def number_of(path: str) -> int:
        try:
            return read_head(path).number
        except Bad:
            return 0

    return sorted(paths, key=number_of)


def witness_add(args: argparse.Namespace) -> Outcome:
    """`witness add`."""
    store, findings, counts = Store(args.store), [], {"new": 0, "known": 0}
    fingerprint = store.fingerprint(args.key_fingerprint)
    for path in oldest_first(files_of(args.heads)):
        try:
            counts[store.add(path, fingerprint)[0]] += 1
        except Bad as e:
            findings.append(e)
    findings += store.restored()
    newest = store.heads[-1] if store.heads else None
    limit = timedelta(hours=args.max_age_hours) if args.max_age_hours else None
    if limit and (newest is None or datetime.now(timezone.utc) - newest.at > limit):
        findings.append(
            Bad("overdue", newest.place if newest else "签名头", f"已超过 {args.max_age_hours:g} 小时没有新的签名头")
        )
    facts = dict(counts, kept=len(store.heads), size=newest.size if newest else 0)
    if newest:
        facts["head_at"] = newest.said["at"]
    return findings, facts


def witness_check(args: argparse.Namespace) -> Outcome:
    """`witness check`."""
    store = Store(args.store)
    findings, facts = check_bundle(args.bundle, store.fingerprint(args.key_fingerprint), store.heads, args.max_bytes)
    told = {one["head"]: one for one in facts.get("restored", [])}
    for head in store.heads:
        if not findings and head.number in told:
            store.write(acknowledged(head), json.dumps(told[head.number], ensure_ascii=False).encode("utf-8"))
    return findings + list(store.restored(told)), facts


def check_command(args: argparse.Namespace) -> Outcome:
    """The plain command."""
    known = [read_head(args.first_head)] if args.first_head else []
    for head in known:
        head.check(key_of(head.point or "", args.key_fingerprint))
    return check_bundle(args.bundle, args.key_fingerprint, known, args.max_bytes)


# --- the surprise test (暗测): the client registers only the SM3 of a text that it keeps until it reveals -----------------
def words(asset: str, component: str, at: datetime, what: str, nonce: str) -> str:
    """The text: which device, which component, when, what. The nonce keeps anybody from trying all devices out."""
    lines = ("yunwei-surprise/1", f"asset={asset}", f"component={component}", f"at={at.isoformat()}")
    return "\n".join((*lines, f"what={what}", f"nonce={nonce}", ""))


def surprise_command(args: argparse.Namespace) -> Outcome:
    """`surprise`: write the text to a file, byte for byte what it will be revealed as, and tell its SM3."""
    fields = [text.strip() for text in (args.asset, args.component, args.what, args.nonce or secrets.token_hex(32))]
    asset, component, what, nonce = fields
    try:
        at = datetime.fromisoformat(args.at.strip().replace("Z", "+00:00"))
    except ValueError:
        raise Bad("usage", "--at", "请写成 2026-10-12T10:00:00，缺省为北京时间") from None
    at = at if at.tzinfo else at.replace(tzinfo=timezone(timedelta(hours=8)))
    text = words(asset, component, at, what, nonce)
    if not asset or len(nonce) < 32 or len(text) > 1000 or any(ord(c) < 32 for field in fields for c in field):
        raise Bad("usage", "surprise", "须有设备编号，随机数不少于 32 个字符，不得换行，全文不超过 1000 字")
    commitment = sm3(text.encode("utf-8")).hex()
    path = Path(args.out or f"surprise-{commitment[:16]}.txt")
    with path.open("xb") as f:  # never over another one: without its text a test cannot be revealed
        f.write(text.encode("utf-8"))
    return [], {"commitment": commitment, "file": str(path), "text": text}


def surprise_arguments(argv: list[str]) -> argparse.Namespace:
    """The command line of `surprise`."""
    top = argparse.ArgumentParser(prog="verify.py surprise", description=surprise_command.__doc__)
    top.add_argument("--asset", required=True, help="the device's code")
    top.add_argument(
        "--at", required=True, help="the moment of the deed, 2026-10-12T10:00:00; Beijing time unless it has a zone"
    )
    top.add_argument("--component", default="", help="may be empty: any")
    top.add_argument("--what", default="", help="what will be done")
    top.add_argument("--out", default="", help="where to keep the text (surprise-….txt here)")
    top.add_argument("--nonce", default="", help="to make the same text again; random otherwise")
    top.add_argument("--json", action="store_true")
    top.set_defaults(run=surprise_command)
    return top.parse_args(argv)


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    if argv[:1] == ["surprise"]:
        return surprise_arguments(argv[1:])
    witness = argv[:1] == ["witness"]
    top = argparse.ArgumentParser(
        prog="verify.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--json", action="store_true", help="one JSON object on stdout")
    if witness:
        top.add_argument("witness")
        commands = top.add_subparsers(dest="command", required=True)
        adding, checking = commands.add_parser("add"), commands.add_parser("check")
        adding.add_argument("heads", nargs="+", help="head files, or folders of them")
        adding.add_argument("--max-age-hours", type=float, default=0, help="report when the newest head is older")
        adding.set_defaults(run=witness_add)
        checking.set_defaults(run=witness_check)
        for one in (adding, checking):
            one.add_argument("--store", required=True, help="the folder where you keep the heads")
            one.add_argument("--key-fingerprint", default="", help="needed once")
            one.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    else:
        checking = top
        top.add_argument("--key-fingerprint", required=True, help="as handed over")
        top.add_argument("--first-head", default="", help="the head file as handed over")
        top.set_defaults(run=check_command)
    checking.add_argument("bundle")
    checking.add_argument("--max-bytes", type=int, default=MAX_BYTES, help="limit on the unpacked size")
    return top.parse_args(argv)


def told_of(one: dict[str, Any]) -> str:
    """A restore for people, who know whether they really answered so."""
    lost = "丢失条数不明" if one["lost"] is None else f"丢失 {one['lost']} 条"
    answer = {None: "甲方尚未确认", True: f"由 {one['by']} 确认", False: f"{one['by']} 不认可"}[one["agreed"]]
    where = f"（记录 {one['answer']}）" if one["answer"] else ""
    return f"记录 {one['seq']}：从备份恢复，{lost}，原因：{one['why']}；{answer}{where}"


def main(argv: list[str] | None = None) -> int:
    """Run a command and print; the exit code."""
    args = arguments(sys.argv[1:] if argv is None else argv)
    try:
        findings, facts = args.run(args)
    except Bad as e:
        findings, facts = [e], {}
    except OSError as e:
        findings, facts = [Bad("unreadable", e.filename or "", e.strerror or str(e))], {}
    if args.json:
        print(json.dumps({"ok": not findings, "findings": [e.facts() for e in findings], **facts}, ensure_ascii=True))
    else:
        for finding in findings[:20]:
            print(f"✗ [{finding.code}] {finding}")
        if len(findings) > 20:
            print(f"…… 另有 {len(findings) - 20} 处")
        if "commitment" in facts:
            print(facts["text"])
            print(f"原文已保存在 {facts['file']}，请妥善保管，一个字节都不要改")
            print(f"登记到平台的 SM3：{facts['commitment']}")
            return 0
        for one in facts.pop("restored", []):
            print(f"! {told_of(one)}")
        print("，".join(f"{k}={v}" for k, v in facts.items()))
        if facts.get("behind"):
            print(f"! 您留存的签名头比证据包多 {facts['behind']} 条记录。若证据包导出在其后，就是历史被截短")
        print("✗ 有不符之处" if findings else "✓ 全部相符")
    return 2 if any(e.code == "usage" for e in findings) else 1 if findings else 0


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
