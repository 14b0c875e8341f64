"""What the parties did about a month's score, and the client's surprise tests. What can be computed is not stored.

What stands between the parties has its own module, `models_claims`, how a year ends has `models_year`; Django finds all of them here.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account
from yunwei.assessment.models_claims import Conflict, Demand, Majeure
from yunwei.assessment.models_year import Acceptance, Handover, HandoverItem, Opinion, Order, Recheck
from yunwei.assets.models import Asset

__all__ = [
    "Acceptance",
    "Addition",
    "Appeal",
    "Conflict",
    "Demand",
    "Handover",
    "HandoverItem",
    "Majeure",
    "Opinion",
    "Order",
    "Recheck",
    "SetOff",
    "Sheet",
    "SheetState",
    "Surprise",
]


class SheetState(models.TextChoices):
    """A month without a row is computed anew each time it is looked at (试算)."""

    SCORED = "scored", _("已评分，可申诉")
    FROZEN = "frozen", _("已定分")


class Sheet(models.Model):
    """A month as 甲方 scored it: `body` is the whole computed sheet (`scoring.Score` as JSON) under the rubric in
    `rubric`; `appeal_until` is when 乙方's time to appeal ends.

    Frozen, it never changes again: `score` is what counts, 乙方 countersigns it or its refusal is recorded.
    """

    month = models.CharField(max_length=7, unique=True)  # 2026-10
    state = models.CharField(max_length=6, choices=SheetState.choices, default=SheetState.SCORED)
    rubric = models.JSONField()
    days = models.PositiveSmallIntegerField()  # of the month that lie in the term
    body = models.JSONField()
    score = models.DecimalField(max_digits=7, decimal_places=2)
    scored_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    scored_at = models.DateTimeField()
    round = models.PositiveSmallIntegerField(default=1)  # scored again before it was frozen: 2, 3 …
    appeal_until = models.DateTimeField()
    frozen_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    frozen_at = models.DateTimeField(null=True, blank=True)
    signed = models.BooleanField(null=True, blank=True)  # by 乙方; False: it refused
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)
    artifact = models.CharField(max_length=64)  # commitment of the body
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("month",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(state="scored", frozen_at__isnull=True, signed__isnull=True)
                | models.Q(state="frozen", frozen_at__isnull=False),
                name="sheet_state_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("frozen_by")),
                name="sheet_never_self_signed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.state}"


class Appeal(models.Model):
    """乙方 says, with evidence, that a line of a scored sheet is wrong; 甲方 grants it or not, with a reason."""

    sheet = models.ForeignKey(Sheet, on_delete=models.PROTECT, related_name="appeals")
    line = models.CharField(max_length=120)
    round = models.PositiveSmallIntegerField()
    statement = models.CharField(max_length=1000)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    appealed_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    appealed_at = models.DateTimeField()
    granted = models.BooleanField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    decided_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("sheet", "line"), name="appeal_once"),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("appealed_by")),
                name="appeal_never_self_decided",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sheet_id} {self.line}"


class Addition(models.Model):
    """What 甲方 adds to a month by hand under a heading of the rubric, with its ground; negative points are a bonus."""

    month = models.CharField(max_length=7)
    heading = models.CharField(max_length=40)
    points = models.DecimalField(max_digits=5, decimal_places=2)
    text = models.CharField(max_length=300)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    added_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        indexes: ClassVar = [models.Index(fields=("month",), name="addition_month")]

    def __str__(self) -> str:
        return f"{self.month} {self.heading} {self.points}"


class Surprise(models.Model):
    """A surprise test of the client (暗测). Until it is revealed there is nothing here but a hash that 甲方 made on its
    own machine: which device, what and when, with a nonce."""

    commitment = models.CharField(max_length=64, unique=True)  # SM3, hex
    committed_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    committed_at = models.DateTimeField()
    text = models.CharField(max_length=1000, blank=True)  # what was committed to, once revealed
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    component = models.CharField(max_length=160, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)  # when the client pulled it
    revealed_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    revealed_at = models.DateTimeField(null=True, blank=True)
    detected_at = models.DateTimeField(null=True, blank=True)  # None once revealed: missed
    ticket_at = models.DateTimeField(null=True, blank=True)
    notice_at = models.DateTimeField(null=True, blank=True)
    finding = models.PositiveBigIntegerField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("-committed_at", "-id")

    def __str__(self) -> str:
        return self.commitment[:16]


class SetOff(models.Model):
    """What 甲方 takes off a payment with a ground (合同 7.1.2: 第三方代为履行的费用). Disputed, it is shown and not counted."""

    amount = models.DecimalField(max_digits=14, decimal_places=2)
    clause = models.CharField(max_length=20, blank=True, default="")  # that allows a set-off
    ground = models.CharField(max_length=1000)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    claimed_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    claimed_at = models.DateTimeField()
    accepted = models.BooleanField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="set_off_is_an_amount"),
            models.CheckConstraint(
                condition=models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("claimed_by")),
                name="set_off_never_self_answered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount}"
