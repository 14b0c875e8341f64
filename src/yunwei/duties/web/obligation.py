"""One obligation: what it says and whose number it is, how it is proven, and every time it fell due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET
from markupsafe import Markup

from yunwei.assessment import conflicts
from yunwei.contract.schema import ApprovedPlan, Folder, Obligation, Selector
from yunwei.duties.models import Claim, ClaimState, ManualProof, Occurrence, State, TriggerEvent
from yunwei.duties.proofs import manual
from yunwei.duties.queries import OPEN, overdue
from yunwei.duties.web import answers, terms, year
from yunwei.duties.web.obligations import plan_now
from yunwei.duties.web.pending import answering_claim, answering_proof, filed, side_of, waiting
from yunwei.duties.web.standing import NOTHING, Standing, never_due, standings
from yunwei.kernel.deadline import end_of
from yunwei.ledger.models import Entry
from yunwei.runs.procedure import registry
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, show

PER_PAGE = 30
RECEIVER = {"A": "B", "B": "A", "AB": "AB"}


def duty_of(folder: Folder, code: str) -> Obligation:
    """The obligation of that id; Http404 where the contract has none."""
    found = next((o for o in folder.obligations if o.id == code), None)
    if found is None:
        raise Http404
    return found


# --- every time it fell due -------------------------------------------------------------------------------------------


def _rows(request: HttpRequest) -> QuerySet[Occurrence]:
    code = request.resolver_match.kwargs["code"] if request.resolver_match else ""
    return Occurrence.objects.filter(obligation=code).annotate(
        stated=Exists(ManualProof.objects.filter(occurrence=OuterRef("pk"), confirmed__isnull=True)),
        claimed=Exists(Claim.objects.filter(occurrence=OuterRef("pk"), state=ClaimState.CLAIMED)),
        contested=Exists(Claim.objects.filter(occurrence=OuterRef("pk"), state=ClaimState.DISPUTED)),
    )


def numbers_of(rows: Iterable[Any]) -> dict[int, int]:
    """The ledger numbers of what has evidence, by intake; one statement."""
    ids = [row.evidence for row in rows if row.evidence is not None]
    return dict(Entry.objects.filter(intake_id__in=ids).values_list("intake_id", "seq"))


def _attach(rows: list[Any]) -> None:
    numbers = numbers_of(rows)
    started = [row.period.removeprefix("event:") for row in rows if row.period.startswith("event:")]
    notes = dict(TriggerEvent.objects.filter(pk__in=started).values_list("pk", "note")) if started else {}
    for row in rows:
        row.number = numbers.get(row.evidence)
        row.event_note = (
            notes.get(int(row.period.removeprefix("event:")), "") if notes and "event:" in row.period else ""
        )


def period_name(row: Occurrence) -> str:
    """The period as people read it."""
    return _("事件 {n}").format(n=row.period.removeprefix("event:")) if row.period.startswith("event:") else row.period


def _period_cell(row: Any) -> Markup:
    """The period; of an event also what it was."""
    return cells.name(period_name(row), note=row.event_note) if row.event_note else cells.text(period_name(row))


def due(row: Occurrence) -> str:
    """The due moment with its date; a day's end is its own 24:00."""
    if row.due_at is None:
        return "—"
    return end_of(row.due_at.astimezone(ZoneInfo(contract_folder().contract.timezone)))


def late(row: Occurrence) -> bool:
    """Open, past its time, and nobody says that it was done."""
    past = row.state in OPEN and row.due_at is not None and row.due_at < now_of_instance()
    return past and not getattr(row, "stated", False)


def state_cell(row: Occurrence) -> Markup:
    """The state with who answers for it, and what waits."""
    if late(row):
        parts = [
            cells.state("bad", _("逾期未办")),
            Markup('<small class="mut">{}</small>').format(row.get_state_display()),
        ]
    else:
        parts = [cells.state(terms.TONES[State(row.state)], row.get_state_display())]
    if row.state == State.UNPROVEN:
        parts.append(
            Markup('<small class="mut">{}</small>').format(_("责任：{who}").format(who=words.cause(row.cause)))
        )
    for is_so, word, tone in (
        (getattr(row, "contested", False), _("争议"), "bad"),
        (getattr(row, "stated", False), _("已举证，待对方确认"), "warn"),
        (getattr(row, "claimed", False), _("主张待答复"), "warn"),
    ):
        if is_so:
            parts.append(Markup('<small class="t-{}">{}</small>').format(tone, word))
    return Markup("<span>{}</span>").format(Markup("").join(parts))


def _coverage(row: Occurrence) -> str:
    if not row.coverage:
        return ""
    return f"{row.coverage.get('proven', 0)} / {row.coverage.get('agreed', 0)}"


def _waits(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    wanted = {"answer": Q(stated=True) | Q(claimed=True), "dispute": Q(contested=True)}.get(text)
    return rows.filter(wanted) if wanted is not None else rows.none()


def _state(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    if text == "overdue":
        return rows.filter(overdue(now_of_instance()))
    return rows.filter(state=text)


LISTING = Listing(
    name="obligation",
    rows=_rows,
    columns=(
        Column("period", gettext_lazy("期次"), period_name, _period_cell, kind="lead"),
        Column("due", gettext_lazy("期限"), due, lambda r: Markup('<span class="num">{}{}</span>').format(
            due(r), Markup('<small class="mut">{}</small>').format(_("暂定")) if r.provisional else "")),
        Column("state", gettext_lazy("状态"), lambda r: r.get_state_display(), state_cell),
        Column("done", gettext_lazy("何时做到"), lambda r: r.done_at, lambda r: cells.stamp(r.done_at)),
        Column("coverage", gettext_lazy("看清 / 约定"), _coverage, kind="num", sparse=True),
        Column("why", gettext_lazy("说明"), lambda r: " · ".join(p for p in (words.stored(r.detail), "" if r.counts else _("不计分"), words.stored(r.why)) if p),
               kind="wide", sparse=True),
        Column("evidence", gettext_lazy("证据"), lambda r: r.number, lambda r: cells.proof(r.number, waiting=bool(r.evidence))),
    ),
    order=("-starts_at", "-id"),
    filters=(
        Filter("state", gettext_lazy("状态"), _state, choices=lambda: [("overdue", _("逾期未办")), *State.choices]),
        Filter("waits", gettext_lazy("等待"), _waits,
               choices=lambda: [("answer", _("待答复")), ("dispute", _("争议"))]),
    ),
    link=lambda r: reverse("occurrence", args=[r.pk]),
    attach=_attach,
    per_page=PER_PAGE,
)  # fmt: skip


# --- what it says -----------------------------------------------------------------------------------------------------


def selected(found: Selector | None) -> str:
    """Which assets of the baseline it covers."""
    if found is None:
        return ""
    parts = [*found.kinds, *found.zones, *found.places, *found.tags, *found.protocols]
    return " · ".join(parts)


def facts(folder: Folder, duty: Obligation, plan: ApprovedPlan | None) -> list[tuple[str, Any]]:
    """Who owes whom what, when, whose number that is, and what proves it."""
    line = terms.line_of(duty, plan)
    events = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    often, owner = terms.when(duty, line, events.get(duty.trigger, duty.trigger))
    limit, whose = terms.deadline(duty, line)
    receiver = duty.confirmed_by or RECEIVER[duty.owes.value]
    procedure = registry().get(duty.procedure)
    out: list[tuple[str, Any]] = [
        (_("谁对谁"), _("{who}负有，{whom}接受并确认").format(who=words.party(duty.owes), whom=words.party(receiver))),
        (_("种类"), Markup("{} <small>{}</small>").format(terms.KINDS[duty.kind], terms.SETTLED_BY[duty.kind])),
        (_("何时"), _number(often, owner, plan)),
        (_("期限"), _number(limit, whose, plan) if limit else _none(duty)),
    ]
    if line is not None and duty.kind.value == "look":
        out.append((_("覆盖目标"), _number(f"{line.coverage_target.normalize():f} %", terms.basis("plan"), plan)))
    if duty.vague:
        out.append(
            (_("合同的用语"), Markup('<q class="vague" lang="zh">{}</q> {}').format(duty.vague, _("含糊词，不是数字")))
        )
    if procedure is not None:
        title = procedure.title_en if words.english() else procedure.title
        out.append((_("怎么做"), Markup('{} <span class="code mut">{}</span>').format(title, duty.procedure)))
    elif duty.procedure:
        out.append((_("怎么做"), _("流程 {name} 尚未接入，由人举证").format(name=duty.procedure)))
    else:
        out.append((_("怎么做"), _("由人去做，附文件举证，对方确认")))
    out.append((_("怎么证明"), Markup('<span lang="zh">{}</span>').format("、".join(duty.proof))))
    if chosen := selected(duty.selector):
        out.append((_("覆盖的资产"), chosen))
    if line is not None and line.note:
        out.append((_("方案备注"), Markup('<span lang="zh">{}</span>').format(line.note)))
    return out


def _number(said: str, owner: str, plan: ApprovedPlan | None) -> Any:
    """A number with whose it is; the plan's leads to the version that says so."""
    if not owner:
        return said
    whose: Any = owner
    if owner == terms.basis("plan") and plan is not None:
        text = _("服务方案第 {n} 版").format(n=plan.version)
        whose = cells.link(reverse("plan", args=[plan.version]), text)
    return Markup('{} <small class="mut">{}</small>').format(said, whose)


def _none(duty: Obligation) -> str:
    return _("没有到期日") if never_due(duty) else _("按频次的末日") if not duty.trigger else _("合同与方案均无数字")


def title_of(duty: Obligation, standing: Standing) -> list[tuple[str, str]]:
    """The sentence: how it stands."""
    name = words.title(duty)
    if never_due(duty):
        return [(_("{title}：没有到期日，违反时才记录").format(title=name), "")]
    if not standing.settled:
        said = standing.said or _("尚无到期")
        return [(_("{title}：{said}").format(title=name, said=said), "")]
    values: dict[str, tuple[object, str]] = {
        "title": (name, ""), "n": (standing.settled, "plain"), "kept": (standing.kept, "ok" if standing.kept else "mut"),
        "late": (standing.late, "warn" if standing.late else "mut"),
        "unproven": (standing.unproven, "unp" if standing.unproven else "mut"),
        "missed": (standing.missed, "bad" if standing.missed else "mut"),
    }  # fmt: skip
    text = _("{title}：已结 {n} 期，按期 {kept}、迟延 {late}、未证明 {unproven}、未履行 {missed}")
    if standing.overdue:
        text += _("；{overdue} 期逾期未办")
        values["overdue"] = (standing.overdue, "bad")
    return words.pieces(text, values)


@require_GET
def obligation(request: HttpRequest, code: str) -> HttpResponseBase:
    """The page; its list of occurrences may be taken as a file."""
    now: datetime = now_of_instance()
    folder = contract_folder()
    duty = duty_of(folder, code)
    if request.GET.get("format"):
        return show(request, LISTING, _silent)
    plan = plan_now(now)
    zone = ZoneInfo(folder.contract.timezone)
    standing = standings(now, code).get(code, NOTHING)
    clauses = {c.id: c for c in folder.clauses}
    open_ = waiting({code: duty}, Q(occurrence__obligation=code))
    context = {
        "here": "obligations",
        "duty": duty,
        "standing": standing,
        "answers": answers.answers(folder, duty, plan),
        "conflict": conflicts.undecided().get(code),
        "facts": facts(folder, duty, plan),
        "clauses": [clauses[c] for c in duty.clauses if c in clauses],
        "statute": duty.statute,
        "plan": plan,
        "manual": manual(duty),
        "never": never_due(duty),
        "heat": year.heat(folder, plan, now, zone, code),
        "waiting": open_,
        "numbers": numbers_of([*open_.proofs, *open_.claims, *open_.disputes]),
        "filed": filed([*open_.proofs, *open_.claims, *open_.disputes]),
        "side": side_of(request.user),
        "answering_proof": answering_proof,
        "answering_claim": answering_claim,
        "now": now,
        "as_of": now,
    }
    return show(
        request, LISTING, lambda _shown: title_of(duty, standing), template="duties/obligation.jinja", context=context
    )


def _silent(_shown: Shown) -> str:
    return ""
