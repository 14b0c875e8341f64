"""The states of an occurrence and the only way from one to another; each step is in the ledger with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yunwei.duties.errors import DutyError
from yunwei.duties.models import Occurrence, State
from yunwei.ledger import services as ledger

JSON = Any

#: late means done after the due time; so what was missed may still become late, never kept
TRANSITIONS: Mapping[str, frozenset[str]] = {
    State.DUE: frozenset({State.RUNNING, State.KEPT, State.LATE, State.MISSED, State.UNPROVEN, State.EXEMPT}),
    State.RUNNING: frozenset({State.KEPT, State.LATE, State.UNPROVEN, State.DUE, State.MISSED}),
    # to due only when the clock had run ahead (running.reopen_early)
    State.UNPROVEN: frozenset({State.RUNNING, State.KEPT, State.LATE, State.EXEMPT, State.DUE}),
    # to due when a provisional due date turns out to be later (services.bring_up_to_date), or the clock had run ahead
    State.MISSED: frozenset({State.RUNNING, State.LATE, State.EXEMPT, State.DUE}),
    State.LATE: frozenset({State.EXEMPT, State.KEPT}),  # to kept: the same reason
    State.KEPT: frozenset(),
    State.EXEMPT: frozenset(),
}
OPEN = frozenset({State.DUE, State.RUNNING})


def locked(occurrence_id: int) -> Occurrence:
    """The occurrence, held until the transaction ends. Raises DutyError when there is none."""
    row = Occurrence.objects.select_for_update().filter(pk=occurrence_id).first()
    if row is None:
        raise DutyError(_("没有这项履行"), where=str(occurrence_id))
    return row


def move(
    row: Occurrence,
    to: State,
    *,
    now: datetime,
    actor: str,
    data: Mapping[str, JSON] | None = None,
    cause: str = "",
    detail: str = "",
    done_at: datetime | None = None,
) -> Occurrence:
    """Move a locked occurrence and record it, in the caller's transaction. Raises DutyError when it may not move so."""
    if to not in TRANSITIONS[row.state]:
        raise DutyError(
            _("“{was}”的履行不能变为“{to}”").format(was=row.get_state_display(), to=to.label), where=row.key
        )
    was, row.state = row.state, to
    row.cause = cause if to is State.UNPROVEN else ""
    row.detail = detail[:300]
    row.done_at = done_at
    row.settled_at = None if to in OPEN else now
    told: dict[str, JSON] = {
        "was": was,
        "due": row.due_at.isoformat() if row.due_at else None,
        "counts": row.counts,
        **({"cause": row.cause} if row.cause else {}),
        **({"detail": row.detail} if row.detail else {}),
        **({"done": done_at.isoformat()} if done_at else {}),
        **dict(data or {}),
    }
    intake = ledger.record(
        f"duties.occurrence.{to.value}", row.key, told, at=now, actor=actor, clauses=tuple(row.clauses)
    )
    row.evidence = intake.pk
    row.save(update_fields=["state", "cause", "detail", "done_at", "settled_at", "evidence", "coverage"])
    return row


def in_time(row: Occurrence, done_at: datetime) -> State:
    """Kept or late, by when it was done; without a due time nothing is late."""
    return State.KEPT if row.due_at is None or done_at <= row.due_at else State.LATE
