"""Whatever a client sends, the farm answers or drops it and goes on: nothing is raised, no other device is touched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.conftest import BMC, COMMUNITY, LOGIN, SEED, SNMP, bmc, farm_of, snmp
from yunwei.lab import find, http, net
from yunwei.lab.agents import Sample, SnmpDevice
from yunwei.lab.endless import ROWS, EndlessTable
from yunwei.lab.errors import LabError
from yunwei.lab.overlay import FAULTS, ONLY, Sidecar
from yunwei.lab.redfish import Bmc, Request
from yunwei.lab.tree import Personal, Tree
from yunwei.snmp import ber, message
from yunwei.snmp.client import SnmpClient, V2c

AT = 1_800_000_000.0
FILES = find.find(find.own_folders())
SWITCH = Sample(FILES["snmp", "lab-switch"])
SERVER = Tree(FILES["redfish", "lab-server"])
CONDUCT = st.sets(st.sampled_from(sorted(FAULTS)), max_size=3)


def mangled(data: bytes) -> st.SearchStrategy[bytes]:
    """Real questions with some bytes changed: deeper than noise."""
    places = st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=4)
    return places.map(lambda edits: _edited(data, edits))


def _edited(data: bytes, edits: list[tuple[int, int]]) -> bytes:
    out = bytearray(data)
    for at, byte in edits:
        out[at] = byte
    return bytes(out)


BULK = message.build_v2c(
    COMMUNITY.encode(),
    message.build_pdu(message.GETBULK, 1 << 25, 0, 20, [ber.encode_varbind(ber.oid_content("1.3.6.1.2.1.2"), b"\5\0")]),
)


@given(st.one_of(st.binary(max_size=200), mangled(BULK)), CONDUCT)
def test_agents_never_raise(datagram: bytes, faults: set[str]):
    shown = {fault for fault in faults if ONLY.get(fault, "snmp") == "snmp" and fault != "disk_predicted"}
    device = SnmpDevice(snmp(), SWITCH, SEED, frozenset(shown), AT)
    reply = device.respond(datagram, AT)
    assert reply is None or isinstance(reply, bytes)


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PATCH", "DELETE", "BREW"]),
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(sorted(SERVER.bodies)),
        st.text(max_size=20).map("/redfish/v1/Systems?$expand={}".format),
        st.text(max_size=20).map("/redfish/v1/Systems?$skip={}".format),
        st.text(max_size=20).map("/redfish/v1/SessionService/Sessions/{}".format),
    ),
    st.dictionaries(st.sampled_from(["x-auth-token", "authorization"]), st.text(max_size=30).map("Basic {}".format)),
    st.one_of(st.binary(max_size=60), st.sampled_from([b"[]", b"3", b'"x"', b'{"UserName": 1, "Password": []}'])),
    CONDUCT,
)
def test_bmcs_never_raise(method: str, target: str, headers: dict[str, str], body: bytes, faults: set[str]):
    shown = frozenset(fault for fault in faults if ONLY.get(fault, "redfish") == "redfish")
    device = Bmc(bmc(), SERVER, SEED, True, shown)
    response = device.respond(Request(method, target, headers, body), AT)
    assert 200 <= response.status < 600
    assert http.head(response)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40), st.sampled_from([b"GET / HTTP/1.1\r\n", b"\r\n\r\n", b": ", b"content-length: "])
        )
    )
)
def test_http_parser_gives_a_request_or_says_bad(pieces: list[bytes]):
    buffer = bytearray(b"".join(pieces))
    before = len(buffer)
    try:
        request = http.parse(buffer)
    except http.BadRequestError:
        return
    assert (request is None) == (len(buffer) == before)


def test_http_parser_takes_one_request_after_the_other():
    buffer = bytearray(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nX-Y: z\r\n\r\nGET")
    first, second, third = http.parse(buffer), http.parse(buffer), http.parse(buffer)
    assert first is not None
    assert second is not None
    assert (first.method, first.target, first.body) == ("POST", "/a", b"abc")
    assert (second.target, second.headers, third) == ("/b", {"x-y": "z"}, None)
    for bad in (b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"x" * 70000, b"GET /\r\n\r\n"):
        with pytest.raises(http.BadRequestError):
            http.parse(bytearray(bad))


async def test_a_flood_of_noise_leaves_the_neighbours_well():
    async with farm_of(snmp(), snmp("127.3.0.2", copy=1)) as farm, SnmpClient() as client:
        with net.udp_socket(0) as noise:
            for number in range(500):
                net.send(noise, bytes([number % 256]) * (number % 90), "127.3.0.7", (SNMP, farm.snmp_port))
        await asyncio.sleep(0.05)
        session = client.session("127.3.0.2", farm.snmp_port, V2c(COMMUNITY))
        assert (await session.walk("1.3.6.1.2.1.1")).whole
        assert farm.asked >= 500


@given(st.integers(0, 3 * ROWS))
def test_endless_rows_are_in_order_and_found_again(row: int):
    table = EndlessTable(SWITCH.table, ["1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.31.1.1.1.1"])
    row %= len(table) - 1
    assert ber.oid_key(table.oids[row]) < ber.oid_key(table.oids[row + 1])
    assert table.after(table.oids[row]) == row + 1


@given(st.text(alphabet="ABCxyz0123456789-/ ", max_size=20), st.integers(0, 50))
def test_a_personal_serial_keeps_its_shape(original: str, copy: int):
    serial = Personal(SEED, "s", copy, 0).text(original)
    assert [(c.isdigit(), c.isupper(), c.islower()) for c in serial] == [
        (c.isdigit(), c.isupper(), c.islower()) for c in original
    ]
    assert (serial == original) or copy
    assert Personal(SEED, "s", 0, 0).mac(b"\0\0\x5e\0\x53\1") == b"\0\0\x5e\0\x53\1"


@pytest.mark.parametrize("original", ["LABS00010001", "2102351ABC", "CN123456", "a1b2c3"])
def test_no_two_copies_share_an_identity(original: str):
    everybody = [(copy, generation) for copy in range(12_000) for generation in (0, 1)]
    assert len({Personal(SEED, "s", *who).text(original) for who in everybody}) == len(everybody)
    macs = {Personal(SEED, "s", copy, 0).mac(bytes.fromhex("00005e005301")) for copy in range(12_000)}
    assert len(macs) == 12_000


@pytest.mark.parametrize(
    "text",
    ["faults: [", "faults: {on_fire: {}}", "faults: {fan_failed: {snmp: [{value: 3}]}}", "else: 1", "faults: 7"],
)
def test_a_bad_faults_file_is_named(tmp_path: Path, text: str):
    (tmp_path / "s.snmprec").write_text("1.3.6.1.2.1.1.5.0|4|s\n")
    (tmp_path / "s.faults.yaml").write_text(text)
    with pytest.raises(LabError, match=r"s\.faults\.yaml"):
        find.find([tmp_path])["snmp", "s"].sidecar()


def test_a_sample_without_faults_file_has_none(tmp_path: Path):
    (tmp_path / "s.snmprec").write_text("")
    file = find.find([tmp_path])["snmp", "s"]
    assert file.sidecar() == Sidecar()
    with pytest.raises(LabError, match="没有一条记录"):
        Sample(file)


def test_every_sample_of_the_product_can_be_served_and_its_recipes_hold():
    for (protocol, _name), file in FILES.items():
        sample = Sample(file) if protocol == "snmp" else Tree(file)
        for fault, recipe in sample.sidecar.faults.items():
            if getattr(recipe, protocol):
                sample.variant([fault])


def test_login_is_refused_without_one():
    device = Bmc(bmc(BMC), SERVER, SEED, False, frozenset())
    asked = Request("POST", "/redfish/v1/SessionService/Sessions", {}, b'{"UserName": "%s"}' % LOGIN.user.encode())
    assert device.respond(asked, AT).status == 400
