"""SM4-GCM (GB/T 32907-2016) over pyca/cryptography: seal and open small secrets.

A sealed box is `01 ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. The nonce is random, so one key may seal at most 2^32 boxes.
Debian 12's OpenSSL has no SM4-GCM, pyca's bundled one has (notes: measured).
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from yunwei.gm.errors import GmError
from yunwei.kernel.i18n import _

KEY_SIZE = 16
_VERSION = b"\x01"
_NONCE = 12
_TAG = 16


def new_key() -> bytes:
    """A random SM4 key of 16 bytes."""
    return os.urandom(KEY_SIZE)


def _cipher(key: bytes, nonce: bytes, tag: bytes | None = None) -> Cipher[modes.GCM]:
    if len(key) != KEY_SIZE:
        raise GmError(_("SM4 密钥必须是 16 字节"))
    return Cipher(algorithms.SM4(key), modes.GCM(nonce, tag))


def seal(key: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
    """Encrypt and authenticate `plaintext`; `aad` (for example the row's id) is bound in and not stored."""
    nonce = os.urandom(_NONCE)
    box = _cipher(key, nonce).encryptor()
    box.authenticate_additional_data(_VERSION + aad)
    return _VERSION + nonce + box.update(plaintext) + box.finalize() + box.tag


def unseal(key: bytes, sealed: bytes, aad: bytes = b"") -> bytes:
    """The plaintext of a box that `seal` made with the same key and aad. Raises GmError if anything differs."""
    if len(sealed) < 1 + _NONCE + _TAG or sealed[:1] != _VERSION:
        raise GmError(_("密文格式不正确"))
    nonce, body, tag = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE : -_TAG], sealed[-_TAG:]
    box = _cipher(key, nonce, tag).decryptor()
    box.authenticate_additional_data(_VERSION + aad)
    try:
        return box.update(body) + box.finalize()
    except InvalidTag:
        raise GmError(_("密文被改动，或密钥不对")) from None


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """One raw 16-byte block, for the self-test only; ECB protects nothing."""
    box = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()  # noqa: S305 - the standard's sample is one block
    return box.update(block) + box.finalize()
