"""Making and changing accounts; every change is in the ledger.

The three officers (三员): the system officer makes an account, which sleeps; the security officer grants its role and wakes
it; the auditor reads. No account is two of them (one column), no person has two accounts in one organisation (`person`),
and 乙方's officers, who are graded, have no hand on other sides' accounts.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yunwei.accounts import passwords, sessions, throttle, totp
from yunwei.accounts.errors import AccountError
from yunwei.accounts.models import Account, Ended, Organisation, PartyOf, Role
from yunwei.accounts.policy import policy
from yunwei.ledger import services as ledger

__all__ = ["AccountError"]

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
OFFICERS = frozenset({Role.SYSADMIN, Role.SECADMIN, Role.AUDITOR})
BUSINESS = frozenset({PartyOf.A, PartyOf.B})


def create_account(
    *, username: str, display_name: str, role: str, organisation: Organisation, by: str, now: datetime,
    password: str = "", person: str = "",
) -> Account:  # fmt: skip
    """Make an account. Raises AccountError for an unknown role, a role of the other side, or a name in use.

    Made by an officer it sleeps, without a password, until a security officer who did not make it wakes it: else whoever
    administers the system could make an account of the other side and confirm its own work with it. What `init` makes
    is awake. `password`, where one is given, is a first one; `person` is the owner's number with the organisation.
    """
    known = _role(role, organisation)
    _names(username, display_name, person, organisation)
    maker = Account.objects.filter(username=by).first()
    active = by.startswith("system:")  # no account has such a name
    if not active and (maker is None or maker.role != Role.SYSADMIN or not maker.is_active):
        raise AccountError(_("只有系统管理员可以建立账号"), where=by)
    with transaction.atomic():
        account = Account.objects.create(
            username=username, display_name=display_name, role=known, organisation=organisation, person=person,
            made_by=by, is_active=active, password=password,
            must_change=bool(password) and policy().change_first, password_changed_at=now if password else None,
        )  # fmt: skip
        ledger.record(
            "accounts.account.created",
            username,
            {
                "role": known.value, "organisation": organisation.code, "party": organisation.party, "active": active,
                "password": bool(password),
            },
            at=now,
            actor=by,
        )  # fmt: skip
    return account


def _role(role: str, organisation: Organisation) -> Role:
    """The role, if it stands on the organisation's side. Raises AccountError."""
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
    return known


def _names(username: str, display_name: str, person: str, organisation: Organisation) -> None:
    if not 0 < len(username) <= LONGEST or not 0 < len(display_name) <= LONGEST or len(person) > LONGEST:
        raise AccountError(_("账号名与姓名各为 1 至 {n} 个字符").format(n=LONGEST), hint=_("换一个账号名"))
    if not (username + display_name + person).isprintable():
        raise AccountError(_("账号名与姓名各为 1 至 {n} 个字符").format(n=LONGEST), hint=_("换一个账号名"))
    if ":" in username:
        raise AccountError(_("账号名不能含冒号"), hint=_("冒号留给软件自己的名称，如 system:duties"))
    if Account.objects.filter(username=username).exists():
        raise AccountError(_("账号名“{name}”已被使用").format(name=username), hint=_("换一个账号名"))
    if person and Account.objects.filter(organisation=organisation, person=person).exists():
        raise AccountError(
            _("人员编号“{person}”在这个单位已有账号").format(person=person),
            hint=_("一人一个账号：三员互不兼任，也不兼业务角色"),
        )


def may_govern(by: Account, account: Account) -> bool:
    """Whether a security officer may wake, put to sleep, unlock or give a role to this account.

    Never the own account, never one that the same officer made, and 乙方's officer only accounts of 乙方. An account of
    one party that the other party's officer made is its own security officer's alone to wake.
    """
    if by.role != Role.SECADMIN or not by.is_active or by.pk == account.pk or by.username == account.made_by:
        return False
    if by.party == account.party:
        return True
    maker = Account.objects.select_related("organisation").filter(username=account.made_by).first()
    foreign = maker is not None and {maker.party, account.party} == BUSINESS
    return by.party != PartyOf.B and not foreign


def _govern(by: Account, account: Account) -> None:
    if not may_govern(by, account):
        raise AccountError(
            _("这个账号不归您管理"), where=account.username,
            hint=_("由其所属一方的安全管理员办理；不能是本人，也不能是建立它的人"),
        )  # fmt: skip


def may_hand(by: Account, account: Account) -> bool:
    """Whether an officer may see a password of this account, to hand it over: one of its own side, so that neither party
    ever holds a password of the other; for departments and third parties one who is not of 乙方."""
    if by.role not in (Role.SYSADMIN, Role.SECADMIN) or not by.is_active or by.pk == account.pk:
        return False
    return by.party == account.party if account.party in BUSINESS else by.party != PartyOf.B


def activate(account: Account, *, by: Account, now: datetime) -> str:
    """Wake an account that sleeps; gives its first password where it has none yet and `by` may hand it over ("" else: an
    officer of its own side then calls `new_password`).

    Raises AccountError unless `by` may (`may_govern`): one officer makes an account, another one lets it in.
    """
    _govern(by, account)
    if account.is_active:
        raise AccountError(_("账号已经启用"), where=account.username)
    with transaction.atomic():
        account.is_active = True
        account.save(update_fields=["is_active"])
        ledger.record("accounts.account.activated", account.username, {}, at=now, actor=by.username)
        if account.has_usable_password() or not may_hand(by, account):
            return ""
        return passwords.give(account, by=by.username, now=now)


def put_to_sleep(account: Account, *, by: Account, now: datetime) -> None:
    """Close an account: it is out at once and cannot get in. Nothing of what it did changes."""
    _govern(by, account)
    if not account.is_active:
        raise AccountError(_("账号没有启用"), where=account.username)
    with transaction.atomic():
        account.is_active = False
        account.save(update_fields=["is_active"])
        sessions.end_all(account, Ended.CLOSED, now=now)
        ledger.record("accounts.account.slept", account.username, {}, at=now, actor=by.username)


def change_role(account: Account, role: str, *, by: Account, now: datetime) -> None:
    """Give another role of the same side. Officers stay officers and nobody becomes one: who kept the system, the rules or
    the records is not let into business by a change of a word, nor the other way round; such a person gets another
    account, and the old one is put to sleep."""
    _govern(by, account)
    known = _role(role, account.organisation)
    if known == account.role:
        raise AccountError(_("账号已经是这个角色"), where=account.username)
    if OFFICERS & {known, Role(account.role)}:
        raise AccountError(_("三员的角色不能改动，也不能由别的角色改来"), where=account.username)
    with transaction.atomic():
        before, account.role = account.role, known.value
        account.save(update_fields=["role"])
        sessions.end_all(account, Ended.CLOSED, now=now)
        data = {"role": known.value, "before": before}
        ledger.record("accounts.account.role", account.username, data, at=now, actor=by.username)


def unlock(account: Account, *, by: Account, now: datetime) -> None:
    """Open the lock that failed logins made."""
    _govern(by, account)
    with transaction.atomic():
        if not throttle.clear(account.username):
            raise AccountError(_("账号没有被锁定"), where=account.username)
        ledger.record("accounts.unlocked", account.username, {}, at=now, actor=by.username)


def new_password(account: Account, *, by: Account, now: datetime) -> str:
    """A first password for an account that is awake and has none, or for who forgot theirs; told once to the officer who
    hands it over. It is changed at the next login, so an officer who used it would be found out by its owner."""
    if not may_hand(by, account):
        hint = _("由其所属一方的系统管理员或安全管理员办理：任何一方都不经手另一方的口令")
        raise AccountError(_("这个账号的口令不归您发放"), where=account.username, hint=hint)
    if not account.is_active:
        raise AccountError(_("账号没有启用"), where=account.username)
    kind = "accounts.password.reset" if account.has_usable_password() else "accounts.password.given"
    with transaction.atomic():
        throttle.clear(account.username)
        return passwords.give(account, by=by.username, now=now, kind=kind)


def reset_totp(account: Account, *, by: Account, now: datetime) -> None:
    """Take away the second factor of who lost it; the next login sets up another where the policy wants one."""
    _govern(by, account)
    with transaction.atomic():
        totp.remove(account, by=by.username, now=now)
        sessions.end_all(account, Ended.CLOSED, now=now)
