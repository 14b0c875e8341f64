"""Notifications: traps and informs of v1, v2c and v3 (RFC 3416 §4.2.6-7, RFC 3584 §3.1, RFC 3414).

`Receiver.take` is a pure function of a datagram and the time: it gives what was announced and, for an inform, the
datagram to answer with. Under v3 a *trap* is signed by the sender's engine, an *inform* for ours; both are checked,
and a replayed trap (its engine time older than what was seen) is refused. A v1 trap becomes the v2 form as RFC 3584
says. A v2c or v1 notification proves nothing about its sender: the address and the community can both be forged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from yunwei.kernel.i18n import _
from yunwei.snmp import authority, ber, message, usm
from yunwei.snmp.ber import garbage
from yunwei.snmp.errors import SnmpAuthError
from yunwei.snmp.message import AUTH, PRIV, Pdu, value_of
from yunwei.snmp.usm import V3, EngineState
from yunwei.snmp.values import IP_ADDRESS, OID, SEQUENCE, TIMETICKS, Value

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
TRAP_ENTERPRISE = "1.3.6.1.6.3.1.1.4.3.0"
TRAP_ADDRESS = "1.3.6.1.6.3.18.1.3.0"
STANDARD_TRAPS = "1.3.6.1.6.3.1.1.5"


class Notification(NamedTuple):
    """One trap or inform. `uptime` in hundredths of a second; `varbinds` without uptime and trap OID, in their order.

    `user` is the v3 user, `community` the v1/v2c community; `signed` is True if the sender proved itself (v3 with
    authentication); `engine_id` the v3 sender's (trap) or our (inform) engine.
    """

    trap_oid: str
    enterprise: str
    uptime: int
    varbinds: list[tuple[str, Value]]
    version: int  # 0 = v1, 1 = v2c, 3 = v3
    inform: bool
    signed: bool
    user: str
    community: bytes
    engine_id: bytes


@dataclass(slots=True)
class Receiver:
    """A notification receiver: accepted communities and users, our engine for informs, times of senders' engines."""

    communities: frozenset[bytes] = frozenset()
    users: Mapping[bytes, V3] = field(default_factory=dict)
    engine_id: bytes = b""
    boots: int = 1
    max_size: int = message.MAX_SIZE
    engines: dict[bytes, EngineState] = field(default_factory=dict)  # trap senders, for the replay check

    def take(self, datagram: bytes, now: int) -> tuple[Notification | None, bytes | None]:
        """(notification, datagram to send back); (None, report) while an inform sender synchronises.

        `now` is our snmpEngineTime in seconds. SnmpGarbage for what is no notification, SnmpAuthError for one that
        is not from whom we accept.
        """
        if message.version_of(datagram)[0] == 3:
            return self._take_v3(datagram, now)
        parsed = message.parse_v2c(datagram)
        if parsed.community not in self.communities:
            raise SnmpAuthError(_("通知的团体名不被接受"))
        if parsed.version == 0:
            return _from_v1(datagram, parsed), None
        pdu = message.parse_pdu(datagram, parsed.tag, parsed.start, parsed.stop)
        found = _from_pdu(pdu, 1, community=parsed.community)
        return found, message.build_v2c(parsed.community, _acknowledge(pdu)) if found.inform else None

    def _take_v3(self, datagram: bytes, now: int) -> tuple[Notification | None, bytes | None]:
        parsed = message.parse_v3(datagram)
        if parsed.flags & message.REPORTABLE or parsed.engine_id == self.engine_id:
            admitted = authority.admit(self, datagram, now)
            if not isinstance(admitted, authority.Admitted):
                return None, admitted
            pdu = admitted.scoped.pdu
            found = self._found(pdu, parsed)
            return found, authority.reply(self, admitted, _acknowledge(pdu), now) if found.inform else None
        user = self.users.get(parsed.user)
        if user is None or parsed.flags & (AUTH | PRIV) != user.flags:
            raise SnmpAuthError(_("通知的用户或安全级别不被接受"))
        payload = parsed.payload
        keys = usm.keys_for(user, parsed.engine_id)
        if keys is not None:
            if not usm.signed_by(datagram, parsed, keys):
                raise SnmpAuthError(_("通知的签名验证不通过"))
            self._timely(parsed, now)
            payload = usm.decrypt(parsed, keys) if parsed.flags & PRIV else payload
        return self._found(message.parse_scoped(payload).pdu, parsed), None

    def _found(self, pdu: Pdu, parsed: message.V3Message) -> Notification:
        found = _from_pdu(pdu, 3)
        user = parsed.user.decode("utf-8", "replace")
        return found._replace(signed=bool(parsed.flags & AUTH), user=user, engine_id=parsed.engine_id)

    def _timely(self, parsed: message.V3Message, now: int) -> None:
        """RFC 3414 §3.2 7b, with the times of signed messages only."""
        known = self.engines.get(parsed.engine_id)
        if known is not None:
            old = parsed.boots == known.boots and parsed.time < known.time + (now - known.at) - usm.TIME_WINDOW
            if parsed.boots < known.boots or old:
                raise SnmpAuthError(_("通知的引擎时间在窗口之外（重放，或设备时钟倒退）"))
        self.engines[parsed.engine_id] = EngineState(parsed.engine_id, parsed.boots, parsed.time, now)


def _acknowledge(pdu: Pdu) -> bytes:
    """The Response that confirms an inform: its own varbinds (RFC 3416 §4.2.7)."""
    back = [ber.encode_varbind(oid, value) for oid, value in pdu.varbinds]
    return message.build_pdu(message.RESPONSE, pdu.request_id, 0, 0, back)


def _from_pdu(pdu: Pdu, version: int, *, community: bytes = b"") -> Notification:
    """An SNMPv2 trap or inform PDU; its first two varbinds must be sysUpTime.0 and snmpTrapOID.0 (RFC 3416 §4.2.6)."""
    if pdu.tag not in (message.TRAP, message.INFORM):
        raise garbage("not a notification")
    varbinds = [(ber.oid_text(oid), value_of(value)) for oid, value in pdu.varbinds]
    if len(varbinds) < 2 or varbinds[0][0] != SYS_UPTIME or varbinds[1][0] != TRAP_OID:
        raise garbage("notification without sysUpTime.0 and snmpTrapOID.0")
    uptime, trap_oid = varbinds[0][1], varbinds[1][1]
    if uptime.tag != TIMETICKS or trap_oid.tag != OID:
        raise garbage("types of sysUpTime.0 and snmpTrapOID.0")
    enterprise = next((value.as_text() for oid, value in varbinds[2:] if oid == TRAP_ENTERPRISE), "")
    inform = pdu.tag == message.INFORM
    return Notification(
        trap_oid.as_text(), enterprise, uptime.as_int() or 0, varbinds[2:], version, inform, False, "", community, b""
    )


def _from_v1(data: bytes, parsed: message.V2cMessage) -> Notification:
    """A v1 Trap-PDU in its v2 form (RFC 3584 §3.1): generic 0-5 are standard OIDs, 6 is enterprise.0.specific."""
    if parsed.tag != message.TRAP_V1:
        raise garbage("not a v1 trap")
    start, pos = ber.expect(data, parsed.start, parsed.stop, OID, "enterprise")
    enterprise = ber.oid_text(data[start:pos])
    start, pos = ber.expect(data, pos, parsed.stop, IP_ADDRESS, "agent-addr")
    address = ber.decode_value(IP_ADDRESS, data[start:pos])
    generic, pos = ber.read_int(data, pos, parsed.stop, "generic-trap")
    specific, pos = ber.read_int(data, pos, parsed.stop, "specific-trap")
    start, pos = ber.expect(data, pos, parsed.stop, TIMETICKS, "time-stamp")
    uptime = ber.decode_value(TIMETICKS, data[start:pos]).as_int() or 0
    start, stop = ber.expect(data, pos, parsed.stop, SEQUENCE, "varbinds")
    if stop != parsed.stop or not 0 <= generic <= 6 or specific < 0:
        raise garbage("v1 trap")
    pairs = message.parse_varbinds(data, start, stop)
    varbinds = [(ber.oid_text(oid), value_of(value)) for oid, value in pairs]
    varbinds.append((TRAP_ADDRESS, address))
    trap_oid = f"{enterprise}.0.{specific}" if generic == 6 else f"{STANDARD_TRAPS}.{generic + 1}"
    return Notification(trap_oid, enterprise, uptime, varbinds, 0, False, False, "", parsed.community, b"")
