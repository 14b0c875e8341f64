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
        f'<text x="60" y="62" text-anchor="middle" font-size="27" font-weight="600">{escape(big)}</text>'
        f'<text x="60" y="79" text-anchor="middle" font-size="10.5" class="mut">{escape(sub)}</text></svg>'
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


def year_line(milestones: Sequence[Milestone], today: float | None, today_label: str, label: str) -> str:
    """The contract year as a line from 0 to 1 with its milestones; captions take turns above and below."""
    left, width, y = 40.0, 1120.0, 46.0
    x_now = left + width * today if today is not None else left
    out = [
        f'<rect x="{_n(left)}" y="{_n(y - 3)}" width="{_n(width)}" height="6" rx="3" class="f-line"/>',
        f'<rect x="{_n(left)}" y="{_n(y - 3)}" width="{_n(x_now - left)}" height="6" rx="3" class="f-brand"/>',
    ]
    below_free = above_free = -1e9
    for stone in sorted(milestones, key=lambda m: m.at):
        x = left + width * stone.at
        anchor = "start" if stone.at < 0.04 else "end" if stone.at > 0.96 else "middle"
        span = 12.5 * max(len(stone.title), len(stone.note) * 0.6)
        start = x - (0 if anchor == "start" else span if anchor == "end" else span / 2)
        above = start < below_free and start >= above_free
        if above:
            above_free = start + span + 10
        else:
            below_free = start + span + 10
        row = (y - 26, y - 12) if above else (y + 22, y + 37)
        out.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="5" stroke-width="3" class="ring{"" if stone.past else " next"}"/>'
        )
        out.append(
            f'<text x="{_n(x)}" y="{_n(row[0])}" text-anchor="{anchor}" font-size="12.5">{escape(stone.title)}</text>'
        )
        out.append(
            f'<text x="{_n(x)}" y="{_n(row[1])}" text-anchor="{anchor}" font-size="11" class="mut">{escape(stone.note)}</text>'
        )
    if today is not None:
        out.append(f'<rect x="{_n(x_now - 1)}" y="{_n(y - 11)}" width="2" height="22" class="today"/>')
        out.append(
            f'<text x="{_n(x_now)}" y="{_n(y - 15)}" text-anchor="middle" font-size="11.5" font-weight="600" '
            f'class="today">{escape(today_label)}</text>'
        )
    return f'<svg viewBox="0 0 1200 92" role="img" aria-label="{escape(label)}">{"".join(out)}</svg>'
