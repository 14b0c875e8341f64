"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class AssetsConfig(AppConfig):
    name = "yunwei.assets"
    label = "assets"
