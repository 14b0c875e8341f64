"""net-snmp's command line as a peer: one `snmpbulkwalk` process for each switch."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from bench import env
from bench.measure import Sample
from bench.switches import SUBTREE, read_by_peer
from yunwei.lab.spec import User

TAGS = {
    "INTEGER": 2, "Counter32": 0x41, "Gauge32": 0x42, "Timeticks": 0x43, "Counter64": 0x46, "Hex-STRING": 4, "OID": 6,
    "IpAddress": 0x40,
}  # fmt: skip
_LINE = re.compile(r"^\.([\d.]+) = (?:([A-Za-z0-9-]+): ?)?(.*)$")


def v2c(community: str) -> list[str]:
    """Options of net-snmp's tools for a community."""
    return ["-v2c", "-c", community]


def v3(user: User) -> list[str]:
    """Options of net-snmp's tools for a user with authentication and privacy."""
    return [
        "-v3", "-l", "authPriv", "-u", user.user, "-a", user.auth_proto, "-A", user.auth_password,
        "-x", user.priv_proto, "-X", user.priv_password,
    ]  # fmt: skip


def walk(devices: Sequence[tuple[str, int]], login: Sequence[str], repetitions: int) -> Sample:
    """Walk the subtree of every device. CPU is that of the processes alone: whoever starts and reads them pays nothing.

    No MIB is loaded and no configuration read, so nothing is slower than it has to be. Raises RuntimeError when one fails.
    """
    tool = env.program("snmpbulkwalk", "snmp")
    with tempfile.TemporaryDirectory(prefix="yunwei-bench-") as empty:
        # no MIB, numeric, strings in hex: what is printed is what was read
        command = [tool, "-m", "", "-On", "-Oe", "-Ot", "-Ox", "-t", "5", "-r", "2", f"-Cr{repetitions}", *login]
        environment = {**os.environ, "MIBS": "", "SNMPCONFPATH": empty, "SNMP_PERSISTENT_DIR": empty}
        told: dict[str, bytes] = {}
        before, start = _children(), time.perf_counter()
        for address, port in devices:
            done = subprocess.run(
                [*command, f"{address}:{port}", SUBTREE], env=environment, capture_output=True, check=False
            )
            if done.returncode:
                raise RuntimeError(f"snmpbulkwalk: {done.stderr.decode(errors='replace').strip()[:200]}")
            told[address] = done.stdout
        wall, cpu = time.perf_counter() - start, _children() - before
    results = {address: read_by_peer(address, values(text.decode("ascii"))) for address, text in told.items()}
    return Sample(len(devices), cpu, wall, results)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def values(text: str) -> dict[str, tuple[int, Any]]:
    """What the tool printed, as OID to tag and value. Long strings are wrapped over lines."""
    out: dict[str, tuple[int, Any]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(".") or not lines:
            lines.append(line)
        else:
            lines[-1] += " " + line
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            continue
        oid, kind, word = found.group(1), found.group(2) or "", found.group(3).strip()
        if not kind and word == '""':
            out[oid] = (4, b"")
        elif not kind and word.isdigit():  # -Ot prints ticks without their name
            out[oid] = (0x43, int(word))
        elif kind in TAGS:
            out[oid] = (TAGS[kind], _value(TAGS[kind], word))
    return out


def _value(tag: int, word: str) -> Any:
    if tag == 4:
        return bytes.fromhex(word)
    return word.lstrip(".") if tag in (6, 0x40) else int(word)
