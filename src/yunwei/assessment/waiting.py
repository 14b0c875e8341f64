"""What about the worth of the work waits for whom: a month to score or to sign, an appeal, a set-off, a closing document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _

from yunwei.assessment import rectify, sheets, year
from yunwei.assessment.models import Appeal, Conflict, Demand, Majeure, SetOff, Sheet, SheetState
from yunwei.assessment.models_year import Acceptance, HandoverItem
from yunwei.contract.models import Closing, Supplement
from yunwei.contract.schema import Folder
from yunwei.duties.dealing_waits import turns
from yunwei.duties.models import Occurrence
from yunwei.ledger import restored


@dataclass(frozen=True, slots=True)
class Waits:
    """One thing that waits: for which side, since when, in words, and the page where it is done (name, argument)."""

    side: str
    what: str
    since: datetime
    page: str
    argument: str = ""


def waiting(folder: Folder, now: datetime) -> list[Waits]:
    """All of it, the oldest first; as many statements whatever the size of the books."""
    found = [
        *_months(folder, now),
        *_appeals(),
        *_set_offs(),
        *_closings(),
        *_between(),
        *_year(folder),
        *_orders(now),
        *_handover(),
        *(Waits(*turn) for turn in turns(folder, now)),
        *_restored(),
    ]
    return sorted(found, key=lambda one: one.since)


def _months(folder: Folder, now: datetime) -> list[Waits]:
    if folder.rubric is None:
        return []
    known = {row.month: row for row in Sheet.objects.all()}
    judged = {o for item in folder.rubric.items for o in item.obligations}
    zone = ZoneInfo(folder.contract.timezone)
    counted = {
        f"{month:%Y-%m}"
        for month in Occurrence.objects.filter(counts=True, obligation__in=judged)
        .annotate(month=TruncMonth("due_at", tzinfo=zone))
        .values_list("month", flat=True)
        .distinct()
        if month is not None
    }
    found = []
    for month in sheets.months(folder):
        _start, end = sheets.bounds(folder, month)
        row = known.get(month.name)
        if row is None and end <= now and month.name in counted:
            found.append(Waits("A", _("{month} 待评分").format(month=month.name), end, "sheet", month.name))
        elif row is not None and row.state == SheetState.SCORED and row.appeal_until < now:
            text = _("{month} 申诉期满，待定分").format(month=month.name)
            found.append(Waits("A", text, row.appeal_until, "sheet", month.name))
        elif row is not None and row.state == SheetState.SCORED:
            text = _("{month} 已评分，可申诉").format(month=month.name)
            found.append(Waits("B", text, row.scored_at, "sheet", month.name))
        elif row is not None and row.signed is None and row.frozen_at is not None:
            found.append(Waits("B", _("{month} 待签认").format(month=month.name), row.frozen_at, "sheet", month.name))
    return found


def _appeals() -> list[Waits]:
    rows = Appeal.objects.filter(decided_at__isnull=True).select_related("sheet")
    return [
        Waits("A", _("{month} 的申诉：{line}").format(month=r.sheet.month, line=r.line), r.appealed_at, "sheet", r.sheet.month)
        for r in rows
    ]  # fmt: skip


def _set_offs() -> list[Waits]:
    rows = SetOff.objects.filter(accepted__isnull=True)
    return [Waits("B", _("抵扣 ¥ {amount:,.2f}").format(amount=r.amount), r.claimed_at, "payment") for r in rows]


def _closings() -> list[Waits]:
    rows = Closing.objects.filter(confirmed__isnull=True).select_related("proposed_by__organisation")
    return [
        Waits("A" if r.proposed_by.party == "B" else "B", _("了结文件：{title}").format(title=r.answer["document"]["title"]),
              r.proposed_at, "open-item", r.item)
        for r in rows
    ]  # fmt: skip


def _year(folder: Folder) -> list[Waits]:
    """The last round of accepting the year: 甲方 decides, then 乙方 countersigns."""
    row = Acceptance.objects.filter(year=year.of(folder).key).order_by("-round").first()
    if row is None or row.signed is not None:
        return []
    if row.decided_at is None:
        return [Waits("A", _("第 {n} 次验收待甲方决定").format(n=row.round), row.submitted_at, "acceptance")]
    return [Waits("B", _("第 {n} 次验收的结论待乙方签认").format(n=row.round), row.decided_at, "acceptance")]


def _orders(now: datetime) -> list[Waits]:
    """Rectifications: 乙方 puts right, 甲方 checks again and answers about the moment."""
    found = []
    for row in rectify.everything():
        there, name = rectify.standing(row, now), rectify.name(row)
        if there.state in ("open", "overdue"):
            word = _("{order} 逾期未整改") if there.state == "overdue" else _("{order} 待整改")
            since = there.last.checked_at if there.last and there.last.checked_at else row.ordered_at
            found.append(Waits("B", word.format(order=name), since, "rectification", str(row.pk)))
        elif there.state == "reported" and there.last is not None:
            found.append(
                Waits("A", _("{order} 待复检").format(order=name), there.last.reported_at, "rectification", str(row.pk))
            )
        if row.disputed_at is not None and row.dispute_answered_at is None:
            found.append(
                Waits("A", _("{order} 的期限有异议").format(order=name), row.disputed_at, "rectification", str(row.pk))
            )
    return found


def _restored() -> list[Waits]:
    """The ledger was restored from a backup: 甲方 compares with the heads it holds and answers."""
    return [
        Waits(
            "A",
            _("从备份恢复，丢失 {n} 条记录，待确认").format(n="?" if r.lost is None else r.lost),
            r.at,
            "evidence-restored",
        )
        for r in restored.waiting()
    ]


def _handover() -> list[Waits]:
    """Items of an open list that a side has neither signed nor refused, one line a side."""
    left = ~Q(given=False) & ~Q(received=False)
    told = HandoverItem.objects.filter(left).aggregate(
        b=Count("pk", filter=Q(given__isnull=True)),
        a=Count("pk", filter=Q(received__isnull=True)),
        since=Min("handover__opened_at"),
    )
    return [
        Waits(side, _("移交清单 {n} 项待签").format(n=told[side.lower()]), told["since"], "handover")
        for side in ("A", "B")
        if told[side.lower()]
    ]


def _between() -> list[Waits]:
    """Claims, cases of force majeure, conflicts of rules and supplements that one side has to answer; four statements."""
    other = {"A": "B", "B": "A"}
    found = [
        Waits(other[r.side], _("索赔：{ground}").format(ground=r.ground), r.said_at, "claims")
        for r in Demand.objects.filter(outcome="")
    ]
    found += [
        Waits(other[r.side], _("不可抗力卷宗 {n}").format(n=r.pk), r.said_at, "majeure", str(r.pk))
        for r in Majeure.objects.filter(accepted__isnull=True).exclude(claims=[])
    ]
    found += [
        Waits("A", _("规则冲突：{title}").format(title=r.title), r.sent_at or r.said_at, "conflicts")
        for r in Conflict.objects.filter(holds="")
    ]
    found += [
        Waits(other.get(r.proposed_by.party, "A"), _("补充文件：{title}").format(title=r.content["document"]["title"]),
              r.proposed_at, "supplements")
        for r in Supplement.objects.filter(confirmed__isnull=True).select_related("proposed_by__organisation")
    ]  # fmt: skip
    return found
