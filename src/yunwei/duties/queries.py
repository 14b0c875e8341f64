"""What pages and commands ask: the occurrences of a day, and what will fall due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet

from yunwei.duties import sources
from yunwei.duties.models import ManualProof, Occurrence, State
from yunwei.duties.schedule import Due, occurrences

OPEN = (State.DUE, State.RUNNING)


def stated_in_time() -> Exists:
    """Of an occurrence: a proof was stated in time and waits for its answer. The receiver's delay is not the other's."""
    return Exists(
        ManualProof.objects.filter(occurrence=OuterRef("pk"), confirmed__isnull=True, stated_at__lte=OuterRef("due_at"))
    )


def overdue(now: datetime) -> Q:
    """Open, past its time, and nobody said in time that it was done."""
    return Q(state__in=OPEN, due_at__lt=now) & ~Q(stated_in_time())


@dataclass(frozen=True, slots=True)
class Upcoming:
    """What has not begun yet: it is computed, never stored, so that a plan may still change it."""

    title: str
    due: Due


def bounds(day_: date) -> tuple[datetime, datetime]:
    """The local midnights before and after a day, where the contract lives."""
    start = datetime.combine(day_, time(), ZoneInfo(sources.folder().contract.timezone))
    return start, start + timedelta(days=1)


def day(day_: date) -> QuerySet[Occurrence]:
    """What begins, falls due or was settled on a day, and what was open then and overdue; three statements in all."""
    start, end = bounds(day_)
    return (
        Occurrence.objects.filter(
            Q(due_at__gt=start, due_at__lte=end)
            | Q(starts_at__gte=start, starts_at__lt=end)
            | Q(settled_at__gte=start, settled_at__lt=end)
            | Q(state__in=OPEN, due_at__lte=start)
        )
        .order_by("due_at", "obligation", "period")
        .prefetch_related("claims", "proofs")
    )


def upcoming(now: datetime, until: datetime) -> list[Upcoming]:
    """What begins after now and by `until`, under the plan and calendar as they are now."""
    folder = sources.folder()
    titles = {o.id: o.title for o in folder.obligations}
    dues = occurrences(folder, sources.plans(), sources.events(), sources.calendar(), until)
    return [Upcoming(titles[due.obligation], due) for due in dues if due.starts_at > now]
