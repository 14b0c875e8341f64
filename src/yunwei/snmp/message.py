"""SNMP messages: v2c (RFC 1901, RFC 3416) and v3 (RFC 3412, RFC 3414) built from and taken apart to bytes.

A varbind is the pair (OID content, complete value element): both are slices of the datagram, so that a poll which
looks at a thousand varbinds makes no object it does not keep. `ber.decode_value` is called through `value_of`,
which remembers short values: states, flags and small numbers repeat endlessly between ports and devices.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import NamedTuple

from yunwei.snmp import ber
from yunwei.snmp.ber import garbage
from yunwei.snmp.values import COUNTER32, COUNTER64, GAUGE32, INTEGER, OCTET_STRING, OID, SEQUENCE, TIMETICKS, Value

GET = 0xA0
GETNEXT = 0xA1
RESPONSE = 0xA2
SET = 0xA3
TRAP_V1 = 0xA4
GETBULK = 0xA5
INFORM = 0xA6
TRAP = 0xA7
REPORT = 0xA8

NO_ERROR = 0
TOO_BIG = 1
AUTHORIZATION_ERROR = 16
NOT_WRITABLE = 17
STATUS_NAMES = (
    *("noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType", "wrongLength"),
    *("wrongEncoding", "wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable", "commitFailed"),
    *("undoFailed", "authorizationError", "notWritable", "inconsistentName"),
)

AUTH = 0x01
PRIV = 0x02
REPORTABLE = 0x04
USM_MODEL = 3
MAX_SIZE = 65507  # what we announce: the largest UDP payload over IPv4; a smaller figure makes agents cut answers
MIN_ID = 1 << 24  # ids keep a fixed width of 4 bytes
MAX_ID = (1 << 31) - 1

Varbind = tuple[bytes, bytes]
#: a row of a table: the index below its columns, then the complete value element of each column
Row = tuple[bytes, ...]
#: what reads whole rows at the beginning of data[pos:end]: the rows, and the position after them
RowReader = Callable[[bytes, int, int], tuple[list[Row], int]]


class Pdu(NamedTuple):
    """A PDU; for GETBULK `status` is non-repeaters and `at` max-repetitions; else `at` is error-index (RFC 3416 §3).

    Where rows were asked for, `rows` are those at the beginning and `varbinds` what is left after them.
    """

    tag: int
    request_id: int
    status: int
    at: int
    varbinds: list[Varbind]
    rows: list[Row] = []  # noqa: RUF012 - never changed


class V2cMessage(NamedTuple):
    """A v1/v2c message; `version` is 0 for v1 and 1 for v2c; the PDU is data[start:stop] with tag `tag`."""

    version: int
    community: bytes
    tag: int
    start: int
    stop: int


class V3Message(NamedTuple):
    """A v3 message with USM; `payload` is the scoped PDU element, or the ciphertext if flags has PRIV."""

    msg_id: int
    max_size: int
    flags: int
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    auth: bytes
    auth_at: int  # offset of `auth` in the datagram: it is zeroed there to compute the digest
    priv: bytes
    payload: bytes


class Scoped(NamedTuple):
    """A scoped PDU (RFC 3412 §6)."""

    context_engine_id: bytes
    context_name: bytes
    pdu: Pdu


# --- PDUs


def null_varbind(oid: bytes) -> bytes:
    """The varbind of a question: the OID with NULL."""
    size = len(oid)
    if size > 0x7F - 4:
        return ber.encode_varbind(oid, b"\x05\x00")
    return b"%c%c%c%c%b\x05\x00" % (SEQUENCE, size + 4, OID, size, oid)


def build_pdu(tag: int, request_id: int, status: int, index: int, varbinds: Iterable[bytes]) -> bytes:
    """A PDU element from complete varbinds."""
    content = b"".join(varbinds)
    size = len(content)
    if (
        size < 0x80 - 14 and MIN_ID <= request_id <= MAX_ID and 0 <= status < 0x80 and 0 <= index < 0x80
    ):  # nearly always
        shape = b"%c%c\x02\x04%b\x02\x01%c\x02\x01%c%c%c%b"
        return shape % (tag, size + 14, request_id.to_bytes(4), status, index, SEQUENCE, size, content)
    head = ber.encode_int(request_id) + ber.encode_int(status) + ber.encode_int(index)
    return ber.tlv(tag, head + ber.tlv(SEQUENCE, content))


def parse_pdu(data: bytes, tag: int, start: int, stop: int, read: RowReader | None = None) -> Pdu:
    """The PDU whose content is data[start:stop]; `read` takes what rows it can from the varbinds."""
    request_id, pos = ber.read_int(data, start, stop, "request-id")
    status, pos = ber.read_int(data, pos, stop, "error-status")
    index, pos = ber.read_int(data, pos, stop, "error-index")
    first, last = ber.expect(data, pos, stop, SEQUENCE, "varbinds")
    if last != stop:
        raise garbage("bytes after the varbinds")
    return _pdu(data, tag, (request_id, status, index), (first, last), read)


def _pdu(data: bytes, tag: int, numbers: tuple[int, int, int], place: tuple[int, int], read: RowReader | None) -> Pdu:
    """The PDU with these numbers whose varbinds stand at `place`."""
    first, last = place
    if read is not None and not numbers[1]:
        rows, first = read(data, first, last)
        return Pdu(tag, *numbers, parse_varbinds(data, first, last), rows)
    return Pdu(tag, *numbers, parse_varbinds(data, first, last))


def parse_varbinds(data: bytes, pos: int, end: int) -> list[Varbind]:
    """All varbinds in data[pos:end]. Lengths below 128, nearly all there are, are read in place.

    The last check, that the value ends where its varbind ends, holds all the others inside their bounds.
    """
    out: list[Varbind] = []
    append = out.append
    try:
        while pos < end:
            length = data[pos + 1]
            if data[pos] != SEQUENCE:
                raise garbage("varbind is no SEQUENCE")
            if length < 0x80:
                pos += 2
                stop = pos + length
            else:
                _tag, pos, stop = ber.read(data, pos, end)
            length = data[pos + 1]
            if data[pos] != OID:
                raise garbage("varbind name")
            if length < 0x80:
                start = pos + 2
                value = start + length
            else:
                _tag, start, value = ber.read(data, pos, stop)
            length = data[value + 1]
            if length >= 0x80:
                length = ber.read(data, value, stop)[2] - value - 2
            if value + 2 + length != stop or stop > end or start == value:
                raise garbage("varbind value")
            append((data[start:value], data[value:stop]))
            pos = stop
    except IndexError:
        raise garbage("varbind cut off") from None
    return out


#: a value of up to 40 bytes and in the short form, which is none of the exceptions; the usual lengths stand first
_ELEMENT = b"([^\\x80-\\x82](?:%s))" % b"|".join(
    re.escape(bytes((n,))) + b".{%d}" % n for n in (1, 4, 5, 2, 3, 6, 7, 8, 0, *range(9, 41))
)


@lru_cache(maxsize=1024)
def _row_pattern(prefixes: tuple[bytes, ...], tail: int) -> re.Pattern[bytes]:
    """What a row of these columns looks like whose index has `tail` bytes: one index, the same in every varbind."""
    index, pattern = b"(.{%d})" % tail, b""
    for prefix in prefixes:
        pattern += b"0.\x06" + re.escape(bytes((len(prefix) + tail,)) + prefix) + index + _ELEMENT
        index = b"\\1"
    return re.compile(pattern, re.DOTALL)


def read_rows(prefixes: tuple[bytes, ...], data: bytes, pos: int, end: int) -> tuple[list[Row], int]:
    """Whole rows at the beginning of data[pos:end], one value of each column in turn; and the position after them.

    The engine of regular expressions is several times as fast as a loop, which half of a poll's time would be. It
    takes what every agent sends (one index in the whole row, lengths in their short form, each element beginning where
    the one before it ends) and stops at anything else, which `parse_varbinds` then looks at.
    """
    rows: list[Row] = []
    while pos + 4 < end:
        tail, start = data[pos + 3] - len(prefixes[0]), pos
        if not 0 < tail <= 16:
            break
        for match in _row_pattern(prefixes, tail).finditer(data, pos, end):
            if match.start() != pos:
                break
            rows.append(match.groups())
            pos = match.end()
        if pos == start:
            break
    return rows, pos


#: values remembered by their element; only what repeats (states, flags, gauges, names), never counters
known_values: dict[bytes, Value] = {}
_REPEATS = frozenset({INTEGER, OCTET_STRING, OID, GAUGE32})
_COUNTERS = {COUNTER32: 4, COUNTER64: 8, TIMETICKS: 4}
_new = tuple.__new__
_tag_of = itemgetter(0)


def values_of(elements: Sequence[bytes]) -> list[Value]:
    """The values of one column, each a complete element in the short form whose length is right. Raises SnmpGarbage.

    Counters, half of a poll, are all of one kind and never the same again: nothing is looked up for them. What runs over
    the elements are the interpreter's own loops.
    """
    tag = elements[0][0]
    if (size := _COUNTERS.get(tag)) and set(map(_tag_of, elements)) == {tag}:
        numbers = [int.from_bytes(element[2:]) for element in elements]
        if min(map(len, elements)) > 2 and max(map(len, elements)) <= size + 3 and max(numbers) < 1 << 8 * size:
            return list(map(_new, repeat(Value), zip(repeat(tag), numbers)))
    try:
        return list(map(known_values.__getitem__, elements))
    except KeyError:
        return [known_values.get(element) or value_of(element) for element in elements]


def value_of(element: bytes) -> Value:
    """The value of a complete value element as `parse_varbinds` returns it."""
    value = known_values.get(element)
    if value is not None:
        return value
    tag = element[0] if element else 0
    if tag in _COUNTERS and 2 < len(element) <= 2 + _COUNTERS[tag] and element[1] == len(element) - 2:
        return _new(Value, (tag, int.from_bytes(element[2:], "big")))  # half of a walk; no leading zero, no length form
    _tag, start, stop = ber.read(element, 0, len(element))
    value = ber.decode_value(tag, element[start:stop])
    if len(element) <= 40 and tag in _REPEATS:
        if len(known_values) >= 50_000:
            known_values.clear()
        known_values[element] = value
    return value


# --- v1 / v2c


def build_v2c(community: bytes, pdu: bytes) -> bytes:
    """A v2c message."""
    return ber.tlv(SEQUENCE, b"\x02\x01\x01" + ber.tlv(OCTET_STRING, community) + pdu)


def version_of(data: bytes) -> tuple[int, int, int]:
    """Opens the outer SEQUENCE: (version, position after it, end). Bytes after the message are not accepted."""
    start, stop = ber.expect(data, 0, len(data), SEQUENCE, "message")
    if stop != len(data):
        raise garbage("bytes after the message")
    version, pos = ber.read_int(data, start, stop, "version")
    return version, pos, stop


def parse_v2c(data: bytes) -> V2cMessage:
    """A v1 or v2c message; SnmpGarbage for anything else."""
    version, pos, end = version_of(data)
    if version not in (0, 1):
        raise garbage("version")
    community, pos = ber.read_bytes(data, pos, end, "community")
    tag, start, stop = ber.read(data, pos, end)
    if stop != end or not GET <= tag <= REPORT:
        raise garbage("PDU")
    return V2cMessage(version, community, tag, start, stop)


_LENGTH = b"([\\x00-\\x7f]|\\x81.|\\x82..)"


@lru_cache(maxsize=1024)
def _answer_pattern(community: bytes) -> re.Pattern[bytes]:
    """What the head of a v2c answer looks like up to its varbinds: lengths, request-id, error-status, error-index."""
    known = re.escape(b"\x02\x01\x01\x04" + ber.encode_length(len(community)) + community + bytes((RESPONSE,)))
    small = b"\\x02\\x01([\\x00-\\x7f])"
    numbers = b"\\x02\\x04([\\x00-\\x7f]...)" + small + small
    return re.compile(b"0" + _LENGTH + known + _LENGTH + numbers + b"0" + _LENGTH, re.DOTALL)


def _length(told: bytes) -> int:
    """A length as `_LENGTH` finds it."""
    return told[0] if len(told) == 1 else int.from_bytes(told[1:])


def read_answer(data: bytes, community: bytes, read: RowReader | None = None) -> Pdu:
    """The response to a question of this community, `read` as in `parse_pdu`. Raises SnmpGarbage for anything else.

    What every agent sends is recognised as a whole; what does not fit is taken apart step by step.
    """
    found = _answer_pattern(community).match(data)
    if found is not None:
        whole, inner, number, status, index, varbinds = found.groups()
        end, first = len(data), found.end()
        if found.end(1) + _length(whole) == found.end(2) + _length(inner) == first + _length(varbinds) == end:
            return _pdu(data, RESPONSE, (int.from_bytes(number), status[0], index[0]), (first, end), read)
    parsed = parse_v2c(data)
    if parsed.tag != RESPONSE or parsed.version != 1:
        raise garbage("not a v2c response")
    if parsed.community != community:
        raise garbage("community of the response")
    return parse_pdu(data, parsed.tag, parsed.start, parsed.stop, read)


# --- v3


def build_scoped(engine_id: bytes, context: bytes, pdu: bytes) -> bytes:
    """A scoped PDU element."""
    return ber.tlv(SEQUENCE, ber.tlv(OCTET_STRING, engine_id) + ber.tlv(OCTET_STRING, context) + pdu)


def build_v3(message: V3Message) -> tuple[bytes, int]:
    """A v3 message and the offset of its authentication parameters; signing is `usm`'s business."""
    header = ber.encode_int(message.msg_id) + ber.encode_int(message.max_size)
    header += bytes((OCTET_STRING, 1, message.flags)) + ber.encode_int(USM_MODEL)
    payload = ber.tlv(OCTET_STRING, message.payload) if message.flags & PRIV else message.payload
    tail = ber.tlv(OCTET_STRING, message.priv)
    usm = ber.tlv(OCTET_STRING, message.engine_id) + ber.encode_int(message.boots) + ber.encode_int(message.time)
    usm += ber.tlv(OCTET_STRING, message.user) + ber.tlv(OCTET_STRING, message.auth) + tail
    security = ber.tlv(OCTET_STRING, ber.tlv(SEQUENCE, usm))
    data = ber.tlv(SEQUENCE, b"\x02\x01\x03" + ber.tlv(SEQUENCE, header) + security + payload)
    return data, len(data) - len(payload) - len(tail) - len(message.auth)


def parse_v3(data: bytes) -> V3Message:
    """A v3 message with USM parameters; nothing is verified or decrypted here."""
    version, pos, end = version_of(data)
    if version != 3:
        raise garbage("version")
    inner, pos = ber.expect(data, pos, end, SEQUENCE, "header")
    msg_id, inner = ber.read_int(data, inner, pos, "msgID")
    max_size, inner = ber.read_int(data, inner, pos, "msgMaxSize")
    flags, inner = ber.read_bytes(data, inner, pos, "msgFlags")
    model, inner = ber.read_int(data, inner, pos, "msgSecurityModel")
    if len(flags) != 1 or model != USM_MODEL or flags[0] & 3 == PRIV or inner != pos or not 0 <= msg_id <= MAX_ID:
        raise garbage("v3 header")
    outer, pos = ber.expect(data, pos, end, OCTET_STRING, "msgSecurityParameters")
    inner, stop = ber.expect(data, outer, pos, SEQUENCE, "usmSecurityParameters")
    engine_id, inner = ber.read_bytes(data, inner, stop, "msgAuthoritativeEngineID")
    boots, inner = ber.read_int(data, inner, stop, "msgAuthoritativeEngineBoots")
    time, inner = ber.read_int(data, inner, stop, "msgAuthoritativeEngineTime")
    user, inner = ber.read_bytes(data, inner, stop, "msgUserName")
    auth, auth_end = ber.read_bytes(data, inner, stop, "msgAuthenticationParameters")
    priv, inner = ber.read_bytes(data, auth_end, stop, "msgPrivacyParameters")
    if (
        inner != stop
        or stop != pos
        or not (0 <= boots <= MAX_ID and 0 <= time <= MAX_ID)
        or len(engine_id) > 32
        or len(user) > 32
    ):
        raise garbage("usmSecurityParameters")
    encrypted = bool(flags[0] & PRIV)
    _tag, start, stop = ber.read(data, pos, end)
    if _tag != (OCTET_STRING if encrypted else SEQUENCE) or stop != end:
        raise garbage("scoped PDU")
    payload = data[start:stop] if encrypted else data[pos:stop]
    return V3Message(
        msg_id, max_size, flags[0], engine_id, boots, time, user, auth, auth_end - len(auth), priv, payload
    )


def parse_scoped(data: bytes, read: RowReader | None = None) -> Scoped:
    """A plain scoped PDU element. Bytes after it are padding of a block cipher (RFC 3414 §8.1.1.3) and ignored."""
    start, stop = ber.expect(data, 0, len(data), SEQUENCE, "scoped PDU")
    engine_id, pos = ber.read_bytes(data, start, stop, "contextEngineID")
    context, pos = ber.read_bytes(data, pos, stop, "contextName")
    tag, first, last = ber.read(data, pos, stop)
    if last != stop or not GET <= tag <= REPORT or tag == TRAP_V1:
        raise garbage("PDU")
    return Scoped(engine_id, context, parse_pdu(data, tag, first, last, read))
