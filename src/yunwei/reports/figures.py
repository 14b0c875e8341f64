"""Everything a report says, as data: a pure function of what the instance holds, the period, and the moment of reading.

The result is plain JSON (moments in UTC, money as text), so that it can be kept beside the documents made of it and the
same documents be made again. Obligations are scored, never people: no name of an account is in here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from yunwei.contract import openitems, period, plans
from yunwei.contract.schema import Folder
from yunwei.duties import sources
from yunwei.duties.models import Register
from yunwei.ledger import heads
from yunwei.ledger.models import Artifact, Head, HeadPush, Intake
from yunwei.reports import figures_desk, figures_duties, figures_looks, figures_worth, figures_year, lines
from yunwei.reports.evidence import Numbers
from yunwei.reports.period import YEARLY, Kind, Period, moment

JSON = Any
VERSION = 1
#: a reading that other processes write into is read again
TRIES = 4


def read(of: Period, as_of: datetime) -> dict[str, JSON]:
    """The figures of a period, from one state of the books: read again while somebody wrote in between."""
    for _again in range(TRIES):
        before = _last_intake()
        told = gather(of, as_of)
        if _last_intake() == before:
            return told
    with transaction.atomic():  # busy books: hold them still for this one reading
        return gather(of, as_of)


def _last_intake() -> int:
    return int(Intake.objects.aggregate(last=Max("id"))["last"] or 0)


def gather(of: Period, as_of: datetime) -> dict[str, JSON]:
    """The figures of a period as the books stand now; `as_of` is the moment that "open" and "overdue" are told by."""
    if of.kind in YEARLY:
        return _year(of, as_of)
    folder, numbers = sources.folder(), Numbers()
    collected: list[figures_duties.Duties | figures_looks.Looks | figures_desk.Desk] = [
        figures_duties.Duties(of, as_of, folder, numbers),
        figures_looks.Looks(of, numbers),
        figures_desk.Desk(of, as_of, numbers),
    ]
    numbers.find()
    told = _frame(of, as_of, folder)
    for part in collected:
        told |= part.data()
    told["lines"] = lines.data(of, as_of)
    told["assessment"] = figures_worth.data(of)
    return told


def _frame(of: Period, as_of: datetime, folder: Folder) -> dict[str, JSON]:
    """What every document says: its period and moment, the contract, the ledger."""
    reach = replace(of, last=max(of.last, as_of.astimezone(ZoneInfo(of.zone)).date())) if of.kind in YEARLY else of
    return {
        "v": VERSION,
        "kind": str(of.kind),
        "period": {"key": of.key, "first": of.first.isoformat(), "last": of.last.isoformat(), "zone": of.zone},
        "as_of": moment(as_of),
        "whole": as_of >= of.end,
        "demo": bool(settings.YUNWEI.get("demo", False)),
        "contract": _contract(folder, of),
        "ledger": _ledger(reach, as_of),
    }


def _year(of: Period, as_of: datetime) -> dict[str, JSON]:
    """The figures of a document of the contract year: acceptance pack or handover list."""
    folder, numbers = sources.folder(), Numbers()
    told = _frame(of, as_of, folder)
    if of.kind is Kind.HANDOVER:
        return told | figures_year.handed_over(folder, as_of, numbers)
    duties = figures_duties.OfYear(of, as_of, folder, numbers)
    numbers.find()
    return told | duties.data() | figures_year.accepted(folder, as_of, numbers)


def _contract(folder: Folder, of: Period) -> dict[str, JSON]:
    """What the contract itself says: names, term, price. No forecast: what is not agreed is listed as open."""
    contract = folder.contract
    agreed, span = period.confirmed(contract), period.duty_span(contract)
    register = Register.objects.filter(pk=contract.id).first()
    still = openitems.still_open(folder)
    return {
        "number": contract.number,
        "title": contract.title,
        "title_en": contract.title_en,
        "parties": [{"role": p.role, "name": p.name} for p in contract.parties],
        "term": {
            "first": span.start.isoformat(), "last": span.end.isoformat(),
            "confirmed": agreed.id if agreed else "", "readings": len(contract.periods),
        },
        "inside": span.start <= of.last and of.first <= span.end,
        "opened_at": moment(register.opened_at) if register else None,
        "price": {"amount": f"{contract.price.amount:.2f}", "capitals": contract.price.capitals, "clause": contract.price.clause},
        "instalments": [
            {
                "id": part.id, "clause": part.clause, "share": f"{part.share.normalize():f}", "amount": f"{part.amount:.2f}",
                "blocked": openitems.blocked(folder, "payment.price") is not None and "price_confirmed" in part.anchors,
                "obligation": next((o.id for o in folder.obligations if o.instalment == part.id), ""),
            }
            for part in contract.instalments
        ],
        "open_items": [
            {"clause": i.clause, "title": i.title, "title_en": i.title_en, "owner": i.owner, "default": i.default}
            for i in still if i.blocks.startswith("payment.")
        ],
        "open_by": {who: sum(i.owner == who for i in still) for who in ("A", "B", "AB")},
        "plans": [
            {"version": p.version, "counts_from": p.counts_from.isoformat()}
            for p in _plans_in(of)
        ],
    }  # fmt: skip


def _plans_in(of: Period) -> list[Any]:
    """The versions of the service plan that counted on some day of the period."""
    versions = [p for p in plans.approved_versions() if p.counts_from <= of.last]
    before = [p for p in versions if p.counts_from <= of.first]
    return [*before[-1:], *(p for p in versions if p.counts_from > of.first)]


def _ledger(of: Period, as_of: datetime) -> dict[str, JSON]:
    """How the proof grew: heads at both ends, what was pushed to the client, what was removed by law."""
    first = Head.objects.filter(at__lt=of.start).order_by("-number").first()
    last = Head.objects.filter(at__lt=of.end).order_by("-number").first()
    pushed = HeadPush.objects.exclude(address__startswith=heads.HANDOVER).filter(at__gte=of.start, at__lt=of.end)
    kinds = Intake.objects.filter(at__gte=of.start, at__lt=of.end)
    return {
        "first": _head(first),
        "last": _head(last),
        "entries": (last.size if last else 0) - (first.size if first else 0),
        "heads": (last.number if last else 0) - (first.number if first else 0),
        "pushed": pushed.filter(ok=True).count(),
        "push_failed": pushed.filter(ok=False).count(),
        "overdue": [{"since": moment(o.since), "problem": o.problem} for o in heads.overdue(as_of)],
        "clock_back": kinds.filter(kind="ledger.clock.back").count(),
        "exported": kinds.filter(kind="ledger.exported").count(),
        "redacted": Artifact.objects.filter(redacted_at__gte=of.start, redacted_at__lt=of.end).count(),
        "key": last.key_id if last else "",
    }


def _head(head: Head | None) -> dict[str, JSON] | None:
    if head is None:
        return None
    return {
        "number": head.number,
        "size": head.size,
        "root": bytes(head.root).hex(),
        "at": moment(head.at),
        "hash": head.hash,
    }
