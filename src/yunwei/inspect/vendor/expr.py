"""Small expressions and templates of vendor files, compiled once.

An expression reads columns by name: `used / total * 100`, `Status.Health`, `temp if temp != 255 else None`. Only what
is listed here is allowed, checked on the syntax tree before anything runs: a vendor file is data, never a program.
A column that is not there is None, and an expression that cannot be computed (None in arithmetic, text that is no
number, division by zero) is None too, never an error.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

Row = Mapping[str, Any]
Expr = Callable[[Row], Any]

_NODES = (
    ast.Expression, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp,
    ast.Call, ast.Attribute, ast.Subscript, ast.Tuple, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
    ast.Pow, ast.USub, ast.Not, ast.And, ast.Or, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    ast.Is, ast.IsNot,
)  # fmt: skip
_CONSTANTS = frozenset({"None", "True", "False"})
_NOT_COMPUTED = (TypeError, ValueError, ZeroDivisionError, KeyError, IndexError, AttributeError, OverflowError)


#: characters of a number in a text; a longer row of digits measures nothing, and no float holds it
MAX_DIGITS = 300


def dig(value: Any, *keys: Any) -> Any:
    """Follow keys into nested objects; None as soon as one is missing."""
    for key in keys:
        if value.__class__ is dict or isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def num(value: Any) -> float | int | None:
    """The number in a value: 42, "42", " 42.5 C", "98%"; None where there is none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    found = re.search(r"[-+]?\d+(?:\.\d+)?", value) if isinstance(value, str) else None
    if found is None:
        return None
    text = found.group(0)
    if len(text) > MAX_DIGITS:
        return None
    return float(text) if "." in text else int(text)


def _dbm(microwatt: float) -> float:
    """Optical power in dBm from microwatts."""
    return 10 * math.log10(microwatt / 1000)


def _first(*values: Any) -> Any:
    """The first value that says something."""
    for value in values:
        if value is not None and value != "":
            return value
    return None


def _match(text: Any, pattern: str) -> Any:
    """The first group (or the whole match) of a pattern in a text, None without a match; case does not matter."""
    found = re.search(pattern, text, re.IGNORECASE) if isinstance(text, str) else None
    if found is None:
        return None
    return found.group(1) if found.groups() else found.group(0)


def _part(text: Any, separator: str, position: int) -> Any:
    pieces = str(text).split(separator)
    return pieces[position].strip() if -len(pieces) <= position < len(pieces) else None


def _signed(value: int, bits: int) -> int:
    """Two's complement of a field that the device writes unsigned."""
    return value - (1 << bits) if value >= 1 << (bits - 1) else value


def _bit(value: int, position: int) -> int:
    return value >> position & 1


def _count(value: Any) -> int:
    return len(value) if isinstance(value, (list, dict)) else 0


def _rollup(status: Any) -> Any:
    """A Redfish Status with its rollup in the place of its health; sushy-tools writes HealthRollUp."""
    told = _first(dig(status, "HealthRollup"), dig(status, "HealthRollUp"))
    return None if told is None else {"Health": told, "State": dig(status, "State")}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "num": num, "abs": abs, "min": min, "max": max, "round": round, "int": int, "text": str, "dbm": _dbm,
    "first": _first, "match": _match, "part": _part, "signed": _signed, "bit": _bit, "count": _count,
    "rollup": _rollup, "lower": lambda t: t.lower(), "log10": math.log10,
}  # fmt: skip


class _Rewrite(ast.NodeTransformer):
    """Names become look-ups in the row; dotted names and subscripts become `dig`."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.calls: list[str] = []

    def visit_Name(self, node: ast.Name) -> ast.AST:
        self.names.append(node.id)
        get = ast.Attribute(ast.Name("_row", ast.Load()), "get", ast.Load())
        return ast.Call(get, [ast.Constant(node.id)], [])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise ValueError(f"no such function: {ast.unparse(node.func)}")
        self.calls.append(node.func.id)
        if node.func.id == "first" and all(isinstance(arg, ast.Name | ast.Constant) for arg in node.args):
            return self._first([self.visit(arg) for arg in node.args])
        node.args = [self.visit(arg) for arg in node.args]
        return node

    def _first(self, values: list[ast.expr]) -> ast.expr:
        """`first` of names without a call: a sweep does it for every port. What cannot fail needs no order."""
        out: ast.expr = ast.Constant(None)
        for value in reversed(values):
            said = ast.NamedExpr(ast.Name("_said", ast.Store()), value)
            some = ast.Compare(said, [ast.IsNot()], [ast.Constant(None)])
            full = ast.Compare(ast.Name("_said", ast.Load()), [ast.NotEq()], [ast.Constant("")])
            out = ast.IfExp(ast.BoolOp(ast.And(), [some, full]), ast.Name("_said", ast.Load()), out)
        return out

    def _dig(self, base: ast.AST, key: Any) -> ast.AST:
        return ast.Call(ast.Name("_dig", ast.Load()), [self.visit(base), ast.Constant(key)], [])

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self._dig(node.value, node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        try:
            key = ast.literal_eval(node.slice)
        except ValueError:
            key = None
        if not isinstance(key, (int, str)):
            raise ValueError("only a number or a text may stand in [ ]")
        return self._dig(node.value, key)


def _tree(source: str) -> tuple[ast.expr, tuple[str, ...], tuple[str, ...], bool]:
    """The checked tree of an expression, the names it reads, the functions it calls, whether it can always be computed."""
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError as e:
        raise ValueError(f"not an expression: {source!r} ({e.msg})") from None
    for node in ast.walk(tree):
        if not isinstance(node, _NODES) or (isinstance(node, ast.Attribute) and node.attr.startswith("_")):
            raise ValueError(f"not allowed in an expression: {ast.unparse(node)!r}")
    safe = _always(tree.body)
    rewrite = _Rewrite()
    return rewrite.visit(tree.body), tuple(dict.fromkeys(rewrite.names)), tuple(rewrite.calls), safe


def _compiled(body: ast.expr) -> CodeType:
    """The code of a function of a row."""
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg("_row")], kwonlyargs=[], kw_defaults=[], defaults=[])
    whole = ast.Expression(ast.Lambda(arguments, body))
    return compile(ast.fix_missing_locations(whole), "<vendor file>", "eval")


@lru_cache(maxsize=4096)
def _code(source: str) -> tuple[CodeType, tuple[str, ...], tuple[str, ...], bool]:
    """The code of an expression; the rest as in `_tree`."""
    body, names, calls, safe = _tree(source)
    return _compiled(body), names, calls, safe


@lru_cache(maxsize=4096)
def _text_code(source: str) -> tuple[CodeType, tuple[str, ...]] | None:
    """The code of a template as one function and the names it reads; None where a piece of it may fail to be computed."""
    pieces = re.split(r"\{([^{}]*)\}", source)
    parts: list[ast.expr] = [ast.Constant(pieces[0])]
    names: list[str] = []
    for piece, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        body, used, calls, safe = _tree(piece.strip())
        if not safe or not FUNCTIONS.keys() >= set(calls):
            return None
        names += used
        missing = ast.Compare(ast.NamedExpr(ast.Name("_told", ast.Store()), body), [ast.Is()], [ast.Constant(None)])
        told = ast.IfExp(missing, ast.Constant(""), ast.Name("_told", ast.Load()))
        parts += [ast.FormattedValue(told, -1), ast.Constant(literal)]
    text: ast.expr = ast.JoinedStr(parts)
    if len(pieces) == 3:
        return _compiled(ast.Call(ast.Attribute(text, "strip", ast.Load()), [], [])), tuple(names)
    words = ast.Call(ast.Attribute(text, "split", ast.Load()), [], [])
    return _compiled(ast.Call(ast.Attribute(ast.Constant(" "), "join", ast.Load()), [words], [])), tuple(names)


def _always(node: ast.AST) -> bool:
    """Whether an expression can always be computed: it only picks and compares for equality, whatever the columns hold."""
    match node:
        case ast.Name() | ast.Constant():
            parts: list[ast.expr] = []
        case ast.BoolOp(values=parts):
            pass
        case ast.UnaryOp(op=ast.Not(), operand=part) | ast.Attribute(value=part) | ast.Subscript(value=part):
            parts = [part]
        case ast.IfExp(test=test, body=body, orelse=other):
            parts = [test, body, other]
        case ast.Compare(left=left, ops=signs, comparators=others):
            if not all(isinstance(sign, ast.Eq | ast.NotEq | ast.Is | ast.IsNot) for sign in signs):
                return False
            parts = [left, *others]
        case ast.Call(func=ast.Name(id="first"), args=values):
            return all(isinstance(value, ast.Name | ast.Constant) for value in values)
        case _:
            return False
    return all(map(_always, parts))


def compile_expr(source: str, functions: Mapping[str, Callable[..., Any]] | None = None) -> tuple[Expr, list[str]]:
    """Compile an expression; returns it with the names it reads, in order. Raises ValueError with the reason."""
    source = source.strip()
    if source.isidentifier() and source not in _CONSTANTS and not keyword.iskeyword(source):
        return (lambda row: row.get(source)), [source]
    code, names, calls, safe = _code(source)
    scope: dict[str, Any] = {"__builtins__": {}, "_dig": dig, **FUNCTIONS, **(functions or {})}
    unknown = [name for name in calls if name not in scope or name.startswith("_")]
    if unknown:
        raise ValueError(f"no such function: {unknown[0]}")
    raw: Expr = eval(code, scope)  # noqa: S307 - checked above, nothing but the listed functions is in reach

    if safe:
        return raw, list(names)

    def computed(row: Row) -> Any:
        try:
            return raw(row)
        except _NOT_COMPUTED:
            return None

    return computed, list(names)


def compile_template(source: str, functions: Mapping[str, Callable[..., Any]] | None = None) -> tuple[Expr, list[str]]:
    """Compile "fan/{first(name, index)}" to a function giving text; what is missing is left out."""
    pieces = re.split(r"\{([^{}]*)\}", source)
    if len(pieces) == 1:
        return (lambda _row: source), []
    if made := _text_code(source):
        text: Expr = eval(made[0], {"__builtins__": {}, **FUNCTIONS})  # noqa: S307 - as in compile_expr
        return text, list(made[1])
    exprs: list[Expr] = []
    names: list[str] = []
    for piece in pieces[1::2]:
        fn, used = compile_expr(piece, functions)
        exprs.append(fn)
        names += used
    literals = pieces[0::2]
    if len(exprs) == 1:
        head, tail, only = literals[0], literals[1], exprs[0]

        def short(row: Row) -> str:
            value = only(row)
            return f"{head}{'' if value is None else value}{tail}".strip()

        return short, names

    def whole(row: Row) -> str:
        out = literals[0]
        for fn, literal in zip(exprs, literals[1:], strict=True):
            value = fn(row)
            out += f"{'' if value is None else value}{literal}"
        return " ".join(out.split())

    return whole, names
