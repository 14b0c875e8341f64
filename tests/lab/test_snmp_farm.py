"""The farm's SNMP agents, judged by net-snmp's own clients."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.lab.conftest import COMMUNITY, SNMP, USER, V3, farm_of, get, snmp, tool, walk
from yunwei.lab.errors import LabError
from yunwei.lab.spec import User
from yunwei.snmp import ber, message
from yunwei.snmp.client import SnmpClient, V2c

pytestmark = [pytest.mark.component]

UPTIME, NAME, DESCR = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.1.0"
IF_DESCR, OPER, IN_OCTETS, IN_ERRORS = (f"1.3.6.1.2.1.2.2.1.{column}" for column in (2, 8, 10, 14))
SERIAL, MAC = "1.3.6.1.2.1.47.1.1.1.1.11.1", "1.3.6.1.2.1.17.1.1.0"
SENSOR_VALUE, SENSOR_OPER = "1.3.6.1.2.1.99.1.1.1.4.110", "1.3.6.1.2.1.99.1.1.1.5.110"
ENGINE_ID = "1.3.6.1.6.3.10.2.1.1.0"
AT = 1_800_000_000.0


async def test_v2c_and_v3_say_the_same():
    async with farm_of(snmp()) as farm:
        plain = await walk(farm, "1.3.6.1.2.1.47")
        sealed = await walk(farm, "1.3.6.1.2.1.47", how=V3)
    assert len(plain) == 11 * 11
    assert plain == sealed


async def test_every_address_of_loopback_is_a_device_and_answers_from_itself():
    addresses = ["127.3.0.1", "127.77.1.9", "127.255.3.4"]
    async with farm_of(*(snmp(address, copy=i) for i, address in enumerate(addresses))) as farm:
        found = [(await get(farm, SERIAL, address=address))[SERIAL] for address in addresses]
    assert found[0] == '"LAB0001234567"'
    assert len(set(found)) == 3  # one sample, three devices: no two with one serial number


async def test_an_address_without_device_is_silent():
    async with farm_of(snmp()) as farm:
        with pytest.raises(TimeoutError):
            await get(farm, NAME, address="127.3.0.9")


async def test_wrong_community_and_wrong_password_are_refused():
    async with farm_of(snmp()) as farm:
        with pytest.raises(TimeoutError):
            await get(farm, NAME, how=["-v2c", "-c", "guess"])
        wrong = [*V3[:-4], "-A", "not-the-password", "-x", "AES", "-X", "not-the-password"]
        code, _out, err = await tool("snmpget", "-r", "0", *wrong, f"{SNMP}:{farm.snmp_port}", NAME)
    assert code
    assert "Authentication failure" in err


async def test_other_algorithms():
    user = User(user="strong", auth_proto="SHA-512", auth_password="0123456789", priv_proto="AES-256")
    how = ["-v3", "-l", "authPriv", "-u", "strong", "-a", "SHA-512", "-A", "0123456789", "-x", "AES-256"]
    device = snmp()
    async with farm_of(type(device)(address=SNMP, protocol="snmp", sample="lab-switch", users=(user,))) as farm:
        assert (await get(farm, NAME, how=[*how, "-X", "0123456789"]))[NAME] == '"lab-switch"'
        with pytest.raises(TimeoutError):  # no community was given, so v2c is off
            await get(farm, NAME, how=["-v2c", "-c", COMMUNITY])


async def test_moving_fields_move_and_wrap_as_their_types_do():
    clock = [AT]
    async with farm_of(snmp(), now=lambda: clock[0]) as farm:
        oids = (UPTIME, f"{IN_OCTETS}.1", f"{IN_OCTETS}.9", "1.3.6.1.2.1.25.1.2.0")
        first = await get(farm, *oids)
        clock[0] += 60
        second = await get(farm, *oids)
        ticks = [int(reply[UPTIME].partition(")")[0].lstrip("(")) for reply in (first, second)]
    assert (ticks[1] - ticks[0]) % 2**32 == 6000
    octets = [int(reply[f"{IN_OCTETS}.1"]) for reply in (first, second)]
    assert (octets[1] - octets[0]) % 2**32 == 60 * 125_000 * 2
    assert first[f"{IN_OCTETS}.9"] == second[f"{IN_OCTETS}.9"] == "0"  # port 9 is down: nothing flows
    assert first["1.3.6.1.2.1.25.1.2.0"] != second["1.3.6.1.2.1.25.1.2.0"]


async def test_a_farm_started_again_goes_on_where_it_was():
    clock = [AT]
    seen = []
    for _start in range(2):
        async with farm_of(snmp(), now=lambda: clock[0]) as farm:
            seen.append(await get(farm, UPTIME, SERIAL, MAC))
        clock[0] += 10
    assert seen[0][SERIAL] == seen[1][SERIAL]
    assert seen[0][UPTIME] != seen[1][UPTIME]


async def test_frozen_stands_still():
    clock = [AT]
    async with farm_of(snmp(), now=lambda: clock[0]) as farm:
        before = await get(farm, UPTIME, f"{IN_OCTETS}.1")
        farm.set_fault(SNMP, "frozen", on=True)
        for step in (100.0, 100.0):
            clock[0] += step
            assert await get(farm, UPTIME, f"{IN_OCTETS}.1") == before
        farm.set_fault(SNMP, "frozen", on=False)
        assert await get(farm, UPTIME, f"{IN_OCTETS}.1") != before


async def test_fan_failed_by_the_samples_own_recipe():
    async with farm_of(snmp()) as farm:
        assert await get(farm, SENSOR_VALUE, SENSOR_OPER) == {SENSOR_VALUE: "6200", SENSOR_OPER: "1"}
        farm.set_fault(SNMP, "fan_failed", on=True)
        assert await get(farm, SENSOR_VALUE, SENSOR_OPER) == {SENSOR_VALUE: "0", SENSOR_OPER: "3"}
        farm.set_fault(SNMP, "fan_failed", on=False)
        assert await get(farm, SENSOR_VALUE, SENSOR_OPER) == {SENSOR_VALUE: "6200", SENSOR_OPER: "1"}


@pytest.mark.parametrize(
    ("fault", "oid", "value"),
    [
        ("psu_lost", "1.3.6.1.2.1.99.1.1.1.4.121", "0"),
        ("health_misplaced", "1.3.6.1.2.1.2.2.1.8.1", "42"),
    ],
)
async def test_content_faults(fault: str, oid: str, value: str):
    async with farm_of(snmp("127.3.0.1"), snmp("127.3.0.2", copy=1, faults=(fault,))) as farm:
        assert (await get(farm, oid, address="127.3.0.2"))[oid] == value
        assert (await get(farm, oid))[oid] != value  # the neighbour of the same sample is well


async def test_port_errors_grow():
    clock = [AT]
    async with farm_of(snmp(faults=("port_errors",)), now=lambda: clock[0]) as farm:
        first = await get(farm, f"{IN_ERRORS}.1", f"{IN_ERRORS}.2")
        clock[0] += 100
        second = await get(farm, f"{IN_ERRORS}.1", f"{IN_ERRORS}.2")
    assert int(second[f"{IN_ERRORS}.1"]) - int(first[f"{IN_ERRORS}.1"]) == 5000
    assert first[f"{IN_ERRORS}.2"] == second[f"{IN_ERRORS}.2"] == "0"


async def test_identity_changed_is_another_device():
    async with farm_of(snmp()) as farm:
        before = await get(farm, SERIAL, MAC, how=V3)
        engine = farm.snmp(SNMP).engine_id
        farm.set_fault(SNMP, "identity_changed", on=True)
        after = await get(farm, SERIAL, MAC, how=V3)
        assert farm.snmp(SNMP).engine_id != engine
    assert before[SERIAL] != after[SERIAL]
    assert before[MAC] != after[MAC]


async def test_engine_ids_differ_and_are_what_a_client_learns():
    devices = [snmp("127.3.0.1"), snmp("127.3.0.2", copy=1)]
    async with farm_of(*devices) as farm:
        ids = [farm.snmp(device.address).engine_id for device in devices]
        assert ids[0] != ids[1]
        wrong = ["-e", "0x" + ids[1].hex(), *V3]  # device 1 is asked under device 2's engine id
        with pytest.raises(TimeoutError):
            await get(farm, NAME, how=["-r", "0", "-t", "0.3", *wrong[:2], *V3])
        assert await get(farm, NAME, how=["-e", "0x" + ids[0].hex(), *V3])


async def test_wrong_encoding_breaks_every_decoder():
    async with farm_of(snmp(faults=("wrong_encoding",))) as farm:
        text = (await get(farm, NAME))[NAME]
    raw = bytes.fromhex(text.replace(" ", "").replace('"', ""))
    for encoding in ("utf-8", "gb18030"):
        with pytest.raises(UnicodeDecodeError):
            raw.decode(encoding)


async def test_dead_is_silent_and_comes_back():
    async with farm_of(snmp(faults=("dead",)), snmp("127.3.0.2", copy=1)) as farm:
        with pytest.raises(TimeoutError):
            await get(farm, NAME)
        assert await get(farm, NAME, address="127.3.0.2")
        assert farm.asked == 1  # the kernel dropped what went to the dead one
        farm.set_fault(SNMP, "dead", on=False)
        assert await get(farm, NAME)


async def test_latency_and_slow():
    async with farm_of(snmp(latency_ms=300)) as farm:
        start = time.monotonic()
        await get(farm, NAME)
        assert time.monotonic() - start >= 0.3
        farm.set_fault(SNMP, "slow", on=True)
        assert farm.delay_s("snmp", SNMP) == pytest.approx(3.3)
        with pytest.raises(TimeoutError):
            await get(farm, NAME)


async def test_loss_loses_its_share():
    async with farm_of(snmp(loss=1.0), snmp("127.3.0.2", loss=0.5)) as farm:
        with pytest.raises(TimeoutError):
            await get(farm, NAME)
        lost = sum(farm.lost("snmp", "127.3.0.2") for _i in range(1000))
    assert 400 < lost < 600


async def test_too_big_answers_an_error_until_less_is_asked():
    async with farm_of(snmp(faults=("too_big",))) as farm:
        where = f"{SNMP}:{farm.snmp_port}"
        how = ["-v2c", "-c", COMMUNITY, "-r", "0"]
        _code, out, err = await tool("snmpbulkget", *how, "-Cr25", where, IF_DESCR)
        assert "tooBig" in out + err or "too big" in (out + err).lower()
        code, out, _err = await tool("snmpbulkget", *how, "-Cr10", where, IF_DESCR)
        assert not code
        assert len(out.splitlines()) == 10


async def test_truncating_gives_short_answers_that_still_add_up():
    async with farm_of(snmp(faults=("truncating",))) as farm:
        where = f"{SNMP}:{farm.snmp_port}"
        _code, out, _err = await tool("snmpbulkget", "-v2c", "-c", COMMUNITY, "-Cr25", where, IF_DESCR)
        assert len(out.splitlines()) == 5
        assert len(await walk(farm, IF_DESCR)) == 14


async def test_unauthorized():
    async with farm_of(snmp(faults=("unauthorized",))) as farm:
        with pytest.raises(TimeoutError):
            await get(farm, NAME)
        with pytest.raises(TimeoutError, match="Unknown user name"):
            await get(farm, NAME, how=V3)


class Raw(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answer.set_result(data)


async def raw_answer(port: int, question: bytes) -> bytes:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Raw, remote_addr=(SNMP, port))
    try:
        transport.sendto(question)
        return await asyncio.wait_for(protocol.answer, 1)
    finally:
        transport.close()


QUESTION = message.build_v2c(
    COMMUNITY.encode(),
    message.build_pdu(message.GET, 1 << 25, 0, 0, [ber.encode_varbind(ber.oid_content(DESCR), b"\x05\x00")]),
)


async def test_garbage_and_half_are_no_snmp():
    async with farm_of(snmp()) as farm:
        whole = await raw_answer(farm.snmp_port, QUESTION)
        assert whole[0] == 0x30
        assert whole[1] == len(whole) - 2
        farm.set_fault(SNMP, "half", on=True)
        half = await raw_answer(farm.snmp_port, QUESTION)
        assert whole.startswith(half)
        assert len(half) == len(whole) // 2
        farm.set_fault(SNMP, "garbage", on=True)
        noise = await raw_answer(farm.snmp_port, QUESTION)
        assert not whole.startswith(noise[:4])
        farm.set_fault(SNMP, "garbage", on=False)
        farm.set_fault(SNMP, "half", on=False)
        assert await raw_answer(farm.snmp_port, QUESTION) == whole


async def test_endless_never_ends_and_the_rest_is_as_it_was():
    async with farm_of(snmp(faults=("endless",))) as farm, SnmpClient() as client:
        session = client.session(SNMP, farm.snmp_port, V2c(COMMUNITY))
        columns = await session.columns([IF_DESCR, "1.3.6.1.2.1.2.2.1.7"], max_repetitions=50, max_rows=3000)
        assert not columns.complete[IF_DESCR]
        assert len(columns.rows[IF_DESCR]) >= 3000
        ordinary = await session.columns(["1.3.6.1.2.1.2.2.1.7"])
        assert ordinary.complete["1.3.6.1.2.1.2.2.1.7"]
        assert len(ordinary.rows["1.3.6.1.2.1.2.2.1.7"]) == 14
        assert (await get(farm, NAME, f"{IF_DESCR}.14"))[NAME] == '"lab-switch"'
        tail = await walk(farm, "1.3.6.1.2.1.99")
        assert len(tail) == 30


async def test_our_own_client_reads_a_sick_agent_whole():
    for faults in ((), ("too_big",), ("truncating",)):
        async with farm_of(snmp(faults=faults)) as farm, SnmpClient() as client:
            session = client.session(SNMP, farm.snmp_port, V2c(COMMUNITY))
            columns = await session.columns([IF_DESCR, OPER, IN_ERRORS])
        assert columns.whole
        assert all(len(rows) == 14 for rows in columns.rows.values())


async def test_a_sample_without_recipe_refuses_a_vendors_fault(tmp_path):
    (tmp_path / "bare.snmprec").write_text("1.3.6.1.2.1.1.5.0|4|bare\n")
    device = snmp(faults=("fan_failed",))
    bare = type(device)(**{**{f: getattr(device, f) for f in device.__struct_fields__}, "sample": "bare"})
    with pytest.raises(LabError, match="fan_failed"):
        async with farm_of(bare, samples=(str(tmp_path),)):
            pass


async def test_recipes_add_remove_and_move(tmp_path):
    (tmp_path / "mine.snmprec").write_text(
        "1.3.6.1.2.1.1.5.0|4|mine\n1.3.6.1.4.1.32473.1.1|2|7\n1.3.6.1.4.1.32473.1.2|2|8\n"
        "1.3.6.1.4.1.32473.2.1|66|5\n1.3.6.1.4.1.32473.3.1|4|SER0001\n"
    )
    (tmp_path / "mine.faults.yaml").write_text(
        """
faults:
  psu_lost:
    snmp:
      - {oid: 1.3.6.1.4.1.32473.1, remove: true}
      - {oid: 1.3.6.1.4.1.32473.4.0, value: gone, type: string}
identity: {snmp: [1.3.6.1.4.1.32473.3]}
moving: {snmp: [{oid: 1.3.6.1.4.1.32473.2, rate: 2}]}
"""
    )
    clock = [AT]
    fields = {"protocol": "snmp", "sample": "mine", "community": COMMUNITY}
    one = type(snmp())(address=SNMP, faults=("psu_lost",), **fields)
    two = type(snmp())(address="127.3.0.2", copy=1, **fields)
    async with farm_of(one, two, samples=(str(tmp_path),), now=lambda: clock[0]) as farm:
        root = "1.3.6.1.4.1.32473"
        assert [line.split(" = ")[0] for line in await walk(farm, root)] == [
            f".{root}.{x}" for x in ("2.1", "3.1", "4.0")
        ]
        assert len(await walk(farm, root, address="127.3.0.2")) == 4
        serials = [(await get(farm, f"{root}.3.1", address=a))[f"{root}.3.1"] for a in (SNMP, "127.3.0.2")]
        assert serials[0] == '"SER0001"' != serials[1]
        before = int((await get(farm, f"{root}.2.1"))[f"{root}.2.1"])
        clock[0] += 5
        assert int((await get(farm, f"{root}.2.1"))[f"{root}.2.1"]) - before == 10


def test_user_is_printed_without_empty_fields():
    assert set(snmp().user_credential(USER)) == {
        "kind",
        "user",
        "auth_proto",
        "auth_password",
        "priv_proto",
        "priv_password",
    }
    assert snmp().user_credential(User(user="plain")) == {"kind": "snmp3", "user": "plain"}
