"""Which limit judges a reading: the most specific that fits, component before device before place before general."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from yunwei.contract.schema import Limit


def limits_for(
    limits: Iterable[Limit], *, kind: str, place: str = "", device: str = "", component: str = ""
) -> Limit | None:
    """The limit of a plan for one reading; None when none fits.

    What a limit leaves empty fits anything; `component` may hold `*`. One that names the component outranks one that
    names only the device, that one outranks the place; among patterns the longer one is the more specific.
    """
    fitting = [limit for limit in limits if limit.kind == kind and _fits(limit, place, device, component)]
    return max(fitting, key=_specific, default=None)


def _fits(limit: Limit, place: str, device: str, component: str) -> bool:
    return (
        limit.place in {"", place}
        and limit.device in {"", device}
        and (not limit.component or fnmatchcase(component, limit.component))
    )


def _specific(limit: Limit) -> tuple[bool, bool, bool, bool, int]:
    exact = bool(limit.component) and "*" not in limit.component
    return bool(limit.component), bool(limit.device), bool(limit.place), exact, len(limit.component)
