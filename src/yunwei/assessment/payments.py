"""The money as it stands: instalments with their clocks, the year's score, the price or what it still lacks, the balance.

No number stands here that nobody agreed to: while the formula is blank there is no price, and it is said what is missing
and who must act (合同 5.1). A negative balance is never paid: there is no claw-back clause, it goes to the parties.
Damages (9.3, 10) are claims and never mixed with the balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.assessment import price as pricing
from yunwei.assessment import sheets
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.explained import english
from yunwei.assessment.models import SetOff, Sheet, SheetState
from yunwei.contract import openitems
from yunwei.contract.closing import PRICE, READING, RUBRIC
from yunwei.contract.schema import Event, Folder, Instalment, Kind, Rubric
from yunwei.duties import sources
from yunwei.duties.models import Occurrence, State, TriggerEvent
from yunwei.duties.papers import File, bounded, said, stored
from yunwei.kernel.money import capitals, yuan
from yunwei.ledger import services as ledger

ZERO = Decimal(0)
PAID = frozenset({State.KEPT, State.LATE})


@dataclass(frozen=True, slots=True)
class Anchor:
    """An event that an instalment's clock needs; `at` None while it has not happened."""

    event: Event
    at: datetime | None
    number: int | None
    ignored: tuple[str, ...] = ()  # why recorded ones started no clock


@dataclass(frozen=True, slots=True)
class Part:
    """One instalment: what it comes to (None: not agreed yet), its anchors, its clock, whether it was paid."""

    instalment: Instalment
    amount: Decimal | None
    capitals: str
    anchors: list[Anchor]
    occurrence: Occurrence | None

    @property
    def paid(self) -> bool:
        """Whether the payment was proven and the receiver confirmed it."""
        return self.occurrence is not None and self.occurrence.state in PAID


@dataclass(frozen=True, slots=True)
class Missing:
    """What the price still lacks, and who must act. `item` is an open item's id, `month` a month's name, or empty."""

    what: str
    who: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """The whole account. `price` and `balance` are None while something is missing."""

    total: Decimal
    parts: list[Part]
    frozen: list[Sheet]
    score: Decimal | None
    price: Decimal | None
    missing: list[Missing]
    paid: Decimal
    set_offs: list[SetOff]
    balance: Decimal | None

    @property
    def negative(self) -> bool:
        """Paid more than the price: nothing is paid, the parties negotiate (待协商)."""
        return self.balance is not None and self.balance < 0


def statement() -> Statement:
    """The account as the books stand now."""
    folder = sources.folder()
    parts = [_part(folder, one) for one in folder.contract.instalments]
    months = {m.name: m for m in sheets.months(folder)}
    frozen = list(Sheet.objects.filter(state=SheetState.FROZEN, month__in=months))
    missing = _missing(folder, frozen)
    score = pricing.mean([(row.score, row.days) for row in frozen]) if frozen else None
    total, rubric = folder.contract.price.amount, folder.rubric
    final = None
    if not missing and score is not None and rubric is not None:
        final = pricing.final_price(total, score, rubric.price)
    paid = sum((part.amount for part in parts if part.paid and part.amount is not None), ZERO)
    offs = list(SetOff.objects.select_related("claimed_by", "answered_by"))
    left = None
    if final is not None:
        left = pricing.balance(final, [paid], [off.amount for off in offs if off.accepted])
    return Statement(total, parts, frozen, score, final, missing, yuan(paid), offs, left)


def _missing(folder: Folder, frozen: Sequence[Sheet]) -> list[Missing]:
    """Everything that stands between the books and a price, with who must act."""
    owners = {"A": _("甲方"), "B": _("乙方"), "AB": _("双方")}
    found = [
        Missing(item.title_en if english() else item.title, owners.get(item.owner, item.owner), item.id)
        for function in (READING, RUBRIC, PRICE)
        if (item := openitems.blocked(folder, function)) is not None
    ]
    rubric = folder.rubric
    if rubric is None:
        found.append(Missing(_("合同目录没有评分标准"), owners["AB"]))
    elif not rubric.price and not any(m.item for m in found):
        found.append(Missing(_("评分标准没有价款函数"), owners["AB"]))
    if rubric is not None and not any(m.item for m in found):
        others = [row.month for row in frozen if not sheets.adopted(folder, msgspec.convert(row.rubric, Rubric))]
        if others:  # scored by something that nobody signed: no price follows from it
            named = "、".join(sorted(others))
            found.append(
                Missing(_("这些月份不是按双方签署的评分标准定分的：{months}").format(months=named), owners["AB"])
            )
    counted = [m.name for m in sheets.months(folder) if _counts(folder, m)]
    left = sorted(set(counted) - {row.month for row in frozen})
    if left:
        named = "、".join(left) if len(left) <= 3 else _("{first} 至 {last}").format(first=left[0], last=left[-1])
        found.append(Missing(_("还有 {n} 个月没有定分：{months}").format(n=len(left), months=named), owners["A"]))
    return found


def _counts(folder: Folder, month: sheets.Month) -> bool:
    """Whether anything of a month is judged, or the month has not come: then it still will be."""
    start, end = sheets.bounds(folder, month)
    if folder.rubric is None:
        return True
    judged = {o for item in folder.rubric.items for o in item.obligations}
    begun = Occurrence.objects.filter(starts_at__gte=end).exists()  # the books have gone past this month
    return (
        not begun
        or Occurrence.objects.filter(counts=True, obligation__in=judged, due_at__gt=start, due_at__lte=end).exists()
    )


def _part(folder: Folder, one: Instalment) -> Part:
    duty = next((o for o in folder.obligations if o.instalment == one.id and o.kind is Kind.PAY), None)
    row = Occurrence.objects.filter(obligation=duty.id).order_by("-starts_at").first() if duty else None
    events = {e.id: e for e in folder.event_details}
    anchors = [_anchor(events[name]) for name in one.anchors if name in events]
    amount = _amount(folder, one, anchors)
    return Part(one, amount, capitals(amount) if amount is not None and amount >= 0 else "", anchors, row)


def _anchor(event: Event) -> Anchor:
    rows = list(TriggerEvent.objects.filter(kind=event.id).order_by("at", "id"))
    started = [row for row in rows if row.starts_clock]
    ignored = tuple(row.why for row in rows if not row.starts_clock)
    if not started:
        return Anchor(event, None, None, ignored)
    number = ledger.number_of(started[0].evidence) if started[0].evidence else None
    return Anchor(event, started[0].at, number, ignored)


def _amount(folder: Folder, one: Instalment, anchors: Sequence[Anchor]) -> Decimal | None:
    """What an instalment comes to: the contract's figure, but the last one waits for the price (5.2.1b with 5.1)."""
    if one.id != folder.contract.instalments[-1].id or not any(not a.event.instalment for a in anchors):
        return one.amount
    confirmed = (
        TriggerEvent.objects.filter(kind__in=one.anchors, subject__has_key="amount")
        .exclude(kind__in=[a.event.id for a in anchors if a.event.instalment])
        .order_by("-at", "-id")
        .first()
    )
    if confirmed is None:
        return None
    before = sum((other.amount for other in folder.contract.instalments[:-1]), ZERO)
    return yuan(Decimal(confirmed.subject["amount"]) - before)


# --- set-off ----------------------------------------------------------------------------------------------------------


def set_off_clauses(folder: Folder) -> list[str]:
    """The clauses that let 甲方 take something off a payment; every other loss is a claim (`claims`)."""
    return [c.id for c in folder.clauses if any(r.kind == "set_off" and r.against == "B" for r in c.remedies)]


def set_off(amount: Decimal, *, ground: str, file: File | None, by: Account, now: datetime, clause: str = "") -> SetOff:
    """甲方 takes an amount off the payments by a clause that allows it (the first one that does), with ground and proof.

    Raises AssessmentError, also for a clause that gives a claim and no set-off (合同 7.1.3, 9.3, 10).
    """
    allowed = set_off_clauses(sources.folder())
    clause = clause or next(iter(allowed), "")
    if not by.is_active or by.role not in sheets.SCORERS:
        raise AssessmentError(_("抵扣由甲方提出"), where=by.username)
    if amount <= 0 or amount != yuan(amount):
        raise AssessmentError(_("金额须为正数，至多到分"), where=str(amount))
    if clause not in allowed:
        raise AssessmentError(
            _("这一条不许抵扣，损失另案主张"), where=clause or "—", hint="、".join(allowed) or _("合同没有抵扣条款")
        )
    told = said(ground, str(amount), AssessmentError)
    with transaction.atomic():
        artifact = stored(file, str(amount), AssessmentError)
        row = SetOff.objects.create(
            amount=amount,
            clause=clause,
            ground=told,
            artifact=artifact.commitment,
            file_name=file.shown if file else "",
            claimed_by=by,
            claimed_at=now,
        )
        data: dict[str, Any] = {"id": row.pk, "amount": str(amount), "ground": told, "clause": clause}
        _record("claimed", row, data, by, now, (artifact,))
    return row


def answer(set_off_id: int, *, accept: bool, text: str, by: Account, now: datetime) -> SetOff:
    """乙方 accepts a set-off, or disputes it with a reason: disputed, it is shown and not counted. Raises AssessmentError."""
    if not by.is_active or by.role not in sheets.DEFENDERS:
        raise AssessmentError(_("由乙方项目经理答复"), where=by.username)
    with transaction.atomic():
        row = SetOff.objects.select_for_update().filter(pk=set_off_id).first()
        if row is None:
            raise AssessmentError(_("没有这笔抵扣"), where=str(set_off_id))
        if row.accepted is not None:
            raise AssessmentError(_("这笔抵扣已有答复"), where=str(row.amount))
        where = str(row.amount)
        row.accepted, row.answered_by, row.answered_at = accept, by, now
        row.answer = bounded(text.strip(), where, AssessmentError) if accept else said(text, where, AssessmentError)
        row.save(update_fields=["accepted", "answered_by", "answered_at", "answer"])
        _record("accepted" if accept else "disputed", row, {"id": row.pk, "answer": row.answer}, by, now, ())
    return row


def _record(
    step: str, row: SetOff, data: dict[str, Any], by: Account, now: datetime, artifacts: tuple[Any, ...]
) -> None:
    intake = ledger.record(
        f"assessment.set_off.{step}", f"set-off:{row.pk}", data, at=now, actor=by.username, artifacts=artifacts,
        clauses=(row.clause,) if row.clause else (),
    )  # fmt: skip
    row.evidence = intake.pk
    row.save(update_fields=["evidence"])
