"""Looking in a period: every sweep that an obligation asked for with its coverage, findings opened and closed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from yunwei.inspect.models import Finding
from yunwei.ledger.models import Intake
from yunwei.reports.evidence import Numbers
from yunwei.reports.period import Period, moment
from yunwei.runs.models import Run, RunState

JSON = Any


class Looks:
    """Reads runs and findings of a period, wants their numbers, then tells."""

    def __init__(self, of: Period, numbers: Numbers) -> None:
        self.of, self.numbers = of, numbers
        judged = (
            Intake.objects.filter(kind="inspect.run.judged", subject=OuterRef("id")).order_by("-id").values("id")[:1]
        )
        self.runs = list(
            Run.objects.filter(submitted_at__gte=of.start, submitted_at__lt=of.end, cause__has_key="obligation")
            .annotate(judged=Subquery(judged)).order_by("submitted_at", "id")
        )  # fmt: skip
        self.findings = list(
            Finding.objects.filter(opened_at__lt=of.end)
            .filter(Q(closed_at__isnull=True) | Q(closed_at__gte=of.start))
            .select_related("asset").order_by("severity", "opened_at", "id")
        )  # fmt: skip
        numbers.want(*(r.judged for r in self.runs))
        numbers.want(*(n for f in self.findings for n in (f.evidence, f.closing_evidence)))

    def data(self) -> dict[str, JSON]:
        """The part of the report's data that is about looking."""
        sweeps = [
            self._sweep(run)
            for run in self.runs
            if (run.outcome or {}).get("coverage") or run.ended_at is None or _broken(run)
        ]
        causes, reasons = Counter[str](), Counter[str]()
        for sweep in sweeps:
            causes.update(sweep["causes"])
            reasons.update(sweep["unproven"])
        told = [self._finding(f) for f in self.findings]
        return {
            "sweeps": {
                "rows": sweeps,
                "agreed": sum(s["agreed"] for s in sweeps),
                "proven": sum(s["proven"] for s in sweeps),
                "passed": sum(s["passed"] for s in sweeps),
                "failed": sum(s["failed"] for s in sweeps),
                "causes": {c: causes.get(c, 0) for c in ("vendor", "client", "third", "unknown")},
                "reasons": dict(sorted(reasons.items())),
            },
            "findings": {
                "rows": told,
                "opened": sum(f["opened_in"] for f in told),
                "closed": sum(f["closed_in"] for f in told),
                "open": sum(f["open_at_end"] for f in told),
                "open_critical": sum(f["open_at_end"] and f["severity"] == "critical" for f in told),
                "origins": dict(sorted(Counter(f["origin"] for f in told if f["opened_in"]).items())),
            },
        }

    def _sweep(self, run: Run) -> dict[str, JSON]:
        outcome: dict[str, JSON] = run.outcome or {}
        coverage: dict[str, JSON] = outcome.get("coverage") or {}
        controls: dict[str, bool] = coverage.get("control") or outcome.get("control") or {}
        return {
            "run": run.id,
            "procedure": run.procedure,
            "obligation": str(run.cause.get("obligation", "")),
            "clauses": list(run.cause.get("clauses", ())),
            "at": moment(run.submitted_at),
            "ended": moment(run.ended_at),
            "state": run.state,
            "agreed": int(coverage.get("agreed", len(run.scope.get("assets", ())))),
            "proven": int(coverage.get("proven", 0)),
            "passed": int(coverage.get("passed", 0)),
            "failed": int(coverage.get("failed", 0)),
            "unproven": dict(coverage.get("unproven") or {}),
            "causes": dict(coverage.get("causes") or {}),
            "controls": len(controls),
            "silent": sorted(name for name, fired in controls.items() if not fired),
            "number": self.numbers.of(run.judged),  # type: ignore[attr-defined]
        }

    def _finding(self, found: Finding) -> dict[str, JSON]:
        closed = found.closed_at
        return {
            "asset": found.asset.code,
            "asset_name": found.asset.name,
            "name": found.name,
            "component": found.component,
            "severity": found.severity,
            "origin": found.origin,
            "value": found.value if found.limit and found.value else found.raw or found.value,
            "limit": found.limit,
            "opened": moment(found.opened_at),
            "closed": moment(closed),
            "times": found.times,
            "recurrence": found.recurrence,
            "opened_in": self.of.start <= found.opened_at < self.of.end,
            "closed_in": closed is not None and self.of.start <= closed < self.of.end,
            "open_at_end": closed is None or closed >= self.of.end,
            "number": self.numbers.of(found.evidence),
            "closing": self.numbers.of(found.closing_evidence),
        }


def _broken(run: Run) -> bool:
    return run.state in (RunState.FAILED, RunState.CANCELLED)
