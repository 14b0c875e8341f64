"""From checked YAML to a compiled VendorFile: pieces included, variables set, names checked, expressions compiled."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yunwei.inspect.observation import State
from yunwei.inspect.vendor.compiled import (
    KINDS,
    LIMIT_NAMES,
    Column,
    Default,
    From,
    Join,
    PartRule,
    Pick,
    Rule,
    StateTable,
    TablePlan,
    VendorFile,
)
from yunwei.inspect.vendor.errors import VendorFileError
from yunwei.inspect.vendor.expr import Expr, compile_expr, compile_template
from yunwei.inspect.vendor.schema import (
    Lines,
    RawDefault,
    RawFile,
    RawPart,
    RawPick,
    RawPiece,
    RawRule,
    RawSource,
    RawTable,
    RawTrap,
    line_of,
)
from yunwei.kernel.i18n import _

_READS = frozenset({"", "text", "hex", "mac", "bits", "date"})
_STATES = frozenset(s.value for s in State)
_OID = re.compile(r"^\d+(\.\d+)+$")
PART_FIELDS = ("model", "serial", "firmware", "size")


@dataclass(frozen=True)
class Home:
    """A piece with the file it stands in, for errors."""

    piece: RawPiece
    path: Path
    lines: Lines
    steps: tuple[str | int, ...]

    def error(self, message: str, *steps: str | int) -> VendorFileError:
        return VendorFileError(message, where=f"{self.path}:{line_of(self.lines, (*self.steps, *steps))}")


@dataclass
class Merged:
    """A file with everything it includes, its own part last (and winning)."""

    scalars: dict[str, tuple[str, Home]] = field(default_factory=dict)
    tables: dict[str, tuple[RawTable, Home]] = field(default_factory=dict)
    sections: dict[str, Any] = field(default_factory=dict)
    states: dict[str, tuple[Mapping[Any, str], Home]] = field(default_factory=dict)
    maps: dict[str, Mapping[Any, Any]] = field(default_factory=dict)
    rules: list[tuple[RawRule, Home, int]] = field(default_factory=list)
    parts: list[tuple[RawPart, Home, int]] = field(default_factory=list)
    identity: dict[str, list[tuple[RawPick, Home]]] = field(default_factory=dict)
    moving: dict[str, list[tuple[RawPick, Home]]] = field(default_factory=dict)
    defaults: list[RawDefault] = field(default_factory=list)
    traps: dict[str, RawTrap] = field(default_factory=dict)
    extras: dict[str, None] = field(default_factory=dict)
    vars: dict[str, str] = field(default_factory=dict)


def merge(home: Home, pieces: Mapping[str, Home], seen: tuple[str, ...] = ()) -> Merged:
    """Put a piece together with what it includes. Of two with one name the later (the including file) wins."""
    out = Merged()
    piece = home.piece
    for i, name in enumerate(piece.include):
        if name in seen or name not in pieces:
            word = _("包含自己：{name}") if name in seen else _("没有名为 {name} 的部分")
            raise home.error(word.format(name=name), "include", i)
        _add(out, merge(pieces[name], pieces, (*seen, name)))
    known = {r.id for r, _h, _i in out.rules} | {p.id for p, _h, _i in out.parts}
    for i, name in enumerate(piece.without):
        if name not in known:
            raise home.error(_("没有可去掉的规则 {name}").format(name=name), "without", i)
    out.rules = [r for r in out.rules if not r[0].id or r[0].id not in piece.without]
    out.parts = [p for p in out.parts if not p[0].id or p[0].id not in piece.without]
    own = Merged(
        scalars={k: (str(v), home) for k, v in piece.scalars.items()},
        tables={k: (v, home) for k, v in piece.tables.items()},
        sections=dict(piece.sections),
        states={k: (v, home) for k, v in piece.states.items()},
        maps=dict(piece.maps),
        rules=[(r, home, i) for i, r in enumerate(piece.observe)],
        parts=[(p, home, i) for i, p in enumerate(piece.parts)],
        identity={k: _candidates(v, home) for k, v in piece.identity.items()},
        moving={k: _candidates(v, home) for k, v in piece.moving.items()},
        traps={t.oid: t for t in piece.traps},
        extras=dict.fromkeys(piece.extras),
        vars={k: str(v) for k, v in piece.vars.items()},
    )
    _add(out, own)
    out.defaults = [*piece.judge, *out.defaults]
    return out


def _add(out: Merged, more: Merged) -> None:
    ids = {r.id for r, _h, _i in more.rules if r.id}
    out.rules = [r for r in out.rules if r[0].id not in ids] + more.rules
    part_ids = {p.id for p, _h, _i in more.parts if p.id}
    out.parts = [p for p in out.parts if p[0].id not in part_ids] + more.parts
    out.defaults = [*more.defaults, *out.defaults]
    for name in ("scalars", "tables", "sections", "states", "maps", "traps", "extras", "vars"):
        getattr(out, name).update(getattr(more, name))
    for name in ("identity", "moving"):  # candidates add up, the including file's come first
        mine = getattr(out, name)
        for key_, candidates in getattr(more, name).items():
            mine[key_] = candidates + mine.get(key_, [])


def _candidates(raw: str | RawPick | tuple[RawPick, ...], home: Home) -> list[tuple[RawPick, Home]]:
    many = raw if isinstance(raw, tuple) else (raw,)
    return [(RawPick(value=one) if isinstance(one, str) else one, home) for one in many]


class Builder:
    """Compiles one merged file."""

    def __init__(self, file: RawFile, home: Home, merged: Merged) -> None:
        self.file, self.home, self.merged = file, home, merged
        self.functions: dict[str, Callable[..., Any]] = {"lookup": self._lookup}
        self.maps = {name: {_key(k): v for k, v in table.items()} for name, table in merged.maps.items()}
        self.states = {name: self._states(name, table, at) for name, (table, at) in merged.states.items()}
        self.scalars = {
            n: self._column(n, self._oid(oid, at, "scalars", n), at) for n, (oid, at) in merged.scalars.items()
        }
        self.tables = {n: self._table(n, raw, at) for n, (raw, at) in merged.tables.items()}
        self.used: set[str] = set()
        self.used_tables: dict[str, None] = {}

    def _lookup(self, name: str, key: Any, default: Any = None) -> Any:
        return self.maps[name].get(_key(key), default)

    def _states(self, name: str, table: Mapping[Any, str], at: Home) -> StateTable:
        out: dict[Any, tuple[State, str]] = {}
        for key, text in table.items():
            word, _sep, own = text.partition(" ")
            if word not in _STATES:
                raise at.error(_("{word} 不是状态").format(word=word), "states", name, key)
            out[_key(key)] = (State(word), own.strip() or str(key))
        return out

    def _oid(self, text: str, at: Home, *steps: str | int) -> str:
        def variable(found: re.Match[str]) -> str:
            if found.group(1) not in self.merged.vars:
                raise at.error(_("没有变量 {name}").format(name=found.group(1)), *steps)
            return self.merged.vars[found.group(1)]

        words = text.split()
        oid = re.sub(r"\$(\w+)", variable, words[0])
        if not _OID.match(oid):
            raise at.error(_("不是 OID：{oid}").format(oid=oid), *steps)
        return " ".join([oid, *words[1:]])

    def _column(self, name: str, text: str, at: Home, *steps: str | int) -> Column:
        oid, _sep, read = text.partition(" ")
        if read not in _READS:
            raise at.error(_("不知道的读法：{read}").format(read=read), *(steps or ("scalars", name)))
        return Column(name, oid, read)

    def _table(self, name: str, raw: RawTable, at: Home) -> TablePlan:
        base = self._oid(raw.oid, at, "tables", name, "oid")
        columns = []
        for column, place in raw.columns.items():
            sub, _sep, read = str(place).partition(" ")
            if not re.fullmatch(r"\d+(\.\d+)*", sub):
                raise at.error(_("不是列号：{place}").format(place=place), "tables", name, "columns", column)
            columns.append(self._column(column, f"{base}.{sub} {read}".strip(), at, "tables", name, "columns", column))
        joins = []
        for i, join in enumerate(raw.join):
            if join.of not in self.merged.tables:
                raise at.error(_("没有表 {name}").format(name=join.of), "tables", name, "join", i)
            there = self.merged.tables[join.of][0].columns
            for column in (*join.take.values(), *([join.where] if join.where else [])):
                if column not in there:
                    raise at.error(
                        _("表 {table} 没有列 {name}").format(table=join.of, name=column), "tables", name, "join", i
                    )
            equals, _names = self._expr(join.equals, at, "tables", name, "join", i)
            joins.append(Join(tuple(join.take.items()), join.of, equals, join.where))
        computed = tuple(
            (column, self.checked(RawSource(table=name), text, at, "tables", name, "compute", column)[0])
            for column, text in raw.compute.items()
        )
        return TablePlan(name, base, tuple(c.oid for c in columns), tuple(columns), tuple(joins), computed)

    def _expr(self, text: str, at: Home, *steps: str | int) -> tuple[Expr, list[str]]:
        try:
            return compile_expr(text, self.functions)
        except ValueError as error:
            raise at.error(str(error), *steps) from None

    def _template(self, text: str, at: Home, *steps: str | int) -> tuple[Expr, list[str]]:
        try:
            return compile_template(text, self.functions)
        except ValueError as error:
            raise at.error(str(error), *steps) from None

    def _names(self, src: RawSource) -> set[str] | None:
        """The names a row may have; None where they are the device's own (Redfish, key=value checks)."""
        if src.resource:
            return None
        if src.section:
            section = self.merged.sections[src.section]
            return {*section.fields, "rc", "text", "index"} if section.format in ("fields", "lines") else None
        if not src.table:
            return {*self.merged.scalars, "index"}
        raw = self.merged.tables[src.table][0]
        return {*raw.columns, *raw.compute, *(n for j in raw.join for n in j.take), "index", "scalar", "before"}

    def rows(self, src: RawSource, at: Home, *steps: str | int) -> From:
        if bool(src.table) + bool(src.resource) + bool(src.section) > 1:
            raise at.error(_("table、resource、section 只能写一个"), *steps)
        if src.table and src.table not in self.tables:
            raise at.error(_("没有表 {name}").format(name=src.table), *steps, "table")
        if src.section and src.section not in self.merged.sections:
            raise at.error(_("没有检查 {name}").format(name=src.section), *steps, "section")
        if src.table:
            self._use(src.table)
        when = self.checked(src, src.when, at, *steps, "when")[0] if src.when else None
        return From(src.table, src.resource, tuple(src.each.split(".")) if src.each else (), src.section, when)

    def _use(self, table: str) -> None:
        if table in self.used_tables:
            return
        for join in self.tables[table].joins:
            self._use(join.of)
        self.used_tables[table] = None

    def checked(self, src: RawSource, text: str, at: Home, *steps: str | int) -> tuple[Expr, list[str]]:
        return self._known(src, self._expr(text, at, *steps), at, *steps)

    def templated(self, src: RawSource, text: str, at: Home, *steps: str | int) -> tuple[Expr, list[str]]:
        return self._known(src, self._template(text, at, *steps), at, *steps)

    def _known(
        self, src: RawSource, made: tuple[Expr, list[str]], at: Home, *steps: str | int
    ) -> tuple[Expr, list[str]]:
        names = self._names(src)
        unknown = [n for n in made[1] if names is not None and n not in names]
        if unknown:
            raise at.error(_("没有列 {name}").format(name=unknown[0]), *steps)
        return made

    def rule(self, raw: RawRule, at: Home, i: int) -> Rule:
        steps = ("observe", i)
        rows = self.rows(raw, at, *steps)

        def expr(name: str) -> Expr | None:
            text = getattr(raw, name)
            return self.checked(raw, text, at, *steps, name)[0] if text else None

        if not (raw.value or raw.state or raw.status):
            raise at.error(_("规则没有 value、state 或 status"), *steps)
        if raw.state and raw.states not in self.states:
            raise at.error(_("没有状态表 {name}").format(name=raw.states), *steps, "states")
        kind, kind_names = self.templated(raw, raw.kind, at, *steps, "kind")
        if not kind_names and raw.kind not in KINDS:
            raise at.error(_("不知道的量 {kind}").format(kind=raw.kind), *steps, "kind")
        limits = []
        for name, text in raw.limits.items():
            if name not in LIMIT_NAMES:
                raise at.error(_("不知道的限值 {name}").format(name=name), *steps, "limits", name)
            limits.append((LIMIT_NAMES.index(name), self.checked(raw, str(text), at, *steps, "limits", name)[0]))
        tests: list[tuple[State, Expr]] = []
        if raw.tests:
            for state, text in ((State.CRITICAL, raw.tests.critical), (State.WARNING, raw.tests.warning)):
                if text:
                    tests.append((state, self.checked(raw, text, at, *steps, "tests")[0]))
        return Rule(
            rows,
            self.templated(raw, raw.component, at, *steps, "component")[0],
            kind,
            "" if kind_names else raw.kind,
            self.templated(raw, raw.name, at, *steps, "name")[0],
            self.templated(raw, raw.unit, at, *steps, "unit")[0],
            expr("value"),
            expr("state"),
            self.states.get(raw.states, {}),
            expr("status"),
            expr("raw"),
            raw.rollup,
            expr("mute"),
            tuple(limits),
            tuple(tests),
            raw.fill,
            self._source(raw, at, *steps),
        )

    def _source(self, raw: RawRule, at: Home, *steps: str | int) -> str:
        """The column (or key) that an observation says it came from: named, or the first that its expression reads."""
        text = raw.source or raw.value or raw.state or raw.status
        names = self.checked(raw, text, at, *steps, "source")[1]
        if raw.section:
            return raw.section
        if raw.resource:
            return raw.source or (names[0] if names else "")
        own = (
            {c.name: c.oid for c in self.tables[raw.table].fields}
            if raw.table
            else {n: c.oid for n, c in self.scalars.items()}
        )
        return next((own[n] for n in names if n in own), "")

    def part(self, raw: RawPart, at: Home, i: int) -> PartRule:
        steps = ("parts", i)
        rows = self.rows(raw, at, *steps)
        fields = tuple(
            (name, self.templated(raw, getattr(raw, name), at, *steps, name)[0])
            for name in PART_FIELDS
            if getattr(raw, name)
        )
        present = self.checked(raw, raw.present, at, *steps, "present")[0] if raw.present else None
        component = self.templated(raw, raw.component, at, *steps, "component")[0]
        return PartRule(
            rows, component, self.templated(raw, raw.kind, at, *steps, "kind")[0], fields, present, raw.fill
        )

    def picks(self, which: str) -> tuple[Pick, ...]:
        out = []
        for name, candidates in getattr(self.merged, which).items():
            for pick, at in candidates:
                rows = self.rows(pick, at, which, name)
                out.append(Pick(name, rows, self.checked(pick, pick.value, at, which, name)[0], pick.sum, pick.rows))
        return tuple(out)

    def defaults(self) -> dict[str, tuple[Default, ...]]:
        out: dict[str, tuple[Default, ...]] = {}
        for raw in self.merged.defaults:
            pattern = re.compile(fnmatch.translate(raw.component)).match if raw.component else None
            name = re.compile(raw.name, re.IGNORECASE).search if raw.name else None
            limits = (raw.warn_high, raw.crit_high, raw.warn_low, raw.crit_low)
            out[raw.kind] = (*out.get(raw.kind, ()), Default(pattern, name, limits))
        return out

    def build(self) -> VendorFile:
        file, merged = self.file, self.merged
        rules = tuple(self.rule(raw, at, i) for raw, at, i in merged.rules)
        parts = tuple(self.part(raw, at, i) for raw, at, i in merged.parts)
        identity, moving = self.picks("identity"), self.picks("moving")
        tables = tuple(self.tables[n] for n in self.used_tables)
        return VendorFile(
            file.name, file.title, file.proof, file.kinds, file.match, file.quirks,
            tuple(c.oid for c in self.scalars.values()), tables, tuple(self.scalars.values()), tuple(merged.extras),
            merged.sections, rules, parts, identity, moving, self.defaults(), tuple(merged.traps.values()),
            str(self.home.path), frozenset(oid for t in tables for oid in t.columns),
        )  # fmt: skip


def _key(value: Any) -> Any:
    """Keys of state tables and maps: whole numbers stay, everything else is compared as lower-case text."""
    sort = value.__class__
    if sort is int or value is None:
        return value
    if sort is str:
        return value.strip().lower()
    if sort is bool:
        return str(value).lower()
    return int(value) if sort is float and value.is_integer() else str(value)


key = _key


def pieces_of(files: Iterable[tuple[RawFile, Path, Lines]]) -> dict[str, Home]:
    """Every piece that can be included, by name; a second claim of a name fails."""
    out: dict[str, Home] = {}
    for file, path, lines in files:
        homes = {file.name: Home(file, path, lines, ())}
        homes |= {name: Home(piece, path, lines, ("pieces", name)) for name, piece in file.pieces.items()}
        for name, home in homes.items():
            if name in out:
                raise home.error(_("名字 {name} 已被 {path} 占用").format(name=name, path=out[name].path.name), "name")
            out[name] = home
    return out
