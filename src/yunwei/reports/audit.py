"""Reports and who took copies, as the ledger knows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from yunwei.ledger.audit import Difference, Said, compare
from yunwei.reports.models import Opening, Report
from yunwei.reports.services import ACTOR

ROOM = "reports"


class Reports:
    """Each edition by its name: its files, days, typesetter and fonts; and how often each form was taken."""

    def __init__(self) -> None:
        self.built: dict[str, Said] = {}
        self.opened: Counter[tuple[str, str, str]] = Counter()
        self.last: dict[tuple[str, str, str], int | None] = {}

    def take(self, said: Said) -> None:
        if said.kind == "reports.built":
            self.built.setdefault(said.subject, said)
        elif said.kind == "reports.opened":
            key = (said.subject, str(said.data.get("form")), said.actor)
            self.opened[key] += 1
            self.last[key] = said.number

    def differences(self) -> Iterator[Difference]:
        for row in Report.objects.order_by("id"):
            said = self.built.pop(row.name, None)
            data = said.data if said else {}
            files = data.get("files", {})
            yield from compare(ROOM, row.name, said.number if said else None, {
                **{form: (getattr(row, form), files.get(form)) for form in ("data", "pdf", "docx")},
                "first": (row.first, _day(data.get("first"))),
                "last": (row.last, _day(data.get("last"))),
                "whole": (row.whole, data.get("whole")),
                "typst": (row.typst, data.get("typst")),
                "program": (row.program, data.get("program")),
                "fonts": (row.fonts.get("files"), data.get("fonts")),
            })  # fmt: skip
        for name, said in sorted(self.built.items()):
            yield Difference(ROOM, name, "row", "—", str(said.data.get("as_of")), said.number)
        rows = Counter(
            (o.report.name, o.form, o.by.username if o.by else ACTOR)
            for o in Opening.objects.select_related("report", "by")
        )
        for key in sorted(rows.keys() | self.opened.keys()):
            yield from compare(ROOM, " ".join(key), self.last.get(key), {"opened": (rows[key], self.opened[key])})


def _day(text: object) -> date | None:
    return date.fromisoformat(text) if isinstance(text, str) else None


FOLDS = (Reports,)
