"""Capture files: lines of `OID|tag|value` (the .snmprec form that snmpsim and LibreNMS use), read and written.

The tag is the decimal BER tag; with an `x` after it the value is hex. Tags with a ":" are variations (values computed
by a simulator's plug-in) and are skipped with a note. Where an OID stands twice the first line wins. A line that
cannot be read is skipped with a note, never guessed: an agent that replays the file then lacks that OID. Records come
back in file order as (OID, tag, value content), which is what `agent.Table.build` takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from yunwei.kernel.i18n import _
from yunwei.snmp import ber
from yunwei.snmp.errors import SnmpError
from yunwei.snmp.values import IP_ADDRESS, MISSING, NULL, OCTET_STRING, OID, OPAQUE, Value

MAX_BYTES = 64 << 20
MAX_RECORDS = 2_000_000
MAX_NOTES = 200
NUMBERS = frozenset({0x02, 0x41, 0x42, 0x43, 0x46})


class Record(NamedTuple):
    """One varbind of a capture; `content` is the value without its tag and length."""

    oid: str
    tag: int
    content: bytes

    @property
    def value(self) -> Value:
        """The value as Python sees it."""
        return ber.decode_value(self.tag, self.content)


class Capture(NamedTuple):
    """A read file; `notes` says which lines were left out and why (at most MAX_NOTES of `skipped` lines)."""

    records: list[Record]
    notes: list[str]
    skipped: int


def read_file(path: Path) -> Capture:
    """A capture from disk; SnmpError if it cannot be read or is larger than MAX_BYTES."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SnmpError(_("读不了采样文件：{error}").format(error=error.strerror), where=str(path)) from error
    return read(data, where=str(path))


def read(data: bytes, *, where: str = "") -> Capture:
    """A capture from bytes. SnmpError only for a file beyond the bounds; bad lines become notes."""
    if len(data) > MAX_BYTES:
        raise SnmpError(_("采样文件过大"), where=where)
    seen: dict[str, Record] = {}
    notes: list[str] = []
    skipped = 0
    for number, line in enumerate(data.split(b"\n"), start=1):
        stripped = line.rstrip(b"\r")
        if not stripped.strip() or stripped.startswith(b"#"):
            continue
        try:
            record = _record(stripped)
        except SnmpError as error:
            skipped += 1
            if len(notes) < MAX_NOTES:
                notes.append(_("第 {n} 行：{why}").format(n=number, why=error.message))
            continue
        seen.setdefault(record.oid, record)
        if len(seen) > MAX_RECORDS:
            raise SnmpError(_("采样文件的记录过多"), where=where)
    return Capture(list(seen.values()), notes, skipped)


def _record(line: bytes) -> Record:
    parts = line.split(b"|", 2)
    if len(parts) != 3:
        raise SnmpError(_("不是 OID|类型|值"))
    name, kind, value = parts[0].strip().decode("latin-1"), parts[1].strip().decode("latin-1"), parts[2]
    oid = ".".join(map(str, ber.oid_subids(name)))
    if ":" in kind:
        raise SnmpError(_("变量类型 {kind} 由模拟器计算，略过").format(kind=kind[:40]))
    form = "x" if kind.endswith("x") else ""
    digits = kind.removesuffix(form)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        raise SnmpError(_("类型不对：{kind}").format(kind=kind[:40]))
    tag = int(digits)
    content = _content(tag, form, value)
    ber.decode_value(tag, content)  # what our own client could not read is no sample
    return Record(oid, tag, content)


def _content(tag: int, form: str, value: bytes) -> bytes:
    """The value's content bytes from its text in the file."""
    try:
        if form == "x":
            given = bytes.fromhex(value.strip().removeprefix(b"0x").decode("ascii"))
            if given and (tag in MISSING or tag == NULL):  # these say nothing: RFC 3416 §3
                raise SnmpError(_("值不对：{value}").format(value=value[:40].decode("latin-1")))
            return given
        if tag in (OCTET_STRING, OPAQUE):
            return value
        if tag in MISSING or tag == NULL:
            return b""
        text = value.strip().decode("ascii")
        if tag in NUMBERS:
            if len(text) > 24:
                raise SnmpError(_("数值过长"))
            number = int(text)
            element = ber.encode_value(tag, number)
        elif tag in (OID, IP_ADDRESS):
            element = ber.encode_value(tag, text)
        else:
            raise SnmpError(_("类型不对：{kind}").format(kind=tag))
    except ValueError as error:  # UnicodeError is one
        raise SnmpError(_("值不对：{value}").format(value=value[:40].decode("latin-1"))) from error
    _tag, start, stop = ber.read(element, 0, len(element))
    return element[start:stop]


def record_of(oid: str, value: Value) -> Record:
    """A record of what a client read."""
    tag = OPAQUE if value.tag > 0xFF else value.tag
    element = ber.encode_value(value.tag, value.value)
    _tag, start, stop = ber.read(element, 0, len(element))
    return Record(oid.removeprefix("."), tag, element[start:stop])


def write(records: Iterable[Record]) -> bytes:
    """The file of records, sorted by OID: `read` gives the very same contents again. What its text alone would not bring back
    (bytes that are not plain printable ASCII, a number that an agent wrote with leading zeros) is written as hex."""
    ordered = sorted(records, key=lambda record: ber.oid_subids(record.oid))
    return b"".join(_line(record) for record in ordered)


def _line(record: Record) -> bytes:
    tag, content = record.tag, record.content
    form, text = "x", content.hex().encode()
    if tag in NUMBERS or tag == OID or (tag == IP_ADDRESS and len(content) == 4):
        plain = str(ber.decode_value(tag, content).value).encode()
        if _content(tag, "", plain) == content:
            form, text = "", plain
    elif tag == OCTET_STRING and all(0x20 <= byte < 0x7F for byte in content):
        form, text = "", content
    elif tag in MISSING:
        form, text = "", b""
    return f"{record.oid}|{tag}{form}|".encode() + text + b"\n"
