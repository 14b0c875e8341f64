"""Whole rows read at once: never another value than one varbind after the other gives, and no question for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snmp.helpers import IF_NAME, IF_TABLE, serve, switch
from yunwei.snmp import ber, message
from yunwei.snmp.agent import Agent, Table, respond
from yunwei.snmp.client import SnmpClient
from yunwei.snmp.columns import ColumnReader, Columns
from yunwei.snmp.errors import SnmpGarbage
from yunwei.snmp.message import GETBULK, Pdu
from yunwei.snmp.usm import V2c
from yunwei.snmp.values import COUNTER32, INTEGER, OCTET_STRING

COLUMNS = [f"{IF_TABLE}.2", f"{IF_TABLE}.8", IF_NAME]
HEAD = [ber.oid_content(name) for name in ("1.3.6.1.9.1", "1.3.6.1.9.2", "1.3.6.1.9.300")]


def read(agent: Agent, oids: list[str], *, at_once: bool, expected: int = 0) -> tuple[Columns, list[Pdu]]:
    """Read columns by rows or without; the result and the answers."""
    reader = ColumnReader(oids, 25, bulk=True, max_rows=1000, expected=expected)
    answers = []
    while (question := reader.ask()) is not None:
        tag, status, at, names = question
        raw = respond(agent, parse(message.build_pdu(tag, 1 << 24, status, at, names)), agent.max_size) or b""
        kind, start, stop = ber.read(raw, 0, len(raw))
        answers.append(message.parse_pdu(raw, kind, start, stop, reader.rows if at_once else None))
        reader.take(answers[-1])
        assert len(answers) < 500, "the walk does not end"
    return reader.result(), answers


def parse(raw: bytes) -> Pdu:
    return message.parse_pdu(raw, *ber.read(raw, 0, len(raw)))


VALUES = st.one_of(
    st.tuples(st.just(INTEGER), st.binary(min_size=1, max_size=4)),
    st.tuples(st.just(COUNTER32), st.binary(min_size=1, max_size=4)),
    st.tuples(st.just(OCTET_STRING), st.binary(max_size=60)),
)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from([1, 2, 300]), st.integers(1, 400)), VALUES, max_size=60
    ),
    st.integers(300, 1500),
)  # fmt: skip
def test_rows_give_what_single_varbinds_give(cells: dict[tuple[int, int], tuple[int, bytes]], size: int) -> None:
    agent = Agent(Table.build((f"1.3.6.1.9.{c}.{i}", *value) for (c, i), value in cells.items()), max_size=size)
    names = [f"1.3.6.1.9.{c}" for c in (1, 2, 300)]
    by_rows, _answers = read(agent, names, at_once=True)
    singly, _answers = read(agent, names, at_once=False)
    assert by_rows.rows == singly.rows
    assert by_rows.complete == singly.complete == dict.fromkeys(names, True)
    assert by_rows.uneven == singly.uneven


@given(st.lists(st.tuples(st.integers(1, 200), st.lists(VALUES, min_size=3, max_size=3)), max_size=8), st.data())
def test_what_rows_leave_is_where_they_end(
    told: list[tuple[int, list[tuple[int, bytes]]]], data: st.DataObject
) -> None:
    """Rows and what is left are the whole, byte for byte, and damage is never read as another row."""
    raw = b"".join(
        ber.encode_varbind(head + ber.oid_content(f"1.0.{index}")[1:], ber.tlv(*value))
        for index, values in told
        for head, value in zip(HEAD, values, strict=True)
    )
    rows, pos = message.read_rows(tuple(HEAD), raw, 0, len(raw))
    flat = [(head + row[0], element) for row in rows for head, element in zip(HEAD, row[1:], strict=True)]
    assert flat + message.parse_varbinds(raw, pos, len(raw)) == message.parse_varbinds(raw, 0, len(raw))
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    whole, end = message.read_rows(tuple(HEAD), cut, 0, len(cut))
    assert whole == rows[: len(whole)]
    assert end <= len(cut)


def test_a_table_is_read_by_rows_and_its_columns_stay_in_step() -> None:
    got, answers = read(Agent(switch(40), max_size=600), COLUMNS, at_once=True)
    assert got.whole
    assert [len(rows) for rows in got.rows.values()] == [40] * 3
    assert sum(len(answer.rows) for answer in answers) == 40
    assert len(answers) > 2


def test_an_index_that_does_not_increase_ends_rows_too() -> None:
    reader = ColumnReader(COLUMNS[:2], 25, bulk=True, max_rows=1000)
    reader.ask()
    one = ber.encode_value(INTEGER, 1)
    reader.take(
        Pdu(message.RESPONSE, 1 << 24, 0, 0, [], [(b"\x01", one, one), (b"\x02", one, one), (b"\x02", one, one)])
    )
    got = reader.result()
    assert [list(rows) for rows in got.rows.values()] == [["1", "2"]] * 2
    assert not any(got.complete.values())
    assert all(got.reasons.values())


def test_garbage_in_one_value_closes_its_column_and_keeps_the_rows_before_it() -> None:
    reader = ColumnReader(COLUMNS[:2], 2, bulk=True, max_rows=1000)
    reader.ask()
    one, odd = ber.encode_value(INTEGER, 1), b"\x47\x01\x00"
    reader.take(Pdu(message.RESPONSE, 1 << 24, 0, 0, [], [(b"\x01", one, one), (b"\x02", odd, one)]))
    got = reader.result()
    assert [list(rows) for rows in got.rows.values()] == [["1"], ["1", "2"]]
    assert list(got.reasons) == COLUMNS[:1]
    with pytest.raises(SnmpGarbage):
        message.value_of(odd)


def test_garbage_found_when_the_rows_are_taken_closes_its_column_too() -> None:
    reader = ColumnReader(COLUMNS[:2], 2, bulk=True, max_rows=1000)
    one, odd, past = (
        ber.encode_value(INTEGER, 1),
        b"\x47\x01\x00",
        (ber.oid_content("1.4"), ber.encode_value(INTEGER, 1)),
    )
    for n in range(3):  # three packets of two rows, an odd value in the second; then the end
        reader.ask()
        indices = (bytes((2 * n + 1,)), bytes((2 * n + 2,)))
        rows = [(indices[0], odd if n == 1 else one, one), (indices[1], one, one)]
        reader.take(Pdu(message.RESPONSE, 1 << 24, 0, 0, [], rows))
    reader.ask()
    reader.take(Pdu(message.RESPONSE, 1 << 24, 0, 0, [past, past]))
    got = reader.result()
    assert reader.ask() is None
    assert [list(rows) for rows in got.rows.values()] == [["1", "2"], ["1", "2", "3", "4", "5", "6"]]
    assert got.complete == {COLUMNS[0]: False, COLUMNS[1]: True}
    assert list(got.reasons) == COLUMNS[:1]


def test_no_more_is_asked_than_the_rows_that_are_expected() -> None:
    reader = ColumnReader(COLUMNS, 25, bulk=True, max_rows=1000, expected=7)
    question = reader.ask()
    assert question is not None
    assert (question[0], question[2]) == (GETBULK, 8)
    for ports in (3, 7, 8, 40):  # fewer, just so many, more: what was expected changes no result
        agent = Agent(switch(ports), max_size=1472)
        assert read(agent, COLUMNS, at_once=True, expected=7)[0].rows == read(agent, COLUMNS, at_once=False)[0].rows


async def test_tables_that_are_not_there_are_proven_by_one_question() -> None:
    there, gone = COLUMNS[:2], ["1.3.6.1.2.1.2.3.1.1", "1.3.6.1.2.1.2.3.1.7"]
    beyond = ["1.9.1"]
    half = [f"{IF_TABLE}.1.1.1", f"{IF_TABLE}.2"]  # nothing below the first one: the second is what follows
    async with serve(Agent(switch(5))) as (port, _agent), SnmpClient() as client:
        session = client.session("127.0.0.1", port, V2c("public"))
        assert await session.without([there, gone, beyond, half]) == {*gone, *beyond, half[0]}
        assert session.requests == 1
        read_ = await session.columns([*gone, *beyond])
    assert read_.whole
    assert not any(read_.rows.values())


async def test_an_answer_that_proves_nothing_leaves_every_column_to_be_read() -> None:
    def refuse(data: bytes) -> bytes | None:
        asked = message.parse_v2c(data)
        ident = message.parse_pdu(data, asked.tag, asked.start, asked.stop).request_id
        return message.build_v2c(b"public", message.build_pdu(message.RESPONSE, ident, 5, 1, []))

    async with serve(refuse) as (port, _agent), SnmpClient() as client:
        session = client.session("127.0.0.1", port, V2c("public"))
        assert await session.without([COLUMNS]) == set()
