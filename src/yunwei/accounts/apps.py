"""The Django app of this room."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "yunwei.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Whoever is logged in, by whichever door, has a session that is written down and has its limits. A policy that
        cannot be meant stops the process here, by the name of its key."""
        from django.contrib.auth.signals import user_logged_in

        from yunwei.accounts import oidc, policy

        policy.policy()
        oidc.provider()
        user_logged_in.connect(_begin, dispatch_uid="yunwei.accounts.sessions")


def _begin(request: Any, user: Any, **_: Any) -> None:
    from yunwei.accounts import addresses, sessions, wall

    agent = str(request.META.get("HTTP_USER_AGENT", ""))
    sessions.begin(request.session, user, address=addresses.of(request), agent=agent, at=wall.now())
