"""How a contract year ends, as data (`year_end.yaml`): which events and obligations acceptance, rectification and handover
hang on, and what of each technical, service and safety standard is owed and proven (政府采购法实施条例 45, 合同 4.1.1-2).

Nothing here makes a clock: the clocks are the obligations' own, and the events start them. Pure, no I/O.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Group(StrEnum):
    """What a requirement is about: the three that an acceptance certificate answers one by one (采购条例 45)."""

    TECHNICAL = "technical"
    SERVICE = "service"
    SAFETY = "safety"


class Level(StrEnum):
    """Where a standard stands (合同 4.1.1-4.1.2): the strictest of those that exist is chosen, never below a mandatory one."""

    MANDATORY = "mandatory"
    NATIONAL = "national"
    LOCAL = "local"
    INDUSTRY = "industry"
    ENTERPRISE = "enterprise"
    USUAL = "usual"  # what is usual or fits the purpose, where there is no standard


class Standard(msgspec.Struct, frozen=True, omit_defaults=True):
    """A standard that could be measured by."""

    number: str  # GB/T 22239-2019
    title: str
    level: Level


class Requirement(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the table of requirements and checks: the standards there are, the one chosen and why it is the strictest,
    and the obligations whose evidence proves it. `proven_by` empty: nothing proves it, and that is said."""

    id: str
    group: Group
    title: str
    title_en: str
    chosen: str  # number of one of `standards`
    why: str
    why_en: str
    standards: list[Standard]
    proven_by: list[str] = msgspec.field(default_factory=list)


class YearEnd(msgspec.Struct, frozen=True, omit_defaults=True):
    """year_end.yaml. Events are those of obligations.yaml, which people record; obligations carry the clocks.

    `document` is what both signed the requirements by; without one they are 乙方's proposal and are shown as that.
    """

    passed: str  # event: the year was accepted
    failed: str  # event: it was not
    ordered: str  # event: 甲方 ordered a rectification
    ended: str  # event: the year's work has ended
    rectify: str  # obligation whose occurrence an order starts
    rectify_failed: str  # obligation whose occurrence a failed acceptance starts
    summary: str  # obligation: the annual summary report
    handover: str  # obligation: the signed lists
    returns: list[str]  # obligations: what goes back
    acceptance_clauses: list[str]
    rectify_clauses: list[str]
    handover_clauses: list[str]
    timers: list[str] = msgspec.field(default_factory=list)  # obligations: filing and publication, of both parties
    reading: list[str] = msgspec.field(default_factory=list)  # obligations: reading again after the end
    accounts: list[str] = msgspec.field(default_factory=list)  # obligations: temporary accounts and credentials
    requirements: list[Requirement] = msgspec.field(default_factory=list)
    document: str = ""
    note: str = ""
