"""One sweep: while it runs, how far it is; then what was found, what could not be seen, and what changed since the last.

The number of statements is fixed whatever the number of assets; lists are cut, and the whole list has its own page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from yunwei.accounts.models import Account
from yunwei.assets.models import Asset
from yunwei.charts.svg import Slice
from yunwei.duties import services as duties
from yunwei.duties.models import Attempt, Occurrence
from yunwei.duties.running import BY_COVERAGE
from yunwei.duties.transitions import TRANSITIONS
from yunwei.inspect.models import DeviceSweep, Finding, VerdictOf
from yunwei.inspect.web import findings, sweeps
from yunwei.inspect.web.sweeps import figures
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.models import Intake
from yunwei.runs.models import Run
from yunwei.ui import cells, vocabulary, words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, equals, show
from yunwei.ui.pages import VENDOR

#: devices shown of each group; the rest has its count and its page
FAILED, BLIND, PASSED, CHANGED = 60, 120, 240, 80
#: what a run may be shown of by name in the difference
DIFFERENCES = (
    ("failed", gettext_lazy("新出现故障"), "bad"),
    ("blind", gettext_lazy("新近看不见"), "unp"),
    ("recovered", gettext_lazy("恢复正常"), "ok"),
    ("again", gettext_lazy("重新看见"), "info"),
    ("first", gettext_lazy("首次纳入"), "mut"),
)


@dataclass(slots=True)
class Group:
    """Assets of one category."""

    name: str
    total: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def proven(self) -> int:
        return self.counts[VerdictOf.PASS] + self.counts[VerdictOf.FAIL]

    @property
    def bar(self) -> list[Slice]:
        c = self.counts
        return [Slice(c[VerdictOf.PASS], "ok"), Slice(c[VerdictOf.FAIL], "bad"), Slice(c[VerdictOf.UNPROVEN], "unp")]


@dataclass(frozen=True, slots=True)
class Blind:
    """Assets that were not proven for one reason, by whose doing."""

    reason: str
    causes: list[tuple[str, int]]
    count: int
    rows: list[DeviceSweep]


@dataclass(slots=True)
class Difference:
    """What changed since the sweep before: by kind, how many, and some of them."""

    before: Run
    counts: Counter[str] = field(default_factory=Counter)
    rows: dict[str, list[DeviceSweep]] = field(default_factory=dict)
    same: int = 0
    gone: int = 0


def _run(run_id: str) -> Any:
    """The run with what its terms say of plan and target, without the long lists in them."""
    found = (
        Run.objects.filter(pk=run_id, procedure__in=sweeps.looking())
        .defer("scope", "terms")
        .annotate(
            number=sweeps.judged(),
            plan=KT("terms__plan_version"),
            approved=KT("terms__approved"),
            target=KT("terms__coverage_target"),
        )
        .first()
    )
    if found is None:
        raise Http404
    return found


def _rows(run: Run) -> QuerySet[DeviceSweep]:
    light = DeviceSweep.objects.filter(run_id=run.id).select_related("asset").defer("identity", "moving")
    return light.order_by("asset__code")


def groups(run: Run) -> list[Group]:
    """By category: what came back so far, and while it runs, of how many. One statement; two more while it runs."""
    out: dict[str, Group] = {}
    told = DeviceSweep.objects.filter(run_id=run.id).values_list("asset__category", "verdict").annotate(n=Count("id"))
    for category, verdict, n in told.order_by():
        group = out.setdefault(category, Group(words.category(category)))
        group.counts[verdict] += n
        group.total += n
    if run.ended_at is None:
        lists = Run.objects.values_list("terms__baseline", "scope__assets").get(pk=run.pk)
        wanted = set(lists[0] or lists[1] or ())
        agreed = Counter(c for code, c in Asset.objects.values_list("code", "category") if code in wanted)
        for category, n in agreed.items():
            out.setdefault(category, Group(words.category(category))).total = n
    return [out[category] for category in sorted(out)]


def blind(run: Run) -> list[Blind]:
    """What was not proven, by reason, the most first; with some of the devices. Two statements."""
    unproven = Q(run_id=run.id, verdict=VerdictOf.UNPROVEN)
    counts: dict[str, Counter[str]] = {}
    for reason, cause, n in (
        DeviceSweep.objects.filter(unproven).values_list("reason", "cause").annotate(n=Count("id")).order_by()
    ):
        counts.setdefault(reason, Counter())[cause] += n
    rows = list(_rows(run).filter(verdict=VerdictOf.UNPROVEN).order_by("reason", "asset__code")[:BLIND])
    return [
        Blind(
            words.reason(reason),
            [(words.cause(code), n) for code, n in found.most_common()],
            found.total(),
            [r for r in rows if r.reason == reason],
        )
        for reason, found in sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    ]


def difference(run: Run) -> Difference | None:
    """Against the sweep before of the same obligation. Three statements; None where there was none before."""
    same = Run.objects.filter(procedure=run.procedure, submitted_at__lt=run.submitted_at, outcome__has_key="coverage")
    if "obligation" in run.cause:
        same = same.filter(cause__obligation=run.cause["obligation"])
    before = same.defer("scope", "terms").order_by("-submitted_at").first()
    if before is None:
        return None
    was = DeviceSweep.objects.filter(run_id=before.id, asset=OuterRef("asset")).values("verdict")[:1]
    rows = _rows(run).annotate(was=Subquery(was))
    found = Difference(before)
    for old, new, n in rows.order_by().values_list("was", "verdict").annotate(n=Count("id")):
        kind = _kind(old, new)
        if kind:
            found.counts[kind] += n
        else:
            found.same += n
    changed = rows.filter(~Q(was=F("verdict")) | Q(was__isnull=True))
    for row in changed.order_by("verdict", "asset__code")[: CHANGED * 2]:
        kind = _kind(row.was, row.verdict)
        known = found.rows.setdefault(kind, [])
        if kind and len(known) < CHANGED:
            known.append(row)
    told = figures(before)
    found.gone = max(0, told.agreed - found.same - sum(n for k, n in found.counts.items() if k != "first"))
    return found


def _kind(old: str | None, new: str) -> str:
    """What became of a device; a fault that is seen where nothing was seen before is a new fault to whoever reads."""
    if old == new:
        return ""
    if old is None:
        return "first"
    if new == VerdictOf.FAIL:
        return "failed"
    if new == VerdictOf.UNPROVEN:
        return "blind"
    return "recovered" if old == VerdictOf.FAIL else "again"


def _retry(run: Run, account: Any) -> Occurrence | None:
    """The occurrence that could still be done again, by whom and when the service allows it. Two statements."""
    if not isinstance(account, Account) or account.role not in VENDOR or run.ended_at is None:
        return None
    tried = Attempt.objects.filter(run_id=run.id).select_related("occurrence").first()
    if tried is None or "running" not in TRANSITIONS[tried.occurrence.state]:
        return None
    row, now = tried.occurrence, now_of_instance()
    later = Occurrence.objects.filter(obligation=row.obligation, starts_at__gt=row.starts_at, starts_at__lte=now)
    return None if row.kind in BY_COVERAGE and later.exists() else row


def _standing(run: Run, failing: Sequence[DeviceSweep]) -> dict[tuple[int, str], int]:
    """The findings that stood open when a run ended, of the assets it found faulty. One statement."""
    found = Finding.objects.filter(asset__in=[r.asset_id for r in failing])
    if run.ended_at is not None:
        alive = Q(closed_at__isnull=True) | Q(closed_at__gt=run.submitted_at)
        found = found.filter(alive, opened_at__lte=run.ended_at)
    return {(asset, key): pk for asset, key, pk in found.order_by("id").values_list("asset_id", "key", "pk")}


def model(run: Any, account: Any) -> dict[str, Any]:
    """All that the page shows of one run."""
    told = figures(run)
    ended, unseen = run.ended_at is not None, blind(run)
    failing = list(_rows(run).filter(verdict=VerdictOf.FAIL).order_by("-faults", "asset__code")[:FAILED])
    return {
        "run": run,
        "told": told,
        "ended": ended,
        "sentence": sweeps.told_of(run, _("本次巡检") if ended else _("巡检")),
        "title": sweeps.title(run),
        "lasted": sweeps.lasted(run),
        "groups": groups(run),
        "slices": told.slices if ended else [Slice(run.done, "info")],
        "failing": failing,
        "finding_of": _standing(run, failing),
        "blind": unseen,
        "unlisted": max(0, told.unproven - sum(b.count for b in unseen)) if told.told else 0,
        "passed": _passed(run) if ended else [],
        "diff": difference(run) if ended else None,
        "differences": DIFFERENCES,
        "changes": (run.outcome or {}).get("findings") or {},
        "plan_words": _plan(run),
        "records": _records(run),
        "again": _retry(run, account),
        "causes": sweeps.causes(told.causes),
        "target": f"{Decimal(run.target).normalize():f}" if run.target else "",
    }


def _passed(run: Run) -> list[tuple[str, str]]:
    rows = DeviceSweep.objects.filter(run_id=run.id, verdict=VerdictOf.PASS).order_by("asset__code")
    return list(rows.values_list("asset__code", "asset__name")[:PASSED])


def _plan(run: Any) -> str:
    """Which version's limits judged, and whether the client had approved it."""
    if not run.plan:
        return _("没有服务方案：按设备与厂商阈值判定，不计分")
    approved = run.approved in ("true", "1", "True")
    said = _("服务方案第 {n} 版") if approved else _("服务方案第 {n} 版（当时未经甲方审定）")
    return said.format(n=run.plan)


def _records(run: Run) -> list[dict[str, Any]]:
    """The run's own ledger records with their numbers; parts that came in one after the other are one line."""
    rows = Intake.objects.filter(subject=run.id).order_by("id").values_list("kind", "at", "actor", "entry__seq")[:200]
    out: list[dict[str, Any]] = []
    for kind, at, actor, number in rows:
        if out and (out[-1]["kind"], out[-1]["actor"]) == (kind, actor):
            out[-1] |= {"n": out[-1]["n"] + 1, "last": number}
            continue
        out.append(
            {"kind": kind, "what": words.event(kind), "at": at, "actor": actor, "number": number, "n": 1, "last": None}
        )
    return out


def sweep(request: HttpRequest, run_id: str) -> HttpResponse:
    """The page."""
    run = _run(run_id)
    return page(request, "inspect/sweep.jinja", model(run, request.user), here="sweeps", as_of=run.ended_at)


def body(request: HttpRequest, run_id: str) -> HttpResponse:
    """Its changing part, fetched again while it runs; who opens it by hand gets the page."""
    if not request.headers.get("HX-Request"):
        return redirect("sweep", run_id)
    run = _run(run_id)
    return page(request, "inspect/sweep_body.jinja", model(run, request.user), here="sweeps", as_of=run.ended_at)


@require_POST
def again(request: HttpRequest, run_id: str) -> HttpResponse:
    """乙方 looks again: another attempt for the same occurrence. The service decides whether it can still prove anything."""
    run = _run(run_id)
    tried = Attempt.objects.filter(run_id=run.id).first()
    account = request.user
    if tried is None or not isinstance(account, Account):
        raise Http404
    try:
        started = duties.again(tried.occurrence_id, now=now_of_instance(), actor=account.username)
    except YunweiError as error:
        told = model(run, account) | {"problem": str(error)}
        response = page(request, "inspect/sweep.jinja", told, here="sweeps", as_of=run.ended_at)
        response.status_code = 400
        return response
    return redirect("sweep", started.run_id)


# --- every device of one sweep ----------------------------------------------------------------------------------------


def _devices(request: HttpRequest) -> QuerySet[DeviceSweep]:
    match = request.resolver_match
    return _rows(_run(match.kwargs["run_id"] if match else ""))


def _faults(row: DeviceSweep) -> str:
    said = [f"{f['name']} {findings.read_of(f)}" for f in row.facts.get("faults", ())]
    return "；".join(said[:3]) + (" …" if len(said) > 3 else "")


def _why(row: DeviceSweep) -> str:
    if row.verdict == VerdictOf.UNPROVEN:
        return " · ".join(p for p in (words.reason(row.reason), words.cause(row.cause), row.detail) if p)
    return _faults(row)


DEVICES = Listing(
    name="sweep-devices",
    rows=_devices,
    order=("asset__code", "id"),
    link=lambda row: reverse("asset", args=[row.asset.code]),
    columns=(
        Column("code", gettext_lazy("编号"), lambda r: r.asset.code, lambda r: cells.name(r.asset.code), "lead"),
        Column("name", gettext_lazy("名称"), lambda r: r.asset.name, lambda r: cells.name(r.asset.name)),
        Column("category", gettext_lazy("类别"), lambda r: words.category(r.asset.category)),
        Column(
            "verdict", gettext_lazy("结论"), lambda r: r.get_verdict_display(),
            lambda r: cells.state(sweeps.VERDICT_TONE[VerdictOf(r.verdict)], r.get_verdict_display()),
        ),
        Column("why", gettext_lazy("说明"), _why, lambda r: cells.name(_why(r)) if _why(r) else cells.NOTHING, "wide"),
        Column("evaluated", gettext_lazy("判定读数"), lambda r: r.evaluated, None, "num"),
        Column("at", gettext_lazy("观测时间"), lambda r: r.observed_at, lambda r: cells.stamp(r.observed_at)),
    ),
    filters=(
        Filter("verdict", gettext_lazy("结论"), equals("verdict"), lambda: VerdictOf.choices),
        Filter(
            "category", gettext_lazy("类别"), equals("asset__category"),
            lambda: [(code, word) for code, word in vocabulary.CATEGORIES.items() if code],
        ),
        Filter("reason", gettext_lazy("未证明的原因"), equals("reason"), lambda: list(vocabulary.REASONS.items())),
        Filter("cause", gettext_lazy("责任"), equals("cause"), lambda: list(vocabulary.CAUSES.items())),
        Filter("q", gettext_lazy("文字"), contains("asset__code", "asset__name", "detail"), hint=gettext_lazy("编号、名称、说明")),
    ),
)  # fmt: skip


def devices(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """All devices of one sweep, with filters and export."""

    def sentence(shown: Shown) -> str:
        return (_("筛选出 {n} 台设备") if shown.chosen else _("这次巡检共有 {n} 台设备的结论")).format(n=shown.total)

    return show(request, DEVICES, sentence, template="inspect/devices.jinja", context={"run_id": run_id})
