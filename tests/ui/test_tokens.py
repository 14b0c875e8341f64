"""The colours people read: contrast of every text token on every ground it stands on, light and dark (WCAG 1.4.3)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import yunwei.ui

SHEET = (Path(yunwei.ui.__file__).parent / "static" / "yw" / "yw.css").read_text(encoding="utf-8")
TEXT = ("ink", "mut", "brand", "ok", "info", "warn", "bad", "unp")
GROUNDS = ("paper", "card")
#: text on a coloured ground: (text token or colour, ground token)
PAIRS = (
    ("on-brand", "brand"), ("brand", "brand-2"), ("on-seal", "seal"), ("seal-ink", "card"), ("seal-ink", "paper"),
    ("ink", "hu-2"), ("on-h5", "h5"), ("on-h4", "h4"), ("on-h3", "h3"), ("on-h2", "h2"), ("on-h1", "h1"),
)  # fmt: skip


def tokens(theme: str) -> dict[str, str]:
    light = re.search(r":root \{(.*?)\}", SHEET, re.DOTALL)
    dark = re.search(r'\[data-theme="dark"\] \{(.*?)\}', SHEET, re.DOTALL)
    assert light
    assert dark
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", light[1]))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", dark[1])) if theme == "dark" else {})


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(d * 2 for d in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_the_standards():
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_ground(theme):
    known = tokens(theme)
    pairs = [(text, ground) for text in TEXT for ground in GROUNDS] + list(PAIRS)
    weak = {
        f"{text} on {ground}": round(contrast(known.get(text, text), known[ground]), 2)
        for text, ground in pairs
        if contrast(known.get(text, text), known[ground]) < 4.5
    }
    assert not weak


def test_every_colour_of_the_sheet_is_a_token_or_explained():
    rules = SHEET.split("/* frame */")[1]
    assert set(re.findall(r"#[0-9a-f]{3,6}\b", rules)) <= {"#fff"}, "a colour that the dark theme does not know"
