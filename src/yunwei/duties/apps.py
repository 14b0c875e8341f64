"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class DutiesConfig(AppConfig):
    name = "yunwei.duties"
    label = "duties"

    def ready(self) -> None:
        """Be told of results after inspect (10) has given its verdict."""
        from yunwei.duties.running import on_run
        from yunwei.runs.services import observe

        observe(20, on_run)
