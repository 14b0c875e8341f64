"""How a contract year ends: acceptance with its examiners, rectification orders with their rounds, handover lists.

What can be derived (how often an obligation was kept, what a standard was proven by, where an order stands) is not here.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account
from yunwei.duties.models import TriggerEvent


def _somebody() -> models.ForeignKey[Account, Account]:
    return models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")


def _anybody() -> models.ForeignKey[Account | None, Account | None]:
    return models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")


class Acceptance(models.Model):
    """One round of accepting a contract year: 乙方 submits, people examine, 甲方 decides, 乙方 countersigns or refuses.

    A round that was not passed is followed by another; one that was passed is the last.
    """

    year = models.CharField(max_length=12)
    round = models.PositiveSmallIntegerField()
    statement = models.CharField(max_length=1000)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    submitted_by = _somebody()
    submitted_at = models.DateTimeField()
    passed = models.BooleanField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    event = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_by = _anybody()
    decided_at = models.DateTimeField(null=True, blank=True)
    signed = models.BooleanField(null=True, blank=True)  # by 乙方; False: it refused
    answer = models.CharField(max_length=1000, blank=True)
    answered_by = _anybody()
    answered_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("year", "round")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("year", "round"), name="acceptance_round_once"),
            models.CheckConstraint(
                condition=models.Q(
                    passed__isnull=True, decided_at__isnull=True, event__isnull=True, signed__isnull=True
                )
                | models.Q(passed__isnull=False, decided_at__isnull=False, event__isnull=False),
                name="acceptance_state_whole",
            ),
            models.CheckConstraint(
                condition=(models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("submitted_by")))
                & (models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("decided_by"))),
                name="acceptance_never_own_work",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.year}/{self.round}"


class Speaker(models.TextChoices):
    """Who speaks about an acceptance (合同 4.3.3): who examined, or the department the work was done for."""

    TESTER = "tester", _("测试与检查人")
    DEPARTMENT = "department", _("需求单位")


class Opinion(models.Model):
    """What an examiner found or a department thinks, about everything or about one requirement, with the signed file.

    The ledger knows the person by a commitment (`identity`) that a redaction can cut off, never by name.
    """

    acceptance = models.ForeignKey(Acceptance, on_delete=models.PROTECT, related_name="opinions")
    speaker = models.CharField(max_length=10, choices=Speaker.choices)
    organisation = models.CharField(max_length=120)
    name = models.CharField(max_length=60)
    qualification = models.CharField(max_length=200, blank=True)
    about = models.CharField(max_length=40, blank=True)  # id of a requirement; "" = the whole
    conforming = models.BooleanField()
    text = models.CharField(max_length=1000, blank=True)
    identity = models.CharField(max_length=64)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    recorded_by = _somebody()
    recorded_at = models.DateTimeField()
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.acceptance_id} {self.speaker} {self.organisation}"


class Order(models.Model):
    """甲方 orders something to be put right by a moment that it sets (合同 4.3.2, 7.1.4: 合理时间). 乙方 may dispute the
    moment once; 甲方 moves it or lets it stand, with a reason. Where it stands follows from its rounds."""

    what = models.CharField(max_length=1000)
    clause = models.CharField(max_length=40)
    about = models.CharField(max_length=120, blank=True)  # occurrence key, finding:7, ticket number, acceptance:2026/1
    due_at = models.DateTimeField()
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    event = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, related_name="+")
    ordered_by = _somebody()
    ordered_at = models.DateTimeField()
    asked_due = models.DateTimeField(null=True, blank=True)  # what 乙方 thinks reasonable
    dispute = models.CharField(max_length=1000, blank=True)
    disputed_by = _anybody()
    disputed_at = models.DateTimeField(null=True, blank=True)
    moved_due = models.DateTimeField(null=True, blank=True)  # None once answered: the order's own stands
    dispute_answer = models.CharField(max_length=1000, blank=True)
    dispute_answered_by = _anybody()
    dispute_answered_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(models.Q(disputed_by__isnull=True) | ~models.Q(disputed_by=models.F("ordered_by")))
                & (models.Q(dispute_answered_by__isnull=True) | ~models.Q(dispute_answered_by=models.F("disputed_by"))),
                name="order_dispute_never_own",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.clause}"

    @property
    def due(self) -> datetime:
        """By when: as moved after a dispute, else as ordered."""
        return self.moved_due or self.due_at


class Recheck(models.Model):
    """One round of an order: 乙方 reports with a file, 甲方 checks again. Nonconforming, another round follows."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="rounds")
    number = models.PositiveSmallIntegerField()
    statement = models.CharField(max_length=1000)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    reported_by = _somebody()
    reported_at = models.DateTimeField()
    conforming = models.BooleanField(null=True, blank=True)
    finding = models.CharField(max_length=1000, blank=True)
    checked_by = _anybody()
    checked_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("order", "number")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("order", "number"), name="recheck_once"),
            models.UniqueConstraint(
                fields=("order",), condition=models.Q(conforming__isnull=True), name="recheck_one_waits"
            ),
            models.CheckConstraint(
                condition=models.Q(checked_by__isnull=True) | ~models.Q(checked_by=models.F("reported_by")),
                name="recheck_never_own",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.number}"


class Handover(models.Model):
    """The list of what goes over at the end of a year (合同 7.2.16), frozen when it was opened: `artifact` is the whole of it."""

    year = models.CharField(max_length=12, unique=True)
    opened_by = _somebody()
    opened_at = models.DateTimeField()
    artifact = models.CharField(max_length=64)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("year",)

    def __str__(self) -> str:
        return self.year


class ItemKind(models.TextChoices):
    """What an item of the list is."""

    FACILITY = "facility", _("设施")
    RESOURCE = "resource", _("虚拟资源")
    MATERIAL = "material", _("资料")
    ACCOUNT = "account", _("账号")


class HandoverItem(models.Model):
    """One item: 乙方 signs that it handed it over, 甲方 that it received it, in any order; or one of them refuses, with a
    reason. `detail` never holds a secret: of an account, that it exists, who holds it and when its secret was last set."""

    handover = models.ForeignKey(Handover, on_delete=models.PROTECT, related_name="items")
    kind = models.CharField(max_length=8, choices=ItemKind.choices)
    code = models.CharField(max_length=160)
    title = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)
    source = models.BigIntegerField(null=True, blank=True)  # ledger intake that says it is there; None: no record does
    given = models.BooleanField(null=True, blank=True)  # by 乙方; False: refused
    given_reason = models.CharField(max_length=1000, blank=True)
    given_by = _anybody()
    given_at = models.DateTimeField(null=True, blank=True)
    received = models.BooleanField(null=True, blank=True)  # by 甲方; False: refused
    received_reason = models.CharField(max_length=1000, blank=True)
    received_by = _anybody()
    received_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("handover", "id")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("handover", "kind", "code"), name="handover_item_once"),
            models.CheckConstraint(
                condition=models.Q(given_by__isnull=True)
                | models.Q(received_by__isnull=True)
                | ~models.Q(given_by=models.F("received_by")),
                name="handover_two_signatures",
            ),
            models.CheckConstraint(
                condition=~(models.Q(given=False) & models.Q(given_reason=""))
                & ~(models.Q(received=False) & models.Q(received_reason="")),
                name="handover_refusal_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.code}"

    @property
    def refused(self) -> bool:
        """Whether one side refused it, with a reason."""
        return self.given is False or self.received is False

    @property
    def done(self) -> bool:
        """Whether nothing is left to sign: both signed, or one refused with a reason."""
        return self.refused or (self.given is True and self.received is True)
