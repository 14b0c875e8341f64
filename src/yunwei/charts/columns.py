"""Stacked columns over days or weeks: what was kept, late, missed, unproven, one column a day.

Like all drawings here: colours are classes, texts are escaped, equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from yunwei.charts.svg import Slice, _n, _text

#: drawing units: plot area inside the picture
LEFT, RIGHT, TOP, BOTTOM = 34.0, 16.0, 10.0, 24.0
#: the line of the legend
KEY = 18.0


@dataclass(frozen=True, slots=True)
class Stack:
    """One column: its name below it and its parts, bottom first. None: there is nothing to draw, and it says so."""

    name: str
    parts: Sequence[Slice] | None


def columns(
    stacks: Sequence[Stack],
    label: str,
    *,
    legend: Sequence[tuple[str, str]] = (),
    width: float = 600,
    height: float = 180,
) -> str:
    """Columns from zero, with an axis in whole steps; a column without data is a short dash on the axis line.

    `legend` names the tones, as (tone, word), in the order of the parts.
    """
    most = max((sum(p.count for p in s.parts or ()) for s in stacks), default=0)
    step = _step(most)
    top = max(step * -(-most // step), step)
    above = TOP + (KEY if legend else 0)
    plot = height - above - BOTTOM
    out = [*_legend(legend), *(_grid(v, above + plot * (1 - v / top), width) for v in range(0, top + 1, step))]
    slot = (width - LEFT - RIGHT) / max(len(stacks), 1)
    wide = min(slot * 0.68, 26.0)
    every = -(-len(stacks) // 16)  # names that would touch each other are left out
    for i, stack in enumerate(stacks):
        x = LEFT + slot * (i + 0.5)
        out.append(_column(stack, x - wide / 2, wide, above + plot, plot / top))
        if i % every == 0:
            out.append(_text(x, height - 8, "middle", "10", ' class="mut"', stack.name))
    return f'<svg viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label="{escape(label)}">{"".join(out)}</svg>'


def _step(most: int) -> int:
    """A step of 1, 2 or 5 times a power of ten that gives at most five lines."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if most <= factor * size * 4:
                return factor * size
        size *= 10


def _legend(legend: Sequence[tuple[str, str]]) -> list[str]:
    out, x = [], LEFT
    for tone, word in legend:
        out.append(f'<rect x="{_n(x)}" y="4" width="9" height="9" class="f-{tone}"/>')
        out.append(_text(x + 14, 12, "start", "10.5", "", word))
        x += 30 + sum(10.5 if ord(c) > 0x2E80 else 6 for c in word)
    return out


def _grid(value: int, y: float, width: float) -> str:
    line = (
        f'<rect x="{_n(LEFT)}" y="{_n(y - 0.25)}" width="{_n(width - LEFT - RIGHT + 8)}" height="0.5" class="f-line"/>'
    )
    return line + _text(LEFT - 6, y + 3.5, "end", "10", ' class="mut"', str(value))


def _column(stack: Stack, x: float, wide: float, base: float, unit: float) -> str:
    if stack.parts is None:
        return f'<rect x="{_n(x)}" y="{_n(base - 1)}" width="{_n(wide)}" height="2" class="f-mut"/>'
    out, y = [], base
    for part in stack.parts:
        if part.count <= 0:
            continue
        tall = part.count * unit
        y -= tall
        out.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(max(tall - 0.6, 0.4))}" class="f-{part.tone}"/>'
        )
    return "".join(out)
