"""Where the schedule's inputs come from: the instance's contract folder, approved plans, recorded events, calendar."""

from __future__ import annotations

import os
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from yunwei.contract import plans as contract_plans
from yunwei.contract.folder import load
from yunwei.contract.schema import Event, Folder, Obligation
from yunwei.duties.errors import DutyError
from yunwei.duties.models import CalendarYear, TriggerEvent
from yunwei.duties.schedule import EventAt, PlanAt
from yunwei.gm import sm3
from yunwei.kernel.calendar import Calendar, Schedule

DRAFT = "plan.yaml"
#: name and time of every file of the contract folder: what tells that it was changed
Stamp = tuple[tuple[str, int, int], ...]


def contract_dir() -> Path:
    """The contract folder of this instance. Raises DutyError in a process that belongs to none."""
    if settings.INSTANCE is None:
        raise DutyError(_("没有指定实例"), hint="YUNWEI_INSTANCE")
    return Path(settings.INSTANCE) / "contract"


def stamp() -> Stamp:
    """Changes when a file of the contract folder does."""
    with os.scandir(contract_dir()) as entries:  # asked many times a second: a glob costs ten times as much
        files = [(e.name, (s := e.stat()).st_mtime_ns, s.st_size) for e in entries if e.name.endswith(".yaml")]
    return tuple(sorted(files))


def digests() -> dict[str, str]:
    """The SM3 of every file that says what is owed, by name; the draft of the plan says nothing that counts."""
    return {f.name: sm3.hexdigest(f.read_bytes()) for f in sorted(contract_dir().glob("*.yaml")) if f.name != DRAFT}


def folder() -> Folder:
    """The contract of this instance. Raises ContractError when its folder does not load."""
    return _load(contract_dir(), stamp())


@lru_cache(maxsize=4)
def _load(directory: Path, _stamp: Stamp) -> Folder:
    return load(directory)


def obligation(obligation_id: str) -> Obligation:
    """The obligation of that id. Raises DutyError when the contract has none."""
    for known in folder().obligations:
        if known.id == obligation_id:
            return known
    raise DutyError(_("合同里没有义务“{id}”").format(id=obligation_id), hint="yunwei duty list")


def event_detail(kind: str) -> Event:
    """What the contract says about a kind of event. Raises DutyError when it knows none of that name."""
    known = folder().event_details
    for event in known:
        if event.id == kind:
            return event
    names = "、".join(e.id for e in known)
    raise DutyError(_("合同里没有触发事件“{kind}”").format(kind=kind), hint=names)


def plans() -> list[PlanAt]:
    """Every approved version of the service plan, with its approval day."""
    return [PlanAt(p.version, p.plan, p.counts_from) for p in contract_plans.approved_versions()]


def events() -> list[EventAt]:
    """Every recorded event that starts a clock."""
    rows = TriggerEvent.objects.filter(starts_clock=True).order_by("at", "id").values_list("id", "kind", "at")
    return [EventAt(str(pk), kind, at) for pk, kind, at in rows]


def calendar() -> Calendar:
    """The working calendar with the years that were imported here."""
    rows = tuple(CalendarYear.objects.order_by("year").values_list("year", "notice", "off", "work"))
    return _calendar(tuple((y, n, _items(off), _items(work)) for y, n, off, work in rows))


def _items(days: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(days.items()))


@lru_cache(maxsize=4)
def _calendar(years: tuple[Any, ...]) -> Calendar:
    return Calendar(
        Schedule(
            year,
            notice,
            {date.fromisoformat(d): name for d, name in off},
            {date.fromisoformat(d): name for d, name in work},
        )
        for year, notice, off, work in years
    )
