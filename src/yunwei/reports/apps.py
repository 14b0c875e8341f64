"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "yunwei.reports"
    label = "reports"
