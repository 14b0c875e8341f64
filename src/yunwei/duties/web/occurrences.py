"""Every occurrence of every obligation in one list: where a figure of another page is clicked, its rows stand here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET
from markupsafe import Markup

from yunwei.duties.models import Claim, ClaimState, ManualProof, Occurrence, State
from yunwei.duties.web import day
from yunwei.duties.web import obligation as one
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, show


def _rows(_request: HttpRequest) -> QuerySet[Occurrence]:
    return Occurrence.objects.annotate(
        stated=Exists(ManualProof.objects.filter(occurrence=OuterRef("pk"), confirmed__isnull=True)),
        claimed=Exists(Claim.objects.filter(occurrence=OuterRef("pk"), state=ClaimState.CLAIMED)),
        contested=Exists(Claim.objects.filter(occurrence=OuterRef("pk"), state=ClaimState.DISPUTED)),
    )


def _attach(rows: list[Any]) -> None:
    one.LISTING.attach(rows)
    titles = {o.id: words.title(o) for o in contract_folder().obligations}
    for row in rows:
        row.title = titles.get(row.obligation, row.obligation)


def _name(row: Any) -> Markup:
    """The obligation, its code, and of an event what it was."""
    note = Markup('<small class="mut" translate="no">{}</small>').format(row.event_note) if row.event_note else ""
    return Markup('{} <span class="code mut" translate="no">{}</span> {}').format(row.title, row.obligation, note)


def bounds() -> tuple[datetime, datetime, datetime]:
    """Now, and the local midnights around it."""
    now = now_of_instance()
    start = now.astimezone(ZoneInfo(contract_folder().contract.timezone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return now, start, start + timedelta(days=1)


#: whose turn it is, by the same rules as the figures of 今日
TURNS: dict[str, tuple[Any, Callable[[], Q]]] = {
    "late": (gettext_lazy("逾期，还能办"), lambda: day.still_late(*bounds())),
    "today": (gettext_lazy("今日待办"), lambda: day.to_do(*bounds())),
    "clock": (gettext_lazy("在走的时钟"), day.running),
    "answer": (gettext_lazy("待对方答复"), lambda: Q(stated=True) | Q(claimed=True)),
    "dispute": (gettext_lazy("争议"), lambda: Q(contested=True)),
}


def _turn(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    return rows.filter(TURNS[text][1]()) if text in TURNS else rows.none()


def _month(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """What falls due in a month, as 2026-10: a day is (midnight, midnight], so that a day's 24:00 is its own."""
    found = re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", text)
    if found is None:
        return rows.none()
    year, month = int(found[1]), int(found[2])
    zone = ZoneInfo(contract_folder().contract.timezone)
    start = datetime(year, month, 1, tzinfo=zone)
    return rows.filter(due_at__gt=start, due_at__lte=datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone))


def _counts(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    return rows.filter(counts=text == "yes") if text in ("yes", "no") else rows.none()


def _party(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    return rows.filter(owes=text)


def _parties() -> Sequence[tuple[str, Any]]:
    return [(p, words.party(p)) for p in ("A", "B", "AB")]


LISTING = Listing(
    name="occurrences",
    rows=_rows,
    columns=(
        Column("obligation", gettext_lazy("义务"), lambda r: f"{r.obligation} {r.title}", _name, kind="lead"),
        Column("owes", gettext_lazy("责任方"), lambda r: words.party(r.owes)),
        Column("period", gettext_lazy("期次"), one.period_name),
        Column("due", gettext_lazy("期限"), one.due, lambda r: Markup('<span class="num">{}</span>').format(one.due(r))),
        Column("state", gettext_lazy("状态"), lambda r: r.get_state_display(), one.state_cell),
        Column("done", gettext_lazy("何时做到"), lambda r: r.done_at, lambda r: cells.stamp(r.done_at)),
        Column("uncounted", gettext_lazy("不计分"), lambda r: "" if r.counts else r.why or _("不计分"), sparse=True),
        Column("evidence", gettext_lazy("证据"), lambda r: r.number, lambda r: cells.proof(r.number, waiting=bool(r.evidence))),
    ),
    order=("-starts_at", "-id"),
    filters=(
        Filter("state", gettext_lazy("状态"), lambda rows, text: rows.filter(state=text), choices=lambda: State.choices),
        Filter("turn", gettext_lazy("等待"), _turn, choices=lambda: [(key, word) for key, (word, _rule) in TURNS.items()]),
        Filter("party", gettext_lazy("责任方"), _party, choices=_parties),
        Filter("counts", gettext_lazy("是否计分"), _counts, choices=lambda: [("yes", _("计分")), ("no", _("不计分"))]),
        Filter("month", gettext_lazy("到期月"), _month, hint="2026-10"),
        Filter("obligation", gettext_lazy("义务"), lambda rows, text: rows.filter(obligation__istartswith=text), hint="S1.2"),
    ),
    link=lambda r: reverse("occurrence", args=[r.pk]),
    attach=_attach,
)  # fmt: skip


def _sentence(shown: Shown) -> str:
    if not shown.total:
        return str(_("没有符合筛选条件的义务") if shown.chosen else _("还没有到期的一期。"))
    said = _("筛选出 {n} 期义务") if shown.chosen else _("全部义务共 {n} 期")
    return str(said).format(n=shown.total)


@require_GET
def occurrences(request: HttpRequest) -> HttpResponseBase:
    """The list, or a file of what the filter shows."""
    return show(request, LISTING, _sentence, context={"here": "obligations"})
