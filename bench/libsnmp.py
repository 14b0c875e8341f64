"""A C loop over libsnmp's asynchronous calls as a peer, compiled here (`peers/libsnmp_poll.c`)."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench import env
from bench.measure import Sample
from bench.model import MissingPeer
from bench.switches import read_by_peer

SOURCE = Path(__file__).resolve().parent / "peers" / "libsnmp_poll.c"
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")
STRINGS = frozenset({4, 0x44})


@cache
def binary() -> Path:
    """The compiled loop. Raises MissingPeer with the compiler's words."""
    env.header("net-snmp/net-snmp-config.h", "libsnmp-dev")
    built = env.FOLDER / "libsnmp_poll"
    built.parent.mkdir(exist_ok=True)
    command = [env.program("gcc", "gcc"), *FLAGS, "-o", str(built), str(SOURCE.relative_to(env.ROOT)), "-lnetsnmp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=env.ROOT)
    if done.returncode:
        raise MissingPeer(f"the C loop does not compile: {done.stderr.strip()[:300]}")
    return built


def poll(devices: Sequence[tuple[str, int]], plan: Mapping[str, Any], *, at_once: int = 64) -> Sample:
    """One run over all devices; CPU and wall are what the loop itself measured around the polling. Raises RuntimeError."""
    lines = [f"community {plan['community']}", f"repetitions {plan['max_repetitions']}", f"at-once {at_once}"]
    lines += [f"scalars {' '.join(plan['scalars'])}", *(f"group {' '.join(group)}" for group in plan["groups"])]
    lines += [f"device {address} {port}" for address, port in devices]
    done = subprocess.run([str(binary())], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the C loop: {done.stderr.strip()[:200] or done.returncode}")
    cost, *rest = done.stdout.splitlines()
    _word, cpu_s, wall_s = cost.split()
    return Sample(len(devices), float(cpu_s), float(wall_s), _results(rest))


def _results(lines: Sequence[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    address, raw = "", dict[str, tuple[int, Any]]()
    for line in (*lines, "device "):
        head, _space, rest = line.partition(" ")
        if head == "device":
            if address:
                out[address] = read_by_peer(address, raw)
            address, raw = rest, {}
            continue
        tag, _space, value = rest.partition(" ")
        raw[head] = (int(tag), _value(int(tag), value))
    return out


def _value(tag: int, word: str) -> Any:
    if tag in STRINGS:
        return bytes.fromhex(word)
    return word if tag == 6 else int(word)
