"""Import and export of the inventory as one table: zones, places, departments, systems, assets, endpoints.

One row is one endpoint of one asset; an asset with two endpoints has two rows, the second may leave its other cells
empty. A row without an asset code registers a zone, place, department or system alone. An import is all or nothing:
first every row is checked and every bad one named (row, column, why, what to do), then, when all are good or the user
said to skip the bad ones, everything changes in one transaction with one ledger record. Reading the same table again
changes nothing. In the columns a table has, an empty cell empties the field; columns it does not have stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Organisation, PartyOf
from yunwei.assets import sheets
from yunwei.assets.columns import (
    ASSET,
    COLUMNS,
    DETAILS,
    ENDPOINT,
    KIND_TITLES,
    PORTS,
    REFERENCES,
    TITLES,
    Entry,
    Problem,
    entry,
    heading,
)
from yunwei.assets.credentials import PROTOCOL_OF
from yunwei.assets.errors import TableError
from yunwei.assets.models import Asset, Credential, Endpoint, Place, System, Zone
from yunwei.ledger import services as ledger

_BATCH = 500
_NAMED = 200  # codes that a ledger record names; the table itself is its artifact
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Report(msgspec.Struct, frozen=True):
    """What an import did, or with `applied` False would do. Counts are per kind of thing."""

    rows: int
    applied: bool
    created: dict[str, int]
    updated: dict[str, int]
    retired: list[str]
    restored: list[str]
    skipped: list[str]  # codes left out because a row of theirs is bad (or "行 N")
    problems: list[Problem]


@dataclass(slots=True)
class Stock:
    """What the database holds, by code; grows with what the import makes."""

    zone: dict[str, Zone] = field(default_factory=lambda: {z.code: z for z in Zone.objects.all()})
    place: dict[str, Place] = field(default_factory=lambda: {p.code: p for p in Place.objects.all()})
    owner: dict[str, Organisation] = field(default_factory=lambda: {o.code: o for o in Organisation.objects.all()})
    system: dict[str, System] = field(
        default_factory=lambda: {s.code: s for s in System.objects.select_related("owner")}
    )
    asset: dict[str, Asset] = field(default_factory=lambda: {a.code: a for a in Asset.objects.all()})
    endpoint: dict[tuple[str, str], Endpoint] = field(
        default_factory=lambda: {(e.asset.code, e.protocol): e for e in Endpoint.objects.select_related("asset")}
    )
    credential: dict[str, Credential] = field(default_factory=lambda: {c.name: c for c in Credential.objects.all()})


@dataclass(slots=True)
class Tally:
    """What changed, for the report and the ledger."""

    created: dict[str, list[str]] = field(default_factory=dict)
    updated: dict[str, list[str]] = field(default_factory=dict)
    retired: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""


def count_anew() -> None:
    """Let PostgreSQL know how many rows there are now. A dry run leaves as many dead ones, which it may have counted as none
    meanwhile: lists would then take minutes until it looks again by itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE assets_asset, assets_endpoint")


def import_table(
    content: bytes,
    name: str,
    *,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    skip_bad: bool = False,
    retire_missing: bool = False,
    tell: Callable[[int, int], None] = _silent,
) -> Report:
    """Read a CSV or XLSX into the inventory. Raises TableError for a file that is no table at all.

    Nothing changes in a dry run, or while a row is bad and `skip_bad` is not said; then an asset with a bad row is
    left out whole. With `retire_missing` assets that no row names are retired (out of the inventory; the service plan
    counts them until the client approves a version without them). `tell` hears how many of how many steps are done:
    one a row read, as many again for the writing.
    """
    rows = sheets.read(content, name)
    columns, problems = heading(rows[0])
    if problems:
        return Report(len(rows) - 1, False, {}, {}, [], [], [], problems)
    entries, total = [], 2 * (len(rows) - 1)
    for row in rows[1:]:
        entries.append(entry(row, columns))
        tell(len(entries), total)
    try:
        with transaction.atomic():
            stock = Stock()
            bad = cross_check(entries, stock)
            tally = _Apply(stock, set(columns.values())).run([e for e in entries if _key(e) not in bad])
            if retire_missing:
                _retire(stock, {e.values["code"] for e in entries}, now, tally)
            applied = not dry_run and (not bad or skip_bad)
            if applied:
                _record(content, name, tally, sorted(bad), actor, now)
                count_anew()
            else:
                transaction.set_rollback(True)
        tell(total, total)
    except IntegrityError as e:
        text = _("资产同时被别人改动，什么都没有导入")
        raise TableError(text, where=name, hint=_("重新导入一次")) from e
    return Report(
        rows=len(entries),
        applied=applied,
        created={k: len(v) for k, v in tally.created.items()},
        updated={k: len(v) for k, v in tally.updated.items()},
        retired=tally.retired,
        restored=tally.restored,
        skipped=sorted(bad),
        problems=sorted((p for e in entries for p in e.problems), key=lambda p: p.row),
    )


def _key(e: Entry) -> str:
    return e.values["code"] or _("第 {n} 行").format(n=e.row)


def cross_check(entries: Sequence[Entry], stock: Stock) -> set[str]:
    """Check rows against each other and against what is there; gives the keys of what has a bad row."""
    said: dict[tuple[str, str, str], tuple[str, int]] = {}
    seen: set[str] = set()
    folded = {code.lower(): code for code in stock.asset}
    endpoints: dict[tuple[str, str], int] = {}
    moved = {(e.values["code"], e.values["protocol"]) for e in entries}
    addresses: dict[tuple[str, str, str], str] = {
        (e.protocol, e.address, str(e.port)): code
        for (code, protocol), e in stock.endpoint.items()
        if e.asset.retired_at is None and e.address and (code, protocol) not in moved
    }
    for e in entries:
        code = e.values["code"]
        _agrees(e, said)
        if code and code not in seen:
            seen.add(code)
            _first(e, folded)
        _serves(e, stock)
        _endpoint_once(e, endpoints, addresses)
    return _without_owner(entries, stock)


def _without_owner(entries: Sequence[Entry], stock: Stock) -> set[str]:
    """A new system needs a department, said by a row that is itself good: leaving one out may make another bad."""
    while True:
        bad = {_key(e) for e in entries if e.problems}
        good = [e for e in entries if e.values.get("system") and _key(e) not in bad]
        owned = {e.values["system"] for e in good if e.values.get("system_owner") or e.values.get("owner")}
        orphans = [e for e in good if e.values["system"] not in owned | stock.system.keys()]
        if not orphans:
            return bad
        for e in orphans:
            e.bad("system_owner", _("新的信息系统没有所属部门"), _("填系统部门编号或部门编号"))


def _agrees(e: Entry, said: dict[tuple[str, str, str], tuple[str, int]]) -> None:
    """Two rows may not say different things of the same zone, place, department, system or asset."""
    v = e.values
    facts = [(name, v[name], detail) for name, details in DETAILS.items() if v.get(name) for detail in details]
    facts += [("code", v["code"], name) for name in ASSET if v["code"]]
    for kind, code, detail in facts:
        value = v.get(detail, "")
        if not value:
            continue
        before = said.setdefault((kind, code, detail), (value, e.row))
        if before[0] != value:
            text = _("与第 {n} 行的“{value}”不一致").format(n=before[1], value=before[0][:40])
            e.bad(detail, text, _("两行改成一样，或只在一行填写"))


def _first(e: Entry, folded: dict[str, str]) -> None:
    """The first row of an asset says what it is."""
    for name in ("name", "kind", "zone"):
        if not e.values.get(name) and TITLES[name] not in {p.column for p in e.problems}:
            e.bad(name, _("资产的第一行必须填写"), _("补上"))
    other = folded.setdefault(e.values["code"].lower(), e.values["code"])
    if other != e.values["code"]:
        e.bad("code", _("与资产“{code}”只差大小写").format(code=other), _("用同一个写法"))


def _serves(e: Entry, stock: Stock) -> None:
    v = e.values
    name = v.get("credential", "")
    if name and v["protocol"] in PORTS:
        found = stock.credential.get(name)
        if found is None:
            e.bad("credential", _("没有这个凭据"), _("先用 yunwei asset credential add 登记"))
        elif PROTOCOL_OF.get(found.kind) != v["protocol"]:
            e.bad("credential", _("凭据是 {kind}，与协议不符").format(kind=found.kind), _("换一个凭据或协议"))


def _endpoint_once(e: Entry, endpoints: dict[tuple[str, str], int], addresses: dict[tuple[str, str, str], str]) -> None:
    v = e.values
    if not v["protocol"] or not v["code"]:
        return
    before = endpoints.setdefault((v["code"], v["protocol"]), e.row)
    if before != e.row:
        e.bad("protocol", _("该资产的这个协议已在第 {n} 行").format(n=before), _("删去重复的一行"))
    if v.get("address"):
        key = (v["protocol"], v["address"], v.get("port", ""))
        other = addresses.setdefault(key, v["code"])
        if other != v["code"]:
            e.bad("address", _("地址已属于资产“{code}”").format(code=other), _("一个地址只能属于一个资产"))


class _Apply:
    """Writes checked rows: first what others refer to, then assets, then endpoints, each kind in a few statements."""

    def __init__(self, stock: Stock, columns: set[str]) -> None:
        self.stock = stock
        self.columns = columns
        self.tally = Tally()

    def run(self, entries: Sequence[Entry]) -> Tally:
        """Apply all and give what changed."""
        self._named("zone", Zone, entries, {"name": "zone_name"})
        self._named("place", Place, entries, {"name": "place_name", "address": "place_address"})
        self._owners(entries)
        self._systems(entries)
        self._assets(entries)
        self._endpoints(entries)
        return self.tally

    def _save(
        self, kind: str, model: Any, new: Mapping[str, Any], changed: Mapping[str, Any], fields: list[str]
    ) -> None:
        manager = model.objects
        manager.bulk_create(new.values(), batch_size=_BATCH)
        if changed and fields:
            manager.bulk_update(changed.values(), fields, batch_size=_BATCH)
        for tally, rows in ((self.tally.created, new), (self.tally.updated, changed)):
            if rows:
                tally[kind] = sorted(rows)

    def _named(self, kind: str, model: Any, entries: Sequence[Entry], fields: Mapping[str, str], **fixed: Any) -> None:
        """Zones, places, departments: made when first named, renamed when a row says so."""
        known: dict[str, Any] = getattr(self.stock, kind)
        new: dict[str, Any] = {}
        changed: dict[str, Any] = {}
        for e in entries:
            code = e.values.get(kind, "")
            if not code:
                continue
            row = known.get(code)
            if row is None:
                row = known[code] = new[code] = model(code=code, name=code, **fixed)
            if self._set(row, {f: e.values[c] for f, c in fields.items() if e.values.get(c)}) and code not in new:
                changed[code] = row
        self._save(kind, model, new, changed, list(fields))

    def _owners(self, entries: Sequence[Entry]) -> None:
        self._named("owner", Organisation, entries, {"name": "owner_name"}, party=PartyOf.TENANT)
        only_named = [Entry(e.row, {"owner": e.values.get("system_owner", "")}) for e in entries]
        self._named("owner", Organisation, only_named, {}, party=PartyOf.TENANT)

    def _systems(self, entries: Sequence[Entry]) -> None:
        new: dict[str, Any] = {}
        changed: dict[str, Any] = {}
        owner_of: dict[str, str] = {}
        for e in entries:  # the column that says it outranks the department of an asset that runs on it
            if e.values.get("system_owner"):
                owner_of[e.values["system"]] = e.values["system_owner"]
        for e in entries:
            code = e.values.get("system", "")
            if not code:
                continue
            fields = {"name": e.values.get("system_name"), "mlps_level": e.values.get("mlps_level")}
            values: dict[str, Any] = {k: v for k, v in fields.items() if v}
            row = self.stock.system.get(code)
            if row is None:
                owner = self.stock.owner[owner_of.get(code) or self._any_owner(code, entries)]
                row = self.stock.system[code] = new[code] = System(code=code, name=code, owner=owner)
            elif code in owner_of:
                values["owner_id"] = self.stock.owner[owner_of[code]].pk
            if self._set(row, values) and code not in new:
                changed[code] = row
        self._save("system", System, new, changed, ["name", "mlps_level", "owner"])

    @staticmethod
    def _any_owner(code: str, entries: Sequence[Entry]) -> str:
        return next(e.values["owner"] for e in entries if e.values.get("system") == code and e.values.get("owner"))

    @staticmethod
    def _set(row: Any, values: Mapping[str, Any]) -> bool:
        """Set what differs; whether anything did. Numbers of the table are compared as the text they are."""
        differs = False
        for name, value in values.items():
            before = getattr(row, name)
            if before != value and str("" if before is None else before) != str(value):
                setattr(row, name, int(value) if name in {"mlps_level", "port"} else value)
                differs = True
        return differs

    def _assets(self, entries: Sequence[Entry]) -> None:
        new: dict[str, Any] = {}
        changed: dict[str, Any] = {}
        for code, values in self._merged(entries).items():
            row = self.stock.asset.get(code)
            if row is None:
                row = self.stock.asset[code] = new[code] = Asset(code=code)
            differs = self._set(row, values)
            if row.retired_at is not None:
                row.retired_at, differs = None, True
                self.tally.restored.append(code)
            if differs and code not in new:
                changed[code] = row
        fields = [f"{f}_id" if f in REFERENCES else f for f in ASSET]
        self._save("asset", Asset, new, changed, [*(f.removesuffix("_id") for f in fields), "retired_at"])

    def _merged(self, entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
        """One set of values per asset: every row may fill a cell, none contradicts another (checked before)."""
        merged: dict[str, dict[str, Any]] = {}
        for e in entries:
            code = e.values["code"]
            if not code:
                continue
            values = merged.setdefault(code, {})
            for name in ASSET:
                if name not in self.columns:
                    continue
                text = e.values.get(name, "")
                key, value = self._value(name, text)
                if text or key not in values:
                    values[key] = value
        return merged

    def _value(self, name: str, text: str) -> tuple[str, Any]:
        if name == "tags":
            return name, text.split()
        if name in REFERENCES:
            return f"{name}_id", getattr(self.stock, name)[text].pk if text else None
        return name, text

    def _endpoints(self, entries: Sequence[Entry]) -> None:
        new: dict[str, Any] = {}
        changed: dict[str, Any] = {}
        for e in entries:
            code, protocol = e.values["code"], e.values["protocol"]
            if not code or not protocol:
                continue
            values: dict[str, Any] = {
                n: e.values.get(n, "") for n in ENDPOINT if n in self.columns and n != "credential"
            }
            values["port"] = e.values.get("port") or str(PORTS[protocol])
            if "credential" in self.columns:
                found = self.stock.credential.get(e.values.get("credential", ""))
                values["credential_id"] = found.pk if found else None
            row = self.stock.endpoint.get((code, protocol))
            label = f"{code} {protocol}"
            if row is None:
                row = Endpoint(asset=self.stock.asset[code], protocol=protocol)
                self.stock.endpoint[code, protocol] = new[label] = row
            if self._set(row, values) and label not in new:
                changed[label] = row
        self._save("endpoint", Endpoint, new, changed, list(ENDPOINT))


def _retire(stock: Stock, named: set[str], now: datetime, tally: Tally) -> None:
    gone = [a for code, a in sorted(stock.asset.items()) if code not in named and a.retired_at is None]
    for asset in gone:
        asset.retired_at = now
    Asset.objects.bulk_update(gone, ["retired_at"], batch_size=_BATCH)
    tally.retired = [asset.code for asset in gone]


def _record(content: bytes, name: str, tally: Tally, skipped: Sequence[str], actor: str, now: datetime) -> None:
    kind = XLSX if content[:2] == b"PK" else "text/csv"
    data: dict[str, Any] = {"file": name[:120], "retired": _shown(tally.retired), "restored": _shown(tally.restored)}
    data |= {"skipped": _shown(skipped)}
    for verb, changes in (("created", tally.created), ("updated", tally.updated)):
        data[verb] = {what: _shown(codes) for what, codes in sorted(changes.items())}
    ledger.record("assets.import", "assets", data, at=now, actor=actor, artifacts=[ledger.store(content, kind)])


def _shown(codes: Sequence[str]) -> dict[str, Any]:
    return {"count": len(codes), "first": list(codes[:_NAMED])}


def rows_of_inventory(*, retired: bool = False) -> Iterable[list[str]]:
    """The inventory as table rows, heading first; reading them in again changes nothing. Holds no secret."""
    yield list(TITLES.values())
    assets = Asset.objects.select_related("zone", "place", "owner", "system__owner").prefetch_related(
        "endpoints__credential"
    )
    used: dict[str, set[int]] = {name: set() for name in REFERENCES}
    for asset in assets if retired else assets.filter(retired_at__isnull=True):
        base = _asset_values(asset)
        for name in REFERENCES:
            used[name].add(getattr(asset, f"{name}_id") or 0)
        endpoints = sorted(asset.endpoints.all(), key=lambda e: e.protocol)
        for endpoint in endpoints:
            yield _cells(base | _endpoint_values(endpoint))
        if not endpoints:
            yield _cells(base)
    for zone in Zone.objects.exclude(pk__in=used["zone"]).order_by("code"):
        yield _cells({"zone": zone.code, "zone_name": zone.name})
    for place in Place.objects.exclude(pk__in=used["place"]).order_by("code"):
        yield _cells({"place": place.code, "place_name": place.name, "place_address": place.address})
    for system in System.objects.exclude(pk__in=used["system"]).select_related("owner").order_by("code"):
        yield _cells(_system_values(system))
    for owner in Organisation.objects.filter(party=PartyOf.TENANT).exclude(pk__in=used["owner"]).order_by("code"):
        yield _cells({"owner": owner.code, "owner_name": owner.name})


def _asset_values(asset: Asset) -> dict[str, str]:
    values = {
        "code": asset.code, "name": asset.name, "kind": KIND_TITLES[asset.kind], "category": asset.category,
        "zone": asset.zone.code, "zone_name": asset.zone.name, "vendor": asset.vendor, "model": asset.model,
        "serial": asset.serial, "position": asset.position, "tags": " ".join(asset.tags),
    }  # fmt: skip
    if asset.place is not None:
        values |= {"place": asset.place.code, "place_name": asset.place.name, "place_address": asset.place.address}
    if asset.owner is not None:
        values |= {"owner": asset.owner.code, "owner_name": asset.owner.name}
    if asset.system is not None:
        values |= _system_values(asset.system)
    return values


def _system_values(system: System) -> dict[str, str]:
    return {
        "system": system.code, "system_name": system.name, "system_owner": system.owner.code,
        "mlps_level": str(system.mlps_level or ""),
    }  # fmt: skip


def _endpoint_values(endpoint: Endpoint) -> dict[str, str]:
    return {
        "protocol": endpoint.protocol, "address": endpoint.address, "port": str(endpoint.port),
        "credential": endpoint.credential.name if endpoint.credential else "",
        "vendor_file": endpoint.vendor_file, "profile": endpoint.profile,
    }  # fmt: skip


def _cells(values: Mapping[str, str]) -> list[str]:
    return [values.get(column.name, "") for column in COLUMNS]


def export_csv(*, retired: bool = False) -> bytes:
    """The inventory as CSV, in UTF-8 with a mark."""
    return sheets.write_csv(rows_of_inventory(retired=retired))


def export_xlsx(*, retired: bool = False) -> bytes:
    """The inventory as a workbook."""
    return sheets.write_xlsx(rows_of_inventory(retired=retired), _("资产"))
