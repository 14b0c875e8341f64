"""SM3 (GB/T 32905-2016): digests, streaming and HMAC.

hashlib is used where the Python's OpenSSL has SM3 (Debian 12 has); elsewhere a pure-Python implementation of the same
interface takes over, about a thousand times slower and just as right (the self-test runs both).
"""

from __future__ import annotations

import hashlib
import hmac as _hmac
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

DIGEST_SIZE = 32
BLOCK_SIZE = 64

_IV = (0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E)
_M = 0xFFFFFFFF


def _rol(x: int, n: int) -> int:
    n %= 32
    return ((x << n) | (x >> (32 - n))) & _M


#: T_j rotated by j, the only place the round number enters (GB/T 32905 §5.3.3).
_T = tuple(_rol(0x79CC4519 if j < 16 else 0x7A879D8A, j) for j in range(64))


class Hash(Protocol):
    """What a running SM3 can do; the part of hashlib's interface that this house uses."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class PureSm3:
    """SM3 in plain Python, for a Python whose OpenSSL has none; hmac can use it like a hashlib object."""

    name = "sm3"
    digest_size = DIGEST_SIZE
    block_size = BLOCK_SIZE

    def __init__(self, data: bytes = b"") -> None:
        self._state = _IV
        self._tail = b""
        self._length = 0
        self.update(data)

    def update(self, data: bytes, /) -> None:
        self._length += len(data)
        buffer = self._tail + bytes(data)
        whole = len(buffer) // BLOCK_SIZE * BLOCK_SIZE
        for i in range(0, whole, BLOCK_SIZE):
            self._state = _compress(self._state, buffer[i : i + BLOCK_SIZE])
        self._tail = buffer[whole:]

    def digest(self) -> bytes:
        padding = b"\x80" + b"\0" * ((55 - self._length) % BLOCK_SIZE) + struct.pack(">Q", self._length * 8)
        state, rest = self._state, self._tail + padding
        for i in range(0, len(rest), BLOCK_SIZE):
            state = _compress(state, rest[i : i + BLOCK_SIZE])
        return struct.pack(">8I", *state)

    def hexdigest(self) -> str:
        return self.digest().hex()

    def copy(self) -> PureSm3:
        other = PureSm3()
        other._state, other._tail, other._length = self._state, self._tail, self._length
        return other


def _compress(state: tuple[int, ...], block: bytes) -> tuple[int, int, int, int, int, int, int, int]:
    w = list(struct.unpack(">16I", block))
    for j in range(16, 68):
        x = w[j - 16] ^ w[j - 9] ^ _rol(w[j - 3], 15)
        w.append(x ^ _rol(x, 15) ^ _rol(x, 23) ^ _rol(w[j - 13], 7) ^ w[j - 6])
    a, b, c, d, e, f, g, h = state
    for j in range(64):
        a12 = _rol(a, 12)
        ss1 = _rol((a12 + e + _T[j]) & _M, 7)
        if j < 16:
            ff, gg = a ^ b ^ c, e ^ f ^ g
        else:
            ff, gg = (a & b) | (a & c) | (b & c), (e & f) | (~e & g)
        tt1 = (ff + d + (ss1 ^ a12) + (w[j] ^ w[j + 4])) & _M
        tt2 = (gg + h + ss1 + w[j]) & _M
        a, b, c, d = tt1, a, _rol(b, 9), c
        e, f, g, h = tt2 ^ _rol(tt2, 9) ^ _rol(tt2, 17), e, _rol(f, 19), g
    s = state
    return (s[0] ^ a, s[1] ^ b, s[2] ^ c, s[3] ^ d, s[4] ^ e, s[5] ^ f, s[6] ^ g, s[7] ^ h)


NATIVE = "sm3" in hashlib.algorithms_available


#: a hash that has read nothing: copying it costs half of asking OpenSSL for the algorithm by name again
_EMPTY = hashlib.new("sm3") if NATIVE else None


def new(data: bytes = b"") -> Hash:
    """A running SM3."""
    if _EMPTY is None:
        return PureSm3(data)
    h = _EMPTY.copy()
    h.update(data)
    return h


def digest(data: bytes) -> bytes:
    """The 32 bytes of SM3 over `data`."""
    if _EMPTY is None:
        return PureSm3(data).digest()
    h = _EMPTY.copy()
    h.update(data)
    return h.digest()


def hexdigest(data: bytes) -> str:
    """SM3 over `data` as 64 lower-case hexadecimal digits."""
    return new(data).hexdigest()


def digest_parts(parts: Iterable[bytes]) -> bytes:
    """SM3 over the parts one after the other, without joining them in memory."""
    h = new()
    for part in parts:
        h.update(part)
    return h.digest()


def digest_file(path: Path, chunk: int = 1 << 20) -> bytes:
    """SM3 over a file's content, read in chunks of `chunk` bytes. Raises OSError as `open` does."""
    with path.open("rb") as f:
        return digest_parts(iter(lambda: f.read(chunk), b""))


def hmac(key: bytes, data: bytes) -> bytes:
    """HMAC-SM3 (GM/T 0042): 32 bytes."""
    return _hmac.new(key, data, "sm3" if NATIVE else PureSm3).digest()  # type: ignore[arg-type]


def hmac_ok(key: bytes, data: bytes, tag: bytes) -> bool:
    """Whether `tag` is the HMAC-SM3 of `data`, compared in constant time."""
    return _hmac.compare_digest(hmac(key, data), tag)
