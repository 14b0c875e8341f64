"""How a client wraps its questions and trusts the answers: by community (v2c) or by user (v3, RFC 3414 §3).

`wrap` makes the datagram of a PDU, `unwrap` gives the PDU of a datagram if it answers one of the ids that were sent,
None if it answers something older, and raises where it cannot be trusted (`read` takes whole rows, see message.py). A Report comes out of `unwrap` as a PDU
with tag REPORT; `heed` then either learned from it (ask again) or raises.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Collection

from yunwei.kernel.i18n import _
from yunwei.snmp import ber, message, usm
from yunwei.snmp.ber import garbage
from yunwei.snmp.errors import SnmpAuthError, SnmpError
from yunwei.snmp.message import AUTH, PRIV, REPORTABLE, Pdu, RowReader, V3Message
from yunwei.snmp.usm import V3, EngineState, V2c

_ids: list[int] = []


def new_id() -> int:
    """A message or request id: unpredictable, so that an old or a forged answer cannot fit a new question."""
    while not _ids:  # the system is asked for many at once
        found = (word & message.MAX_ID for word in struct.unpack("=256I", os.urandom(1024)))
        _ids.extend(ident for ident in found if ident >= message.MIN_ID)
    return _ids.pop()


class Community:
    """v2c: the community goes out in clear and must come back."""

    one_id = True  # a retry repeats the request-id, so a late answer to the first try still counts
    engine: EngineState | None = None

    def __init__(self, credential: V2c) -> None:
        name = credential.community
        self.community = name.encode() if isinstance(name, str) else name

    def wrap(self, _ident: int, pdu: bytes) -> bytes:
        """The datagram."""
        return message.build_v2c(self.community, pdu)

    def unwrap(self, data: bytes, idents: Collection[int], read: RowReader | None = None) -> Pdu | None:
        """The response PDU."""
        pdu = message.read_answer(data, self.community, read)
        return pdu if pdu.request_id in idents else None

    def heed(self, report: Pdu) -> None:
        """v2c has no reports."""
        raise garbage(f"report {report.tag:#04x}")


class User:
    """v3: engine discovery, time window, digests and encryption of one user at one device."""

    one_id = False  # each try is a new message (its time and salt differ); answers to all tries count

    def __init__(self, credential: V3, engine: EngineState | None, clock: Callable[[], float]) -> None:
        credential.check()
        self.credential = credential
        self.name = credential.user.encode()
        self.engine = engine
        self.clock = clock
        self.trusted = engine is not None  # False while boots and time come from an unsigned report
        self.met = False  # True while the last thing heard is a discovery report

    def _keys(self) -> usm.Keys | None:
        return usm.keys_for(self.credential, self.engine.engine_id) if self.engine else None

    def _now(self, engine: EngineState) -> int:
        """The engine's time by our clock, kept inside its range should a clock have jumped."""
        return min(max(engine.time + int(self.clock() - engine.at), 0), message.MAX_ID)

    def wrap(self, ident: int, pdu: bytes) -> bytes:
        """The datagram; while the engine is unknown it is the discovery question of RFC 3414 §4 instead."""
        engine = self.engine
        if engine is None:
            empty = message.build_scoped(b"", b"", message.build_pdu(message.GET, ident, 0, 0, ()))
            probe = V3Message(ident, message.MAX_SIZE, REPORTABLE, b"", 0, 0, b"", b"", 0, b"", empty)
            return usm.seal(probe, None)
        flags = self.credential.flags
        boots, time = (engine.boots, self._now(engine)) if flags & AUTH else (0, 0)
        payload = message.build_scoped(engine.engine_id, b"", pdu)
        level = flags | REPORTABLE
        plain = V3Message(
            ident, message.MAX_SIZE, level, engine.engine_id, boots, time, self.name, b"", 0, b"", payload
        )
        return usm.seal(plain, self._keys())

    def unwrap(self, data: bytes, idents: Collection[int], read: RowReader | None = None) -> Pdu | None:
        """The response or report PDU, verified as far as its kind must be."""
        parsed = message.parse_v3(data)
        if parsed.msg_id not in idents:
            return None
        level = parsed.flags & (AUTH | PRIV)
        payload = self._verified(data, parsed) if level & AUTH else parsed.payload
        pdu = message.parse_scoped(payload, read).pdu
        if pdu.tag == message.REPORT:
            self._learn(parsed, pdu)
            return pdu
        engine = self.engine
        if pdu.tag != message.RESPONSE or engine is None or parsed.engine_id != engine.engine_id:
            raise garbage("not a response of this engine")
        if level != self.credential.flags:
            raise SnmpAuthError(_("应答的安全级别低于凭据，不予采信"))
        if level & AUTH:
            self._timely(parsed, engine)
        self.met = False
        return pdu

    def _verified(self, data: bytes, parsed: V3Message) -> bytes:
        """The scoped PDU of a message that claims to be signed."""
        keys = self._keys()
        if keys is None or self.engine is None or parsed.user != self.name or parsed.engine_id != self.engine.engine_id:
            raise SnmpAuthError(_("应答的签名者不是所问的设备和用户"))
        if not usm.signed_by(data, parsed, keys):
            raise SnmpAuthError(_("应答的签名验证不通过"))
        return usm.decrypt(parsed, keys) if parsed.flags & PRIV else parsed.payload

    def _timely(self, parsed: V3Message, engine: EngineState) -> None:
        """RFC 3414 §3.2 7b: a signed answer moves our notion of the engine's time, and must not be from the past."""
        if self.trusted:
            old = parsed.boots == engine.boots and parsed.time < self._now(engine) - usm.TIME_WINDOW
            if parsed.boots < engine.boots or old or parsed.boots == usm.MAX_BOOTS:
                raise SnmpAuthError(_("应答的引擎时间在窗口之外（重放，或设备时钟倒退）"))
        self._set(parsed, trusted=True)

    def _set(self, parsed: V3Message, *, trusted: bool) -> None:
        self.engine = EngineState(parsed.engine_id, parsed.boots, parsed.time, self.clock())
        self.trusted = trusted

    def _learn(self, parsed: V3Message, report: Pdu) -> None:
        """Take the engine's id from a discovery report, and its time from a notInTimeWindows report.

        A signed notInTimeWindows may set the time back: it answers an id that nobody could foresee, so it is fresh,
        and devices that forget their boot counter exist. An unsigned one is only tried out: the device itself
        refuses a wrong time, and an answer to it must be signed.
        """
        oid = _report_oid(report)
        signed = bool(parsed.flags & AUTH)
        if oid == usm.UNKNOWN_ENGINE:
            if not 5 <= len(parsed.engine_id) <= 32:
                raise garbage("engine id of the report")
            self._set(parsed, trusted=False)
            self.met = True
        elif oid == usm.NOT_IN_TIME_WINDOW:
            if self.engine is None or parsed.engine_id != self.engine.engine_id:
                raise garbage("report of another engine")
            self._set(parsed, trusted=signed)

    def heed(self, report: Pdu) -> None:
        """Return if asking again makes sense after this report; else say what the device refuses."""
        oid = _report_oid(report)
        if oid in (usm.UNKNOWN_ENGINE, usm.NOT_IN_TIME_WINDOW):
            return
        refusals = {
            usm.UNKNOWN_USER: _("设备上没有这个 SNMPv3 用户"),
            usm.WRONG_DIGEST: _("认证口令或算法不对"),
            usm.UNSUPPORTED_LEVEL: _("设备不接受这个用户以此安全级别访问"),
            usm.DECRYPTION_ERROR: _("加密口令或算法不对"),
        }
        if oid in refusals:
            raise SnmpAuthError(refusals[oid])
        raise SnmpError(_("设备以 Report 拒绝：{oid}").format(oid=oid))


def _report_oid(report: Pdu) -> str:
    return ber.oid_text(report.varbinds[0][0]) if report.varbinds else ""
