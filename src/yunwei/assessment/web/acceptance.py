"""验收: what the year's acceptance rests on, who examined and what they found, the decision and its answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from yunwei.accounts.models import Account
from yunwei.assessment import acceptance, pack, rectify, year
from yunwei.assessment.errors import AssessmentError
from yunwei.assessment.explained import title
from yunwei.assessment.models import Acceptance
from yunwei.contract.schema import Folder
from yunwei.contract.year_end import Group
from yunwei.duties.models import Occurrence
from yunwei.duties.web.acts import file_of, number_of
from yunwei.duties.web.obligation import due, state_cell
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.reports.models import KindOf, Report
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

GROUPS = {
    Group.TECHNICAL: gettext_lazy("技术标准"),
    Group.SERVICE: gettext_lazy("服务标准"),
    Group.SAFETY: gettext_lazy("安全标准"),
}
LEVELS = {
    "mandatory": gettext_lazy("强制性"), "national": gettext_lazy("国家"), "local": gettext_lazy("地方"),
    "industry": gettext_lazy("行业"), "enterprise": gettext_lazy("企业与合同"), "usual": gettext_lazy("通常"),
}  # fmt: skip
#: whether a requirement is proven: tone and word
PROVEN = {
    "proven": ("ok", gettext_lazy("有证明")),
    "gaps": ("warn", gettext_lazy("有缺口")),
    "none": ("unp", gettext_lazy("无证明")),
}
SIDES = (("B", gettext_lazy("乙方")), ("A", gettext_lazy("甲方")), ("AB", gettext_lazy("双方")))


@require_http_methods(["GET", "POST"])
def accept(request: HttpRequest) -> HttpResponse:
    """The pack of this contract's year; who may, acts on it here."""
    problem = ""
    if request.method == "POST":
        try:
            _act(request, now_of_instance())
        except YunweiError as error:
            problem = str(error)
        else:
            return redirect("acceptance")
    response = page(request, "assessment/acceptance.jinja", _context(request, problem), here="acceptance")
    response.status_code = 400 if problem else 200
    return response


def _act(request: HttpRequest, now: datetime) -> None:
    by, given = request.user, request.POST
    assert isinstance(by, Account)  # noqa: S101 - the page is closed to everybody else
    which, text, file = number_of(given.get("id", "")), given.get("text", ""), file_of(request)
    match given.get("act", ""):
        case "submit":
            acceptance.submit(statement=text, file=file, by=by, now=now)
        case "opine":
            acceptance.opine(
                which, speaker=given.get("speaker", ""), organisation=given.get("organisation", ""),
                name=given.get("name", ""), qualification=given.get("qualification", ""), about=given.get("about", ""),
                conforming=given.get("conforming", "") == "yes", text=text, file=file, by=by, now=now,
            )  # fmt: skip
        case "pass" | "fail" as act:
            acceptance.decide(which, passed=act == "pass", reason=text, file=file, by=by, now=now)
        case "sign" | "unsign" as act:
            acceptance.answer(which, sign=act == "sign", text=text, by=by, now=now)
        case act:
            raise AssessmentError(_("没有这个操作"), where=act[:20])


def _context(request: HttpRequest, problem: str) -> dict[str, Any]:
    folder, now, by = contract_folder(), now_of_instance(), request.user
    ends = folder.year_end
    rounds = acceptance.rounds(folder)
    told = pack.gather(folder, now, rounds)
    left = rectify.unfinished(rectify.everything(), now)
    clocks = _clocks(folder)
    shown = request.GET.get("who", "")
    files = list(Report.objects.filter(kind=KindOf.ACCEPTANCE, key=told.year.key).order_by("-edition")[:3])
    opinions = [o for row in rounds for o in row.opinions.all()]
    numbers = ledger.numbers_of([
        *(r.evidence for r in rounds), *(o.evidence for o in opinions), *(c.evidence for c in clocks), *(f.evidence for f in files),
    ])  # fmt: skip
    last = rounds[-1] if rounds else None
    return {
        "told": told, "ends": ends, "rounds": rounds[::-1], "last": last, "left": left, "problem": problem, "given": request.POST,
        "sentence": _title(told, last), "groups": [(word, told.of_group(group)) for group, word in GROUPS.items()],
        "levels": LEVELS, "proven": PROVEN, "title_of": title, "why": pack.why, "numbers": numbers, "due": due, "state_cell": state_cell,
        "lines": [one for one in told.lines if shown not in ("A", "B", "AB") or one.duty.owes == shown],
        "tabs": [(_("全部"), "?", shown not in ("A", "B", "AB"), len(told.lines))]
        + [(word, f"?who={side}", shown == side, len(told.owed_by(side))) for side, word in SIDES],
        "clocks": [(c, next((o for o in folder.obligations if o.id == c.obligation), None)) for c in clocks],
        "adopted": bool(ends and any(d.id == ends.document and d.present for d in folder.documents)), "files": files,
        "order_name": rectify.name, "may": _may(by, last), "words": words,
    }  # fmt: skip


def _may(by: Any, last: Acceptance | None) -> dict[str, bool]:
    """What this account can do now. The services decide again."""
    role = by.role if isinstance(by, Account) else ""
    running = last is not None and last.passed is None
    return {
        "submit": role in year.VENDOR and (last is None or last.passed is False),
        "opine": role in acceptance.RECORDERS and running,
        "decide": role in year.CLIENT and running,
        "answer": role in year.VENDOR and last is not None and last.passed is not None and last.signed is None,
        "make": role in year.CLIENT | year.VENDOR,
    }  # fmt: skip


def _clocks(folder: Folder) -> list[Occurrence]:
    """The annual summary and what must be filed and published, with their states."""
    ends = folder.year_end
    if ends is None:
        return []
    return list(Occurrence.objects.filter(obligation__in=[ends.summary, *ends.timers]).order_by("obligation", "due_at"))


def decision(last: Acceptance | None) -> tuple[str, str]:
    """Where the acceptance stands, in words, and its tone."""
    if last is None:
        return _("尚未提交验收"), "mut"
    if last.passed is None:
        return _("第 {n} 次验收待甲方决定").format(n=last.round), "warn"
    return (_("通过验收"), "plain") if last.passed else (_("未通过验收"), "bad")


def _title(told: pack.Pack, last: Acceptance | None) -> list[tuple[str, str]]:
    none = sum(m.state == "none" for m in told.measured)
    word, tone = decision(last)
    c = told.total.counts
    values: dict[str, tuple[object, str]] = {
        "n": (len(told.lines), "plain"), "held": (told.total.held, "plain"),
        "missed": (c["missed"] + c["overdue"], "bad" if c["missed"] + c["overdue"] else "mut"),
        "unproven": (c["unproven"], "unp" if c["unproven"] else "mut"), "none": (none, "unp" if none else "mut"),
        "all": (len(told.measured), "plain"), "decision": (word, tone),
    }  # fmt: skip
    return words.pieces(
        _("{n} 项义务履行 {held} 次，未履行 {missed} 次，未能证明 {unproven} 次；{all} 项标准中 {none} 项无证明；{decision}"), values
    )  # fmt: skip
