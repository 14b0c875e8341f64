"""Occurrences and what settles them: attempts, trigger events, manual proofs, claims; the imported calendar years."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from yunwei.accounts.models import Account


class State(models.TextChoices):
    """Where an occurrence stands; `transitions.TRANSITIONS` says which changes are allowed."""

    DUE = "due", _("待履行")
    RUNNING = "running", _("进行中")
    KEPT = "kept", _("已履行")
    LATE = "late", _("迟延履行")
    MISSED = "missed", _("未履行")
    UNPROVEN = "unproven", _("未能证明")
    EXEMPT = "exempt", _("免责")


class Cause(models.TextChoices):
    """Who answers for what was not proven (mirror of kernel.verdict.Cause)."""

    VENDOR = "vendor", _("乙方")
    CLIENT = "client", _("甲方")
    THIRD = "third", _("第三方")
    UNKNOWN = "unknown", _("尚不清楚")


class Occurrence(models.Model):
    """One obligation in one period, never per asset: the assets are the run's scope and coverage names the rest.

    `due_at` is None where neither contract nor plan gives a number, or while the clock still waits for an event.
    `counts` False: shown, scores nothing; `why` then says why. `coverage` is what the settling run reached.
    """

    obligation = models.CharField(max_length=40)
    period = models.CharField(max_length=40)
    clauses = models.JSONField(default=list)
    owes = models.CharField(max_length=2)
    kind = models.CharField(max_length=12)
    basis = models.CharField(max_length=10)
    counts = models.BooleanField()
    why = models.CharField(max_length=300, blank=True)
    waiting = models.JSONField(default=list)
    starts_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    provisional = models.BooleanField(default=False)
    plan_version = models.PositiveIntegerField(null=True, blank=True)
    coverage_target = models.DecimalField(max_digits=5, decimal_places=2, default=100)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DUE)
    cause = models.CharField(max_length=8, choices=Cause.choices, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    coverage = models.JSONField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    #: when it was done: the run's end, or when the confirmed proof was stated; decides between kept and late
    done_at = models.DateTimeField(null=True, blank=True)
    #: ledger intake of the last change of state; `ledger.services.number_of` gives its number
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=("obligation", "period"), name="occurrence_once"),
            models.CheckConstraint(
                condition=(models.Q(state="unproven") & ~models.Q(cause=""))
                | (~models.Q(state="unproven") & models.Q(cause="")),
                name="occurrence_unproven_has_a_cause",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=("state", "due_at"), name="occurrence_state"),
            models.Index(fields=("due_at",), name="occurrence_due"),
            models.Index(fields=("period",), name="occurrence_period"),  # a ticket's clocks: "event:17"
        ]
        ordering = ("due_at", "obligation", "period")

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """`obligation:period`, its name in the ledger."""
        return f"{self.obligation}:{self.period}"

    @property
    def disputed(self) -> bool:
        """争议: one side claimed, the other disputes."""
        return self.state != State.EXEMPT and any(c.state == ClaimState.DISPUTED for c in self.claims.all())


class Attempt(models.Model):
    """One run for an occurrence; a failed morning can be done again."""

    occurrence = models.ForeignKey(Occurrence, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    run_id = models.CharField(max_length=120, unique=True)
    submitted_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=8, blank=True)
    cause = models.CharField(max_length=8, choices=Cause.choices, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=("occurrence", "number"), name="attempt_once")]
        ordering = ("occurrence", "number")

    def __str__(self) -> str:
        return self.run_id


class TriggerEvent(models.Model):
    """Something that happened and starts clocks: an invoice received, a fault reported, the end of the term.

    `at` is when it happened as the recorder says, `recorded_at` when it was told; both are in the ledger.
    `starts_clock` False: recorded, and without effect (`why`), as an invoice of another amount than the instalment.
    """

    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    subject = models.JSONField(default=dict)
    note = models.CharField(max_length=300, blank=True)
    artifact = models.CharField(max_length=64, blank=True)  # commitment of the file
    file_name = models.CharField(max_length=120, blank=True)
    recorded_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField()
    starts_clock = models.BooleanField(default=True)
    why = models.CharField(max_length=300, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=("kind", "at"), name="event_kind")]
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"


class ManualProof(models.Model):
    """A statement and a file by the party that owes, confirmed by the party that received the service."""

    occurrence = models.ForeignKey(Occurrence, on_delete=models.PROTECT, related_name="proofs")
    statement = models.CharField(max_length=1000)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    stated_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    stated_at = models.DateTimeField()
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    confirmed = models.BooleanField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("occurrence",), condition=models.Q(confirmed__isnull=True), name="proof_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("stated_by")),
                name="proof_never_self_confirmed",
            ),
        ]
        ordering = ("occurrence", "id")

    def __str__(self) -> str:
        return f"{self.occurrence_id} {self.stated_at:%Y-%m-%d}"


class ClaimKind(models.TextChoices):
    """What is claimed about an occurrence that was not kept."""

    EXEMPTION = "exemption", _("免责")
    CAUSE = "cause", _("原因归属")


class ClaimState(models.TextChoices):
    """The other side accepts or disputes; a disputed claim changes nothing and is shown as 争议."""

    CLAIMED = "claimed", _("待答复")
    ACCEPTED = "accepted", _("已接受")
    DISPUTED = "disputed", _("争议")


class Claim(models.Model):
    """A claim with proof: exempt by a clause (`ground`), or who else answers for an unproven one (`cause`)."""

    occurrence = models.ForeignKey(Occurrence, on_delete=models.PROTECT, related_name="claims")
    kind = models.CharField(max_length=10, choices=ClaimKind.choices)
    ground = models.CharField(max_length=20, blank=True)
    cause = models.CharField(max_length=8, choices=Cause.choices, blank=True)
    statement = models.CharField(max_length=1000)
    artifact = models.CharField(max_length=64)
    file_name = models.CharField(max_length=120)
    claimed_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    claimed_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=ClaimState.choices, default=ClaimState.CLAIMED)
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("occurrence", "kind"), condition=models.Q(state="claimed"), name="claim_open_once"
            ),
            models.CheckConstraint(
                condition=models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("claimed_by")),
                name="claim_never_self_answered",
            ),
        ]
        ordering = ("occurrence", "id")

    def __str__(self) -> str:
        return f"{self.occurrence_id} {self.kind} {self.state}"


class Register(models.Model):
    """The one row per contract that makes ticks queue for each other, and says since when this platform keeps books.

    What was due before `opened_at` and counts for nothing anyway is not written down after the fact.
    """

    contract = models.CharField(primary_key=True, max_length=60)
    opened_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.contract


class CalendarYear(models.Model):
    """A State Council schedule imported for a year that is not built in (kernel.calendar.Schedule as JSON)."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    notice = models.CharField(max_length=120)
    off = models.JSONField()
    work = models.JSONField()
    imported_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    imported_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.year} {self.notice}"


class Consent(models.Model):
    """A prior consent or permission that one side asked of the other: what for, for which window, and the answer.

    `subject` says what exactly it is for (`P-02>P-07`, a body's code, a ticket's number): a consent to one swap is none
    to another. It covers acts inside the window and after the answer, until it is taken back (`consents.covers`).
    """

    obligation = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    what = models.CharField(max_length=1000)
    starts = models.DateTimeField()
    ends = models.DateTimeField()
    artifact = models.CharField(max_length=64, blank=True)
    file_name = models.CharField(max_length=120, blank=True)
    asked_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    granted = models.BooleanField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    answer_artifact = models.CharField(max_length=64, blank=True)
    answer_file_name = models.CharField(max_length=120, blank=True)
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(ends__gt=models.F("starts")), name="consent_window"),
            models.CheckConstraint(
                condition=models.Q(answered_by__isnull=True) | ~models.Q(answered_by=models.F("asked_by")),
                name="consent_never_self_answered",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=("obligation", "subject"), name="consent_of")]
        ordering = ("-asked_at", "-id")

    def __str__(self) -> str:
        return f"{self.obligation} {self.subject}"


class ConsentAct(models.Model):
    """Something that was done and needed a prior consent; `consent` is the one that covered it, empty: none did."""

    obligation = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    what = models.CharField(max_length=1000)
    at = models.DateTimeField()
    consent = models.ForeignKey(Consent, on_delete=models.PROTECT, null=True, blank=True, related_name="acts")
    artifact = models.CharField(max_length=64, blank=True)
    file_name = models.CharField(max_length=120, blank=True)
    recorded_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=("obligation", "at"), name="consent_act_of")]
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.obligation} {self.subject} {self.at:%Y-%m-%d %H:%M}"


class NoticeState(models.TextChoices):
    """On its way, served, or come to nothing."""

    SENT = "sent", _("在途")
    SERVED = "served", _("已送达")
    FAILED = "failed", _("未送达")


class Outcome(models.TextChoices):
    """What became of a document on its way; which of them serve it is the contract's to say, by way."""

    SIGNED = "signed", _("签收")
    REFUSED = "refused", _("拒签")
    RETURNED = "returned", _("退回")
    CONFIRMED = "confirmed", _("发送确认")
    TOLD = "told", _("已告知")
    ACKNOWLEDGED = "acknowledged", _("对方查收")


class Notice(models.Model):
    """A document or a word of one side to the other, by one way, with the moment from which it is served.

    `event` is what it tells of and `started` what its service started, both trigger events; `proof` is the statement
    that telling it performed the sender's duty. `received` is the receiver's own word, None while it said nothing.
    """

    kind = models.CharField(max_length=40)
    way = models.CharField(max_length=20)
    sender = models.CharField(max_length=1)
    title = models.CharField(max_length=200)
    text = models.CharField(max_length=1000, blank=True)
    to_address = models.CharField(max_length=200, blank=True)
    new_address = models.CharField(max_length=200, blank=True)
    artifact = models.CharField(max_length=64, blank=True)
    file_name = models.CharField(max_length=120, blank=True)
    sent_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    sent_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=NoticeState.choices, default=NoticeState.SENT)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, blank=True)
    outcome_at = models.DateTimeField(null=True, blank=True)
    outcome_artifact = models.CharField(max_length=64, blank=True)
    outcome_file_name = models.CharField(max_length=120, blank=True)
    outcome_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    effective_at = models.DateTimeField(null=True, blank=True)
    received = models.BooleanField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True)
    answered_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    event = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    started = models.ForeignKey(TriggerEvent, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    proof = models.ForeignKey(ManualProof, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(effective_at__isnull=True, state__in=("sent", "failed"))
                | models.Q(effective_at__isnull=False, state="served"),
                name="notice_served_has_a_moment",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=("kind", "sent_at"), name="notice_kind")]
        ordering = ("-sent_at", "-id")

    def __str__(self) -> str:
        return f"{self.sender} {self.kind} {self.sent_at:%Y-%m-%d}"


class RosterEntry(models.Model):
    """Who covers one slot of one day on site; a slot without a standing entry is open.

    `cleared_at`: taken back by 乙方. `empty_at`: 甲方 found nobody there, which opens the slot again.
    """

    day = models.DateField()
    slot = models.CharField(max_length=20)
    member = models.ForeignKey("accounts.StaffMember", on_delete=models.PROTECT, related_name="+")
    stand_in = models.BooleanField(default=False)
    recorded_by = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)
    empty_at = models.DateTimeField(null=True, blank=True)
    empty_by = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    empty_reason = models.CharField(max_length=300, blank=True)
    evidence = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("day", "slot", "member"), condition=models.Q(cleared_at__isnull=True), name="roster_once"
            )
        ]
        indexes: ClassVar = [models.Index(fields=("day",), name="roster_day")]
        ordering = ("day", "slot", "id")

    def __str__(self) -> str:
        return f"{self.day} {self.slot}"
