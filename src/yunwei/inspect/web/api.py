"""API of looking: sweeps, devices of a sweep, findings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema

from yunwei.accounts.tokens import Scope
from yunwei.inspect.models import DeviceSweep, Finding, FindingState
from yunwei.runs.models import Run
from yunwei.ui.api import After, Asked, Code, Id, Limit, Needs, PageOf, Text, keyset, ndjson
from yunwei.ui.pages import READERS

router = Router(tags=["inspect"])
CHUNK = 2000


class SweepOut(Schema):
    """A run that looked: what it proved is `outcome` (verdict, coverage, causes)."""

    id: str
    procedure: str
    state: str
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    done: int
    total: int
    outcome: dict[str, Any] | None


class FindingOut(Schema):
    """A fault with its identity over time."""

    id: int
    asset: str
    component: str
    kind: str
    name: str
    state: str
    severity: str
    origin: str
    value: str
    raw: str
    limit: str
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    times: int

    @staticmethod
    def resolve_asset(row: Finding) -> str:
        return row.asset.code


class SweepQuery(Asked):
    """Filters of the list."""

    procedure: Text = ""
    after: Text = After
    limit: int = Limit


class FindingQuery(Asked):
    """Filters of the list."""

    asset: Text = ""
    state: FindingState | None = None
    after: Text = After
    limit: int = Limit


@router.get("/sweeps", response=PageOf[SweepOut], auth=Needs(Scope.READ, READERS), summary="巡检")
def sweeps(request: HttpRequest, asked: Query[SweepQuery]) -> dict[str, Any]:
    """Runs, the newest first."""
    rows = Run.objects.all()
    if asked.procedure:
        rows = rows.filter(procedure=asked.procedure)
    return keyset(rows, ("-submitted_at", "id"), asked.after, asked.limit)


class DeviceLine(msgspec.Struct):
    """One device of one sweep, as a line of NDJSON."""

    asset: str
    observed_at: datetime
    verdict: str
    reason: str
    cause: str
    evaluated: int
    faults: int


@router.get(
    "/sweeps/{path:run_id}/devices.ndjson", auth=Needs(Scope.READ, READERS), summary="一次巡检的每台设备（NDJSON）"
)
def devices(request: HttpRequest, run_id: Code) -> StreamingHttpResponse:
    """Every device of a sweep, one JSON object a line, by asset."""
    get_object_or_404(Run, pk=run_id)

    def lines() -> Iterator[DeviceLine]:
        rows = DeviceSweep.objects.filter(run_id=run_id).order_by("id").select_related("asset")
        for row in rows.iterator(chunk_size=CHUNK):
            yield DeviceLine(
                row.asset.code, row.observed_at, row.verdict, row.reason, row.cause, row.evaluated, row.faults
            )

    return ndjson(lines(), "devices")


@router.get("/sweeps/{path:run_id}", response=SweepOut, auth=Needs(Scope.READ, READERS), summary="一次巡检")
def sweep(request: HttpRequest, run_id: Code) -> Run:
    """One run."""
    return get_object_or_404(Run, pk=run_id)


@router.get("/findings", response=PageOf[FindingOut], auth=Needs(Scope.READ, READERS), summary="发现")
def findings(request: HttpRequest, asked: Query[FindingQuery]) -> dict[str, Any]:
    """Findings, the newest first."""
    rows = Finding.objects.select_related("asset")
    if asked.asset:
        rows = rows.filter(asset__code=asked.asset)
    if asked.state:
        rows = rows.filter(state=asked.state)
    return keyset(rows, ("-opened_at", "-id"), asked.after, asked.limit)


@router.get("/findings/{finding_id}", response=FindingOut, auth=Needs(Scope.READ, READERS), summary="一项发现")
def finding(request: HttpRequest, finding_id: Id) -> Finding:
    """One finding."""
    return get_object_or_404(Finding.objects.select_related("asset"), pk=finding_id)
