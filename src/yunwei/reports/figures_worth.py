"""What a month is worth, for its report: the sheet as it stands, scored, frozen or only tried out."""

from __future__ import annotations

from typing import Any

from yunwei.assessment import explained
from yunwei.assessment.errors import AssessmentError
from yunwei.ledger import services as ledger
from yunwei.reports.period import Kind, Period

JSON = Any
#: lines told in a report; the rest is counted, the whole sheet is on its page
LISTED = 40


def data(of: Period) -> dict[str, JSON] | None:
    """The sheet of a monthly report's month; None for other periods, outside of the term, or where nothing counts."""
    if of.kind is not Kind.MONTHLY:
        return None
    try:
        told = explained.explain(of.key)
    except AssessmentError:
        return None
    if not told.score.counted and not told.score.lines:
        return None
    items = {item.id: item for item in told.rubric.items}
    costly = told.costly
    return {
        "state": told.row.state if told.row else "trial",
        "signed": told.row.signed if told.row else None,
        "number": ledger.number_of(told.row.evidence) if told.row and told.row.evidence else None,
        "score": f"{told.score.score:f}", "full": f"{told.score.full:f}", "lost": f"{told.score.lost:f}",
        "rubric": {"id": told.rubric.id, "version": told.rubric.version, "title": told.rubric.title,
                   "title_en": told.rubric.title_en},
        "adopted": told.adopted,
        "items": [
            {"title": items[i.item].title, "title_en": items[i.item].title_en, "weight": f"{i.weight:f}",
             "lost": f"{i.lost:f}"}
            for i in told.score.items
        ],
        "lines": [
            {"key": t.line.key, "what": t.line.what, "points": f"{t.line.points:f}", "day": t.line.day,
             "number": t.line.evidence or None}
            for t in costly[:LISTED]
        ],
        "more": max(0, len(costly) - LISTED),
    }  # fmt: skip
