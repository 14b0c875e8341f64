"""Reading columns of tables to their proven end: the logic of a walk, without a socket.

`ColumnReader.ask` says what to ask next, `take` takes the answer. The rules (each one a fault seen in the field):

- an end is *proven* by an OID outside the column that sorts after it, or by endOfMibView; never by an empty answer,
  an error, or silence: those leave the column incomplete, with the reason;
- a short answer is no end: each column goes on from its own last OID;
- tooBig, and an empty answer (what some agents send when not even one row fits), halve max-repetitions, then the
  number of columns asked together; only one column at one repetition that still does not fit gives up;
- where a row was cut off by the end of the packet and whole ones stand before it, the next question begins with that
  row again: the columns stay in step, which lets whole rows be read at once (`message.read_rows`);
- an OID that does not increase ends the column as incomplete (agents that run in circles);
- columns that ended are not asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from yunwei.kernel.i18n import _
from yunwei.snmp import ber, message
from yunwei.snmp.errors import SnmpError, SnmpGarbage
from yunwei.snmp.message import Pdu, Row, Varbind, known_values, read_rows, value_of, values_of
from yunwei.snmp.values import END_OF_MIB_VIEW, NO_SUCH_OBJECT, Value


@dataclass(slots=True)
class Columns:
    """What a multi-column read gave; `rows`, `complete` and `reasons` are keyed by the column OID as it was asked.

    `complete[c]` is True only where the end was proven; else `reasons[c]` says why not, for people. `uneven` names
    tables (the column OID less its last number) whose columns were all proven and still differ in their number of
    rows, with the counts: a sparse table, or one that changed while it was read. `error` is what broke the read off.
    `requests` counts datagrams sent, retries included; bytes are UDP payload.
    """

    rows: dict[str, dict[str, Value]]
    complete: dict[str, bool]
    reasons: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    uneven: dict[str, dict[str, int]] = field(default_factory=dict)
    error: SnmpError | None = None

    @property
    def whole(self) -> bool:
        """True when the end of every column was proven."""
        return all(self.complete.values())


_tails: dict[bytes, tuple[str, bytes]] = {}


def _tail(content: bytes) -> tuple[str, bytes]:
    """An index as text and as sorting key; remembered, as columns and devices share their indices."""
    known = _tails.get(content)
    if known is None:
        if len(_tails) >= 50_000:
            _tails.clear()
        known = _tails[content] = (ber.tail_text(content), ber.oid_key(content))
    return known


#: the sorting key of a whole OID: where tables begin and end is the same in all devices of a kind
_place = lru_cache(maxsize=4096)(ber.oid_key)


class _Column:
    """One column on its way."""

    __slots__ = ("complete", "count", "key", "last", "name", "prefix", "reason", "rows")

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = ber.oid_content(name)
        self.last = self.prefix  # the OID to go on from
        self.key = b""  # sorting key of the last index
        self.rows: dict[str, Value] = {}
        self.count = 0  # rows that were read, also those whose values the reader still holds
        self.complete = False
        self.reason = ""

    @property
    def open(self) -> bool:
        return not self.complete and not self.reason

    def take(self, varbinds: list[Varbind], max_rows: int) -> None:
        """Take this column's varbinds of one answer."""
        prefix, size, rows, last_key = self.prefix, len(self.prefix), self.rows, self.key
        known, tails = known_values, _tails
        oid = self.last
        for oid, element in varbinds:
            if element[0] >= NO_SUCH_OBJECT:
                self._exception(element[0], oid)
                return
            if not oid.startswith(prefix) or len(oid) == size:
                self._left(oid)
                return
            tail = oid[size:]
            text, key = tails.get(tail) or _tail(tail)
            if key <= last_key:
                self.reason = _("设备返回的 OID 没有递增：{oid}").format(oid=ber.oid_text(oid))
                return
            rows[text] = known.get(element) or value_of(element)
            self.count += 1
            last_key = key
        self.key = last_key
        self.last = oid
        self._bounded(max_rows)

    def go_on(self, index: bytes, key: bytes, count: int, max_rows: int) -> None:
        """Whole rows up to this index were read, `count` of them; `keep` takes their values later."""
        self.key, self.last = key, self.prefix + index
        self.count += count
        self._bounded(max_rows)

    def keep(self, texts: Sequence[str], elements: Sequence[bytes]) -> None:
        """Take the values of whole rows under their indices. One that is garbage closes the column before it."""
        try:
            self.rows.update(zip(texts, values_of(elements), strict=True))
        except SnmpGarbage:
            try:
                for text, element in zip(texts, elements, strict=True):
                    self.rows[text] = value_of(element)
            except SnmpGarbage as error:
                self.reason = error.message

    def _bounded(self, max_rows: int) -> None:
        if self.count > max_rows:
            self.reason = _("超过 {n} 行仍未结束").format(n=max_rows)

    def _exception(self, tag: int, oid: bytes) -> None:
        """endOfMibView proves the end; noSuchObject and noSuchInstance have no meaning in a walk and prove nothing."""
        if tag == END_OF_MIB_VIEW:
            self.complete = True
        else:
            self.reason = _("设备在遍历中返回了“无此对象”：{oid}").format(oid=ber.oid_text(oid))

    def _left(self, oid: bytes) -> None:
        """An OID outside the column: proof of its end if it sorts after it, else the agent runs in circles."""
        if _place(oid) > _place(self.prefix):
            self.complete = True
        else:
            self.reason = _("设备返回的 OID 没有递增：{oid}").format(oid=ber.oid_text(oid))


class ColumnReader:
    """The state of one read of several columns."""

    def __init__(
        self,
        oids: Iterable[str],
        max_repetitions: int,
        *,
        bulk: bool,
        max_rows: int,
        expected: int = 0,
        width: int = 24,
    ) -> None:
        self.columns = [_Column(name) for name in dict.fromkeys(oids)]
        self.repetitions = max(1, max_repetitions) if bulk else 1
        self.bulk = bulk
        self.max_rows = max_rows
        self.expected = expected  # rows that the table will probably have, 0 where nobody knows
        self.width = width  # columns asked together
        self.answers = 0
        self.error: SnmpError | None = None
        self._asked: list[_Column] = []
        self._repetitions = self.repetitions  # of the last question
        # whole rows of the columns asked, which are taken all at once when something else comes: what a table costs is
        # the beginning of each loop over the few rows of a packet
        self._texts: list[str] = []
        self._whole: list[Row] = []

    def ask(self) -> tuple[int, int, int, list[bytes]] | None:
        """(PDU tag, non-repeaters, max-repetitions, varbinds) to send next, or None when there is nothing left."""
        if self._open() != self._asked:
            self._settle()
            self._asked = self._open()
        if not self._asked:
            return None
        names = [message.null_varbind(column.last) for column in self._asked]
        if not self.bulk:
            return message.GETNEXT, 0, 0, names
        # what is expected and one more, which proves the end: the rest of the packet would be read for nothing
        left = self.expected + 1 - min(column.count for column in self._asked) if self.expected else 0
        self._repetitions = min(self.repetitions, left) if left > 0 else self.repetitions
        return message.GETBULK, 0, self._repetitions, names

    def _open(self) -> list[_Column]:
        """The columns to ask for next."""
        return [column for column in self.columns if column.open][: self.width]

    def rows(self, data: bytes, pos: int, end: int) -> tuple[list[Row], int]:
        """The whole rows of an answer to the last `ask`, see `message.RowReader`."""
        return read_rows(tuple(column.prefix for column in self._asked), data, pos, end)

    def take(self, pdu: Pdu) -> None:
        """Take the answer to the last `ask`. Garbage in a value closes its column, not the others."""
        self.answers += 1
        if pdu.status == message.TOO_BIG or (pdu.status == 0 and not pdu.varbinds and not pdu.rows):
            self._shrink(pdu.status)
            return
        if pdu.status:
            self._refused(pdu)
            return
        width = len(self._asked)
        whole = self._take_rows(pdu.rows[: self._repetitions]) if pdu.rows else 0
        loose = [(c.prefix + row[0], e) for row in pdu.rows[whole:] for c, e in zip(self._asked, row[1:], strict=True)]
        varbinds = (loose + pdu.varbinds)[: width * (self._repetitions - whole)]
        if (
            whole
            and len(varbinds) < width
            and all(
                oid.startswith(c.prefix) and element[0] < NO_SUCH_OBJECT
                for c, (oid, element) in zip(self._asked, varbinds, strict=False)
            )
        ):
            return
        self._settle()
        for position, column in enumerate(self._asked):
            if not column.reason:
                try:
                    column.take(varbinds[position::width], self.max_rows)
                except SnmpGarbage as error:
                    column.reason = error.message

    def _take_rows(self, rows: list[Row]) -> int:
        """Take whole rows as long as their indices increase; how many they were."""
        last = max(column.key for column in self._asked)
        texts: list[str] = []
        for row in rows:
            try:
                text, key = _tails.get(row[0]) or _tail(row[0])
            except SnmpGarbage:
                break
            if key <= last:
                break
            texts.append(text)
            last = key
        if texts:
            self._texts += texts
            self._whole += rows[: len(texts)]
            for column in self._asked:
                column.go_on(rows[len(texts) - 1][0], last, len(texts), self.max_rows)
        return len(texts)

    def _settle(self) -> None:
        """Take the values of the whole rows that were read."""
        if self._texts:
            _indices, *columns = zip(*self._whole, strict=True)
            for column, elements in zip(self._asked, columns, strict=True):
                column.keep(self._texts, elements)
            self._texts, self._whole = [], []

    def _shrink(self, status: int) -> None:
        """Ask for less next time; when nothing is left to take away, the column's value does not fit a message."""
        if self._repetitions > 1:
            self.repetitions = self._repetitions // 2
        elif len(self._asked) > 1:
            self.width = len(self._asked) // 2
        else:
            text = _("设备答 tooBig，一行也装不下") if status else _("设备返回空应答，没有证明已到表尾")
            self._asked[0].reason = text

    def _refused(self, pdu: Pdu) -> None:
        """An error-status: the column that error-index names is closed; without a name, narrow down to find it."""
        name = message.STATUS_NAMES[pdu.status] if 0 <= pdu.status < len(message.STATUS_NAMES) else str(pdu.status)
        text = _("设备返回错误 {status}").format(status=name)
        if len(self._asked) == 1 and self._repetitions > 1:
            self.repetitions = 1  # the refusal may be of a later row than the next
        elif 1 <= pdu.at <= len(self._asked):
            self._asked[pdu.at - 1].reason = text
        elif len(self._asked) > 1:
            self.width = 1
        else:
            self._asked[0].reason = text

    def fit_one_packet(self) -> bool:
        """After silence: ask for answers that need no IP fragments (which firewalls drop); False if they are so small.

        About 40 varbinds of a poll fit 1472 bytes.
        """
        fitting = max(1, 40 // max(1, len(self._asked)))
        smaller = fitting < self._repetitions
        self.repetitions = min(self.repetitions, fitting)
        return smaller

    def fail(self, error: SnmpError) -> None:
        """The exchange itself broke: every open column stays incomplete."""
        self._settle()
        self.error = error
        for column in self.columns:
            if column.open:
                column.reason = error.message

    def result(self) -> Columns:
        """What was read so far."""
        self._settle()
        return Columns(
            rows={column.name: column.rows for column in self.columns},
            complete={column.name: column.complete for column in self.columns},
            reasons={column.name: column.reason for column in self.columns if column.reason},
            uneven=self._uneven(),
            error=self.error,
        )

    def _uneven(self) -> dict[str, dict[str, int]]:
        tables: dict[str, dict[str, int]] = {}
        for column in self.columns:
            if column.complete:
                tables.setdefault(column.name.rpartition(".")[0], {})[column.name] = len(column.rows)
        return {table: counts for table, counts in tables.items() if len(set(counts.values())) > 1}
