"""The bundle of host checks: one text for `sh -s`, and the reading of what it printed.

The same bundle runs over SSH and on the collector's own machine. Every check has its return code, `control` must
fail on every host: a bundle whose control did not fail proves nothing about the rest (law 1).
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from yunwei.inspect.vendor.reading import CheckOutput

CHECKS = Path(__file__).parent / "checks"
#: bytes of output that one host may give; a healthy host gives under 10 KiB
MAX_OUTPUT = 1 << 20
#: the check that must fail
CONTROL = "control"


class Bundle(NamedTuple):
    """A text to run, the nonce of its markers and the names of its checks in order."""

    script: bytes
    mark: str
    checks: tuple[str, ...]


@lru_cache(maxsize=8)
def _text(name: str) -> tuple[str, tuple[str, ...]]:
    text = (CHECKS / f"{name}.sh").read_text("utf-8")
    found = re.search(r"^for yw_check in ((?:[a-z0-9_]+|\s|\\\n)+); do", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{name}.sh has no list of checks")
    return text, tuple(found.group(1).replace("\\", " ").split())


def bundle(name: str = "linux") -> Bundle:
    """The bundle of one kind of host under a fresh nonce, so that no output can imitate a marker."""
    text, checks = _text(name)
    mark = secrets.token_hex(12)
    return Bundle(f"YW_MARK={mark}\n{text}".encode(), mark, checks)


def parse(output: bytes, asked: Bundle) -> tuple[dict[str, CheckOutput], list[str]]:
    """The sections by name, and the names of checks that are missing, unended or not text (the partial ones).

    Output that is not UTF-8 is read as GB 18030 (hosts with a Chinese locale in their profile), else the section
    is partial. Text outside of sections (login banners, profile scripts) is left out.
    """
    sections: dict[str, CheckOutput] = {}
    partial: list[str] = []
    marker = re.compile(
        rb"^@@" + asked.mark.encode() + rb" (begin|end|done)(?: ([a-z0-9_]+))?(?: (\d+))?\r?$", re.MULTILINE
    )
    current, start, done = "", 0, False
    for found in marker.finditer(output):
        word, name = found.group(1), (found.group(2) or b"").decode()
        if word == b"begin":
            current, start = name, found.end()
        elif word == b"end" and name == current:
            text = _decode(output[start : found.start()])
            if text is None:
                partial.append(name)
            else:
                sections[name] = CheckOutput(int(found.group(3) or 0), text.strip("\r\n"))
            current = ""
        elif word == b"done":
            done = True
    partial += [name for name in asked.checks if name not in sections and name not in partial]
    if not done and not partial:
        partial.append("end")
    return sections, partial


def _decode(raw: bytes) -> str | None:
    for encoding in ("utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\x00" in text else text
    return None


def control_failed(sections: dict[str, CheckOutput]) -> bool:
    """Whether the check that must fail did fail: only then do the other checks prove anything."""
    control = sections.get(CONTROL)
    return control is not None and control.rc != 0
