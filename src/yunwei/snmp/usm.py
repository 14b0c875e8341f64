"""SNMPv3 credentials and the User-based Security Model: keys, digests, encryption.

Authentication: HMAC-SHA-1-96 (RFC 3414) and HMAC-SHA-2 (RFC 7860). Privacy: AES-128-CFB (RFC 3826), and AES-192/256
by the two drafts the field uses, which differ only in how a key is stretched when the hash is shorter than it:
Blumenthal (draft-blumenthal-aes-usm-04, net-snmp's "AES-256") and Reeder (draft-reeder-snmpv3-usm-3desede-00, Cisco's,
net-snmp's "AES-256-C"). MD5 and DES are not offered: a credential that needs them protects nothing.

Costs decide the caching: a password to its key is a hash over 1 MiB (about 1.7 ms), localising to a device's engine
one short hash. So keys of users are remembered by password, localised keys by engine.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from yunwei.kernel.i18n import _
from yunwei.snmp import message
from yunwei.snmp.ber import garbage
from yunwei.snmp.errors import SnmpAuthError, SnmpError
from yunwei.snmp.message import AUTH, PRIV, V3Message

try:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
except ImportError:  # pragma: no cover - cryptography before 45 kept CFB with the other modes
    from cryptography.hazmat.primitives.ciphers.modes import CFB

TIME_WINDOW = 150  # seconds, RFC 3414 §2.2.3
MAX_BOOTS = 2**31 - 1

#: protocol -> (hashlib name, length of the truncated digest on the wire)
AUTH_PROTOCOLS = {
    "SHA": ("sha1", 12),
    "SHA-224": ("sha224", 16),
    "SHA-256": ("sha256", 24),
    "SHA-384": ("sha384", 32),
    "SHA-512": ("sha512", 48),
}
#: protocol -> (key length in bytes, stretching)
PRIV_PROTOCOLS = {
    "AES": (16, ""),
    "AES-192": (24, "blumenthal"),
    "AES-256": (32, "blumenthal"),
    "AES-192-C": (24, "reeder"),
    "AES-256-C": (32, "reeder"),
}


class V2c(NamedTuple):
    """SNMPv2c credential."""

    community: str | bytes

    def __repr__(self) -> str:
        return "V2c(***)"  # a credential never reaches a log or a traceback (clause 8.1.1)


class V3(NamedTuple):
    """SNMPv3 USM credential.

    auth_proto: "" (noAuth) | SHA | SHA-224 | SHA-256 | SHA-384 | SHA-512;
    priv_proto: "" (noPriv) | AES | AES-256 (Blumenthal, what net-snmp calls AES-256) | AES-256-C (Reeder) |
    AES-192 | AES-192-C. An empty priv_password means "the same as auth_password".
    """

    user: str
    auth_proto: str = ""
    auth_password: str = ""
    priv_proto: str = ""
    priv_password: str = ""

    def __repr__(self) -> str:
        return f"V3({self.user!r}, {self.auth_proto!r}, ***, {self.priv_proto!r}, ***)"

    @property
    def flags(self) -> int:
        """The security level as msgFlags."""
        return (AUTH if self.auth_proto else 0) | (PRIV if self.priv_proto else 0)

    def check(self) -> None:
        """SnmpError if the credential cannot work: unknown protocol, privacy without authentication, short password."""
        if not self.user or len(self.user.encode()) > 32:
            raise SnmpError(_("SNMPv3 用户名须为 1 至 32 字节"))
        if self.auth_proto and self.auth_proto not in AUTH_PROTOCOLS:
            raise SnmpError(_("不支持的认证算法：{name}").format(name=self.auth_proto), hint=", ".join(AUTH_PROTOCOLS))
        if self.priv_proto and self.priv_proto not in PRIV_PROTOCOLS:
            raise SnmpError(_("不支持的加密算法：{name}").format(name=self.priv_proto), hint=", ".join(PRIV_PROTOCOLS))
        if self.priv_proto and not self.auth_proto:
            raise SnmpError(_("SNMPv3 不允许只加密不认证"))
        if self.auth_proto and len(self.auth_password.encode()) < 8:
            raise SnmpError(_("SNMPv3 口令不得短于 8 个字符"))  # RFC 3414 §11.2
        if self.priv_proto and self.priv_password and len(self.priv_password.encode()) < 8:
            raise SnmpError(_("SNMPv3 口令不得短于 8 个字符"))


class EngineState(NamedTuple):
    """What is known of a device's SNMP engine; kept by the caller between sweeps.

    `time` was the engine's time (seconds since its boot number `boots`) at `at`, seconds of the client's clock.
    """

    engine_id: bytes
    boots: int
    time: int
    at: float


class Keys(NamedTuple):
    """A user's keys localised to one engine."""

    hash_name: str
    digest_size: int
    auth: bytes
    priv: bytes

    def __repr__(self) -> str:
        return "Keys(***)"


# --- keys


@lru_cache(maxsize=512)
def password_to_key(password: bytes, hash_name: str) -> bytes:
    """Ku of RFC 3414 §2.6: the digest of the password repeated to 1 MiB."""
    if not password:
        raise SnmpError(_("SNMPv3 口令不得短于 8 个字符"))
    size = 1 << 20
    return hashlib.new(hash_name, (password * (size // len(password) + 1))[:size]).digest()


def localise(key: bytes, engine_id: bytes, hash_name: str) -> bytes:
    """Kul of RFC 3414 §2.6: a user's key for one engine."""
    return hashlib.new(hash_name, key + engine_id + key).digest()


def stretch(key: bytes, size: int, how: str, engine_id: bytes, hash_name: str) -> bytes:
    """A localised key made long enough for the cipher, then cut to it."""
    part = key
    while len(key) < size:
        if how == "reeder":
            part = localise(password_to_key(part, hash_name), engine_id, hash_name)
            key += part
        else:
            key += hashlib.new(hash_name, key).digest()
    return key[:size]


@lru_cache(maxsize=32_768)
def keys_for(credential: V3, engine_id: bytes) -> Keys | None:
    """The user's keys at this engine; None for a user without authentication."""
    credential.check()
    if not credential.auth_proto:
        return None
    name, digest_size = AUTH_PROTOCOLS[credential.auth_proto]
    auth = localise(password_to_key(credential.auth_password.encode(), name), engine_id, name)
    if not credential.priv_proto:
        return Keys(name, digest_size, auth, b"")
    size, how = PRIV_PROTOCOLS[credential.priv_proto]
    ku = password_to_key((credential.priv_password or credential.auth_password).encode(), name)
    return Keys(name, digest_size, auth, stretch(localise(ku, engine_id, name), size, how, engine_id, name))


# --- messages

_salts = count(int.from_bytes(os.urandom(8), "big"))


def _iv(boots: int, time: int, salt: bytes) -> bytes:
    return boots.to_bytes(4, "big") + time.to_bytes(4, "big") + salt  # RFC 3826 §3.1.2.1


def seal(plain: V3Message, keys: Keys | None) -> bytes:
    """The datagram: encrypted and signed as plain.flags say; plain.payload is the scoped PDU element."""
    if plain.flags & PRIV:
        if keys is None or not keys.priv:
            raise SnmpError(_("没有加密密钥"))
        salt = (next(_salts) & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "big")
        cipher = Cipher(AES(keys.priv), CFB(_iv(plain.boots, plain.time, salt))).encryptor()
        plain = plain._replace(priv=salt, payload=cipher.update(plain.payload) + cipher.finalize())
    if not plain.flags & AUTH:
        return message.build_v3(plain)[0]
    if keys is None:
        raise SnmpError(_("没有认证密钥"))
    data, at = message.build_v3(plain._replace(auth=bytes(keys.digest_size)))
    return data[:at] + digest(data, keys) + data[at + keys.digest_size :]


def digest(data: bytes, keys: Keys) -> bytes:
    """The truncated HMAC over a datagram whose authentication parameters are zero."""
    return hmac.digest(keys.auth, data, keys.hash_name)[: keys.digest_size]


def signed_by(data: bytes, parsed: V3Message, keys: Keys) -> bool:
    """True if the datagram carries the digest these keys make (RFC 3414 §6.3.2)."""
    if len(parsed.auth) != keys.digest_size:
        return False
    zeroed = data[: parsed.auth_at] + bytes(keys.digest_size) + data[parsed.auth_at + keys.digest_size :]
    return hmac.compare_digest(digest(zeroed, keys), parsed.auth)


def decrypt(parsed: V3Message, keys: Keys) -> bytes:
    """The scoped PDU element of an encrypted message."""
    if len(parsed.priv) != 8:
        raise garbage("msgPrivacyParameters")
    if not keys.priv:
        raise SnmpAuthError(_("设备加密了应答，而凭据没有加密口令"))
    cipher = Cipher(AES(keys.priv), CFB(_iv(parsed.boots, parsed.time, parsed.priv))).decryptor()
    return cipher.update(parsed.payload) + cipher.finalize()


# --- reports

STATS = "1.3.6.1.6.3.15.1.1."
UNSUPPORTED_LEVEL = STATS + "1.0"
NOT_IN_TIME_WINDOW = STATS + "2.0"
UNKNOWN_USER = STATS + "3.0"
UNKNOWN_ENGINE = STATS + "4.0"
WRONG_DIGEST = STATS + "5.0"
DECRYPTION_ERROR = STATS + "6.0"
