"""Capture files (`*.snmprec`, the form of snmpsim): one `OID|tag|value` a line.

A tag is the number of the SNMP type, with `x` behind it when the value is written in hex. Lines with a `:` in their
tag ask for a program of the simulator and are left out, as are lines that are not of this form.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from yunwei.snmp import ber
from yunwei.snmp import values as t
from yunwei.snmp.errors import SnmpError

NUMBERS = {t.INTEGER, t.COUNTER32, t.GAUGE32, t.TIMETICKS, t.COUNTER64}


def read(path: Path) -> Iterator[tuple[str, int, bytes]]:
    """(OID text, tag, content bytes) of each usable line."""
    for line in path.read_bytes().split(b"\n"):
        oid, bar, rest = line.strip(b"\r").partition(b"|")
        kind, bar2, value = rest.partition(b"|")
        if not (bar and bar2) or b":" in kind:
            continue
        try:
            tag = int(kind.rstrip(b"x"))
            raw = bytes.fromhex(value.decode("ascii")) if kind.endswith(b"x") else value
            yield oid.decode("ascii"), tag, _content(tag, raw, hexed=kind.endswith(b"x"))
        except (ValueError, SnmpError):
            continue


def _content(tag: int, raw: bytes, *, hexed: bool) -> bytes:
    if tag in NUMBERS and not hexed:
        return ber.encode_value(tag, int(raw))[2:]
    if tag == t.OID and not hexed:
        return ber.oid_content(raw.decode("ascii").strip())
    if tag == t.IP_ADDRESS and raw.count(b".") == 3:
        return bytes(int(part) for part in raw.split(b"."))
    return raw
