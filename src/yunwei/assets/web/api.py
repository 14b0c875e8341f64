"""API of what is looked after."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema

from yunwei.accounts.tokens import Scope
from yunwei.assets.models import Asset, System
from yunwei.ui.api import After, Asked, Code, Limit, Needs, PageOf, Text, account_of, keyset
from yunwei.ui.pages import READERS, TENANTS

router = Router(tags=["assets"])
ORDER = ("code",)


class AssetOut(Schema):
    """A device, host or VM. No address and no credential: those are for who looks at it, not for who reads about it."""

    code: str
    name: str
    kind: str
    category: str
    zone: str
    place: str | None
    owner: str | None
    system: str | None
    vendor: str
    model: str
    serial: str
    position: str
    tags: list[str]
    retired_at: datetime | None
    verdict: str | None
    reason: str | None
    seen_at: datetime | None

    @staticmethod
    def resolve_zone(row: Asset) -> str:
        return row.zone.code

    @staticmethod
    def resolve_place(row: Asset) -> str | None:
        return row.place.code if row.place else None

    @staticmethod
    def resolve_owner(row: Asset) -> str | None:
        return row.owner.code if row.owner else None

    @staticmethod
    def resolve_system(row: Asset) -> str | None:
        return row.system.code if row.system else None

    @staticmethod
    def resolve_verdict(row: Asset) -> str | None:
        found: str | None = _last(row, "verdict")
        return found

    @staticmethod
    def resolve_reason(row: Asset) -> str | None:
        return _last(row, "reason") or None

    @staticmethod
    def resolve_seen_at(row: Asset) -> datetime | None:
        found: datetime | None = _last(row, "observed_at")
        return found


def _last(row: Asset, name: str) -> Any:
    """Of the newest look at it; nobody looked: None, and no word for it."""
    standing = getattr(row, "standing", None)
    return getattr(standing.sweep, name) if standing is not None and standing.sweep else None


class SystemOut(Schema):
    """An information system of a department."""

    code: str
    name: str
    owner: str
    mlps_level: int | None

    @staticmethod
    def resolve_owner(row: System) -> str:
        return row.owner.code


class AssetQuery(Asked):
    """Filters of the list."""

    zone: Text = ""
    kind: Text = ""
    owner: Text = ""
    system: Text = ""
    retired: bool = False
    after: Text = After
    limit: int = Limit


def _rows() -> Any:
    return Asset.objects.select_related("zone", "place", "owner", "system", "standing__sweep")


@router.get("/assets", response=PageOf[AssetOut], auth=Needs(Scope.READ, READERS), summary="资产")
def assets(request: HttpRequest, asked: Query[AssetQuery]) -> dict[str, Any]:
    """The inventory, by code."""
    rows = _rows() if asked.retired else _rows().filter(retired_at=None)
    wanted = {"zone__code": asked.zone, "kind": asked.kind, "owner__code": asked.owner, "system__code": asked.system}
    return keyset(rows.filter(**{k: v for k, v in wanted.items() if v}), ORDER, asked.after, asked.limit)


@router.get("/assets/{code}", response=AssetOut, auth=Needs(Scope.READ, READERS), summary="一项资产")
def asset(request: HttpRequest, code: Code) -> Asset:
    """One asset."""
    found: Asset = get_object_or_404(_rows(), code=code)
    return found


class SystemQuery(Asked):
    """Filters of the list."""

    after: Text = After
    limit: int = Limit


@router.get("/systems", response=PageOf[SystemOut], auth=Needs(Scope.READ, READERS | TENANTS), summary="信息系统")
def systems(request: HttpRequest, asked: Query[SystemQuery]) -> dict[str, Any]:
    """Information systems; a department's own only."""
    account = account_of(request)
    rows = System.objects.select_related("owner")
    if account.role in TENANTS:
        rows = rows.filter(owner=account.organisation_id)
    return keyset(rows, ORDER, asked.after, asked.limit)
