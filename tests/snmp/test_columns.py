"""Walks against the agent, without a socket: whatever the agent does, what is called complete is complete."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snmp.helpers import IF_HC_IN, IF_NAME, IF_TABLE, rule, switch
from yunwei.snmp import ber, message
from yunwei.snmp.agent import Agent, Table, respond
from yunwei.snmp.columns import ColumnReader, Columns
from yunwei.snmp.message import GETBULK, NO_ERROR, RESPONSE, TOO_BIG, Pdu
from yunwei.snmp.values import INTEGER, OCTET_STRING

COLUMNS = [f"{IF_TABLE}.2", f"{IF_TABLE}.8", IF_NAME, IF_HC_IN]
GEN_ERR = 5
Twist = Callable[[Pdu, Pdu], Pdu]


def drive(
    agent: Agent,
    oids: list[str],
    repetitions: int = 25,
    *,
    bulk: bool = True,
    twist: Twist | None = None,
    max_rows: int = 10_000,
    max_requests: int = 3000,
) -> tuple[Columns, int]:
    """Read columns from `agent`; `twist` changes (question, answer) on the way. Returns the result and the requests."""
    reader = ColumnReader(oids, repetitions, bulk=bulk, max_rows=max_rows)
    requests = 0
    while (question := reader.ask()) is not None:
        requests += 1
        assert requests <= max_requests, "the walk does not end"
        tag, status, at, names = question
        raw = message.build_pdu(tag, 1 << 24, status, at, names)
        asked = parse(raw)
        answered = parse(respond(agent, asked, agent.max_size) or b"")
        reader.take(twist(asked, answered) if twist else answered)
    return reader.result(), requests


def parse(raw: bytes) -> Pdu:
    tag, start, stop = ber.read(raw, 0, len(raw))
    return message.parse_pdu(raw, tag, start, stop)


def varbind(oid: str, value: int = 1) -> tuple[bytes, bytes]:
    return ber.oid_content(oid), ber.encode_value(INTEGER, value)


def test_columns_of_two_tables_come_whole_in_few_requests() -> None:
    got, requests = drive(Agent(switch(40), max_size=65000), COLUMNS, 50)
    assert got.whole
    assert requests == 1
    assert not got.reasons
    assert [len(rows) for rows in got.rows.values()] == [40] * 4
    assert got.rows[IF_NAME]["17"].as_text() == "GigabitEthernet0/0/17"
    assert got.rows[IF_HC_IN]["40"].as_int() == 2**63 + 40
    assert not got.uneven


def test_a_column_that_does_not_exist_is_complete_and_empty() -> None:
    got, _requests = drive(Agent(switch()), [*COLUMNS, "1.3.6.1.2.1.99.1"])
    assert got.whole
    assert got.rows["1.3.6.1.2.1.99.1"] == {}


def test_the_end_of_the_mib_is_a_proven_end() -> None:
    table = Table.build([(f"1.3.6.1.9.{n}", INTEGER, b"\x01") for n in range(1, 4)])
    got, _requests = drive(Agent(table), ["1.3.6.1.9"])
    assert got.whole
    assert list(got.rows["1.3.6.1.9"]) == ["1", "2", "3"]


@pytest.mark.parametrize("limit", [1, 3, 7, 24])
def test_a_too_big_agent_gives_all_rows(limit: int) -> None:
    got, _requests = drive(Agent(switch(30), toobig_above=limit), COLUMNS)
    assert got.whole
    assert [len(rows) for rows in got.rows.values()] == [30] * 4


@pytest.mark.parametrize("keep", [1, 3, 5])
def test_a_truncating_agent_gives_all_rows(keep: int) -> None:
    got, _requests = drive(Agent(switch(30), truncate=keep), COLUMNS)
    assert got.whole
    assert [len(rows) for rows in got.rows.values()] == [30] * 4


def test_an_agent_that_answers_nothing_when_a_row_is_too_wide_is_asked_for_less() -> None:
    wide = [(f"1.3.6.1.9.{column}.{row}", OCTET_STRING, b"x" * 300) for column in range(1, 9) for row in range(1, 6)]
    got, _requests = drive(Agent(Table.build(wide), max_size=484), [f"1.3.6.1.9.{column}" for column in range(1, 9)])
    assert got.whole
    assert {len(rows) for rows in got.rows.values()} == {5}


def test_a_value_that_never_fits_leaves_its_column_incomplete_and_the_others_whole() -> None:
    rows = [("1.3.6.1.9.1.1", OCTET_STRING, b"x" * 900), ("1.3.6.1.9.2.1", INTEGER, b"\x01")]
    got, _requests = drive(Agent(Table.build(rows), max_size=484), ["1.3.6.1.9.1", "1.3.6.1.9.2"])
    assert got.complete == {"1.3.6.1.9.1": False, "1.3.6.1.9.2": True}
    assert got.reasons["1.3.6.1.9.1"]


def test_an_empty_answer_is_no_end() -> None:
    def stop_after_ten(asked: Pdu, answered: Pdu) -> Pdu:
        done = any(name == ber.oid_content(f"{IF_NAME}.10") for name, _value in asked.varbinds)
        return answered._replace(varbinds=[]) if done else answered._replace(varbinds=answered.varbinds[:1])

    got, _requests = drive(Agent(switch()), [IF_NAME], twist=stop_after_ten)
    assert got.complete == {IF_NAME: False}
    assert len(got.rows[IF_NAME]) == 10
    assert "空应答" in got.reasons[IF_NAME]


def test_an_agent_that_runs_in_circles_is_stopped_and_not_believed() -> None:
    def circle(asked: Pdu, _answered: Pdu) -> Pdu:
        return Pdu(RESPONSE, asked.request_id, 0, 0, [varbind(f"{IF_NAME}.{n}") for n in (1, 2, 3, 2)])

    got, requests = drive(Agent(switch()), [IF_NAME], twist=circle)
    assert requests == 1
    assert got.complete == {IF_NAME: False}
    assert "没有递增" in got.reasons[IF_NAME]


@pytest.mark.parametrize("oid", ["1.3.6.1.2.1.1.1.0", IF_NAME, "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.2.1.31.1.1"])
def test_an_oid_before_the_column_is_no_end(oid: str) -> None:
    got, _requests = drive(
        Agent(switch()), [IF_NAME], twist=lambda asked, _a: Pdu(RESPONSE, asked.request_id, 0, 0, [varbind(oid)])
    )
    assert got.complete == {IF_NAME: False}
    assert "没有递增" in got.reasons[IF_NAME]


def test_a_neighbour_whose_number_begins_alike_is_outside() -> None:
    table = Table.build([("1.3.6.1.9.1.1", INTEGER, b"\x01"), ("1.3.6.1.9.10.1", INTEGER, b"\x02")])
    got, _requests = drive(Agent(table), ["1.3.6.1.9.1"])
    assert list(got.rows["1.3.6.1.9.1"]) == ["1"]
    assert got.whole


def test_an_endless_table_ends_at_the_limit_and_is_incomplete() -> None:
    def endless(asked: Pdu, _answered: Pdu) -> Pdu:
        last = ber.oid_text(asked.varbinds[0][0])
        start = int(last.rsplit(".", 1)[1]) if last != IF_NAME else 0
        oids = (f"{IF_NAME}.{start + n}" for n in range(1, asked.at + 1))
        return Pdu(RESPONSE, asked.request_id, 0, 0, [varbind(oid) for oid in oids])

    got, _requests = drive(Agent(switch()), [IF_NAME], twist=endless, max_rows=500)
    assert got.complete == {IF_NAME: False}
    assert 500 < len(got.rows[IF_NAME]) <= 525


def test_no_such_object_in_a_walk_proves_nothing() -> None:
    none = (ber.oid_content(f"{IF_NAME}.1"), b"\x80\x00")
    got, _requests = drive(
        Agent(switch()), [IF_NAME], twist=lambda asked, _a: Pdu(RESPONSE, asked.request_id, 0, 0, [none])
    )
    assert got.complete == {IF_NAME: False}


def test_an_error_on_one_column_leaves_the_others_whole() -> None:
    bad = ber.oid_content(f"{IF_TABLE}.8")

    def refuse(asked: Pdu, answered: Pdu) -> Pdu:
        for position, (name, _value) in enumerate(asked.varbinds, start=1):
            if name.startswith(bad):
                return Pdu(RESPONSE, asked.request_id, GEN_ERR, position, asked.varbinds)
        return answered

    got, _requests = drive(Agent(switch()), COLUMNS, twist=refuse)
    assert [column for column, whole in got.complete.items() if not whole] == [f"{IF_TABLE}.8"]
    assert "genErr" in got.reasons[f"{IF_TABLE}.8"]


def test_an_error_without_an_index_is_narrowed_down_to_its_column() -> None:
    bad = ber.oid_content(f"{IF_TABLE}.8")

    def refuse(asked: Pdu, answered: Pdu) -> Pdu:
        hit = any(name.startswith(bad) for name, _value in asked.varbinds)
        return Pdu(RESPONSE, asked.request_id, GEN_ERR, 0, []) if hit else answered

    got, _requests = drive(Agent(switch()), COLUMNS, twist=refuse)
    assert [column for column, whole in got.complete.items() if not whole] == [f"{IF_TABLE}.8"]


def test_a_value_that_is_garbage_closes_its_column_only() -> None:
    def spoil(_asked: Pdu, answered: Pdu) -> Pdu:
        bad = ber.oid_content(f"{IF_TABLE}.8")
        varbinds = [(oid, b"\x02\x00" if oid.startswith(bad) else value) for oid, value in answered.varbinds]
        return answered._replace(varbinds=varbinds)

    got, _requests = drive(Agent(switch()), COLUMNS, twist=spoil)
    assert [column for column, whole in got.complete.items() if not whole] == [f"{IF_TABLE}.8"]


def test_columns_of_different_length_are_told() -> None:
    rows = [("1.3.6.1.9.1.1.1", INTEGER, b"\x01"), ("1.3.6.1.9.1.1.2", INTEGER, b"\x01")]
    rows.append(("1.3.6.1.9.1.2.1", INTEGER, b"\x01"))
    got, _requests = drive(Agent(Table.build(rows)), ["1.3.6.1.9.1.1", "1.3.6.1.9.1.2"])
    assert got.whole
    assert got.uneven == {"1.3.6.1.9.1": {"1.3.6.1.9.1.1": 2, "1.3.6.1.9.1.2": 1}}


def test_getnext_for_agents_without_bulk() -> None:
    def no_bulk(asked: Pdu, answered: Pdu) -> Pdu:
        assert asked.tag != GETBULK
        return answered

    got, requests = drive(Agent(switch(5)), COLUMNS, bulk=False, twist=no_bulk)
    assert got.whole
    assert requests == 6
    assert [len(rows) for rows in got.rows.values()] == [5] * 4


def test_more_varbinds_than_asked_are_not_taken_for_rows() -> None:
    def more(asked: Pdu, answered: Pdu) -> Pdu:
        extra = [varbind(f"{IF_NAME}.{900 + n}") for n in range(50)]
        return answered._replace(varbinds=answered.varbinds[: asked.at] + extra)

    got, _requests = drive(Agent(switch(10)), [IF_NAME], 3, twist=more)
    assert sorted(map(int, got.rows[IF_NAME])) == list(range(1, 11))


@rule(150)
@given(
    st.dictionaries(
        st.tuples(st.integers(1, 4), st.lists(st.sampled_from([0, 1, 127, 128, 16383, 16384]), min_size=1, max_size=3)
                  .map(tuple)),
        st.binary(max_size=120),
        max_size=60,
    ),
    st.integers(1, 40),
    st.integers(0, 9),
    st.integers(0, 30),
    st.integers(300, 1472),
    st.booleans(),
)  # fmt: skip
def test_whatever_fits_is_read_whole_from_any_trimming_agent(
    cells: dict[tuple[int, tuple[int, ...]], bytes], repetitions: int, cut: int, limit: int, size: int, bulk: bool
) -> None:
    base = "1.3.6.1.4.1.2011.5"
    truth: dict[str, dict[str, bytes]] = {f"{base}.{column}": {} for column in range(1, 5)}
    for (column, index), value in cells.items():
        truth[f"{base}.{column}"][".".join(map(str, index))] = value
    table = Table.build((f"{c}.{i}", OCTET_STRING, v) for c, rows in truth.items() for i, v in rows.items())
    agent = Agent(table, truncate=cut, toobig_above=limit, max_size=size)
    got, _requests = drive(agent, list(truth), repetitions, bulk=bulk)
    assert got.whole, got.reasons
    assert {c: {i: v.value for i, v in rows.items()} for c, rows in got.rows.items()} == truth


@rule(150)
@given(st.data())
def test_whatever_an_agent_does_nothing_incomplete_is_called_complete(data: st.DataObject) -> None:
    """A liar that drops, cuts, empties and errs at random (but invents no OID): rows missing => not complete."""

    def lie(_asked: Pdu, answered: Pdu) -> Pdu:
        what = data.draw(st.sampled_from(["true", "true", "cut", "empty", "error", "big"]))
        keep = data.draw(st.integers(0, 8))
        match what:
            case "cut":
                return answered._replace(varbinds=answered.varbinds[:keep])
            case "empty":
                return answered._replace(varbinds=[])
            case "error":
                return answered._replace(status=GEN_ERR, at=keep)
            case "big":
                return answered._replace(status=TOO_BIG, varbinds=[])
        return answered._replace(status=NO_ERROR)

    got, _requests = drive(Agent(switch(12)), COLUMNS, 5, twist=lie)
    for column, complete in got.complete.items():
        assert complete == (column not in got.reasons)
        assert len(got.rows[column]) == 12 or not complete
