"""SM2 (GB/T 32918-2016): sign, verify, seal small keys, by the system's libcrypto.

A signature is the raw 64 bytes r ‖ s: of fixed length and with exactly one encoding, so that neither our bytes nor the
stand-alone verifier's need a DER parser. `signature_to_der` and `signature_from_der` convert at the edge (the `openssl`
command wants DER). The signer's ID is 1234567812345678 unless told (GM/T 0009); OpenSSL's own default is empty. A
fingerprint is SM3 over the DER of the SubjectPublicKeyInfo, in hexadecimal.

Nothing here signs before the official vectors passed in this process (`selftest.require`).
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_size_t, c_void_p

from yunwei.gm import libcrypto, selftest, sm3
from yunwei.gm.errors import GmError
from yunwei.gm.libcrypto import lib
from yunwei.kernel.i18n import _

DEFAULT_ID = b"1234567812345678"
SIGNATURE_SIZE = 64
#: DER of a SubjectPublicKeyInfo up to the point: ecPublicKey, curve 1.2.156.10197.1.301, BIT STRING of 65 bytes 04‖x‖y.
SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
#: PBKDF2 rounds for a key file under a passphrase (OWASP 2023 for HMAC-SHA256); OpenSSL's own default is 2048.
PBKDF2_ROUNDS = 600_000


class _Key:
    """Owns one EVP_PKEY and frees it with the object."""

    def __init__(self, pointer: int | None, message: str) -> None:
        if not pointer:
            raise libcrypto.fail(message)
        self._pkey: int = pointer
        weakref.finalize(self, lib().EVP_PKEY_free, pointer)
        if lib().EVP_PKEY_is_a(pointer, b"SM2") != 1:
            raise GmError(_("这不是 SM2 密钥"))


class PublicKey(_Key):
    """An SM2 public key."""

    def __init__(self, pointer: int | None) -> None:
        super().__init__(pointer, _("SM2 公钥无法读取"))
        out = c_void_p()
        size = lib().i2d_PUBKEY(self._pkey, byref(out))
        if size <= 0:
            raise libcrypto.fail(_("SM2 公钥无法编码"))
        self.spki: bytes = ctypes.string_at(out.value or 0, size)
        _free(out)
        if len(self.spki) != len(SPKI_PREFIX) + 64 or not self.spki.startswith(SPKI_PREFIX):
            raise GmError(_("SM2 公钥的编码不受支持"))

    @classmethod
    def from_spki(cls, der: bytes) -> PublicKey:
        """Read a DER SubjectPublicKeyInfo. Raises GmError for another algorithm or a point off the curve."""
        return cls(lib().d2i_PUBKEY(None, byref(c_char_p(der)), len(der)))

    @classmethod
    def from_point(cls, point: bytes) -> PublicKey:
        """Read x ‖ y (64 bytes). Decided by length: a raw x may itself begin with 04."""
        if len(point) != 64:
            raise GmError(_("SM2 公钥点必须是 64 字节"))
        return cls.from_spki(SPKI_PREFIX + point)

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """Read a PEM PUBLIC KEY."""
        with _memory(pem) as bio:
            return cls(lib().PEM_read_bio_PUBKEY(bio, None, None, None))

    def to_pem(self) -> bytes:
        """The key as PEM PUBLIC KEY."""
        with _memory() as bio:
            if lib().PEM_write_bio_PUBKEY(bio, self._pkey) != 1:
                raise libcrypto.fail(_("SM2 公钥无法写出"))
            return _drain(bio)

    @property
    def point(self) -> bytes:
        """x ‖ y, 64 bytes."""
        return self.spki[-64:]

    @property
    def fingerprint(self) -> str:
        """SM3 of the SPKI: what is read over the telephone and kept by the client."""
        return sm3.hexdigest(self.spki)

    def verify(self, message: bytes, signature: bytes, ident: bytes = DEFAULT_ID) -> bool:
        """Whether `signature` (r ‖ s) is this key's over `message`. False for any malformed signature."""
        if len(signature) != SIGNATURE_SIZE:
            return False
        der = signature_to_der(signature)
        with _digest_context(self._pkey, ident) as ctx:
            if lib().EVP_DigestVerifyInit(ctx, None, lib().EVP_sm3(), None, self._pkey) != 1:
                raise libcrypto.fail(_("SM2 验签无法开始"))
            answer: int = lib().EVP_DigestVerify(ctx, der, len(der), message, len(message))
        libcrypto.drain()
        return answer == 1

    def encrypt(self, plaintext: bytes) -> bytes:
        """Seal a small secret (a key, at most 255 bytes) to this key's owner; DER as in GM/T 0009."""
        if not 0 < len(plaintext) <= 255:
            raise GmError(_("SM2 只用于封装 1 到 255 字节的密钥"))
        return _crypt(self._pkey, "encrypt", plaintext)


class PrivateKey(_Key):
    """An SM2 private key. Its number never enters Python: libcrypto keeps it."""

    def __init__(self, pointer: int | None) -> None:
        super().__init__(pointer, _("SM2 私钥无法读取"))
        out = c_void_p()
        size = lib().i2d_PUBKEY(self._pkey, byref(out))
        if size <= 0:
            raise libcrypto.fail(_("SM2 公钥无法编码"))
        self.public = PublicKey.from_spki(ctypes.string_at(out.value or 0, size))
        _free(out)

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> PrivateKey:
        """Read a PEM private key, encrypted or not. Raises GmError when the passphrase is missing or wrong."""
        if b"ENCRYPTED" in pem and not passphrase:
            raise GmError(_("私钥文件有口令保护"), hint=_("请给出口令"))
        with _memory(pem) as bio:  # an empty string instead of NULL keeps libcrypto from asking on the terminal
            return cls(lib().PEM_read_bio_PrivateKey(bio, None, None, passphrase or b""))

    @classmethod
    def from_number(cls, number: bytes, point: bytes) -> PrivateKey:
        """A key from its 32-byte number and its point, for known-answer tests and imports (RFC 5915 in PKCS#8)."""
        ec = b"\x02\x01\x01\x04\x20" + number + b"\xa1\x44\x03\x42\x00\x04" + point
        ec = b"\x30" + bytes([len(ec)]) + ec
        info = b"\x02\x01\x00" + SPKI_PREFIX[2:23] + b"\x04" + bytes([len(ec)]) + ec
        der = b"\x30\x81" + bytes([len(info)]) + info
        return cls(lib().d2i_AutoPrivateKey(None, byref(c_char_p(der)), len(der)))

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """PKCS#8 PEM; with a passphrase encrypted by SM4-CBC under PBKDF2."""
        info = lib().EVP_PKEY2PKCS8(self._pkey)
        if not info:
            raise libcrypto.fail(_("SM2 私钥无法写出"))
        try:
            with _memory() as bio:
                if passphrase:
                    done = _write_encrypted(bio, info, passphrase)
                else:
                    done = lib().PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, info) == 1
                if not done:
                    raise libcrypto.fail(_("SM2 私钥无法写出"))
                return _drain(bio)
        finally:
            lib().PKCS8_PRIV_KEY_INFO_free(info)

    def sign(self, message: bytes, ident: bytes = DEFAULT_ID) -> bytes:
        """Sign the message itself (Z_A and SM3 inside): r ‖ s, 64 bytes. Raises GmError if the self-test failed."""
        selftest.require()
        return self._sign(message, ident)

    def _sign(self, message: bytes, ident: bytes) -> bytes:
        out, size = ctypes.create_string_buffer(80), c_size_t(80)
        with _digest_context(self._pkey, ident) as ctx:
            if lib().EVP_DigestSignInit(ctx, None, lib().EVP_sm3(), None, self._pkey) != 1:
                raise libcrypto.fail(_("SM2 签名无法开始"))
            if lib().EVP_DigestSign(ctx, out, byref(size), message, len(message)) != 1:
                raise libcrypto.fail(_("SM2 签名失败"))
        return signature_from_der(out.raw[: size.value])

    def decrypt(self, sealed: bytes) -> bytes:
        """What `PublicKey.encrypt` sealed. Raises GmError when it was altered or meant for another key."""
        return _crypt(self._pkey, "decrypt", sealed)


def generate() -> PrivateKey:
    """A new key pair from libcrypto's random generator. Raises GmError if the self-test failed."""
    selftest.require()
    ctx = lib().EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
    if not ctx:
        raise libcrypto.fail(_("libcrypto 不支持 SM2"))
    try:
        out = c_void_p()
        if lib().EVP_PKEY_keygen_init(ctx) != 1 or lib().EVP_PKEY_generate(ctx, byref(out)) != 1:
            raise libcrypto.fail(_("SM2 密钥生成失败"))
        return PrivateKey(out.value)
    finally:
        lib().EVP_PKEY_CTX_free(ctx)


def signature_to_der(signature: bytes) -> bytes:
    """r ‖ s as the DER SEQUENCE that openssl and certificates use."""
    parts = b""
    for half in (signature[:32], signature[32:]):
        number = half.lstrip(b"\0") or b"\0"
        number = b"\0" + number if number[0] & 0x80 else number
        parts += b"\x02" + bytes([len(number)]) + number
    return b"\x30" + bytes([len(parts)]) + parts


def signature_from_der(der: bytes) -> bytes:
    """r ‖ s of a DER signature. Raises GmError unless it is the one DER encoding of two numbers below 2^256."""
    try:
        numbers, at = [], 2
        for _half in range(2):
            size = der[at + 1]
            numbers.append(int.from_bytes(der[at + 2 : at + 2 + size], "big"))
            at += 2 + size
        raw = b"".join(n.to_bytes(32, "big") for n in numbers)
    except (IndexError, OverflowError):
        raise GmError(_("SM2 签名的 DER 编码不正确")) from None
    if signature_to_der(raw) != der:
        raise GmError(_("SM2 签名的 DER 编码不正确"))
    return raw


def ciphertext_to_der(c1: bytes, c3: bytes, c2: bytes) -> bytes:
    """The DER that libcrypto speaks of a raw ciphertext 04‖x‖y, digest, body (each shorter than 128 bytes)."""
    parts = signature_to_der(c1[-64:])[2:]
    parts += b"\x04" + bytes([len(c3)]) + c3 + b"\x04" + bytes([len(c2)]) + c2
    size = bytes([len(parts)]) if len(parts) < 128 else b"\x81" + bytes([len(parts)])
    return b"\x30" + size + parts


def _write_encrypted(bio: int, info: int, passphrase: bytes) -> bool:
    salt_by_library: None = None
    box = lib().PKCS8_encrypt(
        -1, lib().EVP_sm4_cbc(), passphrase, len(passphrase), salt_by_library, 16, PBKDF2_ROUNDS, info
    )
    if not box:
        return False
    try:
        return bool(lib().PEM_write_bio_PKCS8(bio, box) == 1)
    finally:
        lib().X509_SIG_free(box)


@contextmanager
def _digest_context(pkey: int, ident: bytes) -> Iterator[int]:
    """An EVP_MD_CTX whose signer's ID is set; of this call alone, freed in any case."""
    ctx, key_ctx = lib().EVP_MD_CTX_new(), lib().EVP_PKEY_CTX_new(pkey, None)
    try:
        if not ctx or not key_ctx or lib().EVP_PKEY_CTX_set1_id(key_ctx, ident, len(ident)) != 1:
            raise libcrypto.fail(_("SM2 用户标识无法设置"))
        lib().EVP_MD_CTX_set_pkey_ctx(ctx, key_ctx)
        yield ctx
    finally:
        lib().EVP_MD_CTX_free(ctx)
        lib().EVP_PKEY_CTX_free(key_ctx)


def _crypt(pkey: int, what: str, data: bytes) -> bytes:
    ctx = lib().EVP_PKEY_CTX_new(pkey, None)
    try:
        size = c_size_t()
        start, run = getattr(lib(), f"EVP_PKEY_{what}_init"), getattr(lib(), f"EVP_PKEY_{what}")
        if start(ctx) != 1 or run(ctx, None, byref(size), data, len(data)) != 1:
            raise libcrypto.fail(_("SM2 加解密无法开始"))
        out = ctypes.create_string_buffer(size.value)
        if run(ctx, out, byref(size), data, len(data)) != 1:
            raise libcrypto.fail(_("SM2 密文被改动，或密钥不对"))
        return out.raw[: size.value]
    finally:
        lib().EVP_PKEY_CTX_free(ctx)


@contextmanager
def _memory(data: bytes | None = None) -> Iterator[int]:
    bio = lib().BIO_new(lib().BIO_s_mem()) if data is None else lib().BIO_new_mem_buf(data, len(data))
    if not bio:
        raise libcrypto.fail(_("libcrypto 内存不足"))
    try:
        yield bio
    finally:
        lib().BIO_free(bio)


def _drain(bio: int) -> bytes:
    parts, buffer = [], ctypes.create_string_buffer(4096)
    while (got := lib().BIO_read(bio, buffer, len(buffer))) > 0:
        parts.append(buffer.raw[:got])
    return b"".join(parts)


def _free(pointer: c_void_p) -> None:
    lib().CRYPTO_free(pointer, None, 0)
