"""Where each obligation stands in this term: what was settled how, what is late now. One query for all of them.

The mark is the worst that counts: what was not done, then what nobody could prove, then what came late. A share of
what was kept never covers any of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.utils.translation import gettext as _

from yunwei.contract.schema import Obligation
from yunwei.duties.models import Occurrence, State
from yunwei.duties.queries import OPEN, overdue, stated_in_time
from yunwei.duties.schedule import WITHOUT_OCCURRENCES


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts of one obligation, or of several together. Of what is open: `overdue` is late, `stated` was said to be done
    and waits for the other side, `waiting` is everything else and in time."""

    kept: int = 0
    late: int = 0
    unproven: int = 0
    missed: int = 0
    exempt: int = 0
    waiting: int = 0
    stated: int = 0
    overdue: int = 0
    uncounted: int = 0
    next_due: datetime | None = None
    last_bad: datetime | None = None  # when the newest one fell due that was missed or not proven

    @property
    def settled(self) -> int:
        """What is settled and counts: exempt ones are taken out of the count."""
        return self.kept + self.late + self.unproven + self.missed

    @property
    def tone(self) -> str:
        """The tone of the worst: bad, unp, warn, ok, info (something waits), mut (nothing yet)."""
        marks = (
            (self.missed or self.overdue, "bad"),
            (self.unproven, "unp"),
            (self.late, "warn"),
            (self.kept, "ok"),
            (self.waiting or self.stated, "info"),
        )
        return next((tone for found, tone in marks if found), "mut")

    @property
    def word(self) -> str:
        """The worst in a word."""
        if self.overdue:
            return _("逾期未办")
        words = {
            "bad": _("有未履行"), "unp": _("有未证明"), "warn": _("有迟延"), "ok": _("全部按期"), "info": _("待履行"),
        }  # fmt: skip
        return words.get(self.tone, _("尚无到期"))

    @property
    def said(self) -> str:
        """The figures in words, without those that are zero."""
        named = (
            (self.overdue, _("逾期 {n}")), (self.missed, _("未履行 {n}")), (self.unproven, _("未证明 {n}")),
            (self.late, _("迟延 {n}")), (self.kept, _("按期 {n}")), (self.exempt, _("免责 {n}")),
            (self.stated, _("待确认 {n}")), (self.waiting, _("待履行 {n}")), (self.uncounted, _("不计分 {n}")),
        )  # fmt: skip
        return " · ".join(word.format(n=n) for n, word in named if n)


NOTHING = Standing()
_FIGURES = [f.name for f in fields(Standing) if f.type == "int"]


def worst(standings: Iterable[Standing]) -> Standing:
    """Several together: figures are added, so that the mark is the worst of them."""
    found = list(standings)
    due = [s.next_due for s in found if s.next_due]
    bad = [s.last_bad for s in found if s.last_bad]
    return Standing(
        **{name: sum(getattr(s, name) for s in found) for name in _FIGURES},
        next_due=min(due, default=None),
        last_bad=max(bad, default=None),
    )


def standings(now: datetime, only: str = "") -> dict[str, Standing]:
    """Every obligation that has an occurrence (or one alone), by id; one statement."""
    yes = Q(counts=True)
    late, stated = overdue(now), Q(state__in=OPEN, due_at__lt=now) & Q(stated_in_time())
    settled = {
        name: Count("id", filter=yes & Q(state=state))
        for name, state in (
            ("kept", State.KEPT), ("late", State.LATE), ("unproven", State.UNPROVEN), ("missed", State.MISSED),
            ("exempt", State.EXEMPT),
        )
    }  # fmt: skip
    rows: Any = (
        Occurrence.objects.filter(**({"obligation": only} if only else {}))
        .values("obligation")
        .annotate(
            **settled,
            overdue=Count("id", filter=yes & late),
            stated=Count("id", filter=yes & stated),
            waiting=Count("id", filter=yes & Q(state__in=OPEN) & (Q(due_at__isnull=True) | Q(due_at__gte=now))),
            uncounted=Count("id", filter=Q(counts=False)),
            next_due=Min("due_at", filter=yes & Q(state__in=OPEN, due_at__gte=now)),
            last_bad=Max("due_at", filter=yes & Q(state__in=(State.MISSED, State.UNPROVEN))),
        )
        .order_by()
    )
    return {str(row.pop("obligation")): Standing(**row) for row in rows}


def never_due(obligation: Obligation) -> bool:
    """Whether nothing ever falls due: a breach or a missing consent is recorded when it happens."""
    return obligation.kind in WITHOUT_OCCURRENCES
