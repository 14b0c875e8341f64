"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class ContractConfig(AppConfig):
    name = "yunwei.contract"
    label = "contract"
