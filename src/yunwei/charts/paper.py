"""The same drawing for paper: a stand-alone SVG whose colour classes a small sheet inside it gives literal colours.

Pages colour the classes by their own sheet and theme; a document has no sheet, so it gets this one. The drawing itself
is not touched. The colours are the console's light ones (ui/static/yw/yw.css), which were measured for contrast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from yunwei.kernel.errors import YunweiError

#: class of a tone, without its prefix → colour
PAPER: Mapping[str, str] = {
    "ok": "#1f7a5c",
    "info": "#2f6698",
    "warn": "#d08a1e",
    "bad": "#c0352b",
    "unp": "#6a4c93",
    "mut": "#9aa5ab",
    "line": "#e3e6e4",
    "brand": "#0f5257",
}
INK, MUTED, SEAL = "#17212b", "#57626b", "#b5342a"
#: what XML 1.0 cannot hold: one of these in a device's name would cost the whole drawing
_BROKEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_VIEW = re.compile(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)"')


def sheet(family: str) -> str:
    """The rules: one line a class, the font of all texts."""
    tones = "".join(f".f-{name}{{fill:{colour}}}.s-{name}{{stroke:{colour}}}" for name, colour in PAPER.items())
    return (
        f'text{{font-family:"{family}";fill:{INK}}}.mut{{fill:{MUTED}}}.arc,.bg{{fill:none}}.bg{{stroke:#eef0ee}}'
        f".tick{{fill:#fff}}.ring{{fill:#fff;stroke:{PAPER['brand']}}}.ring.next{{stroke:{PAPER['mut']}}}"
        f".today{{fill:{SEAL}}}{tones}"
    )


def on_paper(svg: str, family: str) -> str:
    """A drawing of this room as a file by itself, set in the font `family`. Raises YunweiError for anything else."""
    if _VIEW.match(svg) is None or not re.fullmatch(r"[^\"<>&{};\\]+", family):
        raise YunweiError("not a drawing of ours", where=svg[:60])
    clean = _BROKEN.sub("\ufffd", svg)
    head, _bracket, rest = clean.partition(">")
    return f'<svg xmlns="http://www.w3.org/2000/svg"{head[4:]}><style>{sheet(family)}</style>{rest}'


def size(svg: str) -> tuple[float, float]:
    """Width and height of a drawing in its own units. Raises YunweiError for what is no drawing of ours."""
    found = _VIEW.search(svg)
    if found is None:
        raise YunweiError("not a drawing of ours", where=svg[:60])
    return float(found[1]), float(found[2])
