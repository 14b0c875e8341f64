"""发现: every fault over time, open ones first: what was read against whose limit, how it came to light, its ticket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import CharField, Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from markupsafe import Markup

from yunwei.assets.models import Place, Zone
from yunwei.desk.models import Ticket, TicketKind
from yunwei.inspect.models import Finding, FindingState, Origin, Severity
from yunwei.inspect.web import kinds
from yunwei.inspect.web.sweeps import looking, quiet
from yunwei.ledger.models import Entry
from yunwei.runs.models import Run
from yunwei.ui import cells, pages, vocabulary, words
from yunwei.ui.context import contract_folder
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, equals, show

SEVERITY_TONE = {Severity.WARNING: "warn", Severity.CRITICAL: "bad"}
Menu = Sequence[tuple[str, Any]]


def rows(_request: HttpRequest) -> QuerySet[Finding]:
    """All findings with their asset and the number of their opening record."""
    number = Entry.objects.filter(intake=OuterRef("evidence")).values("seq")[:1]
    return Finding.objects.select_related("asset", "asset__zone", "asset__place").annotate(number=Subquery(number))


def reading(found: Finding) -> str:
    """What was read: the figure where a limit judged one, else the device's own word."""
    return read_of({"value": found.value, "raw": found.raw, "limit": found.limit})


def read_of(fault: Mapping[str, Any]) -> str:
    """The same of a fault as a sweep's row keeps it."""
    value, raw = str(fault.get("value") or ""), str(fault.get("raw") or "")
    return (value if fault.get("limit") and value else raw or value) or "—"


def severity_cell(found: Finding) -> Markup:
    """How bad; a closed one says so and is not red any more."""
    if found.closed_at:
        return cells.state("mut", _("已关闭"))
    return quiet(SEVERITY_TONE[Severity(found.severity)], found.get_severity_display())


def _severity(found: Finding) -> str:
    return f"{found.get_state_display()} {found.get_severity_display()}"


def _seen(found: Finding) -> Markup:
    there = timezone.localtime(found.last_seen_at)
    return Markup('<time class="num" datetime="{}">{}</time>').format(there.isoformat(), f"{there:%m-%d %H:%M}")


def _opened(found: Finding) -> Markup:
    there = timezone.localtime(found.opened_at)
    return Markup('<time class="num" datetime="{}">{}</time>').format(there.isoformat(), f"{there:%Y-%m-%d}")


def reading_cell(found: Finding) -> Markup:
    """The reading against the limit, and whose limit it is."""
    limit = words.limit(found.limit)
    note = Markup('<small class="mut" translate="no">{}</small>').format(limit) if limit else ""
    return Markup('<span class="num" translate="no">{}</span>{}').format(reading(found), note)


def ticket_of(found: Finding, tickets: Iterable[Ticket]) -> Ticket | None:
    """The fault ticket of a finding: of its component, and open at the same time."""
    return next(
        (
            t
            for t in tickets
            if (t.asset_id, t.component) == (found.asset_id, found.component)
            and t.opened_at <= (found.closed_at or t.opened_at)
            and (t.closed_at is None or t.closed_at >= found.opened_at)
        ),
        None,
    )


def tickets_of(asset_ids: Iterable[int]) -> list[Ticket]:
    """The fault tickets of some assets, the newest first. One statement."""
    found = Ticket.objects.filter(kind=TicketKind.FAULT, asset__in=list(asset_ids))
    return list(found.defer("body").order_by("-opened_at", "-id"))


def attach(found: list[Finding]) -> None:
    """Each finding's ticket. One statement."""
    tickets = tickets_of({f.asset_id for f in found}) if found else []
    for one in found:
        one.ticket = ticket_of(one, tickets)  # type: ignore[attr-defined]


def ticket_cell(ticket: Ticket | None) -> Markup:
    """Number and state of a ticket."""
    if ticket is None:
        return cells.NOTHING
    if "ticket" not in pages.REGISTRY:
        return cells.name(ticket.number, note=ticket.get_state_display())
    small = Markup("<small>{}</small>").format(ticket.get_state_display())
    return cells.link(reverse("ticket", args=[ticket.number]), ticket.number, code=True) + small


def _asset(found: Finding) -> Markup:
    where = " · ".join(str(p) for p in (found.asset.zone, found.asset.place) if p)
    small = Markup('<small class="mut" translate="no" title="{}">{}</small>').format(where, found.asset.name)
    return cells.link(reverse("asset", args=[found.asset.code]), found.asset.code, code=True) + small


def _what(found: Finding) -> Markup:
    again = _("第 {n} 次复发").format(n=found.recurrence) if found.recurrence else ""
    note = " · ".join(p for p in (found.component, kinds.kind(found.kind), again) if p)
    return cells.name(found.name or found.component, note=note)


def _ticket_text(found: Finding) -> str:
    ticket: Ticket | None = found.ticket  # type: ignore[attr-defined]
    return f"{ticket.number} {ticket.get_state_display()}" if ticket else ""


def by_clause(found: QuerySet[Finding], text: str) -> QuerySet[Finding]:
    """The findings of runs for an obligation that rests on a clause."""
    served = [o.id for o in contract_folder().obligations if text in o.clauses]
    run = Run.objects.filter(pk=OuterRef("opened_run"), cause__obligation__in=served)
    return found.filter(Exists(run))


def _clauses() -> Menu:
    procedures = set(looking())
    found = {c for o in contract_folder().obligations if o.procedure in procedures for c in o.clauses}
    return [(c, c) for c in sorted(found)]


def _categories() -> Menu:
    return [(code, word) for code, word in vocabulary.CATEGORIES.items() if code]


def options() -> tuple[Menu, Menu, Mapping[str, int]]:
    """Zones and places to choose from, and how many findings are open, by severity. One statement for all three."""
    zones = Zone.objects.annotate(w=Value("zone", CharField()), n=Value(0, IntegerField()))
    places = Place.objects.annotate(w=Value("place", CharField()), n=Value(0, IntegerField()))
    standing = Finding.objects.filter(closed_at__isnull=True).values("severity").order_by()
    counted = standing.annotate(w=Value("open", CharField()), label=Value("", CharField()), n=Count("id"))
    told = zones.values_list("w", "code", "name", "n").union(
        places.values_list("w", "code", "name", "n"), counted.values_list("w", "severity", "label", "n"), all=True
    )
    all_ = list(told)
    return (
        sorted((code, name) for w, code, name, _n in all_ if w == "zone"),
        sorted((code, name) for w, code, name, _n in all_ if w == "place"),
        {code: n for w, code, _name, n in all_ if w == "open"},
    )


COLUMNS = (
    Column("severity", gettext_lazy("程度"), _severity, severity_cell),
    Column("what", gettext_lazy("发现"), lambda r: f"{r.name} {r.component}", _what, "lead"),
    Column("asset", gettext_lazy("资产"), lambda r: f"{r.asset.code} {r.asset.name}", _asset),
    Column(
        "reading", gettext_lazy("定级时读数与阈值"), lambda r: f"{reading(r)} {words.limit(r.limit)}".strip(), reading_cell
    ),
    Column("opened", gettext_lazy("首见"), lambda r: r.opened_at, _opened),
    Column("seen", gettext_lazy("最近见到"), lambda r: r.last_seen_at, _seen),
    Column("times", gettext_lazy("次数"), lambda r: r.times, None, "num"),
    Column("origin", gettext_lazy("如何发现"), lambda r: r.get_origin_display()),
    Column("ticket", gettext_lazy("工单"), _ticket_text, lambda r: ticket_cell(r.ticket)),
    Column(
        "evidence", gettext_lazy("证据"), lambda r: r.number,
        lambda r: cells.proof(r.number, waiting=r.evidence is not None), "num",
    ),
)  # fmt: skip


def listing() -> tuple[Listing, Mapping[str, int]]:
    """The list with its menus, and how many are open."""
    zones, places, standing = options()
    filters = (
        Filter("state", gettext_lazy("状态"), equals("state"), lambda: FindingState.choices),
        Filter("severity", gettext_lazy("程度"), equals("severity"), lambda: Severity.choices),
        Filter("category", gettext_lazy("类别"), equals("asset__category"), _categories),
        Filter("zone", gettext_lazy("区域"), equals("asset__zone__code"), lambda: zones),
        Filter("place", gettext_lazy("机房"), equals("asset__place__code"), lambda: places),
        Filter("clause", gettext_lazy("条款"), by_clause, _clauses),
        Filter("origin", gettext_lazy("如何发现"), equals("origin"), lambda: Origin.choices),
        Filter("asset", gettext_lazy("资产"), equals("asset__code"), hint=gettext_lazy("编号")),
        Filter(
            "q", gettext_lazy("文字"), contains("name", "component", "asset__code", "asset__name", "raw"),
            hint=gettext_lazy("名称、部件、原始状态"),
        ),
    )  # fmt: skip
    made = Listing(
        name="findings",
        rows=rows,
        columns=COLUMNS,
        order=("-state", "severity", "-opened_at", "-id"),
        filters=filters,
        link=lambda row: reverse("finding", args=[row.pk]),
        attach=attach,
    )
    return made, standing


def findings(request: HttpRequest) -> HttpResponseBase:
    """The list, open first."""
    made, standing = listing()

    def sentence(shown: Shown) -> Any:
        if shown.chosen:
            found = _("筛选出 {n} 项发现") if shown.total else _("没有符合筛选条件的发现")
            return found.format(n=shown.total)
        n, critical = sum(standing.values()), standing.get(Severity.CRITICAL, 0)
        if not n:
            return _("没有未关闭的发现；看不见的设备除外")
        values: dict[str, tuple[object, str]] = {
            "n": (n, "plain"),
            "critical": (critical, "bad" if critical else "mut"),
            "warning": (n - critical, "warn" if n - critical else "mut"),
        }
        return words.pieces(_("{n} 项发现未关闭：严重 {critical}，警告 {warning}"), values)

    return show(request, made, sentence, template="inspect/findings.jinja")


def open_of(asset_id: int) -> QuerySet[Finding]:
    """Findings of one asset, open first."""
    number = Entry.objects.filter(intake=OuterRef("evidence")).values("seq")[:1]
    found = Finding.objects.filter(Q(asset_id=asset_id)).annotate(number=Subquery(number))
    return found.order_by("-state", "severity", "-opened_at", "-id")
