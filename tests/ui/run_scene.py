"""Days of looking to look at: signed results of a collector, taken in by the one door, judged by the ordinary services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from yunwei.accounts.models import Account, Organisation
from yunwei.assets import identity
from yunwei.assets.models import Asset, Credential, Endpoint, Place, System, Zone
from yunwei.contract import plans
from yunwei.duties.models import Attempt, Occurrence
from yunwei.duties.sources import folder
from yunwei.inspect import keys
from yunwei.inspect.collect.job import write_result
from yunwei.inspect.observation import DeviceResult, JobResult, Observation, Part, State
from yunwei.kernel.verdict import Reason
from yunwei.ledger import services as ledger
from yunwei.runs import services as runs
from yunwei.runs.models import Run

#: 2026-11-26 10:30 in Shanghai, a Thursday
NOW = datetime(2026, 11, 26, 2, 30, tzinfo=UTC)
OBLIGATION = "S1.1-remote"
LIMIT = "device: warn>=42 crit>=47"
Said = float | Reason


def place(
    people: Mapping[str, Account], *, name: str = "接入交换机", codes: Sequence[str] = ("SW-1", "SW-2", "SW-3")
) -> None:
    """Zone, assets with an SNMP endpoint each, the plan that the client approved."""
    zone = Zone.objects.create(code="ext", name=f"政务外网区{name[-3:]}")
    room = Place.objects.create(code="room", name=f"一号机房{name[-3:]}")
    owner = Organisation.objects.get(code="edu")
    system = System.objects.create(code="sys", name=f"学籍系统{name[-3:]}", owner=owner, mlps_level=3)
    login = Credential.objects.create(name="login-ext", kind="snmp3", sealed=b"very secret", key_id="k")
    for i, code in enumerate(codes):
        asset = Asset.objects.create(
            code=code, name=f"{name} {i}", kind="device", category="switch", zone=zone, place=room, owner=owner,
            system=system, vendor="h3c", model="S5560", serial=f"SN-{code}", position="A-01",
        )  # fmt: skip
        Endpoint.objects.create(asset=asset, protocol="snmp", address="192.0.2.1", port=161, credential=login)
    before = NOW - timedelta(days=40)
    row = plans.propose(folder().plan, folder=folder(), by=people["b_manager"], now=before)
    plans.approve(row.version, by=people["a_manager"], now=before)


def agree(people: Mapping[str, Account], *, but: Sequence[str] = ()) -> None:
    """The client confirms who answered, but for some."""
    for pin in list(identity.waiting().exclude(endpoint__asset__code__in=but)):
        identity.confirm(pin, by=people["a_manager"], now=NOW - timedelta(days=30))


def seen(code: str, degrees: float, at: datetime, *, name: str = "CPU 温度", raw: str = "") -> DeviceResult:
    """A whole answer: one temperature against the device's limit, a state without one, a part."""
    state = State.CRITICAL if degrees >= 47 else State.WARNING if degrees >= 42 else State.OK
    told = [
        Observation(code, "cpu/1", "temperature", name, degrees, "°C", raw, state, "1.3.6.1.4.1.9", LIMIT),
        Observation(code, "psu/1", "state", "电源 1", 1, "", "normal", State.OK, "1.3.6.1.4.1.8"),
        Observation(code, "fan/1", "fan_speed", "风扇 1", 3200, "rpm", "", State.UNKNOWN, "1.3.6.1.4.1.7"),
    ]
    return DeviceResult(
        code, "snmp", at - timedelta(seconds=5), at, vendor="h3c-comware",
        identity={"engine_id": f"80{code}", "serial": f"SN-{code}"}, moving={"uptime": str(int(at.timestamp()))}, observations=told,
        parts=[Part("psu/1", "psu", "PSR150", f"P-{code}", "1.0")], counts={"wall_s": int(at.timestamp()), "requests": 9},
    )  # fmt: skip


def look(
    day: int, told: Mapping[str, Said | DeviceResult], *, control: bool = True, procedure: str = "hardware.inspect",
    extra: Sequence[str] = (), finish: bool = True, attempt: int = 1,
) -> Run:  # fmt: skip
    """One run `day` days before NOW: what each asset answered (degrees, or why it did not); `extra` are codes of the
    plan that are no asset. What is not told did not come back."""
    at = NOW - timedelta(days=day, minutes=30 - attempt)
    period = f"{at.astimezone(NOW.tzinfo):%Y-%m-%d}"
    run_id = f"look:{OBLIGATION}:{period}:{attempt}"
    codes = [*Asset.objects.order_by("code").values_list("code", flat=True), *extra]
    terms: dict[str, Any] = {"baseline": codes, "plan_version": 1, "approved": True, "coverage_target": "100.00"}
    cause = {"obligation": OBLIGATION, "period": period, "clauses": ["2.1-S"], "plan_version": 1, "by": "system:duties"}
    runs.submit(run_id, procedure, {"assets": codes}, terms, cause, now=at)
    runs.start(run_id, now=at)
    runs.expect(run_id, len(codes))
    hand_in(run_id, "ext-0000", told, at + timedelta(minutes=1), control=control)
    if finish:
        runs.finish(run_id, now=at + timedelta(minutes=2, seconds=5))
        ledger.sequence(at + timedelta(minutes=3))
    return Run.objects.get(pk=run_id)


def hand_in(
    run_id: str, part: str, told: Mapping[str, Said | DeviceResult], at: datetime, *, control: bool = True
) -> None:
    """One part's signed result; the control's device is found faulty, or is not."""
    devices = [_result(code, said, at) for code, said in told.items()]
    bad = State.CRITICAL if control else State.OK
    fault = Observation("control-snmp", "fan/1", "state", "风扇", 0, "", "failed", bad)
    devices.append(DeviceResult("control-snmp", "snmp", at, at, observations=[fault], control=True))
    result = JobResult(part, run_id, "ext", "ext", at, at, devices)
    runs.take_in(run_id, part, write_result(result, keys.collector("ext")), collector="ext", now=at, count=len(told))


def _result(code: str, said: Said | DeviceResult, at: datetime) -> DeviceResult:
    if isinstance(said, DeviceResult):
        return said
    if isinstance(said, Reason):
        return DeviceResult(code, "snmp", at, at, problem=said, detail="连接超时")
    return seen(code, said, at)


def occurrence(run: Run, state: str = "unproven") -> Occurrence:
    """The occurrence that a run was an attempt for."""
    row = Occurrence.objects.create(
        obligation=OBLIGATION, period=run.cause["period"], clauses=["2.1-S"], owes="B", kind="look", basis="plan",
        counts=True, starts_at=run.submitted_at - timedelta(hours=1), due_at=NOW + timedelta(hours=8), plan_version=1,
        state=state, cause="vendor" if state == "unproven" else "",
    )  # fmt: skip
    Attempt.objects.create(
        occurrence=row, number=1, run_id=run.id, submitted_at=run.submitted_at, ended_at=run.ended_at
    )
    return row
