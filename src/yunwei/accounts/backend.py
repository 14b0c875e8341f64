"""How a login is checked."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from yunwei.accounts.models import Account


class AccountBackend(BaseBackend):
    """Name and password; no permissions of Django's own are granted, ours go by role (deny by default)."""

    def authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002 - Django hands it over by this name
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> Account | None:
        if not username or password is None:
            return None
        account = Account.objects.select_related("organisation").filter(username=username).first()
        if account is None:
            Account().set_password(password)  # spend the same time: an unknown name must not answer faster
            return None
        return account if account.is_active and account.check_password(password) else None

    def get_user(self, user_id: int) -> Account | None:
        return Account.objects.select_related("organisation").filter(pk=user_id, is_active=True).first()
