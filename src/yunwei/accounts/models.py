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
        account.set_password(password)
        account.save(using=self._db)
        return account


class Account(AbstractBaseUser):
    """A person's login. `role` is one column, so that no combination of roles can be stored at all."""

    username = models.CharField(max_length=40, unique=True)
    display_name = models.CharField(max_length=40)
    role = models.CharField(max_length=16, choices=Role.choices)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    is_active = models.BooleanField(default=True)
    failed_logins = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name", "role"]
    objects = AccountManager()

    def __str__(self) -> str:
        return self.display_name

    @property
    def party(self) -> str:
        """The side this account stands on: A, B, T, S or X."""
        return self.organisation.party
