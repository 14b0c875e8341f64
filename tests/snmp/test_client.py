"""The client over real sockets: who may answer, what is garbage, what times out, and v3 end to end."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snmp.helpers import ENGINE, IF_NAME, IF_TABLE, SYSTEM, USER, rule, serve, switch
from yunwei.snmp import authority, ber, message, usm
from yunwei.snmp.agent import Agent, answer, respond
from yunwei.snmp.client import SnmpClient
from yunwei.snmp.errors import SnmpAuthError, SnmpError, SnmpGarbage, SnmpStatus, SnmpTimeout, SnmpTooBig
from yunwei.snmp.security import Community, User
from yunwei.snmp.usm import V3, EngineState, V2c
from yunwei.snmp.values import INTEGER

PUBLIC = V2c("public")
NAME = f"{SYSTEM}.5.0"


def v3_agent(**changes: object) -> Agent:
    agent = Agent(switch(), users={b"operator": USER}, engine_id=ENGINE, boots=7)
    for name, value in changes.items():
        setattr(agent, name, value)
    return agent


async def test_get_and_columns_over_one_socket_for_many_devices() -> None:
    async with serve(Agent(switch(40))) as (one, _a), serve(Agent(switch(7))) as (two, _b), SnmpClient() as client:
        sessions = [client.session("127.0.0.1", port, PUBLIC) for port in (one, two) * 5]
        walks = await asyncio.gather(*(session.columns([IF_NAME, f"{IF_TABLE}.8"]) for session in sessions))
        assert [len(walk.rows[IF_NAME]) for walk in walks] == [40, 7] * 5
        assert all(walk.whole for walk in walks)
        got = await sessions[0].get([NAME, f".{SYSTEM}.2.0", f"{SYSTEM}.99.0"])
    assert got[NAME].as_text() == "system 5"
    assert got[f".{SYSTEM}.2.0"].value == "1.3.6.1.4.1.2011.2.23.1"
    assert got[f"{SYSTEM}.99.0"].missing
    assert client.stray == 0


async def test_one_question_at_a_time_per_device() -> None:
    open_now = most = 0

    def count(data: bytes) -> bytes | None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        asyncio.get_running_loop().call_later(0.01, close)
        return answer(agent, data, 0)

    def close() -> None:
        nonlocal open_now
        open_now -= 1

    agent = Agent(switch())
    async with serve(count, delay=0.015) as (port, seen), SnmpClient() as client:
        sessions = [client.session("127.0.0.1", port, PUBLIC) for _ in range(6)]
        await asyncio.gather(*(session.get([NAME]) for session in sessions))
    assert len(seen) == 6
    assert most == 1


async def test_a_dead_device_costs_its_tries_and_says_where() -> None:
    async with serve(lambda _data: None) as (port, seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, PUBLIC, timeout=0.05, retries=2)
        with pytest.raises(SnmpTimeout, match=f"127.0.0.1:{port}"):
            await session.get([NAME])
    assert len(seen) == 3
    assert session.requests == 3
    assert seen[0] == seen[2]  # a v2c retry is the same question: a late answer still counts


async def test_an_answer_to_the_first_try_counts_when_it_comes_during_the_second() -> None:
    async with serve(Agent(switch()), delay=0.15) as (port, _seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, PUBLIC, timeout=0.1, retries=1)
        assert (await session.get([NAME]))[NAME].as_text() == "system 5"
        session = client.session("127.0.0.1", port, PUBLIC, timeout=0.1, retries=0)
        with pytest.raises(SnmpTimeout):
            await session.get([NAME])


async def test_answers_that_came_while_the_loop_was_busy_count() -> None:
    """One datagram is read a turn of the loop: after a pause the timers of the others are due before their answers."""
    agents = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(12)]
    with ExitStack() as stack:
        for agent in agents:
            stack.enter_context(agent).bind(("127.0.0.1", 0))
            agent.settimeout(5)
        async with SnmpClient() as client:
            sessions = [client.session(*a.getsockname(), PUBLIC, timeout=0.3, retries=0) for a in agents]
            asked = [asyncio.ensure_future(session.get([NAME])) for session in sessions]
            while sum(session.requests for session in sessions) < len(agents):  # noqa: ASYNC110 - a turn of the loop each
                await asyncio.sleep(0)
            for agent in agents:
                data, sender = agent.recvfrom(2000)
                agent.sendto(answer(Agent(switch()), data, 1000) or b"", sender)
            time.sleep(1.5)  # noqa: ASYNC251 - the loop is to be deaf far beyond its timeout
            got = await asyncio.gather(*asked)
    assert [found[NAME].as_text() for found in got] == ["system 5"] * len(agents)


async def test_garbage_is_named_and_the_neighbour_is_untouched() -> None:
    async with (
        serve(lambda _data: b"\x30\x82garbage") as (bad, _a),
        serve(Agent(switch())) as (good, _b),
        SnmpClient() as client,
    ):
        broken = client.session("127.0.0.1", bad, PUBLIC, timeout=0.1, retries=0)
        whole = client.session("127.0.0.1", good, PUBLIC)
        results = await asyncio.gather(broken.columns([IF_NAME]), whole.columns([IF_NAME]), return_exceptions=True)
    assert isinstance(results[0], SnmpGarbage)
    assert not isinstance(results[1], BaseException)
    assert results[1].whole


async def test_garbage_before_the_answer_does_not_spoil_it() -> None:
    agent = Agent(switch())
    forger = Agent(agent.table, override=lambda _oid, _value: b"\x04\x06forged")

    def noisy(data: bytes) -> list[bytes]:
        false = answer(forger, data, 0) or b""
        at = false.index(b"public")
        other_id = bytearray(false)
        other_id[at + 12] ^= 0x55
        other_pdu = bytearray(false)
        other_pdu[at + 6] = message.GET
        v1 = false.replace(b"\x02\x01\x01", b"\x02\x01\x00", 1)
        forged = [bytes(other_id), bytes(other_pdu), v1, false[:-1], false + b"\0", false.replace(b"public", b"PUBLIC")]
        return [b"", b"noise", *forged, answer(agent, data, 0) or b""]

    async with serve(noisy) as (port, _seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, PUBLIC, timeout=1, retries=0)
        assert (await session.get([NAME]))[NAME].as_text() == "system 5"


async def test_an_answer_from_another_address_is_not_taken() -> None:
    agent = Agent(switch())
    loop = asyncio.get_running_loop()
    other, _protocol = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    async with SnmpClient() as client:
        mine: list[tuple[str, int]] = []

        def elsewhere(data: bytes) -> None:
            other.sendto(answer(agent, data, 0) or b"", ("127.0.0.1", mine[0][1]))

        async with serve(elsewhere) as (port, _seen):
            session = client.session("127.0.0.1", port, PUBLIC, timeout=0.1, retries=0)
            mine.append((await client.transport(session.endpoint)).get_extra_info("sockname"))
            with pytest.raises(SnmpTimeout):
                await session.get([NAME])
    other.close()
    assert client.stray == 1


async def test_a_device_that_dies_in_the_middle_of_a_walk_leaves_what_was_read_and_why() -> None:
    agent, answers = Agent(switch(40), truncate=10), 0

    def mortal(data: bytes) -> bytes | None:
        nonlocal answers
        answers += 1
        return answer(agent, data, 0) if answers <= 2 else None

    async with serve(mortal) as (port, _seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, PUBLIC, timeout=0.05, retries=1)
        got = await session.columns([IF_NAME])
    assert len(got.rows[IF_NAME]) == 20
    assert got.complete == {IF_NAME: False}
    assert isinstance(got.error, SnmpTimeout)
    assert got.requests == 4


async def test_a_path_that_drops_long_answers_is_read_by_short_ones() -> None:
    agent = Agent(switch(200), max_size=60000)

    def no_fragments(data: bytes) -> bytes | None:
        reply = answer(agent, data, 0) or b""
        return reply if len(reply) <= 1472 else None

    async with serve(no_fragments) as (port, _seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, PUBLIC, timeout=0.1, retries=0)
        with pytest.raises(SnmpTimeout):  # never heard of: one probe is all it gets
            await session.columns([IF_NAME, f"{IF_TABLE}.8"], 100)
        assert session.requests == 1
        await session.get([NAME])
        got = await session.columns([IF_NAME, f"{IF_TABLE}.8"], 100)
    assert got.whole
    assert [len(rows) for rows in got.rows.values()] == [200, 200]


async def test_a_cancelled_question_leaves_client_and_device_usable() -> None:
    agent, silent = Agent(switch()), True
    async with serve(lambda data: None if silent else answer(agent, data, 0)) as (port, _seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, PUBLIC, timeout=5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.get([NAME]), 0.05)
        silent = False
        assert client.waiting == {}
        assert (await asyncio.wait_for(session.get([NAME]), 2))[NAME].as_text() == "system 5"


async def test_get_splits_on_too_big_and_on_short_answers() -> None:
    names = [f"{IF_NAME}.{n}" for n in range(1, 41)]
    for agent in (Agent(switch(40), toobig_above=3), Agent(switch(40), max_size=484)):
        async with serve(agent) as (port, _seen), SnmpClient() as client:
            got = await client.session("127.0.0.1", port, PUBLIC).get(names)
            assert [value.as_text() for value in got.values()] == [f"GigabitEthernet0/0/{n}" for n in range(1, 41)]


async def test_get_gives_up_on_one_value_that_is_too_big() -> None:
    async with serve(Agent(switch(), max_size=60)) as (port, _seen), SnmpClient() as client:
        with pytest.raises(SnmpTooBig):
            await client.session("127.0.0.1", port, PUBLIC).get([NAME, f"{SYSTEM}.4.0"])


async def test_get_refuses_other_names_and_reports_error_status() -> None:
    def reply(status: int, at: int, oid: str) -> bytes:
        varbind = ber.encode_varbind(ber.oid_content(oid), ber.encode_value(INTEGER, 1))
        return message.build_pdu(message.RESPONSE, ident, status, at, [varbind])

    def act(data: bytes) -> bytes:
        nonlocal ident
        parsed = message.parse_v2c(data)
        ident = message.parse_pdu(data, parsed.tag, parsed.start, parsed.stop).request_id
        return message.build_v2c(b"public", reply(*what))

    ident, what = 0, (0, 0, IF_NAME + ".1")
    async with serve(act) as (port, _seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, PUBLIC, timeout=0.2, retries=0)
        with pytest.raises(SnmpGarbage):
            await session.get([NAME])
        what = (5, 1, NAME)
        with pytest.raises(SnmpStatus, match="genErr") as caught:
            await session.get([NAME])
        assert (caught.value.status, caught.value.index) == (5, 1)
        what = (2, 1, NAME)
        assert (await session.get([NAME]))[NAME].missing  # noSuchName: the v1 way


async def test_closing_the_client_wakes_whoever_waits() -> None:
    async with serve(lambda _data: None) as (port, _seen):
        client = SnmpClient()
        task = asyncio.ensure_future(client.session("127.0.0.1", port, PUBLIC, timeout=30).get([NAME]))
        await asyncio.sleep(0.05)
        client.close()
        with pytest.raises(SnmpError):
            await asyncio.wait_for(task, 1)
        with pytest.raises(SnmpError):
            await client.session("127.0.0.1", port, PUBLIC).get([NAME])


@pytest.mark.parametrize(("address", "port"), [("switch.example", 161), ("127.0.0.1", 0), ("", 161)])
def test_an_endpoint_that_cannot_be_is_refused_at_once(address: str, port: int) -> None:
    with pytest.raises(SnmpError):
        SnmpClient().session(address, port, PUBLIC)


# --- v3


async def test_v3_discovers_once_and_a_kept_engine_saves_the_round() -> None:
    async with serve(v3_agent()) as (port, seen), SnmpClient() as client:
        session = client.session("127.0.0.1", port, USER)
        assert session.engine_id is None
        assert (await session.get([NAME]))[NAME].as_text() == "system 5"
        assert session.engine_id == ENGINE
        assert session.engine is not None
        assert (session.engine.boots, session.engine.time) == (7, 1000)
        assert len(seen) == 2
        again = client.session("127.0.0.1", port, USER, engine=session.engine)
        walk = await again.columns([IF_NAME, f"{IF_TABLE}.8"])
        assert walk.whole
        assert len(seen) == 2 + walk.requests
    assert not any(b"system" in data or b"password" in data for data in seen)


async def test_v3_resynchronises_after_a_restart_even_of_a_device_that_forgot_its_boots() -> None:
    for boots, now in ((8, 5), (7, 5), (1, 5)):
        async with serve(v3_agent(boots=boots), now=lambda now=now: now) as (port, seen), SnmpClient() as client:
            kept = EngineState(ENGINE, 7, 900_000, time.time() - 60)
            session = client.session("127.0.0.1", port, USER, engine=kept, retries=0)
            assert (await session.get([NAME]))[NAME].as_text() == "system 5"
            assert len(seen) == 2
            assert session.engine is not None
            assert (session.engine.boots, session.engine.time) == (boots, now)


async def test_v3_shows_that_another_engine_answers() -> None:
    async with serve(v3_agent()) as (port, _seen), SnmpClient() as client:
        kept = EngineState(bytes.fromhex("80001f88049999999999"), 3, 50, time.time())
        session = client.session("127.0.0.1", port, USER, engine=kept)
        await session.get([NAME])
        assert session.engine_id == ENGINE


@pytest.mark.parametrize(
    "credential",
    [
        USER._replace(auth_password="another-password"),
        USER._replace(auth_proto="SHA"),
        USER._replace(priv_password="another-password"),
        USER._replace(priv_proto=""),
        USER._replace(user="nobody"),
        V3("operator"),
    ],
)
async def test_v3_refusals_are_auth_errors_at_once(credential: V3) -> None:
    async with serve(v3_agent()) as (port, seen), SnmpClient() as client:
        with pytest.raises(SnmpAuthError):
            await client.session("127.0.0.1", port, credential, timeout=5).get([NAME])
    assert len(seen) == 2


def exchange(user: User, agent: Agent, ident: int) -> bytes:
    """One question of `user` answered by `agent`."""
    varbind = message.null_varbind(ber.oid_content(NAME))
    reply = answer(agent, user.wrap(ident, message.build_pdu(message.GET, ident, 0, 0, [varbind])), 1000)
    assert reply is not None
    return reply


def synced() -> tuple[User, Agent]:
    user, agent = User(USER, None, lambda: 0.0), v3_agent()
    user.unwrap(exchange(user, agent, 1 << 24), {1 << 24})
    assert user.engine is not None
    return user, agent


def test_v3_an_answer_that_is_not_signed_or_not_encrypted_is_not_believed() -> None:
    user, agent = synced()
    ident = 5 << 24
    good = exchange(user, agent, ident)
    reply = user.unwrap(good, {ident})
    assert reply is not None
    keys = usm.keys_for(USER, ENGINE)
    assert keys is not None
    parsed = message.parse_v3(good)
    plain = usm.decrypt(parsed, keys)
    for flags in (0, message.AUTH):
        weak = usm.seal(parsed._replace(flags=flags, payload=plain, auth=b"", priv=b""), keys)
        with pytest.raises(SnmpAuthError):
            user.unwrap(weak, {ident})
    forged = good[:-1] + bytes((good[-1] ^ 1,))
    with pytest.raises(SnmpAuthError):
        user.unwrap(forged, {ident})
    other = usm.keys_for(USER._replace(auth_password="another-password"), ENGINE)
    with pytest.raises(SnmpAuthError):
        user.unwrap(usm.seal(parsed._replace(payload=plain), other), {ident})


def report(oid: str, ident: int, engine_id: bytes) -> bytes:
    """An unsigned report."""
    varbind = ber.encode_varbind(ber.oid_content(oid), ber.encode_value(0x41, 1))
    scoped = message.build_scoped(engine_id, b"", message.build_pdu(message.REPORT, ident, 0, 0, [varbind]))
    return usm.seal(message.V3Message(ident, 1472, 0, engine_id, 1, 1, b"operator", b"", 0, b"", scoped), None)


def test_v3_what_answers_no_question_of_ours_is_passed_over() -> None:
    user, agent = synced()
    assert user.unwrap(exchange(user, agent, 5 << 24), {6 << 24}) is None
    assert user.unwrap(report(usm.UNKNOWN_ENGINE, 5 << 24, b"another-engine"), {6 << 24}) is None
    assert user.engine is not None
    assert user.engine.engine_id == ENGINE


def test_v3_reports_that_make_no_sense_teach_nothing() -> None:
    user, _agent = synced()
    before = user.engine
    for oid, engine_id in ((usm.UNKNOWN_ENGINE, b"1234"), (usm.NOT_IN_TIME_WINDOW, b"another-engine")):
        with pytest.raises(SnmpGarbage):
            user.unwrap(report(oid, 5 << 24, engine_id), {5 << 24})
        assert user.engine == before
    told = user.unwrap(report("1.3.6.1.6.3.12.1.5.0", 5 << 24, ENGINE), {5 << 24})
    assert told is not None
    with pytest.raises(SnmpError, match=r"1\.3\.6\.1\.6\.3\.12\.1\.5\.0"):
        user.heed(told)


def test_v3_a_signature_for_another_user_is_not_ours() -> None:
    user, agent = synced()
    ident = 5 << 24
    keys = usm.keys_for(USER, ENGINE)
    assert keys is not None
    parsed = message.parse_v3(exchange(user, agent, ident))
    other = parsed._replace(user=b"guest", payload=usm.decrypt(parsed, keys))
    with pytest.raises(SnmpAuthError):
        user.unwrap(usm.seal(other, keys), {ident})


async def test_v3_the_request_id_inside_must_be_ours_too() -> None:
    agent = v3_agent()

    def crossed(data: bytes) -> bytes | None:
        admitted = authority.admit(agent, data, 1000)
        if not isinstance(admitted, authority.Admitted):
            return admitted
        pdu = respond(agent, admitted.scoped.pdu._replace(request_id=77), 1000)
        return authority.reply(agent, admitted, pdu or b"", 1000)

    async with serve(crossed) as (port, _seen), SnmpClient() as client:
        with pytest.raises(SnmpGarbage, match="request-id"):
            await client.session("127.0.0.1", port, USER, timeout=1).get([NAME])


def test_v3_an_old_answer_is_refused() -> None:
    user, agent = synced()
    ident = 5 << 24
    user.unwrap(exchange(user, agent, ident), {ident})
    keys = usm.keys_for(USER, ENGINE)
    assert keys is not None
    parsed = message.parse_v3(exchange(user, agent, ident))
    plain = usm.decrypt(parsed, keys)
    for boots, now in ((7, 1000 - 151), (6, 1000)):
        with pytest.raises(SnmpAuthError):
            user.unwrap(usm.seal(parsed._replace(payload=plain, boots=boots, time=now), keys), {ident})
    assert user.unwrap(usm.seal(parsed._replace(payload=plain, time=1000 - 149), keys), {ident}) is not None


def test_v3_an_unsigned_time_report_cannot_make_a_replay_believable() -> None:
    """It may only delay us: what it says is tried on the device, which refuses it, signed."""
    user, agent = synced()
    ident = 5 << 24
    user.unwrap(exchange(user, agent, ident), {ident})
    user.unwrap(report(usm.NOT_IN_TIME_WINDOW, ident, ENGINE), {ident})
    reply = answer(agent, user.wrap(ident, message.build_pdu(message.GET, ident, 0, 0, [])), 1000)
    assert reply is not None
    told = user.unwrap(reply, {ident})
    assert told is not None
    assert told.tag == message.REPORT
    assert user.engine is not None
    assert (user.engine.boots, user.engine.time) == (7, 1000)


async def test_v3_a_device_that_never_agrees_on_the_time_ends() -> None:
    clock = iter(range(1000, 10**9, 1000))
    async with serve(v3_agent(), now=lambda: next(clock)) as (port, seen), SnmpClient() as client:
        with pytest.raises(SnmpAuthError, match="重新同步"):
            await client.session("127.0.0.1", port, USER).get([NAME])
    assert len(seen) == 4


@rule(200)
@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_no_datagram_raises_anything_but_snmp_errors(data: bytes, at: int, byte: int) -> None:
    user, agent = synced()
    ident = 5 << 24
    good = bytearray(exchange(user, agent, ident))
    good[at % len(good)] = byte
    for security in (user, Community(PUBLIC)):
        for datagram in (data, bytes(good), bytes(good[:at])):
            try:
                security.unwrap(datagram, {ident})
            except SnmpError:
                continue
