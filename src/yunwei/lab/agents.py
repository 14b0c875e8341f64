"""The SNMP side of the farm: one table per sample, shared; what differs per device is worked out as it is asked for.

A device costs nothing until its first packet and then a few hundred bytes: moving counters, clocks, serial numbers and
MAC addresses are computed from the time and the device's seed each time, never stored.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from yunwei.kernel.i18n import _
from yunwei.lab.endless import EndlessTable
from yunwei.lab.errors import LabError
from yunwei.lab.find import SampleFile
from yunwei.lab.overlay import CONTENT, TYPES, SnmpEdit
from yunwei.lab.spec import DeviceSpec, derive
from yunwei.lab.tree import CHINA, Personal
from yunwei.snmp import agent, ber, snmprec, usm
from yunwei.snmp import values as t
from yunwei.snmp.errors import SnmpError

#: all moving values are counted from here, so a farm that is started again goes on and does not seem rebooted
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
TOO_BIG_ABOVE = 12
TRUNCATE_TO = 5

UPTIMES = ("1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.25.1.1.0")  # sysUpTime, hrSystemUptime
SYSTEM_DATE = "1.3.6.1.2.1.25.1.2.0"
SYS_NAME = "1.3.6.1.2.1.1.5.0"
ENGINE_ID, ENGINE_TIME = "1.3.6.1.6.3.10.2.1.1.0", "1.3.6.1.6.3.10.2.1.3.0"
IF = "1.3.6.1.2.1.2.2.1."
IFX = "1.3.6.1.2.1.31.1.1.1."
OPER_STATUS = IF + "8"
IN_ERRORS, OUT_ERRORS = IF + "14", IF + "20"
ALIAS = IFX + "18"
#: columns that count on a port that is up, with their rate per second (octets, then packets)
TRAFFIC = {
    **dict.fromkeys((IF + "10", IF + "16", IFX + "6", IFX + "10"), 125_000.0),
    **dict.fromkeys((IF + "11", IF + "17", IFX + "7", IFX + "11"), 900.0),
}
#: entPhysicalSerialNum, ifPhysAddress, dot1dBaseBridgeAddress, lldpLocChassisId
SERIALS = ("1.3.6.1.2.1.47.1.1.1.1.11",)
MACS = (IF + "6", "1.3.6.1.2.1.17.1.1.0", "1.0.8802.1.1.2.1.3.2.0")
BROKEN_TEXT = "测试机房".encode("gb18030")[:-1] + b"\xff\xfe"


@dataclass(frozen=True, slots=True)
class Motion:
    """How one OID's value comes about: `kind` count | date | engine_id | serial | name | mac."""

    kind: str
    rate: float = 0.0


class Sample:
    """One SNMP sample: its table, and which of its OIDs move or identify the device."""

    def __init__(self, file: SampleFile) -> None:
        self.file = file
        self.sidecar = file.sidecar()
        records: list[tuple[str, int, bytes]] = list(snmprec.read_file(file.path).records)
        if not records:
            raise LabError(_("样本里没有一条记录"), where=str(file.path))
        if all(record[0] != UPTIMES[0] for record in records):  # RFC 3418: every agent has it; captures are often cut
            records.append((UPTIMES[0], t.TIMETICKS, b"\0"))
        self.table = agent.Table.build(records)
        self.motions = self._motions()
        self._variants: dict[frozenset[str], Variant] = {}

    def below(self, prefix: str) -> Iterable[bytes]:
        """OIDs (BER content) of the table equal to or below a prefix, in order."""
        content = ber.oid_content(prefix)
        if content in self.table.rows:
            yield content
        for oid in self.table.oids[self.table.after(content) :]:
            if not oid.startswith(content):
                return
            yield oid

    def first_port_up(self) -> bytes | None:
        """The index (BER content) of the first port whose ifOperStatus is up(1)."""
        up = ber.encode_value(t.INTEGER, 1)
        column = len(ber.oid_content(OPER_STATUS))
        return next((oid[column:] for oid in self.below(OPER_STATUS) if self.value(oid) == up), None)

    def value(self, oid: bytes) -> bytes:
        """The value element as the sample has it."""
        return self.table.values[self.table.rows[oid]]

    def variant(self, faults: Iterable[str]) -> Variant:
        """Table and changes under a set of content faults; shared. Raises LabError when the sample cannot show one."""
        content = frozenset(fault for fault in faults if fault in CONTENT or fault == "endless")
        if content not in self._variants:
            self._variants[content] = Variant(self, content)
        return self._variants[content]

    def _motions(self) -> dict[bytes, Motion]:
        out: dict[bytes, Motion] = {}
        for prefixes, kind in (
            (SERIALS, "serial"),
            ((SYS_NAME,), "name"),
            (MACS, "mac"),
            (self.sidecar.identity.snmp, "serial"),
        ):
            for prefix in prefixes:
                out |= dict.fromkeys(self.below(prefix), Motion(kind))
        out |= self._traffic()
        for oid in UPTIMES:
            out[ber.oid_content(oid)] = Motion("count", 100.0)
        out[ber.oid_content(SYSTEM_DATE)] = Motion("date")
        out[ber.oid_content(ENGINE_ID)] = Motion("engine_id")
        out[ber.oid_content(ENGINE_TIME)] = Motion("count", 1.0)
        for moving in self.sidecar.moving.snmp:
            out |= dict.fromkeys(self.below(moving.oid), Motion("count", moving.rate))
        return out

    def _traffic(self) -> dict[bytes, Motion]:
        up = ber.encode_value(t.INTEGER, 1)
        column = len(ber.oid_content(OPER_STATUS))
        ports = [oid[column:] for oid in self.below(OPER_STATUS) if self.value(oid) == up]
        out: dict[bytes, Motion] = {}
        for text, rate in TRAFFIC.items():
            prefix = ber.oid_content(text)
            for index in ports:
                if prefix + index in self.table.rows:
                    out[prefix + index] = Motion("count", rate * (1 + sum(index) % 7))
        return out


class Variant:
    """What a set of content faults makes of a sample: another table where rows come or go, else only other values."""

    def __init__(self, sample: Sample, faults: frozenset[str]) -> None:
        self.values: dict[bytes, bytes] = {}
        self.growth: dict[bytes, float] = {}
        added: dict[bytes, bytes] = {}
        removed: list[bytes] = []
        for fault in sorted(faults - {"endless"}):
            recipe = sample.sidecar.faults.get(fault)
            edits = recipe.snmp if recipe and recipe.snmp else _standard(sample, fault)
            for edit in edits:
                self._apply(sample, edit, added, removed)
        self.table = sample.table
        if added or removed:
            self.table = _rebuilt(sample.table, added, removed)
        #: OIDs whose value is not the sample's: nine of ten rows of a poll are not among them
        self.special = frozenset((*self.values, *self.growth, *sample.motions))
        if "endless" in faults:
            self.table = EndlessTable(self.table, [IF + "2", OPER_STATUS, IFX + "1"])

    def _apply(self, sample: Sample, edit: SnmpEdit, added: dict[bytes, bytes], removed: list[bytes]) -> None:
        oid = ber.oid_content(edit.oid)
        present = oid in sample.table.rows
        if edit.remove:
            removed.append(oid)
            return
        if not present and not edit.type:
            raise LabError(_("样本里没有这个 OID；要新增须写明类型"), where=f"{sample.file.name}: {edit.oid}")
        if edit.grow:
            self.growth[oid] = edit.grow
        if edit.value is not None:
            tag = TYPES[edit.type] if edit.type else sample.value(oid)[0]
            (self.values if present else added)[oid] = _element(tag, edit, sample.file.name)


def _element(tag: int, edit: SnmpEdit, name: str) -> bytes:
    value: int | bytes | str | None = edit.value
    try:
        if edit.type == "hex":
            value = bytes.fromhex(str(edit.value))
        elif tag == t.OCTET_STRING:
            value = str(edit.value).encode()
        return ber.encode_value(tag, value)
    except (ValueError, SnmpError) as error:
        raise LabError(_("值与类型不符"), where=f"{name}: {edit.oid}") from error


def _standard(sample: Sample, fault: str) -> tuple[SnmpEdit, ...]:
    """Faults that need no recipe because their OIDs are standard."""
    if fault == "identity_changed":
        return ()  # the device's generation does it
    if fault == "wrong_encoding":
        places = [*sample.below(SYS_NAME), *sample.below(ALIAS)]
        return tuple(SnmpEdit(oid=ber.oid_text(oid), value=BROKEN_TEXT.hex(), type="hex") for oid in places)
    index = sample.first_port_up() if fault == "port_errors" else None
    edits = []
    if index is not None:
        columns = [ber.oid_content(column) + index for column in (IN_ERRORS, OUT_ERRORS)]
        edits = [SnmpEdit(oid=ber.oid_text(oid), grow=50.0) for oid in columns if oid in sample.table.rows]
    if not edits:
        raise LabError(
            _("样本 {name} 没有写明故障 {fault} 怎样显示").format(name=sample.file.name, fault=fault),
            where=str(sample.file.path),
            hint=_("在样本旁的 .faults.yaml 里写明"),
        )
    return tuple(edits)


def _rebuilt(table: agent.Table, added: dict[bytes, bytes], removed: list[bytes]) -> agent.Table:
    rows = {
        oid: value for oid, value in zip(table.oids, table.values, strict=True) if not oid.startswith(tuple(removed))
    }
    rows |= added
    oids = sorted(rows, key=ber.oid_key)
    return agent.Table(oids, [rows[oid] for oid in oids])


class SnmpDevice:
    """One SNMP endpoint in its present state."""

    def __init__(self, spec: DeviceSpec, sample: Sample, seed: str, faults: frozenset[str], now: float) -> None:
        self.spec = spec
        self.sample = sample
        self.seed = seed
        self.faults = faults
        self.frozen_at = ANCHOR if "frozen" in faults else None
        self.now = now
        self.agent = self._agent()

    def set_faults(self, faults: frozenset[str], now: float) -> None:
        """Change what is wrong with it; values that freeze stop where they are."""
        if "frozen" not in faults:
            self.frozen_at = None
        elif "frozen" not in self.faults:
            self.frozen_at = now
        self.faults = faults
        self.agent = self._agent()

    def respond(self, datagram: bytes, now: float) -> bytes | None:
        """The datagram to send back, None for silence."""
        self.now = now if self.frozen_at is None else self.frozen_at
        reply = agent.answer(self.agent, datagram, int(now - ANCHOR) & 0x7FFFFFFF)
        if reply is None:
            return None
        if "garbage" in self.faults:
            return random.Random(reply).randbytes(len(reply))  # noqa: S311 - noise
        return reply[: len(reply) // 2] if "half" in self.faults else reply

    def _agent(self) -> agent.Agent:
        self.generation = int("identity_changed" in self.faults)
        self.personal = Personal(self.seed, self.spec.sample, self.spec.copy, self.generation)
        self.engine_id = engine_id(self.seed, self.spec.address, self.generation)
        self.variant = self.sample.variant(self.faults)
        refuse = "unauthorized" in self.faults
        return agent.Agent(
            table=self.variant.table,
            community=b"" if refuse else self.spec.community.encode(),
            users={} if refuse else {user.user.encode(): usm.V3(*_fields(user)) for user in self.spec.users},
            engine_id=self.engine_id if self.spec.users else b"",
            override=self._override,
            toobig_above=TOO_BIG_ABOVE if "too_big" in self.faults else 0,
            truncate=TRUNCATE_TO if "truncating" in self.faults else 0,
        )

    def _override(self, oid: bytes, element: bytes) -> bytes | None:
        if oid not in self.variant.special:
            return None
        changed = self.variant.values.get(oid)
        growth = self.variant.growth.get(oid)
        if growth is not None:
            return self._counted(changed or element, growth)
        if changed is not None:
            return changed
        motion = self.sample.motions.get(oid)
        return None if motion is None else self._moved(motion, element)

    def _moved(self, motion: Motion, element: bytes) -> bytes | None:
        match motion.kind:
            case "count":
                return self._counted(element, motion.rate)
            case "date":
                return _date(self.now, len(element) - 2)
            case "engine_id":
                return ber.tlv(t.OCTET_STRING, self.engine_id)
        return self._personal(motion.kind, element) if self.spec.copy or self.generation else None

    def _personal(self, kind: str, element: bytes) -> bytes | None:
        """The identifying value of this device, of the sample's shape."""
        tag, start, stop = ber.read(element, 0, len(element))
        content = element[start:stop]
        if tag != t.OCTET_STRING or (kind == "mac" and len(content) != 6):
            return None
        if kind == "mac":
            return ber.tlv(tag, self.personal.mac(content))
        change = self.personal.name if kind == "name" else self.personal.text
        return ber.tlv(tag, change(content.decode("latin-1")).encode("latin-1"))

    def _counted(self, element: bytes, rate: float) -> bytes | None:
        tag, start, stop = ber.read(element, 0, len(element))
        if tag not in {t.INTEGER, t.COUNTER32, t.GAUGE32, t.TIMETICKS, t.COUNTER64}:
            return None
        base = int.from_bytes(element[start:stop], "big")
        wrap = {t.COUNTER64: 1 << 64, t.INTEGER: 1 << 31}.get(tag, 1 << 32)
        return ber.encode_int((base + int((self.now - ANCHOR) * rate)) % wrap, tag)


def _fields(user: object) -> tuple[str, ...]:
    names = ("user", "auth_proto", "auth_password", "priv_proto", "priv_password")
    return tuple(str(getattr(user, name)) for name in names)


def engine_id(seed: str, address: str, generation: int = 0) -> bytes:
    """snmpEngineID of a device (RFC 3411 §5): net-snmp's enterprise, format 5 (octets of the maker's choice)."""
    return b"\x80\x00\x1f\x88\x05" + derive(seed, "engine", address, generation, size=8)


def _date(now: float, size: int) -> bytes:
    """DateAndTime (RFC 2579) in China's time; 8 bytes without the zone where the sample has 8."""
    at = datetime.fromtimestamp(now, UTC).astimezone(CHINA)
    content = at.year.to_bytes(2) + bytes((at.month, at.day, at.hour, at.minute, at.second, 0))
    return ber.tlv(t.OCTET_STRING, content if size == 8 else content + b"+\x08\x00")
