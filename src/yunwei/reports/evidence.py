"""Evidence numbers of what a report says: found for all claims at once, written so that a count can be counted again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _

from yunwei.ledger.models import Entry

BATCH = 500


class Numbers:
    """Collects the ledger intakes that a report refers to, then knows their numbers."""

    def __init__(self) -> None:
        self._wanted: set[int] = set()
        self._known: dict[int, int] = {}

    def want(self, *intakes: int | None) -> None:
        """Remember intakes whose number will be asked for."""
        self._wanted.update(i for i in intakes if i is not None)

    def find(self) -> None:
        """Look all of them up, in one statement per 500."""
        rest = sorted(self._wanted - self._known.keys())
        for start in range(0, len(rest), BATCH):
            part = rest[start : start + BATCH]
            self._known.update(Entry.objects.filter(intake_id__in=part).values_list("intake_id", "seq"))

    def of(self, intake: int | None) -> int | None:
        """The number of an intake: 0 while it waits for one, None where nothing was ever recorded."""
        return None if intake is None else self._known.get(intake, 0)


def said(number: int | None) -> str:
    """An evidence number as documents print it; what has none says so."""
    if number is None:
        return _("无证据")
    return f"№ {number}" if number else _("待编号")


def ranges(numbers: Iterable[int | None]) -> str:
    """Many numbers in order, neighbours joined: "12–15、18". What waits or has none is counted in words."""
    given = list(numbers)
    known = sorted({n for n in given if n})
    parts: list[str] = []
    for first, last in _runs(known):
        parts.append(str(first) if first == last else f"{first}–{last}" if last > first + 1 else f"{first}、{last}")
    waiting, none = sum(1 for n in given if n == 0), sum(1 for n in given if n is None)
    if waiting:
        parts.append(_("待编号 {n} 条").format(n=waiting))
    if none:
        parts.append(_("无证据 {n} 条").format(n=none))
    return "、".join(parts) or "—"


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for n in numbers:
        if out and n == out[-1][1] + 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return out


def span(numbers: Iterable[int | None]) -> str:
    """Many numbers in few letters: the first and the last; all of them stand in the index at the end."""
    given = list(numbers)
    known = sorted(n for n in given if n)
    if not known:
        return said(0 if 0 in given else None) if given else "—"
    return f"№ {known[0]}" if len(known) == 1 else f"№ {known[0]}…{known[-1]}"
