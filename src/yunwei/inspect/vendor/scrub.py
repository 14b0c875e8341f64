"""Names and numbers that belong to a site, taken out of a recording so that it can be given away.

What was equal stays equal (one serial number in two places becomes one other serial number), what had a form keeps it
(a MAC address stays one). Secrets never get into a recording at all: see `without_secrets`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from yunwei.inspect.vendor.compiled import VendorFile
from yunwei.inspect.vendor.reading import SnmpValue

PRIVATE = "<private>"
#: contact, name, location; the alias of a port (people write customers and circuits there)
_NAMES = ("1.3.6.1.2.1.1.4.", "1.3.6.1.2.1.1.5.", "1.3.6.1.2.1.1.6.", "1.3.6.1.2.1.31.1.1.1.18.")
_SERIALS = ("1.3.6.1.2.1.47.1.1.1.1.11.",)
#: neighbours, addresses, routes, connections: they say who is where and no vendor file reads them
_PLACES = (
    "1.3.6.1.2.1.3.", "1.3.6.1.2.1.4.20.", "1.3.6.1.2.1.4.21.", "1.3.6.1.2.1.4.22.", "1.3.6.1.2.1.4.24.",
    "1.3.6.1.2.1.4.3", "1.3.6.1.2.1.6.13.", "1.3.6.1.2.1.6.19.", "1.3.6.1.2.1.6.20.", "1.3.6.1.2.1.7.5.",
    "1.3.6.1.2.1.7.7.", "1.3.6.1.2.1.14.", "1.3.6.1.2.1.15.", "1.3.6.1.2.1.17.4.", "1.3.6.1.2.1.17.7.",
    "1.3.6.1.2.1.25.4.", "1.0.8802.",
)  # fmt: skip
#: users, communities, views, keys (RFC 3414, 3415, 3584): never recorded
_SECRETS = ("1.3.6.1.6.3.",)
_IP = re.compile(r"\b(?!127\.0\.0\.1\b|0\.0\.0\.0\b|255\.)\d{1,3}(?:\.\d{1,3}){3}\b")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MAC = re.compile(r"^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$")
_SERIAL_KEYS = frozenset(
    {"SerialNumber", "UUID", "SKU", "PartSerialNumber", "DurableNameFormat", "ServiceTag", "ChassisServiceTag"}
)
_NAME_KEYS = frozenset(
    {"HostName", "FQDN", "AssetTag", "IndicatorName", "UserLabel", "Location", "DomainName", "UserName"}
)
_SECRET_KEYS = re.compile(r"password|token|secret|privatekey|community", re.IGNORECASE)


def stand_in(text: str) -> str:
    """Another text of the same form: letters stay letters, digits digits, the rest as it is."""
    stream = hashlib.sha256(text.encode()).digest() * (len(text) // 32 + 1)
    out = []
    for char, byte in zip(text, stream, strict=False):
        if char.isdigit():
            out.append(str(byte % 10))
        elif char.isascii() and char.isalpha():
            letter = chr(ord("A") + byte % (6 if char in "abcdefABCDEF" else 26))
            out.append(letter if char.isupper() else letter.lower())
        else:
            out.append(char)
    return "".join(out)


def stand_in_mac(raw: bytes) -> bytes:
    """A locally administered address (IEEE 802 02:…) for another one; zeros stay zeros."""
    return raw if not any(raw) else b"\x02" + hashlib.sha256(raw).digest()[: len(raw) - 1]


def without_secrets(values: Mapping[str, SnmpValue], secrets: Iterable[str]) -> dict[str, SnmpValue]:
    """The recording without tables of users and keys and without the words we logged in with."""
    words = [s.encode() for s in secrets if len(s) > 2]
    out: dict[str, SnmpValue] = {}
    for oid, value in values.items():
        if oid.startswith(_SECRETS):
            continue
        plain = value[1]
        if isinstance(plain, bytes):
            for word in words:
                plain = plain.replace(word, b"*" * len(word))
        out[oid] = (value[0], plain)
    return out


def scrub_snmp(values: Mapping[str, SnmpValue], vendor: VendorFile) -> dict[str, SnmpValue]:
    """The recording without names, addresses and serial numbers; serial columns are the ones of the vendor file."""
    serials = {c.oid for c in vendor.scalars if "serial" in c.name or "tag" in c.name}
    columns = {f"{c.oid}." for t in vendor.snmp_tables for c in t.fields if "serial" in c.name}
    macs = {f"{c.oid}." for t in vendor.snmp_tables for c in t.fields if c.read == "mac"}
    macs |= {c.oid for c in vendor.scalars if c.read == "mac"}
    out: dict[str, SnmpValue] = {}
    for oid, value in values.items():
        if oid.startswith(_PLACES):
            continue
        tag, plain = value[0], value[1]
        if isinstance(plain, bytes):
            if oid.startswith(_NAMES):
                plain = PRIVATE.encode() if plain else plain
            elif oid in serials or oid.startswith((*_SERIALS, *columns)):
                plain = stand_in(plain.decode("latin-1")).encode("latin-1")
            elif oid.startswith(tuple(macs)) and len(plain) in (6, 8):
                plain = stand_in_mac(plain)
            else:
                plain = _text(plain.decode("latin-1")).encode("latin-1")
        elif tag == 64 and isinstance(plain, str):
            plain = _text(plain)
        out[oid] = (tag, plain)
    return out


def _text(text: str) -> str:
    return _MAIL.sub("someone@example.invalid", _IP.sub("192.0.2.1", text)) if "." in text else text


def scrub_tree(tree: Mapping[str, Mapping[str, Any]], *, names: bool) -> dict[str, Any]:
    """A Redfish tree without secrets, and with `names` without names, addresses and serial numbers."""
    return {uri: _body(body, names=names) for uri, body in tree.items()}


def _body(value: Any, key: str = "", *, names: bool) -> Any:
    if isinstance(value, Mapping):
        return {k: _body(v, str(k), names=names) for k, v in value.items()}
    if isinstance(value, list):
        return [_body(v, key, names=names) for v in value]
    if not isinstance(value, str) or not value:
        return value
    if _SECRET_KEYS.search(key) and not value.startswith("/redfish/"):
        return PRIVATE
    return _named(value, key) if names and not key.startswith("@") else value


def _named(value: str, key: str) -> str:
    """One text of a tree without what belongs to the site."""
    if key in _NAME_KEYS:
        return PRIVATE
    if key in _SERIAL_KEYS:
        return stand_in(value)
    if _MAC.match(value):
        return stand_in_mac(bytes.fromhex(re.sub("[:-]", "", value))).hex(":").upper()
    return _text(value)
