"""服务方案: its versions, what each changes against what counted, and the client's answer line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract import plans
from yunwei.contract.diff import Change, diff
from yunwei.contract.errors import ContractError
from yunwei.contract.models import PlanState, PlanVersion
from yunwei.contract.schema import Folder
from yunwei.contract.web import say, terms
from yunwei.duties import services as duties
from yunwei.ledger.models import Entry, Intake
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, equals, show

#: what the form says of one change
YES, NO = "yes", "no"


def may_decide(account: object) -> bool:
    """Whether this account decides on plans: the client's leader or project manager."""
    return isinstance(account, Account) and account.role in plans.DECIDERS.get(PartyOf(account.party), frozenset())


# --- the versions -----------------------------------------------------------------------------------------------------


def _attach(rows: list[PlanVersion]) -> None:
    """What each version changes, against what counted when it was proposed; one statement for the bases."""
    bases = {b.version: b for b in PlanVersion.objects.filter(version__in={r.base for r in rows if r.base})}
    for row in rows:
        base = bases.get(row.base) if row.base else None
        changes = diff(plans.counting(base) if base else None, plans.plan_of(row))
        row.changed = len(changes)  # type: ignore[attr-defined]
        row.loosened = sum(c.loosens for c in changes) if base else 0  # type: ignore[attr-defined]


def _changes(row: Any) -> str:
    said = _("{n} 处").format(n=row.changed)
    if row.loosened:
        said += " · " + _("放宽或须判断 {n}").format(n=row.loosened)
    return said + (" · " + _("逐项退回 {n}").format(n=len(row.refused)) if row.refused else "")


def _answered(row: PlanVersion) -> Any:
    if row.decided_by is None:
        return cells.state("warn", _("待甲方"))
    return cells.name(row.decided_by.display_name, note=cells.stamp(row.decided_at))


LISTING = Listing(
    name="plans",
    rows=lambda _request: PlanVersion.objects.select_related("proposed_by", "decided_by"),
    columns=(
        Column("version", gettext_lazy("版本"), lambda r: _("第 {n} 版").format(n=r.version), kind="lead"),
        Column(
            "state", gettext_lazy("状态"), lambda r: r.get_state_display(),
            lambda r: cells.state(terms.PLAN_TONES[PlanState(r.state)], r.get_state_display()),
        ),
        Column("from", gettext_lazy("起计日"), lambda r: r.counts_from),
        Column("changes", gettext_lazy("变化"), _changes),
        Column("assets", gettext_lazy("基线资产"), lambda r: len((r.counted or r.body).get("assets", [])), kind="num"),
        Column(
            "proposed", gettext_lazy("报送"), lambda r: f"{r.proposed_by.username} {r.proposed_at:%Y-%m-%d %H:%M}Z",
            lambda r: cells.name(r.proposed_by.display_name, note=cells.stamp(r.proposed_at)),
        ),
        Column(
            "decided", gettext_lazy("审定"),
            lambda r: f"{r.decided_by.username} {r.decided_at:%Y-%m-%d %H:%M}Z" if r.decided_by else "", _answered,
        ),
        Column("reason", gettext_lazy("意见"), lambda r: r.reason or r.note, kind="wide"),
    ),
    order=("-version",),
    filters=(Filter("state", gettext_lazy("状态"), equals("state"), choices=lambda: PlanState.choices),),
    link=lambda r: reverse("plan", args=[r.version]),
    attach=_attach,
)  # fmt: skip


def _sentence(now: datetime) -> Any:
    def say_(shown: Shown) -> list[tuple[str, str]]:
        current = plans.plan_at(now)
        waits = list(
            PlanVersion.objects.filter(state=PlanState.PROPOSED).order_by("proposed_at").values_list("proposed_at")
        )
        values: dict[str, tuple[object, str]] = {
            "n": (current.version if current else "", "plain"),
            "day": (current.counts_from if current else "", "plain"),
            "m": (len(waits), "warn" if waits else "mut"),
            "age": (_days(now - waits[0][0]) if waits else "", "warn"),
        }
        if not shown.total and not shown.chosen:
            return words.pieces(_("还没有报送过服务方案：频次与时限都不计分"), values)
        text = (
            _("现行第 {n} 版，自 {day} 起计") if current else _("尚无甲方审定的服务方案：方案新增的义务只显示，不计分")
        )
        if waits:
            text += _("；{m} 版待甲方审定，最早的已等 {age}")
        return words.pieces(text, values)

    return say_


def _days(delta: timedelta) -> str:
    days = delta.days
    return ngettext("{n} 天", "{n} 天", days).format(n=days) if days else _("不到一天")


@require_GET
def listed(request: HttpRequest) -> HttpResponseBase:
    """All versions, the newest first."""
    return show(request, LISTING, _sentence(now_of_instance()), context={"title": _("服务方案")})


# --- one version, line by line ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One change as people read it, and the client's answer to it where there is one."""

    number: int  # its place in the form
    where: str
    code: str  # of the obligation; "" for limits and assets
    title: str
    field: str
    before: Any
    after: Any
    tone: str
    effect: str
    loosens: bool
    refused: str | None  # why; None: not refused
    answer: str = ""  # as the form was sent: yes, no, ""
    reason: str = ""


def lines_of(
    folder: Folder, row: PlanVersion, changes: list[Change], given: Mapping[str, str]
) -> list[tuple[str, str, list[Line]]]:
    """The changes in three groups. `given` is the form as it was sent, so that nothing has to be typed again."""
    known = {o.id: o for o in folder.obligations}
    events = {e.id: e.title_en if words.english() else e.title for e in folder.event_details}
    groups: dict[str, list[Line]] = {"lines": [], "limits": [], "assets": []}
    for number, change in enumerate(changes):
        group, code, field, name = say.place(change, known)
        tone, effect = terms.EFFECTS[change.effect]
        fresh = row.base is None  # the first version: everything is new, nothing is tightened
        groups[group].append(
            Line(
                number=number, where=change.where, code=code, title=name, field=field,
                before=say.value(change.before, field, events), after=say.value(change.after, field, events),
                tone="info" if fresh else tone, effect=_("新列") if fresh else str(effect),
                loosens=change.loosens and not fresh, refused=row.refused.get(change.where),
                answer=given.get(f"answer-{number}", "" if change.loosens and not fresh else YES),
                reason=given.get(f"reason-{number}", ""),
            )
        )  # fmt: skip
    titles = {"lines": _("义务的频次、期限与条件"), "limits": _("阈值"), "assets": _("资产基线")}
    return [(name, titles[name], found) for name, found in groups.items() if found]


def _numbers(row: PlanVersion) -> dict[str, int | None]:
    """The ledger numbers of the version's own records, by kind; two statements."""
    told = dict(Intake.objects.filter(subject=f"plan:{row.version}").values_list("kind", "pk"))
    numbers = dict(Entry.objects.filter(intake_id__in=told.values()).values_list("intake_id", "seq"))
    return {kind.rpartition(".")[2]: numbers.get(pk) for kind, pk in told.items()}


@require_http_methods(["GET", "POST"])
def one(request: HttpRequest, version: int) -> HttpResponse:
    """One version; who decides answers it here."""
    row = PlanVersion.objects.select_related("proposed_by", "decided_by").filter(version=version).first()
    if row is None:
        raise Http404
    folder = contract_folder()
    changes = plans.changes_of(version)
    context: dict[str, Any] = {"problem": "", "given": request.POST}
    decides = may_decide(request.user) and row.proposed_by_id != request.user.pk
    if request.method == "POST":
        if not decides:
            raise PermissionDenied
        try:
            _decide(request, row, changes)
        except ContractError as error:
            context["problem"] = str(error)
        else:
            return redirect("plan", version)
    groups = lines_of(folder, row, changes, {k: str(v) for k, v in request.POST.items()})
    current = plans.plan_at(now_of_instance())
    context |= {
        "row": row,
        "tone": terms.PLAN_TONES[PlanState(row.state)],
        "groups": groups,
        "loosened": sum(line.loosens for _name, _title, lines in groups for line in lines),
        "count": len(changes),
        "open": row.state == PlanState.PROPOSED,
        "decides": decides and row.state == PlanState.PROPOSED,
        "blind": row.state == PlanState.PROPOSED and (current.version if current else None) != row.base,
        "whole": say.whole(folder, plans.counting(row)),
        "body": plans.counting(row),
        "number": _numbers(row),
        "in_force": current is not None and current.version == row.version,
        "sentence": _title(row, changes),
        "field": say.field,
    }
    response = page(request, "contract/plan.jinja", context, here="plans")
    response.status_code = 400 if context["problem"] else 200
    return response


def _title(row: PlanVersion, changes: list[Change]) -> list[tuple[str, str]]:
    loosened = sum(c.loosens for c in changes) if row.base else 0
    values: dict[str, tuple[object, str]] = {
        "n": (row.version, "plain"), "changes": (len(changes), "plain"), "loose": (loosened, "bad" if loosened else "mut"),
        "day": (row.counts_from or "", "plain"), "refused": (len(row.refused), "bad"),
    }  # fmt: skip
    if row.state == PlanState.REFUSED:
        return words.pieces(_("第 {n} 版已退回，{changes} 处变化都不生效"), values)
    if row.state == PlanState.APPROVED and row.refused:
        return words.pieces(_("第 {n} 版自 {day} 起计，{changes} 处变化中 {refused} 处未获审定、照旧"), values)
    if row.state == PlanState.APPROVED:
        return words.pieces(_("第 {n} 版自 {day} 起计，{changes} 处变化全部审定"), values)
    return words.pieces(_("第 {n} 版待甲方审定：{changes} 处变化，其中 {loose} 处放宽或须判断"), values)


def _decide(request: HttpRequest, row: PlanVersion, changes: list[Change]) -> None:
    """Take the form's answer. Raises ContractError when a change that asks less has none, or a refusal has no reason."""
    account = request.user
    assert isinstance(account, Account)  # noqa: S101 - the caller asked `may_decide`
    now, given = now_of_instance(), request.POST
    if given.get("act") == "refuse":
        plans.refuse(row.version, by=account, now=now, reason=given.get("reason", ""))
        return
    silent = [c.where for i, c in enumerate(changes) if given.get(f"answer-{i}") not in (YES, NO)]
    if silent:
        names = words.listed(silent[:5])
        raise ContractError(_("还有 {n} 处没有结论：{names}").format(n=len(silent), names=names))
    refused = {c.where: given.get(f"reason-{i}", "") for i, c in enumerate(changes) if given.get(f"answer-{i}") == NO}
    plans.approve(row.version, by=account, now=now, reason=given.get("reason", ""), refused=refused)
    duties.bring_up_to_date(now)
