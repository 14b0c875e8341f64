"""A year's weather over the district: which device shows which fault from when to when, as data that follow from a seed.

Made month by month, each from its own dice, so that a longer span begins like a shorter one. What people do about it is
no matter of this file; a repair is the end of a spell.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from yunwei.lab.district import Equipment

ZONE = ZoneInfo("Asia/Shanghai")
#: what can break on a device of a category, the more often named the more often; the vendor files can tell all of these
BREAKS = {
    "switch": ("fan_failed", "psu_lost", "psu_lost"),
    "firewall": ("fan_failed", "psu_lost"),
    "server": ("disk_predicted", "disk_predicted", "fan_failed", "psu_lost"),
    "storage": ("psu_lost", "disk_predicted"),
    "ups": ("psu_lost",),
}
#: samples on which only these can be shown
ONLY = {"huawei-ups": ("psu_lost",), "apc-ups": ("psu_lost",), "h3c-comware": ("fan_failed", "psu_lost", "port_errors")}
#: what hides a device, by protocol; `dead` costs every look its full patience, so it is rare
HIDES = {
    "snmp": ("frozen", "frozen", "truncating", "garbage", "dead"),
    "redfish": ("unauthorized", "unauthorized", "frozen", "half", "garbage"),
}
#: spells a month: things that break, devices that hide, devices that flap
BROKEN, HIDDEN, FLAPPING = (9, 14), (1, 3), (0, 2)
#: days that a break lasts until somebody has repaired it
REPAIR_DAYS = (1, 1, 2, 2, 2, 3, 3, 4, 5, 7, 9, 14)
#: no second spell of a device begins within so long of its first one
APART = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Spell:
    """One fault of one device. `end` None: it stays (a replaced board keeps its new identity)."""

    code: str
    fault: str
    start: datetime
    end: datetime | None

    def at(self, moment: datetime) -> bool:
        """Whether it shows at a moment."""
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True, slots=True)
class Storm:
    """Many devices at once: a power cut in a room, a line that is down."""

    why: str
    start: datetime
    end: datetime
    codes: tuple[str, ...]
    fault: str = "dead"


def moment(day: date, hours: float) -> datetime:
    """A local time of day, in UTC."""
    return (datetime.combine(day, time(), ZONE) + timedelta(hours=hours)).astimezone(UTC)


#: what happened to many at once, and what became of identities, whatever the seed
STORMS = (
    Storm("甲方机房停电检修", moment(date(2026, 4, 18), -3), moment(date(2026, 4, 18), 15), ("SW-ACC-02", "SW-ACC-04", "SW-OPT-02", "UPS-A-02")),
    Storm("台风致政务外网线路中断", moment(date(2026, 7, 25), -4), moment(date(2026, 7, 26), 11), ("SW-AGG-01", "SW-AGG-02", "SW-NET-02", "UPS-H-01")),
    Storm("甲方机房停电检修", moment(date(2026, 9, 19), -2), moment(date(2026, 9, 19), 16), ("SW-ACC-02", "SW-ACC-06", "STO-P-02")),
)  # fmt: skip
BOARDS = (
    Spell("SRV-D-07", "identity_changed", moment(date(2026, 3, 17), 15), None),
    Spell("SW-ACC-05", "identity_changed", moment(date(2026, 6, 10), 11), moment(date(2026, 6, 15), 15)),
    Spell("SRV-B-02", "identity_changed", moment(date(2026, 8, 26), 14), None),
    Spell("SW-NET-04", "identity_changed", moment(date(2026, 10, 22), 16), None),
)
#: what the client pulls in its surprise tests: one that stays overnight, one that is put back before the next look
PULLED = (
    Spell("SW-CORE-02", "psu_lost", moment(date(2026, 8, 5), 10.1), moment(date(2026, 8, 5), 15.3)),
    Spell("SRV-D-03", "psu_lost", moment(date(2026, 10, 20), 10.1), moment(date(2026, 10, 21), 9.5)),
)


def weather(equipment: Sequence[Equipment], seed: str, first: date, last: date) -> list[Spell]:
    """Every spell that begins from `first` to `last`, in order of its beginning."""
    codes = {item.code for item in equipment}
    fixed = [
        *(Spell(code, storm.fault, storm.start, storm.end) for storm in STORMS for code in storm.codes),
        *BOARDS,
        *PULLED,
    ]
    spells = [s for s in fixed if s.code in codes]
    for month in _months(first, last):
        dice = random.Random(f"{seed}:{month:%Y-%m}")  # noqa: S311 - a weather that can be had again
        spells += _of_month(equipment, dice, month, spells)
    kept = [s for s in spells if first <= s.start.astimezone(ZONE).date() <= last]
    return sorted(kept, key=lambda s: (s.start, s.code, s.fault))


def _months(first: date, last: date) -> Iterable[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=32)).replace(day=1)


def _of_month(equipment: Sequence[Equipment], dice: random.Random, month: date, before: Sequence[Spell]) -> list[Spell]:
    """The month's own spells: breaks with repairs, hidden devices, flapping ones."""
    found: list[Spell] = []
    share = len(equipment) / 57
    plan = [
        *(["break"] * max(1, round(dice.randint(*BROKEN) * share))),
        *(["hide"] * max(1, round(dice.randint(*HIDDEN) * share))),
        *(["flap"] * dice.randint(*FLAPPING)),
    ]
    for what in plan:
        item = equipment[dice.randrange(len(equipment))]
        start = moment(month + timedelta(days=dice.randrange(28)), dice.uniform(1.5, 23.5))
        made = _MAKE[what](item, start, dice)
        if made and not _crowded(made, [*before, *found]):
            found += made
    return found


def _crowded(made: Sequence[Spell], others: Iterable[Spell]) -> bool:
    """Whether the same device has something else at about that time."""
    return any(
        one.code == other.code
        and one.start < (other.end or other.start) + APART
        and other.start < (one.end or one.start) + APART
        for other in others
        for one in made
    )


def _break(item: Equipment, start: datetime, dice: random.Random) -> list[Spell]:
    fault = dice.choice(ONLY.get(item.model.sample) or BREAKS[item.model.category])
    day = start.astimezone(ZONE).date() + timedelta(days=dice.choice(REPAIR_DAYS))
    return [Spell(item.code, fault, start, moment(day, dice.uniform(9.5, 17.0)))]


def _hide(item: Equipment, start: datetime, dice: random.Random) -> list[Spell]:
    fault = dice.choice(HIDES[item.model.protocol])
    longer = 1 if fault == "frozen" else 0  # only the second look at what stands still can tell
    day = start.astimezone(ZONE).date() + timedelta(days=dice.choice((1, 1, 1, 2)) + longer)
    return [Spell(item.code, fault, start, moment(day, dice.uniform(9.5, 16.0)))]


def _flap(item: Equipment, start: datetime, dice: random.Random) -> list[Spell]:
    """The same fault again and again, until the part is at last replaced."""
    fault = dice.choice(ONLY.get(item.model.sample) or BREAKS[item.model.category])
    spells = []
    for _again in range(dice.randint(3, 4)):
        day = start.astimezone(ZONE).date() + timedelta(days=1)
        end = moment(day, dice.uniform(9.0, 17.0))
        spells.append(Spell(item.code, fault, start, end))
        start = moment(day + timedelta(days=dice.choice((0, 1))), dice.uniform(18.0, 23.0))
    return spells


_MAKE = {"break": _break, "hide": _hide, "flap": _flap}


@dataclass(frozen=True, slots=True)
class Change:
    """A fault that is switched on or off at a moment."""

    at: datetime
    code: str
    fault: str
    on: bool


def changes(spells: Iterable[Spell]) -> list[Change]:
    """The switchings in order; at one moment what ends comes first."""
    out = [Change(s.start, s.code, s.fault, True) for s in spells]
    out += [Change(s.end, s.code, s.fault, False) for s in spells if s.end is not None]
    return sorted(out, key=lambda c: (c.at, c.on, c.code, c.fault))
