"""Tokens for programs: made by their owner, shown once, with scopes and an end; each making and revoking is recorded."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts.models import Account, Token
from yunwei.gm import sm3
from yunwei.kernel.errors import YunweiError
from yunwei.ledger import services as ledger

PREFIX = "yw_"
#: 等保 asks that passwords change within 90 days; a program's key is random and scoped, our limit is a year
MAX_DAYS = 365
MAX_LIVE = 20
#: characters of a token's name, as its column has them
NAME = 60
#: how exactly `used_at` is kept: a write on every request would cost more than the request
USED_EVERY = timedelta(minutes=5)


class Scope(StrEnum):
    """What a token may be for."""

    READ = "read"  # what the role sees, evidence aside
    EVIDENCE = "evidence"  # records and their export
    TICKETS = "tickets"  # open, comment and move tickets


class TokenError(YunweiError):
    """A token cannot be made or revoked like that."""


def make(account: Account, name: str, scopes: Iterable[str], days: int, *, now: datetime) -> tuple[Token, str]:
    """A new token and its secret, which is never seen again. Raises TokenError for a bad name, scope or term."""
    name, wanted = name.strip(), sorted({str(s) for s in scopes})
    if not name or len(name) > NAME:
        raise TokenError(_("请给令牌起名，最多 60 个字"))
    if not wanted or not set(wanted) <= {s.value for s in Scope}:
        raise TokenError(_("请选择令牌的范围"))
    if not 1 <= days <= MAX_DAYS:
        raise TokenError(_("有效期为 1 至 {n} 天").format(n=MAX_DAYS))
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        live = Token.objects.filter(account=account, revoked_at=None, expires_at__gt=now).count()
        if live >= MAX_LIVE:
            raise TokenError(_("有效的令牌已达 {n} 个").format(n=MAX_LIVE), hint=_("先吊销不用的"))
        token = Token.objects.create(
            account=account,
            name=name,
            digest=_digest(secret),
            scopes=wanted,
            made_at=now,
            expires_at=now + timedelta(days=days),
        )
        told = {"token": token.pk, "scopes": wanted, "until": ledger.stamp(token.expires_at)}
        ledger.record("accounts.token.made", account.username, told, at=now, actor=account.username)
    return token, secret


def revoke(account: Account, token_id: int, *, now: datetime) -> Token:
    """End one of one's own tokens. Raises TokenError when there is none."""
    with transaction.atomic():
        token = Token.objects.select_for_update().filter(pk=token_id, account=account, revoked_at=None).first()
        if token is None:
            raise TokenError(_("没有这个令牌"))
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        ledger.record("accounts.token.revoked", account.username, {"token": token.pk}, at=now, actor=account.username)
    return token


def check(secret: str, now: datetime) -> Token | None:
    """The live token of a live account, or None. One statement, and one more when its last use is told anew."""
    if not secret.startswith(PREFIX) or len(secret) > 100:
        return None
    found = (
        Token.objects.select_related("account__organisation")
        .filter(digest=_digest(secret), revoked_at=None, expires_at__gt=now, account__is_active=True)
        .first()
    )
    if found is not None and (found.used_at is None or now - found.used_at > USED_EVERY):
        Token.objects.filter(pk=found.pk).update(used_at=now)
    return found


def _digest(secret: str) -> str:
    return sm3.digest(secret.encode()).hex()
