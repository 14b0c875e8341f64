"""The tables of the ledger. Rows are only ever added; what may change later is said at the field.

Columns beside `body` repeat what the body says, to search by; the body alone is hashed. An export carries both, so
that the verifier finds a column that was changed alone.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Artifact(models.Model):
    """A piece of evidence kept as a file: raw replies, attachments, exports.

    The log knows only the commitment SM3(salt ‖ content). Redaction empties `content_hash` and `salt`, so that
    nobody can check a guess of the content against the log any more, and keeps the rest of the row as the tombstone.
    """

    content_hash = models.CharField(max_length=64, blank=True, db_index=True)
    salt = models.BinaryField(max_length=32)
    commitment = models.CharField(max_length=64, unique=True)
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    redacted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=("content_hash",), condition=models.Q(redacted_at__isnull=True), name="artifact_content_once"
            )
        ]

    def __str__(self) -> str:
        return self.commitment


class Intake(models.Model):
    """A claim that was committed together with the state change it tells of; `body` is the canonical JSON that is hashed.

    Never written again: that it waits for its number is a row of its own (`Waiting`), for a mark in this one would write
    the whole body a second time.
    """

    kind = models.CharField(max_length=80)
    subject = models.CharField(max_length=200)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()
    clauses = models.JSONField(default=list)
    body = models.BinaryField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=("subject", "id"), name="intake_subject"),
            models.Index(fields=("kind", "id"), name="intake_kind"),
            models.Index(fields=("actor", "id"), name="intake_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Waiting(models.Model):
    """A claim without a number: written in the statement or right after the statement that takes the claim in, gone in the
    transaction that makes its entry. No foreign key holds it: what it costs would be paid twice by every claim, and
    the audit names a claim that neither has a number nor waits.
    """

    intake = models.OneToOneField(
        Intake, on_delete=models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="+"
    )

    def __str__(self) -> str:
        return str(self.intake_id)


class Entry(models.Model):
    """A numbered claim: leaf `seq` - 1 of the tree. Numbers begin at 1 and have no gaps."""

    seq = models.BigIntegerField(primary_key=True)
    intake = models.OneToOneField(Intake, on_delete=models.PROTECT, related_name="entry")
    leaf = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return str(self.seq)


class Mention(models.Model):
    """A record that names an artifact, so that one is found by the other; the body of the record is what counts.

    A finding aid only: it ties nothing down, so that a damaged ledger can still be shown as it is.
    """

    artifact = models.ForeignKey(Artifact, on_delete=models.DO_NOTHING, db_constraint=False, related_name="mentions")
    intake = models.ForeignKey(Intake, on_delete=models.DO_NOTHING, db_constraint=False, related_name="mentions")

    def __str__(self) -> str:
        return f"{self.artifact_id} {self.intake_id}"


class Node(models.Model):
    """A complete subtree of 2^level leaves, kept from level `proofs.LOW` up: 1/32 of the number of entries.

    Derived from the leaves; `proofs.rebuild` makes it anew.
    """

    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=("level", "index"), name="node_once")]

    def __str__(self) -> str:
        return f"{self.level}:{self.index}"


class Head(models.Model):
    """A signed statement of the tree's size and root, chained to the head before it.

    `body` is the canonical JSON that `signature` (SM2, r ‖ s) signs; `hash` = SM3(body ‖ signature) is what the
    next head names as `prev`. `peaks` is the tree's state from which the sequencer goes on.
    """

    number = models.BigIntegerField(primary_key=True)
    size = models.BigIntegerField(db_index=True)
    root = models.BinaryField(max_length=32, db_index=True)
    prev = models.CharField(max_length=64)
    at = models.DateTimeField(db_index=True)
    key_id = models.CharField(max_length=64)
    body = models.BinaryField()
    signature = models.BinaryField(max_length=64)
    hash = models.CharField(max_length=64, db_index=True)
    peaks = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.number}@{self.size}"


class HeadPush(models.Model):
    """One try to hand a head to an address that the client controls. `problem` says why a failed one failed.

    Written before the file is, as one that was not finished; `ok` and `problem` then say once how it ended.
    """

    address = models.CharField(max_length=300)
    head = models.ForeignKey(Head, on_delete=models.PROTECT, related_name="pushes")
    at = models.DateTimeField()
    ok = models.BooleanField()
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=("address", "ok", "id"), name="headpush_last")]

    def __str__(self) -> str:
        return f"{self.address} {self.head_id}"


class Restored(models.Model):
    """This ledger was restored from a backup older than a head that is known outside: `lost` records are gone (ADR 13).

    Written once by `restored.declare`; the client's answer is added once. `seq` is the number of its own record, the
    first after what was kept. Without an old head (nobody outside holds one) nobody can say how many were lost: None.
    """

    seq = models.BigIntegerField(primary_key=True)
    intake = models.OneToOneField(Intake, on_delete=models.PROTECT, related_name="+")
    head = models.OneToOneField(Head, on_delete=models.PROTECT, related_name="restored")
    old_number = models.BigIntegerField(null=True, blank=True)
    old_size = models.BigIntegerField(null=True, blank=True)
    lost = models.BigIntegerField(null=True, blank=True)
    why = models.CharField(max_length=1000)
    by = models.CharField(max_length=80)
    party = models.CharField(max_length=1)
    at = models.DateTimeField()
    agreed = models.BooleanField(null=True, blank=True)
    answered_by = models.CharField(max_length=80, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    answer = models.OneToOneField(Intake, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.seq}: {self.lost}"
