"""Interest that a statute gives on late payment, only where the side it protects has declared itself (open item closed).

For an institution that pays a small or medium enterprise the regulation gives 0.05 % a day where nothing was agreed
(保障中小企业款项支付条例). The rate, the statute and who must declare are data of the contract (between.yaml). Interest
stands beside the account and is never part of an instalment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from yunwei.assessment.payments import Part
from yunwei.contract import openitems
from yunwei.contract.between import Late
from yunwei.contract.schema import Folder
from yunwei.duties.models import ManualProof
from yunwei.kernel.money import HUNDRED, yuan


@dataclass(frozen=True, slots=True)
class Interest:
    """Interest on one instalment: from the day after `due` to `until`, both inside, `days` calendar days."""

    part: Part
    principal: Decimal
    due: date
    until: date
    days: int
    amount: Decimal
    running: bool  # not paid yet: it grows
    provisional: bool  # the due day rests on a year whose holidays are not published


def rule(folder: Folder) -> Late | None:
    """The statute's rule, where its side has declared itself; else None, and there is no interest at all."""
    late = folder.between.late if folder.between else None
    if late is None or openitems.blocked(folder, late.function) is not None:
        return None
    declared = any(i.blocks == late.function and late.by in i.owner and i.closed_by for i in folder.open_items)
    return late if declared else None


def simple(principal: Decimal, per_day: Decimal, days: int) -> Decimal:
    """Simple interest in yuan, to the fen, half up: `per_day` per cent a day."""
    return yuan(principal * per_day / HUNDRED * max(days, 0))


def owed(folder: Folder, parts: Sequence[Part], now: datetime) -> list[Interest]:
    """Interest on every instalment that was or is paid late; empty without the declaration."""
    late = rule(folder)
    if late is None:
        return []
    zone = ZoneInfo(folder.contract.timezone)
    said = _stated([p.occurrence.pk for p in parts if p.occurrence is not None])
    found = [_of(part, late, said, now, zone) for part in parts]
    return [one for one in found if one is not None and one.days > 0]


def _of(part: Part, late: Late, said: dict[int, datetime], now: datetime, zone: ZoneInfo) -> Interest | None:
    row = part.occurrence
    if row is None or row.due_at is None or part.amount is None or part.amount <= 0:
        return None
    due = (row.due_at - timedelta(microseconds=1)).astimezone(zone).date()  # 24:00 belongs to its day
    paid_at = (row.done_at or said.get(row.pk)) if part.paid else said.get(row.pk)
    until = (paid_at or now).astimezone(zone).date()
    days = (until - due).days
    amount = simple(part.amount, late.per_day, days)
    return Interest(part, part.amount, due, until, days, amount, paid_at is None, row.provisional)


def _stated(occurrences: Sequence[int]) -> dict[int, datetime]:
    """When payment was first stated and not refused: from then on the receiver's silence costs the payer nothing."""
    found: dict[int, datetime] = {}
    rows = ManualProof.objects.filter(occurrence__in=occurrences).exclude(confirmed=False).order_by("stated_at")
    for occurrence, at in rows.values_list("occurrence_id", "stated_at"):
        found.setdefault(occurrence, at)
    return found
