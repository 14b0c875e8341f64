"""事先同意: what was asked, by whom, for which window, and the other side's answer; what was done without one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from markupsafe import Markup

from yunwei.accounts.models import Account, PartyOf
from yunwei.contract.closings import SIGNERS
from yunwei.contract.schema import Obligation
from yunwei.duties import consents as rules
from yunwei.duties.errors import DutyError
from yunwei.duties.models import Consent, ConsentAct
from yunwei.duties.web.acts import file_of
from yunwei.duties.web.dealing import local, moment, problem_of, who
from yunwei.duties.web.pending import side_of
from yunwei.ledger import services as ledger
from yunwei.ui import cells, words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.listing import Column, Filter, Listing, Shown, contains, equals, show

STANDING: dict[str, tuple[str, Any]] = {
    "asked": ("warn", gettext_lazy("待对方答复")),
    "granted": ("ok", gettext_lazy("已同意")),
    "over": ("mut", gettext_lazy("已过时段")),
    "refused": ("bad", gettext_lazy("不同意")),
    "revoked": ("bad", gettext_lazy("已收回")),
    "withdrawn": ("mut", gettext_lazy("已撤回")),
    "lapsed": ("mut", gettext_lazy("未答复而过时")),
}
#: acts without a consent that the list page shows at once; all are in the export
SHOWN = 20


def duties() -> dict[str, Obligation]:
    """The obligations of the contract by id: an old row may name one that asks for no consent any more."""
    return {o.id: o for o in contract_folder().obligations}


def _rows(_request: HttpRequest) -> QuerySet[Consent]:
    return Consent.objects.select_related("asked_by__organisation", "answered_by")


def _attach(found: list[Any]) -> None:
    known, numbers, now = duties(), ledger.numbers_of(r.evidence for r in found), now_of_instance()
    for row in found:
        duty = known.get(row.obligation)
        row.title = words.title(duty) if duty else row.obligation
        row.clauses = duty.clauses if duty else []
        row.number = numbers.get(row.evidence)
        row.standing = rules.standing(row, now)


def _window(row: Consent) -> Markup:
    return Markup('<div class="nowrap">{}<br>{} {}</div>').format(
        cells.stamp(row.starts), _("至"), cells.stamp(row.ends)
    )


def _what(row: Any) -> Markup:
    return Markup('<div>{} {}<small class="mut" translate="no">{}</small></div>').format(
        row.title, cells.clause(row.clauses), row.what if len(row.what) < 90 else f"{row.what[:88]}…"
    )


def _by_state(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    now = now_of_instance()
    free = Q(withdrawn_at__isnull=True)
    found = {
        "asked": free & Q(granted__isnull=True, ends__gt=now), "lapsed": free & Q(granted__isnull=True, ends__lte=now),
        "refused": Q(granted=False), "revoked": Q(revoked_at__isnull=False), "withdrawn": Q(withdrawn_at__isnull=False),
        "granted": Q(granted=True, revoked_at__isnull=True, ends__gt=now),
        "over": Q(granted=True, revoked_at__isnull=True, ends__lte=now),
    }  # fmt: skip
    return rows.filter(found[text]) if text in found else rows.none()


LISTING = Listing(
    name="consents",
    rows=_rows,
    columns=(
        Column("subject", gettext_lazy("事项"), lambda r: r.subject, lambda r: cells.name(r.subject), "lead"),
        Column("what", gettext_lazy("为了什么"), lambda r: f"{r.obligation} {r.title}：{r.what}", _what, "wide"),
        Column("window", gettext_lazy("时段"), lambda r: f"{r.starts:%Y-%m-%d %H:%M} – {r.ends:%Y-%m-%d %H:%M}", _window),
        Column("asked", gettext_lazy("申请"), lambda r: r.asked_by.display_name,
               lambda r: Markup("<div>{}</div>").format(cells.name(r.asked_by.display_name, note=cells.stamp(r.asked_at)))),
        Column("state", gettext_lazy("状态"), lambda r: STANDING[r.standing][1], lambda r: cells.state(*STANDING[r.standing])),
        Column("answered", gettext_lazy("答复时间"), lambda r: r.answered_at, kind="file"),
        Column("reason", gettext_lazy("理由"), lambda r: r.reason, kind="file"),
        Column("seq", gettext_lazy("证据"), lambda r: r.number, lambda r: cells.proof(r.number, waiting=bool(r.evidence)), "num"),
    ),
    order=("-asked_at", "-id"),
    filters=(
        Filter("state", gettext_lazy("状态"), _by_state, lambda: [(k, w) for k, (_tone, w) in STANDING.items()]),
        Filter("obligation", gettext_lazy("义务"), equals("obligation"),
               lambda: [(o.id, f"{o.id} {words.title(o)}") for o in rules.asked_under(contract_folder())]),
        Filter("q", gettext_lazy("事项"), contains("subject", "what")),
    ),
    link=lambda r: reverse("consent", args=[r.pk]),
    attach=_attach,
)  # fmt: skip


def _sentence(shown: Shown) -> Any:
    if not shown.total and not shown.chosen:
        return _("还没有人申请过事先同意")
    now = now_of_instance()
    waiting = Consent.objects.filter(granted__isnull=True, withdrawn_at__isnull=True, ends__gt=now).count()
    valid = Consent.objects.filter(granted=True, revoked_at__isnull=True, ends__gt=now).count()
    broken = ConsentAct.objects.filter(consent__isnull=True).count()
    values: dict[str, tuple[object, str]] = {
        "valid": (valid, "plain"), "waiting": (waiting, "warn" if waiting else "mut"),
        "broken": (broken, "bad" if broken else "mut"),
    }  # fmt: skip
    return words.pieces(_("{valid} 项同意有效，{waiting} 项待答复，{broken} 件事没有事先同意就做了"), values)


@require_http_methods(["GET", "POST"])
def consents(request: HttpRequest) -> HttpResponseBase:
    """The list, the acts without consent, and the forms to ask and to record an act."""
    by, problem = who(request), ""
    if request.method == "POST":
        problem = problem_of(lambda: _act(request, by, now_of_instance()))
        if not problem:
            return redirect("consents")
    known, side = duties(), side_of(by)
    broken = list(ConsentAct.objects.filter(consent__isnull=True).select_related("recorded_by")[:SHOWN])
    numbers = ledger.numbers_of(a.evidence for a in broken)
    under = rules.asked_under(contract_folder())
    context: dict[str, Any] = {
        "problem": problem, "given": request.POST, "here": "consents", "broken": broken, "numbers": numbers,
        "titles": {o.id: words.title(o) for o in known.values()}, "clauses": {o.id: o.clauses for o in known.values()},
        "may_ask": [o for o in under if side and side in o.owes], "may_record": under if side else [],
        "word": words.title, "local_now": local(now_of_instance()),
    }  # fmt: skip
    response = show(request, LISTING, _sentence, template="duties/consents.jinja", context=context)
    response.status_code = 400 if problem else response.status_code
    return response


def _act(request: HttpRequest, by: Account, now: datetime) -> None:
    given = request.POST
    subject, what, file = given.get("subject", ""), given.get("what", ""), file_of(request)
    duty = given.get("obligation", "")
    if given.get("act") == "ask":
        starts, ends = moment(given.get("starts", "")), moment(given.get("ends", ""))
        rules.ask(duty, subject=subject, what=what, starts=starts, ends=ends, by=by, now=now, file=file)
    elif given.get("act") == "record":
        at = moment(given.get("at", ""))
        rules.record_act(duty, subject=subject, what=what, at=at, by=by, now=now, file=file)
    else:
        raise DutyError(_("没有这个操作"), where=given.get("act", "")[:20])


@require_http_methods(["GET", "POST"])
def consent(request: HttpRequest, consent_id: int) -> HttpResponseBase:
    """One request with its answer; who may, answers, withdraws or takes back here."""
    row = get_object_or_404(_rows(request), pk=consent_id)
    by, problem = who(request), ""
    if request.method == "POST":
        problem = problem_of(lambda: _answer(request, row, by, now_of_instance()))
        if not problem:
            return redirect("consent", consent_id)
    _attach([row])
    found: Any = row
    duty = duties().get(row.obligation)
    binds = by.is_active and by.role in SIGNERS.get(PartyOf(by.party), frozenset())
    other = bool(side_of(by)) and by.party != row.asked_by.party
    acts = list(row.acts.select_related("recorded_by"))
    values: dict[str, tuple[object, str]] = {
        "what": (found.title, "plain"), "subject": (row.subject, "plain"),
        "state": (STANDING[found.standing][1], STANDING[found.standing][0]),
    }  # fmt: skip
    context = {
        "row": row, "duty": duty, "problem": problem, "given": request.POST, "acts": acts, "standing": STANDING[found.standing],
        "numbers": ledger.numbers_of(a.evidence for a in acts), "written": bool(duty and duty.written),
        "may_answer": found.standing == "asked" and binds and other,
        "may_withdraw": found.standing == "asked" and side_of(by) == row.asked_by.party,
        "may_revoke": found.standing == "granted" and binds and other,
        "sentence": words.pieces(_("{what}：{subject} · {state}"), values),
    }  # fmt: skip
    response = page(request, "duties/consent.jinja", context, here="consents")
    response.status_code = 400 if problem else 200
    return response


def _answer(request: HttpRequest, row: Consent, by: Account, now: datetime) -> None:
    given = request.POST
    said = given.get("reason", "")
    match given.get("act", ""):
        case "grant" | "refuse" as act:
            rules.answer(row.pk, grant=act == "grant", by=by, now=now, reason=said, file=file_of(request))
        case "withdraw":
            rules.withdraw(row.pk, by=by, now=now)
        case "revoke":
            rules.revoke(row.pk, by=by, now=now, reason=said)
        case act:
            raise DutyError(_("没有这个操作"), where=act[:20])
