"""Submitting runs for what is due, settling what they proved (law 1), closing what was not done in time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from yunwei.assets.models import Asset
from yunwei.contract import plans
from yunwei.contract.schema import Agreed, Kind, Obligation, Selector
from yunwei.duties import sources
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Attempt, Cause, Occurrence, State
from yunwei.duties.schedule import PlanAt
from yunwei.duties.transitions import in_time, locked, move
from yunwei.kernel.deadline import local_day
from yunwei.kernel.verdict import Verdict
from yunwei.runs import services as runs
from yunwei.runs.models import RunState
from yunwei.runs.procedure import registry
from yunwei.runs.services import RunEvent

JSON = Any
log = logging.getLogger(__name__)
ACTOR = "system:duties"
#: a look that proved too little is done again by itself, a few times, while it is still in time
RETRY_AFTER = timedelta(minutes=30)
MAX_AUTOMATIC = 3
#: workers' clocks differ; what is further ahead than this was written by a clock that was set back since
EARLY = timedelta(minutes=5)
#: settled by what was looked at; everything else that a procedure does is settled by its result
BY_COVERAGE = frozenset({Kind.LOOK.value, Kind.CONTINUOUS.value})


def submit_due(now: datetime) -> int:
    """Submit a run for every occurrence that is due, has a procedure and no attempt yet; returns how many."""
    procedures = registry()
    served = {o.id for o in sources.folder().obligations if o.procedure in procedures}
    if not served:
        return 0
    waiting = Occurrence.objects.filter(
        Q(state=State.DUE, attempts__isnull=True) | Q(state=State.UNPROVEN, kind__in=BY_COVERAGE),
        Q(due_at__isnull=True) | Q(due_at__gt=now),
        obligation__in=served,
        starts_at__lte=now,
        waiting=[],
    )
    submitted = 0
    for row in waiting.order_by("due_at", "id"):
        if row.state == State.UNPROVEN and not _worth_again(row, now):
            continue
        with transaction.atomic():
            row = locked(row.pk)  # noqa: PLW2901 - the same row, held: another worker may have been faster
            if row.state in (State.DUE, State.UNPROVEN):
                attempt(row, now=now, actor=ACTOR)
                submitted += 1
    return submitted


def _worth_again(row: Occurrence, now: datetime) -> bool:
    last = row.attempts.order_by("-number").first()
    if last is None or last.ended_at is None or last.number >= MAX_AUTOMATIC:
        return False
    return last.ended_at > now + EARLY or now - last.ended_at >= RETRY_AFTER  # an end to come: the clock had run ahead


def attempt(row: Occurrence, *, now: datetime, actor: str) -> Attempt:
    """Start one attempt for a locked occurrence. The run id makes a second submission harmless."""
    duty = sources.obligation(row.obligation)
    last = row.attempts.order_by("-number").first()
    number = (last.number if last else 0) + 1
    run_id = f"{row.kind}:{row.obligation}:{row.period}:{number}"
    plan = _plan_of(row)
    terms = _terms(plan, duty, row)
    scope = {"assets": terms["baseline"]}
    cause = {
        "obligation": row.obligation,
        "period": row.period,
        "clauses": list(row.clauses),
        "plan_version": row.plan_version,
        "by": actor,
    }
    move(row, State.RUNNING, now=now, actor=actor, data={"run": run_id})
    started = Attempt.objects.create(occurrence=row, number=number, run_id=run_id, submitted_at=now)
    runs.submit(run_id, duty.procedure, scope, terms, cause, now=now)
    return started


def _plan_of(row: Occurrence) -> PlanAt:
    """The version the occurrence stands under; for what the contract owes by itself, the one that counted when it began.

    The folder's own draft, which 乙方 can write, serves only while the client has approved nothing by then.
    """
    begun = local_day(row.starts_at, ZoneInfo(sources.folder().contract.timezone))
    approved = [plan for plan in sources.plans() if plan.counts_from is not None]
    for plan in approved:
        if plan.version == row.plan_version:
            return plan
    if row.plan_version is None:
        counting = [plan for plan in approved if plan.counts_from is not None and plan.counts_from <= begun]
        if counting:
            return max(counting, key=lambda plan: plan.version)
    draft = sources.folder().plan
    return PlanAt(draft.version, draft)


def _terms(plan: PlanAt, duty: Obligation, row: Occurrence) -> dict[str, JSON]:
    """What the plan says, as data: the line's own terms, the limits, the baseline that coverage is counted against."""
    line = next((line for line in plan.plan.lines if line.obligation == duty.id), None)
    return {
        **(dict(line.terms) if line else {}),
        "limits": [_without_nulls(limit) for limit in plan.plan.limits],
        "baseline": baseline(plan, duty.selector),
        "unreachable": _unreachable(plan),
        "coverage_target": str(row.coverage_target),
        "plan_version": plan.version,
        "approved": plan.counts_from is not None,
    }


def _without_nulls(value: Any) -> dict[str, JSON]:
    return {k: v for k, v in msgspec.to_builtins(value).items() if v is not None}


def baseline(plan: PlanAt, selector: Selector | None) -> list[str]:
    """The agreed assets an obligation covers. Before any approval: what the register holds, shown and scoring nothing.

    Codes of the plan stay in it when the asset left the register, and are selected by what the client agreed they are:
    neither shrinking nor relabelling the register raises coverage.
    """
    known = Asset.objects.select_related("zone", "place").prefetch_related("endpoints").order_by("code")
    if plan.counts_from is None and not plan.plan.assets:
        return [a.code for a in known.filter(retired_at__isnull=True) if _selected(plans.agreed_of(a), selector)]
    seen = {**{a.code: plans.agreed_of(a) for a in known}, **plan.plan.agreed}
    return [code for code in plan.plan.assets if code not in seen or _selected(seen[code], selector)]


def _unreachable(plan: PlanAt) -> dict[str, list[str]]:
    """Agreed ways to look at an asset that the register holds no longer, by code: an asset is seen whole only by all."""
    known = {
        a.code: plans.agreed_of(a) for a in Asset.objects.select_related("zone", "place").prefetch_related("endpoints")
    }
    gone = {
        code: [p for p in agreed.protocols if p not in known[code].protocols]
        for code, agreed in plan.plan.agreed.items()
        if code in known
    }  # fmt: skip
    return {code: protocols for code, protocols in gone.items() if protocols}


def _selected(asset: Agreed, selector: Selector | None) -> bool:
    return selector is None or (
        (not selector.kinds or asset.kind in selector.kinds)
        and (not selector.zones or asset.zone in selector.zones)
        and (not selector.places or asset.place in selector.places)
        and (not selector.tags or bool(set(asset.tags) & set(selector.tags)))
        and (not selector.protocols or bool(set(asset.protocols) & set(selector.protocols)))
    )


def again(occurrence_id: int, *, now: datetime, actor: str) -> Attempt:
    """Do a failed or unproven occurrence again. Raises DutyError when that could prove nothing any more.

    A look belongs to its period: once the next one has begun, looking shows another period.
    """
    with transaction.atomic():
        row = locked(occurrence_id)
        duty = sources.obligation(row.obligation)
        if duty.procedure not in registry():
            raise DutyError(_("这项义务没有可执行的流程"), where=row.key, hint="yunwei duty proof state")
        later = Occurrence.objects.filter(obligation=row.obligation, starts_at__gt=row.starts_at, starts_at__lte=now)
        if row.kind in BY_COVERAGE and later.exists():
            raise DutyError(_("下一期已经开始，补查证明不了上一期"), where=row.key)
        return attempt(row, now=now, actor=actor)


# --- settling ---------------------------------------------------------------------------------------------------------


def on_run(event: RunEvent) -> None:
    """The observer of runs (order 20, after inspect has given the verdict)."""
    if event.kind == "finished":
        settle(event.run.id, event.run.state, event.run.outcome or {}, now=event.now)


def settle(run_id: str, run_state: str, outcome: Mapping[str, JSON], *, now: datetime) -> None:
    """Settle the occurrence of a finished run by law 1; runs that are no attempt of ours are passed over."""
    tried = Attempt.objects.select_for_update().filter(run_id=run_id).first()
    if tried is None or tried.ended_at is not None:
        return
    row = locked(tried.occurrence_id)
    if row.kind in BY_COVERAGE:
        verdict, cause, detail = _by_coverage(row, run_state, outcome)
    else:
        verdict, cause, detail = _by_result(run_state, outcome)
    tried.ended_at, tried.verdict, tried.cause = now, verdict.value, cause
    tried.save(update_fields=["ended_at", "verdict", "cause"])
    if row.state != State.RUNNING:
        return  # exempted or settled by hand meanwhile
    row.coverage = outcome.get("coverage")
    data = {"run": run_id, "verdict": verdict.value, **_figures(row.coverage)}
    if verdict is Verdict.UNPROVEN:
        move(row, State.UNPROVEN, now=now, actor=ACTOR, data=data, cause=cause, detail=detail)
    elif verdict is Verdict.PASS or row.kind in BY_COVERAGE:
        move(row, in_time(row, now), now=now, actor=ACTOR, data=data, detail=detail, done_at=now)
    else:  # a result that failed: open until it is done again, missed when the time has run out
        missed = row.due_at is not None and row.due_at <= now
        move(row, State.MISSED if missed else State.DUE, now=now, actor=ACTOR, data=data, detail=detail)


def _figures(coverage: Mapping[str, JSON] | None) -> dict[str, JSON]:
    return {name: coverage[name] for name in ("agreed", "proven") if name in coverage} if coverage else {}


def _by_coverage(row: Occurrence, run_state: str, outcome: Mapping[str, JSON]) -> tuple[Verdict, str, str]:
    """Looking is kept by the share of agreed assets that are not unproven, whatever was found on them."""
    figures = outcome.get("coverage")
    if run_state != RunState.DONE or not figures:
        return Verdict.UNPROVEN, Cause.VENDOR, _("运行没有完成，没有得出覆盖情况")
    agreed, proven = int(figures["agreed"]), int(figures["proven"])
    if agreed <= 0:
        return Verdict.UNPROVEN, Cause.UNKNOWN, _("没有约定的资产可查")
    detail = _("覆盖 {proven}/{agreed}，目标 {target}%").format(
        proven=proven, agreed=agreed, target=f"{row.coverage_target.normalize():f}"
    )
    if proven > 0 and Decimal(proven) * 100 >= row.coverage_target * agreed:  # seeing nothing reaches no target
        return Verdict.PASS, "", detail
    return Verdict.UNPROVEN, _cause(figures.get("causes") or {}), detail


def _cause(causes: Mapping[str, int]) -> str:
    """Who answers at first: 乙方 as soon as one asset was not proven by its doing. Nobody is charged without an answer:
    causes other than 乙方's stay not yet known until they are claimed with proof and accepted."""
    return Cause.VENDOR if causes.get(Cause.VENDOR) else Cause.UNKNOWN


def _by_result(run_state: str, outcome: Mapping[str, JSON]) -> tuple[Verdict, str, str]:
    """A result is kept only by pass; a run that broke off proved nothing."""
    if run_state != RunState.DONE or outcome.get("verdict") not in set(Verdict):
        return Verdict.UNPROVEN, Cause.VENDOR, _("运行没有完成，没有得出结果")
    verdict = Verdict(outcome["verdict"])
    if verdict is Verdict.UNPROVEN:
        return verdict, _cause(outcome.get("causes") or {}), str(outcome.get("detail", ""))
    return verdict, "", str(outcome.get("detail", ""))


def close_overdue(now: datetime) -> int:
    """What is still due after its time is missed; a state without gaps that nobody proved is unproven, not missed.

    A proof that was stated in time waits for its answer: the receiver's delay costs the other side nothing. A run that
    is under way settles by its own end.
    """
    overdue = (
        Occurrence.objects.filter(state=State.DUE, due_at__lte=now)
        .exclude(proofs__in=_stated_in_time())
        .order_by("due_at", "id")
        .values_list("pk", flat=True)
    )
    closed = 0
    for pk in list(overdue):
        with transaction.atomic():
            row = locked(pk)
            if row.state != State.DUE or row.due_at is None or row.due_at > now:
                continue
            if row.kind == Kind.CONTINUOUS:
                detail = _("本期没有人证明")
                move(row, State.UNPROVEN, now=now, actor=ACTOR, cause=Cause.UNKNOWN, detail=detail)
            else:
                move(row, State.MISSED, now=now, actor=ACTOR)
            closed += 1
    return closed


def reopen_early(now: datetime) -> int:
    """What was closed because its time had passed, by a clock that was set back since, is due again; returns how many.

    A clock that ran ahead must have cost nobody anything. What was looked at meanwhile stays as it was settled.
    """
    closed = Q(state=State.MISSED) | Q(state=State.UNPROVEN, kind=Kind.CONTINUOUS.value, attempts__isnull=True)
    early = Occurrence.objects.filter(closed, due_at__gt=now + EARLY).order_by("due_at", "id")
    opened = 0
    for pk in list(early.values_list("pk", flat=True)):
        with transaction.atomic():
            row = locked(pk)
            if row.state in (State.MISSED, State.UNPROVEN) and row.due_at is not None and row.due_at > now:
                move(row, State.DUE, now=now, actor=ACTOR, data={"reason": "clock"})
                opened += 1
    return opened


def _stated_in_time() -> Any:
    from django.db.models import F

    from yunwei.duties.models import ManualProof

    return ManualProof.objects.filter(confirmed__isnull=True, stated_at__lte=F("occurrence__due_at"))
