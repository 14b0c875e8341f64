"""巡检: every run that looked, with what it could see, what it could not and whose doing that is, and its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from markupsafe import Markup

from yunwei.charts.svg import Slice, bar
from yunwei.inspect.models import VerdictOf
from yunwei.ledger.models import Entry
from yunwei.runs.models import Run, RunState
from yunwei.runs.procedure import registry
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder
from yunwei.ui.listing import Column, Filter, Listing, Shown, equals, show

STATE_TONE = {
    RunState.SUBMITTED: "mut",
    RunState.RUNNING: "info",
    RunState.DONE: "ok",
    RunState.FAILED: "bad",
    RunState.CANCELLED: "warn",
}
VERDICT_TONE = {VerdictOf.PASS: "ok", VerdictOf.FAIL: "bad", VerdictOf.UNPROVEN: "unp"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run came to. `told` False: it has not been judged, so there is nothing to say."""

    told: bool
    agreed: int
    proven: int
    passed: int
    failed: int
    unproven: int
    reasons: Mapping[str, int]
    causes: Mapping[str, int]
    controls: Mapping[str, bool]

    @property
    def silent(self) -> list[str]:
        """Zones and protocols whose positive control was not found."""
        return sorted(name for name, fired in self.controls.items() if not fired)

    @property
    def slices(self) -> list[Slice]:
        return [Slice(self.passed, "ok"), Slice(self.failed, "bad"), Slice(self.unproven, "unp")]


def looking() -> list[str]:
    """The procedures that owe looking at assets."""
    return sorted(name for name, one in registry().items() if one.owes == "look")


def judged() -> Subquery:
    """The ledger number of a run's judgement."""
    found = Entry.objects.filter(intake__kind="inspect.run.judged", intake__subject=OuterRef("id"))
    return Subquery(found.order_by("-seq").values("seq")[:1])


def runs() -> QuerySet[Run]:
    """All looking runs with the number of their judgement, without the long lists they were given."""
    return Run.objects.filter(procedure__in=looking()).defer("scope", "terms").annotate(number=judged())


def figures(run: Run) -> Figures:
    """The figures of a run, from what it came to."""
    outcome: Mapping[str, Any] = run.outcome or {}
    found = outcome.get("coverage") or {}
    agreed, proven, failed = (int(found.get(name, 0)) for name in ("agreed", "proven", "failed"))
    return Figures(
        told=bool(found),
        agreed=agreed or run.total,
        proven=proven,
        passed=int(found.get("passed", proven - failed)),
        failed=failed,
        unproven=agreed - proven,
        reasons=found.get("unproven") or {},
        causes=found.get("causes") or {},
        controls=found.get("control") or outcome.get("control") or {},
    )


def titles() -> dict[str, str]:
    """The obligations' titles in the reader's language."""
    return {o.id: words.title(o) for o in contract_folder().obligations}


def title(run: Run, known: Mapping[str, str] | None = None) -> str:
    """What a run is for: its obligation's title, or the first contact, which owes nothing."""
    code = str(run.cause.get("obligation", ""))
    known = titles() if known is None else known
    return known.get(code) or code or (_("首次接触") if run.id.startswith("contact:") else run.procedure)


def attach(rows: list[Run]) -> None:
    """Each run's title; the contract is read once a page."""
    known = titles()
    for run in rows:
        run.title = title(run, known)  # type: ignore[attr-defined]


def causes(told: Mapping[str, int]) -> str:
    """Whose doing what was not seen is: "乙方 2 · 尚不清楚 1"."""
    return " · ".join(f"{words.cause(code)} {n}" for code, n in sorted(told.items(), key=lambda x: (-x[1], x[0])))


def lasted(run: Run) -> str:
    """How long it took."""
    if run.started_at is None or run.ended_at is None:
        return ""
    seconds = int((run.ended_at - run.started_at).total_seconds())
    if seconds < 60:
        return _("{s} 秒").format(s=seconds)
    if seconds < 3600:
        return _("{m} 分 {s} 秒").format(m=seconds // 60, s=seconds % 60)
    return _("{h} 小时 {m} 分").format(h=seconds // 3600, m=seconds % 3600 // 60)


def state_cell(run: Run) -> Markup:
    """Where it stands; a finished one says what it proved."""
    if run.state == RunState.DONE and (verdict := (run.outcome or {}).get("verdict")) in VERDICT_TONE:
        return quiet(VERDICT_TONE[VerdictOf(verdict)], VerdictOf(verdict).label)
    return cells.state(STATE_TONE[RunState(run.state)], run.get_state_display())


def quiet(tone: str, word: object) -> Markup:
    """A state whose dot alone has the colour: a column of them is read, not shouted."""
    return Markup('<span class="state"><i class="dot {}"></i>{}</span>').format(tone, word)


def failed_cell(run: Run) -> Markup:
    """How many are faulty; red is what this run found new."""
    if not figures(run).told:
        return cells.NOTHING
    opened = ((run.outcome or {}).get("findings") or {}).get("opened", 0)
    new = Markup('<small class="t-bad">{}</small>').format(_("新增 {n}").format(n=opened)) if opened else ""
    return Markup("<span>{}{}</span>").format(new, cells.figure(figures(run).failed))


def coverage_cell(run: Run) -> Markup:
    """Proven of agreed as a bar with figures."""
    told = figures(run)
    label = _("正常 {passed}，有故障 {failed}，未证明 {unproven}").format(
        passed=told.passed, failed=told.failed, unproven=told.unproven
    )
    if not told.told:
        parts, label = [Slice(run.done, "info")], _("已看 {n}").format(n=run.done)
        n = run.done
    else:
        parts, n = told.slices, told.proven
    drawn = Markup(bar(parts, told.agreed, label))  # noqa: S704 - our own drawing escapes its label
    return Markup('<span class="cov"><span class="bar">{}</span><span class="num">{}/{}</span></span>').format(
        drawn, n, told.agreed
    )


def unproven_cell(run: Run) -> Markup:
    """How many were not proven, and whose doing that is."""
    told = figures(run)
    if not told.told:
        return cells.NOTHING
    who = Markup(' <span class="mut">{}</span>').format(causes(told.causes)) if told.causes else ""
    return Markup("<span>{}{}</span>").format(cells.figure(told.unproven, "unp"), who)


def control_cell(run: Run) -> Markup:
    """Whether the positive controls were found: without them a quiet protocol proves nothing."""
    told = figures(run)
    if not told.controls:
        return cells.NOTHING
    if told.silent:
        return cells.state("unp", _("未报出 {names}").format(names=" ".join(told.silent)))
    return Markup('<span class="mut num">{}</span>').format(_("{n} 个报出").format(n=len(told.controls)))


def _when(run: Run) -> Markup:
    return cells.name(f"{timezone.localtime(run.submitted_at):%Y-%m-%d %H:%M}")


def _what(run: Any) -> Markup:
    tags = run.cause.get("clauses") or ()
    said = Markup('<span>{} {} <span class="mut id" translate="no">{}</span></span>')
    return said.format(run.title, cells.clause(tags) if tags else "", run.id)


def _on_or_after(rows: QuerySet[Run], text: str) -> QuerySet[Run]:
    day = _day(text)
    return rows.filter(submitted_at__gte=day) if day else rows.none()


def _until(rows: QuerySet[Run], text: str) -> QuerySet[Run]:
    day = _day(text)
    return rows.filter(submitted_at__lt=day + timedelta(days=1)) if day else rows.none()


def _day(text: str) -> datetime | None:
    """Local midnight of a day written 2026-11-26, None for what is no day."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(day, time())) if 1 < day.year < 9999 else None


def _obligations() -> list[tuple[str, Any]]:
    served = set(looking())
    return [(o.id, f"{o.id} {words.title(o)}") for o in contract_folder().obligations if o.procedure in served]


def state_text(run: Run) -> str:
    """The same as `state_cell`, for an export."""
    verdict = (run.outcome or {}).get("verdict")
    if run.state == RunState.DONE and verdict in VERDICT_TONE:
        return str(VerdictOf(verdict).label)
    return str(run.get_state_display())


def control_text(run: Run) -> str:
    """The same as `control_cell`, for an export."""
    told = figures(run).controls
    return " ".join(f"{name} {_('报出') if fired else _('未报出')}" for name, fired in sorted(told.items()))


LISTING = Listing(
    name="sweeps",
    rows=lambda _request: runs(),
    order=("-submitted_at", "-id"),
    attach=attach,
    link=lambda run: reverse("sweep", args=[run.id]),
    columns=(
        Column("at", gettext_lazy("时间"), lambda r: r.submitted_at, _when, "lead"),
        Column("what", gettext_lazy("巡检"), lambda r: f"{r.title} {r.id}", _what, "wide"),
        Column("state", gettext_lazy("结果"), state_text, state_cell),
        Column(
            "coverage", gettext_lazy("看清"), lambda r: f"{figures(r).proven}/{figures(r).agreed}" if r.outcome else "",
            coverage_cell,
        ),
        Column(
            "failed", gettext_lazy("有故障"), lambda r: figures(r).failed if figures(r).told else None,
            failed_cell, "num",
        ),
        Column(
            "unproven", gettext_lazy("未证明"),
            lambda r: f"{figures(r).unproven} {causes(figures(r).causes)}".strip() if figures(r).told else None,
            unproven_cell,
        ),
        Column("control", gettext_lazy("阳性对照"), control_text, control_cell),
        Column("lasted", gettext_lazy("用时"), lasted, lambda r: cells.text(lasted(r)), "num"),
        Column(
            "evidence", gettext_lazy("证据"), lambda r: r.number,
            lambda r: cells.proof(r.number, waiting=figures(r).told and r.ended_at is not None), "num",
        ),
    ),
    filters=(
        Filter("state", gettext_lazy("进度"), equals("state"), lambda: RunState.choices),
        Filter("verdict", gettext_lazy("结果"), equals("outcome__verdict"), lambda: VerdictOf.choices),
        Filter("obligation", gettext_lazy("义务"), equals("cause__obligation"), _obligations),
        Filter("from", gettext_lazy("自"), _on_or_after, hint="2026-02-03"),
        Filter("to", gettext_lazy("至"), _until, hint="2026-12-31"),
    ),
)  # fmt: skip


def sentence(shown: Shown) -> Any:
    """What the newest inspection came to; a filtered list says how many it found."""
    if shown.chosen or not shown.rows:
        found = _("筛选出 {n} 次巡检") if shown.total else _("没有符合筛选条件的巡检")
        return found.format(n=shown.total) if shown.chosen else _("还没有巡检过；没有看过，就不能说正常")
    return told_of(shown.rows[0], _("最近一次巡检"))


def told_of(run: Run, which: str) -> Any:
    """One run in a sentence, cut into (text, tone)."""
    told = figures(run)
    values: dict[str, tuple[object, str]] = {
        "which": (which, ""),
        "seen": (told.proven, "plain" if told.proven == told.agreed else "unp"),
        "all": (told.agreed, "plain"),
        "failed": (told.failed, "bad" if told.failed else "mut"),
        "unproven": (told.unproven, "unp" if told.unproven else "mut"),
    }
    if run.state in (RunState.FAILED, RunState.CANCELLED):
        return words.pieces(_("{which}没有完成，看清 {seen} / {all} 台"), values)
    if run.ended_at is None:
        values["seen"] = (run.done, "plain")
        return words.pieces(_("{which}进行到 {seen} / {all} 台"), values)
    return words.pieces(_("{which}看清 {seen} / {all} 台：{failed} 台有故障，{unproven} 台未证明"), values)


def sweeps(request: HttpRequest) -> HttpResponseBase:
    """The list."""
    return show(request, LISTING, sentence, template="inspect/sweeps.jinja")
