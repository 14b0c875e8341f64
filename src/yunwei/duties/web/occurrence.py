"""One occurrence: why it is due when it is, day by day; what was done for it; who said what; its history in the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from markupsafe import Markup

from yunwei.contract import plans
from yunwei.contract.models import PlanVersion
from yunwei.contract.schema import Folder, Obligation, PlanLine
from yunwei.desk.models import Ticket
from yunwei.duties import sources
from yunwei.duties.models import ClaimState, Occurrence, State, TriggerEvent
from yunwei.duties.proofs import EXCUSABLE, UNSETTLED, manual
from yunwei.duties.schedule import anchors_of, count
from yunwei.duties.web import acts, terms
from yunwei.duties.web.obligation import due, duty_of, late, numbers_of, period_name, state_cell
from yunwei.duties.web.pending import answering_claim, answering_proof, filed, may_state, side_of
from yunwei.kernel.calendar import Calendar
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.explain import explain, weekday_name
from yunwei.kernel.i18n import speaking
from yunwei.ledger.models import Entry, Intake
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.pages import VENDOR

#: records of one occurrence that are shown; more than anything real has
SHOWN = 100
#: days of a deadline that are shown one by one
DAYS = 70


# --- why it is due then -----------------------------------------------------------------------------------------------


def line_of(duty: Obligation, row: Occurrence) -> PlanLine | None:
    """What the plan version that an occurrence stands under says of it; the folder's draft where none was approved."""
    if row.plan_version is None:
        return None
    version = PlanVersion.objects.filter(version=row.plan_version).first()
    lines = plans.counting(version).lines if version else sources.folder().plan.lines
    return next((line for line in lines if line.obligation == duty.id), None)


def explained(folder: Folder, duty: Obligation, row: Occurrence, line: PlanLine | None) -> dict[str, Any] | None:
    """The deadline day by day, as `yunwei deadline` tells it. None where it is the end of a period, or where the number
    that is known now does not give the due moment that stands (then no reckoning is shown rather than a wrong one)."""
    found = duty.deadline or (line.deadline if line else None)
    if found is None or row.due_at is None:
        return None
    with speaking(translation.get_language() or "zh-hans"):
        shared = sources.calendar()  # it keeps its words as they were first looked up
        calendar = Calendar(shared.imported()) if words.english() else shared
        counted = count(row.starts_at, found.n, found.unit.value, calendar, ZoneInfo(folder.contract.timezone))
        if counted.due != row.due_at:
            return None
        told = explain(counted, calendar)
        told["days"] = [{**step, "name": weekday_name(step["weekday"])} for step in told["steps"]]
    told["rule"] = terms.number(found)
    told["basis"] = duty.statute if found.basis == "statute" and duty.statute else terms.basis(found.basis)
    told["from_what"] = [
        next((e.title_en if words.english() else e.title for e in folder.event_details if e.id == name), name)
        for name in anchors_of(folder, duty)
        if name
    ]
    told["more"] = max(len(told["days"]) - DAYS, 0)
    told["days"] = told["days"][:DAYS]
    return told


# --- its history ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the ledger about it."""

    at: datetime
    what: str
    actor: str
    tone: str
    said: str
    number: int | None


def history(row: Occurrence) -> list[Record]:
    """What the ledger says about this occurrence, oldest first; one statement."""
    told = Intake.objects.filter(subject=row.key).select_related("entry").order_by("id")[:SHOWN]
    out = []
    for intake in told:
        data = json.loads(bytes(intake.body))["data"]
        event = intake.kind.rpartition(".")[2]
        other = "warn" if event in ("disputed", "refused") else "info"
        tone = terms.TONES[State(event)] if event in State.values else other
        entry: Entry | None = getattr(intake, "entry", None)
        out.append(
            Record(
                intake.at, words.event(intake.kind), intake.actor, tone, _data(data), entry.seq if entry else None
            )
        )  # fmt: skip
    return out


def _data(data: dict[str, Any]) -> str:
    """What a record adds, in words; codes and times of the record's own are not repeated."""
    parts = []
    if run := data.get("run"):
        parts.append(str(run))
    if "proven" in data:
        parts.append(_("看清 {n} / {all}").format(n=data["proven"], all=data.get("agreed", "—")))
    if cause := data.get("cause"):
        parts.append(_("责任：{who}").format(who=words.cause(cause)))
    if data.get("reason") == "calendar":
        parts.append(_("日历公布后重算"))
    parts += [words.stored(str(data["detail"]))] if data.get("detail") else []
    parts += [str(data[name]) for name in ("statement", "answer") if data.get(name)]
    return " · ".join(parts)


# --- the page ---------------------------------------------------------------------------------------------------------


def facts(folder: Folder, row: Occurrence, event: TriggerEvent | None) -> list[tuple[str, Any]]:
    """Where it stands."""
    titles = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    out: list[tuple[str, Any]] = [
        (_("状态"), state_cell(row)),
        (_("责任方"), words.party(row.owes)),
        (_("起算"), cells.stamp(row.starts_at)),
        (_("期限"), due(row) + (f" · {_('暂定')}" if row.provisional else "")),
        (_("做到的时间"), cells.stamp(row.done_at)),
        (_("入账的时间"), cells.stamp(row.settled_at)),
        (_("是否计分"), _("计") if row.counts else _("不计")),
        (_("依据"), Markup("{} {}").format(cells.clause(row.clauses), terms.basis(row.basis))),
    ]
    if event is not None:
        out.insert(
            2,
            (
                _("起算事件"),
                Markup("{} <small translate=no>{}</small>").format(titles.get(event.kind, event.kind), event.note),
            ),
        )
    if row.waiting:
        out.append((_("还在等"), "、".join(titles.get(name, name) for name in row.waiting)))
    if row.plan_version:
        out.append(
            (
                _("服务方案"),
                Markup('<a href="/plans/{0}">{1}</a>').format(
                    row.plan_version, _("第 {n} 版").format(n=row.plan_version)
                ),
            )
        )
    if row.detail:
        out.append((_("说明"), words.stored(row.detail)))
    if row.why:
        out.append((_("附注"), words.stored(row.why)))
    return out


def offers(account: Any, duty: Obligation, row: Occurrence) -> dict[str, Any]:
    """Which forms this account is offered; the services decide once more."""
    mine = may_state(account, row)
    open_proof = any(p.confirmed is None for p in row.proofs.all())
    grounds = [c for c in sources.folder().clauses if c.exempts == "performance" and side_of(account) in c.who]
    again = not manual(duty) and getattr(account, "role", "") in VENDOR
    return {
        "state": mine and manual(duty) and row.state in UNSETTLED and not open_proof,
        "exempt": grounds if mine and row.state in EXCUSABLE else [],
        "cause": mine and row.state == State.UNPROVEN,
        "again": again and row.state in (State.UNPROVEN, State.MISSED),
    }


@require_http_methods(["GET", "POST"])
def occurrence(request: HttpRequest, pk: int) -> HttpResponse:
    """The page, and what a party says or answers on it."""
    row = (
        Occurrence.objects.filter(pk=pk)
        .prefetch_related(
            "attempts", "proofs__stated_by__organisation", "proofs__answered_by__organisation",
            "claims__claimed_by__organisation", "claims__answered_by__organisation",
        )
        .first()
    )  # fmt: skip
    if row is None:
        raise Http404
    problem = ""
    if request.method == "POST":
        if not side_of(request.user):
            raise PermissionDenied
        try:
            acts.act(request, row, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("occurrence", pk)
    response = page(request, "duties/occurrence.jinja", model(request, row, problem), here="obligations")
    response.status_code = 400 if problem else 200
    return response


def model(request: HttpRequest, row: Occurrence, problem: str) -> dict[str, Any]:
    """Everything the page shows."""
    folder = contract_folder()
    duty = duty_of(folder, row.obligation)
    event = None
    if row.period.startswith("event:"):
        event = TriggerEvent.objects.filter(pk=row.period.removeprefix("event:")).first()
    line = line_of(duty, row)
    tone = terms.TONES[State(row.state)]
    parts: list[Any] = [*row.proofs.all(), *row.claims.all()]
    for part in parts:
        part.occurrence = row
    row.stated = any(p.confirmed is None for p in row.proofs.all())  # type: ignore[attr-defined]
    row.claimed = any(c.state == ClaimState.CLAIMED for c in row.claims.all())  # type: ignore[attr-defined]
    row.contested = row.disputed  # type: ignore[attr-defined]
    overdue = late(row)
    values: dict[str, tuple[object, str]] = {
        "title": (words.title(duty), ""), "period": (event.note if event and event.note else period_name(row), ""),
        "state": (_("逾期未办") if overdue else row.get_state_display(), "bad" if overdue else tone if tone != "mut" else ""),
    }  # fmt: skip
    return {
        "sentence": words.pieces(_("{title} · {period}：{state}") if event else _("{title} {period}：{state}"), values),
        "row": row,
        "duty": duty,
        "facts": facts(folder, row, event),
        "deadline": explained(folder, duty, row, line),
        "often": terms.when(duty, line, ""),
        "tickets": list(Ticket.objects.filter(event=event).order_by("id")[:5]) if event else [],
        "history": history(row),
        "numbers": numbers_of([row, *parts]),
        "filed": filed(parts),
        "offers": offers(request.user, duty, row),
        "side": side_of(request.user),
        "problem": problem,
        "target": f"{row.coverage_target.normalize():f}",
        "given": request.POST,
        "answering_proof": answering_proof,
        "answering_claim": answering_claim,
        "causes": [("client", words.cause("client")), ("third", words.cause("third"))],
        "verdicts": {"pass": ("ok", _("看清，合格")), "fail": ("bad", _("不合格")), "unproven": ("unp", _("未能证明"))},
    }
