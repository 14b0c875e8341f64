"""BER as SNMP uses it (X.690, RFC 3417 §8): definite lengths only, every read checked against its bounds.

Three forms of an OID appear here: its *text* ("1.3.6.1"), its *content* (the BER bytes without tag and length, which
is what goes over the wire, is compared by prefix and used as a dict key) and its *key* (4 bytes per sub-identifier,
whose byte order is the lexicographic order of RFC 3416; BER content does not sort: 16384 would come before 16383).

Decoding is strict where a wrong guess would give a wrong value and lenient where agents in the field differ:
lengths may be longer than needed, unsigned values may lack or have extra leading zero bytes, INTEGER may have 8 bytes.
Whatever the bytes, the functions return or raise `SnmpGarbage`.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from yunwei.kernel.i18n import _
from yunwei.snmp import values as t
from yunwei.snmp.errors import SnmpError, SnmpGarbage
from yunwei.snmp.values import Value

MAX_SUBIDS = 128  # RFC 2578 §3.5
MAX_SUBID = 2**32 - 1
UNSIGNED = {t.COUNTER32: 4, t.GAUGE32: 4, t.TIMETICKS: 4, t.COUNTER64: 8}
_EMPTY = {tag: Value(tag, None) for tag in t.MISSING}
_FLOATS = {0x78: (t.OPAQUE_FLOAT, ">f", 4), 0x79: (t.OPAQUE_DOUBLE, ">d", 8)}


def garbage(what: str) -> SnmpGarbage:
    """The error for bytes that are not SNMP; `what` names the place in the protocol's own words."""
    return SnmpGarbage(_("应答不是合法的 SNMP 报文：{what}").format(what=what))


# --- lengths and elements


def encode_length(length: int) -> bytes:
    """Definite length in its shortest form."""
    if length < 0x80:
        return bytes((length,))
    body = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(body),)) + body


def tlv(tag: int, content: bytes) -> bytes:
    """One element: tag, length, content."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    return bytes((tag,)) + encode_length(len(content)) + content


def read(data: bytes, pos: int, end: int) -> tuple[int, int, int]:
    """The element at `pos` inside data[:end]: (tag, start of its content, end of its content)."""
    if pos + 2 > end:
        raise garbage("element cut off")
    tag, length = data[pos], data[pos + 1]
    start = pos + 2
    if length >= 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or start + size > end:
            raise garbage("length")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    stop = start + length
    if stop > end:
        raise garbage("element longer than its container")
    return tag, start, stop


def expect(data: bytes, pos: int, end: int, tag: int, name: str) -> tuple[int, int]:
    """Like `read`, and the tag must be `tag`; `name` is used in the error."""
    found, start, stop = read(data, pos, end)
    if found != tag:
        raise garbage(f"{name}: tag {found:#04x}")
    return start, stop


def read_int(data: bytes, pos: int, end: int, name: str) -> tuple[int, int]:
    """An INTEGER of the protocol itself (request-id, boots, ...): (value, position after it)."""
    start, stop = expect(data, pos, end, t.INTEGER, name)
    if not 1 <= stop - start <= 5:
        raise garbage(name)
    return int.from_bytes(data[start:stop], "big", signed=True), stop


def read_bytes(data: bytes, pos: int, end: int, name: str) -> tuple[bytes, int]:
    """An OCTET STRING of the protocol itself: (content, position after it)."""
    start, stop = expect(data, pos, end, t.OCTET_STRING, name)
    return data[start:stop], stop


# --- integers


def encode_int(number: int, tag: int = t.INTEGER) -> bytes:
    """A two's-complement integer in its shortest form (also right for the unsigned types: a leading zero byte)."""
    if 0 <= number < 0x80:
        return bytes((tag, 1, number))
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return tlv(tag, number.to_bytes(size, "big", signed=True))


# --- object identifiers


def oid_subids(text: str) -> list[int]:
    """The sub-identifiers of "1.3.6.1" or ".1.3.6.1"; SnmpError if it is not an OID."""
    parts = text.removeprefix(".").split(".")
    if not 2 <= len(parts) <= MAX_SUBIDS or not all(p.isascii() and p.isdigit() and len(p) <= 10 for p in parts):
        raise SnmpError(_("不是 OID：{text}").format(text=text[:80]))
    subids = [int(p) for p in parts]
    if max(subids) > MAX_SUBID or subids[0] > 2 or (subids[0] < 2 and subids[1] > 39) or subids[1] > MAX_SUBID - 80:
        raise SnmpError(_("OID 超出范围：{text}").format(text=text[:80]))
    return subids


@lru_cache(maxsize=8192)
def oid_content(text: str) -> bytes:
    """Text to BER content."""
    first, second, *rest = oid_subids(text)
    out = bytearray()
    for subid in (40 * first + second, *rest):
        if subid < 0x80:
            out.append(subid)
            continue
        chunk = [subid & 0x7F]
        while subid := subid >> 7:
            chunk.append(0x80 | (subid & 0x7F))
        out.extend(reversed(chunk))
    return bytes(out)


def split_content(content: bytes) -> list[int]:
    """The encoded sub-identifiers of BER content; in a full OID the first holds two arcs (40 x first + second)."""
    if len(content) > 5 * MAX_SUBIDS:
        raise garbage("OID too long")
    if content and max(content) < 0x80:
        if len(content) >= MAX_SUBIDS:
            raise garbage("OID too long")
        return list(content)
    if not content or content[-1] >= 0x80:
        raise garbage("OID cut off")
    out: list[int] = []
    number = 0
    for byte in content:
        if byte == 0x80 and not number:
            raise garbage("OID sub-identifier with leading zeros")  # one OID, two encodings: could fake an end
        number = number << 7 | (byte & 0x7F)
        if byte < 0x80:
            out.append(number)
            number = 0
        elif number > MAX_SUBID:
            raise garbage("OID sub-identifier")
    if max(out) > MAX_SUBID or len(out) >= MAX_SUBIDS:
        raise garbage("OID sub-identifier")
    return out


def oid_text(content: bytes) -> str:
    """BER content to text. An empty OID, which some agents send for "none", reads "0.0"."""
    if not content:
        return "0.0"
    first, *rest = split_content(content)
    arc = min(first // 40, 2)
    return ".".join(map(str, (arc, first - 40 * arc, *rest)))


def tail_text(content: bytes) -> str:
    """BER content of the end of an OID (the index below a column) to text."""
    return ".".join(map(str, split_content(content)))


def oid_key(content: bytes) -> bytes:
    """BER content (whole or tail) to its sorting key."""
    subids = split_content(content)
    return struct.pack(f">{len(subids)}I", *subids)


# --- values


def encode_value(tag: int, value: int | float | bytes | str | None) -> bytes:
    """One value as a complete element; the counterpart of `decode_value`. SnmpError if it does not fit the tag."""
    try:
        return _encode(tag, value)
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
        raise SnmpError(_("值与类型不符：{tag}").format(tag=hex(tag))) from error


def _encode(tag: int, value: int | float | bytes | str | None) -> bytes:  # noqa: PLR0911 - one return a type
    match value:
        case None if tag in t.MISSING:
            return bytes((tag, 0))
        case int() if tag == t.INTEGER and -(2**63) <= value < 2**63:
            return encode_int(value)
        case int() if tag in UNSIGNED and 0 <= value < 1 << 8 * UNSIGNED[tag]:
            return encode_int(value, tag)
        case int() | float() if tag in (t.OPAQUE_FLOAT, t.OPAQUE_DOUBLE):
            kind = 0x78 if tag == t.OPAQUE_FLOAT else 0x79
            form, size = _FLOATS[kind][1:]
            return tlv(t.OPAQUE, bytes((0x9F, kind, size)) + struct.pack(form, value))
        case bytes() if tag in (t.OCTET_STRING, t.OPAQUE, t.IP_ADDRESS):
            return tlv(tag, value)
        case str() if tag == t.OID:
            return tlv(tag, oid_content(value))
        case str() if tag == t.IP_ADDRESS and value.count(".") == 3:
            return tlv(tag, bytes(int(part) for part in value.split(".")))
    raise TypeError(tag)


def decode_value(tag: int, content: bytes) -> Value:  # noqa: PLR0911 - one return a type
    """One value from its tag and content; SnmpGarbage for an unknown tag or a content that cannot be of that type."""
    if tag == t.INTEGER:
        if not 1 <= len(content) <= 8:
            raise garbage("INTEGER")
        return Value(tag, int.from_bytes(content, "big", signed=True))
    if tag == t.OCTET_STRING:
        return Value(tag, content)
    if tag in UNSIGNED:
        number = int.from_bytes(content, "big")
        if not 1 <= len(content) <= 9 or number >> 8 * UNSIGNED[tag]:
            raise garbage("unsigned value out of range")
        return Value(tag, number)
    if tag == t.OID:
        return Value(tag, oid_text(content))
    if tag == t.IP_ADDRESS:
        return Value(tag, ".".join(map(str, content)) if len(content) == 4 else content)
    if tag in _EMPTY:
        return _EMPTY[tag]
    if tag == t.OPAQUE:
        return _decode_opaque(content)
    raise garbage(f"value tag {tag:#04x}")


def _decode_opaque(content: bytes) -> Value:
    """Opaque: net-snmp's float or double if it is exactly that, else the bytes."""
    if len(content) >= 3 and content[0] == 0x9F and content[1] in _FLOATS:
        tag, form, size = _FLOATS[content[1]]
        if content[2] == size and len(content) == 3 + size:
            return Value(tag, struct.unpack(form, content[3:])[0])
    return Value(t.OPAQUE, content)


def encode_varbind(oid: bytes, value: bytes) -> bytes:
    """A varbind from OID content and a complete value element."""
    return tlv(t.SEQUENCE, tlv(t.OID, oid) + value)
