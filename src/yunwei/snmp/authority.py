"""The authoritative side of USM (RFC 3414 §3.2): who is asked checks who asks. Agents and inform receivers share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from yunwei.snmp import ber, message, usm
from yunwei.snmp.errors import SnmpError
from yunwei.snmp.message import AUTH, PRIV, REPORTABLE, Scoped, V3Message
from yunwei.snmp.usm import V3
from yunwei.snmp.values import COUNTER32

MIN_SIZE = 484  # RFC 3412 §6: every engine must accept messages of this size


class Authority(Protocol):
    """An engine with users. `boots` and the `now` handed in are its snmpEngineBoots and snmpEngineTime."""

    users: Mapping[bytes, V3]
    engine_id: bytes
    boots: int
    max_size: int


class Admitted(NamedTuple):
    """A question that passed: what was asked, by which message, and the keys to answer with."""

    asked: V3Message
    scoped: Scoped
    keys: usm.Keys | None


def admit(authority: Authority, datagram: bytes, now: int) -> Admitted | bytes | None:  # noqa: PLR0911 - one a refusal
    """Check a v3 question: Admitted, or the report to send back, or None for silence. SnmpGarbage if it is no v3."""
    asked = message.parse_v3(datagram)
    if not authority.engine_id:
        return None
    level = asked.flags & (AUTH | PRIV)
    user = authority.users.get(asked.user)
    if asked.engine_id != authority.engine_id:
        return report(authority, asked, usm.UNKNOWN_ENGINE, now)
    if user is None:
        return report(authority, asked, usm.UNKNOWN_USER, now)
    if level != user.flags:
        return report(authority, asked, usm.UNSUPPORTED_LEVEL, now)
    keys = usm.keys_for(user, authority.engine_id)
    if keys is not None:
        if not usm.signed_by(datagram, asked, keys):
            return report(authority, asked, usm.WRONG_DIGEST, now)
        if asked.boots != authority.boots or abs(asked.time - now) > usm.TIME_WINDOW:
            return report(authority, asked, usm.NOT_IN_TIME_WINDOW, now, keys)
    return _opened(authority, asked, keys, now)


def _opened(authority: Authority, asked: V3Message, keys: usm.Keys | None, now: int) -> Admitted | bytes | None:
    encrypted = bool(asked.flags & PRIV)
    try:
        plain = usm.decrypt(asked, keys) if encrypted and keys is not None else asked.payload
        return Admitted(asked, message.parse_scoped(plain), keys)
    except SnmpError:
        return report(authority, asked, usm.DECRYPTION_ERROR, now) if encrypted else None


def room(authority: Authority, admitted: Admitted) -> int:
    """Bytes left for the PDU element of the answer under both sides' largest message."""
    asked, scoped = admitted.asked, admitted.scoped
    # 128: all fixed fields with the longest length forms, a SHA-512 digest and a salt
    overhead = 128 + len(authority.engine_id) + len(scoped.context_engine_id) + len(asked.user)
    return min(authority.max_size, max(asked.max_size, MIN_SIZE)) - overhead - len(scoped.context_name)


def reply(authority: Authority, admitted: Admitted, pdu: bytes, now: int) -> bytes:
    """The datagram that answers an admitted question at the same level of security."""
    payload = message.build_scoped(admitted.scoped.context_engine_id, admitted.scoped.context_name, pdu)
    level = admitted.asked.flags & (AUTH | PRIV)
    return usm.seal(_outgoing(authority, admitted.asked, level, payload, now), admitted.keys)


def report(authority: Authority, asked: V3Message, oid: str, now: int, keys: usm.Keys | None = None) -> bytes | None:
    """A Report with one counter (always 1: nobody reads the count); signed where RFC 3414 §3.2 7a wants it."""
    if not asked.flags & REPORTABLE:
        return None
    request_id = 0  # unknown where the question is encrypted
    if not asked.flags & PRIV:
        try:
            request_id = message.parse_scoped(asked.payload).pdu.request_id
        except SnmpError:
            return None
    varbind = ber.encode_varbind(ber.oid_content(oid), ber.encode_value(COUNTER32, 1))
    pdu = message.build_pdu(message.REPORT, request_id, 0, 0, [varbind])
    payload = message.build_scoped(authority.engine_id, b"", pdu)
    return usm.seal(_outgoing(authority, asked, AUTH if keys else 0, payload, now), keys)


def _outgoing(authority: Authority, asked: V3Message, level: int, payload: bytes, now: int) -> V3Message:
    size = max(authority.max_size, MIN_SIZE)
    engine_id, boots = authority.engine_id, authority.boots
    return V3Message(asked.msg_id, size, level, engine_id, boots, now, asked.user, b"", 0, b"", payload)
