"""The agent: order, trimming, missing things, overrides, silence, and v3 reports."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snmp.helpers import ENGINE, IF_NAME, SYSTEM, USER, content, rule, switch
from yunwei.snmp import ber, message
from yunwei.snmp.agent import Agent, Table, answer
from yunwei.snmp.message import Pdu, value_of
from yunwei.snmp.security import User
from yunwei.snmp.values import COUNTER64, INTEGER, OCTET_STRING


def ask(agent: Agent, tag: int, oids: list[str], status: int = 0, at: int = 0) -> Pdu:
    names = [message.null_varbind(ber.oid_content(oid)) for oid in oids]
    datagram = message.build_v2c(agent.community, message.build_pdu(tag, 1 << 24, status, at, names))
    reply = answer(agent, datagram, 0)
    assert reply is not None
    assert len(reply) <= agent.max_size
    parsed = message.parse_v2c(reply)
    return message.parse_pdu(reply, parsed.tag, parsed.start, parsed.stop)


def shown(pdu: Pdu) -> list[tuple[str, object]]:
    return [(ber.oid_text(oid), value_of(value).value) for oid, value in pdu.varbinds]


@rule()
@given(
    st.lists(st.lists(st.sampled_from([0, 1, 127, 128, 16383, 16384, 2**32 - 1]), min_size=1, max_size=4), max_size=40)
)
def test_getnext_walks_in_lexicographic_order_from_anywhere(tails: list[list[int]]) -> None:
    names = sorted({(1, 3, *tail) for tail in tails})
    shuffled = list(names)
    random.Random(1).shuffle(shuffled)
    agent = Agent(Table.build((".".join(map(str, name)), INTEGER, b"\x01") for name in shuffled))
    probes = [*names, *((*name[:-1], name[-1] // 2) for name in names), *((*name, 0) for name in names)]
    for probe in probes:
        after = next((name for name in names if name > probe), None)
        got = ask(agent, message.GETNEXT, [".".join(map(str, probe))]).varbinds[0]
        if after is None:
            assert got[1] == b"\x82\x00"
        else:
            assert ber.oid_text(got[0]) == ".".join(map(str, after))


def test_of_duplicates_the_first_wins() -> None:
    table = Table.build([("1.3.6.1", INTEGER, b"\x01"), (".1.3.6.1", INTEGER, b"\x02")])
    assert len(table) == 1
    assert table.get("1.3.6.1") == b"\x02\x01\x01"


def test_missing_instance_and_missing_object_differ() -> None:
    got = ask(Agent(switch()), message.GET, [f"{IF_NAME}.999", "1.3.9.9.9"])
    assert [value[0] for _oid, value in got.varbinds] == [0x81, 0x80]


def test_bulk_has_non_repeaters_then_rows_column_by_column() -> None:
    got = ask(Agent(switch(3)), message.GETBULK, [f"{SYSTEM}.4", IF_NAME, "1.3.6.1.2.1.31.1.1.1.6"], 1, 2)
    assert shown(got) == [
        (f"{SYSTEM}.4.0", b"system 4"),
        (f"{IF_NAME}.1", b"GigabitEthernet0/0/1"),
        ("1.3.6.1.2.1.31.1.1.1.6.1", 2**63 + 1),
        (f"{IF_NAME}.2", b"GigabitEthernet0/0/2"),
        ("1.3.6.1.2.1.31.1.1.1.6.2", 2**63 + 2),
    ]


def test_bulk_stops_after_one_round_of_ends() -> None:
    got = ask(Agent(switch(3)), message.GETBULK, ["1.3.6.1.2.1.31.1.1.1.6.2", "1.3.9"], 0, 50)
    assert len(got.varbinds) == 4
    assert [value for _oid, value in got.varbinds[2:]] == [b"\x82\x00"] * 2
    assert ber.oid_text(got.varbinds[2][0]) == "1.3.6.1.2.1.31.1.1.1.6.3"  # the name last given (RFC 3416 4.2.3)


@rule(100)
@given(st.integers(484, 3000), st.integers(1, 200), st.integers(0, 400), st.booleans())
def test_no_reply_is_larger_than_allowed(size: int, repetitions: int, wide: int, v3: bool) -> None:
    table = Table.build((f"1.3.6.1.9.1.{n}", OCTET_STRING, b"x" * wide) for n in range(100))
    agent = Agent(table, max_size=size, users={b"operator": USER}, engine_id=ENGINE)
    if not v3:
        got = ask(agent, message.GETBULK, ["1.3.6.1.9.1"], 0, repetitions)
        assert len(got.varbinds) >= min(repetitions, len(table)) or len(got.varbinds) >= (size - 60) // (wide + 18)
        return
    user = User(USER, None, lambda: 0.0)
    names = [message.null_varbind(ber.oid_content("1.3.6.1.9.1"))]
    pdu = message.build_pdu(message.GETBULK, 1 << 24, 0, repetitions, names)
    got = None
    for _round in range(3):
        reply = answer(agent, user.wrap(1 << 24, pdu), 10)
        assert reply is not None
        assert len(reply) <= size
        got = user.unwrap(reply, {1 << 24})
    assert got is not None
    assert got.tag == message.RESPONSE


def test_a_get_that_does_not_fit_is_too_big() -> None:
    got = ask(Agent(switch(), max_size=200), message.GET, [f"{IF_NAME}.{n}" for n in range(1, 20)])
    assert (got.status, got.varbinds) == (message.TOO_BIG, [])


def test_overrides_change_values_and_leave_the_shared_table_alone() -> None:
    table, down = switch(), ber.encode_value(INTEGER, 2)
    changes = {ber.oid_content("1.3.6.1.2.1.2.2.1.8.3"): down}
    broken = Agent(table, override=lambda oid, _value: changes.get(oid))
    rows = dict(shown(ask(broken, message.GETBULK, ["1.3.6.1.2.1.2.2.1.8"], 0, 5)))
    assert rows["1.3.6.1.2.1.2.2.1.8.3"] == 2
    assert rows["1.3.6.1.2.1.2.2.1.8.4"] == 8
    whole = dict(shown(ask(Agent(table), message.GET, ["1.3.6.1.2.1.2.2.1.8.3"])))
    assert whole["1.3.6.1.2.1.2.2.1.8.3"] == 8


def test_silence_for_the_wrong_community_and_for_v1() -> None:
    pdu = message.build_pdu(message.GET, 1 << 24, 0, 0, [])
    good = message.build_v2c(b"public", pdu)
    agent = Agent(switch())
    assert answer(agent, good, 0) is not None
    assert answer(agent, message.build_v2c(b"Public", pdu), 0) is None
    assert answer(agent, good.replace(b"\x02\x01\x01", b"\x02\x01\x00", 1), 0) is None
    assert answer(Agent(switch(), community=b""), message.build_v2c(b"", pdu), 0) is None


@rule(300)
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_no_datagram_makes_the_agent_raise(data: bytes, at: int, byte: int) -> None:
    agent = Agent(switch(2), users={b"operator": USER}, engine_id=ENGINE)
    user = User(USER, None, lambda: 0.0)
    pdu = message.build_pdu(message.GETBULK, 1 << 24, 0, 9, [message.null_varbind(ber.oid_content(IF_NAME))])
    for good in (user.wrap(1 << 24, pdu), message.build_v2c(b"public", pdu)):
        broken = bytearray(good)
        broken[at % len(good)] = byte
        for datagram in (data, bytes(broken), good[:at]):
            answer(agent, datagram, 0)


@pytest.mark.parametrize("at", [2**31 - 1, -1])
def test_absurd_repetitions_cost_no_more_than_a_message(at: int) -> None:
    got = ask(Agent(switch(500)), message.GETBULK, [IF_NAME], 0, at)
    assert len(got.varbinds) < 60
    assert content(COUNTER64, 2**63 + 1)


def test_no_report_for_what_does_not_ask_for_one() -> None:
    """RFC 3412 §7.1 3c: without the reportable flag (traps, reports) silence, or two engines would report forever."""
    agent = Agent(switch(2), users={b"operator": USER}, engine_id=ENGINE)
    probe = message.parse_v3(User(USER, None, lambda: 0.0).wrap(1 << 24, b""))
    for flags, silent in ((message.REPORTABLE, False), (0, True)):
        assert (answer(agent, message.build_v3(probe._replace(flags=flags))[0], 0) is None) == silent
