"""What all looking shares, as data: job, target, observation, part, device result, job result.

Jobs and results are self-contained JSON (msgspec): a collector that has no database can run a job from a file and
give its result back as a file. Nothing here touches Django, so a collector imports this module alone.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from yunwei.kernel.shapes import learn
from yunwei.kernel.verdict import Reason


class State(StrEnum):
    """The normal state of one reading; `absent` is neutral, `unknown` is never green and never red."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    STALE = "stale"


FAULTS = frozenset({State.WARNING, State.CRITICAL})
#: states that count as "something was evaluated" for the verdict
EVALUATED = frozenset({State.OK, State.WARNING, State.CRITICAL})


class Observation(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One reading of one component.

    `component` is a stable path inside the asset ("fan/1", "port/GigabitEthernet0/0/1", "psu/PS2"); `kind` is the
    quantity (temperature, fan_speed, voltage, current, power, charge, runtime, load, cpu, memory, storage, state,
    port, errors, optical, clock, uptime, count, log, service); `raw` the device's own word for a state; `source` the OID
    with index, the URI with JSON pointer, or the check's name that it came from; `limit` whose limit judged it
    and the figure ("device: warn>=42 crit>=47"), empty where none applied.
    """

    asset: str
    component: str
    kind: str
    name: str
    value: float | int | str | bool | None = None
    unit: str = ""
    raw: str = ""
    state: State = State.UNKNOWN
    source: str = ""
    limit: str = ""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One entry of the parts inventory (部件), compared from sweep to sweep."""

    component: str
    kind: str  # cpu, memory, disk, psu, fan, nic, controller, board, module, firmware, chassis
    model: str = ""
    serial: str = ""
    firmware: str = ""
    size: str = ""
    present: bool = True
    source: str = ""


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """One endpoint of one asset to be looked at.

    `credential` is sealed to the collector (never clear text in a job); `pinned` holds the identity agreed with
    the client, empty at first contact; `moving` the values of the moving fields seen last time; `session` a
    sealed Redfish session left by an interrupted sweep, to be deleted first.
    """

    asset: str
    protocol: str  # snmp | redfish | ssh | local
    address: str = ""
    port: int = 0
    credential: str = ""
    vendor: str = ""  # vendor file to use; empty = match
    profile: str = "rollup"  # redfish: rollup | deep
    place: str = ""
    kind: str = ""
    pinned: dict[str, str] = msgspec.field(default_factory=dict)
    moving: dict[str, str] = msgspec.field(default_factory=dict)
    session: str = ""
    control: bool = False  # a positive control: must be found faulty, counts in no coverage


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """Work for the collector of one zone; `terms` are the plan's limits as data, `budget_s` seconds per device."""

    id: str
    run_id: str
    zone: str
    issued_at: datetime
    targets: list[Target]
    terms: dict[str, Any] = msgspec.field(default_factory=dict)
    budget_s: float = 30.0
    total_budget_s: float = 600.0


class DeviceResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one target gave. `problem` None means the answer was whole; `detail` says what happened, for people.

    `identity` are the identifying fields read this time, `moving` the moving fields with their values, `partial`
    the tables or resources that could not be finished, `counts` figures of the exchange (requests, bytes).
    """

    asset: str
    protocol: str
    started_at: datetime
    ended_at: datetime
    vendor: str = ""
    problem: Reason | None = None
    detail: str = ""
    identity: dict[str, str] = msgspec.field(default_factory=dict)
    moving: dict[str, str] = msgspec.field(default_factory=dict)
    observations: list[Observation] = msgspec.field(default_factory=list)
    parts: list[Part] = msgspec.field(default_factory=list)
    partial: list[str] = msgspec.field(default_factory=list)
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    session: str = ""
    control: bool = False


class JobResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """The sealed answer to a job: every target is in `devices`, reached or not."""

    job_id: str
    run_id: str
    zone: str
    collector: str
    started_at: datetime
    ended_at: datetime
    devices: list[DeviceResult]
    software: str = ""


learn(Job, JobResult)
