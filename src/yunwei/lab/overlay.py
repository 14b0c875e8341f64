"""Faults as data: what a device shows or does when something is wrong with it.

A device's overlay is `{"address": ..., "faults": ["fan_failed", ...], "latency_ms": ..., "loss": ...}`. Faults are of
two kinds (`FAULTS`): *content* faults change what the device says, *conduct* faults how it behaves on the wire.

Content faults under Redfish need nothing (`redfish_faults` finds the first fan, power supply, drive, ...). Under SNMP
the OIDs belong to the vendor, so they stand in a file beside the sample, `<sample>.faults.yaml`; the same file may
override the Redfish side. Every part of it is optional:

    faults:
      fan_failed:
        snmp:
          - {oid: 1.3.6.1.4.1.2011.5.25.31.1.1.10.1.7.1.1, value: 2}  # the type stays as in the sample
          - {oid: 1.3.6.1.4.1.318.1.1.1.1.1.1.0, value: abc, type: string}  # types: see TYPES
          - {oid: 1.3.6.1.2.1.47.1.1.1.1.7.67, remove: true}  # this OID and all below it
          - {oid: 1.3.6.1.2.1.2.2.1.14.3, grow: 40}  # a counter that grows, per second
        redfish:
          - {uri: /redfish/v1/Chassis/1/Thermal, pointer: /Fans/0/Status/Health, value: Critical}
          - {uri: /redfish/v1/Chassis/1/Thermal, pointer: /Fans/0, remove: true}
          - {uri: /redfish/v1/Chassis/1/Sensors/Fan1, remove: true}       # the whole resource answers 404
    identity:                       # what must differ between two devices of this model, besides the standard places
      snmp: [1.3.6.1.4.1.232.2.2.2.1.0]     # OIDs or columns: text keeps its head and gets its own tail
    moving:                         # what moves, besides sysUpTime, hrSystem*, octet and packet counters
      snmp:
        - {oid: 1.3.6.1.4.1.318.1.1.1.2.1.2.0, rate: 100}   # per second; wraps as its type does

Standard SNMP faults that need no file: port_errors (ifInErrors and ifOutErrors of the first port that is up grow),
identity_changed, wrong_encoding (sysName and ifAlias in a broken multi-byte code).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from yunwei.kernel.i18n import _
from yunwei.lab.errors import LabError
from yunwei.snmp import values as t

CONTENT: Mapping[str, str] = {
    "fan_failed": "风扇故障",
    "psu_lost": "电源失去输入",
    "disk_predicted": "硬盘预测故障",
    "port_errors": "端口误码",
    "health_misplaced": "健康值写错字段",
    "identity_changed": "身份改变（序列号、证书、引擎号）",
    "wrong_encoding": "文字编码错误",
}
CONDUCT: Mapping[str, str] = {
    "dead": "设备不应答",
    "slow": "应答很慢（每次 3 秒）",
    "too_big": "代理常答 tooBig",
    "truncating": "代理截短批量应答",
    "session_limit": "会话上限为 8",
    "sessions_taken": "8 个会话已被他人占满",
    "unauthorized": "拒绝凭据",
    "frozen": "数值停住不动",
    "garbage": "应答是乱码",
    "endless": "表没有尽头",
    "endless_body": "正文没有尽头",
    "half": "应答只有一半",
}
FAULTS: Mapping[str, str] = {**CONTENT, **CONDUCT}

#: which faults mean something to which protocol; asking for another one is an error, not a silent nothing
ONLY = {
    "too_big": "snmp",
    "truncating": "snmp",
    "session_limit": "redfish",
    "sessions_taken": "redfish",
    "endless_body": "redfish",
}
#: names of SNMP types in a faults file, with their tags (RFC 2578 §7); "hex" is a string written in hex digits
TYPES = {
    "integer": t.INTEGER,
    "gauge": t.GAUGE32,
    "counter": t.COUNTER32,
    "counter64": t.COUNTER64,
    "ticks": t.TIMETICKS,
    "string": t.OCTET_STRING,
    "hex": t.OCTET_STRING,
    "oid": t.OID,
    "ip": t.IP_ADDRESS,
}
SLOW_MS = 3000.0
SESSION_LIMIT = 8  # iDRAC allows about eight (RAC0218)


class SnmpEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change of a table; see the module's text."""

    oid: str
    value: int | str | None = None
    type: str = ""
    remove: bool = False
    grow: float = 0.0


class RedfishEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change of a tree; `pointer` is a JSON pointer (RFC 6901), empty = the whole resource."""

    uri: str
    pointer: str = ""
    value: Any = None
    remove: bool = False


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one fault shows on one sample."""

    snmp: tuple[SnmpEdit, ...] = ()
    redfish: tuple[RedfishEdit, ...] = ()


class IdentityPlaces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a sample keeps its serial numbers, besides the standard places."""

    snmp: tuple[str, ...] = ()


class Moving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OID or column whose value moves by `rate` per second."""

    oid: str
    rate: float = 1.0


class MovingPlaces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What moves on a sample, besides the standard places."""

    snmp: tuple[Moving, ...] = ()


class Sidecar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of a `<sample>.faults.yaml`."""

    faults: dict[str, Recipe] = msgspec.field(default_factory=dict)
    identity: IdentityPlaces = msgspec.field(default_factory=IdentityPlaces)
    moving: MovingPlaces = msgspec.field(default_factory=MovingPlaces)


def check_faults(faults: Iterable[str], protocol: str, *, where: str = "") -> None:
    """Refuse a fault that is not known or says nothing under this protocol (LabError)."""
    for fault in faults:
        if fault not in FAULTS:
            raise LabError(
                _("没有名为 {fault} 的故障").format(fault=fault),
                where=where,
                hint=_("可用：{names}").format(names=" ".join(FAULTS)),
            )
        if ONLY.get(fault, protocol) != protocol:
            raise LabError(_("故障 {fault} 只用于 {protocol}").format(fault=fault, protocol=ONLY[fault]), where=where)


def apply_pointer(body: Any, edit: RedfishEdit) -> None:
    """Change a parsed body in place. Raises LabError when the pointer leads nowhere (its last step may be new)."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in edit.pointer.split("/")[1:]]
    at = body
    try:
        for step in steps[:-1]:
            at = at[int(step)] if isinstance(at, list) else at[step]
        last: Any = int(steps[-1]) if isinstance(at, list) else steps[-1]
        if edit.remove:
            del at[last]
        else:
            at[last] = edit.value
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise LabError(_("JSON 指针没有指到东西"), where=f"{edit.uri}#{edit.pointer}") from error
