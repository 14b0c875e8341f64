"""Every address of the console."""

from __future__ import annotations

from django.urls import path

from yunwei.duties.web import events, today
from yunwei.ui import views

urlpatterns = [
    path("", today.today, name="today"),
    path("today/body", today.body, name="today-body"),
    path("events", events.events, name="events"),
    path("login", views.log_in, name="login"),
    path("logout", views.log_out, name="logout"),
    path("language", views.language, name="language"),
]
