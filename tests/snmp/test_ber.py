"""The codec: known encodings, round trips, and bytes that mean harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.snmp.helpers import rule
from yunwei.snmp import ber, message
from yunwei.snmp import values as t
from yunwei.snmp.errors import SnmpError, SnmpGarbage
from yunwei.snmp.values import Value

subids = st.lists(st.one_of(st.integers(0, 200), st.integers(0, 2**32 - 1)), min_size=0, max_size=30)
oids = st.builds(lambda a, b, rest: ".".join(map(str, (a, b, *rest))), st.integers(0, 2), st.integers(0, 39), subids)
typed = st.one_of(
    st.tuples(st.just(t.INTEGER), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.sampled_from([t.COUNTER32, t.GAUGE32, t.TIMETICKS]), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(t.COUNTER64), st.integers(0, 2**64 - 1)),
    st.tuples(st.just(t.OCTET_STRING), st.binary(max_size=400)),
    st.tuples(st.just(t.OID), oids),
    st.tuples(st.just(t.IP_ADDRESS), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just(t.OPAQUE_FLOAT), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just(t.OPAQUE_DOUBLE), st.floats(allow_nan=False)),
    st.tuples(st.sampled_from(sorted(t.MISSING)), st.none()),
)


@pytest.mark.parametrize(
    ("tag", "value", "wire"),
    [
        (t.INTEGER, 0, "020100"),
        (t.INTEGER, 127, "02017f"),
        (t.INTEGER, 128, "02020080"),
        (t.INTEGER, -128, "020180"),
        (t.INTEGER, -129, "0202ff7f"),
        (t.GAUGE32, 2**32 - 1, "420500ffffffff"),
        (t.COUNTER64, 2**64 - 1, "460900ffffffffffffffff"),
        (t.OID, "1.3.6.1.4.1.2011", "06072b060104018f5b"),
        (t.OID, "2.999.3", "0603883703"),
        (t.OID, "1.3.4294967295", "06062b8fffffff7f"),
        (t.IP_ADDRESS, "10.0.0.255", "40040a0000ff"),
        (t.OPAQUE_FLOAT, 1.5, "44079f78043fc00000"),
        (t.NO_SUCH_INSTANCE, None, "8100"),
        (t.OCTET_STRING, b"x" * 200, "0481c8" + "78" * 200),
    ],
)
def test_known_encodings(tag: int, value: int | str | bytes | None, wire: str) -> None:
    assert ber.encode_value(tag, value).hex() == wire
    assert message.value_of(bytes.fromhex(wire)) == Value(tag, value)


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ("4204ffffffff", 2**32 - 1),  # agents that forget the leading zero of an unsigned value
        ("4109000000000000000005", 5),
        ("02820001" + "07", 7),  # a longer length than needed
        ("0208" + "ff" * 8, -1),
    ],
)
def test_what_real_agents_send_is_read(wire: str, value: int) -> None:
    assert message.value_of(bytes.fromhex(wire)).value == value


@pytest.mark.parametrize(
    "wire",
    [
        "0200",  # INTEGER of no bytes
        "4200",
        "42050100000000",  # 2**32 in a Gauge32
        "0209" + "01" * 9,
        "06022b80",  # OID that ends inside a sub-identifier
        "06042b808001",  # sub-identifier with leading zeros: two encodings of one OID
        "06072b9fffffff7f01",  # sub-identifier beyond 32 bits
        "0680",  # indefinite length
        "048500000000" + "01",
        "990101",  # unknown tag
    ],
)
def test_wrong_values_are_garbage(wire: str) -> None:
    with pytest.raises(SnmpGarbage):
        message.value_of(bytes.fromhex(wire))


@rule()
@given(typed)
def test_values_round_trip(pair: tuple[int, int | bytes | str | None]) -> None:
    tag, value = pair
    assert message.value_of(ber.encode_value(tag, value)) == Value(tag, value)


@rule()
@given(oids, oids)
def test_keys_sort_as_oids_do(one: str, two: str) -> None:
    def numbers(text: str) -> list[int]:
        return list(map(int, text.split(".")))

    assert ber.oid_text(ber.oid_content(one)) == one
    keys = ber.oid_key(ber.oid_content(one)), ber.oid_key(ber.oid_content(two))
    assert (keys[0] < keys[1]) == (numbers(one) < numbers(two))


def test_encoded_bytes_do_not_sort_which_is_why_there_are_keys() -> None:
    low, high = ber.oid_content("1.3.16383"), ber.oid_content("1.3.16384")
    assert low > high
    assert ber.oid_key(low) < ber.oid_key(high)


@pytest.mark.parametrize("text", ["", "1", "1.3.x", "3.1", "1.40", "1.3.4294967296", "1..3", "1.3.-1", "1.3." * 200])
def test_what_is_no_oid_is_refused(text: str) -> None:
    with pytest.raises(SnmpError):
        ber.oid_content(text)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(t.INTEGER, "1"), (t.COUNTER32, -1), (t.GAUGE32, 2**32), (t.IP_ADDRESS, "1.2.3.256"), (t.OID, "x"), (0x99, 1)],
)
def test_a_value_that_does_not_fit_its_tag_is_refused(tag: int, value: int | str) -> None:
    with pytest.raises(SnmpError):
        ber.encode_value(tag, value)


@rule()
@given(st.binary(max_size=120))
def test_random_bytes_raise_garbage_only(data: bytes) -> None:
    for parse in (
        message.value_of,
        message.parse_v2c,
        message.parse_v3,
        message.parse_scoped,
        lambda d: message.parse_varbinds(d, 0, len(d)),
        lambda d: message.parse_pdu(d, 0xA2, 0, len(d)),
        ber.oid_text,
        ber.tail_text,
        ber.oid_key,
    ):
        try:
            parse(data)
        except SnmpGarbage:
            continue


@rule(400)
@given(st.data())
def test_a_good_message_with_a_bad_byte_or_end_raises_garbage_only(data: st.DataObject) -> None:
    oid = ber.oid_content("1.3.6.1.2.1.2.2.1.2.1")
    varbinds = [ber.encode_varbind(oid, ber.encode_value(t.OCTET_STRING, b"x" * n)) for n in (0, 3, 200)]
    good = message.build_v2c(b"public", message.build_pdu(message.RESPONSE, 5 << 24, 0, 0, varbinds))
    broken = bytearray(good)
    at = data.draw(st.integers(0, len(good) - 1))
    broken[at] = data.draw(st.integers(0, 255))
    cut = bytes(broken[: data.draw(st.integers(0, len(good)))]) if data.draw(st.booleans()) else bytes(broken)
    try:
        parsed = message.parse_v2c(cut)
        pdu = message.parse_pdu(cut, parsed.tag, parsed.start, parsed.stop)
        for name, element in pdu.varbinds:
            ber.oid_text(name)
            message.value_of(element)
    except SnmpGarbage:
        return


@rule(600)
@given(st.data())
def test_an_answer_recognised_as_a_whole_is_what_it_is_step_by_step(data: st.DataObject) -> None:
    oid = ber.oid_content("1.3.6.1.2.1.2.2.1.2.1")
    sizes = data.draw(st.lists(st.sampled_from([0, 3, 90, 200, 3000]), max_size=3))
    varbinds = [ber.encode_varbind(oid, ber.encode_value(t.OCTET_STRING, b"x" * n)) for n in sizes]
    community = data.draw(st.sampled_from([b"public", b"", b"a.*", b"c" * 140]))
    ident = data.draw(st.sampled_from([0, 5 << 24, message.MAX_ID, -1]))
    status = data.draw(st.sampled_from([0, 2, 18, 300, -1]))
    tag = data.draw(st.sampled_from([message.RESPONSE, message.GET]))
    pdu = message.build_pdu(tag, ident, status, data.draw(st.sampled_from([0, 1, 127, 128])), varbinds)
    sent = bytearray(message.build_v2c(community, pdu))
    if data.draw(st.booleans()):
        sent[data.draw(st.integers(0, min(60, len(sent) - 1)))] = data.draw(st.integers(0, 255))
    told = bytes(sent)

    def slow() -> message.Pdu:
        parsed = message.parse_v2c(told)
        if (parsed.tag, parsed.version, parsed.community) != (message.RESPONSE, 1, community):
            raise SnmpGarbage("another")
        return message.parse_pdu(told, parsed.tag, parsed.start, parsed.stop)

    try:
        wanted = slow()
    except SnmpGarbage:
        with pytest.raises(SnmpGarbage):
            message.read_answer(told, community)
    else:
        assert message.read_answer(told, community) == wanted


@given(st.integers(message.MIN_ID, message.MAX_ID), st.integers(-1, 300), st.integers(-1, 300), st.integers(0, 60))
def test_a_pdu_is_the_same_bytes_however_long(ident: int, status: int, index: int, size: int) -> None:
    varbind = message.null_varbind(b"\x2b" * (size + 1))
    for varbinds in ([varbind], [varbind] * 3):
        numbers = b"".join(map(ber.encode_int, (ident, status, index)))
        wanted = ber.tlv(message.GETBULK, numbers + ber.tlv(t.SEQUENCE, b"".join(varbinds)))
        assert message.build_pdu(message.GETBULK, ident, status, index, varbinds) == wanted


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("交换机".encode(), "交换机"),
        ("交换机".encode("gb18030"), "交换机"),
        (b"\xff\xff", "ÿÿ"),
        (b"name\x00\x00", "name"),
        (b"", ""),
    ],
)
def test_text_is_utf8_then_gb18030_then_latin1(raw: bytes, text: str) -> None:
    assert Value(t.OCTET_STRING, raw).as_text() == text


def test_numbers_in_strings_and_hex() -> None:
    assert Value(t.OCTET_STRING, b" 42 ").as_int() == 42
    assert Value(t.OCTET_STRING, b"23.5").as_number() == 23.5
    assert Value(t.OCTET_STRING, b"23.5").as_int() is None
    assert Value(t.OCTET_STRING, b"nan").as_number() is None
    assert Value(t.OPAQUE_FLOAT, float("inf")).as_int() is None
    assert Value(t.OCTET_STRING, bytes.fromhex("001122aabbcc")).as_hex() == "00:11:22:aa:bb:cc"
    assert Value(t.NO_SUCH_OBJECT, None).missing
    assert Value(t.NO_SUCH_OBJECT, None).as_text() == ""
