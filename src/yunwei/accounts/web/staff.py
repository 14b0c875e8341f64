"""人员与第三方: who is on the contract with which certificates, who took whose place by which consent, and the third parties.

乙方 enters and changes, 甲方 confirms and may demand that somebody goes. A posts' register: nobody is ranked or watched.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yunwei.accounts import staff as rules
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Body, PartyOf, StaffMember
from yunwei.contract import openitems
from yunwei.duties import staffing
from yunwei.duties.web.acts import file_of
from yunwei.duties.web.dealing import day, problem_of, who
from yunwei.duties.web.pending import side_of
from yunwei.ledger import services as ledger
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance


@require_http_methods(["GET", "POST"])
def staff(request: HttpRequest) -> HttpResponse:
    """The register, and what each side may do about it."""
    by, problem = who(request), ""
    if request.method == "POST":
        problem = problem_of(lambda: _act(request, by, now_of_instance()))
        if not problem:
            return redirect("staff")
    response = page(request, "accounts/staff.jinja", _context(request, by) | {"problem": problem}, here="staff")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, by: Account, now: datetime) -> None:
    given = request.POST
    code, reason, act = given.get("code", "").strip(), given.get("reason", ""), given.get("act", "")
    match act:
        case "enter":
            rules.enter(
                code, given.get("name", ""), given.get("position", ""), key_person=bool(given.get("key")),
                file=file_of(request), by=by, now=now,
            )  # fmt: skip
        case "certify":
            ends = given.get("expires", "")
            rules.certify(
                code, given.get("title", ""), expires=day(ends) if ends else None, file=file_of(request), by=by, now=now
            )
        case "confirm" | "refuse":
            rules.confirm(code, accept=act == "confirm", by=by, now=now, reason=reason)
        case "demand":
            staffing.reject(code, by=by, now=now, reason=reason, file=file_of(request))
        case "replace":
            rules.replace(code, given.get("new", ""), by=by, now=now, reason=reason)
        case "leave":
            rules.leave(code, by=by, now=now, reason=reason)
        case "enter-body":
            rules.enter_body(code, given.get("name", ""), given.get("role", ""), file=file_of(request), by=by, now=now)
        case "engage":
            rules.engage(code, by=by, now=now)
        case "end":
            rules.end(code, by=by, now=now)
        case _:
            raise AccountError(_("没有这个操作"), where=act[:20])


def state_of(row: StaffMember) -> tuple[str, str]:
    """Tone and word: where a person stands."""
    if row.until is not None:
        return "mut", _("已离岗")
    if row.demanded_at is not None:
        return "bad", _("甲方要求更换")
    if row.since is not None:
        return "ok", _("在岗")
    if row.confirmed is False:
        return "bad", _("甲方不认可")
    return "warn", _("待甲方确认")


def state_of_body(row: Body) -> tuple[str, str]:
    """Tone and word: where a third party stands."""
    if row.ended_at is not None:
        return "mut", _("已结束")
    return ("ok", _("委托中")) if row.engaged_at is not None else ("warn", _("未委托"))


def _context(request: HttpRequest, by: Account) -> dict[str, Any]:
    folder, now, side = contract_folder(), now_of_instance(), side_of(by)
    found = folder.contract.staffing
    today = now.astimezone(ZoneInfo(folder.contract.timezone)).date()
    rows = list(StaffMember.objects.select_related("taken_from", "answered_by").prefetch_related("certificates"))
    rows.sort(key=lambda r: (r.until is not None, not r.key_person, r.code))
    bodies = list(Body.objects.all())
    duties = {o.id: o for o in folder.obligations}
    ending = rules.expiring(today, found.warn_days) if found else []
    waiting = [r for r in rows if r.confirmed is None and r.since is None]
    values: dict[str, tuple[object, str]] = {
        "n": (sum(r.since is not None and r.until is None for r in rows), "plain"),
        "waiting": (len(waiting), "warn" if waiting else "mut"), "ending": (len(ending), "bad" if ending else "mut"),
    }  # fmt: skip
    evidence = [r.evidence for r in rows] + [b.evidence for b in bodies]
    evidence += [c.evidence for r in rows for c in r.certificates.all()]
    confirms = by.role in rules.CONFIRMERS and by.party == PartyOf.A
    return {
        "rows": rows, "bodies": bodies, "found": found, "given": request.POST, "numbers": ledger.numbers_of(evidence),
        "state_of": state_of, "state_of_body": state_of_body, "ending": {c.pk for c in ending}, "today": today,
        "over": _over, "item": openitems.blocked(folder, staffing.SWAP), "subject": rules.swap_subject,
        "roles": {b.id: (b.title_en if words.english() else b.title) for b in found.bodies} if found else {},
        "grounds": {b.id: duties[b.obligation].clauses for b in found.bodies if b.obligation in duties} if found else {},
        "duty": {b.id: b.obligation for b in found.bodies} if found else {},
        "swap": duties.get(found.swap) if found else None, "roll": duties.get(found.roll) if found else None,
        "free": [r for r in rows if r.since is None and r.confirmed is not False],
        "may": {"vendor": side == PartyOf.B, "client": side == PartyOf.A and confirms},
        "sentence": words.pieces(
            _("{n} 人在岗，{waiting} 人待甲方确认，{ending} 份证书到期或将到期") if rows else _("还没有登记人员"), values),
    }  # fmt: skip


def _over(expires: date | None, today: date) -> bool:
    """Whether a certificate has ended."""
    return expires is not None and expires < today
