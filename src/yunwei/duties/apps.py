"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class DutiesConfig(AppConfig):
    name = "yunwei.duties"
    label = "duties"

    def ready(self) -> None:
        """Be told of results after inspect (10) has given its verdict; be asked before people change."""
        from yunwei.accounts import staff
        from yunwei.duties.running import on_run
        from yunwei.duties.staffing import prior
        from yunwei.runs.services import observe

        observe(20, on_run)
        staff.on_change(prior)
