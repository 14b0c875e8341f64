"""The service plan in its versions: proposed by 乙方, approved or refused by 甲方."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account
from yunwei.contract.models_supplement import Supplement

__all__ = ["Closing", "PlanState", "PlanVersion", "Supplement"]


class PlanState(models.TextChoices):
    """Where a version stands; approved and refused are final."""

    PROPOSED = "proposed", _("待审定")
    APPROVED = "approved", _("已审定")
    REFUSED = "refused", _("已退回")


class PlanVersion(models.Model):
    """One version of the service plan. The body never changes after it was proposed.

    The client answers line by line: `refused` holds the changes (`diff.Change.where`) it did not approve, with the reason;
    `counted` is then the body that counts, with those places as they were. None: the body counts as proposed.

    `base` is the version that counted when it was proposed: the client approves the difference to that one.
    `counts_from` is the approval day in the contract's zone; what was due before stays as it was.
    """

    version = models.PositiveIntegerField(unique=True)
    base = models.PositiveIntegerField(null=True, blank=True)
    body = models.JSONField()  # schema.Plan as JSON
    clauses = models.JSONField(default=list)  # of the contract: by which it is proposed and decided
    zone = models.CharField(max_length=40)  # of the contract: whose days count
    state = models.CharField(max_length=10, choices=PlanState.choices, default=PlanState.PROPOSED)
    note = models.TextField(blank=True)  # why it is proposed
    proposed_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    counts_from = models.DateField(null=True, blank=True)
    reason = models.TextField(blank=True)  # why it was approved or refused
    refused = models.JSONField(default=dict)  # where: why not; of an approved version
    counted = models.JSONField(null=True, blank=True)  # schema.Plan as JSON

    class Meta:
        ordering = ("version",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("proposed_by")),
                name="plan_never_self_approved",
            ),
            models.CheckConstraint(
                condition=models.Q(state="proposed", decided_at__isnull=True, counts_from__isnull=True)
                | models.Q(state="approved", decided_at__isnull=False, counts_from__isnull=False)
                | models.Q(state="refused", decided_at__isnull=False, counts_from__isnull=True),
                name="plan_state_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(counted__isnull=True) | models.Q(state="approved"), name="plan_counts_when_approved"
            ),
        )

    def __str__(self) -> str:
        return f"{self.version} {self.get_state_display()}"


class Closing(models.Model):
    """One party lays down the document by which an open item is closed; the other confirms it, or says why not.

    `answer` is `schema.Closing` as JSON. Confirmed ones are written to the contract folder (`closings.py`).
    """

    item = models.CharField(max_length=60)
    answer = models.JSONField()
    artifact = models.CharField(max_length=64)  # commitment of the signed document
    file_name = models.CharField(max_length=120)
    proposed_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    confirmed = models.BooleanField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    decided_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("item",), condition=~models.Q(confirmed=False), name="closing_open_or_closed_once"
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("proposed_by")),
                name="closing_never_self_confirmed",
            ),
        )

    def __str__(self) -> str:
        return f"{self.item} {self.confirmed}"
