"""SNMP notifications (traps and informs): a device says that something happened, and is looked at at once.

What it says is a hint and no proof: a v2c trap can be sent by anybody, so it opens no finding by itself. It makes an
extra look at that asset, which judges like any other; at most one look a minute an asset, however many traps come.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from yunwei.assets import credentials
from yunwei.assets.models import Credential, Endpoint
from yunwei.inspect.vendor import shipped
from yunwei.ledger import services as ledger
from yunwei.runs import services as runs
from yunwei.runs.models import Run
from yunwei.snmp.trap import Notification, Receiver
from yunwei.snmp.usm import V3

JSON = Any
PROCEDURE = "hardware.inspect"
#: a trap of no vendor file we know
UNNAMED = "SNMP trap"


def receiver(engine_id: bytes, boots: int) -> Receiver:
    """What may send us notifications: whoever knows one of our SNMP credentials."""
    communities, users = set(), {}
    for row in Credential.objects.filter(kind__in=("snmp2c", "snmp3")):
        secret = dict(credentials.open_(row))
        if row.kind == "snmp2c":
            communities.add(secret["community"].encode())
        else:
            users[secret["user"].encode()] = V3(**secret)
    return Receiver(frozenset(communities), users, engine_id, boots)


def heard(note: Notification, address: str, terms: Mapping[str, JSON], *, now: datetime) -> Run | None:
    """Take a notification in: one ledger record and one extra look per asset and minute.

    `terms` are the approved plan's, as for any look. None when no asset has this address, or it is looked at already.
    """
    endpoint = (
        Endpoint.objects.filter(protocol="snmp", address=address, asset__retired_at__isnull=True)
        .select_related("asset", "asset__standing__sweep")
        .first()
    )
    if endpoint is None:
        return None
    asset = endpoint.asset
    run_id = f"trap:{asset.code}:{now:%Y%m%dT%H%M}:1"
    if Run.objects.filter(pk=run_id).exists():
        return None
    with transaction.atomic():
        ledger.record(
            "inspect.notice.heard",
            asset.code,
            {"trap": note.trap_oid, "name": name_of(note, vendor_of(endpoint)), "signed": note.signed},
            at=now,
            actor="system:traps",
        )
        scope = {"assets": [asset.code]}
        return runs.submit(
            run_id,
            PROCEDURE,
            scope,
            {**terms, "baseline": [asset.code]},
            {"why": "notice", "trap": note.trap_oid},
            now=now,
        )


def vendor_of(endpoint: Endpoint) -> str:
    """The vendor file that fits an endpoint: the one it names, or the one its last look matched."""
    standing = getattr(endpoint.asset, "standing", None)
    seen = standing.sweep.vendor if standing is not None and standing.sweep is not None else ""
    return endpoint.vendor_file or seen.split(" ")[0].split(",")[0]


def name_of(note: Notification, vendor: str) -> str:
    """What a trap is called in the vendor file, or in the generic one."""
    catalogue = shipped()
    for known in (vendor, "generic"):
        for trap in catalogue.files[known].traps if known in catalogue.files else ():
            if trap.oid == note.trap_oid:
                return trap.name
    return UNNAMED
