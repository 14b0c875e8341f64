"""Reports that were made, and who took a copy: the files are artifacts of the ledger, named by their commitments."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account


class KindOf(models.TextChoices):
    """Mirror of period.Kind."""

    DAILY = "daily", _("日报")
    WEEKLY = "weekly", _("周报")
    MONTHLY = "monthly", _("月报")
    ACCEPTANCE = "acceptance", _("验收材料")
    HANDOVER = "handover", _("移交清单")


class Report(models.Model):
    """One edition of a report. It never changes: what became known later makes another edition.

    `data`, `pdf` and `docx` are commitments of artifacts; the plain digests stand in the artifact's row alone, so that a
    redaction forgets them. `fonts` are the faces and the SM3 of their files, `typst` the typesetter, `program` the
    SM3 of our own sources that draw reports: with the data they decide the bytes.
    """

    kind = models.CharField(max_length=12, choices=KindOf.choices)
    key = models.CharField(max_length=12)
    edition = models.PositiveSmallIntegerField()
    first = models.DateField()
    last = models.DateField()
    as_of = models.DateTimeField()
    whole = models.BooleanField()
    built_at = models.DateTimeField()
    built_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    data = models.CharField(max_length=64)
    pdf = models.CharField(max_length=64)
    docx = models.CharField(max_length=64)
    fonts = models.JSONField()
    typst = models.CharField(max_length=20)
    program = models.CharField(max_length=64)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=("kind", "key", "edition"), name="report_edition_once")]
        indexes: ClassVar = [models.Index(fields=("kind", "-first", "-edition"), name="report_period")]
        ordering = ("-first", "kind", "-edition")

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Its name in the ledger and in addresses: `monthly:2026-11:1`."""
        return f"{self.kind}:{self.key}:{self.edition}"


class Opening(models.Model):
    """Somebody took a copy of a report's file: receiving is evidence too. `by` None: a command on the machine itself."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="openings")
    form = models.CharField(max_length=4)  # pdf, docx
    by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField()
    evidence = models.BigIntegerField()

    class Meta:
        ordering = ("report", "id")

    def __str__(self) -> str:
        return f"{self.report_id} {self.form} {self.at:%Y-%m-%d %H:%M}"
