"""Loading a contract folder: YAML to `schema.Folder`, every error with its file and line, all of them at once.

Scalars are read by the type the schema asks for, not by YAML's guess: the clause id 5.10 stays "5.10" and is never the
number 5.1. Only free-form terms of a plan line, whose type is open, follow YAML's own rules.
"""

from __future__ import annotations

import stat
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml
from msgspec.structs import FieldInfo
from msgspec.structs import fields as struct_fields

from yunwei.contract import closing
from yunwei.contract.between import Between
from yunwei.contract.errors import ContractError
from yunwei.contract.schema import (
    Clause,
    Closing,
    Contract,
    Document,
    Event,
    Folder,
    Obligation,
    OpenItem,
    Plan,
    PrecedenceRule,
    PriceStep,
    Rubric,
    Supplement,
)
from yunwei.contract.year_end import YearEnd
from yunwei.kernel.i18n import _

#: libyaml's parser is ten times faster; both give nodes with line marks
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp"))
_NULL = "tag:yaml.org,2002:null"
MAX_BYTES = 4_000_000
MAX_NODES = 300_000  # aliases of aliases may not blow a small file up
MAX_DEPTH = 40

Path_ = tuple[str | int, ...]
_T = TypeVar("_T")


class Documents(msgspec.Struct, frozen=True):
    """documents.yaml"""

    documents: list[Document]
    rules: list[PrecedenceRule]
    ranks: list[str] = msgspec.field(default_factory=list)


class Clauses(msgspec.Struct, frozen=True):
    """clauses.yaml"""

    clauses: list[Clause]


class Obligations(msgspec.Struct, frozen=True):
    """obligations.yaml"""

    events: list[Event]
    obligations: list[Obligation]


class Closings(msgspec.Struct, frozen=True):
    """closings.yaml"""

    closings: list[Closing]


class Supplements(msgspec.Struct, frozen=True):
    """supplements.yaml"""

    supplements: list[Supplement]


class OpenItems(msgspec.Struct, frozen=True):
    """open_items.yaml"""

    open_items: list[OpenItem]


FILES: dict[str, type[msgspec.Struct]] = {
    "contract.yaml": Contract,
    "documents.yaml": Documents,
    "clauses.yaml": Clauses,
    "obligations.yaml": Obligations,
    "open_items.yaml": OpenItems,
    "plan.yaml": Plan,
    "rubric.yaml": Rubric,
    "closings.yaml": Closings,
    "supplements.yaml": Supplements,
    "between.yaml": Between,
    "year_end.yaml": YearEnd,
}
#: a contract without a rubric is not scored, one without year_end.yaml is not accepted here; what both parties closed is written here by the platform (closings.py)
OPTIONAL = frozenset({"rubric.yaml", "closings.yaml", "supplements.yaml", "between.yaml", "year_end.yaml"})


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a contract folder: where (file, line from 1; 0 = the whole file), what, what to do."""

    file: str
    line: int
    code: str
    message: str
    hint: str = ""
    warning: bool = False  # the folder may be used all the same

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}: [{self.code}] {self.message}"
        return f"{text}（{self.hint}）" if self.hint else text


@dataclass(slots=True)
class Loaded:
    """What reading a folder gave: `folder` only when every file fits the schema; `lines` file and path → line."""

    folder: Folder | None
    problems: list[Problem]
    lines: dict[str, dict[Path_, int]] = field(default_factory=dict)

    def line(self, file: str, *path: str | int) -> int:
        """The line of a path in a file, or of the nearest parent that has one; 0 if none."""
        known = self.lines.get(file, {})
        for length in range(len(path), -1, -1):
            if (found := known.get(path[:length])) is not None:
                return found
        return 0


def _unfit(name: str, *, regular: bool) -> Problem:
    """Why a file is not read: a device or pipe in its place never ends or never begins; what is too big blows up."""
    if not regular:
        return Problem(name, 0, "file.unreadable", _("不是普通文件"))
    return Problem(name, 0, "yaml.too_big", _("文件太大，上限 4 MB"))


def load(directory: Path | str) -> Folder:
    """The contract folder as data. Raises `ContractError` with all structural problems; meaning is `check.check`."""
    loaded = read(Path(directory))
    if loaded.folder is None:
        count = len(loaded.problems)
        raise ContractError(
            _("合同目录有 {n} 处错误").format(n=count),
            where=str(directory),
            hint=_("逐条改正后运行 yunwei contract check"),
            problems=loaded.problems,
        )
    return loaded.folder


def read(directory: Path) -> Loaded:
    """Read all files of a folder; never raises for what stands in them."""
    loaded = Loaded(None, [])
    if not directory.is_dir():
        loaded.problems.append(Problem(str(directory), 0, "file.missing", _("没有这个目录"), ""))
        return loaded
    parts: dict[str, Any] = {}
    for name, kind in FILES.items():
        if name in OPTIONAL and not (directory / name).exists():
            continue
        parts[name] = _File(name, loaded).convert(directory / name, kind)
    for extra in sorted(p.name for p in directory.iterdir() if p.suffix in {".yaml", ".yml"} and p.name not in FILES):
        hint = _("合同目录只有这些文件：") + "、".join(FILES)
        loaded.problems.append(Problem(extra, 0, "file.unknown", _("不认识的文件，其中的内容不会生效"), hint))
    if not loaded.problems:
        documents, clauses = parts["documents.yaml"], parts["clauses.yaml"]
        obligations, open_items = parts["obligations.yaml"], parts["open_items.yaml"]
        loaded.folder = Folder(
            contract=parts["contract.yaml"],
            documents=documents.documents,
            rules=documents.rules,
            clauses=clauses.clauses,
            obligations=obligations.obligations,
            open_items=open_items.open_items,
            plan=parts["plan.yaml"],
            events=[event.id for event in obligations.events],
            event_details=obligations.events,
            rubric=parts.get("rubric.yaml"),
            ranks=documents.ranks,
            between=parts.get("between.yaml"),
            year_end=parts.get("year_end.yaml"),
        )
        if (closed := parts.get("closings.yaml")) is not None:
            loaded.folder = closing.apply(loaded.folder, closed.closings)
        if (more := parts.get("supplements.yaml")) is not None:
            loaded.folder = closing.supplemented(loaded.folder, more.supplements)
    return loaded


def load_plan(path: Path) -> Plan:
    """One plan.yaml by itself (a new version to propose). Raises `ContractError` naming file and line."""
    return load_part(path, Plan)


class PriceTable(msgspec.Struct, frozen=True):
    """The price function by itself, as it is laid down to close the blank of 5.1."""

    price: list[PriceStep]


def load_part(path: Path, kind: type[_T]) -> _T:
    """One file of that shape by itself. Raises `ContractError` naming file and line."""
    loaded = Loaded(None, [])
    part = _File(path.name, loaded).convert(path, kind)
    if part is None or loaded.problems:
        raise ContractError(_("文件有错误"), where=str(path), problems=loaded.problems)
    return part


class _Missing:
    """Marks a value that could not be converted; its problem is already noted."""


_BAD = _Missing()


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[FieldInfo, Any]]:
    hints = get_type_hints(kind)
    return {info.name: (info, hints[info.name]) for info in struct_fields(kind)}


class _File:
    """Converts one YAML file by a schema type, noting the line of every path and every problem met."""

    def __init__(self, name: str, loaded: Loaded) -> None:
        self.name = name
        self.problems = loaded.problems
        self.lines: dict[Path_, int] = loaded.lines.setdefault(name, {})
        self.nodes = 0

    def convert(self, path: Path, kind: type[_T]) -> _T | None:
        """The file as `kind`; None when something was wrong (the problems say what)."""
        node = self._compose(path)
        if node is None:
            return None
        try:
            value = self._value(node, kind, (), 0)
        except RecursionError:
            self._problem(node, "yaml.too_deep", _("嵌套太深"))
            return None
        return None if isinstance(value, _Missing) else value

    def _compose(self, path: Path) -> yaml.Node | None:
        try:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_BYTES:
                self.problems.append(_unfit(self.name, regular=stat.S_ISREG(facts.st_mode)))
                return None
            node: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
        except FileNotFoundError:
            hint = _("参照 contracts/ 下的例子补上")
            self.problems.append(Problem(self.name, 0, "file.missing", _("缺少这个文件"), hint))
            return None
        except UnicodeDecodeError:
            self.problems.append(Problem(self.name, 0, "yaml.encoding", _("不是 UTF-8 编码"), _("另存为 UTF-8")))
            return None
        except OSError as error:
            self.problems.append(Problem(self.name, 0, "file.unreadable", str(error.strerror or error)))
            return None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or str(error)
            hint = _("检查缩进、冒号和引号")
            self.problems.append(
                Problem(self.name, mark.line + 1 if mark else 0, "yaml.syntax", _("YAML 语法错误：") + what, hint)
            )
            return None
        if node is None:
            self.problems.append(Problem(self.name, 0, "yaml.empty", _("文件是空的")))
        return node

    def _problem(self, node: yaml.Node, code: str, message: str, hint: str = "") -> _Missing:
        self.problems.append(Problem(self.name, node.start_mark.line + 1, code, message, hint))
        return _BAD

    def _value(self, node: yaml.Node, kind: Any, path: Path_, depth: int) -> Any:
        self._enter(node, path, depth)
        kind = _not_none(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self._struct(node, kind, path, depth)
        origin = get_origin(kind)
        if origin is list:
            return self._list(node, get_args(kind)[0], path, depth)
        if origin is dict:
            return self._dict(node, path, depth)
        return self._scalar(node, kind, path)

    def _enter(self, node: yaml.Node, path: Path_, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise RecursionError
        self.lines[path] = node.start_mark.line + 1

    def _struct(self, node: yaml.Node, kind: type[msgspec.Struct], path: Path_, depth: int) -> Any:
        values: dict[str, Any] = {}
        fields = _fields(kind)
        bad = False
        for mark, value in self._pairs(node):
            key = mark.value
            if key not in fields:
                hint = _("可用的字段：") + "、".join(fields)
                self._problem(mark, "schema.unknown_field", _("不认识的字段 {key}").format(key=key), hint)
                bad = True
                continue
            values[key] = self._value(value, fields[key][1], (*path, key), depth + 1)
            self.lines[(*path, key)] = mark.start_mark.line + 1  # people look for the key, not for its first item
            bad = bad or isinstance(values[key], _Missing)
        missing = [name for name, (info, _hint) in fields.items() if info.required and name not in values]
        if missing and isinstance(node, yaml.MappingNode):
            self._problem(node, "schema.missing", _("缺少字段 {keys}").format(keys="、".join(missing)))
        if bad or missing or not isinstance(node, yaml.MappingNode):
            return _BAD
        return kind(**values)

    def _pairs(self, node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """The keys and values of a mapping; says so when it is none, and when a key stands twice."""
        if not isinstance(node, yaml.MappingNode):
            self._problem(node, "schema.type", _("这里要有“字段: 值”"))
            return
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, "schema.type", _("字段名只能是一个词"))
                continue
            if key.value in seen:
                self._problem(key, "yaml.duplicate_key", _("字段 {key} 写了两次").format(key=key.value))
                continue
            seen.add(key.value)
            yield key, value

    def _list(self, node: yaml.Node, kind: Any, path: Path_, depth: int) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return self._problem(node, "schema.type", _("这里要有一个列表"))
        values = [self._value(item, kind, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        return _BAD if any(isinstance(value, _Missing) for value in values) else values

    def _dict(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        before = len(self.problems)
        values = {key.value: self._any(value, (*path, key.value), depth + 1) for key, value in self._pairs(node)}
        return values if len(self.problems) == before else _BAD

    def _any(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        """A free-form value by YAML's own rules."""
        self._enter(node, path, depth)
        if isinstance(node, yaml.MappingNode):
            return self._dict(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self._any(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        kinds: dict[str, Any] = {"int": int, "float": float, "bool": bool}
        return self._scalar(node, kinds.get(node.tag.rpartition(":")[2], str), path)

    def _scalar(self, node: yaml.Node, kind: Any, path: Path_) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            return self._problem(node, "schema.type", _("这里要有一个值，不是列表或字段组"))
        if node.tag not in _SCALARS:
            return self._problem(node, "schema.type", _("不允许的 YAML 标签 {tag}").format(tag=node.tag))
        if node.tag == _NULL:
            return self._problem(node, "schema.type", _("没有值"), _("不用的字段请整行删除"))
        if kind is str:
            return node.value
        try:
            return msgspec.convert(node.value, kind, strict=False)
        except msgspec.ValidationError:
            want = getattr(kind, "__name__", str(kind))
            if hasattr(kind, "__members__"):
                want = "、".join(kind)
            message = _("值“{value}”不合要求：应为 {want}").format(value=node.value[:60], want=want)
            return self._problem(node, "schema.type", message)


def _not_none(kind: Any) -> Any:
    """`X | None` asks for an X where something is written at all."""
    if get_origin(kind) in {types.UnionType, Union}:
        return next(arg for arg in get_args(kind) if arg is not type(None))
    return kind
