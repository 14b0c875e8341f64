"""The shape of a vendor file, checked at load; every error names file and line.

What each part means is told in docs/recipes/add-a-vendor.md. A *piece* is the part of a file that others can include
by name; `generic.yaml` keeps several (`system`, `if-mib`, `entity`, ...), every vendor file is one under its own name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from yunwei.inspect.vendor.errors import VendorFileError
from yunwei.kernel.i18n import _
from yunwei.kernel.shapes import learn

Text = str | int | float


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a vendor file: an unknown key is an error, never silently ignored."""


class RawJoin(_Strict, frozen=True, kw_only=True):
    """Columns of another table beside a row: `take` new name to column, by `equals` (an expression of this row)."""

    take: dict[str, str]
    of: str
    equals: str = "index"
    where: str = ""  # column of the other table that must equal; empty = its index


class RawTable(_Strict, frozen=True, kw_only=True):
    """One SNMP table. `columns`: name to sub-identifier below `oid`, or to "4 mac" with a type: text hex mac bits date."""

    oid: str
    columns: dict[str, Text]
    join: tuple[RawJoin, ...] = ()
    compute: dict[str, str] = {}  # further columns, each an expression of the row (in this order, after the joins)


class RawSection(_Strict, frozen=True, kw_only=True):
    """One check of the SSH bundle. `kv` key=value lines, `fields` words by position, `pairs` many k=v on a line, `lines`."""

    format: Literal["kv", "fields", "pairs", "lines"]
    fields: tuple[str, ...] = ()  # the last one takes the rest of the line


class RawTests(_Strict, frozen=True, kw_only=True):
    """Conditions for what a number alone does not say."""

    warning: str = ""
    critical: str = ""


class RawSource(_Strict, frozen=True, kw_only=True):
    """Where rows come from: an SNMP table, Redfish resources of a type (and an array in them), a check; none = scalars."""

    table: str = ""
    resource: str = ""
    each: str = ""
    section: str = ""
    when: str = ""
    fill: bool = False  # only what no earlier rule has spoken of (a view of the same parts in another place)


class RawRule(RawSource, frozen=True, kw_only=True):
    """One observation per row."""

    component: str
    kind: str
    name: str
    id: str = ""
    value: str = ""
    unit: str = ""
    state: str = ""
    states: str = ""
    status: str = ""
    raw: str = ""
    rollup: bool = False
    mute: str = ""
    limits: dict[str, Text] = {}  # warn_high crit_high warn_low crit_low: expressions giving the device's own
    tests: RawTests | None = None
    source: str = ""


class RawPart(RawSource, frozen=True, kw_only=True):
    """One part of the inventory per row."""

    component: str
    kind: str
    id: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    size: str = ""
    present: str = ""


class RawPick(RawSource, frozen=True, kw_only=True):
    """One value out of rows: of the first row that fits, with `sum` of all together, with `rows` of each."""

    value: str
    sum: bool = False
    rows: bool = False  # moving, tables only: kept for every row; next time the row has it as `before.<name>`


class RawDefault(_Strict, frozen=True, kw_only=True):
    """A default limit of this file, for readings without a limit of the device's own. The first that fits counts."""

    kind: str
    component: str = ""  # pattern with * and ?
    name: str = ""  # regular expression, case does not matter
    warn_high: float | None = None
    crit_high: float | None = None
    warn_low: float | None = None
    crit_low: float | None = None
    basis: str = ""


class RawTrap(_Strict, frozen=True, kw_only=True):
    """A notification the family sends, for the receiver: its OID, what it says, and the state it stands for."""

    oid: str
    name: str
    state: str = "warning"


class RawPiece(_Strict, frozen=True, kw_only=True):
    """What can be included."""

    include: tuple[str, ...] = ()
    without: tuple[str, ...] = ()  # ids of included rules and parts that do not fit this family
    vars: dict[str, Text] = {}
    scalars: dict[str, Text] = {}
    tables: dict[str, RawTable] = {}
    sections: dict[str, RawSection] = {}
    states: dict[str, dict[Text | bool, str]] = {}
    maps: dict[str, dict[Text | bool, Any]] = {}
    observe: tuple[RawRule, ...] = ()
    parts: tuple[RawPart, ...] = ()
    identity: dict[str, str | RawPick | tuple[RawPick, ...]] = {}  # of several the first that says something
    moving: dict[str, str | RawPick | tuple[RawPick, ...]] = {}
    judge: tuple[RawDefault, ...] = ()
    traps: tuple[RawTrap, ...] = ()
    extras: tuple[str, ...] = ()  # further Redfish resources, {system} {chassis} {manager} stand for each URI


class RawSnmpMatch(_Strict, frozen=True, kw_only=True):
    """A device matches when its sysObjectID is `object_id` or below it, and its sysDescr fits."""

    object_id: str = ""
    descr: str = ""


class RawRedfishMatch(_Strict, frozen=True, kw_only=True):
    """A BMC matches when every pattern given fits (case does not matter)."""

    manufacturer: str = ""
    model: str = ""
    vendor: str = ""


class RawMatch(_Strict, frozen=True, kw_only=True):
    snmp: tuple[RawSnmpMatch, ...] = ()
    redfish: tuple[RawRedfishMatch, ...] = ()
    ssh: bool = False


class Quirks(_Strict, frozen=True, kw_only=True):
    """How a family wants to be asked. `budget_s` 0 = the job's own."""

    bulk: bool = True
    max_repetitions: int = 25
    columns_per_request: int = 8
    expand: bool = True
    sessions: int = 2
    parallel: int = 2
    budget_s: float = 0.0


class RawFile(RawPiece, frozen=True, kw_only=True):
    """One vendor file."""

    name: str
    title: str
    proof: Literal["synthetic", "capture", "device"]
    kinds: tuple[str, ...] = ()
    match: RawMatch = RawMatch()
    quirks: Quirks = Quirks()
    pieces: dict[str, RawPiece] = {}


Lines = dict[tuple[str | int, ...], int]


def read(path: Path) -> tuple[RawFile, Lines]:
    """Read and check one file; returns it with the line of every key. Raises VendorFileError."""
    try:
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        node = loader.get_single_node()
        lines: Lines = {}
        data = _plain(node, (), lines, loader, path) if node is not None else {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise VendorFileError(_("不是可读的 YAML"), where=f"{path}{line}", hint=str(error).split("\n")[0]) from None
    try:
        return msgspec.convert(data, RawFile), lines
    except msgspec.ValidationError as error:
        message, _sep, place = str(error).partition(" - at `")
        steps = _steps(place.rstrip("`"))
        unknown = re.search(r"unknown field `(\w+)`", message)
        where = f"{path}:{line_of(lines, (*steps, unknown.group(1)) if unknown else steps)}"
        raise VendorFileError(_("厂商文件不合格式：{error}").format(error=message), where=where) from None


def _plain(node: yaml.Node, at: tuple[str | int, ...], lines: Lines, loader: Any, path: Path) -> Any:
    """A YAML node as plain data, noting lines; a key written twice is an error (YAML would keep the last)."""
    lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        out: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node, loader)
            if key in out:
                raise VendorFileError(
                    _("键写了两次：{key}").format(key=key), where=f"{path}:{key_node.start_mark.line + 1}"
                )
            out[key] = _plain(value_node, (*at, key), lines, loader, path)
            lines[(*at, key)] = key_node.start_mark.line + 1
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*at, i), lines, loader, path) for i, item in enumerate(node.value)]
    return _scalar(node, loader)


def _scalar(node: yaml.Node, loader: Any) -> Any:
    """A scalar by YAML 1.2: "on", "off", "yes" and "no" are words that devices say, not truth values."""
    if node.tag == "tag:yaml.org,2002:bool" and str(node.value).lower() not in ("true", "false"):
        return node.value
    return loader.construct_object(node, deep=True)


def _steps(place: str) -> tuple[str | int, ...]:
    """The path of msgspec's message ("$.observe[3].kind") as steps; "[...]" (any key of a map) ends it."""
    steps: list[str | int] = []
    for name, number in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", place):
        if number == "...":
            break
        steps.append(name or int(number))
    return tuple(steps)


def line_of(lines: Lines, steps: tuple[str | int, ...]) -> int:
    """The line of a path, or of the nearest part above it that has one."""
    while steps and steps not in lines:
        steps = steps[:-1]
    return lines.get(steps, 1)


learn(RawFile)
