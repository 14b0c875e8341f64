"""资产: what is looked after, what the last look at each said, and whether the device that answers is the agreed one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import CharField, Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from markupsafe import Markup

from yunwei.accounts.models import Organisation
from yunwei.assets.models import Asset, AssetKind, Endpoint, IdentityPin, Place, System, Zone
from yunwei.inspect.models import DeviceSweep, VerdictOf
from yunwei.inspect.web.sweeps import quiet
from yunwei.ledger.models import Entry
from yunwei.ui import cells, vocabulary, words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, equals, show

VERDICT_TONE = {VerdictOf.PASS: "ok", VerdictOf.FAIL: "bad", VerdictOf.UNPROVEN: "unp"}
#: an older look says how it was, not how it is (looks are daily, 服务方案)
OLD = timedelta(hours=48)
NEVER = "none"
#: whose identity it is, for menu and cell: (word, tone)
IDENTITY = {
    "confirmed": (gettext_lazy("已确认"), "ok"),
    "weak": (gettext_lazy("已确认（弱）"), "mut"),
    "waiting": (gettext_lazy("待甲方确认"), "warn"),
    "changed": (gettext_lazy("身份不符"), "bad"),
    "unpinned": (gettext_lazy("未登记身份"), "unp"),
    "nothing": (gettext_lazy("没有端点"), "mut"),
}
Menu = Sequence[tuple[str, Any]]


def _newest(name: str) -> Subquery:
    """A field of an asset's newest look, the one that brought nothing included."""
    rows = DeviceSweep.objects.filter(asset=OuterRef("pk")).order_by("-observed_at", "-id")
    return Subquery(rows.values(name)[:1])


def _pins() -> QuerySet[IdentityPin]:
    return IdentityPin.objects.filter(refused_at__isnull=True)


def identities() -> dict[str, Exists]:
    """What decides the state of an asset's identity, as parts of its row: all its endpoints count."""
    mine = Endpoint.objects.filter(asset=OuterRef("pk"))
    later = _pins().filter(endpoint=OuterRef("endpoint"), pk__gt=OuterRef("pk"), confirmed_at__isnull=False)
    before = _pins().filter(endpoint=OuterRef("endpoint"), pk__lt=OuterRef("pk"), confirmed_at__isnull=False)
    open_ = _pins().filter(endpoint__asset=OuterRef("pk"), confirmed_at__isnull=True).exclude(Exists(later))
    agreed = _pins().filter(endpoint__asset=OuterRef("pk"), confirmed_at__isnull=False).exclude(Exists(later))
    return {
        "reachable": Exists(mine),
        "unpinned": Exists(mine.exclude(Exists(_pins().filter(endpoint=OuterRef("pk"))))),
        "waiting": Exists(open_),
        "changed": Exists(open_.filter(Exists(before))),
        "weak": Exists(agreed.filter(weak=True)),
    }


def rows(request: HttpRequest) -> QuerySet[Asset]:
    """What is in service, or with `retired` what was; each with its newest look and the state of its identity."""
    number = Entry.objects.filter(intake__kind="inspect.run.judged", intake__subject=OuterRef("last_run"))
    found = Asset.objects.filter(retired_at__isnull=not request.GET.get("retired"))
    names = {"verdict": "verdict", "seen_at": "observed_at", "reason": "reason", "cause": "cause", "last_run": "run_id"}
    return (
        found.select_related("zone", "place", "owner", "system")
        .annotate(**{name: _newest(of) for name, of in names.items()}, **identities())
        .annotate(number=Subquery(number.order_by("-seq").values("seq")[:1]))
    )


def identity_state(row: Any) -> str:
    """The state of an asset's identity, a key of IDENTITY; the worst of its endpoints."""
    if not row.reachable:
        return "nothing"
    for name in ("changed", "waiting", "unpinned", "weak"):
        if getattr(row, name):
            return name
    return "confirmed"


def by_identity(found: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Filter by a key of IDENTITY; the order in which the worst counts is `identity_state`'s."""
    order = ("changed", "waiting", "unpinned", "weak")
    if text == "nothing":
        return found.filter(reachable=False)
    if text in order:
        better = dict.fromkeys(order[: order.index(text)], False)
        return found.filter(reachable=True, **{text: True}, **better)
    if text == "confirmed":
        return found.filter(reachable=True, **dict.fromkeys(order, False))
    return found.none()


def by_verdict(found: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Filter by the newest look's verdict, or by there being none."""
    return found.filter(verdict__isnull=True) if text == NEVER else found.filter(verdict=text)


def by_text(found: QuerySet[Any], text: str) -> QuerySet[Any]:
    """What people know a device by: code, name, model, serial, position, address."""
    wanted = Q(Exists(Endpoint.objects.filter(asset=OuterRef("pk"), address__icontains=text)))
    for name in ("code", "name", "vendor", "model", "serial", "position"):
        wanted |= Q(**{f"{name}__icontains": text})
    return found.filter(wanted)


@dataclass(frozen=True, slots=True)
class Options:
    """The menus' contents, and how many assets in service stand how."""

    zones: Menu
    places: Menu
    owners: Menu
    systems: Menu
    counts: Mapping[str, int]


def options() -> Options:
    """All of it in one statement."""

    def menu(what: str, rows: QuerySet[Any]) -> Any:
        told = rows.order_by().annotate(w=Value(what, CharField()), n=Value(0, IntegerField()))
        return told.values_list("w", "code", "name", "n")

    standing = Asset.objects.filter(retired_at__isnull=True).order_by()
    standing_ = standing.annotate(v=Coalesce(_newest("verdict"), Value(NEVER), output_field=CharField())).values("v")
    counted = standing_.annotate(w=Value("count", CharField()), label=Value("", CharField()), n=Count("id"))
    told = menu("zone", Zone.objects.all()).union(
        menu("place", Place.objects.all()),
        menu("owner", Organisation.objects.filter(asset__isnull=False).distinct()),
        menu("system", System.objects.all()),
        counted.values_list("w", "v", "label", "n"),
        all=True,
    )
    by: dict[str, list[tuple[str, Any]]] = {}
    for what, code, name, n in told:
        by.setdefault(what, []).append((code, n if what == "count" else name))
    names = {what: sorted(found) for what, found in by.items()}
    return Options(
        names.get("zone", []), names.get("place", []), names.get("owner", []), names.get("system", []),
        dict(names.get("count", [])),
    )  # fmt: skip


def verdict_cell(row: Any, now: datetime) -> Markup:
    """What the newest look said; an old one is not shown in its colour any more."""
    if not row.verdict:
        return cells.state("unp", _("没有看过"))
    verdict = VerdictOf(row.verdict)
    old = now - row.seen_at > OLD
    tone = "mut" if old else VERDICT_TONE[verdict]
    said = quiet(tone, verdict.label) if tone == "ok" else cells.state(tone, verdict.label)
    notes = [words.reason(row.reason)] if row.reason else []
    notes += [_("{n} 天前").format(n=(now - row.seen_at).days)] if old else []
    return Markup('<span>{} <span class="mut">{}</span></span>').format(said, " · ".join(notes)) if notes else said


def identity_cell(row: Any) -> Markup:
    """The state of its identity."""
    word, tone = IDENTITY[identity_state(row)]
    return cells.state(tone, word) if tone not in ("ok", "mut") else Markup('<span class="mut">{}</span>').format(word)


def verdict_text(row: Any) -> str:
    """The verdict for an export."""
    return (
        f"{VerdictOf(row.verdict).label} {words.reason(row.reason) if row.reason else ''}".strip()
        if row.verdict
        else ""
    )


def _place(row: Asset) -> str:
    return " · ".join(str(p) for p in (row.place, row.position) if p)


def _owner(row: Asset) -> str:
    return " · ".join(str(p) for p in (row.owner, row.system) if p)


def _make(row: Asset) -> str:
    return " ".join(p for p in (row.vendor, row.model) if p)


def _kind(row: Asset) -> str:
    return words.category(row.category) if row.category else str(row.get_kind_display())


def columns(now: datetime) -> tuple[Column, ...]:
    """The columns; what a look said is shown by how old it is now."""
    plain: Callable[[str], Markup] = lambda said: (  # noqa: E731
        Markup('<span translate="no">{}</span>').format(said) if said else cells.NOTHING
    )
    return (
        Column("code", gettext_lazy("编号"), lambda r: r.code, lambda r: cells.name(r.code), "lead"),
        Column("name", gettext_lazy("名称"), lambda r: r.name, lambda r: cells.name(r.name)),
        Column("make", gettext_lazy("型号"), _make, lambda r: plain(_make(r))),
        Column("kind", gettext_lazy("类别"), _kind),
        Column("zone", gettext_lazy("区域"), lambda r: str(r.zone), lambda r: plain(str(r.zone))),
        Column("place", gettext_lazy("机房位置"), _place, lambda r: plain(_place(r)), sparse=True),
        Column("owner", gettext_lazy("归属"), _owner, lambda r: plain(_owner(r)), sparse=True),
        Column("verdict", gettext_lazy("最近结论"), verdict_text, lambda r: verdict_cell(r, now)),
        Column("seen", gettext_lazy("何时"), lambda r: r.seen_at, lambda r: cells.stamp(r.seen_at)),
        Column("identity", gettext_lazy("身份"), lambda r: IDENTITY[identity_state(r)][0], identity_cell),
        Column(
            "evidence", gettext_lazy("证据"), lambda r: r.number,
            lambda r: cells.proof(r.number, waiting=bool(r.verdict)), "num",
        ),
    )  # fmt: skip


def listing(now: datetime) -> tuple[Listing, Options]:
    """The list with its menus."""
    told = options()
    verdicts = [*VerdictOf.choices, (NEVER, gettext_lazy("没有看过"))]
    categories = [(code, word) for code, word in vocabulary.CATEGORIES.items() if code]
    filters = (
        Filter("verdict", gettext_lazy("最近结论"), by_verdict, lambda: verdicts),
        Filter("category", gettext_lazy("类别"), equals("category"), lambda: categories),
        Filter("kind", gettext_lazy("种类"), equals("kind"), lambda: AssetKind.choices),
        Filter("zone", gettext_lazy("区域"), equals("zone__code"), lambda: told.zones),
        Filter("place", gettext_lazy("机房"), equals("place__code"), lambda: told.places),
        Filter("owner", gettext_lazy("单位"), equals("owner__code"), lambda: told.owners),
        Filter("system", gettext_lazy("系统"), equals("system__code"), lambda: told.systems),
        Filter(
            "identity",
            gettext_lazy("身份"),
            by_identity,
            lambda: [(code, word) for code, (word, _tone) in IDENTITY.items()],
        ),
        Filter("retired", gettext_lazy("在册"), lambda found, _text: found, lambda: [("1", gettext_lazy("已退出"))]),
        Filter("q", gettext_lazy("文字"), by_text, hint=gettext_lazy("编号、名称、序列号、地址")),
    )
    empty = {
        key for key, menu in (("place", told.places), ("owner", told.owners), ("system", told.systems)) if not menu
    }
    made = Listing(
        name="assets",
        rows=rows,
        columns=columns(now),
        order=("code",),
        filters=[f for f in filters if f.key not in empty],
        link=lambda row: reverse("asset", args=[row.code]),
    )
    return made, told


def assets(request: HttpRequest) -> HttpResponseBase:
    """The list; as many statements for 10,000 assets as for 100 (tests/ui/budgets.toml)."""
    made, told = listing(now_of_instance())

    def sentence(shown: Shown) -> Any:
        if shown.chosen:
            found = _("筛选出 {n} 项资产") if shown.total else _("没有符合筛选条件的资产")
            return found.format(n=shown.total)
        return _sentence(told.counts)

    return show(request, made, sentence, template="assets/assets.jinja")


def _sentence(counts: Mapping[str, int]) -> Any:
    if not sum(counts.values()):
        return _("还没有登记资产")
    passed, failed, unproven, never = (counts.get(name, 0) for name in (*VerdictOf.values, NEVER))
    values: dict[str, tuple[object, str]] = {
        "n": (sum(counts.values()), "plain"),
        "passed": (passed, "plain"),
        "failed": (failed, "bad" if failed else "mut"),
        "unproven": (unproven, "unp" if unproven else "mut"),
        "never": (never, "unp" if never else "mut"),
    }
    if never:
        text = _("在管资产 {n} 项：正常 {passed}，有故障 {failed}，未证明 {unproven}，没有看过 {never}")
        return words.pieces(text, values)
    return words.pieces(_("在管资产 {n} 项：正常 {passed}，有故障 {failed}，未证明 {unproven}"), values)
