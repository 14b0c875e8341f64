"""SVG charts as pure functions: the same drawing for page, wall and document.

Colours are CSS classes (`s-*` stroke, `f-*` fill), never literals, so that themes and print need no second drawing, and
nothing is inline style, so that the content policy stays strict. Every text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of a ring: a count and the class of its colour (ok, info, warn, bad, unp, mut)."""

    count: int
    tone: str


@dataclass(frozen=True, slots=True)
class Milestone:
    """One point on the year line. `at` 0..1; `past` draws it as reached."""

    at: float
    title: str
    note: str
    past: bool


def _n(value: float) -> str:
    """A coordinate: two decimals, no trailing zeros, so that equal input gives equal bytes."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def ring(slices: Sequence[Slice], big: str, sub: str, label: str) -> str:
    """A ring of parts with a figure in the middle; `label` is what a screen reader says."""
    total = sum(part.count for part in slices)
    around = 2 * math.pi * 52
    arcs, turned = [], 0.0
    for part in slices:
        if part.count <= 0:
            continue
        length = around * part.count / total
        arcs.append(
            f'<circle cx="60" cy="60" r="52" class="arc s-{part.tone}" stroke-width="10" '
            f'stroke-dasharray="{_n(max(length - 1.5, 0.8))} {_n(around)}" stroke-dashoffset="{_n(-turned)}" '
            f'transform="rotate(-90 60 60)"/>'
        )
        turned += length
    return (
        f'<svg viewBox="0 0 120 120" role="img" aria-label="{escape(label)}">'
        f'<circle cx="60" cy="60" r="52" class="bg" stroke-width="10"/>{"".join(arcs)}'
        + _text(60, 62, "middle", "27", ' font-weight="600"', big)
        + _text(60, 79, "middle", "10.5", ' class="mut"', sub)
        + "</svg>"
    )


def clock(used: float, tone: str) -> str:
    """A small ring that runs down: `used` 0..1 of the time is gone."""
    around = 2 * math.pi * 14
    left = around * (1 - min(max(used, 0.0), 1.0))
    return (
        '<svg viewBox="0 0 36 36" aria-hidden="true"><circle cx="18" cy="18" r="14" class="bg" stroke-width="5"/>'
        f'<circle cx="18" cy="18" r="14" class="arc s-{tone}" stroke-width="5" '
        f'stroke-dasharray="{_n(left)} {_n(around)}" transform="rotate(-90 18 18)"/></svg>'
    )


def bar(parts: Sequence[Slice], total: int, label: str) -> str:
    """A horizontal bar of parts out of `total`."""
    x, rects = 0.0, []
    for part in parts:
        width = 100 * part.count / total if total else 0
        if width > 0:
            rects.append(f'<rect x="{_n(x)}" y="0" width="{_n(width)}" height="10" class="f-{part.tone}"/>')
        x += width
    return (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f"{''.join(rects)}</svg>"
    )


#: drawing units: a caption's letter, its line of figures, the gap between two captions
LETTER, DIGIT, GAP = 12.5, 6.6, 10.0


def year_line(
    milestones: Sequence[Milestone],
    today: float | None,
    today_label: str,
    label: str,
    *,
    width: float = 1200,
    ticks: Sequence[float] = (),
) -> str:
    """The contract year as a line from 0 to 1 with its milestones; `ticks` are small marks, as of months.

    Captions stand below the line, above it where there is no room, and only as a hint (`<title>`) where there is none
    either: they never lie over one another or over the word for today. `width` in drawing units; a unit is a pixel.
    """
    left, y = 26.0, 46.0
    line = width - 2 * left
    x_now = left + line * today if today is not None else left
    out = [
        f'<rect x="{_n(left)}" y="{_n(y - 3)}" width="{_n(line)}" height="6" rx="3" class="f-line"/>',
        f'<rect x="{_n(left)}" y="{_n(y - 3)}" width="{_n(x_now - left)}" height="6" rx="3" class="f-brand"/>',
    ]
    out += [f'<rect x="{_n(left + line * t)}" y="{_n(y - 3)}" width="1" height="6" class="tick"/>' for t in ticks]
    half = LETTER * len(today_label) / 2 + GAP
    above: list[tuple[float, float]] = [(x_now - half, x_now + half)] if today is not None else []
    below: list[tuple[float, float]] = []
    for stone in sorted(milestones, key=lambda m: m.at):
        x = left + line * stone.at
        out.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="5" stroke-width="3" class="ring{"" if stone.past else " next"}">'
            f"<title>{escape(stone.title)} {escape(stone.note)}</title></circle>"
        )
        anchor, start, end = _caption(x, stone, width)
        for taken, rows in ((below, (y + 22, y + 37)), (above, (y - 29, y - 15))):
            if all(end < a or start > b for a, b in taken):
                taken.append((start - GAP, end + GAP))
                out.append(_text(x, rows[0], anchor, "12.5", "", stone.title))
                out.append(_text(x, rows[1], anchor, "11", ' class="mut"', stone.note))
                break
    if today is not None:
        out.append(f'<rect x="{_n(x_now - 1)}" y="{_n(y - 11)}" width="2" height="22" class="today"/>')
        out.append(_text(x_now, y - 16, "middle", "11.5", ' font-weight="600" class="today"', today_label))
    return f'<svg viewBox="0 0 {_n(width)} 92" role="img" aria-label="{escape(label)}">{"".join(out)}</svg>'


def _caption(x: float, stone: Milestone, width: float) -> tuple[str, float, float]:
    """How a caption is anchored so that it stays inside, and from where to where it reaches."""
    span = max(
        sum(LETTER if ord(c) > 0x2E80 else LETTER * 0.58 for c in stone.title),
        DIGIT * len(stone.note),
    )
    if x - span / 2 < 0:
        return "start", x, x + span
    if x + span / 2 > width:
        return "end", x - span, x
    return "middle", x - span / 2, x + span / 2


def _text(x: float, y: float, anchor: str, size: str, more: str, text: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-size="{size}"{more}>{escape(text)}</text>'
