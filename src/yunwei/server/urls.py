"""Every address: the pages of each area's `web/urls.py` and the API routes of its `web/api.py`, found by walking."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from django.urls import URLPattern, URLResolver, path

from yunwei.ui import api, pages

PACKAGE = Path(__file__).resolve().parent.parent


def _found(file: str) -> list[str]:
    return sorted(f"yunwei.{p.parent.parent.name}.web.{file}" for p in PACKAGE.glob(f"*/web/{file}.py"))


for _module in _found("api"):
    api.API.add_router("", import_module(_module).router)

urlpatterns: list[URLPattern | URLResolver] = [
    *(pattern for module in _found("urls") for pattern in pages.register(import_module(module).PAGES)),
    path("api/v1/", api.API.urls),
]

handler400 = "yunwei.ui.errors.unreadable"
handler403 = "yunwei.ui.errors.denied"
handler404 = "yunwei.ui.errors.missing"
handler500 = "yunwei.ui.errors.broken"
