"""One encrypted file, written and read as a stream: what a backup lies in.

    YUNWEI-BACKUP/1 ⏎ ‖ length (4) ‖ header (JSON) ‖ chunks: length (4) ‖ SM4-GCM ciphertext ‖ tag (16)

A random data key belongs to this one file. The header holds it wrapped, once for each way to open it: by a passphrase
(PBKDF2-HMAC-SM3, as passwords may be kept) or to a recipient's SM2 public key, so that the machine that makes backups need not
hold what opens them. The nonce is the chunk's number and whether it is the last one; the header's SM3 is bound into
each chunk. So a chunk that was changed, moved, left out or added does not open, and neither does a file whose end is missing.
"""

from __future__ import annotations

import io
import json
import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from yunwei.accounts.hashers import ITERATIONS, pbkdf2_sm3
from yunwei.gm import sm2, sm3, sm4
from yunwei.gm.errors import GmError
from yunwei.kernel.i18n import _
from yunwei.server.keep.errors import KeepError

MAGIC = b"YUNWEI-BACKUP/1\n"
#: bytes of plain text in a chunk: what is lost in memory, not on disk, when one does not open
CHUNK = 1 << 20
TAG = 16
#: characters of a passphrase
LEAST = 16
#: what a header may ask of the one who opens it: more would be an attack on the reader
MOST_ITERATIONS, MOST_HEADER = 10_000_000, 1 << 16
_WRAP = b"yunwei backup data key"


@dataclass(frozen=True, slots=True)
class Locks:
    """Whatever opens the file: a passphrase, recipients' public keys, or both."""

    passphrase: str = ""
    recipients: Sequence[sm2.PublicKey] = ()


@dataclass(frozen=True, slots=True)
class Opener:
    """What the reader has: the passphrase, or the private key of a recipient."""

    passphrase: str = ""
    key: sm2.PrivateKey | None = None


def passphrase_of(path: Path) -> str:
    """The first line of a file that only its owner reads. Raises KeepError for a file that others read and a short phrase."""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeepError(_("口令文件可被他人读取"), where=str(path), hint=f"chmod 600 {path}")
        phrase = path.read_text(encoding="utf-8").partition("\n")[0].strip("\r")
    except OSError as error:
        raise KeepError(_("口令文件读不到"), where=str(path), hint=error.strerror or "") from None
    except UnicodeDecodeError:
        raise KeepError(_("口令文件不是 UTF-8 文本"), where=str(path)) from None
    if len(phrase) < LEAST:
        raise KeepError(
            _("备份口令太短"),
            where=str(path),
            hint=_("第一行至少 {n} 个字符，如 openssl rand -base64 24").format(n=LEAST),
        )
    return phrase


def public_key(path: Path) -> sm2.PublicKey:
    """A recipient's public key (PEM). Raises KeepError."""
    try:
        return sm2.PublicKey.from_pem(path.read_bytes())
    except OSError as error:
        raise KeepError(_("公钥文件读不到"), where=str(path), hint=error.strerror or "") from None
    except GmError as error:
        raise KeepError(_("不是 SM2 公钥"), where=str(path), hint=str(error)) from None


def private_key(path: Path, passphrase: str = "") -> sm2.PrivateKey:
    """A recipient's private key (PEM, with its passphrase if it has one). Raises KeepError."""
    try:
        return sm2.PrivateKey.from_pem(path.read_bytes(), passphrase.encode() or None)
    except OSError as error:
        raise KeepError(_("私钥文件读不到"), where=str(path), hint=error.strerror or "") from None
    except GmError as error:
        raise KeepError(_("不是 SM2 私钥，或它的口令不对"), where=str(path), hint=str(error)) from None


def _wrapped(key: bytes, locks: Locks) -> list[dict[str, Any]]:
    slots: list[dict[str, Any]] = []
    if locks.passphrase:
        salt = os.urandom(16)
        wrap = pbkdf2_sm3(locks.passphrase.encode(), salt, ITERATIONS)[: sm4.KEY_SIZE]
        box = sm4.seal(wrap, key, _WRAP)
        slots.append({"by": "passphrase", "kdf": "pbkdf2-hmac-sm3", "salt": salt.hex(), "iterations": ITERATIONS, "key": box.hex()})  # fmt: skip
    slots += [{"by": "sm2", "to": key_of.fingerprint, "key": key_of.encrypt(key).hex()} for key_of in locks.recipients]
    if not slots:
        raise KeepError(_("备份必须加密"), hint="--passphrase-file / --to-key")
    return slots


def _unwrapped(slots: list[dict[str, Any]], opener: Opener) -> bytes:
    """The data key. Raises KeepError when nothing that the reader has opens it."""
    for slot in slots:
        try:
            if slot["by"] == "passphrase" and opener.passphrase:
                count = int(slot["iterations"])
                if not 1 <= count <= MOST_ITERATIONS:
                    raise KeepError(_("备份文件的头不可信：密钥迭代次数"), where=str(count))
                wrap = pbkdf2_sm3(opener.passphrase.encode(), bytes.fromhex(slot["salt"]), count)[: sm4.KEY_SIZE]
                return sm4.unseal(wrap, bytes.fromhex(slot["key"]), _WRAP)
            if slot["by"] == "sm2" and opener.key is not None and slot["to"] == opener.key.public.fingerprint:
                return opener.key.decrypt(bytes.fromhex(slot["key"]))
        except GmError:
            continue
    ways = sorted({str(slot.get("by")) for slot in slots})
    raise KeepError(_("打不开备份：口令或密钥不对"), hint=_("这份备份可用：{ways}").format(ways="、".join(ways)))


def _cipher(key: bytes, number: int, *, last: bool, tag: bytes | None = None) -> Cipher[modes.GCM]:
    nonce = struct.pack(">Q3xB", number, last)
    return Cipher(algorithms.SM4(key), modes.GCM(nonce, tag))


class Writer(io.RawIOBase):
    """What is written here lies encrypted in `file`. `finish` writes the last chunk; without it the file does not open."""

    def __init__(self, file: IO[bytes], locks: Locks) -> None:
        super().__init__()
        self._file, self._key, self._number = file, sm4.new_key(), 0
        self._held = bytearray()
        header = json.dumps({"v": 1, "cipher": "SM4-GCM", "chunk": CHUNK, "slots": _wrapped(self._key, locks)}).encode()
        self._bound = sm3.digest(header)
        file.write(MAGIC + struct.pack(">I", len(header)) + header)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Take bytes in; whole chunks go out."""
        self._held += data
        while len(self._held) > CHUNK:  # the last chunk is never an empty one after a full one
            self._put(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write what is left, as the end."""
        self._put(bytes(self._held), last=True)
        self._held.clear()

    def _put(self, plain: bytes, *, last: bool) -> None:
        box = _cipher(self._key, self._number, last=last).encryptor()
        box.authenticate_additional_data(self._bound)
        body = box.update(plain) + box.finalize() + box.tag
        self._file.write(struct.pack(">I", len(body)) + body)
        self._number += 1


class Reader(io.RawIOBase):
    """The plain bytes of a file that `Writer` wrote. Raises KeepError for anything that differs, wherever it does."""

    def __init__(self, file: IO[bytes], opener: Opener, where: str) -> None:
        super().__init__()
        self._file, self._where, self._number = file, where, 0
        self._plain, self._at, self._ended = b"", 0, False
        header = self._header()
        self._bound = sm3.digest(header)
        try:
            facts = json.loads(header)
            slots = [slot for slot in facts["slots"] if isinstance(slot, dict)]
            if (facts["v"], facts["cipher"]) != (1, "SM4-GCM"):
                raise ValueError(facts["cipher"])
            self._key = _unwrapped(slots, opener)
        except (ValueError, KeyError, TypeError) as error:
            raise KeepError(_("备份文件的头读不懂"), where=where, hint=str(error)[:80]) from None
        if len(self._key) != sm4.KEY_SIZE:
            raise KeepError(_("备份文件的头读不懂"), where=where)

    def _header(self) -> bytes:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise KeepError(_("这不是云维的备份文件"), where=self._where)
        size = self._length()
        header = self._file.read(size) if size <= MOST_HEADER else b""
        if len(header) != size:
            raise KeepError(_("备份文件不完整：头被截断"), where=self._where)
        return header

    def _length(self) -> int:
        raw = self._file.read(4)
        if len(raw) != 4:
            raise KeepError(_("备份文件不完整：末尾缺失"), where=self._where, hint=_("请换一份备份，或重新传送"))
        return int(struct.unpack(">I", raw)[0])

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one chunk goes."""
        while self._at >= len(self._plain):
            if self._ended:
                return 0
            self._next()
        part = self._plain[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _next(self) -> None:
        """Open the next chunk; whether it is the last one is found by trying, and nothing may follow that one."""
        size = self._length()
        body = self._file.read(size) if TAG <= size <= CHUNK + TAG else b""
        if len(body) != size:
            raise KeepError(
                _("备份文件不完整：第 {n} 块缺失或损坏").format(n=self._number + 1), where=self._where,
                hint=_("请换一份备份，或重新传送"),
            )  # fmt: skip
        for last in (False, True):
            box = _cipher(self._key, self._number, last=last, tag=body[-TAG:]).decryptor()
            box.authenticate_additional_data(self._bound)
            try:
                self._plain, self._at = box.update(body[:-TAG]) + box.finalize(), 0
            except InvalidTag:
                continue
            self._number, self._ended = self._number + 1, last
            if last and self._file.read(1):
                raise KeepError(_("备份文件的末尾之后还有内容"), where=self._where)
            return
        raise KeepError(
            _("备份文件第 {n} 块被改动、换了位置或损坏").format(n=self._number + 1), where=self._where,
            hint=_("请换一份备份，或重新传送"),
        )  # fmt: skip
