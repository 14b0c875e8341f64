"""Traps and informs, as net-snmp's own senders make them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snmp.helpers import ENGINE, USER, rule, run_tool, serve
from yunwei.snmp import ber, message, usm
from yunwei.snmp.errors import SnmpAuthError, SnmpError, SnmpGarbage
from yunwei.snmp.trap import Notification, Receiver
from yunwei.snmp.usm import V3
from yunwei.snmp.values import OCTET_STRING

pytestmark = pytest.mark.component

LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
IF_INDEX = "1.3.6.1.2.1.2.2.1.1.7"
SENDER = "80001f8804deadbeef"
V3_OPTIONS = ["-v3", "-u", USER.user, "-l", "authPriv", "-a", USER.auth_proto, "-A", USER.auth_password]
V3_OPTIONS += ["-x", USER.priv_proto, "-X", USER.priv_password]


def receiver() -> Receiver:
    return Receiver(communities=frozenset({b"public"}), users={b"operator": USER}, engine_id=ENGINE, boots=2)


async def sent(program: str, *arguments: str, into: Receiver | None = None) -> tuple[list[Notification], list[bytes]]:
    """What a receiver takes from one run of a net-snmp sender, and the datagrams."""
    into = into or receiver()
    got: list[Notification] = []

    def take(data: bytes) -> bytes | None:
        found, reply = into.take(data, 500)
        if found:
            got.append(found)
        return reply

    async with serve(take) as (port, seen):
        arguments = tuple(argument.replace("PORT", str(port)) for argument in arguments)
        done = await asyncio.to_thread(run_tool, program, *arguments)
        assert done.returncode == 0, done.stderr
        await asyncio.sleep(0.05)
    return got, seen


async def test_a_v2c_trap() -> None:
    got, _seen = await sent(
        "snmptrap", "-v2c", "-c", "public", "127.0.0.1:PORT", "4711", f".{LINK_DOWN}", IF_INDEX, "i", "7"
    )
    (trap,) = got
    assert (trap.trap_oid, trap.uptime, trap.version, trap.inform, trap.signed) == (LINK_DOWN, 4711, 1, False, False)
    assert [(oid, value.value) for oid, value in trap.varbinds] == [(IF_INDEX, 7)]
    assert trap.community == b"public"


@pytest.mark.parametrize(
    ("generic", "specific", "oid"), [("2", "0", LINK_DOWN), ("6", "42", "1.3.6.1.4.1.2011.2.0.42")]
)
async def test_a_v1_trap_becomes_its_v2_form(generic: str, specific: str, oid: str) -> None:
    head = ["-v1", "-c", "public", "127.0.0.1:PORT", "1.3.6.1.4.1.2011.2", "10.1.2.3", generic, specific, "99"]
    got, _seen = await sent("snmptrap", *head, IF_INDEX, "i", "7")
    (trap,) = got
    assert (trap.trap_oid, trap.enterprise, trap.uptime, trap.version) == (oid, "1.3.6.1.4.1.2011.2", 99, 0)
    assert [value.value for _oid, value in trap.varbinds] == [7, "10.1.2.3"]


async def test_a_v2c_inform_is_confirmed() -> None:
    got, seen = await sent("snmpinform", "-v2c", "-c", "public", "127.0.0.1:PORT", "1", LINK_DOWN)
    assert [notification.inform for notification in got] == [True]
    assert len(seen) == 1  # confirmed at the first try, else it would have come again and the sender failed


async def test_a_v3_trap_is_checked_against_its_senders_engine() -> None:
    ears = receiver()
    got, seen = await sent(
        "snmptrap", *V3_OPTIONS, "-e", SENDER, "-Z", "3,100", "127.0.0.1:PORT", "5", LINK_DOWN, into=ears
    )
    (trap,) = got
    assert (trap.trap_oid, trap.signed, trap.user, trap.engine_id.hex()) == (LINK_DOWN, True, "operator", SENDER)
    assert b"operator" in seen[0]
    assert ber.oid_content(LINK_DOWN) not in seen[0]
    with pytest.raises(SnmpAuthError):  # replayed later than the time window
        ears.take(seen[0], 500 + usm.TIME_WINDOW + 1)
    ears.engines[bytes.fromhex(SENDER)] = ears.engines[bytes.fromhex(SENDER)]._replace(boots=4)
    with pytest.raises(SnmpAuthError):  # replayed after the sender's restart
        ears.take(seen[0], 500)
    stranger = replace(receiver(), users={b"operator": USER._replace(auth_password="another-password")})
    with pytest.raises(SnmpAuthError):
        stranger.take(seen[0], 500)
    with pytest.raises(SnmpAuthError):
        replace(receiver(), users={b"operator": V3("operator")}).take(seen[0], 500)


async def test_a_v3_inform_synchronises_with_our_engine_and_is_confirmed() -> None:
    got, _seen = await sent("snmpinform", *V3_OPTIONS, "127.0.0.1:PORT", "1", LINK_DOWN, IF_INDEX, "i", "7")
    (inform,) = got
    assert (inform.inform, inform.signed, inform.engine_id) == (True, True, ENGINE)
    assert [(oid, value.value) for oid, value in inform.varbinds] == [(IF_INDEX, 7)]


def test_a_stranger_and_a_question_are_no_notification() -> None:
    pdu = message.build_pdu(message.TRAP, 1 << 24, 0, 0, [])
    with pytest.raises(SnmpAuthError):
        receiver().take(message.build_v2c(b"other", pdu), 0)
    for tag in (message.GET, message.RESPONSE, message.TRAP):
        with pytest.raises(SnmpGarbage):
            receiver().take(message.build_v2c(b"public", message.build_pdu(tag, 1 << 24, 0, 0, [])), 0)


@rule(300)
@given(st.binary(max_size=150), st.integers(0, 200), st.integers(0, 255), st.sampled_from([0xA4, 0xA6, 0xA7]))
def test_no_datagram_raises_anything_but_snmp_errors(data: bytes, at: int, byte: int, tag: int) -> None:
    varbinds = [
        ber.encode_varbind(ber.oid_content("1.3.6.1.2.1.1.3.0"), b"\x43\x01\x05"),
        ber.encode_varbind(ber.oid_content("1.3.6.1.6.3.1.1.4.1.0"), b"\x06\x03\x2b\x06\x01"),
        ber.encode_varbind(ber.oid_content("1.3.6.1.4.1.1"), ber.encode_value(OCTET_STRING, data)),
    ]
    good = bytearray(message.build_v2c(b"public", message.build_pdu(tag, 1 << 24, 0, 0, varbinds)))
    if tag != message.TRAP_V1:
        assert receiver().take(bytes(good), 0)[0] is not None
    good[at % len(good)] = byte
    for datagram in (data, bytes(good), bytes(good[:at])):
        try:
            receiver().take(datagram, 0)
        except SnmpError:
            continue


UPTIME = ber.encode_varbind(ber.oid_content("1.3.6.1.2.1.1.3.0"), b"\x43\x01\x05")
NAME = ber.encode_varbind(ber.oid_content("1.3.6.1.6.3.1.1.4.1.0"), b"\x06\x03\x2b\x06\x01")


def v2c(tag: int, *varbinds: bytes) -> bytes:
    return message.build_v2c(b"public", message.build_pdu(tag, 1 << 24, 0, 0, list(varbinds)))


@pytest.mark.parametrize("tag", [message.GET, message.RESPONSE, message.SET, message.TRAP_V1])
def test_a_whole_message_of_another_kind_announces_nothing(tag: int) -> None:
    with pytest.raises(SnmpGarbage):
        receiver().take(v2c(tag, UPTIME, NAME), 0)


@pytest.mark.parametrize(
    "varbinds",
    [
        (UPTIME,),
        (NAME, UPTIME),
        (UPTIME, UPTIME),
        (NAME, NAME),
        (ber.encode_varbind(ber.oid_content("1.3.6.1.2.1.1.3.0"), b"\x02\x01\x05"), NAME),
        (UPTIME, ber.encode_varbind(ber.oid_content("1.3.6.1.6.3.1.1.4.1.0"), b"\x04\x01\x41")),
    ],
)
def test_a_trap_names_its_time_and_itself_first(varbinds: tuple[bytes, ...]) -> None:
    with pytest.raises(SnmpGarbage):
        receiver().take(v2c(message.TRAP, *varbinds), 0)


def test_a_trap_is_not_answered_and_an_inform_is() -> None:
    assert receiver().take(v2c(message.TRAP, UPTIME, NAME), 0)[1] is None
    assert receiver().take(v2c(message.INFORM, UPTIME, NAME), 0)[1] is not None


async def test_without_a_key_of_the_sender_a_trap_is_not_signed() -> None:
    ears = replace(receiver(), users={b"plain": V3("plain")})
    options = ["-v3", "-u", "plain", "-l", "noAuthNoPriv", "-e", SENDER, "-Z", "3,100", "127.0.0.1:PORT"]
    got, _seen = await sent("snmptrap", *options, "5", LINK_DOWN, into=ears)
    assert [(trap.signed, trap.user) for trap in got] == [(False, "plain")]
