"""Ways to spoil a sample: bytes, texts, JSON, zips, BER."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from collections.abc import Sequence
from typing import Any

JSON = Any
NUMBERS = (0, 1, 0x7F, 0x80, 0x81, 0x84, 0x88, 0xFE, 0xFF)
STRANGE: tuple[JSON, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 2**31, 2**53, 2**63, -(2**63), 10**18, "", " ", "0", "OK", "\u0000", "\ud800",
    "²", "١", "𝟘", "\u202e", "NaN", "x" * 5000, "9" * 400, [], {}, [[]], [{}], [None] * 50, {"": ""}, {"@odata.id": 7},
    {"@odata.id": "//["}, {"@odata.id": "/redfish/v1"}, {"@odata.id": "/redfish/v1/../x"}, {"Members": [1, None, {"@odata.id": ""}]},
)  # fmt: skip
WORDS = ("", "\x00", "\ufeff", "\u3000", "\t", "\r\n", "\u2028", "第", "条", "章", "、", "（", "）", "1.1.1.1.1", "９", "元", "%",
         "甲方：", "乙方：", "  ", "____", "大写", "壹佰万", "2026年13月45日", "，", "=1+1", "@", "'", '"', '""', "|", "#", "1" * 300, "千" * 60)  # fmt: skip


def data(dice: random.Random, sample: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Some bytes changed, put in, taken out, doubled, cut, or taken from another sample."""
    out = bytearray(sample)
    for _n in range(1 + min(int(dice.expovariate(0.5)), 20)):
        at = dice.randrange(len(out) + 1) if out else 0
        size = min(dice.choice((1, 1, 1, 2, 4, 8, 30)), max(1, len(out) - at))
        match dice.randrange(9):
            case 0 if at < len(out):
                out[at] ^= 1 << dice.randrange(8)
            case 1 if at < len(out):
                out[at] = dice.choice(NUMBERS)
            case 2:
                out[at:at] = dice.randbytes(size)
            case 3:
                del out[at : at + size]
            case 4:
                out[at:at] = out[at : at + size] * dice.choice((1, 2, 40))
            case 5:
                out[at : at + size] = dice.randbytes(size)
            case 6 if dice.random() < 0.3:
                del out[at:]
            case 7 if others:
                other = dice.choice(others)
                begin = dice.randrange(len(other) + 1)
                out[at : at + size] = other[begin : begin + dice.choice((1, 8, 200))]
            case _ if at < len(out):
                out[at] = dice.randrange(256)
    return bytes(out)


def text(dice: random.Random, sample: str, words: Sequence[str] = WORDS) -> str:
    """Words put in and lines moved, doubled or taken out."""
    lines = sample.split("\n")
    for _n in range(1 + int(dice.expovariate(0.3))):
        at = dice.randrange(len(lines)) if lines else 0
        match dice.randrange(6):
            case 0 if lines:
                place = dice.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:place] + dice.choice(words) * dice.choice((1, 1, 3, 200)) + lines[at][place:]
            case 1 if lines:
                lines.insert(dice.randrange(len(lines)), lines[at])
            case 2 if len(lines) > 1:
                del lines[at]
            case 3:
                lines.insert(at, dice.choice(words) * dice.choice((1, 2, 500)))
            case 4 if lines:
                lines[at] = lines[at][: dice.randrange(len(lines[at]) + 1)]
            case _ if lines:
                lines[at] = lines[at] * dice.choice((2, 3, 60))
    return "\n".join(lines)


def tree(dice: random.Random, value: JSON, share: float) -> JSON:
    """A copy of JSON with some values of another type, doubled, renamed or taken out."""
    if dice.random() < share:
        return copy.deepcopy(dice.choice(STRANGE))
    if isinstance(value, dict):
        out = {}
        for key, inner in value.items():
            if dice.random() < share / 3:
                continue
            name = (
                dice.choice(("", "@odata.id", "Members", key + "x", key.upper())) if dice.random() < share / 3 else key
            )
            out[name] = tree(dice, inner, share)
        return out
    if isinstance(value, list):
        found = [tree(dice, inner, share) for inner in value]
        return found * dice.choice((0, 2, 30)) if dice.random() < share / 3 else found
    return value


def deep(dice: random.Random) -> bytes:
    """JSON nested further than any reader likes."""
    depth = dice.choice((50, 900, 1100, 20_000, 200_000))
    opening, closing = dice.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"Members":', b"}]"), (b"[", b"")))
    return opening * depth + b"1" + closing * depth


def dumped(dice: random.Random, value: JSON) -> bytes:
    """JSON as a stranger's program might write it."""
    try:
        out = json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, TypeError):
        out = b"{}"
    match dice.randrange(12):
        case 0:
            return data(dice, out)
        case 1:
            return out.replace(b": 1", b": " + b"9" * dice.choice((20, 5000)))
        case 2:
            return b"\xef\xbb\xbf" + out
        case 3:
            return out.replace(b"null", dice.choice((b"NaN", b"Infinity", b"-Infinity", b"1e999")))
    return out


def members(archive: bytes) -> dict[str, bytes]:
    """The files of a zip."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {info.filename: file.read(info) for info in file.infolist()}


def zipped(dice: random.Random, files: dict[str, bytes]) -> bytes:
    """A zip of these files; now and then with a file twice, a bomb in it, or an odd name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as file:
        for name, content in files.items():
            file.writestr(name, content)
        match dice.randrange(40):
            case 0:
                file.writestr("bomb.xml", b"0" * (8 << 20), zipfile.ZIP_DEFLATED)
            case 1:
                file.writestr(dice.choice(("../../etc/passwd", "/x", "a" * 3000, "\u202e.xml", "")) or "x", b"x")
    return out.getvalue()


# --- BER: the tree of an element, spoilt, and written again with lengths that fit or do not


def elements(content: bytes) -> list[tuple[int, bytes]] | None:
    """The elements that a content consists of; None when it is no sequence of elements."""
    out, at = [], 0
    while at < len(content):
        if at + 2 > len(content):
            return None
        tag, length = content[at], content[at + 1]
        at += 2
        if length >= 0x80:
            size = length & 0x7F
            if not 1 <= size <= 4 or at + size > len(content):
                return None
            length = int.from_bytes(content[at : at + size], "big")
            at += size
        if at + length > len(content):
            return None
        out.append((tag, content[at : at + length]))
        at += length
    return out or None


#: how deep elements in elements are looked into: one that was spoilt before may hold three thousand
DEEPEST = 50


def ber(dice: random.Random, sample: bytes, rate: float = 0.12, deep: int = 0) -> bytes:
    """A message with some of its elements of another tag, length, content or number; lengths around them still fit."""
    parts = elements(sample) if deep < DEEPEST else None
    if parts is None:
        return data(dice, sample)
    out = []
    for tag, content in parts:
        if tag & 0x20 or (tag == 0x04 and dice.random() < 0.3 and elements(content)):
            inner = ber(dice, content, rate, deep + 1) if dice.random() > rate / 2 else content
        else:
            inner = _leaf(dice, content) if dice.random() < rate else content
        out += _element(dice, tag, inner, rate)
    return b"".join(out)


def _element(dice: random.Random, tag: int, content: bytes, rate: float) -> list[bytes]:  # noqa: PLR0911 - one return a way
    if dice.random() > rate:
        return [written(tag, content)]
    match dice.randrange(8):
        case 0:
            return []
        case 1:
            return [written(tag, content)] * dice.choice((2, 3, 100))
        case 2:
            tag = dice.choice(
                (0x02, 0x04, 0x05, 0x06, 0x30, 0x40, 0x41, 0x42, 0x43, 0x44, 0x46, 0x80, 0x81, 0x82, 0xA2, 0xA8, 0xFF)
            )
            return [written(tag, content)]
        case 3:  # a length longer than needed
            size = dice.choice((2, 3, 4, 5, 126))
            content = content[:65535]
            return [bytes((tag, 0x80 | size)) + len(content).to_bytes(size, "big") + content]
        case 4:  # a length that lies
            return [bytes((tag, dice.randrange(256))) + content]
        case 5:  # elements in elements
            for _n in range(dice.choice((2, 100, 3000))):
                content = written(0x30, content)
            return [content]
        case 6:
            return [bytes((tag, 0x80)) + content + b"\0\0"]
    return [written(tag, content[: dice.randrange(len(content) + 1)])]


def written(tag: int, content: bytes) -> bytes:
    """An element with the shortest length."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(content).to_bytes(size, "big") + content


def _leaf(dice: random.Random, content: bytes) -> bytes:
    match dice.randrange(6):
        case 0:
            return b""
        case 1:
            return dice.choice((b"\xff", b"\x80", b"\x00", b"\x7f")) * dice.choice((1, 4, 8, 9, 130, 700))
        case 2:
            return content + b"\x80" * dice.choice((1, 5, 200))
        case 3:
            return content[:-1] + bytes([dice.randrange(256)])
        case 4:
            return dice.randbytes(dice.choice((1, 2, 8, 40)))
    return data(dice, content)
