"""Canonical JSON bytes by RFC 8785 (JCS): the one form in which data is hashed and signed.

Own, small and strict: what JSON cannot say the same way everywhere is refused instead of bent. Integers beyond ±2^53-1
that would lose digits in readers that keep numbers as doubles (RFC 8785 §3.1, I-JSON) are refused; write them as
strings. The standalone verifier carries its own copy on purpose.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from yunwei.kernel.errors import YunweiError

MAX_SAFE = 2**53 - 1
MAX_DEPTH = 200
#: values side by side beyond which nobody looks for the short way
MANY = 1_000_000
_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_TO_ESCAPE = re.compile(r'[\x00-\x1f"\\]')
#: what both ways write alike; a number with a fraction is not among it, for orjson writes 1e16 and 100.0 its own way
_ALIKE = frozenset({str, int, bool, type(None)})
_STRICT = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class CanonicalError(YunweiError):
    """A value that has no canonical JSON form; `where` is its path in the document."""


def canonical(value: Any) -> bytes:
    """UTF-8 bytes of a JSON value in canonical form. Raises CanonicalError for anything that is not I-JSON.

    What orjson is known to write in this very form goes through it, at a tenth of the time; a test holds both to the same
    bytes. All the rest, and all that orjson refuses, takes the way that can say what is wrong and where.
    """
    if _alike(value):
        try:
            return orjson.dumps(value, option=_STRICT)
        except TypeError:  # an integer beyond 2^53, a lone surrogate
            pass
    return _slowly(value)


def _alike(value: Any) -> bool:
    """Whether a value is made of exact built-in types, with keys that sort alike as UTF-8 and as UTF-16.

    Level by level: a call for each list and object costs more than all the rest. What holds itself ends at the depth.
    """
    level = [value]
    for _depth in range(MAX_DEPTH // 2):
        below: list[Any] = []
        for item in level:
            kind = type(item)
            if kind in _ALIKE:
                continue
            if kind is dict and _sorts_alike(item):
                below.extend(item.values())
            elif kind is list or kind is tuple:
                below.extend(item)
            else:
                return False
        if not below:
            return True
        if len(below) > MANY:
            return False
        level = below
    return False


def _sorts_alike(value: dict[Any, Any]) -> bool:
    try:
        return "".join(value).isascii()
    except TypeError:  # a key that is no text
        return False


def _slowly(value: Any) -> bytes:
    out: list[str] = []
    _write(value, out.append, "$", 0)
    return "".join(out).encode("utf-8")


def _write(value: Any, put: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError("JSON is nested too deeply", where=path)
    if value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, str):
        put(_string(value, path))
    elif isinstance(value, int):
        put(_integer(value, path))
    elif isinstance(value, float):
        put(number(value, path))
    elif isinstance(value, (list, tuple)):
        put("[")
        for i, item in enumerate(value):
            if i:
                put(",")
            _write(item, put, f"{path}[{i}]", depth + 1)
        put("]")
    elif isinstance(value, Mapping):
        _object(value, put, path, depth)
    else:
        raise CanonicalError(f"not a JSON value: {type(value).__name__}", where=path)


def _object(value: Mapping[Any, Any], put: Any, path: str, depth: int) -> None:
    for key in value:
        if not isinstance(key, str):
            raise CanonicalError(f"not a JSON key: {type(key).__name__}", where=path)
        _refuse_surrogates(key, path)
    put("{")
    # by UTF-16 code units (§3.2.3): differs from code point order above U+FFFF
    for i, key in enumerate(sorted(value, key=lambda k: k.encode("utf-16-be"))):
        if i:
            put(",")
        put(_string(key, path))
        put(":")
        _write(value[key], put, f"{path}.{key}", depth + 1)
    put("}")


def _string(text: str, path: str) -> str:
    _refuse_surrogates(text, path)
    if not _TO_ESCAPE.search(text):
        return f'"{text}"'
    return '"' + _TO_ESCAPE.sub(lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", text) + '"'


def _refuse_surrogates(text: str, path: str) -> None:
    if not text.isascii() and _SURROGATE.search(text):
        raise CanonicalError("a lone surrogate is not Unicode text", where=path)


def _integer(value: int, path: str) -> str:
    text = str(int(value))
    if abs(value) > MAX_SAFE and (len(text) > 22 or number(float(value), path) != text):
        raise CanonicalError("an integer that a double cannot hold must be written as a string", where=path)
    return text


def number(value: float, path: str = "$") -> str:
    """A double as ECMAScript's Number::toString writes it (§3.2.2.3). Raises CanonicalError for NaN and infinities."""
    if not math.isfinite(value):
        raise CanonicalError("NaN and infinities are not JSON", where=path)
    if value == 0:
        return "0"  # minus zero too
    sign = "-" if value < 0 else ""
    # repr gives the shortest digits that read back the same double: the digits ECMAScript asks for
    mantissa, _e, exponent = repr(abs(value)).partition("e")
    whole, _point, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)  # value = 0.digits × 10^n once leading zeros are gone
    n = point - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return sign + _place(digits, n)


def _place(digits: str, n: int) -> str:
    """Digits d1…dk of the value 0.d1…dk × 10^n, laid out by ECMAScript's rules."""
    k = len(digits)
    if k <= n <= 21:
        return digits + "0" * (n - k)
    if 0 < n <= 21:
        return f"{digits[:n]}.{digits[n:]}"
    if -6 < n <= 0:
        return f"0.{'0' * -n}{digits}"
    exponent = n - 1
    head = digits[0] + (f".{digits[1:]}" if k > 1 else "")
    return f"{head}e{'+' if exponent >= 0 else '-'}{abs(exponent)}"
