"""The vendor files against recordings of real devices: what another tool reads from them, part by part.

Run by `make check-shared DIR=…`; alone: `python scripts/check_shared_hardware.py DIR [--offline]`. The recordings
are inspected as a contract day inspects equipment: served by the farm, asked by the collectors over SNMP and Redfish,
judged by the vendor files. `--offline` leaves the network out, which is faster while a vendor file is written.

A *deciding state* is one that the other tool calls ok, warning or critical; ours must be the same. A *false fault* is
a fault of ours that nothing there explains; one by a limit of our own (notes/standards §5) is listed with its limit.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from yunwei.inspect.observation import FAULTS, DeviceResult, Job, Observation, Part, State, Target
from yunwei.inspect.vendor import Reading, apply_redfish, apply_snmp, shipped
from yunwei.inspect.vendor.redfish import type_of
from yunwei.inspect.vendor.sample import parse_snmprec, read_tree, select

WANTED = 0.95
OPER, IN_ERRORS, SPEED, HIGH_SPEED = (
    "1.3.6.1.2.1.2.2.1.8",
    "1.3.6.1.2.1.2.2.1.14",
    "1.3.6.1.2.1.2.2.1.5",
    "1.3.6.1.2.1.31.1.1.1.15",
)
SEVERITY = {"ok": State.OK, "warning": State.WARNING, "critical": State.CRITICAL}


@dataclass
class Figures:
    """One capture: per group (sensors, ports, …) how many were right out of how many expected, and what was not."""

    name: str
    vendor: str = ""
    groups: dict[str, list[int]] = field(default_factory=dict)
    deciding: list[int] = field(default_factory=lambda: [0, 0])
    missing: list[str] = field(default_factory=list)
    wrong_states: list[str] = field(default_factory=list)
    false_faults: list[str] = field(default_factory=list)
    own_limits: list[str] = field(default_factory=list)
    true_faults: list[str] = field(default_factory=list)
    problem: str = ""

    def count(self, group: str, what: str, *, right: bool) -> None:
        """One expected thing: right, or missing (or with another value)."""
        got = self.groups.setdefault(group, [0, 0])
        got[0] += right
        got[1] += 1
        if not right:
            self.missing.append(f"{group}: {what}")

    def state(self, what: str, expected: State, ours: Iterable[State]) -> None:
        """One state that decides a verdict."""
        states = set(ours)
        self.deciding[1] += 1
        if states == {expected}:
            self.deciding[0] += 1
        else:
            self.wrong_states.append(f"{what}: expected {expected}, got {sorted(states) or 'nothing'}")

    @property
    def share(self) -> float:
        """Right out of all expected."""
        right, total = (sum(g[i] for g in self.groups.values()) for i in (0, 1))
        return right / total if total else 0.0

    @property
    def good(self) -> bool:
        """Whether the capture meets the target of the issue."""
        whole = self.share >= WANTED and not self.problem
        return whole and not self.wrong_states and not self.false_faults


@dataclass
class Report:
    """All captures."""

    captures: list[Figures]

    @property
    def problems(self) -> list[str]:
        """What is not as wanted, one sentence each."""
        return [
            f"{c.name}: {c.share:.1%} present, {len(c.wrong_states)} wrong states, "
            f"{len(c.false_faults)} false faults {c.problem}"
            for c in self.captures
            if not c.good
        ]

    def lines(self) -> list[str]:
        """The figures as text, a line per capture and what is missing below it."""
        out = []
        for c in self.captures:
            groups = "  ".join(f"{n} {right}/{total}" for n, (right, total) in c.groups.items())
            states = f"states {c.deciding[0]}/{c.deciding[1]}"
            mark = "ok " if c.good else "BAD"
            out.append(f"{mark} {c.name:28} {c.vendor:15} {c.share:6.1%}  {states}  {groups} {c.problem}")
            for word, items in (
                ("missing", c.missing),
                ("wrong state", c.wrong_states),
                ("FALSE FAULT", c.false_faults),
                ("true fault", c.true_faults),
                ("by our own limit", c.own_limits),
            ):
                out += [f"      {word}: {item}" for item in items]
        return out


def run(directory: Path, via_farm: bool = True) -> Report:
    """Compare every capture of the folder (the one with MANIFEST.json, or its parent)."""
    base = directory / "hardware" if (directory / "hardware").is_dir() else directory
    entries = json.loads((base / "MANIFEST.json").read_text(encoding="utf-8"))["entries"]
    read = _through_farm(base, entries) if via_farm else {e["name"]: _offline(base / e["file"]) for e in entries}
    figures = []
    for entry in entries:
        expected = json.loads((base / entry["expected"]).read_text(encoding="utf-8"))
        vendor, reading, problem = read[entry["name"]]
        found = Figures(entry["name"], vendor, problem=problem)
        (_compare_snmp if entry["kind"] == "snmp" else _compare_redfish)(found, expected, reading)
        figures.append(found)
    return Report(figures)


Read = tuple[str, Reading, str]


def _offline(path: Path) -> Read:
    """The vendor file applied to the recording, without a network."""
    catalogue, target = shipped(), Target("capture", "snmp")
    if path.name.endswith(".tree.json"):
        tree = read_tree(path)
        root = tree.get("/redfish/v1") or tree.get("/redfish/v1/") or {}
        bodies = {sort: [b for b in tree.values() if type_of(b) == sort] for sort in ("ComputerSystem", "Manager")}
        vendor = catalogue.match_redfish(root, bodies["ComputerSystem"], bodies["Manager"])
        return vendor.name, apply_redfish(vendor, tree, target, {}), ""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        values = parse_snmprec(lines, str(path))
    descr = values.get("1.3.6.1.2.1.1.1.0", (4, b""))[1]
    text = descr.decode("utf-8", "replace") if isinstance(descr, bytes) else str(descr)
    vendor = catalogue.match_snmp(str(values.get("1.3.6.1.2.1.1.2.0", (6, ""))[1]), text)
    reading = apply_snmp(vendor, select(values, vendor), target, {})
    return vendor.name, reading, str(reading.problem or "")


class _PlainOpener:
    """Credentials of the farm are no secret: they travel as JSON."""

    def open(self, sealed: str) -> dict[str, Any]:
        opened: dict[str, Any] = json.loads(sealed)
        return opened

    def seal(self, content: Mapping[str, Any]) -> str:
        return json.dumps(dict(content))


def _through_farm(base: Path, entries: list[dict[str, Any]]) -> dict[str, Read]:
    """Every capture served by one farm and inspected in one job, as a sweep does it."""
    from yunwei.inspect.collect.job import run_job
    from yunwei.lab.serve import FarmProcess
    from yunwei.lab.spec import DeviceSpec, FarmSpec, Login

    devices = []
    for number, entry in enumerate(entries, 1):
        sample = Path(entry["file"]).name.removesuffix(".snmprec").removesuffix(".tree.json")
        login = Login(user="ops", password="lab") if entry["kind"] == "redfish" else None
        devices.append(
            DeviceSpec(
                address=f"127.9.1.{number}",
                protocol=entry["kind"],
                sample=sample,
                name=entry["name"],
                community="" if login else "public",
                login=login,
            )
        )
    with FarmProcess(FarmSpec(devices=tuple(devices), samples=(str(base),))) as farm:
        targets = [
            Target(
                asset=end["name"],
                protocol=end["protocol"],
                address=end["address"],
                port=int(end["port"]),
                credential=json.dumps(end["credential"]),
                profile="deep",
            )
            for end in farm.endpoints
        ]
        job = Job("check-shared", "check-shared", "lab", datetime.now(UTC), targets, budget_s=120, total_budget_s=600)
        result = run_job(job, _PlainOpener())
    return {device.asset: _of_device(device) for device in result.devices}


def _of_device(device: DeviceResult) -> Read:
    reading = Reading(device.observations, device.parts, device.identity, device.moving, device.problem, device.detail)
    return device.vendor, reading, f"{device.problem}: {device.detail}" if device.problem else ""


def _near(ours: Any, expected: Any) -> bool:
    if isinstance(ours, bool) or not isinstance(ours, (int, float)) or not isinstance(expected, (int, float)):
        return False
    return abs(ours - expected) <= max(0.01 * abs(expected), 0.06)


def _compare_snmp(found: Figures, expected: dict[str, Any], reading: Reading) -> None:
    by_source: dict[str, list[Observation]] = {}
    for o in reading.observations:
        by_source.setdefault(o.source, []).append(o)
    explained: set[str] = set()
    for sensor in expected["sensors"]:
        explained |= _sensor(found, sensor, by_source.get(sensor["oid"], []))
    for cpu in expected["processors"]:
        ours = [o for o in by_source.get(cpu["oid"], []) if o.kind == "cpu"]
        found.count("cpu", f"{cpu['descr']} {cpu['usage']} %", right=any(abs(_f(o) - cpu["usage"]) <= 1 for o in ours))
    for kind, key in (("memory", "mempools"), ("storage", "storage")):
        pool = [o for o in reading.observations if o.kind == kind]
        for item in expected[key]:
            hit = next((o for o in pool if abs(_f(o) - int(item["perc"])) <= 1), None)
            if hit:
                pool.remove(hit)
            found.count(kind, f"{item['descr']} {item['perc']} %", right=hit is not None)
    for port in expected["ports"]:
        found.count("ports", f"{port['ifIndex']} {port['name']}", right=_port_right(port, by_source))
    _faults(found, reading.observations, explained)


def _sensor(found: Figures, sensor: Mapping[str, Any], ours: list[Observation]) -> set[str]:
    """Count one sensor and its state; returns the places of a fault that is expected."""
    state = sensor["state"]
    what = f"{sensor['cls']} {sensor['descr']} = {sensor['value']} ({sensor['oid']})"
    if state is None:
        found.count("sensors", what, right=any(_near(_as_theirs(o), sensor["value"]) for o in ours))
        return set()
    told = [o for o in ours if o.value == sensor["value"] or o.raw.lower() == state["text"].lower()]
    found.count("sensors", what, right=bool(told))
    wanted = SEVERITY.get(state["severity"])
    if wanted is None:
        return set()
    found.state(what, wanted, (o.state for o in told))
    return {o.source for o in told} if wanted in FAULTS else set()


def _as_theirs(o: Observation) -> Any:
    """Endurance left and wear are one quantity: ours is wear."""
    return 100 - o.value if o.kind == "wear" and isinstance(o.value, (int, float)) else o.value


def _f(o: Observation) -> float:
    return float(o.value) if isinstance(o.value, (int, float)) else float("nan")


def _port_right(port: Mapping[str, Any], by_source: Mapping[str, list[Observation]]) -> bool:
    index = port["ifIndex"]
    state = by_source.get(f"{OPER}.{index}", [])
    if not state:
        return False
    up = port["oper"] == "up"
    right = bool((state[0].value == 1) == up)
    if port["admin"] == "down":
        right = right and state[0].raw == "admin down"
    errors = by_source.get(f"{IN_ERRORS}.{index}", [])
    if port["in_errors"] is not None and errors:
        right = right and errors[0].value == port["in_errors"] + (port["out_errors"] or 0)
    if up and port["speed"]:
        speeds = by_source.get(f"{HIGH_SPEED}.{index}", []) + by_source.get(f"{SPEED}.{index}", [])
        right = right and any(_near(o.value, port["speed"] / 1e6) for o in speeds)
    return right


def _compare_redfish(found: Figures, expected: dict[str, Any], reading: Reading) -> None:
    by_place: dict[str, list[Observation]] = {}
    for o in reading.observations:
        by_place.setdefault(o.source.partition("#")[0], []).append(o)
    explained: set[str] = set()
    rows = [("fans", *f[:3], f[4], f[5]) for f in expected["fans"]]
    rows += [("temperatures", *t[:3], t[5], t[6]) for t in expected["temperatures"]]
    rows += [("voltages", *v[:3], v[3], v[4]) for v in expected["voltages"]]
    for group, uri, name, value, state, health in rows:
        ours = [o for o in by_place.get(uri, []) if o.name == name]
        right = any(_near(o.value, value) or (value is None and o.value is None) for o in ours)
        found.count(group, f"{name} = {value}", right=right)
        explained |= _redfish_state(found, f"{group} {name}", state, health, ours)
    parts: dict[str, list[Part]] = {}
    for part in reading.parts:
        parts.setdefault(part.source.partition("#")[0], []).append(part)
    for uri, name, capacity, state, health in expected["psus"]:
        ours = [o for o in by_place.get(uri, []) if o.name == name and o.kind == "state"]
        sizes = {p.size for p in parts.get(uri, [])}
        right = bool(ours) and (capacity is None or f"{capacity} W" in sizes)
        found.count("psus", f"{name} {capacity} W", right=right)
        explained |= _redfish_state(found, f"psu {name}", state, health, ours)
    for group, uri, *rest in [("processors", *p) for p in expected["processors"]] + [
        ("memory", m[0], None, f"{m[1]} MiB" if m[1] else None, m[2], m[3]) for m in expected["memory"]
    ]:
        model, size, state, health = rest
        size = f"{size} 核" if group == "processors" and size else size
        ours = [o for o in by_place.get(uri, []) if o.kind == "state"]
        right = any((not model or p.model == model) and (not size or p.size == size) for p in parts.get(uri, []))
        found.count(group, f"{uri} {model or ''} {size or ''}", right=right)
        explained |= _redfish_state(found, uri, state, health, ours)
    for uri, name, version, _updateable in expected["firmware"]:
        found.count("firmware", f"{name} {version}", right=any(p.firmware == version for p in parts.get(uri, [])))
    for uri, _sort, version, state, health in expected["managers"]:
        found.count("managers", uri, right=any(p.firmware == version for p in parts.get(uri, [])))
        explained |= _redfish_state(found, uri, state, health, [o for o in by_place.get(uri, []) if o.kind == "state"])
    for system in expected["systems"]:
        found.count(
            "systems", system["uri"], right=any(p.model == system["model"] for p in parts.get(system["uri"], []))
        )
        status = system["status"]
        ours = [
            o for o in by_place.get(system["uri"], []) if o.component == f"system/{system['uri'].rpartition('/')[2]}"
        ]
        explained |= _redfish_state(found, system["uri"], status.get("State"), status.get("Health"), ours)
    for place, key, value, _state in expected["unhealthy"]:
        uri, _sep, pointer = place.partition("#")
        wanted = SEVERITY.get(str(value).lower())
        ours = [o for o in by_place.get(uri, []) if not pointer or o.source.endswith(f"#{pointer}")]
        if wanted not in FAULTS:
            continue  # "Ok" in another spelling: no fault, as the list of false faults checks
        if "ollup" in key.lower() or "ollUp" in key or uri.endswith("/Metrics"):
            told = [o.limit.startswith("explained by") or o.state is wanted for o in ours]
            found.count("unhealthy", f"{place} {key} {value}", right=any(told))
        else:
            found.count("unhealthy", f"{place} {key} {value}", right=any(o.state is wanted for o in ours))
            explained |= {o.source for o in ours}
    _faults(found, reading.observations, explained)


def _redfish_state(found: Figures, what: str, state: Any, health: Any, ours: list[Observation]) -> set[str]:
    """Count a state that decides; returns the places of faults that are expected."""
    wanted = SEVERITY.get(str(health).lower()) if health else None
    if wanted is None or state == "Absent":
        return set()
    found.state(what, wanted, (o.state for o in ours))
    return {o.source for o in ours} if wanted in FAULTS else set()


def _faults(found: Figures, observations: Iterable[Observation], explained: set[str]) -> None:
    for o in observations:
        if o.state not in FAULTS:
            continue
        line = f"{o.component} {o.kind} {o.name} = {o.value} {o.unit} {o.raw} -> {o.state} {o.limit} ({o.source})"
        if o.source in explained:
            found.true_faults.append(line)
        elif o.limit.startswith("vendor file"):
            found.own_limits.append(line)
        else:
            found.false_faults.append(line)


def main() -> int:
    """Print the figures; 1 when a capture misses the target."""
    report = run(Path(sys.argv[1]), via_farm="--offline" not in sys.argv[2:])
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
