"""What this instance demands of passwords, logins and sessions: the table `[accounts]` of yunwei.toml.

The defaults are what an assessment under GB/T 22239-2019 level 3 (8.1.4.1 身份鉴别) usually asks for; the standard names
the kind of measure and leaves the numbers to the site, so each is a setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import PartyOf, Role

#: as settings.py spells them out for Django
HASHERS = ("argon2", "sm3")
TOTP = ("optional", "required")


@dataclass(frozen=True, slots=True)
class Policy:
    """One instance's rules. Names are the keys of `[accounts]`; 0 days: passwords do not age."""

    hasher: str = "argon2"
    min_length: int = 10
    classes: int = 3  # of lower case, upper case, digits, others
    history: int = 5  # a password may come back after so many others
    max_age_days: int = 90
    change_first: bool = True  # a password that somebody else chose is changed at the first login
    failures: int = 5
    lock_minutes: int = 30
    address_failures: int = 20  # from one address, whatever the names; then each further try waits twice as long
    idle_minutes: int = 15
    idle_minutes_client: int = 30  # 甲方 and its departments read more than they click
    session_hours: int = 12
    one_session: bool = True
    totp: str = "optional"
    totp_roles: tuple[str, ...] = ()  # roles that need the second factor even where it is optional
    proxies: tuple[str, ...] = ()  # addresses whose X-Forwarded-For is believed

    def idle(self, party: str) -> timedelta:
        """How long an account of that side may do nothing."""
        client = party in (PartyOf.A, PartyOf.TENANT, PartyOf.SUPERIOR)
        return timedelta(minutes=self.idle_minutes_client if client else self.idle_minutes)

    def needs_totp(self, role: str) -> bool:
        """Whether the role may not be without a second factor."""
        return self.totp == "required" or role in self.totp_roles


def of(table: Mapping[str, Any]) -> Policy:
    """The policy that a table says. Raises AccountError for an unknown key or a value that cannot be meant."""
    known = {f.name: f for f in fields(Policy)}
    given: dict[str, Any] = {}
    for key, value in table.items():
        if key == "oidc":
            continue
        if key not in known:
            raise AccountError(_("没有这项设置"), where=f"[accounts] {key}", hint="、".join(known))
        given[key] = tuple(value) if isinstance(value, list) else value
        if type(given[key]) is not type(known[key].default):
            raise AccountError(_("设置的值类型不对"), where=f"[accounts] {key}", hint=repr(known[key].default))
    policy = Policy(**given)
    _check(policy)
    return policy


def _check(policy: Policy) -> None:
    """Refuse what would switch a rule off by a slip. Raises AccountError."""
    least = {
        "min_length": 8, "classes": 1, "history": 0, "max_age_days": 0, "failures": 1, "lock_minutes": 1,
        "address_failures": 1, "idle_minutes": 1, "idle_minutes_client": 1, "session_hours": 1,
    }  # fmt: skip
    wrong = [key for key, low in least.items() if getattr(policy, key) < low]
    wrong += ["classes"] * (policy.classes > 4) + ["hasher"] * (policy.hasher not in HASHERS)
    wrong += ["totp"] * (policy.totp not in TOTP) + ["totp_roles"] * bool(set(policy.totp_roles) - set(Role.values))
    if wrong:
        raise AccountError(_("设置的值不可用"), where="[accounts] " + "、".join(wrong))


def policy() -> Policy:
    """The policy of this process's instance."""
    return of(getattr(settings, "YUNWEI", {}).get("accounts", {}))
