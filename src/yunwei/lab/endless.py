"""A table some of whose columns never end: what a broken agent shows a client that only waits for the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

from yunwei.snmp import ber
from yunwei.snmp.agent import Table

ROWS = 1 << 28  # more than any client reads, and a valid sub-identifier


class EndlessTable(Table):
    """A table with `ROWS` invented rows after the last row of each column given (after its last row if it has none).

    The rows are never stored: row numbers count through them, OID and value are made when asked for.
    """

    __slots__ = ("base", "gaps")

    def __init__(self, base: Table, columns: Iterable[str]) -> None:
        self.base = base
        gaps: dict[int, bytes] = {}
        for column in columns:
            content = ber.oid_content(column)
            end = base.after(content)
            while end < len(base.oids) and base.oids[end].startswith(content):
                end += 1
            if end and base.oids[end - 1].startswith(content):
                gaps[end] = content
        if not gaps:
            last = ber.oid_text(base.oids[-1]).rpartition(".")[0]
            gaps[len(base.oids)] = ber.oid_content(last)
        #: (row of the base table before which the invented rows stand, column, its first invented index)
        self.gaps = [(at, gaps[at], ber.split_content(base.oids[at - 1])[-1] + 1) for at in sorted(gaps)]
        self.keys = base.keys
        self.rows = _Index(self)  # type: ignore[assignment]
        self.oids = _Rows(self, values=False)  # type: ignore[assignment]
        self.values = _Rows(self, values=True)  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.base.oids) + ROWS * len(self.gaps)

    def place(self, row: int) -> tuple[int, int, int]:
        """(base row, gap number or -1, number inside the gap) of a row."""
        for number, (at, _column, _first) in enumerate(self.gaps):
            start = at + number * ROWS
            if row < start:
                return row - number * ROWS, -1, 0
            if row < start + ROWS:
                return at - 1, number, row - start
        return row - len(self.gaps) * ROWS, -1, 0

    def after(self, oid: bytes) -> int:
        """The row after `oid`, invented rows counted."""
        for number, (at, column, first) in enumerate(self.gaps):
            if oid.startswith(column) and len(oid) > len(column):
                index = ber.split_content(oid[len(column) :])
                if len(index) == 1 and index[0] >= first - 1:
                    return at + number * ROWS + index[0] - first + 1
        row = self.base.after(oid)
        return row + ROWS * sum(at <= row - 1 for at, _column, _first in self.gaps)

    def varbind(self, row: int) -> bytes:
        """The varbind of a row, made when it is asked for."""
        return ber.encode_varbind(self.oids[row], self.values[row])

    def missing(self, oid: bytes) -> bytes:
        """As the base table: the invented rows are only found by walking."""
        return self.base.missing(oid)


class _Index:
    """OID to row, for the rows that the base table has."""

    def __init__(self, table: EndlessTable) -> None:
        self._table = table

    def get(self, oid: bytes) -> int | None:
        """The row number, invented rows counted."""
        row = self._table.base.rows.get(oid)
        return None if row is None else row + ROWS * sum(at <= row for at, _column, _first in self._table.gaps)


class _Rows(Sequence[bytes]):
    def __init__(self, table: EndlessTable, *, values: bool) -> None:
        self._table = table
        self._values = values

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, row: int) -> bytes: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[bytes]: ...
    def __getitem__(self, row: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        base, gap, number = self._table.place(row)
        if self._values:
            return self._table.base.values[base]
        if gap < 0:
            return self._table.base.oids[base]
        _at, column, first = self._table.gaps[gap]
        return column + _sub_id(first + number)


def _sub_id(number: int) -> bytes:
    """One sub-identifier in base 128 (X.690 §8.19.2)."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(0x80 | (number & 0x7F))
    return bytes(reversed(out))
