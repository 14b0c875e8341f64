"""Rectification orders (合同 4.3.2, 7.1.4): 甲方 orders with a moment, 乙方 reports with a file, 甲方 checks again, until it
conforms. The order is an event that starts the contract's own clock; the moment in the order is 甲方's 合理时间, which
乙方 may dispute once. Where an order stands is derived from its rounds, never stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.assessment import year
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.models_year import Acceptance, Order, Recheck
from yunwei.desk.models import Ticket
from yunwei.duties import services as duties
from yunwei.duties import sources
from yunwei.duties.models import Occurrence
from yunwei.duties.papers import File, bounded, said, stored
from yunwei.inspect.models import Finding

#: characters of an event's note
NOTE = 280
#: an order reaches this far at most; a moment beyond it is a slip of the keyboard
FARTHEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order stands: "open", "overdue", "reported" (waits for 甲方) or "conforming"."""

    state: str
    rounds: int
    last: Recheck | None


def standing(order: Order, now: datetime) -> Standing:
    """From its rounds alone; `order.rounds` may be prefetched."""
    rounds = sorted(order.rounds.all(), key=lambda r: r.number)
    last = rounds[-1] if rounds else None
    if last is not None and last.conforming:
        return Standing("conforming", len(rounds), last)
    if last is not None and last.conforming is None:
        return Standing("reported", len(rounds), last)
    return Standing("overdue" if now > order.due else "open", len(rounds), last)


def everything() -> list[Order]:
    """All orders with their rounds; two statements."""
    return list(Order.objects.select_related("ordered_by", "event").prefetch_related("rounds__reported_by"))


def unfinished(orders: Iterable[Order], now: datetime) -> list[Order]:
    """The orders that do not conform yet."""
    return [order for order in orders if standing(order, now).state != "conforming"]


def name(order: Order) -> str:
    """An order as pages and messages call it."""
    return _("整改 {n}").format(n=order.pk)


def subject(about: str) -> str:
    """What an order is about, in words; an occurrence and a ticket keep the names that people know them by."""
    kind, _colon, rest = about.partition(":")
    if kind == "finding":
        return _("故障 {n}").format(n=rest)
    if kind == "acceptance":
        key, _slash, number = rest.partition("/")
        return _("{year} 年度第 {n} 次验收").format(year=key, n=number)
    return about


# --- 甲方 orders ------------------------------------------------------------------------------------------------------


def order(
    what: str, *, clause: str, due_at: datetime, about: str = "", file: File | None, by: Account, now: datetime
) -> Order:
    """甲方 orders something to be put right. Raises AssessmentError for others, an unknown clause or subject, a moment that
    is not ahead, or without words and file.

    `about` names what it is about: an occurrence (S1.2:2026-04-07), finding:7, a ticket number or acceptance:2026/1.
    """
    year.may(by, year.CLIENT, _("整改由甲方项目负责人或分管领导提出"))
    folder = sources.folder()
    ends = year.end_of(folder)
    told = said(what, clause, AssessmentError)
    if clause not in {c.id for c in folder.clauses}:
        raise AssessmentError(_("没有条款 {clause}").format(clause=clause), where=clause[:40])
    if due_at.tzinfo is None or not now < due_at <= now + FARTHEST:
        raise AssessmentError(_("整改期限须带时区，且在现在之后"), where=due_at.isoformat())
    _about(about)
    paper = stored(file, clause, AssessmentError)
    with transaction.atomic():
        event = duties.record_event(
            ends.ordered,
            at=now,
            by=by,
            now=now,
            file=file,
            note=told[:NOTE],
            subject={"about": about} if about else None,
        )
        row = Order.objects.create(
            what=told, clause=clause, about=about, due_at=due_at, artifact=paper.commitment,
            file_name=file.shown if file else "", event=event, ordered_by=by, ordered_at=now,
        )  # fmt: skip
        data = {
            "id": row.pk,
            "what": told,
            "clause": clause,
            "about": about,
            "due": due_at.isoformat(),
            "event": event.pk,
        }
        year.note("order.made", row, _subject(row), data, by, now, [clause, *ends.rectify_clauses], (paper,))
    return row


def _subject(row: Order) -> str:
    return f"order:{row.pk}"


def _about(about: str) -> None:
    """Whether what an order is about is there. Raises AssessmentError."""
    if not about:
        return
    kind, _colon, rest = about.partition(":")
    if kind == "finding":
        there = rest.isdecimal() and len(rest) < 19 and Finding.objects.filter(pk=int(rest)).exists()
    elif kind == "acceptance":
        key, _slash, number = rest.partition("/")
        there = number.isdecimal() and len(number) < 5 and Acceptance.objects.filter(year=key, round=number).exists()
    elif rest:
        there = Occurrence.objects.filter(obligation=kind, period=rest).exists()
    else:
        there = Ticket.objects.filter(number=about).exists()
    if not there:
        hint = "S1.2:2026-04-07、finding:7、T-2026-0001、acceptance:2026/1"
        raise AssessmentError(_("没有这个对象"), where=about[:60], hint=hint)


def _locked(order_id: int) -> Order:
    row = Order.objects.select_for_update().filter(pk=order_id).select_related("event").first()
    if row is None:
        raise AssessmentError(_("没有这份整改通知"), where=str(order_id))
    return row


# --- the moment, disputed ---------------------------------------------------------------------------------------------


def dispute(order_id: int, *, until: datetime, reason: str, by: Account, now: datetime) -> Order:
    """乙方 says that the moment is not reasonable, and which one is. Once, and before the order conforms."""
    year.may(by, year.VENDOR, _("整改期限由乙方项目经理提出异议"))
    with transaction.atomic():
        row = _locked(order_id)
        if row.disputed_at is not None:
            raise AssessmentError(_("已经提出过异议"), where=name(row))
        if standing(row, now).state == "conforming":
            raise AssessmentError(_("已经符合，无从异议"), where=name(row))
        if until.tzinfo is None or not row.due_at < until <= now + FARTHEST:
            raise AssessmentError(_("提出的期限须晚于甲方指定的期限"), where=until.isoformat())
        row.dispute, row.asked_due = said(reason, name(row), AssessmentError), until
        row.disputed_by, row.disputed_at = by, now
        row.save()
        data = {"id": row.pk, "until": until.isoformat(), "reason": row.dispute}
        year.note("order.disputed", row, _subject(row), data, by, now, [row.clause])
    return row


def answer_dispute(order_id: int, *, until: datetime | None, reason: str, by: Account, now: datetime) -> Order:
    """甲方 moves the moment, or lets its own stand (`until` None), with a reason either way."""
    year.may(by, year.CLIENT, _("期限的异议由甲方答复"))
    with transaction.atomic():
        row = _locked(order_id)
        if row.disputed_at is None or row.dispute_answered_at is not None:
            raise AssessmentError(_("没有待答复的异议"), where=name(row))
        if until is not None and (until.tzinfo is None or not row.due_at < until <= now + FARTHEST):
            raise AssessmentError(_("改定的期限须晚于原来的期限"), where=until.isoformat())
        row.dispute_answer, row.moved_due = said(reason, name(row), AssessmentError), until
        row.dispute_answered_by, row.dispute_answered_at = by, now
        row.save()
        data = {"id": row.pk, "until": until.isoformat() if until else None, "reason": row.dispute_answer}
        year.note("order.dispute_answered", row, _subject(row), data, by, now, [row.clause])
    return row


# --- 乙方 reports, 甲方 checks again ------------------------------------------------------------------------------------


def report(order_id: int, *, statement: str, file: File | None, by: Account, now: datetime) -> Recheck:
    """乙方 says that it is put right, with a file; the same is stated on the clock that the order started.

    Raises AssessmentError while a report waits for 甲方, when the order conforms already, without words or file.
    """
    year.may(by, year.WORKERS, _("整改由乙方项目经理或驻场工程师报告"))
    ends = year.end_of(sources.folder())
    with transaction.atomic():
        row = _locked(order_id)
        there = standing(row, now)
        if there.state in ("reported", "conforming"):
            word = _("已报告，待甲方复检") if there.state == "reported" else _("已经符合")
            raise AssessmentError(word, where=name(row))
        told = said(statement, name(row), AssessmentError)
        paper = stored(file, name(row), AssessmentError)
        made = Recheck.objects.create(
            order=row, number=there.rounds + 1, statement=told, artifact=paper.commitment,
            file_name=file.shown if file else "", reported_by=by, reported_at=now,
        )  # fmt: skip
        data = {"id": made.pk, "order": row.pk, "round": made.number, "statement": told}
        year.note("order.reported", made, _subject(row), data, by, now, [row.clause], (paper,))
        duties.bring_up_to_date(now)
        if file is not None:
            year.state_on(year.clock(ends.rectify, row.event), told, file, by, now)
    return made


def check(order_id: int, *, conforming: bool, finding: str, by: Account, now: datetime) -> Recheck:
    """甲方 checks again what was reported: it conforms, or another round follows, with what is still wrong."""
    year.may(by, year.CLIENT, _("复检由甲方进行"))
    ends = year.end_of(sources.folder())
    with transaction.atomic():
        row = _locked(order_id)
        last = standing(row, now).last
        if last is None or last.conforming is not None:
            raise AssessmentError(_("没有待复检的整改报告"), where=name(row))
        text = (
            bounded(finding.strip(), name(row), AssessmentError)
            if conforming
            else said(finding, name(row), AssessmentError)
        )
        last.conforming, last.finding, last.checked_by, last.checked_at = conforming, text, by, now
        last.save(update_fields=["conforming", "finding", "checked_by", "checked_at"])
        data = {"id": last.pk, "order": row.pk, "round": last.number, "finding": text}
        year.note(
            "order.conforming" if conforming else "order.nonconforming",
            last,
            _subject(row),
            data,
            by,
            now,
            [row.clause],
        )
        year.answer_on(year.clock(ends.rectify, row.event), by, now, confirm=conforming, text=text)
    return last
