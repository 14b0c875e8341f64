"""How a password is checked. Who counts the tries and asks for the second factor is `login`; nothing else calls this."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
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
        """The account, or None; each call hashes once, whatever is wrong: an unknown name must not answer faster."""
        if not username or password is None:
            return None
        account = Account.objects.select_related("organisation").filter(username=username).first()
        if account is None or not account.has_usable_password():
            make_password(password)
            return None
        if not account.is_active:
            check_password(password, account.password)
            return None
        return account if account.check_password(password) else None

    def get_user(self, user_id: int) -> Account | None:
        return Account.objects.select_related("organisation").filter(pk=user_id, is_active=True).first()
