"""A reading over time: its line, the limits that judged it, and the times at which nobody saw it.

What was not seen is a gap with a mark of its own at the foot of the plot; nothing is drawn across it, because a line
there would be a claim. Like all drawings here: colours are classes, texts are escaped, equal input gives equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from html import escape

from yunwei.charts.svg import _n, _text

#: tones of points that are drawn as dots; a healthy reading is the line itself
MARKED = frozenset({"warn", "bad", "unp"})
#: plot area of `line` inside its picture, in drawing units
LEFT, RIGHT, TOP, BOTTOM = 52.0, 12.0, 10.0, 26.0


@dataclass(frozen=True, slots=True)
class Point:
    """One look. `at` 0..1 of the window; `value` None: nothing was seen (tone "unp") or nobody looked (tone "mut").

    `limits` are those that judged it, each (tone, figure); `label` is its hint.
    """

    at: float
    value: float | None
    tone: str = "ok"
    limits: tuple[tuple[str, float], ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where values lie in the picture."""

    left: float
    width: float
    top: float
    height: float
    low: float
    high: float

    def x(self, at: float) -> float:
        return self.left + self.width * min(max(at, 0.0), 1.0)

    def y(self, value: float) -> float:
        span = self.high - self.low
        return self.top + self.height * (1 - (value - self.low) / span) if span else self.top + self.height / 2


def runs(points: Sequence[Point]) -> Iterator[list[Point]]:
    """The points between two gaps."""
    part: list[Point] = []
    for point in points:
        if point.value is not None:
            part.append(point)
        elif part:
            yield part
            part = []
    if part:
        yield part


def spark(points: Sequence[Point], label: str, *, width: float = 240, height: float = 30) -> str:
    """A reading as a line of text height, for tables; without hints, which would weigh more than the line."""
    plot = _Plot(2, width - 4, 3, height - 8, *_bounds(points))
    points = [replace(p, label="") for p in points]
    return _svg(width, height, label, _drawn(points, plot, 1.25, 1.9))


def line(
    points: Sequence[Point],
    label: str,
    *,
    ticks: Sequence[tuple[float, str]] = (),
    width: float = 860,
    height: float = 220,
) -> str:
    """The same with axes; `ticks` are (0..1, text) marks of time."""
    low, high, step = _nice(*_bounds(points))
    plot = _Plot(LEFT, width - LEFT - RIGHT, TOP, height - TOP - BOTTOM, low, high)
    out = []
    for i in range(round((high - low) / step) + 1):
        value = low + i * step
        y = plot.y(value)
        out.append(_rect(plot.left, y - 0.25, plot.width, 0.5, "line"))
        out.append(_text(plot.left - 7, y + 3.5, "end", "10.5", ' class="mut"', figure(value, step)))
    for at, text in ticks:
        out.append(_rect(plot.x(at) - 0.25, plot.top + plot.height, 0.5, 4, "mut"))
        out.append(_text(plot.x(at), height - 8, "middle", "10.5", ' class="mut"', text))
    return _svg(width, height, label, "".join(out) + _drawn(points, plot, 1.6, 2.6))


def states(points: Sequence[Point], label: str, *, width: float = 240, height: float = 14) -> str:
    """A state over time: one mark a look; what is as it should be is a low mark, so that the rest is seen."""
    if not points:
        return _svg(width, height, label, "")
    slim = max(1.5, min(24.0, (width - 4) / len(points) - 1))
    quiet: dict[str, str] = {}
    out = []
    for p in points:
        x = 2 + (width - 4 - slim) * min(max(p.at, 0.0), 1.0)
        if p.tone in MARKED:
            out.append(_rect(x, 2, slim, height - 4, p.tone, p.label))
        else:
            quiet[p.tone] = quiet.get(p.tone, "") + f"M{x:.1f} {_n(height / 2)}h{slim:.1f}"
    low = "".join(f'<path d="{path}" class="arc s-{tone}" stroke-width="3"/>' for tone, path in quiet.items())
    return _svg(width, height, label, low + "".join(out))


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a calendar: `tone` "" for a day on which nobody looked; it needs no hint."""

    day: date
    tone: str
    label: str


def calendar(
    days: Sequence[Day], months: Sequence[str], label: str, *, weeks: int = 0, cell: float = 9, gap: float = 2
) -> str:
    """Days as cells, a column a week, Monday on top; `months` are the twelve names. `weeks` keeps the room of a whole
    year free, so that a cell has the same size in every picture."""
    if not days:
        return _svg(cell, cell, label, "")
    first = days[0].day - timedelta(days=days[0].day.weekday())
    step, head = cell + gap, 14.0
    out, empty, named = [], "", -3 * step
    for one in days:
        week, weekday = divmod((one.day - first).days, 7)
        x = week * step
        if one.day.day == 1 and x - named >= 3 * step:
            out.append(_text(x, 9, "start", "9", ' class="mut"', months[one.day.month - 1]))
            named = x
        y = head + weekday * step
        if one.tone:
            out.append(_rect(x, y, cell, cell, one.tone, one.label, rx="1.5"))
        else:
            empty += f"M{_n(x)} {_n(y)}h{_n(cell)}v{_n(cell)}h-{_n(cell)}z"
    weeks = max(weeks, (days[-1].day - first).days // 7 + 1)
    blank = f'<path d="{empty}" class="f-line"/>' if empty else ""
    return _svg(max(weeks * step - gap, 22), head + 7 * step - gap, label, blank + "".join(out))


def figure(value: float, step: float = 0.0) -> str:
    """A figure for people: as many decimals as the step has, else four digits; large ones in full."""
    if step > 0:
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{value:,.{decimals}f}"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _bounds(points: Sequence[Point]) -> tuple[float, float]:
    """Lowest and highest of values and limits: how far a reading is from its limit is what it is looked at for."""
    told = [p.value for p in points if p.value is not None]
    told += [figure_ for p in points if p.value is not None for _tone, figure_ in p.limits]
    if not told:
        return 0.0, 1.0
    low, high = min(told), max(told)
    room = max(1.0, abs(high) * 1e-3)
    return (low, high) if high > low else (low - room, high + room)


def _nice(low: float, high: float) -> tuple[float, float, float]:
    """Bounds on whole steps of 1, 2 or 5 times a power of ten, with three to six lines."""
    size = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(f * size for f in (1, 2, 5, 10) if (high - low) / (f * size) <= 4.5)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return low, high, step


def _drawn(points: Sequence[Point], plot: _Plot, stroke: float, dot: float) -> str:
    out = [_limits(points, plot)]
    for part in runs(points):
        if len(part) > 1:
            path = " ".join(f"{plot.x(p.at):.1f},{plot.y(p.value or 0.0):.1f}" for p in part)
            out.append(f'<polyline points="{path}" class="arc s-info" stroke-width="{_n(stroke)}"/>')
        shown = [p for p in part if p.tone in MARKED or len(part) == 1]
        out += [_dot(p, plot, dot) for p in shown]
    foot = plot.top + plot.height + 1
    slim = max(1.5, min(6.0, plot.width / max(len(points), 1) - 1))
    for p in points:
        if p.value is None:
            out.append(_rect(plot.x(p.at) - slim / 2, foot, slim, 3, "unp" if p.tone == "unp" else "line", p.label))
    return "".join(out)


def _dot(point: Point, plot: _Plot, size: float) -> str:
    tone = point.tone if point.tone in MARKED else "info"
    hint = f"<title>{escape(point.label)}</title>" if point.label else ""
    x, y = _n(plot.x(point.at)), _n(plot.y(point.value or 0.0))
    return f'<circle cx="{x}" cy="{y}" r="{_n(size)}" class="f-{tone}">{hint}</circle>'


def _limits(points: Sequence[Point], plot: _Plot) -> str:
    """Limits as thin lines, each as long as it held; before the first and after the last look that knew it, to the edge."""
    seen = [p for p in points if p.value is not None]
    out = []
    start = 0
    for i in range(1, len(seen) + 1):
        if i < len(seen) and seen[i].limits == seen[start].limits:
            continue
        left = plot.x(0.0 if start == 0 else seen[start].at)
        right = plot.x(1.0 if i == len(seen) else seen[i].at)
        for tone, value in seen[start].limits:
            y = _n(plot.y(value))
            out.append(
                f'<path d="M{_n(left)} {y}H{_n(right)}" class="arc s-{tone}" stroke-width="1" stroke-dasharray="3 2"/>'
            )
        start = i
    return "".join(out)


def _rect(x: float, y: float, width: float, height: float, tone: str, label: str = "", rx: str = "") -> str:
    round_ = f' rx="{rx}"' if rx else ""
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"{round_} class="f-{tone}"'
    return f"<rect {place}><title>{escape(label)}</title></rect>" if label else f"<rect {place}/>"


def _svg(width: float, height: float, label: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {_n(width)} {_n(height)}" role="img" aria-label="{escape(label)}">{inside}</svg>'
