"""Hosts for the SSH rows: a real sshd at many loopback addresses, the product's checks, and what a peer read, judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bench.measure import digest
from yunwei.inspect.collect.bundle import CHECKS
from yunwei.inspect.observation import Observation, Part, Target
from yunwei.inspect.vendor import CheckOutput, apply_ssh, shipped
from yunwei.lab.spec import addresses

FIRST = "127.46.0.1"
_FUNCTION = re.compile(r"^(check_([a-z0-9_]+)\(\) \{(?:[^\n]*\}|.*?^\}))$", re.MULTILINE | re.DOTALL)
_SERVICE = re.compile(r"^yw_service\(\) \{.*?^\}$", re.MULTILINE | re.DOTALL)
#: readings of a living machine that never stand still: that they were taken is compared, not what they were
LIVE = frozenset({"load", "memory", "swap", "cpu", "storage", "inode", "uptime", "clock", "percent", "log", "count"})


def hosts(count: int) -> list[str]:
    """So many addresses."""
    return addresses(FIRST, count)


def checks() -> dict[str, str]:
    """Each check of the bundle by itself, as one would write it into a task: name to shell text."""
    text = (CHECKS / "linux.sh").read_text("utf-8")
    head, service = text[: text.index("yw_service()")], _SERVICE.search(text)
    prelude = "\n".join(line for line in head.splitlines() if line and not line.startswith("#"))
    if service is None:
        raise ValueError("the bundle has no yw_service")
    out = {}
    for found in _FUNCTION.finditer(text):
        body, name = found.group(1), found.group(2)
        needed = f"{prelude}\n{service.group(0)}\n" if "yw_service" in body else f"{prelude}\n"
        out[name] = f"{needed}{body}\ncheck_{name} 2>/dev/null </dev/null\n"
    return out


def judged(observations: Iterable[Observation], parts: Iterable[Part]) -> str:
    """Count and digest of what was found at one host."""
    rows = [
        f"{o.component}|{o.kind}|{o.name}|{o.unit}" + ("" if o.kind in LIVE else f"|{o.value}|{o.raw}|{o.state}")
        for o in observations
    ]
    rows += [f"{p.component}|{p.kind}|{p.model}|{p.serial}|{p.firmware}|{p.size}|{p.present}" for p in parts]
    return digest(rows)


def read_by_peer(address: str, sections: Mapping[str, CheckOutput]) -> str:
    """What a peer's check outputs mean, judged by the product's own vendor file."""
    told: dict[str, Any] = dict(sections)
    clock = told.get("clock")
    if clock is not None:  # the collector's own addition, which no peer makes
        told["clock"] = CheckOutput(clock.rc, f"{clock.stdout}\noffset_s=0.0")
    reading = apply_ssh(shipped().for_ssh(), told, Target(address, "ssh", address), {})
    return judged(reading.observations, reading.parts)
