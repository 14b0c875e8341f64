"""The template environment: Chinese message ids through gettext, autoescape on, undefined names fail."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import reverse
from django.utils import timezone, translation
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from yunwei.charts import series, svg
from yunwei.ui import cells, pages, words


def _local(value: datetime | None, form: str) -> str:
    return timezone.localtime(value).strftime(form) if value else "—"


def hm(value: datetime | None) -> str:
    """Time of day in the instance's zone."""
    return _local(value, "%H:%M")


def day(value: datetime | None) -> str:
    """Date in the instance's zone."""
    return _local(value, "%Y-%m-%d")


def stamp(value: datetime | None) -> str:
    """Date and time in the instance's zone."""
    return _local(value, "%Y-%m-%d %H:%M")


def money(value: Decimal) -> str:
    """Yuan with fen."""
    return f"¥ {value:,.2f}"


def environment(**options: Any) -> Environment:
    """Called by Django for its Jinja2 backend."""
    options |= {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True, "autoescape": True}
    env = Environment(**options, extensions=["jinja2.ext.i18n"])  # noqa: S701 - autoescape is in the options
    env.install_gettext_callables(translation.gettext, translation.ngettext, newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(static=staticfiles_storage.url, url=reverse, ring=_safe(svg.ring), clock=_safe(svg.clock))
    env.globals.update(bar=_safe(svg.bar), year_line=_safe(svg.year_line))
    env.globals.update(series_line=_safe(series.line), series_spark=_safe(series.spark))
    env.globals.update(series_states=_safe(series.states), series_days=_safe(series.calendar))
    env.globals.update(cells=cells, words=words, pages_named=pages.REGISTRY)
    env.filters.update(hm=hm, day=day, stamp=stamp, money=money)
    return env


def _safe(draw: Any) -> Any:
    """Our own drawings escape every text themselves."""
    return lambda *args, **named: Markup(draw(*args, **named))  # noqa: S704
