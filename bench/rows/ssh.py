"""Checks of Linux hosts by SSH: the product's one exec for each host against ansible-core."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench import env
from bench.hosts import checks, hosts, judged, read_by_peer
from bench.measure import Sample, Side, alternate
from bench.model import Claim, Row, RowFunction, at_least
from bench.peer import Peer
from bench.product import NAME, Product
from bench.shares import bound_ssh
from yunwei.inspect.collect.bundle import bundle, parse
from yunwei.inspect.observation import Target
from yunwei.inspect.vendor import CheckOutput
from yunwei.lab.real import Sshd

PLAYBOOK, RAW = "ansible-core playbook", "ansible-core ad-hoc raw"
ANSIBLE = (
    "ansible: pipelining, persistent connections (their processes counted), up to 16 forks, no facts gathered; one"
    " shell task for each check, or the product's own bundle as one raw command; it judges nothing"
)


def _ours(product: Product, targets: Sequence[Target]) -> Sample:
    sample, devices = product.look(targets)
    return replace(sample, results={device.asset: judged(device.observations, device.parts) for device in devices})


def _playbook(peer: Peer, asked: Mapping[str, Any]) -> Sample:
    """One task for each check."""
    done = peer.run({**asked, "checks": checks()})
    sections: dict[str, dict[str, CheckOutput]] = {}
    for line in done.given:
        sections.setdefault(line["host"], {})[line["task"]] = CheckOutput(line["rc"], line["stdout"].strip("\r\n"))
    results = {address: read_by_peer(address, told) for address, told in sections.items()}
    return Sample(len(asked["hosts"]), done.cpu_s, done.wall_s, results)


def _raw(peer: Peer, asked: Mapping[str, Any]) -> Sample:
    """The product's own bundle as one raw command."""
    script = bundle("linux")
    done = peer.run({**asked, "bundle": script.script.decode()})
    results = {}
    for line in done.given:
        sections, partial = parse(line["stdout"].encode(), script)
        results[line["host"]] = f"partial {partial}" if partial else read_by_peer(line["host"], sections)
    return Sample(len(asked["hosts"]), done.cpu_s, done.wall_s, results)


def cpu(quick: bool) -> Row:
    """SSH, 20 checks and the one that must fail, CPU per host"""
    ours, book, raw, times = (12, 1, 8, 1) if quick else (48, 12, 48, 5)
    env.program("ssh", "openssh-client")
    env.program("sshd", "openssh-server")
    with Sshd() as host, Product() as product, Peer("ansible_checks") as peer:
        places = hosts(ours)
        endpoints = [{"address": place, "port": host.port, "protocol": "ssh"} for place in places]
        targets = product.targets(endpoints, host.credential())
        asked = {
            "port": host.port, "user": host.user, "private_key": host.private_key,
            "python": sys.executable,
        }  # fmt: skip
        sides = [
            Side(NAME, lambda: _ours(product, targets)),
            Side(PLAYBOOK, lambda: _playbook(peer, {**asked, "hosts": places[:book]})),
            Side(RAW, lambda: _raw(peer, {**asked, "hosts": places[:raw]})),
        ]
        measured = alternate(sides, times)
        what = "" if measured.void else bound_ssh(endpoints, host.credential())
    values = [measured.ratio(name, NAME, lambda sample: sample.cpu) for name in (PLAYBOOK, RAW)]
    return Row(
        claims=(
            Claim("CPU per host, theirs / ours", at_least(20), values[0], PLAYBOOK),
            Claim("CPU per host, theirs / ours", at_least(4), values[1], RAW),
        ),
        figures=measured.figures("CPU per host", lambda sample: sample.cpu, "ms", 1000.0)
        + measured.figures("hosts per second", lambda sample: sample.rate, "/s"),
        equal=measured.equal, void=measured.void, bound=what,
        notes=(
            "ours: the collector as shipped, one exec that carries all checks; the host's own work is on nobody's account",
            ANSIBLE,
            "that live readings (load, memory, …) were taken is compared, not what they were",
        ),
    )  # fmt: skip


ROWS: dict[str, RowFunction] = {"ssh-ansible": cpu}
