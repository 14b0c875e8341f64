"""One finding: what it is, from look to look, how its reading moved, what became of it, and its evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from yunwei.accounts.models import Account
from yunwei.inspect import findings as service
from yunwei.inspect.models import DeviceSweep, Finding, VerdictOf
from yunwei.inspect.web import findings, kinds, series
from yunwei.inspect.web.series import Look, Series
from yunwei.kernel.errors import YunweiError
from yunwei.ledger.models import Artifact, Entry, Intake
from yunwei.ledger.services import stamp
from yunwei.ui import words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page

#: how long before it was first seen and after it was closed its reading is shown
BEFORE, AFTER = timedelta(days=14), timedelta(days=7)
#: looks that are gone through at most, and that the table shows
LOOKS, SHOWN = 200, 60


@dataclass(frozen=True, slots=True)
class Step:
    """What one look said about it: a word with its tone, and what was read against what."""

    at: datetime
    run_id: str
    tone: str
    word: str
    read: str
    limit: str
    number: int | None


def _finding(pk: int) -> Finding:
    seq = Entry.objects.filter(intake=OuterRef("evidence")).values("seq")[:1]
    end = Entry.objects.filter(intake=OuterRef("closing_evidence")).values("seq")[:1]
    found = (
        Finding.objects.select_related("asset", "asset__zone", "asset__place")
        .annotate(number=Subquery(seq), closing_number=Subquery(end))
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise Http404
    return found


def _sweeps(found: Finding, until: datetime) -> tuple[list[DeviceSweep], int]:
    """The newest looks at its asset around its life, the oldest first, and how many there are in all."""
    rows = DeviceSweep.objects.filter(
        asset=found.asset_id, observed_at__gte=found.opened_at - BEFORE, observed_at__lte=until
    )
    newest = list(rows.defer("identity", "moving").order_by("-observed_at", "-id")[:LOOKS])[::-1]
    return newest, len(newest) if len(newest) < LOOKS else rows.count()


def _steps(found: Finding, sweeps: Sequence[DeviceSweep], looks: Sequence[Look]) -> list[Step]:
    """From look to look, the newest first. One statement for the numbers of the judgements."""
    judged = Entry.objects.filter(intake__kind="inspect.run.judged", intake__subject__in=[s.run_id for s in sweeps])
    numbers = dict(judged.values_list("intake__subject", "seq"))
    out = [_step(found, s, one, numbers.get(s.run_id)) for s, one in zip(sweeps, looks, strict=True)]
    return out[::-1]


def _step(found: Finding, sweep: DeviceSweep, one: Look, number: int | None) -> Step:
    fault = next((f for f in sweep.facts.get("faults", ()) if f["key"] == found.key), None)
    o = (one.readings or {}).get((found.component, found.kind)) if one.trusted else None
    read = series.said(o) if o else ""
    limit = words.limit(o.limit) if o else ""
    if fault is not None:
        tone = "bad" if fault["severity"] == "critical" else "warn"
        word, read = _("见到"), read or findings.read_of(fault)
        limit = limit or words.limit(fault["limit"])
    elif sweep.verdict == VerdictOf.UNPROVEN:
        tone, word, read, limit = "unp", words.reason(sweep.reason), "", ""
    elif found.key in sweep.facts.get("ok", ()):
        tone, word = "ok", _("看到已恢复")
    elif o is not None:
        tone, word = series.tone_of(o), _("读数正常") if o.state == "ok" else _("未判定")
    else:
        tone, word = "mut", _("本次没有读到")
    return Step(one.at, sweep.run_id, tone, word, read, limit, number)


def _records(found: Finding) -> list[dict[str, Any]]:
    """Its own ledger records: opened, changed, closed."""
    rows = Intake.objects.filter(subject=found.asset.code, kind__startswith="inspect.finding.")
    rows = rows.filter(at__gte=found.opened_at).order_by("id")
    opened = stamp(found.opened_at)
    out = []
    for kind, at, actor, body, number in rows.values_list("kind", "at", "actor", "body", "entry__seq"):
        data: Mapping[str, Any] = json.loads(bytes(body))["data"]
        if data.get("key") == found.key and data.get("opened_at") == opened:
            note = str((data.get("limit") and data.get("value")) or data.get("raw") or data.get("value") or "")
            out.append({"what": words.event(kind), "at": at, "actor": actor, "number": number, "note": note})
    return out


def _earlier(found: Finding) -> list[Finding]:
    """Earlier ones of the same identity: flapping is not hidden by closing."""
    return list(Finding.objects.filter(asset=found.asset_id, key=found.key).exclude(pk=found.pk)[:10])


def model(found: Finding, account: Any, now: datetime) -> dict[str, Any]:
    """All that the page shows of one finding."""
    until = min(found.closed_at + AFTER, now) if found.closed_at else now
    sweeps, all_ = _sweeps(found, until)
    looks = series.looks(sweeps, found.asset.code)
    since = sweeps[0].observed_at - timedelta(hours=12) if sweeps else found.opened_at - BEFORE
    key = (found.component, found.kind)
    trend: Series | None = next((s for s in series.build(looks, since, until) if s.key == key), None)
    steps = _steps(found, sweeps, looks)
    tickets = findings.tickets_of([found.asset_id])
    client = isinstance(account, Account) and account.party == "A" and account.role not in service.OFFICERS
    return {
        "finding": found,
        "kind": kinds.kind(found.kind),
        "reading": findings.reading(found),
        "sentence": _sentence(found),
        "steps": steps[:SHOWN],
        "all": all_,
        "more": max(0, all_ - SHOWN),
        "trend": trend,
        "ticks": series.ticks(since, until),
        "ticket": findings.ticket_of(found, tickets),
        "ticket_cell": findings.ticket_cell,
        "records": _records(found),
        "earlier": _earlier(found) if found.recurrence or found.closed_at else [],
        "artifact": Artifact.objects.filter(content_hash=found.artifact).first() if found.artifact else None,
        "may_close": client and found.closed_at is None,
        "problem": "",
    }


def _sentence(found: Finding) -> Any:
    """What it is and where it stands, cut into (text, tone)."""
    tone = findings.SEVERITY_TONE[found.severity] if found.closed_at is None else "ok"  # type: ignore[index]
    values: dict[str, tuple[object, str]] = {
        "asset": (found.asset.code, ""),
        "what": (found.name or found.component, ""),
        "reading": (findings.reading(found), tone if found.closed_at is None else "plain"),
        "state": (found.get_severity_display() if found.closed_at is None else _("已关闭"), tone),
        "n": (found.times, "plain"),
    }
    return words.pieces(_("{asset} {what} {reading}：{state}，见到 {n} 次"), values)


def finding(request: HttpRequest, finding_id: int) -> HttpResponse:
    """The page."""
    found, now = _finding(finding_id), now_of_instance()
    return page(
        request, "inspect/finding.jinja", model(found, request.user, now), here="findings", as_of=found.last_seen_at
    )


@require_POST
def close(request: HttpRequest, finding_id: int) -> HttpResponse:
    """甲方 closes what no sweep can see right (a part that was taken out); the service decides and records."""
    found, now, account = _finding(finding_id), now_of_instance(), request.user
    if not isinstance(account, Account):
        raise Http404
    try:
        service.close(found, by=account, now=now, reason=request.POST.get("reason", ""))
    except YunweiError as error:
        told = model(_finding(finding_id), account, now) | {"problem": str(error)}
        response = page(request, "inspect/finding.jinja", told, here="findings", as_of=found.last_seen_at)
        response.status_code = 400
        return response
    return redirect("finding", finding_id)
