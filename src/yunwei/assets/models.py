"""What is looked after: zones, places, systems, assets, their endpoints, pinned identities, sealed credentials."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account, Organisation


class Zone(models.Model):
    """A network zone (互联网区, 政务外网区); each has its own collector."""

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.name


class Place(models.Model):
    """A machine room."""

    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=80)
    address = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.name


class System(models.Model):
    """An information system of a department that runs on the cloud."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    owner = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    mlps_level = models.PositiveSmallIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class AssetKind(models.TextChoices):
    """What kind of thing an asset is; obligations select by it."""

    DEVICE = "device", _("设备")
    HOST = "host", _("主机")
    VM = "vm", _("虚拟机")


class Asset(models.Model):
    """One thing that is looked after. `code` is its stable name everywhere: in plans, runs and the ledger."""

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=AssetKind.choices)
    category = models.CharField(max_length=32, blank=True)  # switch, firewall, server, storage, ups, hsm …
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT)
    place = models.ForeignKey(Place, on_delete=models.PROTECT, null=True, blank=True)
    owner = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, blank=True)
    system = models.ForeignKey(System, on_delete=models.PROTECT, null=True, blank=True)
    vendor = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=80, blank=True)
    serial = models.CharField(max_length=80, blank=True)
    position = models.CharField(max_length=60, blank=True)
    tags = models.JSONField(default=list, blank=True)  # words that an obligation's selector may name
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Credential(models.Model):
    """A login for equipment, sealed with SM4 under a key that is not in the database (合同 8.1.1)."""

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=16)  # snmp2c, snmp3, redfish, ssh
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=16)
    changed_at = models.DateTimeField(null=True, blank=True)  # when the secret was last set (age of passwords)

    def __str__(self) -> str:
        return self.name


class Endpoint(models.Model):
    """One way to speak to an asset."""

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="endpoints")
    protocol = models.CharField(max_length=8)  # snmp, redfish, ssh, local
    address = models.CharField(max_length=64, blank=True)
    port = models.PositiveIntegerField(default=0)
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, null=True, blank=True)
    vendor_file = models.CharField(max_length=40, blank=True)
    profile = models.CharField(max_length=8, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("asset", "protocol"), name="endpoint_once"),)

    def __str__(self) -> str:
        return f"{self.protocol}://{self.address}:{self.port}"


class IdentityPin(models.Model):
    """Who answered at an endpoint at first contact, confirmed once together with 甲方 (law 2).

    The newest row of an endpoint that is not refused counts. `weak`: SNMP v2c gives nothing that cannot be imitated.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="pins")
    fields = models.JSONField()
    weak = models.BooleanField(default=False)
    pinned_at = models.DateTimeField()
    pinned_by = models.CharField(max_length=80)  # actor as in the ledger: an account's username, collector:<name> …
    confirmed_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True, blank=True)
    refused_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    refused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"pin {self.pk} of {self.endpoint_id}"
