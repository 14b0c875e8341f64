"""Readings over time, derived from the raw results: rows keep a verdict a sweep, the figures lie in its artifact.

A look whose answer may not be this device's, or not of that time, gives no figure: it is a gap, as is a look that did not
reach the device. Nothing is interpolated.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

import msgspec
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yunwei.charts.series import Point, figure
from yunwei.inspect.collect.job import MAX_BODY
from yunwei.inspect.judging import is_control
from yunwei.inspect.models import DeviceSweep, VerdictOf
from yunwei.inspect.observation import FAULTS, Observation, State
from yunwei.kernel.verdict import Reason
from yunwei.ledger import artifacts
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact
from yunwei.ui import words

#: what these looks read says nothing about this device at that time (kernel.verdict: the wrong source)
NOT_THIS = frozenset(
    {Reason.IDENTITY_CHANGED, Reason.IDENTITY_UNCONFIRMED, Reason.DUPLICATE, Reason.STALE, Reason.FROZEN}
)
TONES = {
    State.OK: "ok",
    State.WARNING: "warn",
    State.CRITICAL: "bad",
    State.UNKNOWN: "mut",
    State.ABSENT: "mut",
    State.STALE: "unp",
}
STATES = {
    State.OK: gettext_lazy("正常"),
    State.WARNING: gettext_lazy("警告"),
    State.CRITICAL: gettext_lazy("严重"),
    State.UNKNOWN: gettext_lazy("未判定"),
    State.ABSENT: gettext_lazy("不在位"),
    State.STALE: gettext_lazy("过旧"),
}
#: the worst first
ORDER = (State.CRITICAL, State.WARNING, State.STALE, State.OK, State.UNKNOWN, State.ABSENT)
#: looks further apart than so many times the usual distance have a gap between them: nobody looked
APART = 1.8
#: no quantity is that large; a device that says so is quoted and not drawn
TOO_LARGE = 1e30
_LIMIT = re.compile(r"(warn|crit)([<>])=(-?[\d.]+(?:e[+-]?\d+)?)")
Key = tuple[str, str]


class _Who(msgspec.Struct):
    asset: str
    control: bool = False


class _Device(msgspec.Struct):
    observations: list[Observation] = []


class _Result(msgspec.Struct):
    devices: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Look:
    """One sweep of one asset and what it read; `readings` None where its raw result cannot be read (`why`)."""

    run_id: str
    at: datetime
    verdict: str
    reason: str
    detail: str
    artifact: str
    readings: Mapping[Key, Observation] | None
    why: str = ""

    @property
    def saw(self) -> bool:
        """Whether it read anything that counts."""
        return self.trusted and bool(self.readings)

    @property
    def trusted(self) -> bool:
        """Whether its figures are this device's and of that time."""
        return self.readings is not None and self.reason not in NOT_THIS


@dataclass(slots=True)
class Series:
    """One reading of one component over some looks; `now` is the last look's, None where that one did not see it."""

    key: Key
    name: str
    unit: str
    numeric: bool = False
    points: list[Point] = field(default_factory=list)
    last: Observation | None = None
    last_at: datetime | None = None
    now: Observation | None = None
    asked: bool = True  # the last look can be read and is this device's: what is not in it was not asked for

    @property
    def tone(self) -> str:
        """The tone of what the last look saw; what it could not see is unproven, what it did not ask for is neither."""
        return tone_of(self.now) if self.now else "mut" if self.asked else "unp"

    @property
    def word(self) -> str:
        """The same in a word."""
        return word_of(self.now) if self.now else _("本次未读") if self.asked else _("未证明")


def tone_of(o: Observation) -> str:
    """The tone of what was read. The host bundle's own control must fail: then it is well, else it proves nothing."""
    if is_control(o):
        return "ok" if o.state in FAULTS else "unp"
    return TONES[o.state]


def word_of(o: Observation) -> str:
    """The same in a word."""
    if is_control(o):
        return _("如期报出") if o.state in FAULTS else _("没有报出")
    if o.state is State.ABSENT and o.limit.startswith(words.EXPLAINED):
        return _("由部件引起")  # a rollup that a part explains (vendor.observe): it is there, with no fault of its own
    return str(STATES[o.state])


@lru_cache(maxsize=4096)
def _read(artifact: Artifact, code: str) -> tuple[Observation, ...]:
    """One asset's observations in one artifact. Artifacts never change; a redacted one is not asked for any more."""
    file = msgspec.json.decode(artifacts.read(artifact), type=dict[str, str])
    body = zlib.decompressobj().decompress(base64.b64decode(file["body"]), MAX_BODY)
    out: list[Observation] = []
    for raw in msgspec.json.decode(body, type=_Result).devices:
        who = msgspec.json.decode(raw, type=_Who)
        if who.asset == code and not who.control:
            out += msgspec.json.decode(raw, type=_Device).observations
    return tuple(out)


def looks(sweeps: Sequence[DeviceSweep], code: str) -> list[Look]:
    """What some sweeps read of an asset, in their order. One statement, whatever their number."""
    wanted = {s.artifact for s in sweeps if s.artifact}
    rows = Artifact.objects.filter(content_hash__in=wanted, redacted_at__isnull=True) if wanted else ()
    there = {a.content_hash: a for a in rows}
    return [_look(s, there.get(s.artifact), code) for s in sweeps]


def _look(sweep: DeviceSweep, artifact: Artifact | None, code: str) -> Look:
    readings, why = None, ""
    if artifact is not None:
        try:
            readings = {(o.component, o.kind): o for o in reversed(_read(artifact, code))}
        except (LedgerError, msgspec.MsgspecError, zlib.error, ValueError, KeyError) as error:
            why = str(error)
    elif sweep.artifact:
        why = _("原始结果已依法删除")
    return Look(
        sweep.run_id, sweep.observed_at, sweep.verdict, sweep.reason, sweep.detail, sweep.artifact, readings, why
    )


def of_asset(asset_id: int, since: datetime, until: datetime) -> list[DeviceSweep]:
    """The sweeps of an asset in a window, the oldest first. One statement."""
    rows = DeviceSweep.objects.filter(asset_id=asset_id, observed_at__gte=since, observed_at__lte=until)
    return list(rows.defer("identity", "moving", "facts").order_by("observed_at", "id"))


def build(seen: Sequence[Look], since: datetime, until: datetime) -> list[Series]:
    """All readings of some looks as series, what is worst now first."""
    found: dict[Key, Series] = {}
    for one in seen:
        for key, o in (one.readings or {}).items() if one.trusted else ():
            known = found.setdefault(key, Series(key, o.name, o.unit))
            known.numeric = known.numeric or is_number(o)
            known.last, known.last_at = o, one.at
            known.name, known.unit = o.name, o.unit or known.unit
            known.now = o if one is seen[-1] else None
    span = max((until - since).total_seconds(), 1.0)
    breaks, whole = _breaks(seen), bool(seen and seen[-1].saw)
    for key, known in found.items():
        known.asked = whole
        for one in seen:
            at = (one.at - since).total_seconds() / span
            if one.at in breaks:
                gap = (breaks[one.at] - since).total_seconds() / span
                known.points.append(Point(gap, None, "mut", (), _("没有巡检")))
            known.points.append(_point(one, key, at, known.numeric))
    return sorted(found.values(), key=_rank)


def is_number(o: Observation) -> bool:
    """Whether a reading is a quantity; yes and no are states."""
    number = isinstance(o.value, int | float) and not isinstance(o.value, bool) and o.kind not in ("state", "port")
    return number and abs(o.value or 0) < TOO_LARGE  # type: ignore[arg-type]


def _rank(one: Series) -> tuple[int, bool, str, str]:
    state = one.now.state if one.now and not is_control(one.now) else State.OK if one.now else State.STALE
    return ORDER.index(state), not (one.last and one.last.limit), *one.key


def _breaks(seen: Sequence[Look]) -> dict[datetime, datetime]:
    """Looks before which nobody looked for long, by the moment in the middle of that time."""
    gaps = sorted(b.at - a.at for a, b in pairwise(seen))
    if not gaps:
        return {}
    usual = max(gaps[len(gaps) // 2], timedelta(hours=1)) * APART
    return {b.at: a.at + (b.at - a.at) / 2 for a, b in pairwise(seen) if b.at - a.at > usual}


def _point(one: Look, key: Key, at: float, numeric: bool) -> Point:
    o = (one.readings or {}).get(key) if one.trusted else None
    day = f"{timezone.localtime(one.at):%Y-%m-%d %H:%M}"
    if o is None:
        why = words.reason(one.reason) if one.reason else one.why or _("本次没有读到")
        return Point(at, None, "unp" if one.verdict == VerdictOf.UNPROVEN or one.why else "mut", (), f"{day} {why}")
    label = f"{day} {said(o)}"
    if not numeric:
        return Point(at, None, tone_of(o), (), label)
    if not is_number(o):
        return Point(at, None, "mut", (), label)
    return Point(at, float(o.value or 0), tone_of(o), limits_of(o.limit), label)


def limits_of(text: str) -> tuple[tuple[str, float], ...]:
    """The figures of a limit ("device: warn>=42 crit>=47") with their tones."""
    tone = {"warn": "warn", "crit": "bad"}
    found = ((tone[m[1]], float(m[3])) for m in _LIMIT.finditer(text))
    return tuple((tone_, value) for tone_, value in found if abs(value) < TOO_LARGE)


def said(o: Observation) -> str:
    """A reading as people write it: figure and unit, else the device's own word."""
    if is_number(o):
        value = float(o.value or 0)
        if o.kind == "uptime" and o.unit == "s" and value >= 3600:
            minutes = int(value) // 60
            days, hours = minutes // 1440, minutes % 1440 // 60
            return (_("{d} 天 {h} 小时") if days else _("{h} 小时 {m} 分")).format(d=days, h=hours, m=minutes % 60)
        return f"{figure(value)} {o.unit}".strip()
    return (o.raw or ("" if o.value is None else f"{o.value} {o.unit}".strip()) or "—")[:120]


def days_of(sweeps: Iterable[tuple[datetime, str, Mapping[str, list[dict[str, str]]]]]) -> dict[str, tuple[str, int]]:
    """By local day: what it came to and how many looks it had. A fault at any look outranks; else the last look says."""
    out: dict[str, tuple[str, int]] = {}
    for at, verdict, facts in sweeps:
        day = f"{timezone.localtime(at):%Y-%m-%d}"
        before, n = out.get(day, ("", 0))
        tone = {"pass": "ok", "unproven": "unp"}.get(verdict) or _worst(facts)
        keep = before in ("bad", "warn") and (tone not in ("bad", "warn") or before == "bad")
        out[day] = (before if keep else tone, n + 1)
    return out


def _worst(facts: Mapping[str, list[dict[str, str]]]) -> str:
    told = {fault.get("severity") for fault in facts.get("faults", ())}
    return "warn" if told == {"warning"} else "bad"


def ticks(since: datetime, until: datetime, n: int = 7) -> list[tuple[float, str]]:
    """Marks of time for a chart: local midnights, about `n` of them, the same distance apart."""
    first = timezone.localtime(since).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    days = max((until - first).days, 0) + 1
    step = max(-(-days // n), 1)
    span = max((until - since).total_seconds(), 1.0)
    marks = [first + timedelta(days=i) for i in range(0, days, step)]
    return [((at - since).total_seconds() / span, f"{at:%m-%d}") for at in marks if since <= at <= until]
