"""What looking leaves behind: one compact row per asset and sweep, findings with identity over time, the parts list.

Raw readings are artifacts (the signed result file of the chunk); the rows here are what pages, duties and the desk
ask for. 10,000 devices a day for 15 years stay affordable because a healthy device costs one short row.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.assets.models import Asset, Credential, Zone


class VerdictOf(models.TextChoices):
    """Mirror of kernel.verdict.Verdict."""

    PASS = "pass", _("正常")
    FAIL = "fail", _("有故障")
    UNPROVEN = "unproven", _("未能证明")


class DeviceSweep(models.Model):
    """What one run proved about one asset, all its protocols together.

    `reason` says why it is unproven (kernel.verdict.Reason), `cause` who answers for that (kernel.verdict.Cause).
    `identity` and `moving` are by protocol. `facts` are the faults seen ({"faults": [...]}) and, until the run is
    settled, which open findings were seen right ({"ok": [keys]}). `artifact` is the content hash of the readings.
    """

    run_id = models.CharField(max_length=120)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="sweeps")
    observed_at = models.DateTimeField()
    verdict = models.CharField(max_length=8, choices=VerdictOf.choices)
    reason = models.CharField(max_length=24, blank=True)
    cause = models.CharField(max_length=8, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    protocols = models.CharField(max_length=40, blank=True)
    vendor = models.CharField(max_length=120, blank=True)
    evaluated = models.PositiveIntegerField(default=0)
    faults = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)
    parts = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    identity = models.JSONField(default=dict)
    moving = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    artifact = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=("run_id", "asset"), name="sweep_once")]
        indexes: ClassVar = [models.Index(fields=("asset", "-observed_at"), name="sweep_of_asset")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.asset_id} {self.verdict}"


class Standing(models.Model):
    """Where an asset stands now: its last sweep, and what the next one compares with and cleans up.

    `moving` are the moving fields last seen, by protocol; `sessions` Redfish sessions that an interrupted sweep left,
    sealed to the collector.
    """

    asset = models.OneToOneField(Asset, on_delete=models.CASCADE, primary_key=True, related_name="standing")
    sweep = models.ForeignKey(DeviceSweep, on_delete=models.PROTECT, null=True, related_name="+")
    moving = models.JSONField(default=dict)
    sessions = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.asset_id}: {self.sweep_id}"


class Origin(models.TextChoices):
    """How a finding came to light (law 4: honesty is the cheapest move)."""

    SWEEP = "sweep", _("自查发现")
    VENDOR_REPORT = "vendor_report", _("乙方上报")
    CLIENT = "client", _("甲方发现")
    SURPRISE = "surprise", _("突击检查")
    AUDIT = "audit", _("审计发现")


class Severity(models.TextChoices):
    """How bad; mirrors the two fault states."""

    WARNING = "warning", _("警告")
    CRITICAL = "critical", _("严重")


class FindingState(models.TextChoices):
    """Stored states; "still" is an open finding seen more than once."""

    OPENED = "opened", _("未关闭")
    CLOSED = "closed", _("已关闭")


class Finding(models.Model):
    """One fault of one component over time. Identity: asset + key (component, kind, and the rule where one names it).

    Closed only when the component was seen right (`ok_seen` times in a row); what was not seen, or is unknown, closes
    nothing. `recurrence` counts earlier findings of the same key: flapping is not hidden by closing.
    """

    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="findings")
    key = models.CharField(max_length=240)
    component = models.CharField(max_length=160)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=FindingState.choices, default=FindingState.OPENED)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    origin = models.CharField(max_length=16, choices=Origin.choices, default=Origin.SWEEP)
    value = models.CharField(max_length=120, blank=True)
    raw = models.CharField(max_length=120, blank=True)
    limit = models.CharField(max_length=160, blank=True)
    source = models.CharField(max_length=300, blank=True)
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    times = models.PositiveIntegerField(default=1)
    ok_seen = models.PositiveSmallIntegerField(default=0)
    recurrence = models.PositiveIntegerField(default=0)
    opened_run = models.CharField(max_length=120, blank=True)
    last_run = models.CharField(max_length=120, blank=True)
    artifact = models.CharField(max_length=64, blank=True)
    #: ledger intakes of opening and closing; `ledger.services.number_of` gives their numbers
    evidence = models.BigIntegerField(null=True, blank=True)
    closing_evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("asset", "key"), condition=models.Q(closed_at__isnull=True), name="finding_open_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=("state", "-opened_at"), name="finding_state"),
            models.Index(fields=("asset", "key"), name="finding_key"),
        ]
        ordering = ("-opened_at", "-id")

    def __str__(self) -> str:
        return f"{self.asset_id} {self.key} {self.state}"

    @property
    def phase(self) -> str:
        """opened, still or closed, as people count them."""
        if self.closed_at is not None:
            return "closed"
        return "still" if self.times > 1 else "opened"


class PartRow(models.Model):
    """One entry of an asset's parts list (部件): serial and firmware are the accepted ones that sweeps compare with."""

    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="parts")
    protocol = models.CharField(max_length=8)
    component = models.CharField(max_length=160)
    kind = models.CharField(max_length=16)
    model = models.CharField(max_length=160, blank=True)
    serial = models.CharField(max_length=120, blank=True)
    firmware = models.CharField(max_length=120, blank=True)
    size = models.CharField(max_length=60, blank=True)
    present = models.BooleanField(default=True)
    source = models.CharField(max_length=300, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    #: what stands there now where that differs from the accepted part: {"serial": …, "firmware": …, "present": …}
    now = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=("asset", "protocol", "component"), name="part_once")]
        ordering = ("asset", "kind", "component")

    def __str__(self) -> str:
        return f"{self.asset_id} {self.component}"


class Control(models.Model):
    """A positive control beside a zone's collector: a one-device farm with a fault that every job must find.

    Outside of every scope and coverage; the collector, the judge and the vendor files know nothing of it.
    """

    zone = models.ForeignKey(Zone, on_delete=models.CASCADE, related_name="controls")
    protocol = models.CharField(max_length=8)
    address = models.CharField(max_length=64)
    port = models.PositiveIntegerField()
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, null=True, blank=True)
    registered_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=("zone", "protocol"), name="control_once")]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.protocol}://{self.address}:{self.port}"
