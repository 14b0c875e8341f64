"""Between the parties: claims, force majeure, conflicts of rules. One side says it with a file, the other answers once."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account
from yunwei.duties.models import TriggerEvent


class Said(models.Model):
    """What one side says with a file, and what the other answers: once, and never itself."""

    statement = models.CharField(max_length=1000)
    artifact = models.CharField(max_length=64)  # commitment of the file
    file_name = models.CharField(max_length=120)
    said_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    said_at = models.DateTimeField()
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)
    answer_artifact = models.CharField(max_length=64, blank=True)
    answer_file = models.CharField(max_length=120, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("id",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("said_by")),
                name="%(class)s_never_self_answered",
            ),
        ]


class DemandKind(models.TextChoices):
    """What is claimed. Damages and other loss are claims; nothing of them touches the balance by itself."""

    AMOUNT = "amount", _("款项")
    PERFORMANCE = "performance", _("履行")


class Outcome(models.TextChoices):
    """What the other side answered."""

    ACCEPTED = "accepted", _("认可")
    PARTLY = "partly", _("部分认可")
    DISPUTED = "disputed", _("有争议")
    WITHDRAWN = "withdrawn", _("已撤回")


class Demand(Said):
    """One party claims an amount or a performance from the other, on the ground of a clause.

    `event`: handing the claim over in writing, which starts the other side's clock where the contract gives it one.
    """

    side = models.CharField(max_length=1)  # who claims: A | B
    kind = models.CharField(max_length=11, choices=DemandKind.choices)
    ground = models.CharField(max_length=20)  # clause
    amount = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    outcome = models.CharField(max_length=9, choices=Outcome.choices, blank=True)  # empty: not answered
    agreed = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)  # accepted amount
    event = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta(Said.Meta):
        constraints: ClassVar = [
            *Said.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(kind="performance", amount__isnull=True) | models.Q(kind="amount", amount__gt=0),
                name="demand_amount_or_performance",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.ground} {self.amount or ''}"


class Majeure(Said):
    """A case of force majeure: the event, its end, and which obligations of the affected side it hindered.

    `answered`: the other side accepts the case, or disputes it (`accepted`). What is excused are the claims named in it.
    """

    occurred = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, related_name="+")
    ended = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    side = models.CharField(max_length=1)  # whose performance it hindered: A | B
    obligations = models.JSONField(default=list)
    claims = models.JSONField(default=list)  # ids of the exemption claims (duties) made in this case
    accepted = models.BooleanField(null=True, blank=True)

    class Meta(Said.Meta):
        constraints: ClassVar = [
            *Said.Meta.constraints,
            models.UniqueConstraint(fields=("occurred", "side"), name="majeure_once_per_side"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.occurred_id}"


class Conflict(Said):
    """Two rules that contradict each other; the client's superior authority decides which holds (合同 4.3.1).

    Recorded by either party, sent and answered by 甲方 with the authority's paper; `holds`: "left" or "right".
    """

    title = models.CharField(max_length=200)
    left = models.CharField(max_length=300)
    left_clause = models.CharField(max_length=20, blank=True)
    right = models.CharField(max_length=300)
    right_clause = models.CharField(max_length=20, blank=True)
    obligations = models.JSONField(default=list)  # both show 规则冲突待裁定 until it is decided
    sent_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    sent_at = models.DateTimeField(null=True, blank=True)
    authority = models.CharField(max_length=120, blank=True)
    holds = models.CharField(max_length=5, blank=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [  # 甲方 may have recorded it and brings its superior's paper: nobody decides himself
            models.CheckConstraint(condition=models.Q(holds__in=("", "left", "right")), name="conflict_holds_one"),
        ]

    def __str__(self) -> str:
        return self.title
