"""From a device's results to facts and a verdict: pure rules, no Django, no I/O.

`kernel.verdict.decide` alone gives the verdict; what stands here gathers what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from yunwei.inspect.observation import EVALUATED, FAULTS, DeviceResult, Observation, State
from yunwei.kernel.verdict import Cause, Reason, Seen, Verdict, decide

JSON = Any
#: components that are the host bundle's own control: they prove the pipeline and are no fault of the host
CONTROL_COMPONENT = "control"
#: faults kept per asset and sweep in the row; more are in the artifact
MAX_FAULTS = 200
#: seconds after which an observation proves nothing, unless the plan says otherwise (terms["fresh_s"])
FRESH_S = 24 * 3600
#: a plan cannot make older data prove anything; a bound also for figures that no time can hold
MAX_FRESH_S = 7 * 24 * 3600
#: the entry of moving fields that holds the collector's own second, and how far apart two looks must be to compare
WALL, SETTLE_S = "@s", 3
#: how far a collector's clock may be ahead before its times are not believed
AHEAD = timedelta(minutes=10)
#: who answers for it when nothing else is shown: our own tools, or not yet known
OURS = frozenset({Reason.BUDGET, Reason.CONTROL_SILENT, Reason.COLLECTOR_SILENT, Reason.NOT_SUPPORTED})

Moving = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one component as a finding keeps it."""

    key: str
    component: str
    kind: str
    name: str
    severity: str
    value: str = ""
    raw: str = ""
    limit: str = ""
    source: str = ""


@dataclass(slots=True)
class Facts:
    """All that one run saw of one asset, its protocols together."""

    asset: str
    results: list[DeviceResult]
    faults: list[Fault] = field(default_factory=list)
    ok: set[str] = field(default_factory=set)
    evaluated: int = 0
    unknown: int = 0
    part_count: int = 0

    @property
    def observed_at(self) -> datetime:
        """The oldest end of a look: the asset is as fresh as its stalest part."""
        return min(r.ended_at for r in self.results)

    @property
    def problem(self) -> DeviceResult | None:
        """The first result that was not whole: an asset is seen whole only by all its protocols."""
        return next((r for r in self.results if r.problem is not None), None)


def is_control(observation: Observation) -> bool:
    """Whether this is the host bundle's own control check."""
    return observation.component.split("/", 1)[0] == CONTROL_COMPONENT


def key_of(component: str, kind: str) -> str:
    """The identity of a finding inside its asset."""
    return f"{component}:{kind}"[:240]


def gather(asset: str, results: Sequence[DeviceResult]) -> Facts:
    """Count and sort the observations of one asset."""
    facts = Facts(asset, list(results))
    for result in results:
        facts.part_count += len(result.parts)
        for seen in result.observations:
            if is_control(seen):
                continue
            if seen.state in EVALUATED:
                facts.evaluated += 1
            if seen.state is State.UNKNOWN:
                facts.unknown += 1
            elif seen.state is State.OK:
                facts.ok.add(key_of(seen.component, seen.kind))
            elif seen.state in FAULTS:
                facts.faults.append(_fault(seen))
    faulty = {fault.key for fault in facts.faults}
    facts.ok -= faulty
    return facts


def _fault(seen: Observation) -> Fault:
    value = "" if seen.value is None else f"{seen.value} {seen.unit}".strip()
    return Fault(
        key_of(seen.component, seen.kind), seen.component[:160], seen.kind[:32], seen.name[:200], str(seen.state),
        value[:120], seen.raw[:120], seen.limit[:160], seen.source[:300],
    )  # fmt: skip


def moving_of(results: Iterable[DeviceResult]) -> dict[str, dict[str, str]]:
    """The moving fields by protocol, each with the second in which the collector's own clock stood (`@s`)."""
    return {r.protocol: {**r.moving, WALL: str(r.counts.get("wall_s", 0))} for r in results if r.moving}


def moved(before: Moving, now: Moving, whole: Iterable[str] = ()) -> bool | None:
    """Whether the moving fields moved since the last sweep; None where there is nothing to compare.

    Every protocol that can be compared must have at least one field that moved: a device whose clock and counters all
    stand still is a recording. A whole answer (`whole`: its protocols) that left out every moving field it gave before
    did not move either: leaving the proof out must not be easier than giving it. An answer that broke off before all of
    them were read, and shows none that moved, says nothing: our own lack of time must not be called a recording. Two looks
    within `SETTLE_S` seconds say nothing: a BMC's clock shows whole seconds.
    """
    answers: list[bool] = []
    for protocol in dict.fromkeys([*now, *whole]):
        fields, last = now.get(protocol, {}), before.get(protocol, {})
        both = [name for name in fields if name in last and name != WALL]
        if not both:
            if protocol in whole and any(name != WALL for name in last):
                answers.append(False)
            continue
        did = any(last[name] != fields[name] for name in both)
        if not did and protocol not in whole and last.keys() - fields.keys() - {WALL}:
            continue
        if did or _seconds(fields) - _seconds(last) >= SETTLE_S or WALL not in last:
            answers.append(did)
    return all(answers) if answers else None


def remembered(before: Moving, now: Moving) -> dict[str, dict[str, str]]:
    """What the next look compares with: the fields as they are now, and since when they stand like this.

    Fields that did not move keep the second of the first look that saw them so. Otherwise a frozen device that is looked
    at twice within `SETTLE_S` would be found out by the first look and excused by the second.
    """
    out = {protocol: dict(fields) for protocol, fields in before.items()}
    for protocol, fields in now.items():
        last = before.get(protocol, {})
        both = [name for name in fields if name in last and name != WALL]
        still = bool(both) and WALL in last and all(last[name] == fields[name] for name in both)
        known = {**last, **fields} if both else fields
        out[protocol] = {**known, WALL: last[WALL]} if still else dict(known)
    return out


def _seconds(fields: Mapping[str, str]) -> int:
    text = fields.get(WALL, "0")
    return int(text) if text.isdigit() else 0


def controls(results: Iterable[DeviceResult]) -> dict[str, bool]:
    """Whether the control of each protocol fired: its device was found faulty by the same judge as all others."""
    fired: dict[str, bool] = {}
    for result in results:
        if result.control:
            faulty = any(o.state in FAULTS for o in result.observations)
            fired[result.protocol] = fired.get(result.protocol, False) or faulty
    return fired


def control_fired(result: DeviceResult, by_protocol: Mapping[str, bool]) -> bool:
    """Whether the control that covers this result fired: the host bundle's own, or the run's for the protocol."""
    if result.protocol in ("ssh", "local"):
        return any(is_control(o) and o.state in FAULTS for o in result.observations)
    return by_protocol.get(result.protocol, False)


def judge(
    facts: Facts,
    *,
    now: datetime,
    before: Moving,
    fired: Mapping[str, bool],
    identity_problem: Reason | None,
    extra_faults: int = 0,
    fresh_s: float = FRESH_S,
    since: datetime | None = None,
) -> tuple[Verdict, Reason | None, bool]:
    """The verdict on one asset, its reason, and whether what was seen right may close findings.

    Blindness hides faults: nothing is closed by a look whose control was silent, whose identity is in doubt, or whose
    answer is stale or frozen. `since` is when the run was submitted: what was seen before that belongs to another look.
    """
    moving = moving_of(facts.results)
    age = now - facts.observed_at
    fresh = timedelta(0) - AHEAD <= age <= timedelta(seconds=min(fresh_s, MAX_FRESH_S))
    fresh = fresh and (since is None or facts.observed_at >= since - AHEAD)
    did_move = moved(before, moving, [r.protocol for r in facts.results if r.problem is None])
    answered = [r for r in facts.results if r.observations or r.problem is None]
    control = bool(answered) and all(control_fired(r, fired) for r in answered)
    broken = facts.problem
    own = broken.problem if broken else None
    changed = own in (Reason.IDENTITY_CHANGED, Reason.DUPLICATE)
    seen = Seen(
        evaluated=facts.evaluated,
        faults=len(facts.faults) + extra_faults,
        fresh=fresh,
        moved=did_move,
        control_fired=control,
        identity_ok=identity_problem is None and not changed,
        problem=identity_problem or own,
    )
    verdict, reason = decide(seen)
    closes = seen.identity_ok and fresh and did_move is not False and control
    return verdict, reason, closes


def cause_of(reason: Reason | None) -> str:
    """Who answers for an unproven asset until something else is shown and answered (合同 4.1.3, 7.2.15)."""
    if reason is None:
        return ""
    return str(Cause.VENDOR if reason in OURS else Cause.UNKNOWN)
