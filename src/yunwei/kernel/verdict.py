"""The verdict on one asset: law 1 of the house, "blind is not clean", decided in one place.

Pure Python: no Django, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a run proved about one asset."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNPROVEN = "unproven"


class Cause(StrEnum):
    """Who answers for something that was not proven (合同 4.1.3, 7.2.15, 7.2.9)."""

    VENDOR = "vendor"  # 乙方: its tools, its collectors and this software
    CLIENT = "client"  # 甲方, proven and answered
    THIRD = "third"  # a third party, proven and answered
    UNKNOWN = "unknown"  # not yet known; counts as 乙方's when the sheet freezes


class Reason(StrEnum):
    """Why an asset is unproven. Each has one sentence for people in the message catalogue."""

    NOT_REACHED = "not_reached"  # no answer from the address
    BUDGET = "budget"  # its time budget or the run's ended first
    AUTH = "auth"  # the device refused our credential
    GARBAGE = "garbage"  # an answer that is not the protocol
    PARTIAL = "partial"  # an answer that broke off or left a table unfinished
    NOTHING_EVALUATED = "nothing_evaluated"  # it answered, and no rule could judge anything
    STALE = "stale"  # the data is older than the plan allows
    FROZEN = "frozen"  # fields that must move did not move since the last sweep
    CONTROL_SILENT = "control_silent"  # the run's positive control did not fire
    IDENTITY_CHANGED = "identity_changed"  # another device answers under the pinned name
    IDENTITY_UNCONFIRMED = "identity_unconfirmed"  # pinned, and not yet confirmed with the client
    DUPLICATE = "duplicate"  # two assets answer as one device
    COLLECTOR_SILENT = "collector_silent"  # the zone's collector brought no result
    NOT_SUPPORTED = "not_supported"  # no vendor file or protocol fits


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one asset when its verdict is given.

    `problem` is the reason the collector itself gave (None when the answer was whole), `moved` is None on the
    first sweep and for vendors that name no moving field.
    """

    evaluated: int
    faults: int
    fresh: bool = True
    moved: bool | None = None
    control_fired: bool = False
    identity_ok: bool = True
    problem: Reason | None = None


def decide(seen: Seen) -> tuple[Verdict, Reason | None]:
    """Give the verdict on one asset and, when it is `unproven`, the first reason in the order below.

    An identity that is not the pinned one outranks everything: neither a fault nor health of *another* device
    says anything about this one. A frozen or stale answer proves nothing either way. A fault that was seen on
    the right device with moving data is a fault, even where the rest of the answer is missing or the control
    was silent: blindness can hide faults, never invent them.
    """
    reason = _wrong_source(seen)
    if reason is None and seen.faults > 0:
        return Verdict.FAIL, None
    reason = reason or _blindness(seen)
    return (Verdict.PASS, None) if reason is None else (Verdict.UNPROVEN, reason)


def _wrong_source(seen: Seen) -> Reason | None:
    """Why nothing that was seen says anything about this asset now, faults included."""
    if not seen.identity_ok:
        return seen.problem or Reason.IDENTITY_CHANGED
    if not seen.fresh:
        return Reason.STALE
    return Reason.FROZEN if seen.moved is False else None


def _blindness(seen: Seen) -> Reason | None:
    """Why health was not proven, though whatever was seen was healthy."""
    if seen.problem is not None:
        return seen.problem
    if seen.evaluated <= 0:
        return Reason.NOTHING_EVALUATED
    return None if seen.control_fired else Reason.CONTROL_SILENT
