"""The encrypted file: what was changed, moved, left out, added or cut off does not open, and says so."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies

from yunwei.gm import sm2
from yunwei.server.keep import parcel, sealed
from yunwei.server.keep.errors import KeepError
from yunwei.server.keep.parcel import Packer, Parcel
from yunwei.server.keep.sealed import Locks, Opener, Reader, Writer

PHRASE = "sixteen characters and more"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "ITERATIONS", 1000)
    monkeypatch.setattr(sealed, "CHUNK", 100)


def written(data: bytes, locks: Locks | None = None, step: int = 37) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, locks or Locks(PHRASE))
    for at in range(0, len(data), step):
        writer.write(data[at : at + step])
    writer.finish()
    return file.getvalue()


def opened(data: bytes, opener: Opener | None = None) -> bytes:
    return io.BufferedReader(Reader(io.BytesIO(data), opener or Opener(PHRASE), "b.ywb")).read()


def chunks(data: bytes) -> tuple[bytes, list[bytes]]:
    """What stands before the chunks, and the chunks with their lengths."""
    at = len(sealed.MAGIC)
    at += 4 + struct.unpack(">I", data[at : at + 4])[0]
    head, found = data[:at], []
    while at < len(data):
        end = at + 4 + struct.unpack(">I", data[at : at + 4])[0]
        found.append(data[at:end])
        at = end
    return head, found


@settings(max_examples=30, database=None)
@given(strategies.integers(0, 450), strategies.integers(1, 200))
def test_what_was_written_is_read(size, step):
    data = bytes(i * 131 % 251 for i in range(size))
    assert opened(written(data, step=step)) == data


def test_nothing_of_the_content_or_the_phrase_is_seen():
    data = b"the signing key of the instance" * 20
    file = written(data)
    assert b"signing key" not in file
    assert PHRASE.encode() not in file
    assert written(data) != file


def test_any_changed_byte_is_found():
    whole = written(bytes(350))
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << (at % 8)
        with pytest.raises(KeepError):
            opened(bytes(changed))


def test_any_cut_is_found():
    whole = written(bytes(350))
    for size in range(len(whole)):
        with pytest.raises(KeepError):
            opened(whole[:size])


@pytest.mark.parametrize(
    "order",
    [[1, 0, 2, 3], [0, 2, 3], [0, 1, 2], [0, 1, 1, 2, 3], [0, 1, 2, 3, 3], [3], [0, 3], []],
)
def test_moved_missing_or_added_chunks_are_found(order):
    head, found = chunks(written(bytes(350)))
    assert len(found) == 4
    with pytest.raises(KeepError):
        opened(head + b"".join(found[i] for i in order))


def test_a_chunk_of_another_file_is_found():
    one, two = written(bytes(350)), written(bytes(350))
    head, found = chunks(one)
    with pytest.raises(KeepError):
        opened(head + found[0] + chunks(two)[1][1] + b"".join(found[2:]))


def test_either_the_phrase_or_a_recipients_key_opens():
    key, other = sm2.generate(), sm2.generate()
    both = written(b"x" * 300, Locks(PHRASE, [key.public, other.public]))
    for opener in (Opener(PHRASE), Opener(key=key), Opener(key=other)):
        assert opened(both, opener) == b"x" * 300
    alone = written(b"x", Locks(recipients=[key.public]))
    for opener in (Opener(PHRASE), Opener(key=other), Opener()):
        with pytest.raises(KeepError, match="打不开备份"):
            opened(alone, opener)
    with pytest.raises(KeepError, match="打不开备份"):
        opened(both, Opener("another phrase of sixteen"))
    with pytest.raises(KeepError, match="必须加密"):
        written(b"x", Locks())


def test_a_header_that_would_keep_the_reader_busy_is_refused():
    slot = {"by": "passphrase", "salt": "00", "iterations": 10**12, "key": "00"}
    header = json.dumps({"v": 1, "cipher": "SM4-GCM", "slots": [slot]}).encode()
    with pytest.raises(KeepError, match="不可信"):
        opened(sealed.MAGIC + struct.pack(">I", len(header)) + header)
    with pytest.raises(KeepError, match="截断"):
        opened(sealed.MAGIC + struct.pack(">I", 1 << 31) + bytes(100))
    with pytest.raises(KeepError, match="不是云维的备份"):
        opened(b"PK\3\4" + bytes(100))


def test_a_phrase_that_others_read_or_that_is_short_is_refused(tmp_path):
    path = tmp_path / "phrase"
    path.write_text(PHRASE)
    path.chmod(0o644)
    with pytest.raises(KeepError, match="chmod 600"):
        sealed.passphrase_of(path)
    path.chmod(0o600)
    assert sealed.passphrase_of(path) == PHRASE
    path.write_text("short\n" + PHRASE)
    with pytest.raises(KeepError, match="太短"):
        sealed.passphrase_of(path)
    with pytest.raises(KeepError, match="读不到"):
        sealed.passphrase_of(tmp_path / "nowhere")


# --- the files in it ----------------------------------------------------------------------------------------------------
def packed(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    packer = Packer(out, Locks(PHRASE))
    for name, content in files:
        packer.add(name, io.BytesIO(content))
    packer.close()
    return out.getvalue()


def taken(data: bytes) -> dict[str, bytes]:
    return {item.name: b"".join(pieces) for item, pieces in Parcel(io.BytesIO(data), Opener(PHRASE), "b.ywb")}


def test_files_come_out_as_they_went_in(monkeypatch):
    monkeypatch.setattr(parcel, "PIECE", 64)
    files = {"manifest.json": b"{}", "leer": b"", "data/证据": bytes(range(256)) * 3, "x" * 200: b"\0" * 64}
    assert taken(packed(*files.items())) == files


def test_what_was_not_read_is_passed_over():
    names = [
        item.name for item, _pieces in Parcel(io.BytesIO(packed(("a", b"1" * 500), ("b", b"2"))), Opener(PHRASE), "b")
    ]
    assert names == ["a", "b"]


def test_a_parcel_that_was_not_closed_does_not_open():
    out = io.BytesIO()
    packer = Packer(out, Locks(PHRASE))
    packer.add("a", io.BytesIO(b"1" * 500))
    with pytest.raises(KeepError):
        taken(out.getvalue())
    packer._out.close()  # the packed bytes are whole, the list of files is not
    packer._sealed.finish()
    with pytest.raises(KeepError, match="不完整"):
        taken(out.getvalue())


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "."])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path):
    with pytest.raises(KeepError, match="文件名不可用"):
        taken(packed((name, b"1")))
