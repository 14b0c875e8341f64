"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class InspectConfig(AppConfig):
    name = "yunwei.inspect"
    label = "inspect"

    def ready(self) -> None:
        from yunwei.inspect import services
        from yunwei.runs.services import observe

        observe(10, services.on_run)
