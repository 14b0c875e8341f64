"""What a run's answers say about who answered: pin at first contact, compare afterwards (house, law 2).

An asset whose identity changed, or is pinned and not yet confirmed with the client, is unproven whatever its answers
say. A change makes one new, unconfirmed pin beside the old one: confirming it is the client's decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from yunwei.assets.models import Asset, Endpoint, IdentityPin
from yunwei.inspect.observation import DeviceResult
from yunwei.kernel.verdict import Reason
from yunwei.ledger import services as ledger

BATCH = 500
#: identifying fields that nobody can imitate without a key; a pin without any of them is weak
STRONG = frozenset({"ssh_host_key", "certificate", "engine_id"})


def check(
    answers: Sequence[tuple[Asset, DeviceResult]], *, now: datetime, actor: str = "system:inspect"
) -> dict[int, Reason]:
    """The identity problem of each asset, by its primary key; assets without one are left out.

    Inside the caller's transaction. Pins first contacts, notes changed identities as pins to be confirmed.
    """
    told = [(asset, result) for asset, result in answers if result.identity]
    endpoints = _endpoints([asset.pk for asset, _result in told])
    pins = newest([e.pk for e in endpoints.values()])
    problems: dict[int, Reason] = {}
    made: list[IdentityPin] = []
    for asset, result in told:
        endpoint = endpoints.get((asset.pk, result.protocol))
        if endpoint is None:
            continue
        pin, pending = pins.get(endpoint.pk, (None, None))
        problem, new = compare(pin, pending, result)
        if new:
            made.append(_pin(endpoint, result, now, actor))
            _record(asset, result, problem, now, actor)
        if problem is not None and problems.get(asset.pk) is not Reason.IDENTITY_CHANGED:
            problems[asset.pk] = problem
    IdentityPin.objects.bulk_create(made, batch_size=BATCH)
    return problems


def compare(
    pin: IdentityPin | None, pending: IdentityPin | None, result: DeviceResult
) -> tuple[Reason | None, bool]:
    """The problem with a result's identity, and whether a pin must be made of it.

    `pin` is the newest confirmed one, `pending` the newest that waits. A look that ended early says less than the pin:
    only what both say is compared, and no pin is made of it unless it contradicts.
    """
    against = pin or pending
    if against is None:
        return Reason.IDENTITY_UNCONFIRMED, result.problem is None
    if not differs(against.fields, result.identity):
        return (None if pin is not None else Reason.IDENTITY_UNCONFIRMED), False
    known = pending is not None and not differs(pending.fields, result.identity)
    return Reason.IDENTITY_CHANGED, not known


def differs(pinned: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of identifying fields that both say and that are not the same."""
    return sorted(name for name, value in pinned.items() if name in now and now[name] != value)


def _endpoints(asset_ids: Sequence[int]) -> dict[tuple[int, str], Endpoint]:
    out: dict[tuple[int, str], Endpoint] = {}
    ids = list(dict.fromkeys(asset_ids))
    for start in range(0, len(ids), BATCH):
        for endpoint in Endpoint.objects.filter(asset_id__in=ids[start : start + BATCH]):
            out[endpoint.asset_id, endpoint.protocol] = endpoint
    return out


def newest(endpoint_ids: Sequence[int]) -> dict[int, tuple[IdentityPin | None, IdentityPin | None]]:
    """By endpoint: the newest confirmed pin and the newest one after it that waits for the client."""
    out: dict[int, tuple[IdentityPin | None, IdentityPin | None]] = {}
    for start in range(0, len(endpoint_ids), BATCH):
        rows = IdentityPin.objects.filter(endpoint_id__in=endpoint_ids[start : start + BATCH], refused_at__isnull=True)
        for pin in rows.order_by("pk"):
            confirmed, _waiting = out.get(pin.endpoint_id, (None, None))
            out[pin.endpoint_id] = (pin, None) if pin.confirmed_at else (confirmed, pin)
    return out


def _pin(endpoint: Endpoint, result: DeviceResult, now: datetime, actor: str) -> IdentityPin:
    fields = dict(result.identity)
    return IdentityPin(endpoint=endpoint, fields=fields, weak=not STRONG & set(fields), pinned_at=now, pinned_by=actor)


def _record(asset: Asset, result: DeviceResult, problem: Reason | None, now: datetime, actor: str) -> None:
    event = "changed" if problem is Reason.IDENTITY_CHANGED else "pinned"
    ledger.record(
        f"assets.identity.{event}",
        asset.code,
        {"protocol": result.protocol, "fields": dict(sorted(result.identity.items()))},
        at=now,
        actor=actor,
    )
