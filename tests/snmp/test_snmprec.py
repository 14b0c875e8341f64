"""Capture files: what is read, what is left out and said so, and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.snmp.helpers import rule
from yunwei.snmp import snmprec
from yunwei.snmp import values as t
from yunwei.snmp.agent import Agent, Table
from yunwei.snmp.errors import SnmpError
from yunwei.snmp.snmprec import Record
from yunwei.snmp.values import Value


def test_all_forms_of_a_line() -> None:
    text = (
        b"1.3.6.1.2.1.1.1.0|4|Huawei | S5720\r\n"
        b".1.3.6.1.2.1.1.2.0|6|.1.3.6.1.4.1.2011.2.23.291\n"
        b"\n# remark\n"
        b"1.3.6.1.2.1.1.3.0|67|71917850\n"
        b"1.3.6.1.2.1.2.2.1.6.2|4x|28298606A489\n"
        b"1.3.6.1.2.1.4.20.1.3.1|64|255.255.255.0\n"
        b"1.3.6.1.2.1.31.1.1.1.6.1|70|18446744073709551615\n"
        b"1.3.6.1.2.1.99.1|4x|0a0d\n"
        b"1.3.6.1.2.1.99.2|4|\n"
        b"1.3.6.1.2.1.99.3|2|-5\n"
        b"1.3.6.1.2.1.99.4|68x|9f78043fc00000\n"
        b"1.3.6.1.2.1.99.5|64x|0a000001"
    )
    capture = snmprec.read(text)
    assert capture.notes == []
    assert [record.value.value for record in capture.records] == [
        b"Huawei | S5720", "1.3.6.1.4.1.2011.2.23.291", 71917850, bytes.fromhex("28298606a489"), "255.255.255.0",
        2**64 - 1, b"\n\r", b"", -5, 1.5, "10.0.0.1",
    ]  # fmt: skip


def test_of_duplicates_the_first_wins() -> None:
    capture = snmprec.read(b"1.3.6.1|2|1\n.1.3.6.1|2|2\n")
    assert [record.value.value for record in capture.records] == [1]


@pytest.mark.parametrize(
    "line",
    [
        b"1.3.6.1|5x|00005e00",  # nothing, with a content
        b"1.3.6.1|129x|00",
        b"1.3.6.1|2:numeric|rate=3",
        b"1.3.6.1|4",
        b"no oid|4|x",
        b"1.3.6.1|4x|0g",
        b"1.3.6.1|4x|0",
        b"1.3.6.1|2|",
        b"1.3.6.1|2|1.5",
        b"1.3.6.1|66|-1",
        b"1.3.6.1|65|4294967296",
        b"1.3.6.1|2|" + b"9" * 5000,
        b"1.3.6.1|64|1.2.3",
        b"1.3.6.1|6|x",
        b"1.3.6.1|99|x",
        b"1.3.6.1||x",
        b"1.3.6.1|2x|",
        b"1.3.6.1|4e|\\x41",
        b"a value that went on in the next line",
    ],
)
def test_a_line_that_cannot_be_read_is_left_out_and_named(line: bytes) -> None:
    capture = snmprec.read(b"1.3.6.1.9|2|1\n" + line + b"\n")
    assert [record.oid for record in capture.records] == ["1.3.6.1.9"]
    assert capture.skipped == 1
    assert "第 2 行" in capture.notes[0]


def test_bounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert len(snmprec.read(b"x\n" * 1000).notes) == snmprec.MAX_NOTES
    monkeypatch.setattr(snmprec, "MAX_RECORDS", 3)
    with pytest.raises(SnmpError):
        snmprec.read(b"".join(b"1.3.6.%d|2|1\n" % n for n in range(5)))
    monkeypatch.setattr(snmprec, "MAX_BYTES", 10)
    (tmp_path / "big.snmprec").write_bytes(b"1.3.6.1|2|1\n")
    for path in (tmp_path / "big.snmprec", tmp_path / "none.snmprec", tmp_path):
        with pytest.raises(SnmpError):
            snmprec.read_file(path)


values = st.one_of(
    st.builds(Value, st.just(t.INTEGER), st.integers(-(2**31), 2**31 - 1)),
    st.builds(Value, st.just(t.COUNTER64), st.integers(0, 2**64 - 1)),
    st.builds(Value, st.just(t.OCTET_STRING), st.binary(max_size=40)),
    st.builds(Value, st.just(t.OCTET_STRING), st.text("交换机 aZ~|é\n", max_size=20).map(str.encode)),
    st.builds(Value, st.just(t.OID), st.sampled_from(["1.3.6.1.4.1.2011", "0.0"])),
    st.builds(Value, st.just(t.IP_ADDRESS), st.sampled_from(["10.0.0.1", b"\x01\x02"])),
    st.builds(Value, st.just(t.OPAQUE_FLOAT), st.floats(width=32, allow_nan=False)),
    st.builds(Value, st.just(t.NO_SUCH_INSTANCE), st.none()),
)


lines_like = st.builds(
    lambda *parts: b"|".join(parts),
    st.sampled_from([b"1.3.6.1", b".1.3.6.2", b"1.3.4294967296", b"9.9"]),
    st.sampled_from([b"2", b"2x", b"4", b"4x", b"5", b"6", b"6x", b"64", b"64x", b"65", b"68x", b"70", b"130", b"x"]),
    st.one_of(st.sampled_from([b"1", b"ff", b"1.2.3.4", b"9f78043fc00000", b"-1", b"80"]), st.binary(max_size=9)),
)


@rule()
@given(st.dictionaries(st.integers(0, 2**32 - 1).map(lambda n: f"1.3.6.1.{n}"), values, max_size=20))
def test_what_a_client_read_is_written_and_read_back(rows: dict[str, Value]) -> None:
    records = [snmprec.record_of(oid, value) for oid, value in rows.items()]
    capture = snmprec.read(snmprec.write(records))
    assert capture.notes == []
    assert {record.oid: record.value for record in capture.records} == rows
    assert [record.oid for record in capture.records] == sorted(rows, key=lambda oid: int(oid.rsplit(".", 1)[1]))
    assert len(Agent(Table.build(capture.records)).table) == len(rows)


@rule(120)
@given(st.lists(st.one_of(st.binary(max_size=40), lines_like), max_size=12))
def test_random_lines_raise_nothing(lines: list[bytes]) -> None:
    capture = snmprec.read(b"\n".join(lines))
    assert all(isinstance(record, Record) and record.value for record in capture.records)
    again = snmprec.read(snmprec.write(capture.records))
    assert again.notes == []
    assert sorted(again.records) == sorted(capture.records)


tags = st.sampled_from([2, 4, 5, 6, 64, 65, 66, 67, 68, 70, 128, 129, 130])


@rule(2000)
@given(st.tuples(tags, st.integers(0, 12).flatmap(lambda n: st.binary(min_size=n, max_size=n))))
@example((2, bytes.fromhex("00005e005308")))  # found by fuzzing: a number with zeros before it
@example((65, bytes.fromhex("0000000001")))
@example((6, b""))
@example((2, b"\xff\xff"))
def test_what_could_be_read_is_written_so_that_the_very_bytes_come_back(element: tuple[int, bytes]) -> None:
    tag, content = element
    read = snmprec.read(f"1.3.6.1.9|{tag}x|{content.hex()}".encode())
    again = snmprec.read(snmprec.write(read.records))
    assert (again.records, again.notes) == (read.records, [])
