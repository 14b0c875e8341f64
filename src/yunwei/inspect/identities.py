"""What a run's answers say about who answered, brought to `assets.identity`: pinned at first contact, compared after.

An asset whose identity changed, or is pinned and not yet confirmed with the client, is unproven whatever its answers
say (house, law 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from yunwei.assets import identity
from yunwei.assets.models import Asset, Endpoint
from yunwei.inspect.observation import DeviceResult
from yunwei.kernel.verdict import Reason

BATCH = 500


def check(
    answers: Sequence[tuple[Asset, DeviceResult]], *, now: datetime, actor: str = "system:inspect"
) -> dict[int, Reason]:
    """The identity problem of each asset, by primary key; assets without one are left out.

    Inside the caller's transaction. Pins first contacts, and notes a changed identity as a pin that waits for the client.
    """
    # a whole answer that says nothing of who gave it is compared too: silence must not be easier than a name
    told = [(a, result) for a, result in answers if result.problem is None or identity.clean(result.identity)]
    endpoints = _endpoints({asset.pk: asset for asset, _result in told})
    pins = identity.pins_of([e.pk for e in endpoints.values()])
    problems: dict[int, Reason] = {}
    for asset, result in told:
        endpoint = endpoints.get((asset.pk, result.protocol))
        if endpoint is None:
            continue
        whole = result.problem is None
        confirmed, waiting = pins.get(endpoint.pk, (None, None))
        against = confirmed or waiting
        seen = identity.clean(result.identity)
        changed = against is not None and bool(identity.differs(against.fields, seen, whole=whole))
        # A look that broke off says too little to be pinned, unless it contradicts what is pinned.
        if seen and (changed or (against is None and whole)):
            identity.pin(endpoint, seen, actor=actor, now=now)
        if changed:
            problems[asset.pk] = Reason.IDENTITY_CHANGED
        elif confirmed is None:
            problems.setdefault(asset.pk, Reason.IDENTITY_UNCONFIRMED)
    return problems


def _endpoints(assets: Mapping[int, Asset]) -> dict[tuple[int, str], Endpoint]:
    out: dict[tuple[int, str], Endpoint] = {}
    ids = list(assets)
    for start in range(0, len(ids), BATCH):
        for endpoint in Endpoint.objects.filter(asset_id__in=ids[start : start + BATCH]):
            endpoint.asset = assets[endpoint.asset_id]
            out[endpoint.asset_id, endpoint.protocol] = endpoint
    return out
