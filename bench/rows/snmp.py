"""SNMP poll of a switch with 65 ports: the product's sweep against pysnmp, net-snmp's command line and libsnmp in C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench import libsnmp as libsnmp_loop
from bench import netsnmp
from bench.measure import Sample, Side, alternate
from bench.model import Claim, Must, Row, RowFunction, at_least, at_most
from bench.peer import Peer
from bench.product import NAME, Product
from bench.shares import bound
from bench.switches import Switches, read_by_peer, switches
from yunwei.lab.spec import DeviceSpec

OURS = "the collector as shipped: job file in, polled, judged by the vendor file, result file signed"
POLL = f"{NAME}, poll alone"
ALONE = "the collector's own poll with its client and vendor file, up to judging: what the peers do, in a process of its own"

PYSNMP = "pysnmp: its v1arch interface without MIB lookup, the same multi-column GETBULKs, raw values only (it judges nothing)"


def _devices(farm: Switches, count: int) -> list[tuple[str, int]]:
    return [(endpoint["address"], endpoint["port"]) for endpoint in farm.endpoints[:count]]


def _values(given: dict[str, dict[str, list[Any]]]) -> dict[str, str]:
    """What a peer's JSON means, by switch."""
    out = {}
    for address, found in given.items():
        raw = {o: (tag, bytes.fromhex(value) if tag in (4, 0x44) else value) for o, (tag, value) in found.items()}
        out[address] = read_by_peer(address, raw)
    return out


def _row(
    farm: Switches, peer: Side, theirs: int, credential: dict[str, str], *, times: int, must: Must, notes: Sequence[str]
) -> Row:
    """The product's poll and its whole look, each against the peer's poll of the first `theirs`: CPU for each switch."""
    devices = _devices(farm, len(farm.endpoints))
    with Product() as product, Peer("poll", ours=True) as alone:
        targets = product.targets(farm.endpoints, credential)

        def poll() -> Sample:
            done = alone.run({"devices": devices, "keep": theirs, "credential": credential})
            return Sample(len(devices), done.cpu_s, done.wall_s, done.given)

        measured = alternate([Side(NAME, lambda: product.look(targets)[0]), Side(POLL, poll), peer], times)
    cpu: Callable[[Sample], float] = lambda sample: sample.cpu  # noqa: E731
    more = must.relation == "≥"

    def claim(what: str, ours: str) -> Claim:
        over, under, order = (peer.name, ours, "theirs / ours") if more else (ours, peer.name, "ours / theirs")
        return Claim(f"CPU per switch, {what}, {order}", must, measured.ratio(over, under, cpu), peer.name)

    return Row(
        claims=(claim("poll against poll", POLL), claim("poll, judgement and signed file against poll", NAME)),
        figures=measured.figures("CPU per switch", cpu, "ms", 1000.0)
        + measured.figures("switches per second", lambda sample: sample.rate, "/s"),
        equal=measured.equal, void=measured.void, bound=bound(farm.endpoints, credential),
        notes=(f"{NAME}: {OURS}", f"{POLL}: {ALONE}", *notes),
    )  # fmt: skip


def pysnmp(quick: bool) -> Row:
    """SNMP v2c poll of a 65-port switch, CPU per device"""
    ours, theirs, times = (100, 5, 3) if quick else (1000, 30, 7)
    with switches(ours) as farm, Peer("pysnmp_poll") as peer:
        asked = {**farm.plan(), "devices": _devices(farm, theirs)}

        def run() -> Sample:
            done = peer.run(asked)
            return Sample(theirs, done.cpu_s, done.wall_s, _values(done.given))

        return _row(
            farm, Side("pysnmp", run), theirs, {"community": farm.community}, times=times, must=at_least(30),
            notes=(PYSNMP,),
        )  # fmt: skip


WALK = (
    "net-snmp: one snmpbulkwalk for each switch without MIBs and configuration; it walks the one subtree that holds all "
    "columns of the poll, which the bench's switch has little else in; starting and reading the processes is not counted"
)


def netsnmp_v2c(quick: bool) -> Row:
    """SNMP v2c poll of a 65-port switch, CPU per device, against net-snmp's command line"""
    return _netsnmp(quick, "2c")


def netsnmp_v3(quick: bool) -> Row:
    """SNMP v3 poll (SHA-256, AES-128) of a 65-port switch, CPU per device, against net-snmp's command line"""
    return _netsnmp(quick, "3")


def _netsnmp(quick: bool, version: str) -> Row:
    ours, theirs, times = (100, 10, 3) if quick else (1000, 100, 7)
    with switches(ours) as farm:
        devices, repetitions = _devices(farm, theirs), farm.plan()["max_repetitions"]
        login = netsnmp.v2c(farm.community) if version == "2c" else netsnmp.v3(farm.user)
        credential = {"community": farm.community} if version == "2c" else DeviceSpec.user_credential(farm.user)
        peer = Side("net-snmp", lambda: netsnmp.walk(devices, login, repetitions))
        return _row(farm, peer, theirs, credential, times=times, must=at_least(3), notes=(WALK,))


C_LOOP = (
    "libsnmp: peers/libsnmp_poll.c, gcc -O2, one session for each switch, 64 at once, the same multi-column GETBULKs; "
    "values are decoded and kept, nothing is judged, stored or signed"
)


def libsnmp(quick: bool) -> Row:
    """SNMP v2c poll of a 65-port switch, CPU per device, against a C loop over libsnmp's asynchronous calls"""
    count, times = (100, 3) if quick else (1000, 7)
    with switches(count) as farm:
        devices, plan = _devices(farm, count), farm.plan()
        peer = Side("libsnmp in C", lambda: libsnmp_loop.poll(devices, plan))
        credential = {"community": farm.community}
        return _row(farm, peer, count, credential, times=times, must=at_most(4), notes=(C_LOOP,))


ROWS: dict[str, RowFunction] = {
    "snmp-pysnmp": pysnmp,
    "snmp-netsnmp-v2c": netsnmp_v2c,
    "snmp-netsnmp-v3": netsnmp_v3,
    "snmp-libsnmp": libsnmp,
}
