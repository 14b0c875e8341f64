"""Who answers at an endpoint: pinned at first contact, confirmed once by the client, compared ever after (law 2).

Strong fields cannot be imitated without a key of the device: SSH host key, Redfish certificate, SNMPv3 engine id. Under
SNMP v2c there are only sysObjectID, serial and base MAC, which anybody can send: such a pin is marked weak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, Role
from yunwei.assets.errors import IdentityError
from yunwei.assets.models import Endpoint, IdentityPin
from yunwei.ledger import services as ledger

STRONG = frozenset({"ssh_host_key", "certificate", "engine_id"})
#: what tells one device from all others, the most telling first; a factory certificate may be shared by many
TELLING = ("serial", "machine_id", "uuid", "base_mac", "engine_id", "ssh_host_key", "certificate")
#: the same in many devices as they leave the factory: says nothing beside a better name
SHARED = frozenset({"certificate"})
#: what factories leave in a serial field
JUNK = frozenset({"", "0", "none", "n/a", "na", "null", "unknown", "default string", "to be filled by o.e.m.", "not specified",
                  "0123456789", "1234567890", "123456789", "system serial number", "00000000", "00:00:00:00:00:00"})  # fmt: skip
#: who confirms for the client; finance, officers and superiors do not know the equipment
CONFIRMERS = frozenset({Role.A_LEADER, Role.A_MANAGER})
_BATCH = 500


class Standing(StrEnum):
    """What the comparison of an answer with the pins gives."""

    OK = "ok"
    CHANGED = "changed"  # another device answers, or the device changed and the client has not agreed yet
    UNCONFIRMED = "unconfirmed"  # pinned, waiting for the client
    FIRST = "first"  # nothing pinned yet


def clean(identity: Mapping[str, str]) -> dict[str, str]:
    """The identifying fields that say something, sorted; what factories leave in them is dropped."""
    told = {str(k): str(v).strip() for k, v in identity.items()}
    return {k: told[k] for k in sorted(told) if told[k].lower() not in JUNK}


def is_weak(fields: Mapping[str, str]) -> bool:
    """Whether anybody could send these fields."""
    return not STRONG & set(fields)


def differs(pinned: Mapping[str, str], now: Mapping[str, str], *, whole: bool = True) -> list[str]:
    """Names of the fields in which an answer is not the pinned device.

    A strong field that was pinned and is missing in a whole answer counts too: leaving the proof out must not be
    easier than giving it. Weak fields that are missing do not (a table that was not read), unless a whole answer leaves
    out all of them.
    """
    if whole and not set(pinned) & set(now):
        return sorted(pinned)
    return sorted(
        name
        for name, value in pinned.items()
        if (name in now and now[name] != value) or (whole and name in STRONG and name not in now)
    )


def pins_of(endpoint_ids: Sequence[int]) -> dict[int, tuple[IdentityPin | None, IdentityPin | None]]:
    """By endpoint: the newest confirmed pin, and the newest one after it that waits for the client."""
    found: dict[int, tuple[IdentityPin | None, IdentityPin | None]] = {}
    for start in range(0, len(endpoint_ids), _BATCH):
        rows = IdentityPin.objects.filter(endpoint_id__in=endpoint_ids[start : start + _BATCH], refused_at__isnull=True)
        for pin in rows.order_by("pk"):
            confirmed, _waiting = found.get(pin.endpoint_id, (None, None))
            found[pin.endpoint_id] = (pin, None) if pin.confirmed_at else (confirmed, pin)
    return found


def check(endpoint: Endpoint, identity: Mapping[str, str], *, whole: bool = True) -> Standing:
    """Compare an answer with what is pinned; changes nothing. `whole` is False for an answer that broke off."""
    confirmed, waiting = pins_of([endpoint.pk]).get(endpoint.pk, (None, None))
    now = clean(identity)
    if confirmed is not None:
        return Standing.CHANGED if differs(confirmed.fields, now, whole=whole) else Standing.OK
    if waiting is not None:
        return Standing.CHANGED if differs(waiting.fields, now, whole=whole) else Standing.UNCONFIRMED
    return Standing.FIRST


def pin(endpoint: Endpoint, identity: Mapping[str, str], *, actor: str, now: datetime) -> IdentityPin:
    """Pin who answered, at first contact or beside an older pin when it changed. Says nothing new twice.

    Raises IdentityError when the answer holds nothing that identifies. The client's confirmation is what makes it
    count.
    """
    fields = clean(identity)
    if not fields:
        raise IdentityError(_("应答里没有可以识别设备的内容"), where=str(endpoint))
    with transaction.atomic():
        Endpoint.objects.select_for_update().get(pk=endpoint.pk)  # two collectors may meet it at the same time
        confirmed, waiting = pins_of([endpoint.pk]).get(endpoint.pk, (None, None))
        for known in (waiting, confirmed):
            if known is not None and known.fields == fields:
                return known
        row = IdentityPin.objects.create(
            endpoint=endpoint, fields=fields, weak=is_weak(fields), pinned_at=now, pinned_by=actor
        )
        event = "changed" if confirmed or waiting else "pinned"
        _record(event, row, {"fields": fields, "weak": row.weak}, now, actor)
    return row


def confirm(row: IdentityPin, *, by: Account, now: datetime) -> IdentityPin:
    """The client says: yes, this is our device. From now on answers are compared with this pin.

    Raises IdentityError for an account that may not, the account that pinned it, a pin already decided, or one that
    a newer waiting pin has replaced.
    """
    return _decide(row, by, now, "confirmed")


def refuse(row: IdentityPin, *, by: Account, now: datetime) -> IdentityPin:
    """The client says: no. The pin never counts; the endpoint stays with what was confirmed before, or unpinned."""
    return _decide(row, by, now, "refused")


def _decide(row: IdentityPin, by: Account, now: datetime, verb: str) -> IdentityPin:
    where = f"{row.endpoint.asset.code} {row.endpoint}"
    if by.party != "A" or by.role not in CONFIRMERS:
        hint = _("由甲方项目负责人或分管领导确认")
        raise IdentityError(_("该账号不能确认设备身份"), where=where, hint=hint)
    if row.pinned_by == by.username:
        raise IdentityError(_("登记身份的人不能自己确认"), where=where, hint=_("换甲方另一账号确认"))
    with transaction.atomic():
        Endpoint.objects.select_for_update().get(pk=row.endpoint_id)
        confirmed, waiting = pins_of([row.endpoint_id]).get(row.endpoint_id, (None, None))
        if waiting is None or waiting.pk != row.pk:
            fresh = IdentityPin.objects.get(pk=row.pk)
            decided = fresh.confirmed_at or fresh.refused_at
            why = _("该身份已经处理过") if decided else _("该端点有更新的待确认身份")
            raise IdentityError(why, where=where, hint=_("刷新后处理最新的一条"))
        changed = {f"{verb}_by": by, f"{verb}_at": now}
        for name, value in changed.items():
            setattr(row, name, value)
        row.save(update_fields=list(changed))
        before = confirmed.fields if confirmed else {}
        _record(verb, row, {"fields": row.fields, "weak": row.weak, "before": before}, now, by.username)
    return row


def _record(event: str, row: IdentityPin, data: dict[str, object], now: datetime, actor: str) -> None:
    endpoint = row.endpoint
    facts = {"protocol": endpoint.protocol, "pin": row.pk, **data}
    ledger.record(f"assets.identity.{event}", endpoint.asset.code, facts, at=now, actor=actor)


def waiting() -> QuerySet[IdentityPin]:
    """Pins that wait for the client, the newest of each endpoint, by asset code."""
    open_pins = IdentityPin.objects.filter(
        confirmed_at__isnull=True, refused_at__isnull=True, endpoint__asset__retired_at__isnull=True
    )
    newest = {pin.endpoint_id: pin.pk for pin in open_pins.order_by("pk")}
    rows = IdentityPin.objects.filter(pk__in=newest.values()).select_related("endpoint__asset")
    return rows.order_by("endpoint__asset__code", "endpoint__protocol")


def duplicates(answers: Iterable[tuple[str, str, Mapping[str, str]]]) -> dict[str, list[str]]:
    """Assets that answer as one device: code to the codes of the others. `answers`: asset code, protocol, fields.

    Judged per protocol by the most telling field of an answer, so that a serial tells two devices apart even where
    both carry the factory's certificate. An answer whose most telling field is one that another asset shows as well is
    no device of its own, though the other one, which has a better name, still is.
    """
    holders: dict[tuple[str, str, str], set[str]] = {}
    best: list[tuple[str, tuple[str, str, str]]] = []
    for code, protocol, identity in answers:
        told = clean(identity)
        names = [name for name in TELLING if name in told]
        for name in names:
            if name == names[0] or name not in SHARED:
                holders.setdefault((protocol, name, told[name]), set()).add(code)
        if names:
            best.append((code, (protocol, names[0], told[names[0]])))
    found: dict[str, set[str]] = {}
    for code, key in best:
        if others := holders[key] - {code}:
            found.setdefault(code, set()).update(others)
    return {code: sorted(others) for code, others in sorted(found.items())}


def duplicate_pins() -> dict[str, list[str]]:
    """Assets whose pins, confirmed or waiting, are the same device; retired ones do not count."""
    rows = IdentityPin.objects.filter(refused_at__isnull=True, endpoint__asset__retired_at__isnull=True)
    newest = {pin.endpoint_id: pin for pin in rows.select_related("endpoint__asset").order_by("pk")}
    return duplicates((p.endpoint.asset.code, p.endpoint.protocol, p.fields) for p in newest.values())
