"""SNMP: the codec, both securities, the notification receiver, walks against a hostile agent, the client on a socket, snmprec."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from functools import cache
from typing import Any

from chaos.fuzz import mutate
from chaos.fuzz.engine import Target
from yunwei.lab import find
from yunwei.snmp import ber, message, snmprec, trap, usm
from yunwei.snmp.client import SnmpClient
from yunwei.snmp.columns import ColumnReader
from yunwei.snmp.errors import SnmpError
from yunwei.snmp.message import Pdu
from yunwei.snmp.security import Community, User
from yunwei.snmp.usm import V3, EngineState, V2c

IDENT = 0x11223344
ENGINE = bytes.fromhex("80001f8803aabbccddeeff")
USERS = (
    V3("plain"),
    V3("auth", "SHA-256", "a long password"),
    V3("priv", "SHA", "a long password", "AES", "another one"),
)
NOW = 1000


@cache
def capture() -> bytes:
    """The lab's own switch as a capture."""
    return find.find(find.own_folders())["snmp", "lab-switch"].path.read_bytes()


@cache
def varbinds() -> tuple[bytes, ...]:
    """Its varbinds, encoded."""
    records = snmprec.read(capture()).records
    return tuple(ber.encode_varbind(ber.oid_content(r.oid), ber.tlv(r.tag, r.content)) for r in records)


def rate(dice: random.Random) -> float:
    """How much of a message is spoilt: mostly so little that the rest is read on."""
    return dice.choice((0.003, 0.01, 0.03, 0.1))


def pdu(dice: random.Random, tag: int = message.RESPONSE) -> bytes:
    """An honest PDU with some of the switch's varbinds."""
    start = dice.randrange(len(varbinds()))
    chosen = list(varbinds()[start : start + dice.choice((0, 1, 3, 12, 60))])
    if tag in (message.TRAP, message.INFORM):
        uptime = ber.encode_varbind(ber.oid_content(trap.SYS_UPTIME), ber.encode_value(0x43, 5))
        oid = ber.encode_varbind(ber.oid_content(trap.TRAP_OID), ber.encode_value(0x06, trap.STANDARD_TRAPS + ".3"))
        chosen = [uptime, oid, *chosen]
    status = dice.choice((0, 0, 0, 0, 1, 2, 5, 16))
    return message.build_pdu(tag, IDENT, status, dice.choice((0, 1)), chosen)


def signed(dice: random.Random, user: V3, scoped: bytes, flags: int = 0) -> bytes:
    """A v3 message around any bytes, signed and encrypted as an honest engine would: what is inside gets through."""
    plain = message.V3Message(IDENT, message.MAX_SIZE, user.flags | flags, ENGINE, 3, NOW + dice.randrange(20), user.user.encode(),
                              b"", 0, b"", scoped)  # fmt: skip
    return usm.seal(plain, usm.keys_for(user, ENGINE))


def v2c(dice: random.Random) -> bytes:
    """A v2c answer, spoilt by its elements or its bytes."""
    made = message.build_v2c(b"public", pdu(dice))
    return mutate.ber(dice, made, rate(dice)) if dice.random() < 0.7 else mutate.data(dice, made)


def read_v2c(made: bytes) -> None:
    """As the client reads an answer: envelope, PDU, every value."""
    read_values(Community(V2c("public")).unwrap(made, {IDENT}))


def read_values(answer: Pdu | None) -> None:
    """Every name and value of an answer."""
    for oid, element in answer.varbinds if answer else ():
        ber.oid_text(oid)
        ber.oid_key(oid)
        value = message.value_of(element)
        value.as_text()
        value.as_int()


def v3(dice: random.Random) -> tuple[int, bytes]:
    """A v3 answer: spoilt inside of a signature that holds, or as a whole; a report now and then."""
    which = dice.randrange(len(USERS))
    tag = dice.choice((message.RESPONSE, message.RESPONSE, message.REPORT))
    scoped = message.build_scoped(ENGINE, b"", pdu(dice, tag))
    if dice.random() < 0.6:
        scoped = mutate.ber(dice, scoped, rate(dice)) if dice.random() < 0.7 else mutate.data(dice, scoped)
        return which, signed(dice, USERS[which], scoped)
    whole = signed(dice, USERS[which], scoped)
    return which, mutate.ber(dice, whole, rate(dice)) if dice.random() < 0.6 else mutate.data(dice, whole)


def read_v3(made: tuple[int, bytes]) -> None:
    """As the client reads it, before and after it knows the engine."""
    which, data = made
    for engine in (None, EngineState(ENGINE, 3, NOW, 0.0)):
        session = User(USERS[which], engine, lambda: 5.0)
        try:
            answer = session.unwrap(data, {IDENT})
        except SnmpError:
            continue
        if answer is not None and answer.tag == message.REPORT:
            session.wrap(IDENT, pdu(random.Random(1), message.GET))  # noqa: S311 - what was learned can be used
            session.heed(answer)
        else:
            read_values(answer)


def notification(dice: random.Random) -> bytes:
    """A trap or inform of any version."""
    kind = dice.choice((message.TRAP, message.INFORM, message.TRAP_V1))
    if kind == message.TRAP_V1:
        head = ber.tlv(0x06, ber.oid_content("1.3.6.1.4.1.9")) + ber.tlv(0x40, b"\x0a\0\0\1")
        head += ber.encode_int(dice.choice((0, 6, 7))) + ber.encode_int(5) + ber.encode_int(77, 0x43)
        made = message.build_v2c(b"public", ber.tlv(kind, head + ber.tlv(0x30, b"".join(varbinds()[:3]))))
        made = made.replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
    elif dice.random() < 0.5:
        made = message.build_v2c(b"public", pdu(dice, kind))
    else:
        scoped = message.build_scoped(ENGINE, b"", pdu(dice, kind))
        scoped = mutate.ber(dice, scoped, rate(dice)) if dice.random() < 0.5 else scoped
        flags = message.REPORTABLE if kind == message.INFORM else 0
        made = signed(dice, dice.choice(USERS), scoped, flags)
    return mutate.ber(dice, made, rate(dice)) if dice.random() < 0.5 else mutate.data(dice, made)


_receiver = trap.Receiver(frozenset({b"public"}), {u.user.encode(): u for u in USERS}, ENGINE, 3)


def read_notification(made: bytes) -> None:
    """As the trap listener takes it, and the summary that it makes."""
    found, _answer = _receiver.take(made, NOW)
    for _oid, value in found.varbinds if found else ():
        value.as_text()


def walk(dice: random.Random) -> list[bytes]:
    """What a hostile agent answers, question by question: PDUs without envelope, spoilt."""
    return [mutate.ber(dice, pdu(dice), 0.05) for _n in range(12)]


MAX_ROWS = 300


def read_walk(made: list[bytes]) -> None:
    """A walk over three columns: it ends, by itself, whatever is answered. Garbage counts as silence."""
    reader = ColumnReader(
        ["1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1.6"], 25, bulk=True, max_rows=MAX_ROWS
    )
    questions = 0
    while reader.ask() is not None:
        questions += 1
        if questions > 4 * MAX_ROWS:
            raise RuntimeError("the walk does not end")
        answer = made[questions % len(made)]
        try:
            tag, start, stop = ber.read(answer, 0, len(answer))
            reader.take(message.parse_pdu(answer, tag, start, stop))
        except SnmpError as error:
            reader.fail(error)
            break
    reader.result()


class _Agent(asyncio.DatagramProtocol):
    """An agent that answers honest envelopes with spoilt contents, some datagrams late, double or not at all."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        if isinstance(transport, asyncio.DatagramTransport):
            self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer."""
        dice = self.dice
        asked = message.parse_v2c(data)
        ident = message.parse_pdu(data, asked.tag, asked.start, asked.stop).request_id
        answer = message.build_v2c(b"public", pdu(dice).replace(IDENT.to_bytes(4, "big"), ident.to_bytes(4, "big")))
        for _n in range(dice.choice((0, 1, 1, 1, 1, 3))):
            made = dice.choice(
                (lambda: answer, lambda: mutate.ber(dice, answer, 0.05), lambda: mutate.data(dice, answer))
            )()
            if self.transport is not None:
                self.transport.sendto(made[:65000], addr)


def ask_on_a_socket(number: int) -> None:
    """A whole session with such an agent: GET and a walk; every call ends, with a result or an SnmpError."""

    async def session() -> None:
        loop = asyncio.get_running_loop()
        dice = random.Random(number)  # noqa: S311
        transport, _protocol = await loop.create_datagram_endpoint(
            lambda: _Agent(dice), local_addr=("127.0.0.1", 0), family=socket.AF_INET
        )
        port = transport.get_extra_info("sockname")[1]
        try:
            async with SnmpClient() as client:
                one = client.session("127.0.0.1", port, V2c("public"), timeout=0.02, retries=0)
                calls: tuple[Callable[[], Any], ...] = (
                    lambda: one.get(["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"]),
                    lambda: one.columns(["1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.8"], 10, max_rows=50),
                )
                for call in calls:
                    try:
                        await asyncio.wait_for(call(), 20)
                    except SnmpError:
                        continue
        finally:
            transport.close()

    asyncio.run(session())


def record_file(dice: random.Random) -> bytes:
    """A capture: some honest lines, spoilt, with lines of a grammar among them."""
    lines = dice.sample(capture().split(b"\n"), 40)
    for _n in range(dice.randrange(12)):
        tag = dice.choice(
            (
                b"2",
                b"4",
                b"4x",
                b"6",
                b"64",
                b"65",
                b"66",
                b"67",
                b"68x",
                b"70",
                b"128",
                b"2:x",
                b"",
                b"x",
                b"\xb2",
                b"999",
            )
        )
        value = dice.choice(
            (b"", b"-1", b"1" * 30, b"1_0", b" 7 ", b"0x", b"zz", b"1.3.6", b"1.2.3.4.5", b"256.1.1.1", b"\xff", b"|||")
        )
        oid = dice.choice(
            (
                b"1.3.6.1",
                b".1.3",
                b"1",
                b"3.1",
                b"1.40",
                b"2.4294967295",
                b"1.3." + b"1." * 200 + b"1",
                b"\xb2.1",
                b"1..3",
            )
        )
        lines.insert(dice.randrange(len(lines)), b"|".join((oid, tag, value)))
    made = b"\n".join(lines)
    return mutate.data(dice, made) if dice.random() < 0.7 else made


def read_record_file(made: bytes) -> None:
    """Read; what was read can be written and reads the same again."""
    found = snmprec.read(made)
    for record in found.records:
        record.value.as_text()
    again = snmprec.read(snmprec.write(found.records))
    if sorted(again.records) != sorted(found.records) or again.skipped:
        raise AssertionError("what was written reads as something else")


TARGETS = (
    Target("snmp-v2c", v2c, read_v2c, (SnmpError,)),
    Target("snmp-v3", v3, read_v3, (SnmpError,)),
    Target("snmp-notifications", notification, read_notification, (SnmpError,)),
    Target("snmp-walk", walk, read_walk, (SnmpError,), batch=20),
    Target("snmp-client", lambda dice: dice.randrange(1 << 30), ask_on_a_socket, (SnmpError,), batch=8),
    Target("snmprec", record_file, read_record_file, (SnmpError,)),
)
