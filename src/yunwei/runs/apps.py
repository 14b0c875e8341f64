"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "yunwei.runs"
    label = "runs"
