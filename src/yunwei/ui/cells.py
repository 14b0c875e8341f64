"""Small pieces of HTML that table cells and texts are made of; every text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from markupsafe import Markup, escape

from yunwei.kernel.deadline import end_of

#: tones that the style sheet knows: a word and a dot, never colour alone
TONES = ("ok", "info", "warn", "bad", "unp", "mut")
NOTHING = Markup('<span class="zero">—</span>')


def state(tone: str, word: object) -> Markup:
    """A state: dot and word."""
    return Markup('<span class="state t-{0}"><i class="dot {0}"></i>{1}</span>').format(tone, word)


def chip(tone: str, word: object) -> Markup:
    """A state in a pill."""
    return Markup('<span class="chip {}"><i></i>{}</span>').format(tone, word)


def link(url: str, text: object, *, code: bool = False) -> Markup:
    """A link; `code` for names that are not to be translated (device codes, ticket numbers)."""
    return Markup('<a href="{}"{}>{}</a>').format(url, Markup(' translate="no"') if code else "", text)


def name(text: object, *, note: object = "") -> Markup:
    """A name out of the data, never translated, with a small second line."""
    small = Markup('<small class="mut">{}</small>').format(note) if note else ""
    return Markup('<b class="name" translate="no">{}</b>{}').format(text, small)


def clause(ids: str | Iterable[str]) -> Markup:
    """Clause tags, each leading to its clause."""
    found = [ids] if isinstance(ids, str) else list(ids)
    return Markup(" ").join(
        Markup('<a class="clause" href="{}#{}" title="{}">{}</a>').format(
            reverse("contract-clauses"), f"c{i}", _("合同条款 {id}").format(id=i), i
        )
        for i in found
    )


def proof(number: int | None, *, waiting: bool = False) -> Markup:
    """The evidence number of what is claimed; `waiting`: recorded, its number is not given yet."""
    if number is not None:
        return Markup('<a class="no num" href="{}">№ {}</a>').format(reverse("evidence-one", args=[number]), number)
    if waiting:
        return Markup('<span class="no t-warn">{}</span>').format(_("待编号"))
    return Markup('<span class="no zero">—</span>')


def stamp(at: datetime | None) -> Markup:
    """Date and time in the instance's zone, with its machine form."""
    if at is None:
        return NOTHING
    there = timezone.localtime(at)
    return Markup('<time class="num" datetime="{}">{}</time>').format(there.isoformat(), f"{there:%Y-%m-%d %H:%M}")


def until(at: datetime | None) -> Markup:
    """When a period ends: a day's end is its own 24:00."""
    if at is None:
        return NOTHING
    there = timezone.localtime(at)
    return Markup('<time class="num" datetime="{}">{}</time>').format(there.isoformat(), end_of(there))


def figure(n: object, tone: str = "ink") -> Markup:
    """A count; zero is muted, never green."""
    if n in (0, None, ""):
        return Markup('<span class="num zero">–</span>')
    return Markup('<span class="num t-{}">{}</span>').format(tone, n)


def text(value: Any) -> Markup:
    """Plain text; nothing is a dash."""
    return NOTHING if value in (None, "") else escape(value)
