"""Passwords: which one is good enough, and how it is changed. What a password is never leaves this module's arguments:
errors name the rule, the ledger says that it was changed."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts import sessions
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Ended, OldPassword
from yunwei.accounts.policy import Policy, policy
from yunwei.accounts.strength import classes, generate
from yunwei.ledger import services as ledger

#: a longer one is no better, and hashing it costs
LONGEST = 128


def faults(password: str, username: str, rules: Policy) -> list[str]:
    """What is wrong with a new password, as sentences; empty when it will do."""
    found = []
    if len(password) < rules.min_length:
        found.append(_("至少 {n} 个字符").format(n=rules.min_length))
    if len(password) > LONGEST:
        found.append(_("最多 {n} 个字符").format(n=LONGEST))
    if classes(password) < rules.classes:
        found.append(_("小写字母、大写字母、数字、其他字符四类中至少 {n} 类").format(n=rules.classes))
    if username and username.casefold() in password.casefold():
        found.append(_("不能含有账号名"))
    return found


def demands(rules: Policy) -> list[str]:
    """The rules, for the form that asks for a new password."""
    told = [*faults("", "", rules), _("不能含有账号名")]
    if rules.history:
        told.append(_("不能是最近 {n} 次用过的口令").format(n=rules.history))
    return told


def change(account: Account, new: str, *, now: datetime, keep: str | None = None) -> None:
    """The owner's own change. Raises AccountError, naming every rule that is not met.

    All sessions of the account end but `keep`, the session that the change was made from.
    """
    rules = policy()
    found = faults(new, account.username, rules)
    if not found and _used(account, new, rules):
        found.append(_("不能是最近 {n} 次用过的口令").format(n=max(rules.history, 1)))
    if found:
        raise AccountError(_("新口令不合要求：{faults}").format(faults="；".join(found)), where=account.username)
    _store(account, new, must_change=False, by=account.username, kind="accounts.password.changed", now=now, keep=keep)


def give(account: Account, *, by: str, now: datetime, kind: str = "accounts.password.given") -> str:
    """A first password that somebody hands over; it is changed at the first login where the policy says so. Given back
    once, kept nowhere in clear."""
    made = generate(max(16, policy().min_length))
    _store(account, made, must_change=policy().change_first, by=by, kind=kind, now=now, keep=None)
    return made


def expired(account: Account, rules: Policy, now: datetime) -> bool:
    """Whether the password is older than the policy allows. One that no service ever set has no age."""
    if not rules.max_age_days or account.password_changed_at is None:
        return False
    return now - account.password_changed_at >= timedelta(days=rules.max_age_days)


def must_change(account: Account, rules: Policy, now: datetime) -> bool:
    """Whether the account may do nothing before it has a new password."""
    return account.has_usable_password() and (account.must_change or expired(account, rules, now))


def _used(account: Account, new: str, rules: Policy) -> bool:
    if account.has_usable_password() and check_password(new, account.password):
        return True
    old = OldPassword.objects.filter(account=account).order_by("-pk")[: max(rules.history - 1, 0)]
    return any(check_password(new, row.password) for row in old)


def _store(
    account: Account, new: str, *, must_change: bool, by: str, kind: str, now: datetime, keep: str | None
) -> None:
    rules = policy()
    with transaction.atomic():
        if account.has_usable_password() and rules.history:
            OldPassword.objects.create(account=account, password=account.password)
            kept = OldPassword.objects.filter(account=account).order_by("-pk").values_list("pk", flat=True)
            OldPassword.objects.filter(account=account).exclude(pk__in=list(kept[: rules.history])).delete()
        account.password, account.must_change, account.password_changed_at = make_password(new), must_change, now
        account.save(update_fields=["password", "must_change", "password_changed_at"])
        sessions.end_all(account, Ended.PASSWORD, now=now, keep=keep)
        ledger.record(kind, account.username, {"must_change": must_change}, at=now, actor=by)
