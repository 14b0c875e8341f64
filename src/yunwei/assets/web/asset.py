"""One asset: who it is, what the last look read of each part and how that moved, what is wrong, what it is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account
from yunwei.assets.identity import CONFIRMERS, pins_of
from yunwei.assets.models import Asset, Endpoint, IdentityPin
from yunwei.assets.web.assets import OLD, VERDICT_TONE
from yunwei.charts.series import Day
from yunwei.contract import period
from yunwei.desk.models import Ticket, TicketState
from yunwei.inspect.models import DeviceSweep, PartRow, VerdictOf
from yunwei.inspect.web import findings, kinds, series
from yunwei.inspect.web.series import Look, Series
from yunwei.ledger.models import Entry, Intake
from yunwei.ui import words
from yunwei.ui.context import contract_folder, page
from yunwei.ui.context import now as now_of_instance

#: days of trend that one may choose, and the longest strip of days
DAYS, LONGEST = (14, 30, 90), timedelta(days=366)
#: readings of a family on the page; the rest has a page of its own
ROWS = 24
#: looks, findings (closed ones only among the first few) and tickets shown
SWEEPS, FINDINGS, CLOSED, TICKETS = 12, 24, 5, 6
DAY_TONES = ("ok", "warn", "bad", "unp")


@dataclass(frozen=True, slots=True)
class Pin:
    """Who an endpoint is held to: the confirmed identity, and one that waits for the client beside it."""

    endpoint: Endpoint
    confirmed: IdentityPin | None
    waiting: IdentityPin | None
    changed: frozenset[str]  # fields in which the waiting one differs
    numbers: Mapping[tuple[int, str], int | None]  # ledger number of (pin, event)

    def number(self, pin: IdentityPin, event: str) -> int | None:
        """The ledger number of a pin's event: pinned, changed, confirmed."""
        return self.numbers.get((pin.pk, event))


@dataclass(frozen=True, slots=True)
class Family:
    """Readings of one kind of thing."""

    title: str
    rows: list[Series]
    total: int
    worst: str


def find(code: str) -> Asset:
    """The asset of that code; Http404 when there is none."""
    found = (
        Asset.objects.select_related("zone", "place", "owner", "system", "system__owner")
        .filter(code=code)
        .first()
    )  # fmt: skip
    if found is None:
        raise Http404
    return found


def days_asked(request: HttpRequest, choices: Sequence[int] = DAYS, default: int = 30) -> int:
    """The days of trend that the URL asks for."""
    asked = request.GET.get("days", "")
    return next((n for n in choices if str(n) == asked), default)


def trend(asset: Asset, days: int, now: datetime) -> tuple[list[Look], list[Series], datetime]:
    """The looks of some days, all their readings as series, and since when. Two statements."""
    since = now - timedelta(days=days)
    looks = series.looks(series.of_asset(asset.pk, since, now), asset.code)
    return looks, series.build(looks, since, now), since


def families(found: Sequence[Series], cut: int) -> list[Family]:
    """Readings by family, the worst first in each."""
    out = []
    for i, (title, _kinds) in enumerate(kinds.FAMILIES):
        rows = [s for s in found if kinds.family(s.key[1]) == i]
        if rows:
            tones = {s.tone for s in rows}
            out.append(
                Family(str(title), rows[:cut], len(rows), next((t for t in ("bad", "warn", "unp") if t in tones), ""))
            )
    return out


def identity(asset: Asset) -> list[Pin]:
    """Its endpoints with who answers there. Three statements; four with who confirmed."""
    endpoints = list(asset.endpoints.select_related("credential").order_by("protocol"))
    pins = pins_of([e.pk for e in endpoints])
    numbers = _pin_numbers(asset.code)
    people = {p.confirmed_by_id for pair in pins.values() for p in pair if p and p.confirmed_by_id}
    known = Account.objects.in_bulk(people) if people else {}
    out = []
    for endpoint in endpoints:
        confirmed, waiting = pins.get(endpoint.pk, (None, None))
        if confirmed is not None and confirmed.confirmed_by_id is not None:
            confirmed.confirmed_by = known[confirmed.confirmed_by_id]
        changed = frozenset(
            k
            for k in {**(waiting.fields if waiting else {}), **(confirmed.fields if confirmed else {})}
            if confirmed and waiting and waiting.fields.get(k) != confirmed.fields.get(k)
        )
        out.append(Pin(endpoint, confirmed, waiting, changed, numbers))
    return out


def _pin_numbers(code: str) -> dict[tuple[int, str], int | None]:
    rows = Intake.objects.filter(subject=code, kind__startswith="assets.identity.").order_by("id")
    out: dict[tuple[int, str], int | None] = {}
    for kind, body, seq in rows.values_list("kind", "body", "entry__seq"):
        data = json.loads(bytes(body))["data"]
        if isinstance(data.get("pin"), int):
            out[data["pin"], kind.rpartition(".")[2]] = seq
    return out


def strip(asset: Asset, now: datetime) -> tuple[list[Day], dict[str, int], date | None]:
    """One cell a day since the contract began: what the day's looks came to; counts; the first day looked at."""
    today = timezone.localtime(now).date()
    start = max(period.duty_span(contract_folder().contract).start, today - LONGEST)
    since = timezone.make_aware(datetime.combine(min(start, today), time()))
    rows = DeviceSweep.objects.filter(asset=asset, observed_at__gte=since, observed_at__lte=now).order_by("observed_at")
    told = series.days_of(rows.values_list("observed_at", "verdict", "facts"))
    names = {
        "ok": VerdictOf.PASS.label, "bad": VerdictOf.FAIL.label, "warn": _("有故障（警告）"), "unp": VerdictOf.UNPROVEN.label,
    }  # fmt: skip
    days, counts = [], dict.fromkeys((*DAY_TONES, "none"), 0)
    first = min((date.fromisoformat(day) for day in told), default=None)
    for i in range((today - start).days + 1):
        day = start + timedelta(days=i)
        tone, n = told.get(f"{day:%Y-%m-%d}", ("", 0))
        label = f"{day:%Y-%m-%d} {names[tone]}" if tone else f"{day:%Y-%m-%d} {_('没有巡检')}"
        days.append(Day(day, tone, f"{label} · {_('{n} 次').format(n=n)}" if n > 1 else label))
        if first and day >= first:
            counts[tone or "none"] += 1
    return days, counts, first


def recent(asset: Asset) -> list[DeviceSweep]:
    """The newest looks with the number of their run's judgement. One statement."""
    number = Entry.objects.filter(intake__kind="inspect.run.judged", intake__subject=OuterRef("run_id"))
    rows = DeviceSweep.objects.filter(asset=asset).defer("identity", "moving", "facts").order_by("-observed_at", "-id")
    return list(rows.annotate(number=Subquery(number.order_by("-seq").values("seq")[:1]))[:SWEEPS])


def model(asset: Asset, account: Any, now: datetime, days: int) -> dict[str, Any]:
    """All that the page shows."""
    looks, found, _since = trend(asset, days, now)
    last = recent(asset)
    faults = list(findings.open_of(asset.pk)[:FINDINGS])
    faults = [f for i, f in enumerate(faults) if f.closed_at is None or i < CLOSED]
    tickets = list(Ticket.objects.filter(asset=asset).defer("body").order_by("-opened_at", "-id"))
    for one in faults:
        one.ticket = findings.ticket_of(one, tickets)  # type: ignore[attr-defined]
    cells_, counts, first = strip(asset, now)
    standing = sum(1 for f in faults if f.closed_at is None)
    account_ = account if isinstance(account, Account) else None
    return {
        "asset": asset,
        "sentence": _sentence(asset, last[0] if last else None, standing, now),
        "last": last[0] if last else None,
        "old": bool(last) and now - last[0].observed_at > OLD,
        "sweeps": last,
        "families": families(found, ROWS),
        "days": days,
        "day_choices": DAYS,
        "readable": looks[-1] if looks else None,
        "pins": identity(asset),
        "parts": list(PartRow.objects.filter(asset=asset).order_by("kind", "component", "protocol")),
        "findings": faults,
        "standing": standing,
        "tickets": sorted(tickets, key=lambda t: t.state == TicketState.CLOSED)[:TICKETS],
        "more_tickets": max(0, len(tickets) - TICKETS),
        "open_tickets": sum(1 for t in tickets if t.closed_at is None and t.state != TicketState.CLOSED),
        "strip": cells_,
        "strip_counts": counts,
        "strip_first": first,
        "months": [words.month(date(2026, m, 1)) for m in range(1, 13)],
        "may_identify": account_ is not None and account_.role in CONFIRMERS,
        "may_accept": account_ is not None and account_.party == "A",
        "verdict_tone": {str(k): v for k, v in VERDICT_TONE.items()},
        "part_kind": kinds.part,
        "part_size": kinds.size,
        "kind_word": kinds.kind,
        "said": series.said,
        "ticket_cell": findings.ticket_cell,
        "reading_of": findings.reading,
        "problem": "",
    }


def _sentence(asset: Asset, last: DeviceSweep | None, standing: int, now: datetime) -> Any:
    """Where it stands, cut into (text, tone)."""
    name = f"{asset.code} {asset.name}"
    if last is None:
        return words.pieces(_("{name} 还没有看过，状态未知"), {"name": (name, ""), "": ("", "")})
    verdict = VerdictOf(last.verdict)
    values: dict[str, tuple[object, str]] = {
        "name": (name, ""),
        "verdict": (verdict.label, VERDICT_TONE[verdict]),
        "reason": (words.reason(last.reason), "unp"),
        "n": (standing, "bad" if standing else "mut"),
        "days": ((now - last.observed_at).days, "warn"),
    }
    if now - last.observed_at > OLD:
        return words.pieces(_("{name} 已有 {days} 天没有看过；当时{verdict}，未关闭的发现 {n} 项"), values)
    if verdict is VerdictOf.UNPROVEN:
        return words.pieces(_("{name} 未能证明：{reason}；未关闭的发现 {n} 项"), values)
    return words.pieces(_("{name} 最近一次{verdict}，未关闭的发现 {n} 项"), values)


def asset(request: HttpRequest, code: str) -> HttpResponse:
    """The page."""
    found, now = find(code), now_of_instance()
    return shown(request, found, now)


def shown(request: HttpRequest, found: Asset, now: datetime, problem: str = "") -> HttpResponse:
    """The page, with what went wrong when an act was refused."""
    told = model(found, request.user, now, days_asked(request)) | {"problem": problem}
    at = told["last"].observed_at if told["last"] else now
    response = page(request, "assets/asset.jinja", told, here="assets", as_of=at)
    response.status_code = 400 if problem else 200
    return response
