"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "yunwei.desk"
    label = "desk"

    def ready(self) -> None:
        """Be told of results after inspect (10) and duties (20)."""
        from yunwei.desk.services import on_run
        from yunwei.runs.services import observe

        observe(30, on_run)
