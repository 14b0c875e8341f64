"""报告: what was made of each period, one report with its figures, making one, taking a copy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from markupsafe import Markup, escape

from yunwei.accounts.models import Account
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.errors import LedgerError
from yunwei.ledger.models import Artifact, Entry
from yunwei.reports import outline, period, say, services
from yunwei.reports.models import KindOf, Report
from yunwei.ui import cells, pages, words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page
from yunwei.ui.listing import Column, Filter, Listing, Shown, equals, show

#: periods that the form offers of each kind, the running one first
OFFERED = {period.Kind.DAILY: 14, period.Kind.WEEKLY: 8, period.Kind.MONTHLY: 12}
#: rows of a table on the page; the files have all of them
MOST = 40
_NUMBER = re.compile(r"№ (\d{1,18})")


def linked(text: str) -> Markup:
    """A text in which every evidence number leads to its evidence; lines stay lines."""
    said = _NUMBER.sub(lambda m: str(cells.proof(int(m[1]))), str(escape(text)))
    return Markup(said.replace("\n", "<br>"))  # noqa: S704 - escaped above; what was added escapes itself


# --- the list ---------------------------------------------------------------------------------------------------------


def _attach(rows: list[Report]) -> None:
    """Evidence numbers, in one statement."""
    numbers = dict(Entry.objects.filter(intake_id__in=[r.evidence for r in rows]).values_list("intake_id", "seq"))
    for row in rows:
        row.number = numbers.get(row.evidence or 0)  # type: ignore[attr-defined]


def _period(row: Report) -> period.Period:
    return period.kept(row.kind, row.key, row.first, row.last, services.zone())


def _title(row: Report) -> str:
    return f"{say.period_words(_period(row))} {row.get_kind_display()}"


def _whole(row: Report) -> Any:
    return cells.state("ok", _("整期")) if row.whole else cells.state("warn", _("本期未满"))


def _maker(row: Report) -> str:
    return str(row.built_by.organisation.name) if row.built_by else _("平台自动")


LISTING = Listing(
    name="reports",
    rows=lambda _request: Report.objects.select_related("built_by__organisation").annotate(taken=Count("openings")),
    columns=(
        Column("title", gettext_lazy("报告"), _title, kind="lead"),
        Column("edition", gettext_lazy("版次"), lambda r: r.edition, kind="num"),
        Column("whole", gettext_lazy("报告期"), lambda r: "1" if r.whole else "0", _whole),
        Column("as_of", gettext_lazy("数据截至"), lambda r: r.as_of, lambda r: cells.stamp(r.as_of)),
        Column("by", gettext_lazy("生成"), _maker),
        Column("taken", gettext_lazy("下载"), lambda r: r.taken, lambda r: cells.figure(r.taken), kind="num"),
        Column(
            "evidence", gettext_lazy("证据"), lambda r: r.number,
            lambda r: cells.proof(r.number, waiting=r.evidence is not None),
        ),
    ),
    order=("-first", "kind", "-edition", "-id"),
    filters=(Filter("kind", gettext_lazy("种类"), equals("kind"), choices=lambda: KindOf.choices),),
    link=lambda r: reverse("report", args=[r.kind, r.key, r.edition]),
    attach=_attach,
)  # fmt: skip


def _sentence(shown: Shown) -> Any:
    newest = Report.objects.filter(kind=KindOf.MONTHLY).order_by("-first", "-edition").first()
    if not shown.total:
        return _("没有符合筛选条件的报告") if shown.chosen else _("还没有生成过报告")
    values: dict[str, tuple[object, str]] = {
        "n": (shown.total, "plain"),
        "last": (_title(newest) if newest else "", "plain"),
    }
    text = _("共 {n} 份报告；最近的月报是 {last}") if newest else _("共 {n} 份报告；还没有月报")
    return words.pieces(text, values)


def _offer(now: datetime) -> list[tuple[str, list[tuple[str, str]]]]:
    """The periods to choose from, by kind: the whole ones, newest first, and the one that runs."""
    zone = services.zone()
    out = []
    for kind, count in OFFERED.items():
        running = period.latest_whole(kind, now, zone)
        found = [period.of(kind, running.last + period.ONE_DAY, zone)]
        for _i in range(count):
            found.append(running)
            running = period.of(kind, running.first - period.ONE_DAY, zone)
        choices = [
            (f"{kind}/{p.key}", say.period_words(p) + ("" if p.end <= now else _("（本期未满）"))) for p in found
        ]
        out.append((str(KindOf(kind).label), choices))
    return out


@require_GET
def listed(request: HttpRequest) -> HttpResponseBase:
    """All reports, the newest period first; the parties may make one here."""
    return _list(request)


def _list(request: HttpRequest, problem: str = "") -> HttpResponseBase:
    makes = pages.REGISTRY["report-build"].allows(request.user)
    context = {
        "title": _("报告"), "makes": makes, "offer": _offer(now_of_instance()) if makes else [], "problem": problem,
    }  # fmt: skip
    return show(request, LISTING, _sentence, template="reports/reports.jinja", context=context)


@require_POST
def build(request: HttpRequest) -> HttpResponseBase:
    """Make the next edition of a period's report."""
    kind, _slash, key = request.POST.get("period", "").partition("/")
    try:
        report = services.build(kind, key, now=now_of_instance(), actor=cast(Account, request.user))
    except YunweiError as error:
        response = _list(request, str(error))
        response.status_code = 400
        return response
    return redirect("report", report.kind, report.key, report.edition)


# --- one report -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileOf:
    """One of a report's files as the page shows it."""

    form: str
    size: int
    commitment: str
    digest: str  # SM3 of the content; "" when it was removed by law
    gone: bool


def _find(kind: str, key: str, edition: int) -> Report:
    return get_object_or_404(
        Report.objects.select_related("built_by__organisation"), kind=kind, key=key, edition=edition
    )


def _files(report: Report) -> list[FileOf]:
    rows = {a.commitment: a for a in Artifact.objects.filter(commitment__in=[report.data, report.pdf, report.docx])}
    out = []
    for form in ("pdf", "docx", "data"):
        row = rows[getattr(report, form)]
        out.append(FileOf(form, row.size, row.commitment, row.content_hash, row.redacted_at is not None))
    return out


@require_GET
def one(request: HttpRequest, kind: str, key: str, edition: int) -> HttpResponse:
    """One report: its figures from the data it was made of, its files, who took copies."""
    return _page(request, _find(kind, key, edition))


def _page(request: HttpRequest, report: Report) -> HttpResponse:
    openings = list(report.openings.select_related("by__organisation").order_by("-id"))
    numbers = dict(
        Entry.objects.filter(intake_id__in=[report.evidence, *(o.evidence for o in openings)]).values_list(
            "intake_id", "seq"
        )
    )
    document, problem = None, ""
    try:
        told = services.data_of(report)
        document = outline.document(told["data"], edition=told["edition"], index=False)
    except LedgerError as error:
        problem = str(error)
    context = {
        "report": report, "document": document, "problem": problem, "files": _files(report), "openings": openings,
        "number": numbers, "heading": _title(report), "linked": linked, "most": MOST, "drawing": Markup, "maker": _maker(report),
        "newer": Report.objects.filter(kind=report.kind, key=report.key, edition__gt=report.edition).order_by("-edition").first(),
    }  # fmt: skip
    sentence = document.answer if document else _("{report} 的数据读不到").format(report=_title(report))
    return page(request, "reports/report.jinja", context, here="reports", title=sentence, as_of=report.as_of)


@require_POST
def copy(request: HttpRequest, kind: str, key: str, edition: int) -> HttpResponse:
    """A copy of one of the files, with a record that it was taken.

    By POST: a link in a ticket must not be able to make it look as if somebody had received a report.
    """
    report = _find(kind, key, edition)
    form = request.POST.get("form", "")
    if form not in services.TYPES:
        raise Http404
    try:
        content = services.take(report, form, by=cast(Account, request.user), now=now_of_instance())
    except LedgerError:
        response = _page(request, report)  # the page says which file was removed, is missing or was altered
        response.status_code = 410
        return response
    response = HttpResponse(content, content_type=services.TYPES[form])
    response["Content-Disposition"] = (
        content_disposition_header(as_attachment=True, filename=services.file_name(report, form)) or ""
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
