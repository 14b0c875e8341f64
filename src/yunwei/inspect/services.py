"""What the platform does with looking: take results in, give verdicts, settle a run with its coverage.

Registered with `runs` as the first observer (order 10): a part's result makes one row per asset at once; when the run
has finished (all zones answered, or their budget ended) duplicates are found, what never came is listed, findings are
matched and the coverage is written to `run.outcome` for duties.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.assets import identity
from yunwei.assets.models import Asset, Endpoint, Zone
from yunwei.gm import sm2
from yunwei.inspect import findings, identities, judging, keys, parts
from yunwei.inspect.collect.job import KIND_RESULT, JobError, contents, read_result, signer_of
from yunwei.inspect.models import DeviceSweep, Standing
from yunwei.inspect.observation import DeviceResult, JobResult
from yunwei.kernel.canonical import canonical
from yunwei.kernel.verdict import Cause, Reason, Seen, Verdict, decide
from yunwei.ledger import services as ledger
from yunwei.runs.models import Run
from yunwei.runs.procedure import procedure
from yunwei.runs.services import RunEvent, take_in

JSON = Any
BATCH = 500
#: assets listed by name in a run's outcome; the full list is its artifact
LISTED = 200


def on_run(event: RunEvent) -> None:
    """The observer of runs: only looks at assets are ours."""
    if event.kind == "result" and _is_result(event.payload):
        _take(event)
    elif event.kind == "finished" and looks(event.run):
        settle(event.run, now=event.now)


def looks(run: Run) -> bool:
    """Whether a run looks at assets: only such a run opens and closes findings."""
    return "assets" in run.scope and procedure(run.procedure).owes == "look"


def _is_result(payload: bytes) -> bool:
    return payload[:200].find(f'"kind":"{KIND_RESULT}"'.encode()) >= 0


def agreed(run: Run) -> list[str]:
    """The assets that coverage is counted against: the plan's baseline for this obligation."""
    return list(dict.fromkeys(run.terms.get("baseline") or run.scope.get("assets") or ()))


def _take(event: RunEvent) -> None:
    """One part's result: verify it, make one row per asset. Raises JobError for a result that is not this run's."""
    result = _verified(event.payload, event.run, event.part)
    wanted = set(agreed(event.run))
    by_code: dict[str, list[DeviceResult]] = {}
    for device in result.devices:
        if not device.control and device.asset in wanted:
            by_code.setdefault(device.asset, []).append(device)
    # a collector speaks for its own zone: the other zone's assets are none of its business, whoever comes first
    assets = {
        a.code: a
        for start in range(0, len(by_code), BATCH)
        for a in Asset.objects.filter(code__in=list(by_code)[start : start + BATCH], zone__code=result.zone)
    }
    ids = [asset.pk for asset in assets.values()]
    protocols, taken = _protocols(ids), _taken(event.run.id, ids)
    for code, asset in assets.items():
        by_code[code] += _left_out(asset, protocols.get(asset.pk, ()), by_code[code], event)
    todo = [(asset, by_code[code]) for code, asset in assets.items() if asset.pk not in taken]
    fired = judging.controls(result.devices)
    _store(event, todo, fired)
    told = dict((event.run.outcome or {}).get("control", {}))
    for protocol, did in fired.items():
        name = f"{result.zone}/{protocol}"
        told[name] = told.get(name, True) and did
    event.run.outcome = {**(event.run.outcome or {}), "control": told}
    event.run.save(update_fields=["outcome"])


def _protocols(ids: Sequence[int]) -> dict[int, list[str]]:
    """By which protocols each asset is to be seen."""
    out: dict[int, list[str]] = {}
    for start in range(0, len(ids), BATCH):
        found = Endpoint.objects.filter(asset_id__in=ids[start : start + BATCH]).order_by("asset_id", "protocol")
        for asset_id, protocol in found.values_list("asset_id", "protocol"):
            out.setdefault(asset_id, []).append(protocol)
    return out


def _taken(run_id: str, ids: Sequence[int]) -> set[int]:
    """Those of some assets that another part of this run has told of."""
    out: set[int] = set()
    for start in range(0, len(ids), BATCH):
        rows = DeviceSweep.objects.filter(run_id=run_id, asset_id__in=ids[start : start + BATCH])
        out.update(rows.values_list("asset_id", flat=True))
    return out


def _left_out(
    asset: Asset, protocols: Sequence[str], results: Sequence[DeviceResult], event: RunEvent
) -> list[DeviceResult]:
    """One empty result for each endpoint of an asset that the collector said nothing about: an asset is seen whole only
    by all its protocols, so a result that leaves one out does not make it look whole."""
    told = {result.protocol for result in results}
    silent = [protocol for protocol in protocols if protocol not in told]
    gone = [p for p in event.run.terms.get("unreachable", {}).get(asset.code, ()) if p not in {*told, *silent}]
    return [
        *(DeviceResult(asset.code, protocol, event.now, event.now, problem=Reason.COLLECTOR_SILENT,
                       detail=_("采集器没有带回 {protocol} 的结果").format(protocol=protocol)) for protocol in silent),
        *(DeviceResult(asset.code, protocol, event.now, event.now, problem=Reason.NOT_SUPPORTED,
                       detail=_("约定的 {protocol} 端点已不在登记中").format(protocol=protocol)) for protocol in gone),
    ]  # fmt: skip


def _verified(payload: bytes, run: Run, part: str) -> JobResult:
    """The result in a payload, signed by the collector of the zone that it speaks for."""
    publics = _publics()
    result = read_result(payload, publics.values())
    if result.zone not in publics or publics[result.zone].fingerprint != signer_of(payload):
        raise JobError(_("结果不是由该区域的采集器签名的"), where=result.zone)
    if (result.run_id, result.job_id) != (run.id, part):
        raise JobError(_("结果不是这次运行的"), where=f"{result.run_id}/{result.job_id} ≠ {run.id}/{part}")
    return result


def _store(event: RunEvent, todo: Sequence[tuple[Asset, list[DeviceResult]]], fired: Mapping[str, bool]) -> None:
    """Rows, standings and parts of one part's assets, in few statements whatever their number."""
    run, now = event.run, event.now
    ids = [asset.pk for asset, _results in todo]
    standings: dict[int, Standing] = {}
    for start in range(0, len(ids), BATCH):
        standings.update(Standing.objects.in_bulk(ids[start : start + BATCH]))
    open_keys, lists = findings.open_keys(ids), parts.load(ids)
    problems = identities.check([(asset, r) for asset, results in todo for r in results], now=now)
    rows: list[DeviceSweep] = []
    compared: list[parts.Comparison] = []
    for asset, results in todo:
        facts = judging.gather(asset.code, results)
        comparisons = [
            parts.compare(asset.pk, r, lists.get((asset.pk, r.protocol), {}), run.terms, now)
            for r in results if r.observations or r.parts
        ]  # fmt: skip
        row, trusted = _row(run, asset, facts, comparisons, standings.get(asset.pk), fired, problems.get(asset.pk), now)
        row.artifact = event.artifact
        row.facts["ok"] = [key for key in row.facts.get("ok", ()) if key in open_keys.get(asset.pk, ())]
        rows.append(row)
        if trusted:
            compared += comparisons
    DeviceSweep.objects.bulk_create(rows, batch_size=BATCH)
    parts.save(compared, now)
    _stand(rows, {asset.pk: results for asset, results in todo}, standings)


def _row(
    run: Run, asset: Asset, facts: judging.Facts, comparisons: Sequence[parts.Comparison], standing: Standing | None,
    fired: Mapping[str, bool], identity_problem: Reason | None, now: datetime,
) -> tuple[DeviceSweep, bool]:  # fmt: skip
    """The row of one asset, and whether what it saw may change the parts list."""
    part_faults = [fault for c in comparisons for fault in c.faults]
    verdict, reason, closes = judging.judge(
        facts, now=now, before=standing.moving if standing else {}, fired=fired, identity_problem=identity_problem,
        extra_faults=len(part_faults), fresh_s=float(run.terms.get("fresh_s", judging.FRESH_S)),
        since=run.submitted_at,
    )  # fmt: skip
    faults = [*facts.faults, *part_faults]
    right = facts.ok | {key for c in comparisons for key in c.ok}
    broken = facts.problem
    row = DeviceSweep(
        run_id=run.id, asset=asset, observed_at=facts.observed_at, verdict=str(verdict), reason=str(reason or ""),
        cause=judging.cause_of(reason), detail=(broken.detail if broken else "")[:300],
        protocols=" ".join(r.protocol for r in facts.results)[:40],
        vendor=" ".join(dict.fromkeys(r.vendor for r in facts.results if r.vendor))[:120],
        evaluated=facts.evaluated, faults=len(faults), unknown=facts.unknown, parts=facts.part_count,
        requests=sum(r.counts.get("requests", 0) + r.counts.get("execs", 0) for r in facts.results),
        identity={r.protocol: r.identity for r in facts.results if r.identity},
        moving=judging.moving_of(facts.results),
        facts={
            "faults": [asdict(f) for f in faults[: judging.MAX_FAULTS]] if verdict is Verdict.FAIL else [],
            "ok": sorted(right) if closes else [],
        },
    )  # fmt: skip
    identity_ok = reason not in (Reason.IDENTITY_CHANGED, Reason.IDENTITY_UNCONFIRMED, Reason.DUPLICATE)
    return row, identity_ok and reason not in (Reason.FROZEN, Reason.STALE)


def _stand(rows: Sequence[DeviceSweep], results: Mapping[int, list[DeviceResult]], before: dict[int, Standing]) -> None:
    """Where the assets stand now. Moving fields of another device are not taken over."""
    changed = (Reason.IDENTITY_CHANGED, Reason.DUPLICATE)
    out = []
    for row in rows:
        old = before.get(row.asset_id)
        moving = dict(old.moving) if old else {}
        if row.reason not in changed:
            moving = judging.remembered(moving, row.moving)
        sessions = dict(old.sessions) if old else {}
        for result in results[row.asset_id]:
            sessions[result.protocol] = result.session
        sessions = {protocol: sealed for protocol, sealed in sessions.items() if sealed}
        out.append(Standing(asset_id=row.asset_id, sweep=row, moving=moving, sessions=sessions))
    Standing.objects.bulk_create(
        out, batch_size=BATCH, update_conflicts=True, unique_fields=["asset"],
        update_fields=["sweep", "moving", "sessions"],
    )  # fmt: skip


def settle(run: Run, *, now: datetime) -> dict[str, JSON]:
    """Settle a finished run: duplicates, what never came, findings, coverage. Writes `run.outcome` and returns it."""
    sweeps = list(DeviceSweep.objects.filter(run_id=run.id).select_related("asset"))
    _settle_duplicates(sweeps)
    sweeps += _settle_missing(run, {s.asset.code for s in sweeps}, now)
    codes = {s.asset_id: s.asset.code for s in sweeps}
    with transaction.atomic():
        count = findings.match(run, sweeps, now=now, codes=codes)
        outcome: dict[str, JSON] = {
            "coverage": coverage(run, sweeps),
            "findings": {name: count[name] for name in ("opened", "still", "changed", "closed")},
        }
        outcome["verdict"] = overall(outcome["coverage"])
        verdicts = [[s.asset.code, s.verdict, s.reason, s.cause] for s in sorted(sweeps, key=lambda s: s.asset.code)]
        artifact = ledger.store(canonical({"run": run.id, "verdicts": verdicts}), "application/json")
        ledger.record(
            "inspect.run.judged", run.id, outcome, at=now, actor="system:inspect",
            clauses=tuple(run.cause.get("clauses", ())), artifacts=(artifact,),
        )  # fmt: skip
        run.outcome = {**(run.outcome or {}), **outcome, "verdicts": artifact.content_hash}
        run.save(update_fields=["outcome"])
    return outcome


def _settle_duplicates(sweeps: Sequence[DeviceSweep]) -> None:
    """Two assets that answer as one device prove nothing about either."""
    found = identity.duplicates((s.asset.code, protocol, told) for s in sweeps for protocol, told in s.identity.items())
    changed = []
    for sweep in sweeps:
        others = found.get(sweep.asset.code)
        if others is None or sweep.reason == Reason.IDENTITY_CHANGED:
            continue
        verdict, reason = decide(Seen(sweep.evaluated, sweep.faults, identity_ok=False, problem=Reason.DUPLICATE))
        sweep.verdict, sweep.reason, sweep.cause = str(verdict), str(reason), judging.cause_of(reason)
        sweep.detail, sweep.facts = _("与 {code} 应答为同一台设备").format(code=" ".join(others))[:300], {}
        changed.append(sweep)
    DeviceSweep.objects.bulk_update(changed, ["verdict", "reason", "cause", "detail", "facts"], batch_size=100)


def _settle_missing(run: Run, seen: set[str], now: datetime) -> list[DeviceSweep]:
    """Rows for agreed assets that no result named: nothing is left out of the list because it did not answer."""
    rest = [code for code in agreed(run) if code not in seen]
    rows = []
    for start in range(0, len(rest), BATCH):
        for asset in Asset.objects.filter(code__in=rest[start : start + BATCH]).prefetch_related("endpoints"):
            reason = Reason.COLLECTOR_SILENT if asset.endpoints.all() else Reason.NOT_SUPPORTED
            verdict, reason_given = decide(Seen(0, 0, problem=reason))
            detail = _("采集器没有带回结果") if asset.endpoints.all() else _("资产没有登记可巡检的端点")
            rows.append(
                DeviceSweep(run_id=run.id, asset=asset, observed_at=now, verdict=str(verdict),
                            reason=str(reason_given or ""), cause=judging.cause_of(reason_given), detail=detail)
            )  # fmt: skip
    DeviceSweep.objects.bulk_create(rows, batch_size=BATCH)
    return rows


def coverage(run: Run, sweeps: Sequence[DeviceSweep]) -> dict[str, JSON]:
    """What of the agreed baseline was proven: figures, the unproven by reason and cause, and whose control fired.

    `agreed` counts the plan's list, also codes that are no asset any more: shrinking the inventory raises no coverage.
    """
    wanted = agreed(run)
    of_plan = [s for s in sweeps if s.asset.code in set(wanted)]
    verdicts = Counter(s.verdict for s in of_plan)
    unproven = [s for s in of_plan if s.verdict == Verdict.UNPROVEN]
    unknown_codes = len(wanted) - len(of_plan)
    reasons, causes = Counter(s.reason for s in unproven), Counter(s.cause for s in unproven)
    if unknown_codes:
        reasons[str(Reason.NOT_SUPPORTED)] += unknown_codes
        causes[str(Cause.VENDOR)] += unknown_codes
    return {
        "agreed": len(wanted),
        "proven": verdicts[Verdict.PASS] + verdicts[Verdict.FAIL],
        "passed": verdicts[Verdict.PASS],
        "failed": verdicts[Verdict.FAIL],
        "unproven": dict(sorted(reasons.items())),
        "causes": dict(sorted(causes.items())),
        "not_proven": sorted([s.asset.code, s.reason, s.detail] for s in unproven)[:LISTED],
        "control": dict((run.outcome or {}).get("control", {})),
    }


def read_artifact(content_hash: str) -> JobResult | None:
    """The result behind a sweep row, None when redacted or no inspection result. Raises LedgerError if altered."""
    from yunwei.ledger import artifacts
    from yunwei.ledger.models import Artifact

    artifact = Artifact.objects.filter(content_hash=content_hash, redacted_at__isnull=True).first()
    if artifact is None:
        return None
    content = artifacts.read(artifact)
    return contents(content) if _is_result(content) else None


def readings(sweep: DeviceSweep) -> list[DeviceResult]:
    """The full readings of one asset in one sweep, from the artifact."""
    result = read_artifact(sweep.artifact) if sweep.artifact else None
    return [d for d in result.devices if d.asset == sweep.asset.code and not d.control] if result else []


def overall(figures: Mapping[str, JSON]) -> str:
    """A run's own verdict for a list: fail when any asset failed, unproven when any is, else pass."""
    if figures["failed"]:
        return str(Verdict.FAIL)
    return str(Verdict.PASS if figures["agreed"] and figures["passed"] == figures["agreed"] else Verdict.UNPROVEN)


def bring(data: bytes, *, now: datetime) -> bool:
    """Take in a result file that was brought from a collector elsewhere. False when it was taken in before.

    Verified before anything of it is unpacked or kept: a file of a stranger leaves nothing on our disk. Raises JobError.
    """
    claimed = read_result(data, _publics().values())
    return take_in(claimed.run_id, claimed.job_id, data, collector=claimed.zone, now=now,
                   count=sum(not d.control for d in claimed.devices))  # fmt: skip


def _publics() -> dict[str, sm2.PublicKey]:
    """The keys of the zones' collectors by zone."""
    return {zone: keys.collector_public(zone) for zone in Zone.objects.values_list("code", flat=True)}
