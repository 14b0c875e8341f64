"""Jobs for collectors, built from the inventory: targets with sealed credentials, the plan's terms, the controls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from yunwei.assets import credentials, guard, identity
from yunwei.assets.models import Asset, Credential, Endpoint, Zone
from yunwei.inspect import keys
from yunwei.inspect.collect.job import Sealer, write_job
from yunwei.inspect.models import Control, Finding, FindingState, Standing
from yunwei.inspect.observation import Job, Target
from yunwei.ledger import services as ledger

JSON = Any
#: seconds for one device and for one job, unless the plan's terms say otherwise
BUDGET_S, TOTAL_S = 45.0, 900.0
#: assets of one job: small enough for progress, for many workers and for memory (a collector holds the readings of the jobs
#: under way, 80 KB a switch), large enough that controls and the settling of a share cost little
CHUNK = 100
#: terms by which the platform settles a run: lists of the whole register, which no collector needs to know
PLATFORMS = frozenset({"baseline", "unreachable"})
#: no share is smaller: below that the controls and the settling of a share cost more than its devices
LEAST = 25


def chunks(codes: Sequence[str], size: int = CHUNK) -> list[dict[str, JSON]]:
    """The shares of a run: assets of one zone each, {"part", "zone", "assets"}; depends on inventory and list alone."""
    zones: dict[str, list[str]] = {}
    for start in range(0, len(codes), 500):
        rows = Asset.objects.filter(code__in=codes[start : start + 500], retired_at__isnull=True)
        for code, zone in rows.values_list("code", "zone__code"):
            zones.setdefault(zone, []).append(code)
    share = max(LEAST, min(size, -(-len(codes) // 16)))
    dealt = []
    for zone, assets in sorted(zones.items()):
        # dealt out like cards: codes that sort together are of one kind, and kinds differ tenfold in what they cost
        shares = -(-len(assets) // share)
        dealt += [{"part": f"{zone}-{n:04d}", "zone": zone, "assets": sorted(assets)[n::shares]} for n in range(shares)]
    return dealt


def build(
    run_id: str, part: str, zone: str, codes: Iterable[str], terms: Mapping[str, JSON], *, deep: bool, now: datetime
) -> Job:
    """The job of one share. Credentials are opened here and sealed to the zone's collector, each kept in no variable.

    An endpoint that this instance may not look at (the lab's, in a real one) gets no target however it came into the
    register, so its asset is unproven.
    """
    sealer = Sealer(keys.collector_public(zone))
    found = (
        Endpoint.objects.filter(asset__code__in=list(codes), asset__retired_at__isnull=True)
        .select_related("asset", "asset__place", "credential")
        .order_by("asset__code", "protocol")
    )
    endpoints = [e for e in found if not guard.refusal(e.protocol, e.address)]
    sealed = _Sealed(sealer)
    pins = pinned([e.pk for e in endpoints])
    standings = Standing.objects.in_bulk([e.asset_id for e in endpoints])
    again = _faulty([e.asset_id for e in endpoints])
    targets = [
        _target(e, sealed, pins.get(e.pk, {}), standings.get(e.asset_id), deep=deep or e.asset_id in again)
        for e in endpoints
    ]
    targets += _controls(zone, {t.protocol for t in targets}, sealed)
    return Job(
        id=part, run_id=run_id, zone=zone, issued_at=now, targets=targets,
        terms={name: value for name, value in terms.items() if name not in PLATFORMS},
        budget_s=float(terms.get("budget_s", BUDGET_S)), total_budget_s=float(terms.get("total_budget_s", TOTAL_S)),
    )  # fmt: skip


#: the controls beside this process's own collectors, as the farm of them told (`stand_beside`)
_beside: Sequence[Mapping[str, JSON]] = ()


def stand_beside(endpoints: Sequence[Mapping[str, JSON]]) -> None:
    """Use these controls for the jobs that this process builds for collectors of its own machine, whatever the register says:
    several machines may serve one instance, and each has its controls at addresses that only itself reaches."""
    global _beside  # noqa: PLW0603 - one a process, set by the door
    _beside = endpoints


def _controls(zone: str, protocols: Collection[str], sealed: _Sealed) -> list[Target]:
    if _beside and not keys.is_remote(zone):
        return [
            Target(f"control-{c['protocol']}", c["protocol"], c["address"], c["port"], sealed.told(c), control=True)
            for c in _beside if c["protocol"] in protocols
        ]  # fmt: skip
    rows = Control.objects.filter(zone__code=zone, protocol__in=protocols).select_related("credential")
    return [
        Target(f"control-{c.protocol}", c.protocol, c.address, c.port, sealed.of(c.credential), control=True)
        for c in rows
    ]


def _faulty(asset_ids: Sequence[int]) -> set[int]:
    """Assets with an open fault: what only a deep look has seen (a disk) only a deep look sees gone, and a repair must not
    wait for the week's. What a changed part says is answered by people and seen gone by none."""
    found = Finding.objects.filter(asset_id__in=asset_ids, state=FindingState.OPENED).exclude(kind__startswith="part_")
    return set(found.values_list("asset_id", flat=True))


class _Sealed:
    """Credentials sealed once per job, however many devices share one."""

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer
        self._done: dict[int, str] = {}

    def of(self, credential: Credential | None) -> str:
        """The sealed text of a credential, "" for none."""
        if credential is None:
            return ""
        if credential.pk not in self._done:
            self._done[credential.pk] = credentials.reseal(credential, self.sealer)
        return self._done[credential.pk]

    def told(self, control: Mapping[str, JSON]) -> str:
        """The sealed text of a control's credential, which no row need hold."""
        return self.sealer.seal(
            credentials.checked(_kind(control["protocol"], control["credential"]), control["credential"])
        )


def _target(
    endpoint: Endpoint, sealed: _Sealed, pins: Mapping[str, str], standing: Standing | None, *, deep: bool
) -> Target:
    asset, protocol = endpoint.asset, endpoint.protocol
    return Target(
        asset=asset.code, protocol=protocol, address=endpoint.address, port=endpoint.port,
        credential=sealed.of(endpoint.credential), vendor=endpoint.vendor_file,
        profile="deep" if deep else endpoint.profile or "rollup",
        place=asset.place.code if asset.place else "", kind=asset.kind, pinned=dict(pins),
        moving=dict(standing.moving.get(protocol, {})) if standing else {},
        session=str(standing.sessions.get(protocol, "")) if standing else "",
    )  # fmt: skip


def pinned(endpoint_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """What a collector holds endpoints to before it sends a secret: the confirmed pin, else the one that waits."""
    found = identity.pins_of(endpoint_ids)
    return {pk: dict(pin.fields) for pk, (confirmed, waiting) in found.items() if (pin := confirmed or waiting)}


def export(run_id: str, part: str, zone: str, codes: Iterable[str], terms: Mapping[str, JSON], *, deep: bool,
           now: datetime) -> bytes:  # fmt: skip
    """A job as a signed file for a collector elsewhere; that it left is entered in the ledger."""
    job = build(run_id, part, zone, codes, terms, deep=deep, now=now)
    with transaction.atomic():
        ledger.record("inspect.job.exported", run_id, {"part": part, "zone": zone, "targets": len(job.targets)},
                      at=now, actor="system:inspect")  # fmt: skip
    return write_job(job, keys.platform())


def _kind(protocol: str, credential: Mapping[str, JSON]) -> str:
    return str(credential.get("kind") or {"snmp": "snmp2c", "redfish": "redfish"}[protocol])


def register_control(
    zone: str, protocol: str, address: str, port: int, credential: Mapping[str, str], *, now: datetime
) -> Control:
    """Note the control that runs beside a zone's collector; `serve` calls this when it has started it."""
    with transaction.atomic():
        stored = credentials.put(f"control-{zone}-{protocol}", _kind(protocol, credential), dict(credential), now=now)
        control, _made = Control.objects.update_or_create(
            zone=Zone.objects.get(code=zone), protocol=protocol,
            defaults={"address": address, "port": port, "credential": stored, "registered_at": now},
        )  # fmt: skip
    return control
