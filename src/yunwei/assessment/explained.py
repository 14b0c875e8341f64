"""A month's sheet as command and page tell it: the same words and figures, from one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from yunwei.assessment import scoring, sheets
from yunwei.assessment.models import Appeal, Sheet, SheetState
from yunwei.contract.schema import Folder, Rubric
from yunwei.duties import sources

#: what a line of a sheet says happened
WHAT = {
    "late": gettext_lazy("迟延履行"),
    "missed": gettext_lazy("未履行"),
    "unproven": gettext_lazy("未能证明"),
    "found": gettext_lazy("他人发现的故障"),
    "reported": gettext_lazy("自己报告的故障"),
    "veto": gettext_lazy("一票否决"),
    "remark": gettext_lazy("甲方加减分"),
    "exempt": gettext_lazy("免责"),
    "pending": gettext_lazy("尚未了结"),
}
#: why a line takes nothing
GROUNDS = {
    "client": gettext_lazy("原因归甲方"),
    "third": gettext_lazy("原因归第三方"),
    "exempt": gettext_lazy("免责成立"),
    "pending": gettext_lazy("尚未了结，不扣"),
    "appeal": gettext_lazy("申诉成立"),
}
ORIGINS = {
    "sweep": gettext_lazy("巡检发现"),
    "vendor_report": gettext_lazy("乙方报告"),
    "client": gettext_lazy("甲方发现"),
    "surprise": gettext_lazy("暗测发现"),
    "audit": gettext_lazy("审计发现"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One line in words."""

    line: scoring.Line
    item: str
    subject: str
    what: str
    note: str
    appeal: Appeal | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A month as it is shown: `row` None while it is only tried out. `counts`: both parties adopted the rubric."""

    month: sheets.Month
    rubric: Rubric
    score: scoring.Score
    row: Sheet | None
    adopted: bool
    lines: list[Told]

    @property
    def costly(self) -> list[Told]:
        """The lines that take points or give some."""
        return [told for told in self.lines if told.line.points != 0]

    @property
    def free(self) -> list[Told]:
        """The lines that are told and take nothing."""
        return [told for told in self.lines if told.line.points == 0]

    @property
    def state(self) -> str:
        """Where the month stands, in words."""
        if self.row is None:
            return _("试算")
        if self.row.state == SheetState.SCORED:
            return _("已评分，可申诉")
        if self.row.signed is None:
            return _("已定分，待乙方签认")
        return _("已定分，乙方签认") if self.row.signed else _("已定分，乙方拒签")


def explain(name: str) -> Explained:
    """The sheet of a month: the frozen or scored one where there is one, else what the books give now.

    Raises AssessmentError for a month outside of the term.
    """
    folder = sources.folder()
    month = sheets.month_of(folder, name)
    row = Sheet.objects.filter(month=name).select_related("scored_by", "frozen_by", "answered_by").first()
    if row is None:
        rubric, score = sheets.rubric_of(folder), sheets.computed(name)
    else:
        rubric, score = msgspec.convert(row.rubric, Rubric), msgspec.convert(row.body, scoring.Score, strict=False)
    appeals = {a.line: a for a in row.appeals.select_related("appealed_by", "decided_by")} if row else {}
    lines = [_told(folder, rubric, line, appeals.get(line.key)) for line in score.lines]
    return Explained(month, rubric, score, row, sheets.adopted(folder, rubric), lines)


def english() -> bool:
    """Whether people read English here."""
    return (get_language() or "").startswith("en")


def title(thing: Any) -> str:
    """The title of an item, a veto, a heading or an obligation in the reader's language."""
    return str(thing.title_en if english() else thing.title)


def _told(folder: Folder, rubric: Rubric, line: scoring.Line, appeal: Appeal | None) -> Told:
    things: list[Any] = [*rubric.items, *rubric.vetoes, *rubric.headings]
    named = {thing.id: thing for thing in things}
    duty = next((o for o in folder.obligations if o.id == line.subject), None) if line.subject else None
    notes = [str(GROUNDS[line.ground])] if line.ground else []
    if line.disputed:
        notes.append(_("争议"))
    if line.what in ("found", "reported"):
        notes.append(str(ORIGINS.get(line.detail, line.detail)))
    elif line.detail:
        notes.append(line.detail)
    item = title(named[line.item]) if line.item in named else _("故障的发现")
    return Told(
        line,
        item,
        title(duty) if duty else line.subject,
        str(WHAT.get(line.what, line.what)),
        " · ".join(notes),
        appeal,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One month in the list: its score as it stands and how it came about."""

    month: sheets.Month
    row: Sheet | None
    score: Decimal | None  # None: it has not begun, or nothing in it counts
    over: bool
    begun: bool


def listed(now: datetime) -> list[Row]:
    """Every month of the term, scored, tried out, or not begun; what is tried out is gathered once for all months."""
    folder = sources.folder()
    known = {row.month: row for row in Sheet.objects.all()}
    months = sheets.months(folder)
    tried = sheets.computed_all([m.name for m in months if m.name not in known and sheets.bounds(folder, m)[0] <= now])
    found = []
    for month in months:
        start, end = sheets.bounds(folder, month)
        row = known.get(month.name)
        score = row.score if row else None
        if (made := tried.get(month.name)) is not None:
            score = made.score if made.counted or made.lines else None
        found.append(Row(month, row, score, over=end <= now, begun=start <= now))
    return found


def as_json(told: Explained) -> dict[str, Any]:
    """For programs; the same figures."""
    return {
        "month": told.month.name, "first": told.month.first.isoformat(), "last": told.month.last.isoformat(),
        "partial": told.month.partial, "state": told.row.state if told.row else "trial",
        "rubric": f"{told.rubric.id}/{told.rubric.version}", "adopted": told.adopted,
        "sheet": msgspec.to_builtins(told.score),
    }  # fmt: skip
