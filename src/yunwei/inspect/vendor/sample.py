"""Samples of devices: recorded answers on disk, read back without a network.

`*.snmprec`: one varbind a line, `OID|tag|value`; the tag is the BER number, an `x` behind it means the value is hex
(the format of snmpsim). `*.tree.json`: one JSON object, URI to body. Of a repeated OID the first counts.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from yunwei.inspect.vendor.compiled import VendorFile
from yunwei.inspect.vendor.errors import VendorFileError
from yunwei.inspect.vendor.reading import SnmpData, SnmpValue
from yunwei.kernel.i18n import _

_INTEGERS = frozenset({2, 65, 66, 67, 70})


def parse_snmprec(lines: Iterable[str], where: str = "") -> dict[str, SnmpValue]:
    """The varbinds of a recording. Raises VendorFileError with the line that is not one."""
    out: dict[str, SnmpValue] = {}
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text or text.startswith("#"):
            continue
        oid, _sep, rest = text.partition("|")
        tag, sep, value = rest.partition("|")
        if ":" in tag:  # a variation module of snmpsim: no plain value
            continue
        try:
            out.setdefault(oid.strip("."), _value(int(tag.rstrip("xe")), value, is_hex=tag.endswith("x")))
        except ValueError:
            raise VendorFileError(_("不是 OID|类型|值"), where=f"{where}:{number}") from None
        if not sep:
            raise VendorFileError(_("不是 OID|类型|值"), where=f"{where}:{number}")
    return out


def _value(tag: int, text: str, *, is_hex: bool) -> SnmpValue:
    if tag in _INTEGERS:
        return (tag, int(text))
    if tag == 6:
        return (tag, text.strip("."))
    if tag == 64:
        return (tag, ".".join(str(b) for b in bytes.fromhex(text)) if is_hex else text)
    if is_hex:
        return (tag, bytes.fromhex(text))
    return (tag, text.encode())


def write_snmprec(values: dict[str, SnmpValue]) -> str:
    """The recording as text, in OID order."""
    lines = []
    for oid in sorted(values, key=lambda o: [int(n) for n in o.split(".")]):
        tag, value = values[oid][0], values[oid][1]
        if isinstance(value, bytes):
            plain = value.isascii() and value.decode("ascii").isprintable()
            lines.append(f"{oid}|{tag}|{value.decode('ascii')}" if plain else f"{oid}|{tag}x|{value.hex()}")
        else:
            lines.append(f"{oid}|{tag}|{'' if value is None else value}")
    return "\n".join(lines) + "\n"


def read_tree(path: Path) -> dict[str, dict[str, Any]]:
    """A recorded Redfish tree. Raises VendorFileError."""
    try:
        tree = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise VendorFileError(_("不是 JSON：{error}").format(error=error), where=str(path)) from None
    if not isinstance(tree, dict):
        raise VendorFileError(_("不是 URI 到资源的对象"), where=str(path))
    return {uri: body for uri, body in tree.items() if isinstance(body, dict)}


def select(values: dict[str, SnmpValue], vendor: VendorFile) -> SnmpData:
    """What a collector would bring from a device with these varbinds: the file's scalars and columns, nothing else."""
    order = sorted(values, key=lambda o: tuple(int(n) for n in o.split(".")))
    keys = [tuple(int(n) for n in o.split(".")) for o in order]
    data = SnmpData({oid: values[oid] for oid in vendor.snmp_scalars if oid in values})
    for table in vendor.snmp_tables:
        for column in table.columns:
            prefix = tuple(int(n) for n in column.split("."))
            start = bisect.bisect_right(keys, prefix)
            end = bisect.bisect_left(keys, (*prefix[:-1], prefix[-1] + 1))
            cut = len(column) + 1
            data.columns[column] = {order[i][cut:]: values[order[i]] for i in range(start, end)}
    return data
