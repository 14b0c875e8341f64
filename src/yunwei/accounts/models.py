"""People and organisations: one role per account, no superuser (standards §10)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _


class PartyOf(models.TextChoices):
    """Which side an organisation stands on."""

    A = "A", _("甲方")
    B = "B", _("乙方")
    TENANT = "T", _("需求单位")
    SUPERIOR = "S", _("主管单位")
    THIRD = "X", _("第三方")


class Role(models.TextChoices):
    """The one role of an account. The three officers (三员) are never combined with each other or a business role."""

    SYSADMIN = "sysadmin", _("系统管理员")
    SECADMIN = "secadmin", _("安全管理员")
    AUDITOR = "auditor", _("审计管理员")
    A_LEADER = "a_leader", _("甲方分管领导")
    A_MANAGER = "a_manager", _("甲方项目负责人")
    A_FINANCE = "a_finance", _("甲方财务")
    A_SUPERIOR = "a_superior", _("主管单位")
    TENANT = "tenant", _("需求单位用户")
    B_MANAGER = "b_manager", _("乙方项目经理")
    B_DESK = "b_desk", _("服务台")
    B_ENGINEER = "b_engineer", _("驻场工程师")
    B_REMOTE = "b_remote", _("二线与远程")
    B_CRYPTO = "b_crypto", _("密码管理员")
    B_CUSTODIAN = "b_custodian", _("密钥分量保管人")
    B_DOCUMENTS = "b_documents", _("资料员")
    ASSESSOR = "assessor", _("测评与监理")


class Organisation(models.Model):
    """A party to the contract, a tenant department, a superior or a third party."""

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=120)
    party = models.CharField(max_length=1, choices=PartyOf.choices)

    def __str__(self) -> str:
        return self.name


class AccountManager(BaseUserManager["Account"]):
    """Makes accounts; there is no `create_superuser`, on purpose."""

    def create(self, **fields: Any) -> Account:
        password = fields.pop("password", None)
        account = self.model(**fields)
        account.set_password(password or None)
        account.save(using=self._db)
        return account


class Account(AbstractBaseUser):
    """A person's login. `role` is one column, so that no combination of roles can be stored at all.

    `made_by` is who made it (another officer wakes it); `person` is the owner's number with the organisation, so that
    one person has one account there and nobody is two officers. `must_change`: the password is somebody else's choice.
    `password_changed_at` is the instance's time; empty where nobody ever set one through a service.
    """

    username = models.CharField(max_length=40, unique=True)
    display_name = models.CharField(max_length=40)
    role = models.CharField(max_length=16, choices=Role.choices)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    person = models.CharField(max_length=40, blank=True)
    made_by = models.CharField(max_length=40, blank=True)
    is_active = models.BooleanField(default=True)
    must_change = models.BooleanField(default=False)
    password_changed_at = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name", "role"]
    objects = AccountManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("organisation", "person"), condition=~models.Q(person=""), name="account_person_once"
            )
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def party(self) -> str:
        """The side this account stands on: A, B, T, S or X."""
        return self.organisation.party


class OldPassword(models.Model):
    """The hash of a password that an account had; it may not come back while it is one of the last few."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="old_passwords")
    password = models.CharField(max_length=128)

    def __str__(self) -> str:
        return str(self.account_id)


class SecondFactor(models.Model):
    """A one-time code generator (RFC 6238). `sealed` holds its secret under a key beside the database; `confirmed_at` is
    empty until its first code was given; `last_step` is the 30-second step of the last code taken, which and whose
    predecessors are refused from then on. `recovery` are hashes of the codes that are left."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="second_factor")
    sealed = models.BinaryField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(default=0)
    recovery = models.JSONField(default=list)

    def __str__(self) -> str:
        return str(self.account_id)


class Ended(models.TextChoices):
    """Why a session ended."""

    LOGOUT = "logout", _("本人退出")
    REPLACED = "replaced", _("同一账号在别处登录")
    IDLE = "idle", _("长时间没有操作")
    TERM = "term", _("达到单次会话的最长时间")
    CLOSED = "closed", _("账号被停用")
    PASSWORD = "password", _("口令已更改")
    ELSEWHERE = "elsewhere", _("本人在别处结束了它")


class Sitting(models.Model):
    """One login, from its beginning to its end, for its owner to see. Times are the machine's (law 3's list: sessions).

    `key` is the session's own key, which is worth nothing once the session is gone; it tells the old browser why.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sittings")
    key = models.CharField(max_length=40, unique=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, db_index=True)
    ended = models.CharField(max_length=10, choices=Ended.choices, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    agent = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=("account", "-started_at"), name="sitting_of")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.started_at:%Y-%m-%d %H:%M}"


class Tries(models.Model):
    """Failed tries to get in, counted by what was tried: a name (whether anybody has it or not) or an address.

    `key` holds hashes, never a name or an address. A row without a failure for a while is dropped: the table stays small.
    """

    key = models.CharField(max_length=72, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    last = models.DateTimeField(db_index=True)
    until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.key[:12]} {self.count}"


class Token(models.Model):
    """A key for programs (API): at most what its account's role may, at most its scopes, and it ends.

    `digest` is SM3 of the secret, which is shown once and kept nowhere. Times are the instance's.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class StaffMember(models.Model):
    """A person whom 乙方 puts on the contract: entered with proof of employment, confirmed by 甲方, in place from-to.

    `code` stands for the person in the ledger, which holds no personal data. `taken_from` is whose place this person
    took, `consent` the number of the prior consent to it; `demanded_at`: 甲方 does not accept this person any more.
    """

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=40)
    position = models.CharField(max_length=60)
    key_person = models.BooleanField(default=False)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    entered_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()
    confirmed = models.BooleanField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    why_left = models.CharField(max_length=1000, blank=True)
    taken_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="taken_by")
    consent = models.BigIntegerField(null=True, blank=True)
    demanded_at = models.DateTimeField(null=True, blank=True)
    demanded_why = models.CharField(max_length=1000, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(since__isnull=False), name="staff_left_was_there"
            )
        ]
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class Certificate(models.Model):
    """A certificate of a person, with the day it ends; no number of it is kept, the file says it."""

    member = models.ForeignKey(StaffMember, on_delete=models.PROTECT, related_name="certificates")
    title = models.CharField(max_length=120)
    expires = models.DateField(null=True, blank=True)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    added_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("member", "expires", "id")

    def __str__(self) -> str:
        return self.title


class Body(models.Model):
    """A third party that 乙方 brings in: help, or one of the assessments; engaged only under a prior consent."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    entered_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    entered_at = models.DateTimeField()
    engaged_at = models.DateTimeField(null=True, blank=True)
    consent = models.BigIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(engaged_at__isnull=True) | models.Q(consent__isnull=False),
                name="body_engaged_by_consent",
            )
        ]
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code
