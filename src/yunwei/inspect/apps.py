"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class InspectConfig(AppConfig):
    name = "yunwei.inspect"
    label = "inspect"
