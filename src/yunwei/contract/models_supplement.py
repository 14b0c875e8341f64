"""Supplements: documents of the first rank that both parties signed (合同 3.1, 12; 采购法 49)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from yunwei.accounts.models import Account


class Supplement(models.Model):
    """One party lays a supplement down, the other confirms it or says why not; confirmed, it stands in the folder.

    `content` is `schema.Supplement` as JSON: the document, what it adds to the price, a price table, a plan's version.
    """

    content = models.JSONField()
    added = models.DecimalField(max_digits=14, decimal_places=2, default=0)  # purchases of the same subject, yuan
    artifact = models.CharField(max_length=64)
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
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(added__gte=0), name="supplement_adds"),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("proposed_by")),
                name="supplement_never_self_confirmed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.added} {self.confirmed}"
