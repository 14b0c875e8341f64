"""From a document tree to files: PDF and pages by typst, DOCX by `word`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from yunwei.reports.blocks import Document
from yunwei.reports.typeset import Press, breakable, mapped

JSON = Any


def printable(document: Document, press: Press) -> dict[str, JSON]:
    """The tree as data in which every character has a glyph and no word is too long for its cell."""
    plain: dict[str, JSON] = mapped(msgspec.to_builtins(_defaults(document)), press.text)
    return plain


def _defaults(document: Document) -> Any:
    """Structs to plain data with every field written out: templates then ask for no field that may be missing."""
    if isinstance(document, msgspec.Struct):
        told = {name: _defaults(getattr(document, name)) for name in document.__struct_fields__}
        tag = document.__struct_config__.tag
        return told | ({"type": tag} if tag else {})
    if isinstance(document, list | tuple):
        return [_defaults(item) for item in document]
    return document


def content(document: Document, press: Press, *, author: str, keywords: list[str], origin: str) -> dict[str, JSON]:
    """What the typst template of reports is given."""
    told: dict[str, JSON] = mapped(printable(document, press), breakable)
    told |= {
        "author": press.text(author), "keywords": [press.text(k) for k in keywords], "origin": press.text(origin),
        "words": {"contents": _("目　录")},
    }  # fmt: skip
    _draw(told["sections"], press)
    return told


def _draw(sections: list[dict[str, JSON]], press: Press) -> None:
    """Give every drawing in a tree its colours and font."""
    for section in sections:
        for block in section["blocks"]:
            if block["type"] == "chart":
                block["svg"] = press.drawing(block["svg"])
        _draw(section["sections"], press)


def pdf(told: Mapping[str, JSON], press: Press, at: datetime) -> bytes:
    """The report as PDF."""
    return press.pdf("report.typ", told, at=at)
