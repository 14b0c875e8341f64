"""A recorded sample replayed through a vendor file, as a collector would have brought it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from yunwei.inspect.observation import Target
from yunwei.inspect.vendor.catalogue import Catalogue, shipped
from yunwei.inspect.vendor.compiled import VendorFile
from yunwei.inspect.vendor.errors import VendorFileError
from yunwei.inspect.vendor.reading import CheckOutput, Reading, SnmpValue
from yunwei.inspect.vendor.redfish import apply_redfish, type_of
from yunwei.inspect.vendor.sample import parse_snmprec, read_tree, select
from yunwei.inspect.vendor.snmp import apply_snmp, decode
from yunwei.inspect.vendor.ssh import apply_ssh
from yunwei.kernel.i18n import _

SYS_DESCR, SYS_OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"


class Replay(NamedTuple):
    """What a sample gave, and by which file and protocol."""

    vendor: VendorFile
    protocol: str
    reading: Reading


def replay(
    path: Path, *, vendor: str = "", asset: str = "sample", terms: Mapping[str, Any] | None = None,
    catalogue: Catalogue | None = None,
) -> Replay:  # fmt: skip
    """Replay `*.snmprec`, `*.tree.json` or `*.checks.json` ({check: {rc, stdout}}). Raises VendorFileError."""
    if path.name.endswith(".snmprec"):
        return of_snmp(read_snmprec(path), vendor, asset, terms, catalogue)
    if path.name.endswith(".tree.json"):
        return of_redfish(read_tree(path), vendor, asset, terms, catalogue)
    if path.name.endswith(".checks.json"):
        try:
            sections = msgspec.json.decode(path.read_bytes(), type=dict[str, CheckOutput])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise VendorFileError(_("不是检查结果：{error}").format(error=error), where=str(path)) from None
        known = catalogue or shipped()
        file = known.get(vendor) if vendor else known.for_ssh()
        return Replay(file, "ssh", apply_ssh(file, sections, Target(asset, "ssh"), dict(terms or {})))
    raise VendorFileError(_("不认识的样本"), where=str(path), hint=_("*.snmprec、*.tree.json 或 *.checks.json"))


def read_snmprec(path: Path) -> dict[str, SnmpValue]:
    """The varbinds of a recording on disk; text that is not UTF-8 is kept byte for byte."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        return parse_snmprec(lines, str(path))


def of_snmp(
    values: dict[str, SnmpValue], vendor: str = "", asset: str = "sample",
    terms: Mapping[str, Any] | None = None, catalogue: Catalogue | None = None,
) -> Replay:  # fmt: skip
    """Replay varbinds: matched, cut to what the file asks for, judged."""
    known = catalogue or shipped()
    told = [decode(values[oid]) if oid in values else "" for oid in (SYS_OBJECT_ID, SYS_DESCR)]
    file = known.get(vendor) if vendor else known.match_snmp(str(told[0]), str(told[1]))
    return Replay(file, "snmp", apply_snmp(file, select(values, file), Target(asset, "snmp"), dict(terms or {})))


def of_redfish(
    tree: Mapping[str, Mapping[str, Any]], vendor: str = "", asset: str = "sample",
    terms: Mapping[str, Any] | None = None, catalogue: Catalogue | None = None,
) -> Replay:  # fmt: skip
    """Replay a tree: every resource of it, as a deep sweep would read it."""
    known = catalogue or shipped()
    root = tree.get("/redfish/v1") or tree.get("/redfish/v1/") or {}
    systems, managers = ([b for b in tree.values() if type_of(b) == t] for t in ("ComputerSystem", "Manager"))
    file = known.get(vendor) if vendor else known.match_redfish(root, systems, managers)
    return Replay(file, "redfish", apply_redfish(file, tree, Target(asset, "redfish"), dict(terms or {})))


def expected_text(reading: Reading) -> str:
    """What `<sample>.expected.json` holds: observations (without the asset), parts, identity, as sorted JSON."""
    observations = [
        {k: v for k, v in msgspec.to_builtins(o).items() if k != "asset"} | {"state": str(o.state)}
        for o in reading.observations
    ]
    whole = {
        "observations": observations,
        "parts": msgspec.to_builtins(reading.parts),
        "identity": reading.identity,
        "moving": sorted(reading.moving),
    }
    return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
