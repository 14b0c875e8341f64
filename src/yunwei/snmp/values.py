"""SNMP values as Python sees them: a tag and a plain value.

| tag | name | Python |
|---|---|---|
| INTEGER, COUNTER32, GAUGE32, TIMETICKS, COUNTER64 | RFC 2578 §7 | int |
| OCTET_STRING, OPAQUE (not a float) | | bytes |
| OPAQUE_FLOAT, OPAQUE_DOUBLE | net-snmp's float inside Opaque | float |
| OID | | dotted str without leading dot |
| IP_ADDRESS | | dotted quad str (bytes if not 4 long: the device's own mistake is kept) |
| NULL, NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW | RFC 3416 §3 | None |
"""

from __future__ import annotations

from typing import NamedTuple

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
SEQUENCE = 0x30
IP_ADDRESS = 0x40
COUNTER32 = 0x41
GAUGE32 = 0x42
TIMETICKS = 0x43
OPAQUE = 0x44
COUNTER64 = 0x46
#: Inside an Opaque the two bytes 9F 78 / 9F 79 announce a float / double (net-snmp, draft-perkins-float-00).
#: These two numbers never stand on the wire as a tag of their own; they are how a decoded float is told apart.
OPAQUE_FLOAT = 0x9F78
OPAQUE_DOUBLE = 0x9F79
NO_SUCH_OBJECT = 0x80
NO_SUCH_INSTANCE = 0x81
END_OF_MIB_VIEW = 0x82

MISSING = frozenset({NULL, NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW})


class Value(NamedTuple):
    """One value of one varbind."""

    tag: int
    value: int | float | bytes | str | None

    @property
    def missing(self) -> bool:
        """True where the device says that there is nothing (noSuchObject, noSuchInstance, endOfMibView, NULL)."""
        return self.tag in MISSING

    def as_int(self) -> int | None:
        """The value as a whole number; digits in a string count, anything else is None."""
        value = self.value
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return int(value) if abs(value) < 2**63 else None  # inf and nan fail the comparison
        number = self.as_number()
        return number if isinstance(number, int) else None

    def as_number(self) -> int | float | None:
        """The value as a number; strings such as "42" and " 23.5 " count (some vendors send gauges as text)."""
        value = self.value
        if isinstance(value, int | float):
            return value
        if not isinstance(value, bytes) or len(value) > 40:
            return None
        text = value.strip(b" \x00\r\n\t")
        try:
            return int(text)
        except ValueError:
            pass
        try:
            number = float(text)
        except ValueError:
            return None
        return number if abs(number) < 1e300 else None

    def as_text(self) -> str:
        """The value for people. Bytes are tried as UTF-8, then GB18030 (what Chinese devices send), then latin-1.

        Trailing NULs (fixed-width C buffers) are dropped. A missing value is "".
        """
        value = self.value
        if isinstance(value, bytes):
            raw = value.rstrip(b"\x00")
            for encoding in ("utf-8", "gb18030"):
                try:
                    return raw.decode(encoding)
                except UnicodeDecodeError:
                    continue
            return raw.decode("latin-1")
        return "" if value is None else str(value)

    def as_hex(self) -> str:
        """Bytes as colon-separated lower-case hex (a MAC address, an engine id); "" for anything else."""
        return self.value.hex(":") if isinstance(self.value, bytes) else ""
