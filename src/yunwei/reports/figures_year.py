"""What the documents of the contract year say, as data: the acceptance pack and the handover list.

Examiners are named, with what qualifies them: who examined is part of what was examined (合同 4.3.3). Nobody else is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yunwei.accounts.models import Role
from yunwei.assessment import acceptance, handover, pack, rectify, year
from yunwei.assessment.models import Acceptance, HandoverItem, Opinion, Order
from yunwei.contract.schema import Folder
from yunwei.duties import sources
from yunwei.duties.models import Occurrence
from yunwei.reports.errors import ReportError
from yunwei.reports.evidence import Numbers
from yunwei.reports.period import Kind, Period, moment

JSON = Any


def period(kind: Kind, zone: str) -> Period:
    """The contract year as the period of its documents."""
    of = year.of(sources.folder())
    return Period(kind, of.key, of.first, of.last, zone)


def clauses(kind: Kind) -> tuple[str, ...]:
    """The clauses by which the document is made."""
    ends = sources.folder().year_end
    if ends is None:
        return ()
    return tuple(ends.acceptance_clauses if kind is Kind.ACCEPTANCE else ends.handover_clauses)


# --- acceptance -------------------------------------------------------------------------------------------------------


def accepted(folder: Folder, as_of: datetime, numbers: Numbers) -> dict[str, JSON]:
    """The acceptance pack: requirements with their proof, rounds with opinions and decisions, orders, summary, timers."""
    rounds, orders = acceptance.rounds(folder), rectify.everything()
    told, ends = pack.gather(folder, as_of, rounds), folder.year_end
    opinions = [o for row in rounds for o in row.opinions.all()]
    numbers.want(*(r.evidence for r in rounds), *(o.evidence for o in opinions), *(o.evidence for o in orders))
    numbers.want(*(r.evidence for o in orders for r in o.rounds.all()))
    clocks = (
        list(Occurrence.objects.filter(obligation__in=[ends.summary, *ends.timers]).order_by("obligation", "due_at"))
        if ends
        else []
    )
    numbers.want(*(row.evidence for row in clocks))
    numbers.find()
    events = {e.id: {"title": e.title, "title_en": e.title_en} for e in folder.event_details}
    quiet = [line.duty for line in told.lines if line.quiet]
    return {
        "year": {
            "adopted": bool(ends and any(d.id == ends.document and d.present for d in folder.documents)),
            "note": ends.note if ends else "",
            "obligations": len(told.lines),
            "quiet": [{"id": o.id, "title": o.title, "title_en": o.title_en, "owes": str(o.owes), "clauses": o.clauses,
                       "kind": str(o.kind), "trigger": o.trigger,
                       "event": events.get(o.trigger)} for o in quiet],
            "proof": [{"id": o.id, "proof": o.proof} for o in folder.obligations],
            "requirements": [_measured(m, numbers) for m in told.measured],
            "rounds": [_round(row, numbers) for row in rounds],
            "orders": [_order(row, as_of, numbers) for row in orders],
            "clocks": [_clock(row, folder, as_of, numbers) for row in clocks],
            "unmet": [
                {"id": o.id, "title": o.title, "title_en": o.title_en, "owes": str(o.owes)} for o in folder.obligations
                if ends and o.id in (ends.summary, *ends.timers) and o.id not in {c.obligation for c in clocks}
            ],
        }
    }  # fmt: skip


def _measured(m: pack.Measured, numbers: Numbers) -> JSON:
    one = m.requirement
    return {
        "id": one.id, "group": str(one.group), "title": one.title, "title_en": one.title_en, "chosen": one.chosen,
        "why": one.why, "why_en": one.why_en, "state": m.state, "proven_by": one.proven_by,
        "standards": [{"number": s.number, "title": s.title, "level": str(s.level)} for s in one.standards],
        "counts": m.tally.counts, "first": m.tally.first, "last": m.tally.last,
        "opinions": [_opinion(o, numbers) for o in m.opinions],
    }  # fmt: skip


def _opinion(row: Opinion, numbers: Numbers) -> JSON:
    return {
        "speaker": row.speaker, "organisation": row.organisation, "name": row.name, "qualification": row.qualification,
        "about": row.about, "conforming": row.conforming, "text": row.text, "at": moment(row.recorded_at),
        "number": numbers.of(row.evidence),
    }  # fmt: skip


def _round(row: Acceptance, numbers: Numbers) -> JSON:
    return {
        "round": row.round, "statement": row.statement, "submitted": moment(row.submitted_at), "passed": row.passed,
        "reason": row.reason, "decided": moment(row.decided_at), "signed": row.signed, "answer": row.answer,
        "answered": moment(row.answered_at), "number": numbers.of(row.evidence),
        "opinions": [_opinion(o, numbers) for o in row.opinions.all()],
    }  # fmt: skip


def _order(row: Order, as_of: datetime, numbers: Numbers) -> JSON:
    return {
        "id": row.pk, "what": row.what, "clause": row.clause, "about": row.about, "ordered": moment(row.ordered_at),
        "due": moment(row.due), "set": moment(row.due_at), "dispute": row.dispute, "dispute_answer": row.dispute_answer,
        "state": rectify.standing(row, as_of).state, "number": numbers.of(row.evidence),
        "rounds": [
            {"number": r.number, "statement": r.statement, "reported": moment(r.reported_at), "conforming": r.conforming,
             "finding": r.finding, "checked": moment(r.checked_at), "evidence": numbers.of(r.evidence)}
            for r in row.rounds.all()
        ],
    }  # fmt: skip


def _clock(row: Occurrence, folder: Folder, as_of: datetime, numbers: Numbers) -> JSON:
    duty = next((o for o in folder.obligations if o.id == row.obligation), None)
    return {
        "obligation": row.obligation, "title": duty.title if duty else row.obligation,
        "title_en": duty.title_en if duty else row.obligation, "period": row.period, "clauses": row.clauses,
        "owes": row.owes, "state": row.state, "cause": row.cause, "due": moment(row.due_at),
        "overdue": row.state in pack.OPEN and row.due_at is not None and row.due_at < as_of,
        "statute": duty.statute if duty else "", "counts": row.counts, "why": row.why, "detail": row.detail,
        "agreed": None, "number": numbers.of(row.evidence),
    }  # fmt: skip


# --- handover ---------------------------------------------------------------------------------------------------------


def handed_over(folder: Folder, as_of: datetime, numbers: Numbers) -> dict[str, JSON]:
    """The handover list as it was frozen, with both signatures; what changed since; accounts; what goes back.

    Raises ReportError while there is no list.
    """
    row, ends = handover.current(folder), folder.year_end
    if row is None or ends is None:
        raise ReportError(_("还没有开列移交清单"), where=year.of(folder).key, hint="/handover")
    items = list(row.items.all())
    ended, clock = handover.ended(folder), handover.clock(folder)
    resets = handover.resets(items, row.opened_at)
    returns = [found for name in ends.returns if (found := year.clock(name, ended)) is not None]
    numbers.want(
        row.evidence, ended.evidence if ended else None, *(i.source for i in items), *(i.evidence for i in items)
    )
    numbers.want(clock.evidence if clock else None, *(r.evidence for r in returns))
    numbers.find()
    progress = handover.progress(items)
    return {
        "year": {
            "opened": moment(row.opened_at), "number": numbers.of(row.evidence),
            "ended": moment(ended.at) if ended else None, "ended_number": numbers.of(ended.evidence) if ended else None,
            "progress": {"all": progress.all, "done": progress.done, "refused": progress.refused, "given": progress.given,
                         "received": progress.received, "finished": progress.finished},
            "items": [_item(i, numbers, resets) for i in items],
            "changes": [{"what": c.what, "kind": c.kind, "code": c.code, "title": c.title, "fields": list(c.fields)}
                        for c in handover.changes(folder, items)],
            "temporary": _temporary(),
            "clock": _clock(clock, folder, as_of, numbers) if clock else None,
            "returns": [_clock(r, folder, as_of, numbers) for r in returns],
        }
    }  # fmt: skip


def _item(i: HandoverItem, numbers: Numbers, resets: dict[str, datetime | None]) -> JSON:
    told = {
        "kind": i.kind, "code": i.code, "title": i.title, "detail": i.detail, "source": numbers.of(i.source),
        "given": i.given, "given_reason": i.given_reason, "given_at": moment(i.given_at), "received": i.received,
        "received_reason": i.received_reason, "received_at": moment(i.received_at), "number": numbers.of(i.evidence),
    }  # fmt: skip
    return told | ({"reset": moment(resets.get(i.code))} if i.kind == "account" else {})


def _temporary() -> list[JSON]:
    """乙方's accounts by role and state: how many are closed, never whose."""
    rows: dict[str, list[bool]] = {}
    for account in handover.temporary():
        rows.setdefault(account.role, []).append(account.is_active)
    return [
        {"role": str(role), "open": sum(rows[role]), "closed": len(rows[role]) - sum(rows[role])}
        for role in _order_of(rows)
    ]


def _order_of(roles: Iterable[str]) -> list[str]:
    known = [str(r) for r in Role]
    return sorted(roles, key=known.index)
