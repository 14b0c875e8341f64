"""Making and changing accounts; every change is in the ledger."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction

from yunwei.accounts.models import Account, Organisation, PartyOf, Role
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _
from yunwei.ledger import services as ledger


class AccountError(YunweiError):
    """An account cannot be made or changed like that."""


#: characters of an account's name and of its owner's
LONGEST = 40
#: which side each business role stands on; officers may be of either side, assessors are third parties
PARTY_OF_ROLE = {
    Role.A_LEADER: PartyOf.A,
    Role.A_MANAGER: PartyOf.A,
    Role.A_FINANCE: PartyOf.A,
    Role.A_SUPERIOR: PartyOf.SUPERIOR,
    Role.TENANT: PartyOf.TENANT,
    Role.B_MANAGER: PartyOf.B,
    Role.B_DESK: PartyOf.B,
    Role.B_ENGINEER: PartyOf.B,
    Role.B_REMOTE: PartyOf.B,
    Role.B_CRYPTO: PartyOf.B,
    Role.B_CUSTODIAN: PartyOf.B,
    Role.B_DOCUMENTS: PartyOf.B,
    Role.ASSESSOR: PartyOf.THIRD,
}


def create_account(
    *, username: str, display_name: str, role: str, organisation: Organisation, password: str, by: str, now: datetime
) -> Account:
    """Make an account. Raises AccountError for an unknown role, a role of the other side, or a name in use.

    Made by an officer of the other side it sleeps until an officer of its own side wakes it (`activate`): else whoever
    administers the system could make an account of the other side and confirm its own work with it.
    """
    try:
        known = Role(role)
    except ValueError:
        raise AccountError(_("没有角色“{role}”").format(role=role), hint="、".join(Role.values)) from None
    side = PARTY_OF_ROLE.get(known)
    if side is not None and organisation.party != side:
        raise AccountError(
            _("角色“{role}”属于{side}，而“{unit}”是{party}").format(
                role=known.label, side=side.label, unit=organisation.name, party=organisation.get_party_display()
            ),
            hint=_("换一个角色，或换一个单位"),
        )
    if not 0 < len(username) <= LONGEST or not 0 < len(display_name) <= LONGEST or not username.isprintable():
        raise AccountError(_("账号名与姓名各为 1 至 {n} 个字符").format(n=LONGEST), hint=_("换一个账号名"))
    if ":" in username:
        raise AccountError(_("账号名不能含冒号"), hint=_("冒号留给软件自己的名称，如 system:duties"))
    if Account.objects.filter(username=username).exists():
        raise AccountError(_("账号名“{name}”已被使用").format(name=username), hint=_("换一个账号名"))
    maker = Account.objects.select_related("organisation").filter(username=by).first()
    active = maker is None or {maker.party, organisation.party} != {PartyOf.A, PartyOf.B}
    with transaction.atomic():
        account = Account.objects.create(
            username=username, display_name=display_name, role=known, organisation=organisation, password=password,
            is_active=active,
        )  # fmt: skip
        ledger.record(
            "accounts.account.created",
            username,
            {"role": known.value, "organisation": organisation.code, "party": organisation.party, "active": active},
            at=now,
            actor=by,
        )
    return account


def activate(account: Account, *, by: Account, now: datetime) -> None:
    """Wake an account that an officer of the other side made. Raises AccountError unless `by` is a security officer of
    the account's own side, who did not make it (三员: one officer makes an account, another one lets it in)."""
    if by.role != Role.SECADMIN or not by.is_active or by.party != account.party or by.pk == account.pk:
        raise AccountError(_("账号由其所属一方的安全管理员启用"), where=account.username)
    if account.is_active:
        raise AccountError(_("账号已经启用"), where=account.username)
    with transaction.atomic():
        account.is_active = True
        account.save(update_fields=["is_active"])
        ledger.record("accounts.account.activated", account.username, {}, at=now, actor=by.username)


def set_password(account: Account, password: str, *, by: str, now: datetime) -> None:
    """Give an account a new password; the ledger records that it was done, never what it is."""
    with transaction.atomic():
        account.password = make_password(password)
        account.failed_logins = 0
        account.locked_until = None
        account.save(update_fields=["password", "failed_logins", "locked_until"])
        ledger.record("accounts.password.changed", account.username, {}, at=now, actor=by)
