"""Readings of one asset: all of them, and one over time with every look and its evidence."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from yunwei.assets.models import Asset
from yunwei.assets.web.asset import days_asked, families, find, trend
from yunwei.charts.series import figure
from yunwei.inspect.web import kinds, series
from yunwei.ledger.models import Entry
from yunwei.ui import words
from yunwei.ui.context import now as now_of_instance
from yunwei.ui.context import page

#: days that one may choose; readings of one page; looks in the table
DAYS, ALL, LOOKS = (14, 30, 90, 365), 400, 60


def readings(request: HttpRequest, code: str) -> HttpResponse:
    """All readings of an asset."""
    asset, now, days = find(code), now_of_instance(), days_asked(request, DAYS)
    looks, found, _since = trend(asset, days, now)
    told: dict[str, Any] = {
        "asset": asset,
        "families": families(found, ALL),
        "days": days,
        "day_choices": DAYS,
        "readable": looks[-1] if looks else None,
        "kind_word": kinds.kind,
        "said": series.said,
        "sentence": _("{name} 有 {n} 个读数").format(name=f"{asset.code} {asset.name}", n=len(found)),
    }
    at = looks[-1].at if looks else now
    return page(request, "assets/readings.jinja", told, here="assets", as_of=at)


def one(request: HttpRequest, code: str) -> HttpResponse:
    """One reading over time."""
    asset, now, days = find(code), now_of_instance(), days_asked(request, DAYS)
    key = (request.GET.get("c", ""), request.GET.get("k", ""))
    looks, found, since = trend(asset, days, now)
    known = next((s for s in found if s.key == key), None)
    if known is None and not request.GET.get("days"):
        raise Http404
    judged = Entry.objects.filter(
        intake__kind="inspect.run.judged", intake__subject__in=[x.run_id for x in looks[-LOOKS:]]
    )
    numbers = dict(judged.values_list("intake__subject", "seq"))
    rows = []
    for x in reversed(looks[-LOOKS:]):
        o = (x.readings or {}).get(key) if x.trusted else None
        tone = series.tone_of(o) if o else "unp" if x.verdict == "unproven" or x.why else "mut"
        word = series.word_of(o) if o else words.reason(x.reason) if x.reason else x.why or _("本次未读")
        rows.append(
            (x, tone, word, series.said(o) if o else "", words.limit(o.limit) if o else "", numbers.get(x.run_id))
        )
    told: dict[str, Any] = {
        "asset": asset,
        "key": key,
        "reading": known,
        "rows": rows,
        "more": max(0, len(looks) - LOOKS),
        "ticks": series.ticks(since, now, 9),
        "days": days,
        "day_choices": DAYS,
        "kind": kinds.kind(key[1]),
        "sentence": _sentence(asset, known, days),
    }
    return page(request, "assets/reading.jinja", told, here="assets", as_of=looks[-1].at if looks else now)


def _sentence(asset: Asset, known: series.Series | None, days: int) -> Any:
    """What it reads now and between what it moved, cut into (text, tone)."""
    if known is None or known.last is None:
        return _("{name} 在 {days} 天内没有这个读数").format(name=asset.code, days=days)
    figures = [p.value for p in known.points if p.value is not None]
    values: dict[str, tuple[object, str]] = {
        "name": (f"{asset.code} {known.name}", ""),
        "now": (series.said(known.last), (known.tone if known.tone != "ok" else "plain") if known.now else "mut"),
        "low": (figure(min(figures)) if figures else "—", "plain"),
        "high": (figure(max(figures)) if figures else "—", "plain"),
        "days": (days, "plain"),
    }
    if not known.numeric or not figures:
        return words.pieces(_("{name} 最近读到 {now}"), values)
    return words.pieces(_("{name} 最近读到 {now}，{days} 天内在 {low} 与 {high} 之间"), values)
