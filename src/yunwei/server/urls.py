"""Every address of the console: the pages that each area's `web/urls.py` holds, found by walking."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from django.urls import URLPattern

from yunwei.ui import pages

PACKAGE = Path(__file__).resolve().parent.parent


def _areas() -> list[str]:
    return sorted(f"yunwei.{p.parent.parent.name}.web.urls" for p in PACKAGE.glob("*/web/urls.py"))


urlpatterns: list[URLPattern] = [pattern for area in _areas() for pattern in pages.register(import_module(area).PAGES)]

handler403 = "yunwei.ui.errors.denied"
handler404 = "yunwei.ui.errors.missing"
handler500 = "yunwei.ui.errors.broken"
