"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class DutiesConfig(AppConfig):
    name = "yunwei.duties"
    label = "duties"
