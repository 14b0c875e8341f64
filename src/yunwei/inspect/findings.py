"""Findings over time: opened, still, closed; matched once per run from what its sweeps saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, Role
from yunwei.assets.models import Asset
from yunwei.inspect.models import DeviceSweep, Finding, FindingState, Origin, Severity
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger
from yunwei.runs.models import Run

JSON = Any
BATCH = 500
#: the three officers look after the system and check it; they take no part in the business
OFFICERS = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITOR})


class FindingError(YunweiError):
    """A finding cannot be reported or closed like that."""


def open_keys(asset_ids: Iterable[int]) -> dict[int, set[str]]:
    """Keys of the open findings of some assets."""
    out: dict[int, set[str]] = {}
    ids = list(asset_ids)
    for start in range(0, len(ids), BATCH):
        rows = Finding.objects.filter(asset_id__in=ids[start : start + BATCH], closed_at__isnull=True)
        for asset_id, key in rows.values_list("asset_id", "key"):
            out.setdefault(asset_id, set()).add(key)
    return out


def match(run: Run, sweeps: Sequence[DeviceSweep], *, now: datetime, codes: Mapping[int, str]) -> Counter[str]:
    """Open, keep and close findings by what the run's sweeps saw; counts of opened, still, changed, closed.

    A sweep without a verdict that may speak (identity in doubt, stale, frozen) has an empty `facts` and changes
    nothing: what was not seen closes no finding.
    """
    by_asset = {sweep.asset_id: sweep for sweep in sweeps if sweep.facts.get("faults") or sweep.facts.get("ok")}
    standing: dict[tuple[int, str], Finding] = {}
    ids = list(by_asset)
    for start in range(0, len(ids), BATCH):
        for found in Finding.objects.filter(asset_id__in=ids[start : start + BATCH], closed_at__isnull=True):
            standing[found.asset_id, found.key] = found
    count: Counter[str] = Counter()
    fresh: list[Finding] = []
    still: list[int] = []
    for asset_id, sweep in by_asset.items():
        for fault in sweep.facts.get("faults", ()):
            known = standing.get((asset_id, fault["key"]))
            if known is None:
                fresh.append(_new(sweep, fault, run, now))
            elif known.severity != fault["severity"]:
                _change(known, fault, run, now, codes)
                count["changed"] += 1
            else:
                still.append(known.pk)
        for key in sweep.facts.get("ok", ()):
            if (known := standing.get((asset_id, key))) is not None:
                closed = _right(known, run, now, codes, int(run.terms.get("close_after", 1)))
                count["closed" if closed else "quiet"] += 1
    _keep(still, run, now)
    _open(fresh, run, now, codes)
    count["opened"], count["still"] = len(fresh), len(still) + count["changed"]
    return count


def _new(sweep: DeviceSweep, fault: Mapping[str, JSON], run: Run, now: datetime) -> Finding:
    names = ("key", "component", "kind", "name", "severity", "value", "raw", "limit", "source")
    return Finding(
        asset_id=sweep.asset_id, opened_at=now, last_seen_at=now, opened_run=run.id, last_run=run.id,
        artifact=sweep.artifact, origin=run.cause.get("origin", Origin.SWEEP), **{n: fault.get(n, "") for n in names},
    )  # fmt: skip


def _open(fresh: list[Finding], run: Run, now: datetime, codes: Mapping[int, str]) -> None:
    """Insert new findings, each with its ledger record."""
    earlier: Counter[tuple[int, str]] = Counter()
    ids = list({f.asset_id for f in fresh})
    for start in range(0, len(ids), BATCH):
        rows = Finding.objects.filter(asset_id__in=ids[start : start + BATCH]).values("asset_id", "key")
        earlier.update({(r["asset_id"], r["key"]): r["n"] for r in rows.annotate(n=Count("id")).order_by()})
    for finding in fresh:
        finding.recurrence = earlier[finding.asset_id, finding.key]
        finding.evidence = _record("opened", finding, codes[finding.asset_id], run, now)
    Finding.objects.bulk_create(fresh, batch_size=BATCH)


def _record(event: str, finding: Finding, code: str, run: Run | None, now: datetime, actor: str = "") -> int:
    intake = ledger.record(
        f"inspect.finding.{event}",
        code,
        {
            "key": finding.key, "severity": finding.severity, "value": finding.value, "raw": finding.raw,
            "limit": finding.limit, "source": finding.source, "origin": finding.origin,
            "opened_at": ledger.stamp(finding.opened_at), "run": run.id if run else "",
        },
        at=now,
        actor=actor or "system:inspect",
        clauses=tuple(run.cause.get("clauses", ())) if run else (),
    )  # fmt: skip
    return intake.pk


def _keep(ids: list[int], run: Run, now: datetime) -> None:
    for start in range(0, len(ids), BATCH):
        Finding.objects.filter(pk__in=ids[start : start + BATCH]).update(
            last_seen_at=now, times=F("times") + 1, ok_seen=0, last_run=run.id
        )


def _change(known: Finding, fault: Mapping[str, JSON], run: Run, now: datetime, codes: Mapping[int, str]) -> None:
    known.severity, known.value = fault["severity"], fault.get("value", "")
    known.raw, known.limit = fault.get("raw", ""), fault.get("limit", "")
    known.last_seen_at, known.last_run, known.ok_seen = now, run.id, 0
    known.times += 1
    known.save()
    _record("changed", known, codes[known.asset_id], run, now)


def _right(known: Finding, run: Run, now: datetime, codes: Mapping[int, str], close_after: int) -> bool:
    """The component was seen right: close after so many times in a row. True when it is closed now."""
    known.ok_seen += 1
    known.last_run = run.id
    closed = known.ok_seen >= max(1, close_after)
    if closed:
        known.state, known.closed_at = FindingState.CLOSED, now
        known.closing_evidence = _record("closed", known, codes[known.asset_id], run, now)
    known.save(update_fields=["ok_seen", "last_run", "state", "closed_at", "closing_evidence"])
    return closed


def report(
    asset: Asset, *, component: str, kind: str, name: str, severity: str, origin: str, by: Account, now: datetime
) -> Finding:
    """A fault that people report: by 乙方 itself, by 甲方, in a surprise test, in an audit. Same identity as a swept one.

    When the same fault is open already, that finding is returned unchanged: who was first stays first.
    """
    if origin == Origin.SWEEP or origin not in Origin.values:
        raise FindingError(_("请说明这个问题是谁发现的"), where=asset.code)
    if origin in (Origin.CLIENT, Origin.SURPRISE) and by.party == "B":
        raise FindingError(_("甲方发现的问题由甲方登记"), where=asset.code)
    if severity not in Severity.values:
        raise FindingError(_("严重程度只能是警告或严重"), where=asset.code)
    key = f"{component}:{kind}"[:240]
    with transaction.atomic():
        known = Finding.objects.filter(asset=asset, key=key, closed_at__isnull=True).first()
        if known is not None:
            return known
        finding = Finding(
            asset=asset, key=key, component=component[:160], kind=kind[:32], name=name[:200], severity=severity,
            origin=origin, opened_at=now, last_seen_at=now,
            recurrence=Finding.objects.filter(asset=asset, key=key).count(),
        )  # fmt: skip
        finding.evidence = _record("opened", finding, asset.code, None, now, actor=by.username)
        finding.save()
    return finding


def close(finding: Finding, *, by: Account, now: datetime, reason: str) -> Finding:
    """Close a finding that no sweep can see right (a removed component): by the side that does not profit from it."""
    if by.party != "A" or by.role in OFFICERS:
        raise FindingError(_("扫描看不到恢复的问题由甲方确认关闭"), where=finding.key)
    if finding.closed_at is not None:
        raise FindingError(_("这个问题已经关闭"), where=finding.key)
    if not reason.strip():
        raise FindingError(_("请写明关闭的依据"), where=finding.key)
    with transaction.atomic():
        finding.state, finding.closed_at, finding.limit = FindingState.CLOSED, now, reason[:160]
        finding.closing_evidence = _record("closed", finding, finding.asset.code, None, now, actor=by.username)
        finding.save()
    return finding
