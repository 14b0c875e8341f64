"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "yunwei.ledger"
    label = "ledger"
