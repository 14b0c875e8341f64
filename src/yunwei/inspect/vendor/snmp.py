"""SNMP answers to a Reading."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import Any

from yunwei.inspect.observation import Target
from yunwei.inspect.vendor.build import key
from yunwei.inspect.vendor.compiled import From, TablePlan, VendorFile
from yunwei.inspect.vendor.observe import Observer, settle_rollups
from yunwei.inspect.vendor.reading import Reading, SnmpData, SnmpValue
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

_MISSING = frozenset({5, 128, 129, 130})
_Row = dict[str, Any]
_plain_of = itemgetter(1)


def apply_snmp(vendor: VendorFile, data: SnmpData, target: Target, terms: dict[str, Any]) -> Reading:
    """Judge one device's SNMP answer by its vendor file and the plan's terms (`terms["limits"]`)."""
    observer = Observer(vendor, target, terms)
    scalars: _Row = {
        c.name: decode(value, c.read) for c in vendor.scalars if (value := data.scalars.get(c.oid)) is not None
    }
    tables = _tables(vendor, data, scalars, _before(vendor, target))
    scalar_rows = [({**scalars, "index": "0"}, "")]

    def rows(at: From) -> list[tuple[_Row, str]]:
        if at.table:
            return tables.get(at.table, [])
        return [] if at.section or at.resource else scalar_rows

    for rule in vendor.rules:
        if found := rows(rule.rows):
            observer.run(rule, found, f"{rule.source}." if rule.rows.table else rule.source)
    settle_rollups(observer)
    bases = {t.name: f"{t.oid}." for t in vendor.snmp_tables}
    for part in vendor.parts:
        observer.add_parts(part, rows(part.rows), bases.get(part.rows.table, ""))
    reading = observer.reading
    observer.pick(((p, rows(p.rows)) for p in vendor.identity), reading.identity)
    observer.pick(((p, rows(p.rows)) for p in vendor.moving), reading.moving)
    unfinished = sorted(data.partial & vendor.used_columns)
    if unfinished:
        names = {c.oid: f"{t.name}.{c.name}" for t in vendor.snmp_tables for c in t.fields}
        reading.problem = Reason.PARTIAL
        reading.detail = _("没有读完的表列：{names}").format(names=" ".join(names[oid] for oid in unfinished))
    return reading


def _before(vendor: VendorFile, target: Target) -> dict[str, dict[str, dict[str, int]]]:
    """What the last sweep kept of rows: table, field, index to number. A row it did not keep stood at 0 then."""
    out: dict[str, dict[str, dict[str, int]]] = {}
    for pick in vendor.moving:
        told = target.moving.get(pick.name) if pick.each else None
        if told is not None:
            pairs = (word.partition(":") for word in told.split())
            kept = {index: int(number) for index, _colon, number in pairs if number.isdigit()}
            out.setdefault(pick.rows.table, {})[pick.name] = kept
    return out


def _tables(
    vendor: VendorFile, data: SnmpData, scalars: _Row, before: dict[str, dict[str, dict[str, int]]]
) -> dict[str, list[tuple[_Row, str]]]:
    """Every table as rows (name to value), joined; tables that others are joined to come first in the plan."""
    by_index: dict[str, dict[str, _Row]] = {}
    for table in vendor.snmp_tables:
        found = _rows(table, data, scalars)
        if table.joins and found:
            _join(table, found, by_index)
        kept = before.get(table.name)
        for index, row in found.items() if kept or table.computed else ():
            if kept:
                row["before"] = {name: numbers.get(index, 0) for name, numbers in kept.items()}
            for name, compute in table.computed:
                row[name] = compute(row)
        by_index[table.name] = found
    return {name: [(row, index) for index, row in found.items()] for name, found in by_index.items()}


def _rows(table: TablePlan, data: SnmpData, scalars: _Row) -> dict[str, _Row]:
    """The rows of a table by their index, as far as its columns were read."""
    columns = [(column, told) for column in table.fields if (told := data.columns.get(column.oid))]
    if not columns:
        return {}
    indices = list(columns[0][1])
    raw = [list(map(_plain_of, told.values())) for _column, told in columns]
    plain = [_plain(column.read, values) for (column, _told), values in zip(columns, raw, strict=True)]
    if all(list(told) == indices for _column, told in columns) and not any(None in values for values in raw):
        names = ("index", "scalar", *(column.name for column, _told in columns))
        made = zip(indices, repeat(scalars), *plain, strict=False)
        return {row[0]: dict(zip(names, row, strict=True)) for row in made}
    found: dict[str, _Row] = {}
    for (column, told), values, shown in zip(columns, raw, plain, strict=True):
        for index, value, one in zip(told, values, shown, strict=True):
            if value is not None:
                found.setdefault(index, {"index": index, "scalar": scalars})[column.name] = one
    return found


def _plain(read: str, values: list[Any]) -> list[Any]:
    """The values of a column as expressions see them: nothing is called for a number, one cached call for a text."""
    if bytes not in map(type, values):
        return values
    reader = _READ.get(read, _text)
    return [reader(value) if value.__class__ is bytes else value for value in values]


def _join(table: TablePlan, rows: dict[str, _Row], others: dict[str, dict[str, _Row]]) -> None:
    for join in table.joins:
        there = others.get(join.of, {})
        if join.where:
            lookup = {key(row.get(join.where)): row for row in reversed(there.values())}
        for row in rows.values():
            wanted = join.equals(row)
            other = lookup.get(key(wanted)) if join.where else there.get(str(wanted))
            if other is not None:
                for mine, theirs in join.take:
                    row[mine] = other.get(theirs)


def decode(value: SnmpValue, read: str = "") -> Any:
    """A value as expressions see it: numbers as they are, bytes as text (UTF-8, else GB 18030), nothing as None."""
    tag, plain = value[0], value[1]
    if tag in _MISSING or not isinstance(plain, bytes):
        return None if tag in _MISSING else plain
    reader = _READ.get(read)
    return reader(plain) if reader else _text(plain)


@lru_cache(maxsize=65536)
def _text(plain: bytes) -> str:
    """Text of a string: up to its first NUL, blanks made single. Devices say the same words every sweep: cached."""
    raw = plain.split(b"\x00", 1)[0]
    for encoding in ("utf-8", "gb18030"):
        try:
            return " ".join(raw.decode(encoding).split())
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1").strip()


def _mac(plain: bytes) -> str | None:
    return plain.hex(":") if len(plain) in (6, 8) else None


def _date(plain: bytes) -> str | None:
    """DateAndTime (RFC 2579) as ISO text without zone."""
    if len(plain) < 8:
        return None
    year = plain[0] << 8 | plain[1]
    return f"{year:04d}-{plain[2]:02d}-{plain[3]:02d}T{plain[4]:02d}:{plain[5]:02d}:{plain[6]:02d}"


_READ: dict[str, Callable[[bytes], Any]] = {
    "hex": bytes.hex,
    "mac": _mac,
    "bits": lambda plain: int.from_bytes(plain, "big"),
    "date": _date,
}
