"""The SSH bundle's sections to a Reading."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from yunwei.inspect.observation import Target
from yunwei.inspect.vendor.compiled import From, VendorFile
from yunwei.inspect.vendor.observe import Observer
from yunwei.inspect.vendor.reading import CheckOutput, Reading
from yunwei.inspect.vendor.schema import RawSection
from yunwei.kernel.i18n import _
from yunwei.kernel.verdict import Reason

#: "the means are missing on this host": the check looked at nothing
NO_MEANS = 127
_Rows = list[tuple[dict[str, Any], str]]


def apply_ssh(
    vendor: VendorFile, sections: Mapping[str, CheckOutput], target: Target, terms: dict[str, Any]
) -> Reading:
    """Judge the output of the bundle of checks. A check that never came or never ended makes the reading partial."""
    observer = Observer(vendor, target, terms)
    made = {name: _rows(shape, sections[name], name) for name, shape in vendor.sections.items() if name in sections}

    def rows(at: From) -> _Rows:
        return made.get(at.section, []) if at.section else []

    for rule in vendor.rules:
        if found := rows(rule.rows):
            observer.run(rule, found, "")
    for part in vendor.parts:
        observer.add_parts(part, rows(part.rows), "")
    reading = observer.reading
    observer.pick(((p, rows(p.rows)) for p in vendor.identity), reading.identity)
    observer.pick(((p, rows(p.rows)) for p in vendor.moving), reading.moving)
    unended = [n for n in vendor.sections if n not in sections or sections[n].rc is None]
    if unended:
        reading.problem = Reason.PARTIAL
        reading.detail = _("没有结果的检查：{names}").format(names=" ".join(unended))
    return reading


def _rows(shape: RawSection, output: CheckOutput, name: str) -> _Rows:
    lines = [line for line in output.stdout.splitlines() if line.strip()]
    base: dict[str, Any] = {"rc": output.rc}
    if shape.format == "kv":
        for line in lines:
            key, sep, value = line.partition("=")
            if sep:
                base[key.strip()] = _plain(value)
        return [({**base, "index": "0"}, name)]
    if shape.format == "lines":
        return [({**base, "text": " ".join(lines), "index": str(len(lines))}, name)]
    out: _Rows = []
    for i, line in enumerate(lines):
        row = {**base, "index": str(i)}
        if shape.format == "fields":
            words = line.split(None, len(shape.fields) - 1)
            row.update(zip(shape.fields, map(_plain, words), strict=False))
        else:
            try:
                pairs = [word.partition("=") for word in shlex.split(line)]
            except ValueError:
                continue
            row.update({k: _plain(v) for k, sep, v in pairs if sep})
        out.append((row, name))
    return out


_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")


def _plain(text: str) -> Any:
    """A word as a number where it is written as one: "007" and "1e5" stay text (serial numbers, machine ids)."""
    text = text.strip()
    found = _NUMBER.fullmatch(text)
    if not found:
        return text
    return float(text) if found.group(2) else int(text)
