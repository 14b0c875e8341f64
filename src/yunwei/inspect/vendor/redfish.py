"""Redfish trees to a Reading.

Rows are resources of one type ("Thermal" is any `#Thermal.…` in `@odata.type`), or the entries of an array in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yunwei.inspect.observation import Target
from yunwei.inspect.vendor.compiled import From, VendorFile
from yunwei.inspect.vendor.expr import dig
from yunwei.inspect.vendor.observe import Observer, settle_rollups
from yunwei.inspect.vendor.reading import Reading

_Rows = list[tuple[dict[str, Any], str]]


def apply_redfish(
    vendor: VendorFile, tree: Mapping[str, Mapping[str, Any]], target: Target, terms: dict[str, Any]
) -> Reading:
    """Judge the resources that were read (URI to body) by the vendor file and the plan's terms."""
    observer = Observer(vendor, target, terms)
    by_type = _by_type(tree)
    made: dict[tuple[str, tuple[str, ...]], _Rows] = {}

    def rows(at: From) -> _Rows:
        if not at.resource:
            return []
        where = (at.resource, at.each)
        if where not in made:
            made[where] = _rows(by_type.get(at.resource, []), at.each)
        return made[where]

    for rule in vendor.rules:
        if found := rows(rule.rows):
            observer.run(rule, found, "")
    for part in vendor.parts:
        observer.add_parts(part, rows(part.rows), "")
    reading = observer.reading
    observer.pick(((p, rows(p.rows)) for p in vendor.identity), reading.identity)
    observer.pick(((p, rows(p.rows)) for p in vendor.moving), reading.moving)
    settle_rollups(observer)
    return reading


def type_of(body: Mapping[str, Any]) -> str:
    """ "Thermal" of "#Thermal.v1_7_1.Thermal"; "" for what carries no type."""
    told = body.get("@odata.type")
    return told.lstrip("#").partition(".")[0] if isinstance(told, str) else ""


def _by_type(tree: Mapping[str, Mapping[str, Any]]) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
    out: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for uri in sorted(tree):
        body = tree[uri]
        if isinstance(body, Mapping):
            out.setdefault(type_of(body), []).append((uri, body))
    return out


def _rows(resources: list[tuple[str, Mapping[str, Any]]], each: tuple[str, ...]) -> _Rows:
    if not each:
        return [({**body, "uri": uri, "index": uri.rpartition("/")[2]}, uri) for uri, body in resources]
    out: _Rows = []
    pointer = "/".join(each)
    for uri, body in resources:
        items = dig(body, *each)
        for i, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, Mapping):
                out.append(({**item, "parent": body, "uri": uri, "index": str(i)}, f"{uri}#/{pointer}/{i}"))
    return out
