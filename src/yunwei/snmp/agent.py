"""The agent side as pure functions: what the device farm answers with, and what the client's tests are judged on.

A `Table` is immutable and shared between endpoints: varbinds encoded once, in lexicographic order, one dict from OID
to row (a walk asks for exactly the OIDs it was given, so nearly every question is one lookup) and the sorting keys
for the rest. An `Agent` is one endpoint: a table, its credentials, and how it misbehaves. `answer` does the rest for
v2c (RFC 3416) and v3 (RFC 3412, RFC 3414 as authoritative engine). Nothing can be written: SET is refused.

Replies are trimmed as RFC 3416 §4.2.3 says: a GETBULK answer loses varbinds at its end until the message fits (down
to none); a GET or GETNEXT answer that does not fit becomes tooBig.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from yunwei.snmp import authority, ber, message
from yunwei.snmp.errors import SnmpError
from yunwei.snmp.message import Pdu
from yunwei.snmp.usm import V3

#: called with (OID content as BER bytes, the table's complete value element); returns the complete value element to
#: send instead (`ber.encode_value` makes one), or None to leave it
Override = Callable[[bytes, bytes], bytes | None]

_NO_SUCH_OBJECT = b"\x80\x00"
_NO_SUCH_INSTANCE = b"\x81\x00"
_END = b"\x82\x00"


class Table:
    """Varbinds sorted by OID, encoded once; shared by any number of agents; never changed after `build`."""

    __slots__ = ("encoded", "keys", "oids", "rows", "values")

    def __init__(self, oids: list[bytes], values: list[bytes]) -> None:
        """`oids` (BER content) in lexicographic order without duplicates, `values` complete value elements."""
        self.oids = oids
        self.values = values
        self.keys = [ber.oid_key(oid) for oid in oids]
        self.rows = {oid: row for row, oid in enumerate(oids)}
        self.encoded = [ber.encode_varbind(oid, value) for oid, value in zip(oids, values, strict=True)]

    @classmethod
    def build(cls, records: Iterable[tuple[str, int, bytes]]) -> Self:
        """From (OID text, tag, content bytes of the value) in any order; of duplicates the first wins."""
        seen: dict[bytes, bytes] = {}
        for text, tag, content in records:
            seen.setdefault(ber.oid_content(text), ber.tlv(tag, content))
        oids = sorted(seen, key=ber.oid_key)
        return cls(oids, [seen[oid] for oid in oids])

    def __len__(self) -> int:
        return len(self.oids)

    def get(self, text: str) -> bytes | None:
        """The complete value element stored for an OID."""
        row = self.rows.get(ber.oid_content(text))
        return None if row is None else self.values[row]

    def varbind(self, row: int) -> bytes:
        """The varbind of a row as it stands in the table."""
        return self.encoded[row]

    def after(self, oid: bytes) -> int:
        """The row of the first OID lexicographically after `oid`; len(self) if there is none."""
        row = self.rows.get(oid)
        return bisect_right(self.keys, ber.oid_key(oid)) if row is None else row + 1

    def missing(self, oid: bytes) -> bytes:
        """noSuchInstance where the table has a neighbour under the same parent, else noSuchObject.

        The MIB is not known here, so a sibling instance is the evidence that the object exists.
        """
        parent = ber.oid_key(oid)[:-4]
        row = bisect_left(self.keys, parent)
        return _NO_SUCH_INSTANCE if row < len(self.keys) and self.keys[row].startswith(parent) else _NO_SUCH_OBJECT


@dataclass(slots=True)
class Agent:
    """One endpoint.

    `users` by user name (a V3 may be shared by all endpoints; its level is the least that is accepted). `max_size` is
    the largest message this agent sends. Misbehaviour: `toobig_above` answers tooBig to any request that asks for more
    varbinds than this (names x max-repetitions); `truncate` sends at most so many varbinds of a GETBULK (0 = off).
    """

    table: Table
    community: bytes = b"public"
    users: Mapping[bytes, V3] = field(default_factory=dict)
    engine_id: bytes = b""
    boots: int = 1
    max_size: int = 1472
    override: Override | None = None
    toobig_above: int = 0
    truncate: int = 0


def answer(agent: Agent, datagram: bytes, engine_time: int) -> bytes | None:
    """The datagram to send back, or None for silence (wrong community, not SNMP). Never raises on input.

    `engine_time` is the agent's snmpEngineTime in seconds (since boot number `agent.boots`).
    """
    try:
        if len(datagram) > 16 and message.version_of(datagram)[0] == 3:
            return _answer_v3(agent, datagram, engine_time)
        return _answer_v2c(agent, datagram)
    except SnmpError:
        return None


def _answer_v2c(agent: Agent, datagram: bytes) -> bytes | None:
    parsed = message.parse_v2c(datagram)
    if parsed.version != 1 or not agent.community or parsed.community != agent.community:
        return None
    pdu = message.parse_pdu(datagram, parsed.tag, parsed.start, parsed.stop)
    overhead = len(parsed.community) + 12  # two long-form headers and the version
    reply = respond(agent, pdu, agent.max_size - overhead)
    return None if reply is None else message.build_v2c(parsed.community, reply)


# --- PDUs


def respond(agent: Agent, pdu: Pdu, room: int) -> bytes | None:
    """The response PDU element, at most `room` bytes; None for PDUs that are not questions."""
    names = [oid for oid, _value in pdu.varbinds]
    if pdu.tag == message.SET:
        return _with_status(pdu, message.NOT_WRITABLE, 1, room)
    if pdu.tag not in (message.GET, message.GETNEXT, message.GETBULK):
        return None
    bulk = pdu.tag == message.GETBULK
    fixed = min(max(pdu.status, 0), len(names)) if bulk else len(names)
    asked = fixed + (len(names) - fixed) * max(pdu.at, 0)
    if agent.toobig_above and asked > agent.toobig_above:
        return _with_status(pdu, message.TOO_BIG, 0, room)
    room -= 30  # PDU header with request-id, status and index, and the varbinds' own header
    if bulk:
        limit = min(agent.truncate or asked, asked)
        return message.build_pdu(message.RESPONSE, pdu.request_id, 0, 0, _bulk(agent, names, fixed, limit, room))
    pick = _get if pdu.tag == message.GET else _next
    found = [pick(agent, oid) for oid in names]
    if sum(map(len, found)) > room:
        return _with_status(pdu, message.TOO_BIG, 0, room + 30)
    return message.build_pdu(message.RESPONSE, pdu.request_id, 0, 0, found)


def _with_status(pdu: Pdu, status: int, at: int, room: int) -> bytes:
    """An error response: the question's varbinds come back, except for tooBig, which has none (RFC 3416 §4.2.1)."""
    back = [] if status == message.TOO_BIG else [ber.encode_varbind(oid, value) for oid, value in pdu.varbinds]
    if sum(map(len, back)) + 30 > room:
        status, at, back = message.TOO_BIG, 0, []
    return message.build_pdu(message.RESPONSE, pdu.request_id, status, at, back)


def _row(agent: Agent, row: int) -> bytes:
    """The varbind of a row, with the override's value if there is one."""
    table = agent.table
    if agent.override is not None:
        oid = table.oids[row]
        if changed := agent.override(oid, table.values[row]):
            return ber.encode_varbind(oid, changed)
    return table.varbind(row)


def _get(agent: Agent, oid: bytes) -> bytes:
    row = agent.table.rows.get(oid)
    return ber.encode_varbind(oid, agent.table.missing(oid)) if row is None else _row(agent, row)


def _next(agent: Agent, oid: bytes) -> bytes:
    row = agent.table.after(oid)
    return ber.encode_varbind(oid, _END) if row >= len(agent.table) else _row(agent, row)


def _bulk(agent: Agent, names: list[bytes], fixed: int, limit: int, room: int) -> list[bytes]:
    """The varbinds of a GETBULK answer, as many as `limit` and `room` allow, in the order of RFC 3416 §4.2.3."""
    table, size = agent.table, len(agent.table)
    out: list[bytes] = []
    cursors = [table.after(oid) for oid in names]
    last = list(names)
    position = ended = 0
    while len(out) < limit:
        row = cursors[position]
        if row < size:
            varbind = _row(agent, row)
            last[position] = table.oids[row]
            cursors[position] = row + 1
        else:
            varbind = ber.encode_varbind(last[position], _END)
            ended += position >= fixed
        room -= len(varbind)
        if room < 0:
            break
        out.append(varbind)
        position += 1
        if position == len(names):
            if ended == len(names) - fixed:
                break  # a whole repetition of endOfMibView: RFC 3416 §4.2.3 lets the answer end here
            position, ended = fixed, 0
    return out


def _answer_v3(agent: Agent, datagram: bytes, now: int) -> bytes | None:
    admitted = authority.admit(agent, datagram, now)
    if not isinstance(admitted, authority.Admitted):
        return admitted
    reply = respond(agent, admitted.scoped.pdu, authority.room(agent, admitted))
    return None if reply is None else authority.reply(agent, admitted, reply, now)
