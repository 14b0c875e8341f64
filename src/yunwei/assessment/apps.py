"""The Django app of this room."""

from __future__ import annotations

from django.apps import AppConfig


class AssessmentConfig(AppConfig):
    name = "yunwei.assessment"
    label = "assessment"
